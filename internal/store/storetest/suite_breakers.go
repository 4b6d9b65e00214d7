package storetest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

// fleet is a run of each sort that a breaker may, or may not, stop, with somebody in it.
func (w *world) fleet() map[string]*launch {
	w.Helper()
	p := w.people(1)
	elsewhere := func(r *scheduler.Run) { r.NumberID = otherNumber }
	return map[string]*launch{
		"this": w.launch("a", "offers", p, occurrence(p[0])), "same template": w.launch("b", "offers", p, occurrence(p[0])),
		"other template": w.launch("c", "news", p, occurrence(p[0])), "other number": w.launch("d", "offers", p, occurrence(p[0]), elsewhere),
		"utility": w.launch("e", "orders", p, occurrence(p[0])),
	}
}

func refusal(code int, reaction sender.Reaction) *sender.Error {
	return &sender.Error{Code: code, Title: "No", Reaction: reaction}
}

// trip opens the breaker that a refusal of the launch's message opens.
func (w *world) trip(l *launch, code int, reaction sender.Reaction) sender.Breaker {
	w.Helper()
	b, ok := sender.Tripped(l.send, refusal(code, reaction))
	if !ok {
		w.Fatalf("%d (%s) opens nothing", code, reaction)
	}
	w.must(w.store.OpenBreaker(w.ctx, b))
	return b
}

// stands checks in which state the run is, and which breaker paused it.
func (w *world) stands(what string, l *launch, state scheduler.RunState, by string) {
	w.Helper()
	run, err := w.store.Run(w.ctx, l.run.ID)
	w.must(err)
	if run.State != state || run.PausedBy != by || (state == scheduler.Paused) != (run.Why != "") {
		w.Errorf("%s: it is %s by %q (%s), want %s by %q", what, run.State, run.PausedBy, run.Why, state, by)
	}
}

func (w *world) cancelAll(launches map[string]*launch) {
	for _, l := range launches {
		w.must(w.store.MoveRun(w.ctx, l.run.ID, scheduler.RunCancelled, ""))
	}
}

func (w *world) audited(action string) int {
	entries, err := w.store.Audited(w.ctx, 0)
	w.must(err)
	n := 0
	for _, e := range entries {
		if e.Action == action {
			n++
		}
	}
	return n
}

// testBreakers looks which runs each breaker pauses, which go on when it closes, and that nothing passes the gate meanwhile.
func testBreakers(w *world) {
	for _, tt := range []struct {
		breaker sender.Breaker
		code    int
		by      sender.Reaction
		stops   []string
	}{
		{code: 131014, by: sender.PauseRun, stops: []string{"this"}},
		{code: 132015, by: sender.PauseTemplate, stops: []string{"this", "same template", "other number"}},
		{code: 131048, by: sender.PauseNumber, stops: []string{"this", "same template", "other template", "utility"}},
		{code: 190, by: sender.PauseToken, stops: []string{"this", "same template", "other template", "other number", "utility"}},
		{code: 368, by: sender.PauseAccount, stops: []string{"this", "same template", "other template", "other number", "utility"}},
		{breaker: sender.Deaf("a test"), stops: []string{"this", "same template", "other template", "other number"}},
		{breaker: sender.Breaker{Kind: sender.BreakAccount, Subject: "utility", Why: "a test", Healing: sender.HealsByHand}, stops: []string{"utility"}},
		{breaker: sender.TemplateUnfit("weekend_offer", "it", "a test"), stops: []string{"this", "same template", "other number"}},
		{breaker: sender.TemplateUnfit("weekend_offer", "en-US", "a test"), stops: nil},
	} {
		launches := w.fleet()
		over := w.launch("f", "offers", nil, func(r *scheduler.Run) { r.Occurrence = launches["this"].run.ID })
		_, _, err := w.store.Finish(w.ctx, over.run.ID)
		w.must(err)
		b := tt.breaker
		opened, closed := w.audited("breaker.open"), w.audited("breaker.close")
		for range 2 {
			if tt.by != "" {
				b = w.trip(launches["this"], tt.code, tt.by)
			}
			w.must(w.store.OpenBreaker(w.ctx, b))
		}
		if open, err := w.store.Breakers(w.ctx); err != nil || len(open) != 1 || open[0].Key() != b.Key() || open[0].Why != b.Why || open[0].Since.IsZero() {
			w.Errorf("%s: open are %+v, %v", b.Key(), open, err)
		}
		for name, l := range launches {
			if slices.Contains(tt.stops, name) {
				w.stands(b.Key()+": "+name, l, scheduler.Paused, b.Key())
			} else {
				w.stands(b.Key()+": "+name, l, scheduler.Running, "")
			}
		}
		w.stands(b.Key()+": one that was done", over, scheduler.Done, "")
		for range 2 {
			w.must(w.store.CloseBreaker(w.ctx, b, "a test"))
		}
		for name, l := range launches {
			w.stands(b.Key()+" is closed: "+name, l, scheduler.Running, "")
			people := w.lines(l.run.ID)
			for _, line := range people {
				if line.State != sender.Queued || line.Attempts != 0 {
					w.Errorf("%s: somebody is %s after %d attempts", b.Key(), line.State, line.Attempts)
				}
			}
		}
		if n, m := w.audited("breaker.open")-opened, w.audited("breaker.close")-closed; n != 1 || m != 1 {
			w.Errorf("%s: %d openings and %d closings are in the audit log", b.Key(), n, m)
		}
		w.cancelAll(launches)
	}
}

