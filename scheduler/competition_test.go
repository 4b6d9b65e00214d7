package scheduler_test

import (
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// Of runs due together the one with the higher priority takes a person's last slot, then the one that fires earlier, then the
// one whose campaign's id comes first, in whatever order they are given.
func TestWhoTakesTheLastSlot(t *testing.T) {
	for name, tt := range map[string]struct{ wins, loses func(*scheduler.Run) }{
		"priority before time": {
			func(r *scheduler.Run) { r.CampaignID, r.Priority, r.FireAt = "z", 2, planTime },
			func(r *scheduler.Run) { r.CampaignID, r.Priority, r.FireAt = "a", 1, planTime.Add(-time.Hour) },
		},
		"time before id": {
			func(r *scheduler.Run) { r.CampaignID, r.FireAt = "z", planTime.Add(-time.Minute) },
			func(r *scheduler.Run) { r.CampaignID, r.FireAt = "a", planTime },
		},
		"id": {
			func(r *scheduler.Run) { r.CampaignID = "a" },
			func(r *scheduler.Run) { r.CampaignID = "b" },
		},
		"no priority is 0, above a negative one": {
			func(r *scheduler.Run) { r.CampaignID = "z" },
			func(r *scheduler.Run) { r.CampaignID, r.Priority = "a", -1 },
		},
	} {
		for _, first := range []bool{true, false} {
			wins, loses := planned(t, "wins", tt.wins), planned(t, "loses", tt.loses)
			drafts := []*scheduler.Draft{wins, loses}
			if !first {
				drafts = []*scheduler.Draft{loses, wins}
			}
			written := &paper{}
			if _, err := scheduler.MakePlans(t.Context(), everybody(20), written, drafts, planTime); err != nil {
				t.Fatal(err)
			}
			for _, decision := range written.rows["run-wins"] {
				if decision.Verdict != policy.Allow {
					t.Fatalf("%s: somebody does not get it: %+v", name, decision)
				}
			}
			for _, decision := range written.rows["run-loses"] {
				if decision.Verdict != policy.Deny || decision.Reason != policy.FrequencyCap {
					t.Fatalf("%s: somebody's second message: %+v", name, decision)
				}
			}
		}
	}
}

// Two processes and a tick whose runs come one by one: those of schedules are planned together, by one of them.
func TestRunsOfOneTickArePlannedTogether(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := bookshop(t, target, 30)
		slot := func(priority int) func(*scheduler.Run) {
			return func(r *scheduler.Run) {
				r.FireAt, r.Occurrence, r.Priority, r.Frozen.Campaign.Priority = time.Now(), "2026-11-20T18:00", priority, priority
			}
		}
		low := create(t, s, planned(t, "low", slot(1)))
		middle := scheduler.Run{}
		made := make(chan struct{})
		go func() { // the tick goes on while the planners look
			defer close(made)
			time.Sleep(50 * time.Millisecond)
			middle = create(t, s, planned(t, "middle", slot(5)))
			time.Sleep(100 * time.Millisecond)
			create(t, s, planned(t, "high", slot(9)))
		}()
		passed := make(chan error, 2)
		for _, holder := range []string{"a", "b"} {
			p := planner(t, s, holder)
			go func() { passed <- p.Pass(t.Context()) }()
		}
		for range 2 {
			if err := <-passed; err != nil {
				t.Fatal(err)
			}
		}
		<-made
		runs, err := s.Runs(t.Context(), "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range runs {
			want := 0
			if run.CampaignID == "high" {
				want = 20
			}
			if run.State != scheduler.Running || run.Plan.Allowed != want || run.Plan.Allowed+run.Plan.Denied[policy.FrequencyCap] != 20 {
				t.Errorf("%s is %s: %+v", run.CampaignID, run.State, run.Plan)
			}
		}
		if low.ID == "" || middle.ID == "" || len(runs) != 3 {
			t.Errorf("%d runs", len(runs))
		}
	})
}
