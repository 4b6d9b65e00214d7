package scheduler_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/scheduler"
)

// After a restore no slot of the past starts: those without a run are missed, whatever catch_up says, the next one starts, and
// a clock that stands behind what was judged starts none of those either.
func TestSkip(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		begin := time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
		all := func(c *scheduler.Schedule) { c.CatchUp, c.CatchUpWithin = scheduler.CatchUpAll, 24*time.Hour }
		hourly, edited, byHand := scheduled("hourly", "0 * * * *", all), scheduled("edited", "0 * * * *", all), scheduled("by-hand", "0 * * * *")
		byHand.Schedule = nil
		loop := newScheduler(over{Store: s}, s, hourly, edited, byHand)
		for _, at := range []time.Time{begin, begin.Add(time.Hour)} {
			if err := tickAt(t.Context(), loop, at); err != nil {
				t.Fatal(err)
			}
		}
		// The backup is of now. In what was lost 12:00 and 13:00 ran; a campaign came, and one was edited.
		edited.Schedule.Cron = "15 * * * *"
		fresh := scheduled("fresh", "0 * * * *", all)
		loop = newScheduler(over{Store: s}, s, hourly, edited, byHand, fresh)
		now, until := begin.Add(2*time.Hour), begin.Add(3*time.Hour+40*time.Minute) // 12:30, and 14:10 was judged: the clock went back
		// Three by the schedule of each that is on record, one by the edited one's new schedule, two of the new campaign.
		skipped, err := loop.Skip(t.Context(), now, until, "restored")
		if err != nil || skipped != 3+3+1+2 {
			t.Errorf("Skip = %d, %v, want 9 slots", skipped, err)
		}
		if again, err := loop.Skip(t.Context(), now, until, "restored"); again != 0 || err != nil {
			t.Errorf("Skip again = %d, %v", again, err)
		}
		if err := tickAt(t.Context(), loop, now); err != nil {
			t.Fatal(err)
		}
		if err := tickAt(t.Context(), loop, begin.Add(4*time.Hour+35*time.Minute)); err != nil { // 15:05
			t.Fatal(err)
		}
		started := func(campaign string) []string {
			return slices.DeleteFunc(history(t, s, campaign), func(line string) bool { return strings.HasSuffix(line, "missed") })
		}
		for campaign, want := range map[string][]string{
			"hourly":  {"2026-11-21T11:00 done", "2026-11-21T15:00 done"},
			"edited":  {"2026-11-21T11:00 done", "2026-11-21T14:15 done"},
			"fresh":   {"2026-11-21T15:00 done"},
			"by-hand": nil,
		} {
			if diff := cmp.Diff(want, started(campaign)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", campaign, diff)
			}
		}
		for _, run := range missedRuns(t, s, "hourly") {
			if run.Why != "restored" {
				t.Errorf("slot %s is missed: %q", run.Occurrence, run.Why)
			}
		}
	})
}

func missedRuns(t *testing.T, s *store.Store, campaign string) []scheduler.Run {
	t.Helper()
	runs, err := s.Runs(t.Context(), campaign, 0)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(runs, func(r scheduler.Run) bool { return r.State != scheduler.Missed })
}
