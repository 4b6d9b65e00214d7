package sender

import (
	"context"
	"time"
)

const (
	// groupFor is how long outcomes gather before they are written together.
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
		for open && len(group) < maxBatch {
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

func (l *line) write(ctx context.Context, group []ended) {
	outcomes := make([]Outcome, len(group))
	for i, e := range group {
		outcomes[i] = e.outcome
	}
	deadline := time.Now().Add(keepFor)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := l.o.Ledger.Record(ctx, outcomes)
		if err == nil {
			break
		}
		l.log.Error("outcomes cannot be recorded; trying again", "count", len(outcomes), "error", err)
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
	for _, e := range group {
		switch result := e.outcome.Result; result.Fate {
		case Taken, TakenHeld:
			l.trouble.over()
		case NotSent:
			if !result.Late {
				l.trouble.notSent(now)
				l.log.Warn("a message did not leave and waits", "run", e.run.ID, "error", result.Cause)
			}
			l.refresh.Store(true)
		case Ambiguous:
			l.log.Warn("the answer to a message was lost: it is unknown until WhatsApp reports it", "run", e.run.ID, "error", result.Cause)
			if l.trouble.ambiguous()%ambiguousInARow == 0 {
				l.pauseRuns(ctx, e.run, PauseNumber, "25 messages in a row got no answer: whether they left is not known. Look at the network and at Meta's status, then resume")
			}
		case Refused:
			l.trouble.over()
			l.refused(ctx, e.run, result.Err, now)
		}
	}
}

func (l *line) refused(ctx context.Context, run Run, err *Error, now time.Time) {
	switch {
	case err.Reaction == SlowDown:
		l.mu.Lock()
		l.pace.slowDown(now)
		l.mu.Unlock()
		l.log.Warn("Meta asks for a lower rate", "run", run.ID, "code", err.Code)
	case err.Reaction.Pauses():
		l.pauseRuns(ctx, run, err.Reaction, why(err))
	}
}

func (l *line) pauseRuns(ctx context.Context, run Run, reaction Reaction, sentence string) {
	l.log.Error("sending pauses", "run", run.ID, "reaction", string(reaction), "why", sentence)
	if err := l.o.Runs.Pause(ctx, run, reaction, sentence); err != nil {
		l.log.Error("the runs cannot be paused", "run", run.ID, "error", err)
	}
	l.refresh.Store(true)
}
