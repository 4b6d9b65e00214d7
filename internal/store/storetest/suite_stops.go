package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// testStopRaces has senders gate and record, over and over, while stops come in. Once a stop is stored and nothing of the
// person's is in flight, which is when the webhook is answered, no gate may answer sending for them.
func testStopRaces(w *world) {
	const gaters, stoppers = 3, 2
	people := w.people(36)
	l := w.launch("races", "offers", people)
	acknowledged, open := map[policy.PersonID]*atomic.Bool{}, atomic.Int64{}
	for _, p := range people {
		acknowledged[p.id] = &atomic.Bool{}
	}
	open.Store(int64(len(people)))
	var working sync.WaitGroup
	var begun atomic.Int64
	for worker := range gaters {
		random := rand.New(rand.NewPCG(20261121, uint64(worker)))
		working.Go(func() {
			for open.Load() > 0 && w.ctx.Err() == nil {
				some := slices.Clone(people)
				random.Shuffle(len(some), func(a, b int) { some[a], some[b] = some[b], some[a] })
				flights, err := w.tryGate(l, some[:1+random.IntN(8)])
				if err != nil {
					w.Error(err)
					return
				}
				var ends []sender.Outcome
				for _, f := range flights {
					if f.answer.State != sender.Sending {
						continue
					}
					begun.Add(1)
					if acknowledged[f.person.id].Load() {
						w.Error("a message begins after its person's stop was acknowledged")
					}
					ends = append(ends, outcomes(late, f)...) // back into the queue: the next gate may try again
				}
				if len(ends) == 0 {
					continue
				}
				if err := w.store.Record(w.ctx, ends); err != nil {
					w.Error(err)
					return
				}
			}
		})
	}
	for stopper := range stoppers {
		mine := people[stopper*len(people)/stoppers : (stopper+1)*len(people)/stoppers]
		working.Go(func() {
			for _, p := range mine {
				stopped, err := w.store.Store(w.ctx, []sender.Inbox{{Acts: []policy.Act{stop(p, policy.ScopeAll, time.Now())}}})
				if err != nil || !slices.Contains(stopped, p.id) {
					w.Errorf("the stop of a person: %v stopped, %v", stopped, err)
				}
				for {
					flying, err := w.store.InFlight(w.ctx, stopped)
					if err != nil {
						w.Error(err)
					}
					if !flying || err != nil {
						break
					}
				}
				acknowledged[p.id].Store(true)
				open.Add(-1)
			}
		})
	}
	working.Wait()
	if begun.Load() == 0 {
		w.Error("nothing was ever sent: the test shows nothing")
	}
	w.gate(l, people)
	w.want(l.run.ID, sender.Skipped, policy.Suppressed, people...)
}

// testStopJoin does the same acts in different orders, some twice, to three people: they end alike, and as the latest word says.
func testStopJoin(w *world) {
	const seeds, orders = 12, 3
	now := time.Now().Truncate(time.Second)
	random := rand.New(rand.NewPCG(20261121, 7))
	scopes := []policy.Scope{policy.ScopeAll, policy.ScopeKind(policy.Marketing), policy.ScopeCategory("offers")}
	people := w.people(seeds * orders)
	acts := make([][]policy.Act, seeds)
	for seed := range acts {
		for range 2 + random.IntN(5) {
			act := policy.Act{At: now.Add(time.Duration(random.IntN(6)-10) * time.Second), Scope: scopes[random.IntN(len(scopes))], MessageID: "wamid.act"}
			switch random.IntN(5) {
			case 0, 1:
				act.Kind, act.Origin = policy.ActStop, []policy.Origin{policy.OriginKeyword, policy.OriginButton, policy.OriginPage}[random.IntN(3)]
			case 2:
				act.Kind, act.Origin, act.Scope = policy.ActStop, policy.OriginMetaStop, policy.ScopeKind(policy.Marketing)
			case 3:
				act.Kind, act.Origin = policy.ActStart, policy.OriginKeyword
			case 4:
				act.Kind, act.Origin, act.Scope = policy.ActResume, policy.OriginMetaStop, policy.ScopeKind(policy.Marketing)
			}
			acts[seed] = append(acts[seed], act)
		}
	}
	for i, p := range people {
		script := slices.Clone(acts[i/orders])
		if i%orders > 0 {
			random.Shuffle(len(script), func(a, b int) { script[a], script[b] = script[b], script[a] })
			script = append(script, script[random.IntN(len(script))])
		}
		for k := range script {
			script[k].Identity.Phone = p.phone
		}
		for len(script) > 0 { // one webhook with all of them, or several
			n := 1 + random.IntN(len(script))
			w.act(script[:n]...)
			script = script[n:]
		}
	}
	for seed := range acts {
		want := verdict(acts[seed])
		for order := range orders {
			stops := w.suppressed(people[seed*orders+order].phone)
			got := map[string]bool{}
			for _, s := range stops {
				got[fmt.Sprint(s.Scope, " ", s.Origin, " ", s.At.Unix())] = s.Active()
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				w.Errorf("seed %d, order %d: the stops are %v, want %v, after %+v", seed, order, got, want, acts[seed])
			}
		}
	}
}

