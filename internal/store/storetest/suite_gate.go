package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

func withRules(change func(*policy.Rules)) func(*scheduler.Run) {
	return func(r *scheduler.Run) { change(&r.Frozen.Rules) }
}

func capped(maximum int) func(*scheduler.Run) {
	return withRules(func(r *policy.Rules) {
		r.Caps = []policy.Cap{{Max: maximum, Per: 24 * time.Hour, Kind: policy.Marketing}}
	})
}

// testGateReadsAgain changes, after the plan and after the rows were read ahead, each fact that the gate must not believe from before.
func testGateReadsAgain(w *world) {
	for _, tt := range []struct {
		name   string
		change func(l *launch, p person)
		state  sender.State
		reason policy.Reason
	}{
		{"nothing", func(*launch, person) {}, sender.Sending, ""},
		{"an operator's suppression", func(_ *launch, p person) {
			_, err := w.store.Suppress(w.ctx, p.phone, policy.ScopeCategory("offers"), "complaint", "operator")
			w.must(err)
		}, sender.Skipped, policy.Suppressed},
		{"an imported suppression", func(_ *launch, p person) {
			_, err := w.store.ImportSuppressions(w.ctx, []scheduler.SuppressionRecord{{Phone: p.phone, Scope: policy.ScopeAll, At: time.Now(), Source: "crm"}})
			w.must(err)
		}, sender.Skipped, policy.Suppressed},
		{"a stop", func(_ *launch, p person) { w.act(stop(p, policy.ScopeKind(policy.Marketing), time.Now())) }, sender.Skipped, policy.Suppressed},
		{"a text that looks like a stop", func(_ *launch, p person) {
			w.act(policy.Act{Kind: policy.ActReview, Identity: policy.Identity{Phone: p.phone}, At: time.Now(), Text: "non-stop?"})
		}, sender.Skipped, policy.OptOutReview},
		{"consent revoked", func(_ *launch, p person) {
			w.must(w.store.AddConsent(w.ctx, p.phone, policy.ConsentEvent{Category: "offers", Action: policy.Revoked, At: time.Now(), Source: "email"}, "operator"))
		}, sender.Skipped, policy.ConsentRevoked},
		{"the cap reached", func(_ *launch, p person) {
			w.record(taken, w.pass(w.launch("other", "offers", []person{p}, capped(1), occurrence(p)), []person{p})...)
		}, sender.Skipped, policy.FrequencyCap},
		{"the run paused", func(l *launch, _ person) { w.must(w.store.MoveRun(w.ctx, l.run.ID, scheduler.Paused, "a test")) }, sender.Queued, ""},
		{"the run cancelled", func(l *launch, _ person) {
			w.must(w.store.MoveRun(w.ctx, l.run.ID, scheduler.RunCancelled, "a test"))
		}, sender.Cancelled, policy.RunCancelled},
		{"everything halted", func(*launch, person) {
			_, err := w.store.Halt(w.ctx, "a test")
			w.must(err)
			w.Cleanup(func() {})
		}, sender.Queued, ""},
	} {
		p := w.people(1)[0]
		l := w.launch("again", "offers", []person{p}, capped(1), occurrence(p))
		tt.change(l, p)
		answer := w.gate(l, []person{p})[0].answer
		w.reload(l, l.run.ID)
		// A gate that finds the run closed need not look where the row stands.
		closed := l.run.State != scheduler.Running && answer.State == sender.Queued && answer.Decision.Verdict == policy.Deny
		if answer.State != tt.state && !closed || answer.State == sender.Sending != (answer.Decision.Verdict == policy.Allow) {
			w.Errorf("%s: the gate answers %+v, want %s", tt.name, answer, tt.state)
		}
		w.want(l.run.ID, tt.state, tt.reason, p)
		_, err := w.store.Unhalt(w.ctx)
		w.must(err)
	}

	// A template that Meta pauses pauses its runs: their people keep waiting.
	p := w.people(1)[0]
	l := w.launch("paused template", "news", []person{p})
	_, err := w.store.Store(w.ctx, []sender.Inbox{{Templates: []templates.Update{{Name: "news", Language: language, Status: "PAUSED"}}}})
	w.must(err)
	if answer := w.gate(l, []person{p})[0].answer; answer.State != sender.Queued {
		w.Errorf("a paused template: the gate answers %+v", answer)
	}
	w.want(l.run.ID, sender.Queued, "", p)
	if run, err := w.store.Run(w.ctx, l.run.ID); err != nil || run.State != scheduler.Paused || run.Why == "" {
		w.Errorf("the run of a paused template is %s (%q), %v", run.State, run.Why, err)
	}
	// It cannot be resumed by force: its people would be skipped.
	if err := w.store.MoveRun(w.ctx, l.run.ID, scheduler.Running, ""); !errors.Is(err, store.ErrState) {
		w.Errorf("resumed with a paused template: %v", err)
	}
	w.gate(l, []person{p})
	w.want(l.run.ID, sender.Queued, "", p)
}