// testBreakersAndHands lets people pause, resume and cancel under breakers: what they paused no breaker resumes, and what they
// resume goes on, save deaf.
func testBreakersAndHands(w *world) {
	launches := w.fleet()
	w.must(w.store.MoveRun(w.ctx, launches["same template"].run.ID, scheduler.Paused, "by Ada"))
	token := w.trip(launches["this"], 190, sender.PauseToken)
	w.must(w.store.MoveRun(w.ctx, launches["utility"].run.ID, scheduler.Paused, "by Ada, under the breaker"))
	w.must(w.store.CloseBreaker(w.ctx, token, "a test"))
	w.stands("paused before", launches["same template"], scheduler.Paused, "")
	w.stands("paused under it", launches["utility"], scheduler.Paused, "")
	w.stands("paused by it", launches["this"], scheduler.Running, "")

	// Resumed by hand, a run goes on, and all others that the same breaker holds.
	w.trip(launches["this"], 190, sender.PauseToken)
	w.trip(launches["this"], 131048, sender.PauseNumber)
	w.stands("under two", launches["this"], scheduler.Paused, "token")
	w.must(w.store.MoveRun(w.ctx, launches["this"].run.ID, scheduler.Running, ""))
	for _, name := range []string{"this", "other template", "other number"} {
		w.stands("resumed by hand: "+name, launches[name], scheduler.Running, "")
	}
	w.stands("paused by a person", launches["same template"], scheduler.Paused, "")
	if open, err := w.store.Breakers(w.ctx); err != nil || len(open) != 0 {
		w.Errorf("open after a resume by hand: %+v, %v", open, err)
	}

	// Nobody sends deaf.
	w.must(w.store.OpenBreaker(w.ctx, sender.Deaf("a test")))
	err := w.store.MoveRun(w.ctx, launches["this"].run.ID, scheduler.Running, "")
	if state, ok := errors.AsType[*store.StateError](err); !ok || !strings.Contains(state.Why, "stops would not be heard") {
		w.Errorf("resumed while deaf: %v", err)
	}
	w.stands("deaf", launches["this"], scheduler.Paused, "deaf")
	w.must(w.store.MoveRun(w.ctx, launches["utility"].run.ID, scheduler.Running, ""))
	w.stands("utility while deaf", launches["utility"], scheduler.Running, "")
	w.hear()

	// The breaker of a campaign goes with its last paused run.
	w.trip(launches["this"], 131014, sender.PauseRun)
	w.must(w.store.MoveRun(w.ctx, launches["other number"].run.ID, scheduler.RunCancelled, ""))
	w.stands("another campaign's run is cancelled", launches["this"], scheduler.Paused, "campaign a")
	w.must(w.store.MoveRun(w.ctx, launches["this"].run.ID, scheduler.RunCancelled, ""))
	if open, err := w.store.Breakers(w.ctx); err != nil || len(open) != 0 {
		w.Errorf("open after the campaign's run was cancelled: %+v, %v", open, err)
	}
}

