package storetest

import (
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// count says how many of the flights were answered so.
func count(flights []flight, state sender.State, reason policy.Reason) (n int) {
	for _, f := range flights {
		if f.answer.State == state && f.answer.Decision.Reason == reason {
			n++
		}
	}
	return n
}

// testLimit has the gate keep to a messaging limit of five.
func testLimit(w *world) {
	w.timed = true
	w.store.NameLimit(new(5))
	people := w.people(14)
	first := w.launch("first", "offers", people[:8])
	flights := w.gate(first, people[:8])
	if sending, waits := count(flights, sender.Sending, ""), count(flights, sender.Queued, policy.MessagingLimit); sending != 5 || waits != 3 {
		w.Fatalf("of 8 people %d leave and %d wait, want 5 and 3", sending, waits)
	}
	for _, f := range flights {
		if until := f.answer.Decision.Until; f.answer.State == sender.Queued && (until.Before(time.Now().Add(24*time.Hour)) || until.After(time.Now().Add(24*time.Hour+2*time.Minute))) {
			w.Errorf("a place is promised at %s, want in 24 hours", until)
		}
	}
	due, err := w.store.NextDue(w.ctx, first.run.ID)
	if err != nil || due.Before(time.Now().Add(24*time.Hour)) {
		w.Errorf("the next is due at %s, %v", due, err)
	}
	w.record(taken, flights[:4]...)

	// Whoever has a place keeps it, in every campaign and in a test; nobody else has one.
	again := w.launch("again", "orders", people[:9])
	if flights := w.gate(again, people[:9]); count(flights, sender.Sending, "") != 5 || count(flights, sender.Queued, policy.MessagingLimit) != 4 {
		w.Errorf("the second message: %+v", flights)
	}
	test := w.launch("test", "offers", people[8:9], func(r *scheduler.Run) { r.Test = true })
	if flights := w.gate(test, people[8:9]); count(flights, sender.Queued, policy.MessagingLimit) != 1 {
		w.Errorf("a test beyond the limit: %+v", flights)
	}
	// Time that runs out before there is a place is time that ran out.
	short := w.launch("short", "offers", people[8:9], func(r *scheduler.Run) { r.Frozen.Campaign.NotAfter = time.Now().Add(time.Hour) })
	if flights := w.gate(short, people[8:9]); count(flights, sender.Expired, policy.NotAfter) != 1 {
		w.Errorf("an offer that ends before: %+v", flights)
	}

	// What Meta told holds where nothing is named, and a test counts.
	w.store.NameLimit(nil)
	w.must(w.store.TellLimit(w.ctx, 7))
	told := w.launch("told", "offers", people[9:], func(r *scheduler.Run) { r.Test = true })
	if flights := w.gate(told, people[9:12]); count(flights, sender.Sending, "") != 2 {
		w.Errorf("under a limit of 7: %+v", flights)
	}
	places, err := w.store.Places(w.ctx)
	if err != nil || places.Limit != 7 || places.Free != 0 || len(places.Frees) == 0 {
		w.Errorf("the places are %+v, %v", places, err)
	}
	_, err = w.store.Store(w.ctx, []sender.Inbox{{Limit: new(sender.AnyNumber)}})
	w.must(err)
	if flights := w.gate(told, people[12:]); count(flights, sender.Sending, "") != 2 {
		w.Errorf("without a limit: %+v", flights)
	}
	w.store.NameLimit(new(0))
	none := w.launch("none", "offers", people[:1], occurrence(people[0]))
	if flights := w.gate(none, people[:1]); count(flights, sender.Skipped, policy.MessagingLimit) != 1 {
		w.Errorf("a limit of nobody: %+v", flights)
	}
}

// testLimitGivenBack has messages that Meta refused leave their places to others.
func testLimitGivenBack(w *world) {
	w.timed = true
	w.store.NameLimit(new(4))
	people := w.people(8)
	l := w.launch("back", "offers", people)
	flights := w.pass(l, people[:4])
	w.record(refused, flights[0])
	w.record(notSent, flights[1])
	w.record(taken, flights[2])
	w.hear(w.status(flights[2], sender.Failed, time.Now())) // it was taken, and whether it counts at Meta nobody can tell
	w.record(ambiguous, flights[3])
	if flights := w.gate(l, people[4:]); count(flights, sender.Sending, "") != 2 {
		w.Errorf("two places came back: %+v", flights)
	}
}

// waved is a run in waves with a guard.
func waved(r *scheduler.Run) {
	r.Frozen.Campaign.Waves = []policy.Share{300_000, 600_000}
	r.Frozen.Campaign.Guard = &policy.Guard{OptOutsPer1000: new(15.0)}
}

// testWaves takes a run through its waves: gate, watch, next.
func testWaves(w *world) {
	w.rules.Lots = w.store.Lots()
	people := w.people(60)
	l := w.launch("waves", "offers", people, waved)
	ask := l.run.Ask()
	byWave := [3][]person{}
	for _, p := range people {
		k := w.store.Lots().Wave(p.id, &ask)
		byWave[k] = append(byWave[k], p)
	}
	for k := range byWave {
		if len(byWave[k]) == 0 {
			w.Fatalf("of 60 people nobody is in wave %d: the draw is not one", k)
		}
	}
	flights := w.gate(l, people)
	if count(flights, sender.Sending, "") != len(byWave[0]) || count(flights, sender.Queued, policy.QualityGuard) != len(people)-len(byWave[0]) {
		w.Fatalf("of %d people, %d of them in the first wave, %d leave", len(people), len(byWave[0]), count(flights, sender.Sending, ""))
	}
	w.want(l.run.ID, sender.Sending, "", byWave[0]...)
	w.advance(l, scheduler.WaveStays) // some are on their way
	for _, f := range flights {
		if f.answer.State == sender.Sending {
			w.record(taken, f)
		}
	}
	w.advance(l, scheduler.WaveEnds)
	w.advance(l, scheduler.WaveStays) // it is watched
	if l.run.WaveOver.IsZero() || l.run.Wave != 0 || l.run.WaveSays(time.Time.String) == "" {
		w.Fatalf("after the first wave the run is at %+v", l.run)
	}
	for _, f := range w.gate(l, byWave[1]) {
		if until := f.answer.Decision.Until; f.answer.State != sender.Queued || !until.Equal(l.run.WaveOver.Add(policy.WaveWatch)) {
			w.Fatalf("while the first wave is watched, the second is %s until %s", f.answer.State, until)
		}
	}
}

// advance looks at the run's waves.
func (w *world) advance(l *launch, want scheduler.WaveStep) {
	w.Helper()
	step, err := w.store.AdvanceWave(w.ctx, l.run.ID)
	w.must(err)
	if step != want {
		w.Fatalf("the wave's step is %d, want %d", step, want)
	}
	w.reload(l, l.run.ID)
}

// heardOf reports how the guard sees a run.
func (w *world) heardOf(run scheduler.Run) policy.Heard {
	w.Helper()
	heard, err := w.store.Heard(w.ctx, run, func(code int) bool { return code == 131042 })
	w.must(err)
	return heard
}

// testGuard counts what a guard judges, stops a run by it, and has it go on by hand.
func testGuard(w *world) {
	people := w.people(12)
	l := w.launch("guard", "offers", people, waved, func(r *scheduler.Run) { r.Frozen.Campaign.Waves = nil })
	flights := w.pass(l, people[:10])
	w.record(taken, flights[:8]...)
	w.record(refused, flights[8])
	w.record(ambiguous, flights[9])
	w.reload(l, l.run.ID)
	w.hear(w.status(flights[0], sender.Delivered, time.Now()), w.status(flights[1], sender.Failed, time.Now()))
	payment := w.status(flights[2], sender.Failed, time.Now())
	payment.Err = &sender.Error{Code: 131042, Title: "Payment", Reaction: sender.FailMessage}
	w.hear(payment)
	w.act(stop(people[3], policy.ScopeAll, time.Now().Add(time.Second)), stop(people[11], policy.ScopeAll, time.Now().Add(time.Second)))
	if got, want := w.heardOf(l.run), (policy.Heard{Taken: 8, OptOuts: 1, Ended: 8, Failed: 2}); got != want {
		w.Errorf("heard %+v, want %+v", got, want)
	}

	run, found, err := w.store.ClaimWatched(w.ctx)
	if err != nil || !found || run.ID != l.run.ID {
		w.Fatalf("the watch is %s, %t, %v", run.ID, found, err)
	}
	if _, again, err := w.store.ClaimWatched(w.ctx); again || err != nil {
		w.Errorf("two watch one run, %v", err)
	}
	w.must(w.store.Watched(w.ctx, run.ID, 0))
	if _, again, err := w.store.ClaimWatched(w.ctx); !again || err != nil {
		w.Errorf("nobody may watch what was given back, %v", err)
	}

	w.must(w.store.OpenBreaker(w.ctx, sender.Stopped("guard", "too many")))
	w.reload(l, l.run.ID)
	if l.run.State != scheduler.Paused || l.run.PausedBy != "campaign guard" {
		w.Errorf("the guard leaves the run %s, by %q", l.run.State, l.run.PausedBy)
	}
	if f := w.gate(l, people[10:11])[0]; f.answer.State == sender.Sending {
		w.Error("a message leaves a run that its guard stopped")
	}
	w.must(w.store.MoveRun(w.ctx, l.run.ID, scheduler.Running, ""))
	w.reload(l, l.run.ID)
	if got := w.heardOf(l.run); got != (policy.Heard{}) {
		w.Errorf("resumed, the guard judges what was before: %+v", got)
	}
	w.record(taken, w.pass(l, people[10:11])...)
	if got, want := w.heardOf(l.run), (policy.Heard{Taken: 1, Ended: 1}); got != want {
		w.Errorf("after it was resumed: heard %+v, want %+v", got, want)
	}

	// Meta's rating stops the runs of its number that have a guard, and no others.
	free := w.launch("free", "offers", w.people(1))
	low := sender.LowQuality(numberID)
	w.must(w.store.OpenBreaker(w.ctx, low))
	w.reload(l, l.run.ID)
	w.reload(free, free.run.ID)
	if l.run.State != scheduler.Paused || free.run.State != scheduler.Running {
		w.Errorf("low quality leaves the guarded run %s, the other %s", l.run.State, free.run.State)
	}
	w.must(w.store.CloseBreaker(w.ctx, low, "a test"))
	if lately, err := w.store.ClosedSince(w.ctx, low, time.Now().Add(-time.Hour)); err != nil || !lately {
		w.Errorf("ClosedSince = %t, %v", lately, err)
	}
}