// verdict is what a set of acts means, whatever their order: each stop with its latest time, and whether it holds.
func verdict(acts []policy.Act) map[string]bool {
	type key struct {
		scope  policy.Scope
		origin policy.Origin
	}
	stops := map[key]time.Time{}
	for _, a := range acts {
		if k := (key{a.Scope, a.Origin}); a.Kind == policy.ActStop && a.At.After(stops[k]) {
			stops[k] = a.At
		}
	}
	holds := map[string]bool{}
	for k, at := range stops {
		lifted := slices.ContainsFunc(acts, func(a policy.Act) bool {
			may := a.Kind == policy.ActStart && k.origin.LiftedByPerson() || a.Kind == policy.ActResume && k.origin.LiftedByMeta()
			return may && a.At.After(at) && (a.Scope == policy.ScopeAll || a.Scope == k.scope)
		})
		holds[fmt.Sprint(k.scope, " ", k.origin, " ", at.Unix())] = !lifted
	}
	return holds
}

// testScopes looks which waiting rows each scope closes.
func testScopes(w *world) {
	for _, tt := range []struct {
		scope  policy.Scope
		closes []string
	}{
		{policy.ScopeAll, []string{"offers", "news", "orders"}},
		{policy.ScopeKind(policy.Marketing), []string{"offers", "news"}},
		{policy.ScopeKind(policy.Utility), []string{"orders"}},
		{policy.ScopeCategory("offers"), []string{"offers"}},
		{"a scope of a later version", []string{"offers", "news", "orders"}},
	} {
		p := w.people(2) // the second is somebody else
		launches := map[string]*launch{}
		for _, category := range []string{"offers", "news", "orders"} {
			launches[category] = w.launch("scope "+category, category, p, occurrence(p[0]))
		}
		done := w.launch("scope done", "offers", p, occurrence(p[0]))
		w.record(taken, w.pass(done, p[:1])...)
		w.act(stop(p[0], tt.scope, time.Now()))
		for category, l := range launches {
			state, reason := sender.Queued, policy.Reason("")
			if slices.Contains(tt.closes, category) {
				state, reason = sender.Skipped, policy.Suppressed
			}
			w.want(l.run.ID, state, reason, p[0])
			w.want(l.run.ID, sender.Queued, "", p[1])
			if got := w.gate(l, p[:1])[0].answer.State; got == sender.Sending == (state == sender.Skipped) {
				w.Errorf("scope %s: the gate of %s answers %s", tt.scope, category, got)
			}
		}
		w.want(done.run.ID, sender.Accepted, "", p[0])
	}
}

