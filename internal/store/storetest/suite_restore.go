package storetest

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// stopChanges are the stops that changed after a number, and the number that they go up to.
func (w *world) stopChanges(after int64) ([]policy.StopRecord, int64) {
	w.Helper()
	last, err := w.store.LastStopChange(w.ctx)
	w.must(err)
	var records []policy.StopRecord
	for r, err := range w.store.StopChanges(w.ctx, after, last) {
		w.must(err)
		records = append(records, r)
	}
	return records, last
}

// testStopChanges looks that each way to make, change or lift a stop is found by the number before it, and what changes nothing is not.
func testStopChanges(w *world) {
	p := w.people(3)
	now := time.Now().Truncate(time.Second)
	flights := w.pass(w.launch("131050", "offers", p[2:]), p[2:])
	_, last := w.stopChanges(-1)
	for _, step := range []struct {
		name string
		do   func()
		want int
	}{
		{"a stop word", func() { w.act(stop(p[0], policy.ScopeAll, now)) }, 1},
		{"the same again", func() { w.act(stop(p[0], policy.ScopeAll, now)) }, 0},
		{"a later one", func() { w.act(stop(p[0], policy.ScopeAll, now.Add(time.Second))) }, 1},
		{"START", func() {
			w.act(policy.Act{Kind: policy.ActStart, Identity: policy.Identity{Phone: p[0].phone}, Scope: policy.ScopeAll, At: now.Add(2 * time.Second)})
		}, 1},
		{"an operator", func() {
			_, err := w.store.Suppress(w.ctx, p[1].phone, policy.ScopeAll, "a complaint", "ada")
			w.must(err)
		}, 1},
		{"an operator takes it back", func() {
			_, _, err := w.store.Unsuppress(w.ctx, p[1].phone, "a mistake", "ada")
			w.must(err)
		}, 1},
		{"a file", func() {
			_, err := w.store.ImportSuppressions(w.ctx, []scheduler.SuppressionRecord{{Phone: p[1].phone, At: now, Reason: "complaint", Source: "crm"}, {Phone: p[2].phone, At: now, Source: "crm"}})
			w.must(err)
		}, 2},
		{"131050", func() {
			w.record(sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 131050, Title: "User opted out of marketing", Reaction: sender.Suppress}}, flights...)
		}, 1},
		{"nothing of stops", func() { w.people(2) }, 0},
	} {
		before := w.store.StopsChanged()
		step.do()
		records, through := w.stopChanges(last)
		if len(records) != step.want {
			w.Errorf("%s: %d stops changed, want %d: %+v", step.name, len(records), step.want, records)
		}
		if step.want > 0 && w.store.StopsChanged() == before {
			w.Errorf("%s: the store does not say that stops changed", step.name)
		}
		for _, r := range records {
			if strings.HasPrefix(r.Source, "wamid.") || r.At.IsZero() || r.Hash == [16]byte{} {
				w.Errorf("%s: %+v", step.name, r)
			}
		}
		last = through
	}
	all, _ := w.stopChanges(-1)
	if len(all) != 5 {
		w.Errorf("%d stops from the beginning, want 5", len(all))
	}
}

