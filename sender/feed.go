package sender

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/policy"
)

// feed reads a run's queued rows ahead, in key order first, then those that were deferred, as they come due. It holds
// no claim on them: a row read here may be gone when it comes to the gate.
type feed struct {
	run     Run
	binding Binding
	rows    []prepared

	after    policy.PersonID
	keysDone bool

	dueAt    time.Time
	dueAfter policy.PersonID
	rewindAt time.Time

	flying    atomic.Int64 // rows at the gate, or past it, whose outcome is not recorded yet
	idleUntil time.Time
	again     atomic.Bool // rows that were handed out did not leave: read from the first again
	finishAt  time.Time   // not asked before this whether the run is over
}

const (
	pageSize = 1000
	// rewindEvery is how often the deferred rows are read from the first again, so that none given back out of order is missed.
	rewindEvery = 5 * time.Second
	// pollEvery is how soon an empty feed looks again.
	pollEvery = 50 * time.Millisecond
	// pollPlanning is the same while its next page is being written.
	pollPlanning = 10 * time.Millisecond
)

// reset starts reading again from the first row: some that were read did not leave.
func (f *feed) reset() {
	f.rows, f.after, f.keysDone = nil, policy.PersonID{}, false
	f.dueAt, f.dueAfter = time.Time{}, policy.PersonID{}
	f.idleUntil = time.Time{}
}

// fill reads the next page when none is left of the last one.
func (f *feed) fill(ctx context.Context, ledger Ledger, now time.Time) error {
	if f.again.Swap(false) {
		f.reset()
	}
	if len(f.rows) > 0 || now.Before(f.idleUntil) {
		return nil
	}
	if !f.keysDone {
		rows, err := ledger.Queued(ctx, Page{RunID: f.run.ID, After: f.after, Limit: pageSize})
		if err != nil {
			return err
		}
		f.keep(rows)
		if len(rows) > 0 {
			f.after = rows[len(rows)-1].PersonID
			return nil
		}
		f.keysDone = f.run.Planned
	}
	return f.fillDue(ctx, ledger, now)
}

func (f *feed) fillDue(ctx context.Context, ledger Ledger, now time.Time) error {
	if now.Sub(f.rewindAt) >= rewindEvery {
		f.rewindAt, f.dueAt, f.dueAfter = now, time.Time{}, policy.PersonID{}
	}
	rows, err := ledger.Queued(ctx, Page{RunID: f.run.ID, Due: true, DueAfter: f.dueAt, After: f.dueAfter, Limit: pageSize})
	if err != nil {
		return err
	}
	f.keep(rows)
	if len(rows) == 0 {
		f.idleUntil = now.Add(pollEvery)
		if !f.run.Planned {
			f.idleUntil = now.Add(pollPlanning)
		}
		return nil
	}
	last := rows[len(rows)-1]
	f.dueAt, f.dueAfter = last.DueAt, last.PersonID
	return nil
}

func (f *feed) keep(rows []Row) {
	f.rows = make([]prepared, 0, len(rows)) // the last page may still be at the gate
	for _, row := range rows {
		f.rows = append(f.rows, f.binding.prepare(f.run, row))
	}
}

// take hands out up to n rows.
func (f *feed) take(n int) []prepared {
	n = min(n, len(f.rows))
	rows := f.rows[:n:n]
	f.rows = f.rows[n:]
	return rows
}
