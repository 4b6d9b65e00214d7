package scheduler_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

var planTime = time.Date(2026, 11, 20, 17, 0, 0, 0, time.UTC)

const offerJSON = `{"name":"weekend_offer","language":"it","status":"APPROVED","category":"MARKETING","components":[{"type":"BODY","text":"Ciao {{1}}, sconti in libreria"}]}`

func offers(t interface{ Fatal(...any) }) templates.Catalogue {
	parsed, err := templates.Parse(json.RawMessage(offerJSON))
	if err != nil {
		t.Fatal(err)
	}
	return templates.NewCatalogue([]templates.Template{parsed})
}

// planned is a run of a campaign that may go to everyone with a name, once a day.
func planned(t interface{ Fatal(...any) }, campaign string, change ...func(*scheduler.Run)) *scheduler.Draft {
	c := scheduled(campaign, "")
	c.Schedule = nil
	c.Message.Parameters.Body = []templates.Value{{Field: "name"}}
	frozen := freeze(c)
	frozen.Rules.Caps = []policy.Cap{{Max: 1, Per: 24 * time.Hour, Kind: policy.Marketing}}
	run, err := scheduler.NewRun(frozen, planTime)
	if err != nil {
		t.Fatal(err)
	}
	run.ID = "run-" + campaign
	for _, f := range change {
		f(&run)
	}
	draft, err := scheduler.NewDraft(run, offers(t), 80)
	if err != nil {
		t.Fatal(err)
	}
	return draft
}

// crowd is a list of people in memory, read in pages of their own size.
type crowd struct {
	people []scheduler.Subject
	fails  error // after the last page
}

func (c crowd) Range(_ context.Context, after policy.PersonID, limit int, want scheduler.Want) (scheduler.Stretch, error) {
	first := int(binary.BigEndian.Uint64(after[8:]))
	if first >= len(c.people) && c.fails != nil {
		return scheduler.Stretch{}, c.fails
	}
	last := min(len(c.people), first+min(limit, 7))
	stretch := scheduler.Stretch{Done: last == len(c.people) && c.fails == nil}
	for _, subject := range c.people[first:last] {
		stretch.Last = subject.Contact.PersonID
		subject.Person.Sends = slices.Clone(subject.Person.Sends)
		for _, reach := range want.Audiences {
			subject.In = append(subject.In, reach.Has(subject, want.Now))
		}
		if slices.Contains(subject.In, true) {
			stretch.Subjects = append(stretch.Subjects, subject)
		}
	}
	return stretch, nil
}

// somebody is the n-th person, who may get everything.
func somebody(n int) scheduler.Subject {
	var id policy.PersonID
	binary.BigEndian.PutUint64(id[8:], uint64(n+1))
	return scheduler.Subject{
		Contact: scheduler.Contact{PersonID: id, Phone: phone.Number(fmt.Sprintf("+39347%07d", n)), Name: "Ada", Language: "it", Country: "IT", MainZone: "Europe/Rome", Zones: []string{"Europe/Rome"}},
		Person: policy.Person{Known: true, Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome", SuppressionsRead: true, ConsentsRead: true, SendsRead: true,
			Consents: map[string]policy.Consent{"offers": {Action: policy.Granted, At: planTime.AddDate(0, -1, 0), Source: "web_form"}}},
	}
}

func everybody(n int) crowd {
	var c crowd
	for i := range n {
		c.people = append(c.people, somebody(i))
	}
	return c
}

// paper keeps the rows that a plan writes.
type paper struct {
	rows  map[string]map[policy.PersonID]policy.Decision
	fails error
}

func (p *paper) Enqueue(_ context.Context, run string, rows []scheduler.Row) error {
	if p.fails != nil {
		return p.fails
	}
	if p.rows == nil {
		p.rows = map[string]map[policy.PersonID]policy.Decision{}
	}
	if p.rows[run] == nil {
		p.rows[run] = map[policy.PersonID]policy.Decision{}
	}
	for _, r := range rows {
		if _, twice := p.rows[run][r.PersonID]; twice {
			return errors.New("a person has two rows in one run")
		}
		p.rows[run][r.PersonID] = r.Decision
	}
	return nil
}