// occurrence gives a campaign's run a slot of its own.
func occurrence(p person) func(*scheduler.Run) {
	return func(r *scheduler.Run) { r.Occurrence = p.id.String() }
}

// testGateNotQueued brings rows to the gate that somebody else has moved: a row in sending belongs to the attempt that took it there.
func testGateNotQueued(w *world) {
	people := w.people(9)
	l := w.launch("not queued", "offers", people[:8])
	l.rows[people[8].id] = l.rows[people[0].id] // has no row in this run
	flights := w.pass(l, people[:6])
	for i, result := range []sender.Result{taken, takenHeld, ambiguous, refused} {
		w.record(result, flights[i+1])
	}
	w.hear(w.status(flights[5], sender.Read, time.Now()))
	w.act(stop(people[6], policy.ScopeAll, time.Now()))
	w.must(w.store.MoveRun(w.ctx, l.run.ID, scheduler.Paused, "a test"))
	for _, paused := range []bool{true, false} {
		if !paused {
			w.must(w.store.MoveRun(w.ctx, l.run.ID, scheduler.Running, ""))
		}
		before := w.lines(l.run.ID)
		for _, p := range slices.Concat(people[:7], people[8:]) {
			// Alone and together: the answer is the same.
			for _, group := range [][]person{{p}, slices.Concat(people[:7], people[8:])} {
				for _, f := range w.gate(l, group) {
					if f.answer.State == sender.Sending {
						w.Fatalf("another attempt's row, %s, may be posted a second time", before[f.person.id].State)
					}
				}
			}
		}
		for id, line := range w.lines(l.run.ID) {
			if id != people[7].id && (line.State != before[id].State || line.Attempts != before[id].Attempts) {
				w.Errorf("the gate moved a row from %s to %s", before[id].State, line.State)
			}
		}
	}
	// An outcome of the attempt that was refused must not touch the row.
	w.record(taken, w.gate(l, people[:1])...)
	w.want(l.run.ID, sender.Sending, "", people[0])
	w.record(taken, flights[0])
	w.want(l.run.ID, sender.Accepted, "", people[0])
}

// testGateSameAttempt asks again with the same attempts, as after a commit whose answer was lost.
func testGateSameAttempt(w *world) {
	people := w.people(3)
	l := w.launch("same", "offers", people, capped(1))
	rows := make([]sender.GateRow, len(people))
	for i, p := range people {
		rows[i] = sender.GateRow{PersonID: p.id, AttemptID: w.attempt(), Language: language, Person: l.rows[p.id].Person}
	}
	for range 3 {
		answers, _, err := w.store.Gate(w.ctx, l.send, rows)
		w.must(err)
		for i, a := range answers {
			if a.State != sender.Sending || a.Decision.Verdict != policy.Allow {
				w.Fatalf("row %d: %+v, want sending", i, a)
			}
		}
	}
	for _, line := range w.lines(l.run.ID) {
		if line.Attempts != 1 {
			w.Errorf("one attempt counts %d", line.Attempts)
		}
	}
	w.record(taken, flight{run: l.run.ID, person: people[0], attempt: rows[0].AttemptID})
	answers, _, err := w.store.Gate(w.ctx, l.send, rows[:1])
	w.must(err)
	if answers[0].State == sender.Sending {
		w.Error("an attempt whose end is stored may be posted again")
	}
}

