package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// testOccurrences has eight schedulers start the same slots at once: each slot starts once.
func testOccurrences(w *world) {
	const schedulers, slots = 8, 12
	var working sync.WaitGroup
	var created [slots]atomic.Int32
	for range schedulers {
		working.Go(func() {
			for slot := range slots {
				run := w.draft("nightly", "offers")
				run.Occurrence = fmt.Sprintf("2026-11-%02dT18:00", 1+slot)
				_, made, err := w.store.CreateRun(w.ctx, run)
				if err != nil {
					w.Error(err)
				}
				if made {
					created[slot].Add(1)
				}
			}
		})
	}
	working.Wait()
	runs, err := w.store.Runs(w.ctx, "nightly", 0)
	w.must(err)
	if len(runs) != slots {
		w.Errorf("%d runs for %d slots", len(runs), slots)
	}
	for slot := range created {
		if n := created[slot].Load(); n != 1 {
			w.Errorf("slot %d was started %d times", slot, n)
		}
	}
	// A run by hand has a key of its own, and so has the same slot of another campaign.
	for range 2 {
		if run, made, err := w.store.CreateRun(w.ctx, w.draft("nightly", "offers")); err != nil || !made || run.Occurrence != scheduler.ManualOccurrence(run.ID) {
			w.Errorf("a run by hand: %q, created %t, %v", run.Occurrence, made, err)
		}
	}
	if _, made, err := w.store.CreateRun(w.ctx, w.draft("another", "offers", func(r *scheduler.Run) { r.Occurrence = "2026-11-01T18:00" })); err != nil || !made {
		w.Errorf("another campaign's slot: created %t, %v", made, err)
	}
	missed, _, err := w.store.CreateRun(w.ctx, w.draft("another", "offers", func(r *scheduler.Run) { r.State, r.Why = scheduler.Missed, "found 3h late" }))
	w.must(err)
	if run, err := w.store.Run(w.ctx, missed.ID); err != nil || run.State != scheduler.Missed || run.Why != "found 3h late" || run.FinishedAt.IsZero() {
		w.Errorf("a missed slot is kept as %s (%q), finished %s, %v", run.State, run.Why, run.FinishedAt, err)
	}
}

var runStates = []scheduler.RunState{scheduler.Planning, scheduler.Waiting, scheduler.Running, scheduler.Paused, scheduler.Done, scheduler.RunCancelled, scheduler.Missed}

// testRunStates tries every move between states of a run.
func testRunStates(w *world) {
	for _, planned := range []bool{true, false} {
		for _, from := range runStates {
			for _, to := range runStates {
				if from == scheduler.Running && !planned {
					continue // there is no such run
				}
				created, _, err := w.store.CreateRun(w.ctx, w.draft("states", "offers", func(r *scheduler.Run) { r.State = from }))
				w.must(err)
				if planned {
					w.must(w.store.Planned(w.ctx, created.ID, scheduler.Plan{Matched: 7}))
				}
				before, err := w.store.Run(w.ctx, created.ID)
				w.must(err)
				target := to
				if to == scheduler.Running && !planned {
					target = scheduler.Planning // it goes on where its planning stopped
				}
				err = w.store.MoveRun(w.ctx, created.ID, to, "a test")
				after, failure := w.store.Run(w.ctx, created.ID)
				w.must(failure)
				switch may := before.State.CanBecome(target); {
				case before.State == target:
					if err != nil || after.State != target {
						w.Errorf("%s to itself: %s, %v", to, after.State, err)
					}
				case may && (err != nil || after.State != target || after.Why != "a test" || after.FinishedAt.IsZero() == !target.Open()):
					w.Errorf("%s to %s (planned %t): %s (%q), finished %s, %v", before.State, to, planned, after.State, after.Why, after.FinishedAt, err)
				case !may && (!errors.Is(err, store.ErrState) || after.State != before.State):
					w.Errorf("%s to %s (planned %t): %s, %v; want ErrState", before.State, to, planned, after.State, err)
				}
				if planned && after.Plan.Matched != 7 {
					w.Errorf("the plan is lost: %+v", after.Plan)
				}
			}
		}
	}
	if err := w.store.MoveRun(w.ctx, "nothing", scheduler.Paused, ""); !errors.Is(err, store.ErrNoRun) {
		w.Errorf("moving a run that is not there: %v, want ErrNoRun", err)
	}
	if _, err := w.store.Run(w.ctx, "nothing"); !errors.Is(err, store.ErrNoRun) {
		w.Errorf("reading a run that is not there: %v, want ErrNoRun", err)
	}
}