func sum(m map[policy.Reason]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// Whoever is on the list: everybody matched is counted once, has one row, and the rows say what the counts say.
func TestPlanSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people := everybody(rapid.IntRange(0, 40).Draw(t, "people"))
		for i := range people.people {
			p := &people.people[i]
			switch rapid.IntRange(0, 9).Draw(t, "fate") {
			case 0:
				p.Person.Suppressions = []policy.Suppression{{Scope: policy.ScopeAll, Origin: policy.OriginKeyword, At: planTime.Add(-time.Hour)}}
			case 1:
				p.Person.Consents = nil
			case 2:
				p.Person.Consents = map[string]policy.Consent{"offers": {Action: policy.Revoked, At: planTime.Add(-time.Hour)}}
			case 3:
				p.Person.ConsentsRead = false
			case 4:
				p.Contact.Name = ""
			case 5:
				p.Person.Sends = []policy.Send{{At: planTime.Add(-time.Hour), Kind: policy.Marketing, Category: "offers", Campaign: "x"}}
			case 6:
				p.Contact.Country, p.Person.Country = "US", "US"
			case 7:
				p.Person.Zones, p.Person.MainZone = []string{"America/New_York"}, "America/New_York" // noon there
			}
		}
		evening := func(r *scheduler.Run) {
			if rapid.Bool().Draw(t, "window") {
				r.Frozen.Campaign.Window = &policy.Window{From: 18 * 60, To: 20 * 60, In: "recipient"}
			}
			if rapid.Bool().Draw(t, "limit") {
				r.Frozen.Campaign.MaxRecipients = new(rapid.IntRange(0, 20).Draw(t, "recipients"))
			}
			if rapid.Bool().Draw(t, "audience") {
				r.Frozen.Campaign.Audience = `country = "IT"`
			}
			if rapid.Bool().Draw(t, "later") {
				r.FireAt = planTime.Add(2 * time.Hour)
			}
		}
		drafts := []*scheduler.Draft{planned(t, "a", evening), planned(t, "b", evening)}
		written := &paper{}
		plans, err := scheduler.MakePlans(t.Context(), people, written, drafts, planTime)
		if err != nil {
			t.Fatal(err)
		}
		counted, err := scheduler.MakePlans(t.Context(), people, nil, drafts, planTime)
		if err != nil {
			t.Fatal(err)
		}
		for i, plan := range plans {
			if plan.Matched != plan.Allowed+plan.Deferred+plan.Holdout+sum(plan.Denied) {
				t.Fatalf("the plan's sums do not hold: %+v", plan)
			}
			rows := written.rows[drafts[i].Run.ID]
			if len(rows) != plan.Matched {
				t.Fatalf("%d rows for %d matched", len(rows), plan.Matched)
			}
			denied, waiting := map[policy.Reason]int{}, 0
			for _, d := range rows {
				switch {
				case d.Verdict == policy.Deny:
					denied[d.Reason]++
				case d.Verdict == policy.Defer && d.Reason != "":
					waiting++
				}
			}
			if !maps.Equal(denied, plan.Denied) || waiting != plan.Deferred {
				t.Fatalf("rows say %v and %d deferred, the plan %+v", denied, waiting, plan)
			}
			if plan.Hash != counted[i].Hash || plan.Matched != counted[i].Matched || plan.Allowed != counted[i].Allowed {
				t.Fatalf("counting alone gives another plan: %+v, %+v", plan, counted[i])
			}
			if limit := drafts[i].Run.Frozen.Campaign.MaxRecipients; limit != nil && plan.Allowed+plan.Deferred > *limit {
				t.Fatalf("%d recipients, at most %d were to be", plan.Allowed+plan.Deferred, *limit)
			}
		}
	})
}

func TestPriorityTakesTheLastSlot(t *testing.T) {
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		both := []*scheduler.Draft{planned(t, "low", func(r *scheduler.Run) { r.Priority = 1 }), planned(t, "high", func(r *scheduler.Run) { r.Priority = 10 })}
		drafts := []*scheduler.Draft{both[order[0]], both[order[1]]}
		written := &paper{}
		plans, err := scheduler.MakePlans(t.Context(), everybody(30), written, drafts, planTime)
		if err != nil {
			t.Fatal(err)
		}
		for i, plan := range plans {
			switch {
			case plan.Campaign != drafts[i].Run.CampaignID:
				t.Errorf("plan %d is of %s, draft %d of %s", i, plan.Campaign, i, drafts[i].Run.CampaignID)
			case plan.Campaign == "high" && plan.Allowed != 30, plan.Campaign == "low" && plan.Denied[policy.FrequencyCap] != 30:
				t.Errorf("%s: %+v", plan.Campaign, plan)
			}
		}
	}
	// A test run takes no slot, and gets none taken.
	test := planned(t, "test", func(r *scheduler.Run) {
		r.Priority, r.Test = 99, true
		r.Frozen.TestPhones = []string{string(somebody(3).Contact.Phone)}
	})
	low := planned(t, "low")
	plans, err := scheduler.MakePlans(t.Context(), everybody(30), nil, []*scheduler.Draft{low, test}, planTime)
	if err != nil {
		t.Fatal(err)
	}
	if plans[0].Matched != 1 || plans[0].Allowed != 1 || plans[1].Allowed != 30 {
		t.Errorf("beside a test run: %+v", plans)
	}
}

