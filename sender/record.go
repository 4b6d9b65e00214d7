package sender

import (
	"context"
	"time"
)

const (
	// groupFor is how long outcomes gather before they are written together, while others are on their way.
	groupFor = 20 * time.Millisecond
	// ambiguousInARow is how many messages in a row may lose their answer before the number's runs pause.
	ambiguousInARow = 25
	// keepFor is how long outcomes are tried again that a database which is there does not take.
	keepFor = 30 * time.Second
)

// record writes outcomes as they come, in groups, until the posters are done. It does not give up while the database is
// away: an outcome that is lost makes a message unknown, and one that Meta refused stays so for ever.
func (l *line) record(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for first := range l.ended {
		group := []ended{first}
		timer.Reset(groupFor)
		open := true
		for open && len(group) < maxBatch && l.more(len(group)) {
			select {
			case next, more := <-l.ended:
				if open = more; more {
					group = append(group, next)
				}
			case <-timer.C:
				open = false
			}
		}
		l.write(ctx, group)
	}
}

// more reports whether outcomes are on their way, or may soon be, beside n that are in hand.
func (l *line) more(n int) bool { return len(l.gates) > 0 || int64(n) < l.flying.Load() }

func (l *line) write(ctx context.Context, group []ended) {
	outcomes := make([]Outcome, len(group))
	for i := range group {
		// Before they are stored: what shows that nobody gets through goes back into the queue and fails nobody.
		group[i].outcome.Result = l.refusals.judge(group[i].run.Ask.Campaign, group[i].outcome.Result)
		outcomes[i] = group[i].outcome
	}
	deadline := time.Now().Add(keepFor)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := l.o.Ledger.Record(ctx, outcomes)
		if err == nil {
			break
		}
		l.log.Error("outcomes cannot be recorded; trying again", told(err, "count", len(outcomes))...)
		if time.Now().After(deadline) && (l.stopping() != nil || l.reachable(ctx)) {
			// There is no time left, or it is they that cannot be stored. Their rows stay in sending and become unknown; webhooks settle them.
			l.log.Error("outcomes are given up; their messages will be unknown", "count", len(outcomes))
			break
		}
		Sleep(ctx, wait)
	}
	l.react(ctx, group)
	for _, e := range group {
		if e.feed.flying.Add(-1) == 0 {
			l.refresh.Store(true) // the run may be over
		}
	}
	l.flying.Add(-int64(len(group)))
}

// reachable reports whether the database answers at all.
func (l *line) reachable(ctx context.Context) bool {
	_, err := l.o.Runs.Active(ctx, l.o.NumberID)
	return err == nil
}

// react does what the outcomes ask beyond their own rows.
func (l *line) react(ctx context.Context, group []ended) {
	now := time.Now()
	l.mu.Lock()
	l.pace.wire.ended(now, len(group))
	for _, e := range group {
		// What never reached Meta says nothing of its latency.
		if fate := e.outcome.Result.Fate; fate == Taken || fate == TakenHeld {
			l.pace.answers.answered(now, e.took)
		}
	}
	l.mu.Unlock()
	opened := map[string]bool{} // once for all the messages that were on their way
	trip := func(run Run, b Breaker) {
		if !opened[b.Key()] {
			opened[b.Key()] = true
			l.trip(ctx, run, b)
		}
	}
	for _, e := range group {
		switch result := e.outcome.Result; result.Fate {
		case Taken, TakenHeld:
			l.trouble.over()
			l.refusals.gotThrough()
			l.careful.Store(false)
		case NotSent:
			if !result.Late {
				l.trouble.notSent(now)
				l.log.Warn("a message did not leave and waits", "run", e.run.ID, "error", result.Cause)
			}
			l.refresh.Store(true)
		case Ambiguous:
			l.log.Warn("the answer to a message was lost: it is unknown until WhatsApp reports it", "run", e.run.ID, "error", result.Cause)
			if l.trouble.ambiguous() >= ambiguousInARow { // after a pause the first is enough
				trip(e.run, silentAnswers(e.run))
			}
		case Refused:
			l.trouble.over()
			if b, ok := l.refused(e.run, result.Err, now); ok {
				trip(e.run, b)
			}
		}
	}
}

// refused slows the number down when Meta asks for that. It returns the breaker that the refusal opens, if any.
func (l *line) refused(run Run, err *Error, now time.Time) (b Breaker, opens bool) {
	if b, opens = Tripped(run, err); opens {
		return b, true
	}
	switch err.Reaction {
	case SlowDown:
		l.mu.Lock()
		l.pace.slowDown(now)
		lowest := l.pace.lowest()
		l.mu.Unlock()
		l.log.Warn("Meta asks for a lower rate", "run", run.ID, "code", err.Code)
		return storm(run, err), l.refusals.storms(now, lowest)
	case Retry:
	default:
		// Meta looked at the message itself: nothing stands before all of them.
		l.refusals.gotThrough()
		l.careful.Store(false)
	}
	return Breaker{}, false
}

// trip opens a breaker. From here on one message leaves at a time, whether or not the breaker can be stored.
func (l *line) trip(ctx context.Context, run Run, b Breaker) {
	l.careful.Store(true)
	l.refusals.tripped(b)
	l.log.Error("sending pauses", "run", run.ID, "breaker", b.Key(), "why", b.Why)
	if err := l.o.Runs.OpenBreaker(ctx, b); err != nil {
		l.log.Error("the breaker cannot be stored", "breaker", b.Key(), "error", err)
	}
	l.refresh.Store(true)
}
