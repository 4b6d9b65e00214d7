package storetest

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// testUnproven lets answers be lost among messages that were heard of, soon, late and hardly, on two numbers: silence proves
// something only where the others were heard of for long enough, and Meta's word comes before it at any time.
func testUnproven(w *world) {
	people := w.people(61)
	elsewhere := w.launch("elsewhere", "orders", people[:21], func(r *scheduler.Run) { r.NumberID = otherNumber })
	l := w.launch("lost", "orders", people)
	flights, deaf := w.pass(l, people), w.pass(elsewhere, people[:21])
	w.record(taken, flights[:59]...)
	w.record(ambiguous, flights[59])
	// The other was left in sending by a process that died.
	settled, err := w.store.Settle(w.ctx, numberID, 0)
	w.must(err)
	if settled != 1 {
		w.Fatalf("%d were settled, want 1", settled)
	}
	w.record(taken, deaf[:20]...)
	w.record(ambiguous, deaf[20])

	mark := func(heardFor time.Duration, want int) {
		w.Helper()
		if n, err := w.store.MarkUnproven(w.ctx, heardFor); err != nil || n != want {
			w.Fatalf("MarkUnproven = %d, %v; want %d", n, err, want)
		}
	}
	now := time.Now()
	heardLongAgo := now.Add(-48 * time.Hour) // Meta's word on when; ours begins when it came
	mark(0, 0)
	for _, f := range flights[:58] {
		w.hear(w.status(f, sender.Delivered, heardLongAgo))
	}
	mark(0, 0) // of one of 59 nothing was heard: too many for one in a thousand
	w.hear(w.status(flights[58], sender.Failed, heardLongAgo))
	mark(time.Hour, 0) // not long enough
	mark(0, 2)
	mark(0, 0)
	w.wantReason(l, report.Unproven, flights[59], flights[60])
	w.wantReason(elsewhere, "", deaf[20]) // of that number nothing was ever heard

	summary, err := w.store.Summary(w.ctx, l.run.ID)
	w.must(err)
	if summary.States[sender.Unknown] != 2 || summary.Reasons[report.Unproven] != 2 || summary.States[sender.Failed] != 1 {
		w.Errorf("counted %v, %v", summary.States, summary.Reasons)
	}
	// They count in the caps until Meta says otherwise, and its word comes at any time.
	w.hear(w.status(flights[59], sender.Read, now))
	w.record(notSent, flights[60])
	lines := w.lines(l.run.ID)
	if line := lines[flights[59].person.id]; line.State != sender.Read || line.Reason != "" {
		w.Errorf("heard of after all, it is %s (%s)", line.State, line.Reason)
	}
	if line := lines[flights[60].person.id]; line.State != sender.Queued || line.Reason != "" {
		w.Errorf("surely unwritten after all, it is %s (%s)", line.State, line.Reason)
	}
}

// wantReason expects the flights' rows to be unknown for a reason.
func (w *world) wantReason(l *launch, reason policy.Reason, flights ...flight) {
	w.Helper()
	lines := w.lines(l.run.ID)
	for _, f := range flights {
		if line := lines[f.person.id]; line.State != sender.Unknown || line.Reason != reason {
			w.Errorf("it is %s (%q), want unknown (%q)", line.State, line.Reason, reason)
		}
	}
}

// testResend sends unproven messages again: to those people, once, through the gate, however many ask for it at once.
func testResend(w *world) {
	w.rules.Caps = []policy.Cap{{Max: 2, Per: 24 * time.Hour, Category: "orders"}}
	people := w.people(25)
	l := w.launch("lost", "orders", people)
	flights := w.pass(l, people)
	w.record(taken, flights[:22]...)
	w.record(ambiguous, flights[22:]...)
	for _, f := range flights[:22] {
		w.hear(w.status(f, sender.Delivered, time.Now()))
	}
	again := func() (scheduler.Run, error) {
		return w.store.CreateResend(w.ctx, w.draft("lost", "orders", func(r *scheduler.Run) { r.Resends = l.run.ID }))
	}
	if _, err := again(); !errors.Is(err, store.ErrState) {
		w.Fatalf("unknown messages that nothing proves are sent again: %v", err)
	}
	marked, err := w.store.MarkUnproven(w.ctx, 0)
	w.must(err)
	if marked != 3 {
		w.Fatalf("%d are unproven, want 3", marked)
	}

	var asking sync.WaitGroup
	var made atomic.Pointer[scheduler.Run]
	for range 4 {
		asking.Go(func() {
			switch run, err := again(); {
			case err == nil && !made.CompareAndSwap(nil, &run):
				w.Error("two runs send the same messages again")
			case err != nil && !errors.Is(err, store.ErrState):
				w.Error(err)
			}
		})
	}
	asking.Wait()
	run := made.Load()
	if run == nil {
		w.Fatal("nobody could send them again")
	}
	second := &launch{rows: map[policy.PersonID]sender.Row{}}
	w.reload(second, run.ID)
	if second.run.Resends != l.run.ID || second.run.State != scheduler.Running || second.run.PlannedAt.IsZero() || !second.run.Manual || second.run.Plan.Matched != 3 {
		w.Errorf("the run is %+v", second.run)
	}
	var got []policy.PersonID
	for _, row := range w.queued(run.ID) {
		got, second.rows[row.PersonID] = append(got, row.PersonID), row
	}
	want := []policy.PersonID{people[22].id, people[23].id, people[24].id}
	slices.SortFunc(want, func(a, b policy.PersonID) int { return slices.Compare(a[:], b[:]) })
	if !slices.Equal(got, want) {
		w.Errorf("%d people stand in it, want the 3 unproven ones", len(got))
	}
	w.record(taken, w.pass(second, people[22:])...)
	if people, err := w.store.Unproven(w.ctx, l.run.ID); err != nil || len(people) != 0 {
		w.Errorf("%d are to be sent again, %v; want none", len(people), err)
	}
	w.wantReason(l, report.Unproven, flights[22:]...)

	// Both messages count: a cap of two has no room left for them.
	third := w.launch("third", "orders", people[21:])
	for i, f := range w.gate(third, people[21:]) {
		if allowed := f.answer.State == sender.Sending; allowed != (i == 0) {
			w.Errorf("person %d of the third run: %s (%s)", i, f.answer.State, f.answer.Decision.Reason)
		}
	}
}
