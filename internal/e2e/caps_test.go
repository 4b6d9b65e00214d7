package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
)

// threeCampaigns go out over two numbers.
func threeCampaigns(more func(id string) string) string {
	campaigns := ""
	for id, number := range map[string]string{"one": numberID, "two": otherNumber, "three": numberID} {
		campaigns += ofNumber(id, number) + more(id)
	}
	return campaigns
}

// Three campaigns fire at one moment over two numbers and two workers, under a cap of one: each person gets exactly one message, of
// the campaign with the highest priority (CONTRACT §6.5).
func TestThreeCampaignsOneSlot(t *testing.T) {
	t.Parallel()
	const people = 400
	priority := map[string]int{"one": 1, "two": 9, "three": 5}
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 200, policy: onePerDay, both: true, campaigns: threeCampaigns(func(string) string { return "" })})
		all := h.plainPeople(people)
		houses, serving := []*house{h}, []*process{h.serve()}
		if strings.HasPrefix(target, "postgres") {
			n := h.neighbour()
			houses, serving = append(houses, n), append(serving, n.serve())
		}
		appoint(houses, serving, func(at string) string {
			return threeCampaigns(func(id string) string {
				return fmt.Sprintf("    priority: %d\n    schedule: {at: %s}\n", priority[id], at)
			})
		})
		h.eventually("all three have a run", func() error {
			if runs := h.runs(); len(runs) != 3 {
				return fmt.Errorf("%d runs", len(runs))
			}
			return nil
		})
		for _, r := range h.runs() {
			lines := h.ends(r.Run)
			got, want := countBy(lines, stateOf), map[string]int{"skipped": people}
			if r.Campaign == "two" {
				want = map[string]int{"accepted": people}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || len(lines) != people {
				t.Errorf("%s: %v, want %v", r.Campaign, got, want)
			}
		}
		h.everyone(all)

		// The losers are told what they lost, and to whom.
		for _, r := range h.runs("--campaign", "one") {
			report := object[struct {
				LostTo map[string]int `json:"lost_to"`
			}](h, "report", "--run", r.Run)
			if len(report.LostTo) != 1 || report.LostTo["two"] != people {
				t.Errorf("lost to %v, want %d to two", report.LostTo, people)
			}
		}
	})
}

// The same with plans that know nothing of each other, and a worker that is killed in the middle: the gate alone decides, and
// nobody gets two.
func TestCapWhenAWorkerDies(t *testing.T) {
	t.Parallel()
	const people = 500
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 100, policy: onePerDay, both: true, campaigns: threeCampaigns(func(string) string { return "" })})
		h.meta.with(func(f *faults) { f.statuses, f.latency = everyStatus, 20*time.Millisecond })
		h.meta.hooks.hold()
		all := h.plainPeople(people)
		planning := h.serve("--only", "scheduler")
		var runs []string
		for _, campaign := range []string{"one", "two", "three"} {
			run := strings.TrimSpace(h.must("run", campaign, "--detach"))
			h.eventually("it is planned", func() error {
				if r := object[runLine](h, "runs", "show", run); r.States["queued"] != people {
					return fmt.Errorf("%s: %v", r.State, r.States)
				}
				return nil
			})
			runs = append(runs, run)
		}
		planning.signal(syscall.SIGTERM)
		planning.wait(patience)

		dies := h.serve()
		if strings.HasPrefix(target, "postgres") {
			h.neighbour().serve()
		}
		h.meta.atLeast(people / 4)
		dies.kill()
		if !strings.HasPrefix(target, "postgres") {
			h.serve()
		}
		sent, unknown := map[string]string{}, map[string]bool{}
		for _, run := range runs {
			for who, line := range h.ends(run) {
				switch {
				case line.State == "accepted" && sent[who] != "":
					t.Errorf("…%s got %s and %s", who[len(who)-5:], sent[who], line.Campaign)
				case line.State == "accepted":
					sent[who] = line.Campaign
				case line.State == "unknown":
					unknown[who] = true // it counts in the cap: nobody can know whether they got it
				case line.State != "skipped" || line.Reason != "frequency_cap":
					t.Errorf("…%s is %s (%s)", who[len(who)-5:], line.State, line.Reason)
				}
			}
		}
		got := takenOnce(t, h.meta.posts())
		for _, who := range all {
			if _, posted := got[who]; !posted && !unknown[who] {
				t.Errorf("…%s got nothing, and nothing of theirs was lost", who[len(who)-5:])
			}
			if sent[who] != "" && unknown[who] {
				t.Errorf("…%s has an unknown message, and got another", who[len(who)-5:])
			}
		}
		t.Logf("%d posted, %d unknown", len(got), len(unknown))
	})
}