// testCancel cancels a run and looks that nothing of it waits any more, then or later.
func testCancel(w *world) {
	people := w.people(5)
	l := w.launch("cancel", "offers", people)
	flights := w.pass(l, people[:4])
	w.record(taken, flights[0])
	w.must(w.store.MoveRun(w.ctx, l.run.ID, scheduler.RunCancelled, "a mistake in the text"))
	w.want(l.run.ID, sender.Accepted, "", people[0])
	w.want(l.run.ID, sender.Sending, "", people[1:4]...)
	w.want(l.run.ID, sender.Cancelled, policy.RunCancelled, people[4])
	// What comes back surely unwritten does not wait in a run that is over.
	w.record(notSent, flights[1])
	w.record(tryAgain, flights[2])
	w.want(l.run.ID, sender.Cancelled, policy.RunCancelled, people[1:3]...)
	// Its sender died: the last row is settled though the run is over.
	if n, err := w.store.Settle(w.ctx, numberID, 0); n != 1 || err != nil {
		w.Errorf("Settle = %d, %v, want the one row of the cancelled run", n, err)
	}
	w.want(l.run.ID, sender.Unknown, "", people[3])
	if done, _, err := w.store.Finish(w.ctx, l.run.ID); !done || err != nil {
		w.Errorf("Finish of a cancelled run = %t, %v", done, err)
	}
	w.hear(w.status(flights[3], sender.Delivered, time.Now().AddDate(0, 0, 29)))
	w.want(l.run.ID, sender.Delivered, "", people[3])

	// Cancelled while it is planned: the pages that the planner still writes do not wait either.
	run, _, err := w.store.CreateRun(w.ctx, w.draft("cancel planning", "offers"))
	w.must(err)
	w.must(w.store.Enqueue(w.ctx, run.ID, allowed(people[:2])))
	w.must(w.store.MoveRun(w.ctx, run.ID, scheduler.RunCancelled, "a test"))
	w.must(w.store.Enqueue(w.ctx, run.ID, allowed(people[2:])))
	w.must(w.store.Planned(w.ctx, run.ID, scheduler.Plan{}))
	for _, line := range w.lines(run.ID) {
		if line.State != sender.Cancelled || line.Reason != policy.RunCancelled {
			w.Errorf("a row of a run cancelled in planning is %s (%s)", line.State, line.Reason)
		}
	}
	if run, err := w.store.Run(w.ctx, run.ID); err != nil || run.State != scheduler.RunCancelled {
		w.Errorf("the run is %s, %v", run.State, err)
	}
}

