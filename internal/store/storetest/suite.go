package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

// Run holds a store to what permesso promises, whatever database is under it. open returns an empty store, another one
// at each call.
func Run(t *testing.T, open func(t *testing.T) *store.Store) {
	for _, group := range []struct {
		name string
		test func(w *world)
	}{
		{"states", testStates},
		{"statuses are a join", testStatusJoin},
		{"statuses in any order on two receivers", testStatusRaces},
		{"early statuses", testEarlyStatuses},
		{"every write twice", testWritesTwice},
		{"retries", testRetries},
		{"the gate reads again", testGateReadsAgain},
		{"the gate and what is not queued", testGateNotQueued},
		{"a lost commit answer", testGateSameAttempt},
		{"refusals and deferrals", testGateLandings},
		{"a poisoned row", testGatePoison},
		{"what consent a message relied on", testLedgerGate},
		{"what takes a slot of the cap", testCapSlots},
		{"caps under concurrency", testCapRaces},
		{"to whom people are lost", testLost},
		{"a budget", testBudget},
		{"what a budget gets back", testBudgetComesBack},
		{"a budget under concurrency", testBudgetRaces},
		{"what a run costs", testCost},
		{"what is deleted by its age", testRetention},
		{"what is old and still needed", testRetentionKeeps},
		{"deleting by age, cut off", testRetentionCutOff},
		{"reports about what is deleted", testRetentionReports},
		{"stop against send", testStopRaces},
		{"stops and starts are a join", testStopJoin},
		{"who lifts what", testLifts},
		{"a start of another", testStartOfAnother},
		{"scopes", testScopes},
		{"choices of a person's own page", testChoices},
		{"codes of an opt-in page", testJoins},
		{"a stop without a phone", testStopByUserID},
		{"a stop before its message", testStopBeforeItsMessage},
		{"reviews", testReviews},
		{"forms of one number", testVariants},
		{"Meta's own stop", testMetaStop},
		{"Meta's own stop beside other news", testMetaStopRaces},
		{"undeliverable and cooldown", testConsequences},
		{"several news of one person at once", testNewsTogether},
		{"one run per occurrence", testOccurrences},
		{"states of a run", testRunStates},
		{"approval", testApproval},
		{"two approve at once", testApprovalRaces},
		{"cancel", testCancel},
		{"finish", testFinish},
		{"what a breaker stops", testBreakers},
		{"a breaker and hands", testBreakersAndHands},
		{"runs made under a breaker", testBreakerLater},
		{"breakers heal", testBreakerHeals},
		{"breakers that open again", testBreakerAgain},
		{"a template's breaker", testBreakerTemplate},
		{"Meta's word on the account", testAccountNews},
		{"breakers opened by statuses", testBreakerByStatus},
		{"deafness", testDeaf},
		{"halt", testHalt},
		{"what operators are told", testNotices},
		{"notices in order", testNoticesInOrder},
		{"notices and many processes", testNoticeRaces},
		{"the messaging limit", testLimit},
		{"places that come back", testLimitGivenBack},
		{"waves", testWaves},
		{"the guard", testGuard},
		{"leases", testLeases},
		{"settle", testSettle},
		{"silence", testUnproven},
		{"unproven messages sent again", testResend},
		{"marks", testMarks},
		{"former runs", testFormer},
		{"queued rows in order", testQueued},
		{"a page planned again", testPagePlannedAgain},
		{"plan and explain have the same people", testExplained},
		{"an import is undone", testUndo},
		{"an import is undone under later ones", testUndoUnderLater},
		{"what hangs on a person outlives an undone import", testUndoKeepsTheRest},
		{"an undone import in a run", testUndoInARun},
		{"which imports are undone", testUndoRefusals},
		{"an import, and its undoing, cut off", testUndoCutOff},
		{"changes of stops are numbered", testStopChanges},
		{"changes of stops under concurrency", testStopChangesRaces},
		{"stops are restored", testRestoreStops},
		{"homes", testHomes},
		{"quarantine", testQuarantine},
		{"messages that nobody sent", testOrphans},
		{"an undone import against consents and stops", testUndoRaces},
		{"an opt-out is confirmed once", testConfirmations},
		{"what is not answered", testAnswersRefused},
		{"answers and many processes", testAnswerRaces},
		{"a yes and a no to a question", testNods},
		{"Meta's word on an answer", testAnswerStatuses},
		{"what people write waits for the business", testReplies},
		{"keys of programs", testKeys},
		{"what programs send", testSubmissions},
		{"one request many times at once", testSubmissionRaces},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			group.test(newWorld(t, open(t)))
		})
	}
}

