package webhook

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

const (
	// storeWithin bounds one group commit with all its retries.
	storeWithin = 10 * time.Second
	pollEvery   = 8 * time.Millisecond
	// logEvery is how often a sink that keeps failing is logged.
	logEvery = time.Second
)

// Run is the group commit: whatever gathered while one commit was under way is the next one, without any timer. When ctx
// ends it stores what waits, for at most 10 s, answers the rest with 503 and returns ctx.Err(). It can run once.
func (r *Receiver) Run(ctx context.Context) error {
	if r.started.Swap(true) {
		return errors.New("run webhook receiver: it has been run before")
	}
	defer r.watchers.Wait()
	var loggedAt time.Time
	lasting := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		batch := r.queue.next()
		if len(batch) == 0 {
			r.idle(ctx, lasting)
			continue
		}
		loggedAt = r.commit(lasting, batch, loggedAt)
	}
	r.queue.close()
	ending, cancel := context.WithTimeout(lasting, storeWithin)
	defer cancel()
	for batch := r.queue.next(); len(batch) > 0; batch = r.queue.next() {
		loggedAt = r.commit(ending, batch, loggedAt)
	}
	return ctx.Err()
}

// idle waits for a body; meanwhile it tries to store what is owed.
func (r *Receiver) idle(ctx, lasting context.Context) {
	if !r.Owes() {
		select {
		case <-r.queue.wake:
		case <-ctx.Done():
		}
		return
	}
	again := time.NewTimer(payEvery)
	defer again.Stop()
	select {
	case <-r.queue.wake:
	case <-ctx.Done():
	case <-again.C:
		r.pay(lasting)
	}
}

// commit stores one batch and gives every body of it its verdict. It returns when a failure was last logged.
func (r *Receiver) commit(ctx context.Context, batch []*pending, loggedAt time.Time) time.Time {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	failed, err := r.settle(ctx, batch)
	if len(failed) == len(batch) {
		r.failedAt.Store(time.Now().UnixMilli())
		r.failures.Add(1)
	} else {
		r.failures.Store(0)
	}
	r.owe(failed)
	if len(failed) < len(batch) && r.Owes() {
		r.pay(ctx) // the database takes bodies again
	}
	if err == nil || time.Since(loggedAt) < logEvery {
		return loggedAt
	}
	attrs := []any{"bodies", len(batch), "failed", len(failed), "error", err}
	if len(failed) < len(batch) {
		attrs = append(attrs, "body_sha256", hex.EncodeToString(failed[0].box.BodyHash[:]))
	}
	if p, ok := errors.AsType[*sender.Panic](err); ok {
		attrs = append(attrs, "stack", p.Stack())
	}
	r.log.Error("webhook bodies were not stored; Meta is asked to send them again", attrs...)
	return time.Now()
}

// settle stores the batch as one; when that fails, each half by itself, down to single bodies, so that a body that cannot
// be stored fails alone and costs the others a few commits rather than one each. It returns the bodies that failed, and
// the last error.
func (r *Receiver) settle(ctx context.Context, batch []*pending) ([]*pending, error) {
	stopped, err := r.try(ctx, batch)
	if err == nil {
		r.acknowledge(ctx, batch, stopped)
		return nil, nil
	}
	if len(batch) == 1 || ctx.Err() != nil {
		for _, p := range batch {
			r.queue.settle(p, verdict{})
		}
		return batch, err
	}
	half := len(batch) / 2
	failed, firstErr := r.settle(ctx, batch[:half])
	more, secondErr := r.settle(ctx, batch[half:])
	if secondErr == nil {
		secondErr = firstErr
	}
	return append(slices.Clip(failed), more...), secondErr
}

// try calls the sink once. A panic over one body is that body's failure: it must not end the process, which would meet
// the same body again after every restart.
func (r *Receiver) try(ctx context.Context, batch []*pending) (stopped []policy.PersonID, err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("store webhooks: %w", err)
	}
	bodies := make([]sender.Inbox, len(batch))
	for i, p := range batch {
		bodies[i] = p.box
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store webhooks: %w", sender.Caught(p))
		}
	}()
	return r.options.Sink.Store(ctx, bodies)
}

// acknowledge tells the bodies of a committed batch that they are stored, and those that stopped somebody to wait until
// nothing is in flight to whom they stopped. When the sink stopped somebody for a reason that no body showed, all wait.
func (r *Receiver) acknowledge(ctx context.Context, batch []*pending, stopped []policy.PersonID) {
	if len(stopped) == 0 {
		for _, p := range batch {
			r.queue.settle(p, verdict{stored: true})
		}
		return
	}
	by := time.Now().Add(inForceWithin)
	inForce := make(chan struct{})
	lasting := context.WithoutCancel(ctx)
	r.watchers.Go(func() {
		defer close(inForce)
		r.watch(lasting, stopped, by)
	})
	all := !slices.ContainsFunc(batch, func(p *pending) bool { return p.stops })
	for _, p := range batch {
		v := verdict{stored: true}
		if p.stops || all {
			v.inForce, v.by = inForce, by
		}
		r.queue.settle(p, v)
	}
}

// watch returns when no delivery of these persons is in flight, at the latest at by. An error is taken as "in flight".
func (r *Receiver) watch(ctx context.Context, persons []policy.PersonID, by time.Time) {
	ctx, cancel := context.WithDeadline(ctx, by)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case r.polls <- struct{}{}:
		case <-ctx.Done():
			return
		}
		busy, err := r.options.Sink.InFlight(ctx, persons)
		<-r.polls
		if err == nil && !busy {
			return
		}
		if err != nil && ctx.Err() == nil {
			r.log.DebugContext(ctx, "deliveries in flight could not be read; waiting the full time", slog.Any("error", err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