// testFinish asks for the end of a run at every step on its way there.
func testFinish(w *world) {
	people := w.people(2)
	run, _, err := w.store.CreateRun(w.ctx, w.draft("finish", "offers"))
	w.must(err)
	open := func(when string) {
		w.Helper()
		if done, _, err := w.store.Finish(w.ctx, run.ID); done || err != nil {
			w.Errorf("%s: Finish = %t, %v", when, done, err)
		}
	}
	open("before the first row")
	w.must(w.store.Enqueue(w.ctx, run.ID, allowed(people)))
	l := &launch{rows: map[policy.PersonID]sender.Row{}}
	w.reload(l, run.ID)
	for _, row := range w.queued(run.ID) {
		l.rows[row.PersonID] = row
	}
	flights := w.pass(l, people) // the first messages leave while later pages are planned
	w.record(taken, flights...)
	open("all rows are sent, and the planner may add more")
	w.must(w.store.Planned(w.ctx, run.ID, scheduler.Plan{}))
	w.must(w.store.Enqueue(w.ctx, run.ID, allowed(people)))

	more := w.people(2)
	w.must(w.store.Enqueue(w.ctx, run.ID, allowed(more)))
	for _, row := range w.queued(run.ID) {
		l.rows[row.PersonID] = row
	}
	open("two are queued")
	last := w.pass(l, more)
	open("two are in flight")
	w.record(notSent, last[0])
	w.record(ambiguous, last[1])
	if done, next, err := w.store.Finish(w.ctx, run.ID); done || err != nil || next.IsZero() {
		w.Errorf("one waits for its time: Finish = %t, %s, %v", done, next, err)
	}
	w.must(w.store.MoveRun(w.ctx, run.ID, scheduler.Paused, ""))
	w.record(taken, w.gate(l, nil)...)
	open("paused")
	w.must(w.store.MoveRun(w.ctx, run.ID, scheduler.Running, ""))
	w.record(taken, w.pass(l, more[:1])...)
	for range 2 {
		if done, _, err := w.store.Finish(w.ctx, run.ID); !done || err != nil {
			w.Errorf("nothing waits: Finish = %t, %v", done, err)
		}
	}
	if run, err := w.store.Run(w.ctx, run.ID); err != nil || run.State != scheduler.Done || run.FinishedAt.IsZero() || run.StartedAt.IsZero() {
		w.Errorf("the run is %s, started %s, finished %s, %v", run.State, run.StartedAt, run.FinishedAt, err)
	}
	// A late outcome of the lost message does not make a row wait in a run that is over, and webhooks still count.
	w.record(notSent, last[1])
	w.want(run.ID, sender.Unknown, "", more[1])
	w.hear(w.status(last[1], sender.Sent, time.Now()))
	w.want(run.ID, sender.Sent, "", more[1])
	if _, _, err := w.store.Finish(w.ctx, "nothing"); err == nil {
		w.Error("a run that is not there finishes")
	}
}

// testHalt holds everything and lets it go again.
func testHalt(w *world) {
	p := w.people(1)
	l := w.launch("halt", "offers", p)
	n, err := w.store.Halt(w.ctx, "something is wrong")
	w.must(err)
	if since, why, err := w.store.Halted(w.ctx); n != 1 || err != nil || since.IsZero() || why != "something is wrong" {
		w.Errorf("Halt = %d; Halted = %s, %q, %v", n, since, why, err)
	}
	began, _, err := w.store.Halted(w.ctx)
	w.must(err)
	_, err = w.store.Halt(w.ctx, "it is the price")
	w.must(err)
	if since, why, err := w.store.Halted(w.ctx); err != nil || !since.Equal(began) || why != "it is the price" {
		w.Errorf("halted again: %s, not %s, %q, %v", since, began, why, err)
	}
	if active, err := w.store.Active(w.ctx, numberID); err != nil || len(active) != 0 {
		w.Errorf("%d runs are active, %v", len(active), err)
	}
	if was, err := w.store.Unhalt(w.ctx); !was || err != nil {
		w.Errorf("Unhalt = %t, %v", was, err)
	}
	if was, err := w.store.Unhalt(w.ctx); was || err != nil {
		w.Errorf("Unhalt again = %t, %v", was, err)
	}
	active, err := w.store.Active(w.ctx, numberID)
	w.must(err)
	if len(active) != 1 || active[0].ID != l.run.ID || !active[0].Planned {
		w.Errorf("active: %+v", active)
	}
	if active, err := w.store.Active(w.ctx, otherNumber); err != nil || len(active) != 0 {
		w.Errorf("another number has %d active runs, %v", len(active), err)
	}
	first := w.launch("urgent", "offers", p, func(r *scheduler.Run) { r.Priority = 5 })
	if active, err := w.store.Active(w.ctx, numberID); err != nil || len(active) != 2 || active[0].ID != first.run.ID {
		w.Errorf("the higher priority is not first: %v", err)
	}
}