// testBreakerLater makes runs under an open breaker: the gate lets nothing pass, and they pause with its sentence.
func testBreakerLater(w *world) {
	first := w.fleet()["this"]
	b := w.trip(first, 131048, sender.PauseNumber)
	people := w.people(2)
	later := w.launch("later", "offers", people)
	for _, f := range w.gate(later, people) {
		if f.answer.State != sender.Queued || f.answer.Decision.Verdict == policy.Allow {
			w.Errorf("the gate answers %+v", f.answer)
		}
	}
	w.want(later.run.ID, sender.Queued, "", people...)
	for _, line := range w.lines(later.run.ID) {
		if line.Attempts != 0 {
			w.Errorf("%d attempts were burnt", line.Attempts)
		}
	}
	active, err := w.store.Active(w.ctx, numberID)
	w.must(err)
	if len(active) != 0 {
		w.Errorf("%d runs are active", len(active))
	}
	w.stands("made later", later, scheduler.Paused, b.Key())
	elsewhere := w.launch("elsewhere", "offers", w.people(1), func(r *scheduler.Run) { r.NumberID = otherNumber })
	if active, err := w.store.Active(w.ctx, otherNumber); err != nil || len(active) != 2 { // and that of the fleet
		w.Errorf("%d runs of the other number are active, %v", len(active), err)
	}
	w.stands("another number", elsewhere, scheduler.Running, "")

	// One that is still being planned pauses too, and goes on with that.
	planning, _, err := w.store.CreateRun(w.ctx, w.draft("planning", "offers"))
	w.must(err)
	_, err = w.store.Active(w.ctx, numberID)
	w.must(err)
	w.stands("in planning", &launch{run: planning}, scheduler.Paused, b.Key())
	w.must(w.store.CloseBreaker(w.ctx, b, "a test"))
	w.stands("in planning", &launch{run: planning}, scheduler.Planning, "")
	w.pass(later, people)
}

// testBreakerHeals closes breakers that overlap, and looks who goes on.
func testBreakerHeals(w *world) {
	launches := w.fleet()
	token := w.trip(launches["this"], 190, sender.PauseToken)
	number := w.trip(launches["this"], 131048, sender.PauseNumber)
	w.must(w.store.CloseBreaker(w.ctx, token, "a test"))
	w.stands("still under the number's", launches["this"], scheduler.Paused, number.Key())
	w.stands("of another number", launches["other number"], scheduler.Running, "")
	w.must(w.store.CloseBreaker(w.ctx, number, "a test"))
	w.stands("under none", launches["this"], scheduler.Running, "")

	// A template that was paused while the run stood for something else must not have its people skipped.
	w.trip(launches["this"], 190, sender.PauseToken)
	w.templateEvent("weekend_offer", "PAUSED")
	w.must(w.store.CloseBreaker(w.ctx, token, "a test"))
	w.stands("paused template", launches["this"], scheduler.Paused, "template weekend_offer it")
	w.stands("another template", launches["other template"], scheduler.Running, "")
	w.templateEvent("weekend_offer", "APPROVED")
	w.stands("approved again", launches["this"], scheduler.Running, "")

	// Meanwhile halted, a run that goes on sends nothing.
	w.trip(launches["this"], 190, sender.PauseToken)
	_, err := w.store.Halt(w.ctx, "a test")
	w.must(err)
	w.must(w.store.CloseBreaker(w.ctx, token, "a test"))
	if active, err := w.store.Active(w.ctx, numberID); err != nil || len(active) != 0 {
		w.Errorf("%d runs are active while everything is halted, %v", len(active), err)
	}
}

func (w *world) templateEvent(name, status string) {
	w.Helper()
	_, err := w.store.Store(w.ctx, []sender.Inbox{{Templates: []templates.Update{{Name: name, Language: language, Status: status}}}})
	w.must(err)
}

