package storetest

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// event is something that may happen to a delivery in any state; apply does it to many at once.
type event struct {
	name  string
	apply func(w *world, l *launch, flights []flight)
}

func recorded(result sender.Result) func(*world, *launch, []flight) {
	return func(w *world, _ *launch, flights []flight) { w.record(result, flights...) }
}

func reported(state sender.State, change func(*sender.Status)) func(*world, *launch, []flight) {
	return func(w *world, _ *launch, flights []flight) {
		statuses := make([]sender.Status, len(flights))
		for i, f := range flights {
			statuses[i] = w.status(f, state, time.Now())
			change(&statuses[i])
		}
		w.hear(statuses...)
	}
}

func byCallback(s *sender.Status) { s.WAMID = "" }
func byWAMID(s *sender.Status)    { s.Callback = "" }
func foreign(s *sender.Status) {
	s.WAMID, s.Callback = "", "1:anotherinstance:"+s.Callback[len(s.Callback)-32:]
}

// another makes the flights those of an attempt that the rows never had.
func another(apply func(*world, *launch, []flight)) func(*world, *launch, []flight) {
	return func(w *world, l *launch, flights []flight) {
		others := slices.Clone(flights)
		for i := range others {
			others[i].attempt = w.attempt()
		}
		apply(w, l, others)
	}
}

func events() []event {
	return []event{
		{"gate", func(w *world, l *launch, flights []flight) {
			people := make([]person, len(flights))
			for i, f := range flights {
				people[i] = f.person
			}
			w.gate(l, people)
		}},
		{"taken", recorded(taken)},
		{"held", recorded(takenHeld)},
		{"refused", recorded(refused)},
		{"try again", recorded(tryAgain)},
		{"not sent", recorded(notSent)},
		{"ambiguous", recorded(ambiguous)},
		{"sent", reported(sender.Sent, byCallback)},
		{"delivered", reported(sender.Delivered, byCallback)},
		{"read", reported(sender.Read, byCallback)},
		{"failed", reported(sender.Failed, byCallback)},
		{"sent by wamid", reported(sender.Sent, byWAMID)},
		{"read by wamid", reported(sender.Read, byWAMID)},
		{"stop", func(w *world, _ *launch, flights []flight) {
			acts := make([]policy.Act, len(flights))
			for i, f := range flights {
				acts[i] = stop(f.person, policy.ScopeAll, time.Now())
			}
			w.act(acts...)
		}},
		{"settle", func(w *world, _ *launch, _ []flight) {
			_, err := w.store.Settle(w.ctx, numberID, 0)
			w.must(err)
		}},
		{"planned again", func(w *world, l *launch, flights []flight) {
			people := make([]person, len(flights))
			for i, f := range flights {
				people[i] = f.person
			}
			w.must(w.store.Enqueue(w.ctx, l.run.ID, allowed(people)))
		}},
		{"another's taken", another(recorded(taken))},
		{"another's refusal", another(recorded(refused))},
		{"another's not sent", another(recorded(notSent))},
		{"another's loss", another(recorded(ambiguous))},
		{"another's read", another(reported(sender.Read, byCallback))},
		{"read of another instance", reported(sender.Read, foreign)},
	}
}

// leads are the ways to each state: rows are planned with a decision, then taken there. back is queued again.
var leads = []struct {
	name     string
	state    sender.State
	decision policy.Decision
	steps    []func(*world, *launch, []flight)
}{
	{"queued", sender.Queued, policy.Decision{Verdict: policy.Allow}, nil},
	{"back", sender.Queued, policy.Decision{Verdict: policy.Allow}, []func(*world, *launch, []flight){recorded(notSent)}},
	{"sending", sender.Sending, policy.Decision{Verdict: policy.Allow}, []func(*world, *launch, []flight){}},
	{"unknown", sender.Unknown, policy.Decision{Verdict: policy.Allow}, []func(*world, *launch, []flight){recorded(ambiguous)}},
	{"accepted", sender.Accepted, policy.Decision{Verdict: policy.Allow}, []func(*world, *launch, []flight){recorded(taken)}},
	{"held", sender.Held, policy.Decision{Verdict: policy.Allow}, []func(*world, *launch, []flight){recorded(takenHeld)}},
	{"sent", sender.Sent, policy.Decision{Verdict: policy.Allow}, []func(*world, *launch, []flight){recorded(taken), reported(sender.Sent, byCallback)}},
	{"delivered", sender.Delivered, policy.Decision{Verdict: policy.Allow}, []func(*world, *launch, []flight){recorded(taken), reported(sender.Delivered, byWAMID)}},
	{"read", sender.Read, policy.Decision{Verdict: policy.Allow}, []func(*world, *launch, []flight){recorded(taken), reported(sender.Read, byCallback)}},
	{"failed", sender.Failed, policy.Decision{Verdict: policy.Allow}, []func(*world, *launch, []flight){recorded(taken), reported(sender.Failed, byWAMID)}},
	{"skipped", sender.Skipped, policy.Decision{Verdict: policy.Deny, Reason: policy.NoConsent}, nil},
	{"expired", sender.Expired, policy.Decision{Verdict: policy.Deny, Reason: policy.NotAfter}, nil},
	{"cancelled", sender.Cancelled, policy.Decision{Verdict: policy.Allow}, nil},
}