// testStopChangesRaces reads on from where it stood while others stop people: none is passed over.
func testStopChangesRaces(w *world) {
	const writers, each = 6, 12
	p := w.people(writers * each)
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() {
			for _, one := range p[i*each : (i+1)*each] {
				if _, err := w.store.Store(w.ctx, []sender.Inbox{{Acts: []policy.Act{stop(one, policy.ScopeAll, time.Now())}}}); err != nil {
					w.Error(err)
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { writing.Wait(); close(over) }()
	seen, last := map[[16]byte]bool{}, int64(-1)
	for done := false; !done; {
		select {
		case <-over:
			done = true
		default:
		}
		records, through := w.stopChanges(last)
		for _, r := range records {
			seen[r.Hash] = true
		}
		last = through
	}
	if len(seen) != len(p) {
		w.Errorf("%d of %d stops were seen", len(seen), len(p))
	}
}

// testRestoreStops brings stops back that the database does not have, or has as they were before, in any order and twice.
func testRestoreStops(w *world) {
	now := time.Now().Truncate(time.Second)
	p := w.people(4)
	for i := range p[:3] {
		w.act(stop(p[i], policy.ScopeCategory("news"), now))
	}
	l := w.launch("restored", "offers", p)
	records, last := w.stopChanges(-1)
	closed := map[policy.PersonID]bool{}
	for i, r := range records {
		r.Scope, r.Origin, r.Reason = policy.ScopeAll, policy.OriginOperator, "a complaint"
		if i == 2 {
			r.LiftedAt = now.Add(time.Second)
		}
		records[i] = r
	}
	slices.Reverse(records)
	for round, want := range []int{3, 0} {
		got, err := w.store.RestoreStops(w.ctx, append(slices.Clone(records), records...))
		w.must(err)
		if got != want {
			w.Errorf("round %d: %d stops were restored, want %d", round, got, want)
		}
	}
	for id, line := range w.lines(l.run.ID) {
		if line.State == sender.Skipped && line.Reason == policy.Suppressed {
			closed[id] = true
		}
	}
	if len(closed) != 2 {
		w.Errorf("%d waiting rows were closed, want those of the two stops that hold", len(closed))
	}
	for _, one := range p[:3] {
		i := slices.IndexFunc(w.suppressed(one.phone), func(s policy.Suppression) bool { return s.Origin == policy.OriginOperator })
		if i < 0 {
			w.Fatal("a stop was not restored")
		}
		s := w.suppressed(one.phone)[i]
		if s.Active() != closed[one.id] || !s.At.Equal(now) {
			w.Errorf("the restored stop is %+v, and the waiting row was closed: %t", s, closed[one.id])
		}
	}
	if again, _ := w.stopChanges(last); len(again) != 3 {
		w.Errorf("%d stops changed, want the 3 that were restored", len(again))
	}

	// What the database knows later than the journal stays.
	older := records[0]
	older.At, older.LiftedAt, older.Reason = older.At.Add(-time.Hour), time.Time{}, "an older word"
	if got, err := w.store.RestoreStops(w.ctx, []policy.StopRecord{older}); got != 0 || err != nil {
		w.Errorf("an older record restores %d, %v", got, err)
	}
	w.must(w.store.RaiseStopChanges(w.ctx, last+1000))
	w.must(w.store.RaiseStopChanges(w.ctx, last))
	w.act(stop(p[3], policy.ScopeAll, now))
	if _, through := w.stopChanges(-1); through <= last+1000 {
		w.Errorf("the next change has the number %d, want one above %d", through, last+1000)
	}
}

// testHomes looks who may send from a database, and that a process which met a later state of it is let through no more.
func testHomes(w *world) {
	const here, there = "home-1", "home-2"
	if first, err := w.store.Enrol(w.ctx, here, "place"); !first || err != nil {
		w.Errorf("the first home: %t, %v", first, err)
	}
	for _, home := range []string{here, there} {
		if first, err := w.store.Enrol(w.ctx, home, "elsewhere"); first || err != nil {
			w.Errorf("home %s after that: %t, %v", home, first, err)
		}
	}
	known, err := w.store.Installation(w.ctx, here)
	w.must(err)
	if !known.Known || known.Homes != 1 || known.Seq != 1 || known.Place != "place" || known.Quarantine.Kind != "" {
		w.Errorf("the database knows %+v", known)
	}
	if other, err := w.store.Installation(w.ctx, there); err != nil || other.Known || other.Homes != 1 {
		w.Errorf("of a home that it does not know it says %+v, %v", other, err)
	}
	seq, ok, err := w.store.Advance(w.ctx, here, 1)
	if seq != 2 || !ok || err != nil {
		w.Errorf("Advance = %d, %t, %v", seq, ok, err)
	}
	for _, tt := range []struct {
		home string
		from int64
	}{{here, 3}, {there, 0}} {
		if _, ok, err := w.store.Advance(w.ctx, tt.home, tt.from); ok || err != nil {
			w.Errorf("Advance of %s from %d = %t, %v", tt.home, tt.from, ok, err)
		}
	}

	p := w.people(4)
	l := w.launch("homes", "offers", p)
	for i, tt := range []struct {
		home string
		seq  int64
		may  bool
	}{{here, 3, false}, {there, 0, false}, {here, 2, true}, {here, 1, true}} {
		w.store.Attach(tt.home, tt.seq)
		if got := w.gate(l, p[i:i+1])[0].answer.State; (got == sender.Sending) != tt.may {
			w.Errorf("the gate of %s, which saw %d, answers %q", tt.home, tt.seq, got)
		}
	}
	w.want(l.run.ID, sender.Queued, "", p[:2]...)
}

// testQuarantine isolates the database, and accepts it again in both ways.
func testQuarantine(w *world) {
	p := w.people(4)
	l := w.launch("quarantine", "offers", p)
	flights := w.pass(l, p[:2])
	w.record(taken, flights[0])
	for _, why := range []string{"first", "second"} {
		w.must(w.store.Isolate(w.ctx, store.Behind, why))
	}
	q, err := w.store.Quarantined(w.ctx)
	w.must(err)
	if q.Kind != store.Behind || q.Why != "first" || time.Since(q.Since).Abs() > time.Minute {
		w.Errorf("the quarantine is %+v", q)
	}
	if got := w.gate(l, p[2:3])[0].answer.State; got == sender.Sending {
		w.Error("the gate lets through in quarantine")
	}
	if active, err := w.store.Active(w.ctx, numberID); err != nil || len(active) != 0 {
		w.Errorf("%d runs are active in quarantine, %v", len(active), err)
	}
	w.want(l.run.ID, sender.Queued, "", p[2:]...)
	w.hear(w.status(flights[0], sender.Delivered, time.Now()))
	w.want(l.run.ID, sender.Delivered, "", p[0])

	// Joining takes nothing back that says that the copy is older.
	if seq, err := w.store.Accept(w.ctx, "home", 7, "place", "ada", store.Moved); seq != 8 || err != nil {
		w.Errorf("Accept = %d, %v", seq, err)
	}
	if q, err := w.store.Quarantined(w.ctx); err != nil || q.Kind != store.Behind {
		w.Errorf("after joining the quarantine is %+v, %v", q, err)
	}
	if open, err := w.store.Unfinished(w.ctx); err != nil || open != (store.Unfinished{Runs: 1, Queued: 2, InFlight: 1}) {
		w.Errorf("unfinished: %+v, %v", open, err)
	}
	for _, want := range []store.Unfinished{{Runs: 1, Queued: 2, InFlight: 1}, {}} {
		if ended, err := w.store.EndUnfinished(w.ctx); err != nil || ended != want {
			w.Errorf("ended: %+v, %v, want %+v", ended, err, want)
		}
	}
	w.want(l.run.ID, sender.Cancelled, policy.RunCancelled, p[2:]...)
	w.want(l.run.ID, sender.Unknown, "", p[1])
	if seq, err := w.store.Accept(w.ctx, "home", 3, "place", "ada", store.Behind, store.Moved, store.Orphans); seq != 9 || err != nil {
		w.Errorf("Accept = %d, %v", seq, err)
	}
	if q, err := w.store.Quarantined(w.ctx); err != nil || q.Kind != "" {
		w.Errorf("the quarantine is still %+v, %v", q, err)
	}
	next := w.launch("afterwards", "offers", p)
	w.pass(next, p[3:])
}

// testOrphans hears of messages that carry the installation's mark and that are on no record.
func testOrphans(w *world) {
	p := w.people(3)
	l := w.launch("orphans", "offers", p)
	flights := w.pass(l, p)
	w.record(taken, flights[0])
	w.record(late, flights[1]) // it goes again under another attempt
	again := w.pass(l, p[1:2])[0]
	w.record(taken, again)
	known := func() store.Installation {
		w.Helper()
		known, err := w.store.Installation(w.ctx, "")
		w.must(err)
		return known
	}
	foreign := w.status(flights[0], sender.Sent, time.Now())
	foreign.Callback, foreign.WAMID = "1:ffffffffffff:00000000000000000000000000000001", "wamid.other"
	bare := foreign
	bare.Callback, bare.WAMID = "", "wamid.of-the-inbox"
	w.hear(w.status(flights[0], sender.Sent, time.Now()), w.status(flights[1], sender.Sent, time.Now()), w.status(flights[2], sender.Sent, time.Now()), w.status(again, sender.Sent, time.Now()), foreign, bare)
	if k := known(); k.Orphans != 0 || k.Quarantine.Kind != "" {
		w.Fatalf("reports on what is on record make %d orphans and the quarantine %+v", k.Orphans, k.Quarantine)
	}

	lost := flight{attempt: sender.AttemptID{0, 1, 0x9b, 0, 0, 0, 7}}
	for range 2 {
		w.hear(w.status(lost, sender.Sent, time.Now()), w.status(lost, sender.Delivered, time.Now()))
	}
	if k := known(); k.Orphans != 1 || k.Quarantine.Kind != store.Orphans {
		w.Errorf("a report on what is on no record makes %d orphans and the quarantine %+v", k.Orphans, k.Quarantine)
	}

	// Once the copy was accepted, what was sent before that is expected; what is sent after it is not.
	_, err := w.store.Accept(w.ctx, "home", 0, "", "ada", store.Orphans)
	w.must(err)
	earlier := flight{attempt: sender.AttemptID{0, 1, 0x9b, 0, 0, 0, 8}}
	w.hear(w.status(lost, sender.Read, time.Now()), w.status(earlier, sender.Sent, time.Now()))
	if k := known(); k.Orphans != 2 || k.Quarantine.Kind != "" {
		w.Errorf("a report on what was sent before the restore makes %d orphans and the quarantine %+v", k.Orphans, k.Quarantine)
	}
	w.hear(w.status(flight{attempt: sender.AttemptID{0xff, 0xff, 0, 0, 0, 0, 9}}, sender.Sent, time.Now()))
	if k := known(); k.Quarantine.Kind != store.Orphans {
		w.Errorf("a report on what another sent since makes the quarantine %+v", k.Quarantine)
	}
}