// testBreakerAgain opens one again soon after it healed: each time it waits longer. A try is one process's.
func testBreakerAgain(w *world) {
	l := w.fleet()["this"]
	wait := func() time.Duration {
		open, err := w.store.Breakers(w.ctx)
		w.must(err)
		if len(open) != 1 {
			w.Fatalf("open: %+v", open)
		}
		return open[0].NextAt.Sub(open[0].Since)
	}
	for _, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute} {
		b := w.trip(l, 190, sender.PauseToken)
		if got := wait(); got != want {
			w.Errorf("it waits %s, want %s", got, want)
		}
		if mine, err := w.store.ClaimTry(w.ctx, b, false); err != nil || mine {
			w.Errorf("it may be tried before its time: %t, %v", mine, err)
		}
		if mine, err := w.store.ClaimTry(w.ctx, b, true); err != nil || !mine {
			w.Errorf("it may not be tried by force: %t, %v", mine, err)
		}
		w.must(w.store.CloseBreaker(w.ctx, b, "a test"))
		if mine, err := w.store.ClaimTry(w.ctx, b, true); err != nil || mine {
			w.Errorf("one that is closed is tried: %t, %v", mine, err)
		}
	}
	due := sender.Breaker{Kind: sender.BreakCampaign, Subject: "due", Healing: sender.HealsByTime, Wait: time.Minute, Why: "a test", NextAt: time.Now().Add(-time.Second)}
	w.must(w.store.OpenBreaker(w.ctx, due))
	for i, want := range []bool{true, false} {
		if mine, err := w.store.ClaimTry(w.ctx, due, false); err != nil || mine != want {
			w.Errorf("try %d of one that is due: %t, %v", i, mine, err)
		}
	}
}

// testBreakerTemplate has Meta refuse, pause, change and approve a template.
func testBreakerTemplate(w *world) {
	p := w.people(1)
	l := w.launch("a", "offers", p)
	list := func(status, body string) {
		w.Helper()
		var entries []templates.Entry
		for _, name := range []string{"weekend_offer", "order_update", "news"} {
			raw := []byte(`{"name":"` + name + `","language":"it","status":"` + status + `","category":"MARKETING","components":[{"type":"BODY","text":"` + body + `"}]}`)
			t, err := templates.Parse(raw)
			w.must(err)
			entries = append(entries, templates.Entry{Raw: raw, Template: t})
		}
		w.must(w.store.SaveTemplates(w.ctx, entries))
	}
	b := w.trip(l, 132015, sender.PauseTemplate)
	if wants, err := w.store.WantsTemplateSync(w.ctx); err != nil || !wants {
		w.Errorf("the catalogue did not foresee it, and is not read anew: %t, %v", wants, err)
	}
	list("PAUSED", "Ciao dalla libreria")
	w.stands("the list says PAUSED", l, scheduler.Paused, b.Key())
	w.templateEvent("news", "APPROVED")
	w.stands("another is approved", l, scheduler.Paused, b.Key())
	list("APPROVED", "Ciao dalla libreria")
	w.stands("the list says APPROVED", l, scheduler.Running, "")

	// Meta refuses it again at once: its list is not believed so soon, its webhook is.
	b = w.trip(l, 132015, sender.PauseTemplate)
	list("APPROVED", "Ciao dalla libreria")
	w.stands("the same list again", l, scheduler.Paused, b.Key())
	w.templateEvent("weekend_offer", "APPROVED")
	w.stands("Meta approves it", l, scheduler.Running, "")

	// Other parameters than the run's wait for a person, and so does a template that is gone.
	w.templateEvent("weekend_offer", "REJECTED")
	w.stands("rejected", l, scheduler.Paused, "template weekend_offer it")
	list("PENDING", "Ciao {{1}} dalla libreria")
	w.templateEvent("weekend_offer", "APPROVED")
	w.stands("with another parameter", l, scheduler.Paused, "")
	if run, err := w.store.Run(w.ctx, l.run.ID); err != nil || !strings.Contains(run.Why, "parameter") {
		w.Errorf("why: %q, %v", run.Why, err)
	}
	w.want(l.run.ID, sender.Queued, "", p...)
}

// testAccountNews applies what Meta's webhooks say of the account, also twice and late.
func testAccountNews(w *world) {
	launches := w.fleet()
	say := func(n sender.AccountNews) {
		w.Helper()
		_, err := w.store.Store(w.ctx, []sender.Inbox{{Account: []sender.AccountNews{n}}})
		w.must(err)
	}
	ban := sender.AccountNews{At: time.Now().Add(-time.Minute), Why: "Meta disabled the account"}
	say(ban)
	w.stands("banned", launches["utility"], scheduler.Paused, "account")
	say(sender.AccountNews{At: time.Now(), Lifted: true, Why: "Meta reinstated the account"})
	w.stands("reinstated", launches["utility"], scheduler.Running, "")
	say(ban)
	w.stands("told again of the ban before", launches["utility"], scheduler.Running, "")
	say(sender.AccountNews{At: time.Now().Add(time.Second), Why: "Meta disabled the account again"}) // by its clock
	say(sender.AccountNews{At: time.Now().Add(-time.Minute), Lifted: true})
	w.stands("told late that it was reinstated", launches["utility"], scheduler.Paused, "account")
	say(sender.AccountNews{At: time.Now(), Lifted: true})
	until := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	w.trip(launches["this"], 368, sender.PauseAccount)
	say(sender.AccountNews{At: time.Now(), Until: until, Why: "Meta restricts the account"})
	if open, err := w.store.Breakers(w.ctx); err != nil || len(open) != 1 || !open[0].NextAt.Equal(until) || open[0].Healing != sender.HealsByTime {
		w.Errorf("a restriction that ends is kept as %+v, %v", open, err)
	}
	say(sender.AccountNews{At: time.Now(), Lifted: true})
	say(sender.AccountNews{At: time.Now().Add(time.Second), Kind: policy.Utility, Why: "Meta restricts utility templates"})
	w.stands("utility is restricted", launches["utility"], scheduler.Paused, "account utility")
	w.stands("utility is restricted", launches["this"], scheduler.Running, "")
}

