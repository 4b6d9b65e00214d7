package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/notify"
	"github.com/permesso/permesso/internal/report"
)

// Errors of a test of notify.
var (
	// ErrNoNotify says that nobody is told.
	ErrNoNotify = errcode.With(errors.New("the configuration has no notify: write its url and secret"), errcode.NotifyMissing)
	// ErrNotTold says that the receiver did not take the test. The error around it says why.
	ErrNotTold = errcode.With(errors.New("the test was not taken"), errcode.NotifyFailed)
)

// flushWithin is how long a verb that ends waits for what it caused to be told; what is left waits for serve.
const flushWithin = 2 * time.Second

func (a *App) endpoint() notify.Endpoint {
	to := a.config().Notify
	return notify.Endpoint{URL: to.URL, Key: []byte(to.Key.Reveal())}
}

func (a *App) courier() *notify.Courier {
	return &notify.Courier{
		Of: notify.Notices(), Outbox: a.Store, Leases: a.Store, Holder: a.holder, Endpoint: a.endpoint, Post: a.poster.Post, Observer: a.metrics, Logger: a.Log,
	}
}

// FlushNotices delivers what waits to be told, for at most 2 s.
func (a *App) FlushNotices(ctx context.Context) {
	if cfg := a.config(); cfg.Notify.URL == "" || cfg.DryRun {
		return
	}
	ctx, done := context.WithTimeout(ctx, flushWithin)
	defer done()
	if err := a.courier().Flush(ctx); err != nil {
		a.Log.Warn("some notices are not delivered yet: `permesso serve` goes on with them", "error", err)
	}
}

// Tested is what a test of notify came to.
type Tested struct {
	Answer  notify.Answer
	ID      string // the webhook-id
	Waiting int    // notices that waited, and are tried at once now that somebody takes them
}

// TestNotify posts a notice of its own, past the outbox. When it is taken, what waits for its next attempt is tried at once.
func (a *App) TestNotify(ctx context.Context, by string) (Tested, error) {
	if a.config().Notify.URL == "" {
		return Tested{}, ErrNoNotify
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Tested{}, fmt.Errorf("naming the test: %w", err)
	}
	now := time.Now()
	n := report.Notice{ID: id.String(), At: report.Time{Time: now}, Type: report.NoticeTest, Data: report.NoticeData{
		Sentence: "This is a test of notify; nothing has happened.", By: by,
	}.Discreet()}
	body, err := n.Body()
	if err != nil {
		return Tested{}, err
	}
	tested := Tested{Answer: a.poster.Post(ctx, a.endpoint(), n.ID, body, now), ID: n.ID}
	if err := ctx.Err(); err != nil {
		return tested, err
	}
	if !tested.Answer.Taken() {
		return tested, fmt.Errorf("%w: the receiver %s", ErrNotTold, tested.Answer)
	}
	tested.Waiting, err = a.Store.HurryNotices(ctx)
	return tested, err
}
