package scheduler_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/scheduler"
)

func dueCampaign(cron string, rule scheduler.CatchUp, within time.Duration) scheduler.Campaign {
	return scheduler.Campaign{ID: "weekend", Schedule: &scheduler.Schedule{Cron: cron, Zone: "UTC", CatchUp: rule, CatchUpWithin: within}}
}

func TestDue(t *testing.T) {
	const since = "2026-11-16T12:00:00Z"
	for _, tt := range []struct {
		name, cron string
		rule       scheduler.CatchUp
		within     time.Duration
		now        string
		want       string // one word per slot, + starts and - does not
		says       string // in the first miss
	}{
		{"before", "0 18 * * *", "once", 2 * time.Hour, "2026-11-16T17:59:59Z", "", ""},
		{"punctual", "0 18 * * *", "once", 2 * time.Hour, "2026-11-16T18:00:00Z", "+16T18:00", ""},
		{"half an hour down", "0 18 * * *", "once", 2 * time.Hour, "2026-11-16T18:30:00Z", "+16T18:00", ""},
		{"to the second", "0 18 * * *", "once", 2 * time.Hour, "2026-11-16T20:00:00Z", "+16T18:00", ""},
		{"three hours down", "0 18 * * *", "once", 2 * time.Hour, "2026-11-16T21:00:00Z", "-16T18:00", "found 3h0m0s late (catch_up: once within 2h0m0s)"},
		{"three days down", "0 18 * * *", "once", 2 * time.Hour, "2026-11-19T15:00:00Z", "-16T18:00 -17T18:00 -18T18:00", "replaced by the later slot of 2026-11-18T18:00:00Z"},
		{"once starts the latest", "0 * * * *", "once", 2 * time.Hour, "2026-11-16T15:30:00Z", "-16T13:00 -16T14:00 +16T15:00", "replaced by the later slot"},
		{"all starts each within", "0 * * * *", "all", 2 * time.Hour, "2026-11-16T15:30:00Z", "-16T13:00 +16T14:00 +16T15:00", "found 2h30m0s late (catch_up: all within 2h0m0s)"},
		{"skip", "0 18 * * *", "skip", 0, "2026-11-16T18:01:01Z", "-16T18:00", "found 1m1s late (catch_up: skip)"},
		{"skip, found by the loop", "0 18 * * *", "skip", 0, "2026-11-16T18:00:15Z", "+16T18:00", ""},
		{"skip does not read within", "0 18 * * *", "skip", 24 * time.Hour, "2026-11-16T18:30:00Z", "-16T18:00", "skip"},
		{"no rule is skip", "0 18 * * *", "", 24 * time.Hour, "2026-11-16T18:30:00Z", "-16T18:00", "skip"},
		{"clock stepped back", "0 18 * * *", "all", time.Hour, "2026-11-10T18:00:00Z", "", ""},
		{"the mark itself was handled", "0 12 * * *", "all", time.Hour, "2026-11-16T12:30:00Z", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			due, err := scheduler.Due(dueCampaign(tt.cron, tt.rule, tt.within), instant(t, since), instant(t, tt.now))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			missed := ""
			for _, d := range due {
				sign := "-"
				if d.Start {
					sign = "+"
				}
				if d.Start != (d.Missed == "") || d.Campaign != "weekend" {
					t.Errorf("due %+v: a slot starts or says why not, under its campaign", d)
				}
				if missed == "" {
					missed = d.Missed
				}
				got = append(got, sign+strings.TrimPrefix(string(d.Local), "2026-11-"))
			}
			if strings.Join(got, " ") != tt.want || !strings.Contains(missed, tt.says) {
				t.Errorf("got %s (%s), want %s (%s)", strings.Join(got, " "), missed, tt.want, tt.says)
			}
		})
	}
}

func TestDueNeedsAMark(t *testing.T) {
	c := dueCampaign("0 18 * * *", "all", time.Hour)
	if due, err := scheduler.Due(c, time.Time{}, time.Now()); err == nil || due != nil {
		t.Errorf("Due without a mark = %v, %v; want an error", due, err)
	}
	c.Schedule.Zone = "Nowhere/Never"
	if due, err := scheduler.Due(c, time.Now(), time.Now()); err == nil || due != nil {
		t.Errorf("Due in an unknown zone = %v, %v; want an error", due, err)
	}
	if due, err := scheduler.Due(scheduler.Campaign{ID: "by hand"}, time.Time{}, time.Now()); err != nil || due != nil {
		t.Errorf("Due without a schedule = %v, %v; want nothing", due, err)
	}
}

// However often and irregularly the loop wakes, every slot is judged exactly once when the mark moves with what was judged.
func TestDueJudgesEachSlotOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := dueCampaign(rapid.SampledFrom([]string{"*/30 * * * *", "30 1,2 * * *", "0 * * * *", "0 18 * * *"}).Draw(t, "cron"),
			rapid.SampledFrom([]scheduler.CatchUp{"skip", "once", "all"}).Draw(t, "rule"), time.Hour)
		c.Schedule.Zone = rapid.SampledFrom(difficultZones).Draw(t, "zone")
		start := time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC)
		mark, now := start, start
		seen := map[scheduler.LocalTime]bool{}
		for now.Before(start.AddDate(0, 0, 10)) {
			now = now.Add(time.Duration(rapid.IntRange(1, 30*3600).Draw(t, "sleep")) * time.Second)
			due, err := scheduler.Due(c, mark, now)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range due {
				if seen[d.Local] {
					t.Fatalf("%s %s was judged twice", c.Schedule.Zone, d.Local)
				}
				if d.Start && now.Sub(d.At) > time.Hour {
					t.Fatalf("%s started %s late", d.Local, now.Sub(d.At))
				}
				seen[d.Local] = true
				mark = d.At
			}
		}
		all, err := c.Between(start, now.Add(time.Nanosecond))
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != len(seen) {
			t.Fatalf("%d slots passed, %d were judged", len(all), len(seen))
		}
	})
}