// testBreakerByStatus has messages that were taken fail by webhook, for what stands before everybody.
func testBreakerByStatus(w *world) {
	people := w.people(4)
	l := w.launch("a", "offers", people)
	flights := w.pass(l, people[:2])
	w.record(taken, flights...)
	fails := func(f flight, at time.Time) sender.Status {
		s := w.status(f, sender.Failed, at)
		s.Err = refusal(131042, sender.PauseAccount)
		return s
	}
	w.hear(fails(flights[0], time.Now()))
	w.stands("a payment problem by webhook", l, scheduler.Paused, "account")
	w.want(l.run.ID, sender.Failed, "", people[0])
	w.want(l.run.ID, sender.Queued, "", people[2:]...)
	w.must(w.store.CloseBreaker(w.ctx, sender.Breaker{Kind: sender.BreakAccount}, "a test"))
	w.hear(fails(flights[0], time.Now()))
	w.stands("told again", l, scheduler.Running, "")
	w.hear(fails(flights[1], time.Now().Add(-time.Minute)))
	w.stands("told late, of before it was mended", l, scheduler.Running, "")
}

// testDeaf brings messages into every state in which Meta may leave them, and looks when nobody hears.
func testDeaf(w *world) {
	people := w.people(260)
	l := w.launch("a", "offers", people)
	next := people
	sends := func(ago time.Duration, result sender.Result, n int) {
		w.Helper()
		rows, flights := make([]sender.GateRow, n), make([]flight, n)
		for i, p := range next[:n] {
			id := sender.MadeBefore(time.Now().Add(-ago))
			w.met++
			id[14], id[15] = byte(w.met>>8), byte(w.met)
			flights[i] = flight{run: l.run.ID, person: p, attempt: id}
			rows[i] = sender.GateRow{PersonID: p.id, AttemptID: id, Language: language, Person: l.rows[p.id].Person}
		}
		next = next[n:]
		_, _, err := w.store.Gate(w.ctx, l.send, rows)
		w.must(err)
		w.record(result, flights...)
	}
	silent := func(what string, since time.Time, want bool) {
		w.Helper()
		if got, err := w.store.Silent(w.ctx, since); err != nil || got != want {
			w.Errorf("%s: silent = %t, %v", what, got, err)
		}
	}
	silent("nothing was sent", time.Time{}, false)
	sends(10*time.Minute, taken, 49)
	silent("49", time.Time{}, false)
	sends(9*time.Minute, takenHeld, 5)
	sends(9*time.Minute, refused, 5)
	sends(9*time.Minute, ambiguous, 5)
	silent("held, refused and unknown", time.Time{}, false)
	sends(8*time.Minute, taken, 1)
	silent("50", time.Time{}, true)
	silent("most of them before somebody listened", time.Now().Add(-9*time.Minute), false)
	sends(time.Minute, taken, 60)
	silent("and 60 of a minute ago", time.Time{}, true)

	w.must(w.store.OpenBreaker(w.ctx, sender.Deaf("a test")))
	w.stands("deaf", l, scheduler.Paused, "deaf")
	w.hear() // any webhook
	w.stands("a webhook came", l, scheduler.Running, "")
	silent("after that webhook", time.Time{}, false)
	if open, err := w.store.Breakers(w.ctx); err != nil || len(open) != 0 {
		w.Errorf("open: %+v, %v", open, err)
	}
}
