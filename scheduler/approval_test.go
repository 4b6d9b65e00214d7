package scheduler_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/templates"
)

func TestHold(t *testing.T) {
	asked := scheduler.Approval{Hash: "h", People: 1000, Configured: "c", Templates: "t"}
	approved := asked
	approved.By = "grace"
	for name, tt := range map[string]struct {
		above    *int
		test     bool
		approval scheduler.Approval
		now      func(*scheduler.Approval)
		says     string // "" goes on
	}{
		"no approvals configured":    {above: nil},
		"at the limit":               {above: new(1000)},
		"above the limit":            {above: new(999), says: "1000 people would get it, and above 999"},
		"every run":                  {above: new(0), says: "1000 people"},
		"nobody at all":              {above: new(0), now: func(a *scheduler.Approval) { a.People = 0 }},
		"a test":                     {above: new(0), test: true},
		"approved":                   {above: new(0), approval: approved},
		"approved, other people":     {above: new(0), approval: approved, now: func(a *scheduler.Approval) { a.Hash = "another" }},
		"approved, 5 % more":         {above: new(0), approval: approved, now: func(a *scheduler.Approval) { a.People = 1050 }},
		"approved, more than 5 %":    {above: new(0), approval: approved, now: func(a *scheduler.Approval) { a.People = 1051 }, says: "grace approved it, and it is no longer what was approved: it was for 1000 people and is for 1051 now"},
		"approved, 5 % fewer":        {above: new(0), approval: approved, now: func(a *scheduler.Approval) { a.People = 950 }},
		"approved, far fewer":        {above: new(0), approval: approved, now: func(a *scheduler.Approval) { a.People = 949 }, says: "is for 949 now"},
		"approved, small after all":  {above: new(1000), approval: approved, now: func(a *scheduler.Approval) { a.People = 900 }, says: "is for 900 now"},
		"approved, campaign edited":  {above: new(0), approval: approved, now: func(a *scheduler.Approval) { a.Configured = "d" }, says: "was changed in config.yaml"},
		"approved, campaign removed": {above: new(0), approval: approved, now: func(a *scheduler.Approval) { a.Configured = "" }, says: "not configured any more"},
		"approved, template edited":  {above: new(0), approval: approved, now: func(a *scheduler.Approval) { a.Templates = "u" }, says: "template was changed"},
		"approved, template unknown": {above: new(0), approval: approved, now: func(a *scheduler.Approval) { a.Templates = "" }, says: "template was changed"},
	} {
		now := asked
		if tt.now != nil {
			tt.now(&now)
		}
		run := scheduler.Run{Test: tt.test, Approval: tt.approval, Frozen: scheduler.Frozen{ApproveAbove: tt.above}}
		if why := run.Hold(now); (why == "") != (tt.says == "") || !strings.Contains(why, tt.says) {
			t.Errorf("%s: %q, want %q", name, why, tt.says)
		}
	}
	// One of three may leave or join: 5 % is rounded up to a person.
	three := scheduler.Approval{People: 3, Configured: "c", Templates: "t"}
	for people, drifts := range map[int]bool{2: false, 4: false, 1: true, 5: true} {
		now := three
		now.People = people
		if why := three.Drift(now); (why != "") != drifts {
			t.Errorf("3 people become %d: %q", people, why)
		}
	}
}