// moves is the state machine of a delivery as the store must keep it: what is not written here moves nothing.
var moves = map[string]map[string]sender.State{
	"queued": {"gate": sender.Sending, "stop": sender.Skipped},
	"back": {"gate": sender.Sending, "stop": sender.Skipped, "taken": sender.Accepted, "held": sender.Held, "refused": sender.Failed,
		// Given back as surely unwritten, and yet Meta has it: Meta is believed.
		"sent": sender.Sent, "delivered": sender.Delivered, "read": sender.Read, "failed": sender.Failed},
	"sending": {"taken": sender.Accepted, "held": sender.Held, "refused": sender.Failed, "try again": sender.Queued, "not sent": sender.Queued,
		"ambiguous": sender.Unknown, "settle": sender.Unknown,
		"sent": sender.Sent, "delivered": sender.Delivered, "read": sender.Read, "failed": sender.Failed},
	"unknown": {"taken": sender.Accepted, "held": sender.Held, "refused": sender.Failed, "try again": sender.Queued, "not sent": sender.Queued,
		"sent": sender.Sent, "delivered": sender.Delivered, "read": sender.Read, "failed": sender.Failed},
	"accepted": {"refused": sender.Failed, "sent": sender.Sent, "delivered": sender.Delivered, "read": sender.Read, "failed": sender.Failed,
		"sent by wamid": sender.Sent, "read by wamid": sender.Read},
	"held": {"refused": sender.Failed, "sent": sender.Sent, "delivered": sender.Delivered, "read": sender.Read, "failed": sender.Failed,
		"sent by wamid": sender.Sent, "read by wamid": sender.Read},
	"sent": {"refused": sender.Failed, "delivered": sender.Delivered, "read": sender.Read, "failed": sender.Failed, "read by wamid": sender.Read},
	// A delivered or read that comes late beats the failure; sent does not.
	"failed":    {"delivered": sender.Delivered, "read": sender.Read, "read by wamid": sender.Read},
	"delivered": {"read": sender.Read, "read by wamid": sender.Read},
}

