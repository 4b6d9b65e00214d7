package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/sender"
)

// Outbox keeps what waits to be told.
type Outbox interface {
	// Outbox returns the notice that is to leave next, due or not, and the clock that its times go by.
	Outbox(ctx context.Context) (report.Outbox, error)
	// NoticeTried keeps what became of an attempt; kept is false when another process tried it meanwhile.
	NoticeTried(ctx context.Context, n report.Notice, a report.Attempt) (kept bool, err error)
}

// Leases let one process at a time deliver: two would tell things twice, and in any order.
type Leases interface {
	Hold(ctx context.Context, key, holder string, span time.Duration) (held, taken bool, err error)
	Release(ctx context.Context, key, holder string) error
}

// Observer counts.
type Observer interface {
	NoticesPending(n int)
	NoticeFailed()
}

// Courier delivers an outbox. Every field must be set.
type Courier struct {
	Of       Goods // what it delivers
	Outbox   Outbox
	Leases   Leases
	Holder   string // this process, in leases
	Endpoint func() Endpoint
	Post     func(ctx context.Context, e Endpoint, id string, body []byte, now time.Time) Answer
	Observer Observer
	Logger   *slog.Logger
}

const (
	// leaseSpan is longer than an attempt may take.
	leaseSpan = postWithin + 5*time.Second
	// lookEvery is how soon a notice that another process wrote leaves.
	lookEvery = time.Second
	// keepWithin is how long what became of an attempt may take to be kept when the process is to end.
	keepWithin = time.Second
)

// Run delivers notices until ctx is done. One that fails holds back those after it.
func (c *Courier) Run(ctx context.Context) error {
	defer c.release(ctx)
	for ctx.Err() == nil {
		wait, err := c.step(ctx)
		if err != nil && ctx.Err() == nil {
			c.Logger.Error(c.Of.things+" cannot be read or kept", "error", err)
			wait = lookEvery
		}
		sender.Sleep(ctx, min(wait, lookEvery))
	}
	return nil
}

// Flush delivers what is due, and returns when nothing is, or when ctx is done. What another process is delivering is waited for.
func (c *Courier) Flush(ctx context.Context) error {
	defer c.release(ctx)
	for ctx.Err() == nil {
		box, err := c.Outbox.Outbox(ctx)
		if err != nil {
			return err
		}
		if box.First.ID == "" || box.First.NextAt.After(box.Now) {
			return nil
		}
		wait, err := c.step(ctx)
		if err != nil {
			return err
		}
		sender.Sleep(ctx, min(wait, lookEvery/10))
	}
	return ctx.Err()
}

func (c *Courier) release(ctx context.Context) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), keepWithin)
	defer done()
	if err := c.Leases.Release(ctx, c.Of.lease, c.Holder); err != nil {
		c.Logger.Warn("the lease of "+c.Of.things+" ends by itself", "error", err)
	}
}

// step makes one attempt, if a notice is due and no other process is at it. It returns how long to wait before the next step.
func (c *Courier) step(ctx context.Context) (time.Duration, error) {
	box, err := c.Outbox.Outbox(ctx)
	if err != nil {
		return lookEvery, err
	}
	c.Observer.NoticesPending(box.Pending)
	if wait := due(box); wait > 0 {
		return wait, nil
	}
	held, taken, err := c.Leases.Hold(ctx, c.Of.lease, c.Holder, leaseSpan)
	if err != nil || !held {
		return lookEvery, err
	}
	if taken { // who had it before may have told this one
		if box, err = c.Outbox.Outbox(ctx); err != nil {
			return lookEvery, err
		}
		if wait := due(box); wait > 0 {
			return wait, nil
		}
	}
	return 0, c.attempt(ctx, box)
}

// due is how long the outbox's first notice is still to wait; a second for an empty one.
func due(box report.Outbox) time.Duration {
	if box.First.ID == "" {
		return lookEvery
	}
	return max(0, box.First.NextAt.Sub(box.Now))
}

func (c *Courier) attempt(ctx context.Context, box report.Outbox) error {
	n := box.First
	body, err := n.Body()
	if err != nil {
		return err
	}
	answer := c.Post(ctx, c.Endpoint(), n.ID, body, time.Now())
	if ctx.Err() != nil && answer.Err != nil {
		return nil // cut off by our own end, which says nothing of the receiver
	}
	tried := c.Of.judge(n, answer, box.Now)
	keep, done := context.WithTimeout(context.WithoutCancel(ctx), keepWithin+leaseSpan-postWithin)
	defer done()
	kept, err := c.Outbox.NoticeTried(keep, n, tried)
	if err != nil {
		return fmt.Errorf("%s may be told again: %w", c.Of.one, err)
	}
	if !kept {
		return nil
	}
	log := c.Logger.With("notice", n.ID, "type", string(n.Type), "attempt", n.Attempts+1)
	switch tried.State {
	case report.NoticeFailed:
		c.Observer.NoticeFailed()
		log.Error(c.Of.one+" is given up: nobody was told", "says", n.Data.Sentence, "error", errors.New(tried.Error))
	case report.NoticePending:
		log.Warn(c.Of.one+" is not delivered and holds back "+c.Of.behind, "again_in", tried.Wait.Round(time.Second).String(), "error", errors.New(tried.Error))
	}
	return nil
}