func TestMaxRecipients(t *testing.T) {
	for _, limit := range []int{0, 1, 12, 30, 31} {
		plans, err := scheduler.MakePlans(t.Context(), everybody(30), nil, []*scheduler.Draft{planned(t, "a", func(r *scheduler.Run) { r.Frozen.Campaign.MaxRecipients = &limit })}, planTime)
		if err != nil {
			t.Fatal(err)
		}
		if want := min(limit, 30); plans[0].Allowed != want || plans[0].Denied[policy.MaxRecipients] != 30-want {
			t.Errorf("max_recipients %d: %+v", limit, plans[0])
		}
	}
}

// A start in the future is a time to wait for, not a reason against anybody.
func TestPlanForLater(t *testing.T) {
	later := planTime.Add(3 * time.Hour)
	written := &paper{}
	draft := planned(t, "a", func(r *scheduler.Run) { r.FireAt = later })
	plans, err := scheduler.MakePlans(t.Context(), everybody(160), written, []*scheduler.Draft{draft}, planTime)
	if err != nil {
		t.Fatal(err)
	}
	if plans[0].Allowed != 160 || plans[0].Deferred != 0 || !plans[0].FinishAt.Equal(later.Add(2*time.Second)) {
		t.Errorf("plan %+v", plans[0])
	}
	for _, d := range written.rows[draft.Run.ID] {
		if d.Verdict != policy.Defer || d.Reason != "" || !d.Until.Equal(later) {
			t.Fatalf("a row says %+v, want to wait until %s", d, later)
		}
	}
}

// The hash names who would get it under which configuration, and nothing else.
func TestPlanHash(t *testing.T) {
	hash := func(people crowd, change ...func(*scheduler.Run)) string {
		plans, err := scheduler.MakePlans(t.Context(), people, nil, []*scheduler.Draft{planned(t, "a", change...)}, planTime)
		if err != nil {
			t.Fatal(err)
		}
		return plans[0].Hash
	}
	same := hash(everybody(30))
	if again := hash(everybody(30)); again != same || len(same) != 32 {
		t.Errorf("the same plan twice is %q and %q", same, again)
	}
	stopped := everybody(30)
	stopped.people[4].Person.Suppressions = []policy.Suppression{{Scope: policy.ScopeAll, At: planTime}}
	for name, other := range map[string]string{
		"somebody stopped": hash(stopped), "one more": hash(everybody(31)),
		"another configuration": hash(everybody(30), func(r *scheduler.Run) { r.ConfigHash = "another" }),
	} {
		if other == same {
			t.Errorf("%s: the hash is the same", name)
		}
	}
}