// A run waits for somebody as long as it could be sent, and no longer.
func TestLapsed(t *testing.T) {
	window := &policy.Window{From: 18 * 60, To: 20 * 60, In: "recipient"}
	friday := &scheduler.Schedule{Cron: "0 18 * * FRI", CatchUpWithin: 2 * time.Hour}
	for name, tt := range map[string]struct {
		state  scheduler.RunState
		change func(*scheduler.Run)
		after  time.Duration // of the fire time; zero never lapses
		says   string
	}{
		"a slot":                      {scheduler.Waiting, func(r *scheduler.Run) { r.Frozen.Campaign.Schedule = friday }, 2 * time.Hour, "catch_up_within"},
		"a slot with a window":        {scheduler.Waiting, func(r *scheduler.Run) { r.Frozen.Campaign.Schedule, r.Frozen.Campaign.Window = friday, window }, 3 * time.Hour, "windows ended"},
		"a window in which nobody is": {scheduler.Waiting, func(r *scheduler.Run) { r.Frozen.Campaign.Window, r.Approval.Closes = window, time.Time{} }, 25 * time.Hour, "windows ended"},
		"not_after before the window": {scheduler.Waiting, func(r *scheduler.Run) {
			r.Frozen.Campaign.Window, r.Frozen.Campaign.NotAfter = window, planTime.Add(time.Hour)
		}, time.Hour, "not_after"},
		"by hand":                       {scheduler.Waiting, func(r *scheduler.Run) { r.Manual, r.Frozen.Campaign.Schedule = true, friday }, 0, ""},
		"by hand, with not_after":       {scheduler.Waiting, func(r *scheduler.Run) { r.Manual, r.Frozen.Campaign.NotAfter = true, planTime.Add(time.Hour) }, time.Hour, "not_after"},
		"one that waits for nobody":     {scheduler.Planning, func(r *scheduler.Run) { r.Frozen.Campaign.Schedule = friday }, 0, ""},
		"one that an operator paused":   {scheduler.Paused, func(r *scheduler.Run) { r.Frozen.Campaign.Schedule = friday }, 0, ""},
		"one that was cancelled by now": {scheduler.RunCancelled, func(r *scheduler.Run) { r.Frozen.Campaign.Schedule = friday }, 0, ""},
	} {
		run := scheduler.Run{State: tt.state, FireAt: planTime, Approval: scheduler.Approval{Closes: planTime.Add(3 * time.Hour)}}
		tt.change(&run)
		if tt.after == 0 {
			if why := run.Lapsed(planTime.AddDate(10, 0, 0)); why != "" {
				t.Errorf("%s: %q", name, why)
			}
			continue
		}
		if why := run.Lapsed(planTime.Add(tt.after - time.Second)); why != "" {
			t.Errorf("%s: too early: %q", name, why)
		}
		if why := run.Lapsed(planTime.Add(tt.after)); !strings.Contains(why, tt.says) || !strings.HasPrefix(why, "nobody approved it") {
			t.Errorf("%s: %q, want %q", name, why, tt.says)
		}
	}
}

// The windows of the people in a plan say until when it can be approved: the last of them, and only of those who would get it.
func TestApprovalClosesWithTheLastWindow(t *testing.T) {
	people := everybody(3)
	people.people[1].Person.Zones, people.people[1].Person.MainZone = []string{"America/New_York"}, "America/New_York"
	people.people[2].Person.Zones, people.people[2].Person.MainZone = []string{"Pacific/Honolulu"}, "Pacific/Honolulu"
	people.people[2].Person.Suppressions = []policy.Suppression{{Scope: policy.ScopeAll, At: planTime.Add(-time.Hour)}}
	draft := planned(t, "a", func(r *scheduler.Run) {
		r.Frozen.ApproveAbove = new(0)
		r.Frozen.Campaign.Window = &policy.Window{From: 18 * 60, To: 20 * 60, In: "recipient"}
	})
	plans, err := scheduler.MakePlans(t.Context(), people, nil, []*scheduler.Draft{draft}, planTime)
	if err != nil {
		t.Fatal(err)
	}
	ask := draft.Ask(plans[0], "c")
	if want := time.Date(2026, 11, 21, 1, 0, 0, 0, time.UTC); ask.People != 2 || !ask.Closes.Equal(want) || ask.Hash != plans[0].Hash || ask.Templates == "" {
		t.Errorf("asked: %+v; want two people until %s", ask, want)
	}
}

