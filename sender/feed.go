package sender

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/policy"
)

// feed reads a run's queued rows ahead: in key order, and those that were deferred or given back as they come due. It
// holds no claim on them: a row read here may be gone when it comes to the gate.
type feed struct {
	run     Run
	binding Binding
	rows    []prepared // in key order
	due     []prepared // deferred or given back, whose time has come
	turn    bool       // due rows are next, when there are others too

	after    policy.PersonID
	keysDone bool
	keysAt   time.Time // the next look for rows in key order, when there were none

	dueAt    time.Time
	dueAfter policy.PersonID
	rewindAt time.Time
	dueLook  time.Time // the next look for due rows, when there were none

	flying   atomic.Int64 // rows at the gate, or past it, whose outcome is not recorded yet
	again    atomic.Bool  // rows that were handed out did not leave: read from the first again
	finishAt time.Time    // not asked before this whether the run is over
	broken   breakage
}

const (
	pageSize = 1000
	// rewindEvery is how often the deferred rows are read from the first again, so that none given back out of order is missed.
	rewindEvery = 5 * time.Second
	// pollDue is how soon due rows are looked for again: of a long run a retry or an opened window must not wait for its end.
	pollDue = 250 * time.Millisecond
	// pollPlanning is how soon the next page of a run that is being planned is looked for.
	pollPlanning = 10 * time.Millisecond
)

// reset starts reading again from the first row: some that were read did not leave.
func (f *feed) reset() {
	f.rows, f.after, f.keysDone, f.keysAt = nil, policy.PersonID{}, false, time.Time{}
	f.due, f.dueAt, f.dueAfter, f.dueLook = nil, time.Time{}, policy.PersonID{}, time.Time{}
}

// fill reads the next pages where none is left of the last ones.
func (f *feed) fill(ctx context.Context, ledger Ledger, now time.Time) error {
	if f.again.Swap(false) {
		f.reset()
	}
	if len(f.rows) == 0 && !f.keysDone && !now.Before(f.keysAt) {
		if err := f.fillKeys(ctx, ledger, now); err != nil {
			return err
		}
	}
	if len(f.due) == 0 && !now.Before(f.dueLook) {
		return f.fillDue(ctx, ledger, now)
	}
	return nil
}

func (f *feed) fillKeys(ctx context.Context, ledger Ledger, now time.Time) error {
	rows, err := ledger.Queued(ctx, Page{RunID: f.run.ID, After: f.after, Limit: pageSize})
	if err != nil {
		return err
	}
	f.rows = f.prepare(rows)
	if len(rows) == 0 {
		f.keysDone, f.keysAt = f.run.Planned, now.Add(pollPlanning)
		return nil
	}
	f.after = rows[len(rows)-1].PersonID
	return nil
}

func (f *feed) fillDue(ctx context.Context, ledger Ledger, now time.Time) error {
	if now.Sub(f.rewindAt) >= rewindEvery {
		f.rewindAt, f.dueAt, f.dueAfter = now, time.Time{}, policy.PersonID{}
	}
	rows, err := ledger.Queued(ctx, Page{RunID: f.run.ID, Due: true, DueAfter: f.dueAt, After: f.dueAfter, Limit: pageSize})
	if err != nil {
		return err
	}
	f.due = f.prepare(rows)
	if len(rows) == 0 {
		f.dueLook = now.Add(pollDue)
		return nil
	}
	last := rows[len(rows)-1]
	f.dueAt, f.dueAfter = last.DueAt, last.PersonID
	return nil
}

func (f *feed) prepare(rows []Row) []prepared {
	page := make([]prepared, 0, len(rows)) // the last page may still be at the gate
	for _, row := range rows {
		p, err := f.binding.prepare(f.run, row)
		f.broken.bound(row.PersonID, err)
		if err == nil {
			page = append(page, p)
		}
	}
	return page
}

func (f *feed) empty() bool { return len(f.rows)+len(f.due) == 0 }

// take hands out up to n rows: by turns from those in key order and those that are due, so that neither waits for the
// last of the other.
func (f *feed) take(n int) []prepared {
	from := &f.rows
	if len(f.rows) == 0 || len(f.due) > 0 && f.turn {
		from = &f.due
	}
	f.turn = from == &f.rows
	f.finishAt = time.Time{} // whatever waits longer, the run may be over with these
	n = min(n, len(*from))
	rows := (*from)[:n:n]
	*from = (*from)[n:]
	return rows
}