// An error is never a smaller plan, and leaves nothing running behind.
func TestPlanErrors(t *testing.T) {
	away := errors.New("the database is away")
	synctest.Test(t, func(t *testing.T) {
		broken := everybody(20)
		broken.fails = away
		if plans, err := scheduler.MakePlans(t.Context(), broken, nil, []*scheduler.Draft{planned(t, "a")}, planTime); !errors.Is(err, away) || plans != nil {
			t.Errorf("reading fails: %v, %v", plans, err)
		}
		if plans, err := scheduler.MakePlans(t.Context(), everybody(20), &paper{fails: away}, []*scheduler.Draft{planned(t, "a")}, planTime); !errors.Is(err, away) || plans != nil {
			t.Errorf("writing fails: %v, %v", plans, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if plans, err := scheduler.MakePlans(ctx, everybody(20), nil, []*scheduler.Draft{planned(t, "a")}, planTime); err == nil || plans != nil {
			t.Errorf("stopped: %v, %v", plans, err)
		}
		synctest.Wait()
	})
}

// bookshop is a store with people who may get offers.
func bookshop(t *testing.T, target string, people int) *store.Store {
	t.Helper()
	s := storetest.Open(t, target)
	grow(t, s, 0, people)
	return s
}

// grow adds people from the n-th on; two of three consent.
func grow(t *testing.T, s *store.Store, from, people int) {
	t.Helper()
	place := scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome"}
	var contacts []scheduler.ContactRecord
	var consents []scheduler.ConsentRecord
	for n := from; n < from+people; n++ {
		number := phone.Number(fmt.Sprintf("+39347%07d", n))
		contacts = append(contacts, scheduler.ContactRecord{Phone: number, Name: new("Ada"), Number: place})
		if n%3 > 0 {
			consents = append(consents, scheduler.ConsentRecord{Phone: number, Number: place, Event: policy.ConsentEvent{
				Category: "offers", Action: policy.Granted, At: time.Now().Add(-time.Hour), Source: "web_form", Wording: "Sì"}})
		}
	}
	if _, err := s.ImportContacts(t.Context(), contacts); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ImportConsents(t.Context(), consents); err != nil {
		t.Fatal(err)
	}
}

func planner(t *testing.T, s *store.Store, holder string) *scheduler.Planner {
	return &scheduler.Planner{Store: s, Open: s, Move: s, Leases: s, Holder: holder, Rate: func(string) float64 { return 80 }, Logger: slog.New(slog.DiscardHandler),
		Configured: func(string) string { return "as it is" },
		Catalogue:  func(context.Context) (templates.Catalogue, error) { return offers(t), nil }}
}

func create(t *testing.T, s *store.Store, draft *scheduler.Draft) scheduler.Run {
	t.Helper()
	run, created, err := s.CreateRun(t.Context(), draft.Run)
	if err != nil || !created {
		t.Fatalf("CreateRun = created %t, %v", created, err)
	}
	return run
}

// Two planners look at the same runs: each person gets one row in each, and the stored plan tells what they say.
func TestPlannersOnOneStore(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := bookshop(t, target, 90)
		now := time.Now()
		at := func(after time.Duration) func(*scheduler.Run) {
			return func(r *scheduler.Run) { r.FireAt = now.Add(after) }
		}
		first := create(t, s, planned(t, "now", at(0), func(r *scheduler.Run) { r.Priority = 3 }))
		later := create(t, s, planned(t, "later", at(time.Hour), func(r *scheduler.Run) { r.Frozen.Rules.Caps = nil }))
		var planning sync.WaitGroup
		for _, holder := range []string{"a", "b"} {
			planning.Go(func() {
				for range 3 {
					if err := planner(t, s, holder).Pass(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		planning.Wait()
		for _, id := range []string{first.ID, later.ID} {
			run, err := s.Run(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if run.State != scheduler.Running || run.PlannedAt.IsZero() || run.Plan.Matched != 90 || run.Plan.Allowed != 60 || run.Plan.Denied[policy.NoConsent] != 30 {
				t.Errorf("%s is %s, planned %s: %+v", run.CampaignID, run.State, run.PlannedAt, run.Plan)
			}
			states := map[sender.State]int{}
			for line, err := range s.Log(t.Context(), report.Filter{Run: id}) {
				if err != nil {
					t.Fatal(err)
				}
				states[line.State]++
			}
			if states[sender.Queued] != 60 || states[sender.Skipped] != 30 {
				t.Errorf("%s: rows %v", run.CampaignID, states)
			}
		}
		rows, err := s.Queued(t.Context(), sender.Page{RunID: later.ID, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		due, err := s.NextDue(t.Context(), later.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) > 0 || !due.Equal(later.FireAt.Truncate(time.Microsecond)) {
			t.Errorf("of the later run %d rows may leave at once; the next is due %s, want %s", len(rows), due, later.FireAt)
		}
	})
}

// A run that cannot be planned pauses and says why; the others of the same pass are planned.
func TestPlannerPausesWhatItCannotPlan(t *testing.T) {
	s := bookshop(t, storetest.SQLite(t), 6)
	nothing := create(t, s, planned(t, "no template", func(r *scheduler.Run) { r.Frozen.Campaign.Message.Template = "nothing" }))
	drifted := create(t, s, planned(t, "other parameters", func(r *scheduler.Run) { r.Frozen.Campaign.Message.Parameters.Body = nil }))
	garbled := planned(t, "garbled")
	garbled.Run.Frozen.Campaign.Audience = "country ="
	broken := create(t, s, garbled)
	fine := create(t, s, planned(t, "fine"))
	if err := planner(t, s, "a").Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{nothing.ID, drifted.ID, broken.ID} {
		if run, err := s.Run(t.Context(), id); err != nil || run.State != scheduler.Paused || run.Why == "" {
			t.Errorf("%s is %s (%q), %v; want paused, and why", run.CampaignID, run.State, run.Why, err)
		}
	}
	if run, err := s.Run(t.Context(), fine.ID); err != nil || run.State != scheduler.Running {
		t.Errorf("the run that can be planned is %s, %v", run.State, err)
	}
}

// A run that was cancelled while it was planned has nothing waiting afterwards.
func TestCancelWhilePlanning(t *testing.T) {
	s := bookshop(t, storetest.SQLite(t), 6)
	run := create(t, s, planned(t, "a"))
	p := planner(t, s, "a")
	catalogue := p.Catalogue
	p.Catalogue = func(ctx context.Context) (templates.Catalogue, error) {
		if err := s.MoveRun(ctx, run.ID, scheduler.RunCancelled, "a mistake"); err != nil {
			t.Error(err)
		}
		return catalogue(ctx)
	}
	if err := p.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if run, err := s.Run(t.Context(), run.ID); err != nil || run.State != scheduler.RunCancelled {
		t.Errorf("the run is %s, %v", run.State, err)
	}
	progress, err := s.Progress(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if progress.Waiting() > 0 {
		t.Errorf("rows of a cancelled run: %v", progress.States)
	}
}