// testStopByUserID stops somebody who wrote with a user id alone, as an answer to our message.
func testStopByUserID(w *world) {
	p := w.people(2)
	first := w.launch("first", "offers", p)
	flights := w.pass(first, p)
	w.record(taken, flights...)
	second := w.launch("second", "offers", p)
	act := policy.Act{Kind: policy.ActStop, Identity: policy.Identity{UserID: "IT.1349120"}, Scope: policy.ScopeAll, Origin: policy.OriginButton, At: time.Now().Add(-time.Minute),
		MessageID: "wamid.tap", ContextWAMID: flights[0].wamid()}
	if stopped := w.act(act); !slices.Contains(stopped, p[0].id) {
		w.Errorf("stopped %v, want the person who got the message", stopped)
	}
	w.want(second.run.ID, sender.Skipped, policy.Suppressed, p[0])
	w.want(second.run.ID, sender.Queued, "", p[1])
	if stops := w.suppressed(p[0].phone); len(stops) == 0 || !stops[0].Active() {
		w.Errorf("the stops seen by the phone are %+v", stops)
	}

	// The user id is theirs from now on: what comes under it alone is their word.
	w.act(policy.Act{Kind: policy.ActStart, Identity: policy.Identity{UserID: "IT.1349120"}, Scope: policy.ScopeAll, At: time.Now()})
	for _, s := range w.suppressed(p[0].phone) {
		if s.Active() {
			w.Errorf("after START by user id the stop holds: %+v", s)
		}
	}
	if stopped := w.act(policy.Act{Kind: policy.ActStop, Identity: policy.Identity{UserID: "IT.1349120"}, Scope: policy.ScopeAll, Origin: policy.OriginKeyword, At: time.Now()}); !slices.Contains(stopped, p[0].id) {
		w.Errorf("stopped %v, want the person whose user id it is", stopped)
	}

	// Somebody unknown can stop, too, and stays somebody else.
	if stopped := w.act(policy.Act{Kind: policy.ActStop, Identity: policy.Identity{UserID: "IT.999"}, Scope: policy.ScopeAll, Origin: policy.OriginKeyword, At: time.Now()}); len(stopped) != 1 || slices.Contains([]policy.PersonID{p[0].id, p[1].id}, stopped[0]) {
		w.Errorf("a stop of somebody unknown stopped %v", stopped)
	}
	// A stop that names two people stops both; neither loses an identifier to the other.
	q := w.people(1)[0]
	stopped := w.act(policy.Act{Kind: policy.ActStop, Identity: policy.Identity{Phone: q.phone, UserID: "IT.1349120"}, Scope: policy.ScopeAll, Origin: policy.OriginKeyword, At: time.Now()})
	if len(stopped) != 2 || !slices.Contains(stopped, q.id) || !slices.Contains(stopped, p[0].id) || w.find(q.phone) != q.id {
		w.Errorf("stopped %v, want both", stopped)
	}
}

// testStopBeforeItsMessage hears a stop that names its person by the quoted message alone before that message's id is known:
// the answer was a moment away, or lost. Once it is known, the stop is the person's.
func testStopBeforeItsMessage(w *world) {
	p := w.people(4)
	flights := w.pass(w.launch("first", "offers", p), p)
	second := w.launch("second", "offers", p)
	tap := func(i int, kind policy.ActKind) policy.Act {
		return policy.Act{Kind: kind, Identity: policy.Identity{UserID: fmt.Sprintf("IT.77%d", i)}, Scope: policy.ScopeKind(policy.Marketing), Origin: policy.OriginButton,
			At: time.Now().Add(time.Second), MessageID: fmt.Sprintf("wamid.tap%d", i), ContextWAMID: flights[i].wamid()}
	}
	for range 2 {
		w.act(tap(0, policy.ActStop))
		w.act(tap(1, policy.ActStop))
		w.act(tap(2, policy.ActReview))
	}
	w.hear(sender.Status{WAMID: flights[0].wamid(), State: sender.Delivered, At: time.Now()}) // both wait for one message
	w.want(second.run.ID, sender.Queued, "", p...)

	w.record(taken, flights[0], flights[2], flights[3])
	w.want(flights[0].run, sender.Delivered, "", p[0])
	w.want(second.run.ID, sender.Skipped, policy.Suppressed, p[0])
	w.record(ambiguous, flights[1])
	w.want(second.run.ID, sender.Queued, "", p[1])
	w.hear(w.status(flights[1], sender.Sent, time.Now()))
	for range 2 {
		w.must(w.store.ReplayEarly(w.ctx))
	}
	w.want(second.run.ID, sender.Skipped, policy.Suppressed, p[1])
	for _, stopped := range p[:2] {
		if stops := w.suppressed(stopped.phone); len(stops) != 1 || !stops[0].Active() || stops[0].Scope != policy.ScopeKind(policy.Marketing) {
			w.Errorf("the stops seen by the phone are %+v", stops)
		}
	}
	w.gate(second, p[2:])
	w.want(second.run.ID, sender.Skipped, policy.OptOutReview, p[2])
	w.want(second.run.ID, sender.Sending, "", p[3])
}