// testLeases looks that a number has one holder at a time.
func testLeases(w *world) {
	hold := func(holder string, span time.Duration, held, taken bool) {
		w.Helper()
		h, t, err := w.store.Hold(w.ctx, numberID, holder, span)
		if h != held || t != taken || err != nil {
			w.Errorf("%s: Hold = %t, %t, %v; want %t, %t", holder, h, t, err, held, taken)
		}
	}
	holder := func(want string) {
		w.Helper()
		if got, err := w.store.Holder(w.ctx, numberID); got != want || err != nil {
			w.Errorf("Holder = %q, %v; want %q", got, err, want)
		}
	}
	holder("")
	hold("a", time.Hour, true, true)
	hold("a", time.Hour, true, false)
	hold("b", time.Hour, false, false)
	holder("a")
	w.must(w.store.Release(w.ctx, numberID, "b")) // not theirs
	holder("a")
	w.must(w.store.Release(w.ctx, numberID, "a"))
	holder("")
	hold("b", 30*time.Millisecond, true, true)
	for until := time.Now().Add(10 * time.Second); ; {
		if got, err := w.store.Holder(w.ctx, numberID); err != nil || got == "" || time.Now().After(until) {
			break
		}
	}
	hold("b", time.Millisecond, true, true) // its own ended lease is a takeover too
	for until := time.Now().Add(10 * time.Second); ; {
		if got, err := w.store.Holder(w.ctx, numberID); err != nil || got == "" || time.Now().After(until) {
			break
		}
	}
	// Many want an ended lease: one gets it.
	var winners atomic.Int32
	var working sync.WaitGroup
	for i := range 8 {
		working.Go(func() {
			held, taken, err := w.store.Hold(w.ctx, numberID, fmt.Sprint("w", i), time.Hour)
			if err != nil || held != taken {
				w.Errorf("Hold = %t, %t, %v", held, taken, err)
			}
			if held {
				winners.Add(1)
			}
		})
	}
	working.Wait()
	if winners.Load() != 1 {
		w.Errorf("%d hold one lease", winners.Load())
	}
	if held, taken, err := w.store.Hold(w.ctx, otherNumber, "b", time.Hour); !held || !taken || err != nil {
		w.Errorf("another number: %t, %t, %v", held, taken, err)
	}
}

// testSettle leaves rows in sending and settles those that are old enough, of the number alone.
func testSettle(w *world) {
	people := w.people(3)
	mine := w.launch("mine", "offers", people)
	theirs := w.launch("theirs", "offers", people, func(r *scheduler.Run) { r.NumberID = otherNumber })
	flights := w.pass(mine, people)
	w.record(taken, flights[0])
	w.pass(theirs, people[1:])
	settle := func(number string, age time.Duration, want int) {
		w.Helper()
		if n, err := w.store.Settle(w.ctx, number, age); n != want || err != nil {
			w.Errorf("Settle = %d, %v; want %d", n, err, want)
		}
	}
	settle(numberID, time.Hour, 0)
	w.want(mine.run.ID, sender.Sending, "", people[1:]...)
	w.must(w.store.MoveRun(w.ctx, mine.run.ID, scheduler.Paused, ""))
	settle(numberID, 0, 2)
	settle(numberID, 0, 0)
	w.want(mine.run.ID, sender.Accepted, "", people[0])
	w.want(mine.run.ID, sender.Unknown, "", people[1:]...)
	w.want(theirs.run.ID, sender.Sending, "", people[1:]...)
	// The process was only slow: its outcomes, late, still count.
	w.record(taken, flights[1])
	w.record(late, flights[2])
	w.want(mine.run.ID, sender.Accepted, "", people[1])
	w.want(mine.run.ID, sender.Queued, "", people[2])
}