const (
	numberID     = "111222333444"
	otherNumber  = "111222333555"
	templateName = "weekend_offer"
	language     = "it"
)

// world is a store with an approved template, and what a test needs to fill it.
type world struct {
	*testing.T
	store *store.Store
	ctx   context.Context
	rules policy.Rules

	timed    bool // attempts begin with their time, as those of a sender do
	met      int
	attempts atomic.Uint64
}

func newWorld(t *testing.T, s *store.Store) *world {
	w := &world{T: t, store: s, ctx: t.Context(), rules: policy.Rules{Categories: map[string]policy.Category{
		"offers": {ID: "offers", Kind: policy.Marketing},
		"news":   {ID: "news", Kind: policy.Marketing},
		"orders": {ID: "orders", Kind: policy.Utility},
	}}}
	w.must(s.SaveTemplates(w.ctx, []templates.Entry{
		entry(w, templateName, "MARKETING"), entry(w, "order_update", "UTILITY"), entry(w, "news", "MARKETING"),
	}))
	return w
}

func entry(w *world, name, category string) templates.Entry {
	raw := fmt.Appendf(nil, `{"name":%q,"language":"it","status":"APPROVED","category":%q,"components":[{"type":"BODY","text":"Ciao dalla libreria"}]}`, name, category)
	t, err := templates.Parse(raw)
	w.must(err)
	return templates.Entry{Raw: raw, Template: t}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// person is somebody of the test's address book.
type person struct {
	phone phone.Number
	id    policy.PersonID
}

// people imports contacts that consent to every category.
func (w *world) people(n int) []person {
	w.Helper()
	numbers := make([]phone.Number, n)
	for i := range numbers {
		w.met++
		numbers[i] = phone.Number(fmt.Sprintf("+39347%07d", w.met))
	}
	return w.contacts(numbers...)
}

func (w *world) contacts(numbers ...phone.Number) []person {
	w.Helper()
	place := scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome"}
	var contacts []scheduler.ContactRecord
	var consents []scheduler.ConsentRecord
	for _, number := range numbers {
		contacts = append(contacts, scheduler.ContactRecord{Phone: number, Name: new("Ada"), Language: new("it"), Number: place})
		for category := range w.rules.Categories {
			consents = append(consents, scheduler.ConsentRecord{Phone: number, Number: place, Event: policy.ConsentEvent{
				Category: category, Action: policy.Granted, At: time.Now().Add(-24 * time.Hour), Source: "web_form", Wording: "Sì, scrivetemi"}})
		}
	}
	_, err := w.store.ImportContacts(w.ctx, contacts)
	w.must(err)
	_, err = w.store.ImportConsents(w.ctx, consents)
	w.must(err)
	people := make([]person, len(numbers))
	for i, number := range numbers {
		people[i] = person{number, w.find(number)}
	}
	return people
}

func (w *world) find(number phone.Number) policy.PersonID {
	w.Helper()
	people, err := w.store.Find(w.ctx, number)
	w.must(err)
	if len(people) != 1 {
		w.Fatalf("%d persons have the number, want 1", len(people))
	}
	return people[0]
}

// launch is a run that people stand in, as the planner leaves it.
type launch struct {
	run  scheduler.Run
	send sender.Run
	rows map[policy.PersonID]sender.Row
}

// draft is a run of a campaign, not stored yet.
func (w *world) draft(campaign, category string, change ...func(*scheduler.Run)) scheduler.Run {
	w.Helper()
	template := templateName
	switch category {
	case "orders":
		template = "order_update"
	case "news":
		template = "news"
	}
	run, err := scheduler.NewRun(scheduler.Frozen{Rules: w.rules, Campaign: scheduler.Campaign{
		ID: campaign, Category: category, Number: numberID, Zone: "Europe/Rome", Message: templates.Message{Template: template, Languages: []string{language}},
	}}, time.Now())
	w.must(err)
	for _, c := range change {
		c(&run)
	}
	return run
}

// launch makes a running run with a queued row for everybody.
func (w *world) launch(campaign, category string, people []person, change ...func(*scheduler.Run)) *launch {
	w.Helper()
	run, created, err := w.store.CreateRun(w.ctx, w.draft(campaign, category, change...))
	w.must(err)
	if !created {
		w.Fatal("the run was not created")
	}
	w.must(w.store.Enqueue(w.ctx, run.ID, allowed(people)))
	w.must(w.store.Planned(w.ctx, run.ID, scheduler.Plan{}))
	l := &launch{rows: map[policy.PersonID]sender.Row{}}
	w.reload(l, run.ID)
	for _, row := range w.queued(run.ID) {
		l.rows[row.PersonID] = row
	}
	if len(l.rows) != len(people) {
		w.Fatalf("%d rows are queued, want %d", len(l.rows), len(people))
	}
	return l
}

func (w *world) reload(l *launch, id string) {
	w.Helper()
	var err error
	l.run, err = w.store.Run(w.ctx, id)
	w.must(err)
	l.send = l.run.ForSender()
}

func allowed(people []person) []scheduler.Row {
	rows := make([]scheduler.Row, len(people))
	for i, p := range people {
		rows[i] = scheduler.Row{PersonID: p.id, Decision: policy.Decision{Verdict: policy.Allow}}
	}
	return rows
}

func (w *world) queued(run string) []sender.Row {
	w.Helper()
	rows, err := w.store.Queued(w.ctx, sender.Page{RunID: run, Limit: 100_000})
	w.must(err)
	return rows
}

// attempt is a new attempt id.
func (w *world) attempt() sender.AttemptID {
	var id sender.AttemptID
	if w.timed {
		id = sender.MadeBefore(time.Now())
	}
	binary.BigEndian.PutUint64(id[8:], w.attempts.Add(1))
	return id
}

// flight is one row past, or before, the gate.
type flight struct {
	run     string
	person  person
	attempt sender.AttemptID
	answer  sender.GateAnswer
}

// gate brings people of a run to the gate, each with a new attempt, and fails on an error.
func (w *world) gate(l *launch, people []person) []flight {
	w.Helper()
	flights, err := w.tryGate(l, people)
	w.must(err)
	return flights
}

func (w *world) tryGate(l *launch, people []person) ([]flight, error) {
	rows, flights := make([]sender.GateRow, len(people)), make([]flight, len(people))
	for i, p := range people {
		flights[i] = flight{run: l.run.ID, person: p, attempt: w.attempt()}
		rows[i] = sender.GateRow{PersonID: p.id, AttemptID: flights[i].attempt, Language: language, Person: l.rows[p.id].Person}
	}
	before := time.Now()
	answers, readAt, err := w.store.Gate(w.ctx, l.send, rows)
	if readAt.Before(before) || readAt.After(time.Now()) {
		return nil, errors.New("readAt is not the moment of the gate")
	}
	for i := range answers {
		flights[i].answer = answers[i]
	}
	return flights, err
}

// pass gates people who must all be let through.
func (w *world) pass(l *launch, people []person) []flight {
	w.Helper()
	flights := w.gate(l, people)
	for _, f := range flights {
		if f.answer.State != sender.Sending {
			w.Fatalf("the gate answers %s (%s), want sending", f.answer.State, f.answer.Decision.Reason)
		}
	}
	return flights
}

func (w *world) record(result sender.Result, flights ...flight) {
	w.Helper()
	w.must(w.store.Record(w.ctx, outcomes(result, flights...)))
}

func outcomes(result sender.Result, flights ...flight) []sender.Outcome {
	list := make([]sender.Outcome, len(flights))
	for i, f := range flights {
		r := result
		if r.Fate == sender.Taken || r.Fate == sender.TakenHeld {
			r.WAMID = f.wamid()
		}
		list[i] = sender.Outcome{RunID: f.run, PersonID: f.person.id, AttemptID: f.attempt, Result: r}
	}
	return list
}

// wamid is the id that Meta gives to this attempt's message.
func (f flight) wamid() string { return fmt.Sprintf("wamid.%x", f.attempt) }

// status is Meta's report on the attempt, with its callback.
func (w *world) status(f flight, state sender.State, at time.Time) sender.Status {
	s := sender.Status{WAMID: f.wamid(), Callback: sender.Callback(w.store.Instance(), f.attempt), State: state, At: at}
	if state == sender.Failed {
		s.Err = &sender.Error{Code: 131000, Title: "Something went wrong", Reaction: sender.FailMessage}
	}
	return s
}

func (w *world) hear(statuses ...sender.Status) []policy.PersonID {
	w.Helper()
	stopped, err := w.store.Store(w.ctx, []sender.Inbox{{Statuses: statuses}})
	w.must(err)
	return stopped
}

func (w *world) act(acts ...policy.Act) []policy.PersonID {
	w.Helper()
	stopped, err := w.store.Store(w.ctx, []sender.Inbox{{Acts: acts}})
	w.must(err)
	return stopped
}

// stop is the act of somebody who wrote a stop word.
func stop(p person, scope policy.Scope, at time.Time) policy.Act {
	return policy.Act{Kind: policy.ActStop, Identity: policy.Identity{Phone: p.phone}, Scope: scope, Origin: policy.OriginKeyword, At: at, MessageID: "wamid.stop"}
}

// lines are the rows of a run.
func (w *world) lines(run string) map[policy.PersonID]report.Line {
	w.Helper()
	lines := map[policy.PersonID]report.Line{}
	for line, err := range w.store.Log(w.ctx, report.Filter{Run: run}) {
		w.must(err)
		lines[line.At.Person] = line
	}
	return lines
}

// want checks where people stand in a run.
func (w *world) want(run string, state sender.State, reason policy.Reason, people ...person) {
	w.Helper()
	lines := w.lines(run)
	for _, p := range people {
		if line := lines[p.id]; line.State != state || line.Reason != reason {
			w.Errorf("the row is %s (%s), want %s (%s)", line.State, line.Reason, state, reason)
		}
	}
}

// suppressed are the stops of a person, as a decision sees them.
func (w *world) suppressed(number phone.Number) []policy.Suppression {
	w.Helper()
	subject, found, err := w.store.Subject(w.ctx, number, scheduler.Want{SendsSince: time.Now()})
	w.must(err)
	if !found || !subject.Person.SuppressionsRead {
		w.Fatal("the person was not found, or their suppressions were not read")
	}
	return subject.Person.Suppressions
}

var (
	taken     = sender.Result{Fate: sender.Taken}
	takenHeld = sender.Result{Fate: sender.TakenHeld}
	notSent   = sender.Result{Fate: sender.NotSent, Cause: errors.New("connection refused")}
	late      = sender.Result{Fate: sender.NotSent, Late: true}
	ambiguous = sender.Result{Fate: sender.Ambiguous, Cause: errors.New("reset")}
	refused   = sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 131009, Title: "Parameter value is not valid", Reaction: sender.FailMessage}}
	tryAgain  = sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 131016, Title: "Service unavailable", Reaction: sender.Retry}}
)