// One run too large for one person, from its slot to its messages: no row before the approval, none after one that died.
func TestPlannerWaitsForApproval(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := bookshop(t, target, 90) // 60 of them may get it
		large := func(r *scheduler.Run) {
			r.FireAt, r.Occurrence, r.Frozen.ApproveAbove = time.Now(), "2026-11-20T18:00", new(50)
			r.Frozen.Campaign.Schedule = &scheduler.Schedule{Cron: "0 18 * * *", CatchUpWithin: time.Hour}
		}
		run := create(t, s, planned(t, "large", large))
		small := create(t, s, planned(t, "small", large, func(r *scheduler.Run) { r.Frozen.ApproveAbove, r.Frozen.Rules.Caps = new(60), nil }))
		p := planner(t, s, "a")
		configured := "as it is"
		p.Configured = func(string) string { return configured }
		look := func(want scheduler.RunState, rows int, why string) scheduler.Run {
			t.Helper()
			if err := p.Pass(t.Context()); err != nil {
				t.Fatal(err)
			}
			run, err := s.Run(t.Context(), run.ID)
			if err != nil {
				t.Fatal(err)
			}
			progress, err := s.Progress(t.Context(), run.ID)
			if err != nil {
				t.Fatal(err)
			}
			if run.State != want || !strings.Contains(run.Why, why) || progress.Total() != rows {
				t.Errorf("the run is %s (%q) with %d rows, want %s (%q) with %d", run.State, run.Why, progress.Total(), want, why, rows)
			}
			return run
		}
		approve := func(run scheduler.Run) {
			t.Helper()
			if err := s.Approve(t.Context(), run.ID, run.Approval.Hash, "grace"); err != nil {
				t.Fatal(err)
			}
		}
		now := look(scheduler.Waiting, 0, "60 people would get it, and above 50")
		if now.Plan.Allowed != 60 || now.Approval.People != 60 {
			t.Errorf("what waits: %+v, %+v", now.Plan, now.Approval)
		}
		if beside, err := s.Run(t.Context(), small.ID); err != nil || beside.State != scheduler.Running {
			t.Errorf("the small run beside it is %s, %v", beside.State, err)
		}
		look(scheduler.Waiting, 0, "60 people") // it is left in peace

		approve(now)
		configured = "another text"
		now = look(scheduler.Waiting, 0, "grace approved it, and it is no longer what was approved: the campaign")
		approve(now)
		catalogue := p.Catalogue
		p.Catalogue = func(context.Context) (templates.Catalogue, error) { return edited(t), nil }
		now = look(scheduler.Waiting, 0, "template was changed")
		p.Catalogue = catalogue
		approve(now) // of the edited template, which is gone again
		now = look(scheduler.Waiting, 0, "template was changed")
		approve(now)
		grow(t, s, 90, 10) // six or seven of them may get it
		now = look(scheduler.Waiting, 0, "it was for 60 people and is for 6")
		approve(now)
		now = look(scheduler.Running, 100, "")
		if now.Approval.By != "grace" || now.Plan.Allowed != now.Approval.People {
			t.Errorf("what runs: %+v, %+v", now.Plan, now.Approval)
		}

		// The next slot comes, and nobody does.
		late := create(t, s, planned(t, "large", large, func(r *scheduler.Run) {
			r.Occurrence, r.FireAt, r.State = "2026-11-21T18:00", time.Now().Add(-2*time.Hour), scheduler.Waiting
		}))
		if err := p.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		if late, err := s.Run(t.Context(), late.ID); err != nil || late.State != scheduler.Missed || !strings.Contains(late.Why, "catch_up_within") {
			t.Errorf("the run that nobody approved is %s (%q), %v", late.State, late.Why, err)
		}
	})
}

func edited(t *testing.T) templates.Catalogue {
	t.Helper()
	parsed, err := templates.Parse([]byte(strings.Replace(offerJSON, "sconti", "grandi sconti", 1)))
	if err != nil {
		t.Fatal(err)
	}
	return templates.NewCatalogue([]templates.Template{parsed})
}