// testStates does every event to a row in every state: all rows of the machine, and every transition that it does not have.
func testStates(w *world) {
	all := events()
	people := w.people(len(leads) * len(all))
	at := func(lead, event int) person { return people[lead*len(all)+event] }
	run, _, err := w.store.CreateRun(w.ctx, w.draft("states", "offers"))
	w.must(err)
	dropped, _, err := w.store.CreateRun(w.ctx, w.draft("dropped", "offers"))
	w.must(err)
	launches := make([]*launch, len(leads))
	for k, lead := range leads {
		launches[k] = &launch{run: run}
		if lead.state == sender.Cancelled {
			launches[k].run = dropped
		}
		var rows []scheduler.Row
		for i := range all {
			rows = append(rows, scheduler.Row{PersonID: at(k, i).id, Decision: lead.decision})
		}
		w.must(w.store.Enqueue(w.ctx, launches[k].run.ID, rows))
	}
	for _, id := range []string{run.ID, dropped.ID} {
		w.must(w.store.Planned(w.ctx, id, scheduler.Plan{}))
	}
	known := map[policy.PersonID]sender.Row{}
	for _, row := range append(w.queued(run.ID), w.queued(dropped.ID)...) {
		known[row.PersonID] = row
	}
	w.must(w.store.MoveRun(w.ctx, dropped.ID, scheduler.RunCancelled, "a test"))

	flights := make([][]flight, len(leads))
	for k, lead := range leads {
		w.reload(launches[k], launches[k].run.ID)
		launches[k].rows = known
		var mine []person
		for i := range all {
			mine = append(mine, at(k, i))
			flights[k] = append(flights[k], flight{run: launches[k].run.ID, person: at(k, i), attempt: w.attempt()})
		}
		if lead.steps == nil {
			continue
		}
		flights[k] = w.pass(launches[k], mine)
		for _, step := range lead.steps {
			step(w, launches[k], flights[k])
		}
	}
	check := func(want func(lead, event int) sender.State) {
		w.Helper()
		lines := w.lines(run.ID)
		maps.Copy(lines, w.lines(dropped.ID))
		for k, lead := range leads {
			for i, event := range all {
				if got := lines[at(k, i).id].State; got != want(k, i) {
					w.Errorf("%s, then %s: %s, want %s", lead.name, event.name, got, want(k, i))
				}
			}
		}
	}
	check(func(k, _ int) sender.State { return leads[k].state })
	if w.Failed() {
		return
	}
	// Settle moves whatever is in sending, so it comes after those that must be seen there.
	order := []int{}
	for i, e := range all {
		if e.name != "settle" {
			order = append(order, i)
		}
	}
	for _, i := range order {
		var together []flight // all states of one run at once: each row is judged by itself
		for k := range leads {
			if launches[k].run.ID == run.ID {
				together = append(together, flights[k][i])
				continue
			}
			all[i].apply(w, launches[k], flights[k][i:i+1])
		}
		all[i].apply(w, launches[0], together)
	}
	settled := func(state sender.State) sender.State { return state }
	expect := func(k, i int) sender.State {
		if to, moves := moves[leads[k].name][all[i].name]; moves {
			return settled(to)
		}
		if all[i].name == "settle" {
			return leads[k].state
		}
		return settled(leads[k].state)
	}
	check(func(k, i int) sender.State {
		if all[i].name == "settle" {
			return leads[k].state
		}
		return expect(k, i)
	})
	_, err = w.store.Settle(w.ctx, numberID, 0)
	w.must(err)
	settled = func(state sender.State) sender.State {
		if state == sender.Sending {
			return sender.Unknown
		}
		return state
	}
	check(expect)
	for from, row := range moves {
		state := sender.State(from)
		if from == "back" {
			state = sender.Queued
		}
		for name, to := range row {
			through := state == sender.Queued && sender.Sending.CanBecome(to)
			if !state.CanBecome(to) && !through {
				w.Errorf("%s, then %s: the store goes to %s, which sender.State does not allow", from, name, to)
			}
		}
	}
}

// joined is what a set of reports on one accepted message makes of it.
func joined(heard map[sender.State]bool) sender.State {
	for _, state := range []sender.State{sender.Read, sender.Delivered, sender.Failed, sender.Sent} {
		if heard[state] {
			return state
		}
	}
	return sender.Accepted
}

var reports = []sender.State{sender.Sent, sender.Delivered, sender.Read, sender.Failed}

// testStatusJoin gives many people each a set of reports of their own, in an order of their own, some twice, some
// before the answer to the POST was stored, by callback and by message id.
func testStatusJoin(w *world) {
	seeds := 1000
	if w.store.Database() == "sqlite" {
		seeds = 150 // in pure Go and under the race detector it is some twenty times slower; the law is the same
	}
	people := w.people(seeds)
	flights := w.pass(w.launch("join", "offers", people), people)
	now := time.Now().Truncate(time.Second)
	random := rand.New(rand.NewPCG(20261121, 1))
	heard := make([]map[sender.State]bool, seeds)
	scripts := make([][]sender.State, seeds) // "" is the answer to the POST
	for i := range people {
		heard[i] = map[sender.State]bool{}
		scripts[i] = []sender.State{""}
		for _, state := range reports {
			for range random.IntN(3) {
				heard[i][state] = true
				scripts[i] = append(scripts[i], state)
			}
		}
		random.Shuffle(len(scripts[i]), func(a, b int) { scripts[i][a], scripts[i][b] = scripts[i][b], scripts[i][a] })
	}
	for step, any := 0, true; any; step++ {
		any = false
		var answers []flight
		var statuses []sender.Status
		for i, script := range scripts {
			if step >= len(script) {
				continue
			}
			any = true
			if script[step] == "" {
				answers = append(answers, flights[i])
				continue
			}
			status := w.status(flights[i], script[step], now.Add(time.Duration(slices.Index(reports, script[step]))*time.Second))
			if random.IntN(2) == 0 {
				byWAMID(&status)
			}
			statuses = append(statuses, status)
		}
		w.hear(statuses...)
		w.record(taken, answers...)
	}
	lines := w.lines(flights[0].run)
	for i, p := range people {
		line, want := lines[p.id], joined(heard[i])
		if line.State != want || line.WAMID != flights[i].wamid() {
			w.Fatalf("seed %d, %q: the row is %s, want %s", i, scripts[i], line.State, want)
		}
		for k, at := range []time.Time{line.SentAt.Time, line.DeliveredAt.Time, line.ReadAt.Time, line.FailedAt.Time} {
			wanted := time.Time{}
			if heard[i][reports[k]] {
				wanted = now.Add(time.Duration(k) * time.Second)
			}
			if !at.Equal(wanted) {
				w.Fatalf("seed %d, %q: %s at %v, want %v", i, scripts[i], reports[k], at, wanted)
			}
		}
		if line.AcceptedAt.IsZero() || line.SendingAt.IsZero() {
			w.Fatalf("seed %d: when it was sent and accepted is not known", i)
		}
	}
}