// testVariants imports a person under one form of their number and stops them from another.
func testVariants(w *world) {
	for _, forms := range [][]phone.Number{
		{"+5511981234567", "+551181234567"},
		{"+525512345678", "+5215512345678"},
		{"+5491123456789", "+541123456789", "+54111523456789"},
	} {
		for i, imported := range forms {
			// Each country's person is imported once; other forms are other spellings of the same.
			p := w.contacts(imported)[0]
			l := w.launch("variants", "offers", []person{p}, func(r *scheduler.Run) { r.Occurrence = string(imported) })
			if i > 0 {
				w.gate(l, []person{p})
				w.want(l.run.ID, sender.Skipped, policy.Suppressed, p)
				continue
			}
			other := forms[len(forms)-1]
			if stopped := w.act(stop(person{phone: other}, policy.ScopeAll, time.Now())); !slices.Equal(stopped, []policy.PersonID{p.id}) {
				w.Errorf("%d persons stopped from another form of the number, want the one", len(stopped))
			}
			w.want(l.run.ID, sender.Skipped, policy.Suppressed, p)
		}
	}
}

// testMetaStop hears 131050: the person told Meta to stop marketing.
func testMetaStop(w *world) {
	p := w.people(2)
	failure := &sender.Error{Code: 131050, Title: "User opted out of marketing", Reaction: sender.Suppress}
	for i, tell := range []func(flight) []policy.PersonID{
		func(f flight) []policy.PersonID {
			w.record(taken, f)
			status := w.status(f, sender.Failed, time.Now())
			status.Err = failure
			return w.hear(status)
		},
		func(f flight) []policy.PersonID {
			w.record(sender.Result{Fate: sender.Refused, Err: failure}, f)
			return []policy.PersonID{f.person.id}
		},
	} {
		first := w.launch("first", "offers", p[i:i+1], occurrence(p[i]))
		offers, orders := w.launch("offers", "offers", p[i:i+1], occurrence(p[i])), w.launch("orders", "orders", p[i:i+1], occurrence(p[i]))
		f := w.pass(first, p[i:i+1])[0]
		for range 2 {
			if stopped := tell(f); !slices.Contains(stopped, p[i].id) {
				w.Errorf("131050, way %d: stopped %v", i, stopped)
			}
		}
		w.want(first.run.ID, sender.Failed, "", p[i])
		w.want(offers.run.ID, sender.Skipped, policy.Suppressed, p[i])
		w.want(orders.run.ID, sender.Queued, "", p[i])
		stops := w.suppressed(p[i].phone)
		if len(stops) != 1 || stops[0].Scope != policy.ScopeKind(policy.Marketing) || stops[0].Origin != policy.OriginMeta1050 || !stops[0].Active() {
			w.Fatalf("131050, way %d: the stops are %+v", i, stops)
		}
		w.act(policy.Act{Kind: policy.ActStart, Identity: policy.Identity{Phone: p[i].phone}, Scope: policy.ScopeAll, At: time.Now().Add(time.Minute)})
		if stops := w.suppressed(p[i].phone); !stops[0].Active() {
			w.Errorf("131050, way %d: a START to us lifts what the person told Meta", i)
		}
		w.act(policy.Act{Kind: policy.ActResume, Identity: policy.Identity{Phone: p[i].phone}, Scope: policy.ScopeKind(policy.Marketing), Origin: policy.OriginMetaStop, At: time.Now().Add(time.Minute)})
		if stops := w.suppressed(p[i].phone); stops[0].Active() {
			w.Errorf("131050, way %d: Meta's resume lifts nothing", i)
		}
	}
}

