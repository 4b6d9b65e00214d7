package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/sender"
)

// ErrDeleting says that another process deletes what is old.
var ErrDeleting = errcode.With(errors.New("another process deletes what is old right now"), errcode.RetentionRuns)

const (
	// forgetEvery is how often serve looks for what is old, give or take a quarter: many processes do not come at once.
	forgetEvery = time.Hour
	// retentionLease is that of the one process that deletes.
	retentionLease = "retention"
	retentionSpan  = 30 * time.Second
	// breath is the least pause between two transactions. The pause is as long as the transaction took, so that whoever sends
	// meanwhile has half of the time at least.
	breath = 2 * time.Millisecond
)

func (a *App) ages() store.Ages {
	kept := a.config().Retention
	return store.Ages{Deliveries: kept.Deliveries, Webhooks: kept.Webhooks, ReviewTexts: kept.ReviewTexts}
}

// Forgettable counts what Forget would delete now.
func (a *App) Forgettable(ctx context.Context) (report.Forgotten, error) {
	return a.Store.Forgettable(ctx, a.ages())
}

// Forget deletes what is older than the configuration keeps, and notes how much in the audit log. What it returns is gone, also
// beside an error. One process at a time does it: ErrDeleting.
func (a *App) Forget(ctx context.Context, actor string) (gone report.Forgotten, err error) {
	if err := a.Admit(ctx); err != nil {
		return gone, err
	}
	held, _, err := a.Store.Hold(ctx, retentionLease, a.holder, retentionSpan)
	if err != nil {
		return gone, err
	}
	if !held {
		return gone, ErrDeleting
	}
	after := context.WithoutCancel(ctx)
	defer func() { err = errors.Join(err, a.Store.Release(after, retentionLease, a.holder)) }()
	renewed := time.Now()
	gone, err = a.Store.Forget(ctx, a.ages(), func(took time.Duration) error {
		if time.Since(renewed) > retentionSpan/6 {
			held, _, err := a.Store.Hold(ctx, retentionLease, a.holder, retentionSpan)
			if err != nil {
				return err
			}
			if !held {
				return ErrDeleting
			}
			renewed = time.Now()
		}
		sender.Sleep(ctx, max(took, breath))
		return ctx.Err()
	})
	return gone, errors.Join(err, a.Store.AuditForgotten(after, actor, gone))
}

// forgetting deletes what is old, hour by hour, until ctx is done.
func (a *App) forgetting(ctx context.Context) error {
	wait := rand.N(forgetEvery / 6) // a process that is restarted every day must come to it too
	for sender.Sleep(ctx, wait) {
		gone, err := a.Forget(ctx, "")
		switch {
		case errors.Is(err, ErrDeleting), ctx.Err() != nil:
		case err != nil:
			a.Log.Error("what is old cannot be deleted", "error", fmt.Errorf("after %s: %w", gone, err))
		case gone != report.Forgotten{}:
			a.Log.Info("what is old was deleted", "deliveries", gone.Deliveries, "runs", gone.Runs, "webhooks", gone.Webhooks, "review_texts", gone.ReviewTexts)
		}
		wait = forgetEvery*3/4 + rand.N(forgetEvery/2)
	}
	return nil
}