// testStatusRaces tells two receivers the same reports at the same time, each some number of times, while the answers are stored.
func testStatusRaces(w *world) {
	people := w.people(60)
	flights := w.pass(w.launch("races", "offers", people), people)
	heard := make([]map[sender.State]bool, len(people))
	var all []sender.Status
	random := rand.New(rand.NewPCG(20261121, 2))
	for i, f := range flights {
		heard[i] = map[sender.State]bool{}
		for _, state := range reports {
			if random.IntN(2) == 0 {
				continue
			}
			heard[i][state] = true
			for range 1 + random.IntN(5) {
				all = append(all, w.status(f, state, time.Now()))
			}
		}
	}
	var receivers sync.WaitGroup
	for receiver := range 2 {
		mine := slices.Clone(all)
		rand.New(rand.NewPCG(20261121, uint64(3+receiver))).Shuffle(len(mine), func(a, b int) { mine[a], mine[b] = mine[b], mine[a] })
		receivers.Go(func() {
			for body := range slices.Chunk(mine, 40) {
				if _, err := w.store.Store(w.ctx, []sender.Inbox{{Statuses: body}}); err != nil {
					w.Error(err)
				}
			}
		})
	}
	receivers.Go(func() {
		for group := range slices.Chunk(flights, 10) {
			if err := w.store.Record(w.ctx, outcomes(taken, group...)); err != nil {
				w.Error(err)
			}
		}
	})
	receivers.Wait()
	w.must(w.store.ReplayEarly(w.ctx))
	lines := w.lines(flights[0].run)
	for i, p := range people {
		if got, want := lines[p.id].State, joined(heard[i]); got != want {
			w.Errorf("%v: the row is %s, want %s", slices.Collect(maps.Keys(heard[i])), got, want)
		}
	}
}

// testEarlyStatuses hears of messages by their id alone before anybody knows whose they are.
func testEarlyStatuses(w *world) {
	people := w.people(4)
	flights := w.pass(w.launch("early", "offers", people), people)
	early := func(i int, state sender.State) sender.Status {
		s := w.status(flights[i], state, time.Now())
		byWAMID(&s)
		return s
	}
	for range 2 {
		w.hear(early(0, sender.Read), early(0, sender.Sent), early(1, sender.Failed), early(2, sender.Delivered))
	}
	w.want(flights[0].run, sender.Sending, "", people...)
	w.record(taken, flights[0], flights[1])
	w.want(flights[0].run, sender.Read, "", people[0])
	w.want(flights[0].run, sender.Failed, "", people[1])
	if line := w.lines(flights[0].run)[people[1].id]; line.Error == nil || line.Error.Code != 131000 {
		w.Errorf("the early failure's error is %+v", line.Error)
	}

	// The answer's body could not be read: the message id is learned from a status with a callback, and what waited for it follows.
	w.must(w.store.Record(w.ctx, []sender.Outcome{{RunID: flights[2].run, PersonID: people[2].id, AttemptID: flights[2].attempt, Result: sender.Result{Fate: sender.Taken}}}))
	w.want(flights[2].run, sender.Accepted, "", people[2])
	w.hear(w.status(flights[2], sender.Sent, time.Now()))
	for range 2 {
		w.must(w.store.ReplayEarly(w.ctx))
	}
	w.want(flights[2].run, sender.Delivered, "", people[2])

	// A status that is nobody's, and one with neither id, harm nothing.
	w.hear(sender.Status{WAMID: "wamid.unheard", State: sender.Read, At: time.Now()}, sender.Status{State: sender.Read, At: time.Now()},
		sender.Status{Callback: "not ours", State: sender.Read, At: time.Now()})
	w.must(w.store.ReplayEarly(w.ctx))
	w.want(flights[3].run, sender.Sending, "", people[3])
}