// testConsequences counts failures that say something of the person, each message once however often it is told.
func testConsequences(w *world) {
	p := w.people(1)[0]
	undeliverable := &sender.Error{Code: 131026, Title: "Message undeliverable", Reaction: sender.Undeliverable}
	facts := func() policy.Person {
		subject, _, err := w.store.Subject(w.ctx, p.phone, scheduler.Want{SendsSince: time.Now()})
		w.must(err)
		return subject.Person
	}
	for n := 1; n <= 3; n++ {
		if facts().Unreachable {
			w.Errorf("unreachable after %d messages", n-1)
		}
		f := w.pass(w.launch(fmt.Sprint("campaign ", n), "offers", []person{p}), []person{p})[0]
		w.record(taken, f)
		status := w.status(f, sender.Failed, time.Now())
		status.Err = undeliverable
		var receivers sync.WaitGroup
		for range 4 {
			receivers.Go(func() {
				if _, err := w.store.Store(w.ctx, []sender.Inbox{{Statuses: []sender.Status{status, status}}}); err != nil {
					w.Error(err)
				}
			})
		}
		receivers.Wait()
	}
	if !facts().Unreachable {
		w.Error("three undeliverable messages do not make a person unreachable")
	}
	l := w.launch("after", "offers", []person{p})
	w.gate(l, []person{p})
	w.want(l.run.ID, sender.Skipped, policy.Unreachable, p)

	p = w.people(1)[0]
	f := w.pass(w.launch("cool", "offers", []person{p}), []person{p})[0]
	before := time.Now()
	w.record(sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 131049, Title: "Not delivered to maintain a healthy ecosystem", Reaction: sender.Cooldown}}, f)
	if until := facts().CooldownUntil; cmp.Compare(until.Sub(before).Hours(), 23.9) < 0 || until.Sub(before) > 25*time.Hour {
		w.Errorf("after 131049 the person is left alone until %s", until)
	}
	l = w.launch("after cool", "offers", []person{p})
	w.gate(l, []person{p})
	w.want(l.run.ID, sender.Skipped, policy.MetaCooldown, p)
}

// testMetaStopRaces tells of 131050 beside other news, while another receiver moves the rows that the other news are about:
// whatever has to be read and written again, the person's stop is not forgotten.
func testMetaStopRaces(w *world) {
	const pairs = 48
	people := w.people(2 * pairs)
	flights := w.pass(w.launch("races", "offers", people), people)
	w.record(taken, flights...)
	var mixed, other []sender.Status
	for i := range pairs {
		status := w.status(flights[i], sender.Failed, time.Now())
		status.Err = &sender.Error{Code: 131050, Title: "User opted out of marketing", Reaction: sender.Suppress}
		mixed = append(mixed, status, w.status(flights[pairs+i], sender.Sent, time.Now()))
		other = append(other, w.status(flights[pairs+i], sender.Delivered, time.Now()))
	}
	var receivers sync.WaitGroup
	tell := func(statuses []sender.Status, each int) {
		for body := range slices.Chunk(statuses, each) {
			if _, err := w.store.Store(w.ctx, []sender.Inbox{{Statuses: body}}); err != nil {
				w.Error(err)
			}
		}
	}
	receivers.Go(func() { tell(mixed, 8) })
	receivers.Go(func() { tell(other, 4) })
	receivers.Wait()
	for _, p := range people[:pairs] {
		if stops := w.suppressed(p.phone); len(stops) != 1 || !stops[0].Active() || stops[0].Origin != policy.OriginMeta1050 {
			w.Fatalf("after 131050 the person's stops are %+v", stops)
		}
	}
	w.want(flights[0].run, sender.Delivered, "", people[pairs:]...)
}
