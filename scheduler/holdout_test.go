package scheduler_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// heldRows are the people of a run whose rows say that they are held out.
func heldRows(t *testing.T, s *store.Store, run string) map[string]bool {
	t.Helper()
	held := map[string]bool{}
	for line, err := range s.Log(t.Context(), report.Filter{Run: run}) {
		if err != nil {
			t.Fatal(err)
		}
		if line.Reason != policy.Holdout {
			continue
		}
		if line.State != sender.Skipped {
			t.Errorf("a row that is held out is %s", line.State)
		}
		held[line.Phone] = true
	}
	return held
}

// The planner, a later run, another process and the gate draw the same people; another campaign draws others, but for those
// who get no marketing at all.
func TestHoldoutAtPlanAndAtGate(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		const own, universal = 200_000, 100_000
		s := bookshop(t, target, 300)
		draft := func(campaign string, own policy.Share) *scheduler.Draft {
			return planned(t, campaign, func(r *scheduler.Run) {
				r.FireAt, r.Frozen.Rules.Caps, r.Occurrence = time.Now(), nil, time.Now().Format(time.RFC3339Nano)
				r.Frozen.Campaign.Holdout, r.Frozen.Rules.UniversalHoldout = own, universal
			})
		}
		plan := func(s *store.Store, campaign string, own policy.Share) map[string]bool {
			t.Helper()
			run := create(t, s, draft(campaign, own))
			if err := planner(t, s, "a").Pass(t.Context()); err != nil {
				t.Fatal(err)
			}
			run, err := s.Run(t.Context(), run.ID)
			if err != nil {
				t.Fatal(err)
			}
			held := heldRows(t, s, run.ID)
			p := run.Plan
			if _, counted := p.Denied[policy.Holdout]; counted || p.Holdout != len(held) || p.Matched != 300 || p.Matched != p.Allowed+p.Deferred+p.Holdout+sum(p.Denied) {
				t.Errorf("%s: %d rows are held out, and the plan says %+v", campaign, len(held), p)
			}
			return held
		}
		first := plan(s, "first", own)
		if len(first) < 25 || len(first) > 90 { // of 200 who consented, 28 % are 56
			t.Errorf("%d people are held out", len(first))
		}
		again := plan(storetest.Open(t, target), "first", own) // as after a restart
		other, everywhere := plan(s, "other", own), plan(s, "third", 0)
		differs := 0
		for who := range first {
			if !again[who] {
				t.Errorf("%s is held out of one run of the campaign, and not of the next", who)
			}
			if !other[who] {
				differs++
			}
		}
		for who := range everywhere {
			if !first[who] || !other[who] {
				t.Error("somebody of the universal holdout gets a campaign")
			}
		}
		if len(again) != len(first) || differs == 0 || len(everywhere) == 0 {
			t.Errorf("%d and then %d are held out, %d of them of one campaign only, %d of all", len(first), len(again), differs, len(everywhere))
		}
		checkGateHoldsOut(t, s, draft("first", own), first)
	})
}

// checkGateHoldsOut brings everybody to the gate as if the planner had let them pass.
func checkGateHoldsOut(t *testing.T, s *store.Store, draft *scheduler.Draft, held map[string]bool) {
	t.Helper()
	run := create(t, s, draft)
	var rows []scheduler.Row
	for n := range 300 {
		people, err := s.Find(t.Context(), phone.Number(fmt.Sprintf("+39347%07d", n)))
		if err != nil || len(people) != 1 {
			t.Fatalf("%v, %v", people, err)
		}
		rows = append(rows, scheduler.Row{PersonID: people[0], Decision: policy.Decision{Verdict: policy.Allow}})
	}
	if err := s.Enqueue(t.Context(), run.ID, rows); err != nil {
		t.Fatal(err)
	}
	queued, err := s.Queued(t.Context(), sender.Page{RunID: run.ID, Limit: 1000})
	if err != nil || len(queued) != 300 {
		t.Fatalf("%d rows are queued, %v", len(queued), err)
	}
	var gates []sender.GateRow
	for _, row := range queued {
		gates = append(gates, sender.GateRow{PersonID: row.PersonID, AttemptID: sender.AttemptID(row.PersonID), Language: "it", Person: row.Person})
	}
	if run, err = s.Run(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	answers, _, err := s.Gate(t.Context(), run.ForSender(), gates)
	if err != nil {
		t.Fatal(err)
	}
	for i, answer := range answers {
		if to := string(queued[i].To.Phone); held[to] != (answer.Decision.Reason == policy.Holdout) {
			t.Errorf("%s: the planner held out is %t, and the gate says %+v", to, held[to], answer)
		}
	}
	if n := len(heldRows(t, s, run.ID)); n != len(held) {
		t.Errorf("%d rows are held out at the gate, want %d", n, len(held))
	}
}