// testGateLandings looks where refusals and deferrals land.
func testGateLandings(w *world) {
	minute := func(t time.Time) policy.TimeOfDay { return policy.TimeOfDay(t.UTC().Hour()*60 + t.UTC().Minute()) }
	now := time.Now()
	late, soon := now.Add(2*time.Hour), now.Add(4*time.Hour)
	never := withRules(func(r *policy.Rules) { r.Caps = []policy.Cap{{Max: 0, Per: time.Hour}} })
	for _, tt := range []struct {
		name   string
		change func(*scheduler.Run)
		state  sender.State
		reason policy.Reason
		until  time.Time
	}{
		{"offer over", func(r *scheduler.Run) { r.Frozen.Campaign.NotAfter = now.Add(-time.Second) }, sender.Expired, policy.NotAfter, time.Time{}},
		{"no such template", func(r *scheduler.Run) { r.Frozen.Campaign.Message.Template = "nothing" }, sender.Skipped, policy.NoTemplate, time.Time{}},
		{"window later", func(r *scheduler.Run) {
			r.Frozen.Campaign.Zone = "UTC"
			r.Frozen.Campaign.Window = &policy.Window{From: minute(late), To: minute(soon), In: "campaign"}
		}, sender.Queued, policy.OutsideWindow, late.Truncate(time.Minute)},
		{"never", never, sender.Skipped, policy.FrequencyCap, time.Time{}},
	} {
		p := w.people(1)[0]
		l := w.launch("landings", "offers", []person{p}, tt.change, occurrence(p))
		answer := w.gate(l, []person{p})[0].answer
		line := w.lines(l.run.ID)[p.id]
		if answer.State != tt.state || line.State != tt.state || line.Reason != tt.reason || answer.Decision.Reason != tt.reason {
			w.Errorf("%s: the gate answers %+v, the row is %s (%s)", tt.name, answer, line.State, line.Reason)
		}
		if !line.DueAt.Equal(tt.until) {
			w.Errorf("%s: due at %s, want %s", tt.name, line.DueAt, tt.until)
		}
		if tt.until.IsZero() {
			continue
		}
		due, err := w.store.Queued(w.ctx, sender.Page{RunID: l.run.ID, Due: true, Limit: 10})
		w.must(err)
		if n := len(due) + len(w.queued(l.run.ID)); n != 0 {
			w.Errorf("%s: %d rows may leave before their time", tt.name, n)
		}
		next, err := w.store.NextDue(w.ctx, l.run.ID)
		w.must(err)
		if done, at, err := w.store.Finish(w.ctx, l.run.ID); done || err != nil || !at.Equal(tt.until) || !next.Equal(tt.until) {
			w.Errorf("%s: Finish = %t, %s, %v and NextDue = %s", tt.name, done, at, err, next)
		}
	}
	p := w.people(1)[0]
	l := w.launch("parameter", "offers", []person{p})
	answers, _, err := w.store.Gate(w.ctx, l.send, []sender.GateRow{{PersonID: p.id, AttemptID: w.attempt(), Language: language, Person: l.rows[p.id].Person, Missing: "name"}})
	w.must(err)
	if answers[0].State != sender.Skipped {
		w.Errorf("a missing parameter: %+v", answers[0])
	}
	w.want(l.run.ID, sender.Skipped, policy.MissingParameter, p)
}

// testGatePoison puts a row into a batch that the database refuses, at each place: the others pass, it stays queued.
func testGatePoison(w *world) {
	used := w.people(1)
	taken := w.pass(w.launch("before", "offers", used), used)[0].attempt
	for place := range 4 {
		people := w.people(4)
		l := w.launch("poison", "offers", people, occurrence(people[0]))
		rows := make([]sender.GateRow, len(people))
		for i, p := range people {
			rows[i] = sender.GateRow{PersonID: p.id, AttemptID: w.attempt(), Language: language, Person: l.rows[p.id].Person}
		}
		rows[place].AttemptID = taken // attempts are unique in the database
		answers, _, err := w.store.Gate(w.ctx, l.send, rows)
		if err != nil || len(answers) != len(rows) {
			w.Fatalf("poison at %d: %d answers for %d rows, %v", place, len(answers), len(rows), err)
		}
		lines := w.lines(l.run.ID)
		for i, p := range people {
			want := sender.Sending
			if i == place {
				want = sender.Queued
			}
			if answers[i].State != want || lines[p.id].State != want {
				w.Errorf("poison at %d: row %d is answered %s and is %s, want %s", place, i, answers[i].State, lines[p.id].State, want)
			}
			if refused := answers[i].Refused != nil; refused != (i == place) {
				w.Errorf("poison at %d: row %d is refused by its own data: %v", place, i, answers[i].Refused)
			}
		}
		alone, _, err := w.store.Gate(w.ctx, l.send, rows[place:place+1])
		if err != nil || alone[0].Refused == nil {
			w.Errorf("poison at %d, alone: %+v, %v", place, alone, err)
		}
		all := make([]policy.PersonID, len(people))
		for i, p := range people {
			all[i] = p.id
		}
		w.must(w.store.SetAside(w.ctx, l.run.ID, all, "it cannot be sent"))
		for i, p := range people {
			line, want := w.lines(l.run.ID)[p.id], sender.Sending
			if i == place {
				want = sender.Failed
				if line.Error == nil || line.Error.Code != 0 || line.Error.Title != sender.Internal || line.Error.Details != "it cannot be sent" || line.FailedAt.IsZero() {
					w.Errorf("poison at %d: the row that was set aside is %+v, %+v", place, line, line.Error)
				}
			}
			if line.State != want {
				w.Errorf("poison at %d: after it was set aside row %d is %s, want %s", place, i, line.State, want)
			}
		}
	}
	if _, _, err := w.store.Gate(w.ctx, sender.Run{ID: "no such run"}, []sender.GateRow{{PersonID: used[0].id, AttemptID: w.attempt()}}); err != nil {
		w.Errorf("a run that is not there: %v, want no row", err)
	}

	// The same for outcomes: what cannot be stored must not lose the others. A wamid with a zero byte is one on PostgreSQL.
	people := w.people(3)
	flights := w.pass(w.launch("outcomes", "offers", people), people)
	list := outcomes(sender.Result{Fate: sender.Taken}, flights...)
	list[1].Result.WAMID = "wamid.\x00"
	_ = w.store.Record(w.ctx, list)
	w.want(flights[0].run, sender.Accepted, "", people[0], people[2])
}
