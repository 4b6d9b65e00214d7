package storetest

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// testCapSlots asks, after a first message ended in each way, whether a second may go under a cap of one.
func testCapSlots(w *world) {
	for _, tt := range []struct {
		name   string
		end    func(flight)
		change func(*scheduler.Run)
		counts bool
	}{
		{"in flight", func(flight) {}, capped(1), true},
		{"accepted", func(f flight) { w.record(taken, f) }, capped(1), true},
		{"held", func(f flight) { w.record(takenHeld, f) }, capped(1), true},
		{"read", func(f flight) { w.record(taken, f); w.hear(w.status(f, sender.Read, time.Now())) }, capped(1), true},
		{"unknown", func(f flight) { w.record(ambiguous, f) }, capped(1), true},
		{"refused", func(f flight) { w.record(refused, f) }, capped(1), false},
		{"refused for the moment", func(f flight) { w.record(tryAgain, f) }, capped(1), false},
		{"not sent", func(f flight) { w.record(notSent, f) }, capped(1), false},
		{"failed later", func(f flight) { w.record(taken, f); w.hear(w.status(f, sender.Failed, time.Now())) }, capped(1), false},
		{"unknown, then surely unwritten", func(f flight) { w.record(ambiguous, f); w.record(notSent, f) }, capped(1), false},
		{"a test run", func(f flight) { w.record(taken, f) }, func(r *scheduler.Run) { capped(1)(r); r.Test = true }, false},
		{"of another kind", func(f flight) { w.record(taken, f) }, func(r *scheduler.Run) {
			r.Category, r.Kind, r.Frozen.Campaign.Category = "orders", policy.Utility, "orders"
			r.Frozen.Campaign.Message.Template = "order_update"
		}, false},
	} {
		p := w.people(1)
		first := w.launch("first", "offers", p, tt.change, occurrence(p[0]))
		tt.end(w.pass(first, p)[0])
		second := w.launch("second", "offers", p, capped(1), occurrence(p[0]))
		want := sender.Sending
		if tt.counts {
			want = sender.Skipped
		}
		if answer := w.gate(second, p)[0].answer; answer.State != want {
			w.Errorf("%s: the second message is %s (%s), want %s", tt.name, answer.State, answer.Decision.Reason, want)
		}
	}
}

// testCapRaces has eight workers gate three runs for the same hundreds of people: nobody gets more than one.
func testCapRaces(w *world) {
	const workers = 8
	crowd := 300
	if w.store.Database() == "sqlite" {
		crowd = 120 // its one writer leaves less to chance, and takes longer
	}
	people := w.people(crowd)
	var launches []*launch
	for _, campaign := range []string{"a", "b", "c"} {
		launches = append(launches, w.launch(campaign, "offers", people, capped(1)))
	}
	type job struct {
		launch *launch
		people []person
	}
	random := rand.New(rand.NewPCG(20261121, 5))
	var jobs []job
	for _, l := range launches {
		shuffled := slices.Clone(people)
		random.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
		for chunk := range slices.Chunk(shuffled, 30) {
			jobs = append(jobs, job{l, chunk}, job{l, chunk}) // each batch comes to two workers, as after a takeover
		}
	}
	random.Shuffle(len(jobs), func(a, b int) { jobs[a], jobs[b] = jobs[b], jobs[a] })
	sent := map[policy.PersonID]*atomic.Int32{}
	for _, p := range people {
		sent[p.id] = &atomic.Int32{}
	}
	queue := make(chan job, len(jobs))
	for _, j := range jobs {
		queue <- j
	}
	close(queue)
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for j := range queue {
				flights, err := w.tryGate(j.launch, j.people)
				if err != nil {
					w.Error(err)
				}
				var ends []sender.Outcome
				for i, f := range flights {
					if f.answer.State != sender.Sending {
						continue
					}
					sent[f.person.id].Add(1)
					ends = append(ends, outcomes([]sender.Result{taken, ambiguous}[i%2], f)...)
				}
				if len(ends) == 0 {
					continue
				}
				if err := w.store.Record(w.ctx, ends); err != nil {
					w.Error(err)
				}
			}
		})
	}
	working.Wait()
	over, none := 0, 0
	for _, n := range sent {
		switch {
		case n.Load() > 1:
			over++
		case n.Load() == 0:
			none++
		}
	}
	if over+none > 0 {
		w.Errorf("%d of %d people are over the cap of one, %d got nothing", over, len(people), none)
	}
	for _, l := range launches {
		for _, line := range w.lines(l.run.ID) {
			if line.State == sender.Skipped && line.Reason != policy.FrequencyCap || line.State == sender.Queued || line.State == sender.Sending {
				w.Fatalf("a row is %s (%s)", line.State, line.Reason)
			}
		}
	}
}

// testLost asks, of a run that lost people to others in several ways, to which campaigns.
func testLost(w *world) {
	people := w.people(6)
	sent := func(campaign, category string, end sender.Result, change func(*scheduler.Run), to ...person) {
		w.Helper()
		l := w.launch(campaign, category, to, change)
		w.record(end, w.pass(l, to)...)
	}
	none := func(*scheduler.Run) {}
	sent("weekend", "offers", taken, none, people[:3]...)
	sent("news", "news", ambiguous, none, people[3])
	sent("orders", "orders", taken, none, people[:4]...) // after it, and of another kind
	sent("tests", "offers", taken, func(r *scheduler.Run) { r.Test = true }, people[4])
	l := w.launch("loser", "offers", people[:5], capped(1))
	w.gate(l, people[:5])
	w.want(l.run.ID, sender.Skipped, policy.FrequencyCap, people[:4]...)
	w.want(l.run.ID, sender.Sending, "", people[4])
	lost, err := w.store.LostTo(w.ctx, l.run.ID)
	w.must(err)
	if want := map[string]int{"weekend": 3, "news": 1}; !maps.Equal(lost, want) {
		w.Errorf("lost to %v, want %v", lost, want)
	}
	// Nobody had the slot of a cap of 0, and a plan's booking is told by the message that left after it.
	never := w.launch("never", "offers", people[5:], capped(0))
	w.gate(never, people[5:])
	if lost, err := w.store.LostTo(w.ctx, never.run.ID); err != nil || lost == nil || len(lost) > 0 {
		w.Errorf("lost to a cap of 0: %v, %v", lost, err)
	}
	booked, _, err := w.store.CreateRun(w.ctx, w.draft("booked", "offers", capped(1)))
	w.must(err)
	w.must(w.store.Enqueue(w.ctx, booked.ID, []scheduler.Row{{PersonID: people[5].id, Decision: policy.Decision{Verdict: policy.Deny, Reason: policy.FrequencyCap}}}))
	sent("later", "offers", taken, none, people[5])
	if lost, err := w.store.LostTo(w.ctx, booked.ID); err != nil || lost["later"] != 1 || len(lost) != 1 {
		w.Errorf("lost to what was booked: %v, %v", lost, err)
	}
	if _, err := w.store.LostTo(w.ctx, "nothing"); !errors.Is(err, store.ErrNoRun) {
		w.Errorf("of no run: %v", err)
	}
}
