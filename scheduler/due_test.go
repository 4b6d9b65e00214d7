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
			c := dueCampaign(tt.cron, tt.rule, tt.within)
			due, err := scheduler.Due(c, instant(t, since), instant(t, tt.now))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			missed := ""
			for _, slot := range due {
				verdict, sign := c.Judge(slot, due[len(due)-1], scheduler.Former{}, instant(t, tt.now)), "+"
				if verdict.Missed != "" {
					sign = "-"
				}
				if verdict.Waits || slot.Campaign != "weekend" {
					t.Errorf("%+v: %+v; nothing is there to wait for", slot, verdict)
				}
				if missed == "" {
					missed = verdict.Missed
				}
				got = append(got, sign+strings.TrimPrefix(string(slot.Local), "2026-11-"))
			}
			if strings.Join(got, " ") != tt.want || !strings.Contains(missed, tt.says) {
				t.Errorf("got %s (%s), want %s (%s)", strings.Join(got, " "), missed, tt.want, tt.says)
			}
		})
	}
}

// A slot that is due while the run before it is open, or was.
func TestJudgeOverlap(t *testing.T) {
	const open, ended = "20261116-1200-abc", "ended "
	for _, tt := range []struct {
		name    string
		overlap scheduler.Overlap
		rule    scheduler.CatchUp // within two hours
		former  string            // open, or when it ended
		latest  string            // "" for the slot itself, of 14:00
		now     string
		want    string // starts, waits, or what the miss says
	}{
		{"skip: the former run is open", "skip", "once", open, "", "14:00:05", "its run 20261116-1200-abc was not over yet (overlap: skip)"},
		{"skip: no rule is skip", "", "once", open, "", "14:00:05", "(overlap: skip)"},
		{"skip: late as well", "skip", "skip", open, "", "14:30:00", "found 30m0s late (catch_up: skip)"},
		{"skip: what ended late does not excuse", "skip", "skip", ended + "14:29:50", "", "14:30:00", "found 30m0s late (catch_up: skip)"},
		{"skip: over in time", "skip", "skip", ended + "13:59:59", "", "14:00:05", "starts"},

		{"queue, skip: waits", "queue", "skip", open, "", "14:00:05", "waits"},
		{"queue, skip: waits for hours", "queue", "skip", open, "", "23:00:00", "waits"},
		{"queue, skip: starts when it can", "queue", "skip", ended + "22:59:50", "", "23:00:00", "starts"},
		{"queue, skip: late after it could", "queue", "skip", ended + "20:00:00", "", "23:00:00", "found 9h0m0s late (catch_up: skip)"},
		{"queue, skip: late for no run", "queue", "skip", ended + "13:00:00", "", "14:30:00", "found 30m0s late (catch_up: skip)"},
		{"queue, skip: the next slot comes", "queue", "skip", open, "15:00", "15:00:05", "still waited for the run before it when the slot of 2026-11-16T15:00:00Z came (overlap: queue, catch_up: skip)"},
		{"queue, skip: the next slot came before it could start", "queue", "skip", ended + "15:00:01", "15:00", "15:00:05", "still waited"},

		{"queue, once: waits", "queue", "once", open, "", "15:59:59", "waits"},
		{"queue, once: starts when it can", "queue", "once", ended + "15:30:00", "", "15:59:59", "starts"},
		{"queue, once: too long", "queue", "once", open, "", "16:00:01", "it waited for the run before it until it was 2h0m1s late (overlap: queue, catch_up: once within 2h0m0s)"},
		{"queue, once: the next slot comes", "queue", "once", open, "15:00", "15:00:05", "replaced by the later slot of 2026-11-16T15:00:00Z (catch_up: once)"},
		{"queue, all: waits beside the next", "queue", "all", open, "15:00", "15:00:05", "waits"},
		{"queue, all: too long", "queue", "all", open, "16:00", "16:00:05", "waited for the run before it"},
		{"queue, all: late, nothing to wait for", "queue", "all", ended + "13:00:00", "", "16:00:05", "found 2h0m5s late (catch_up: all within 2h0m0s)"},

		{"queue: until not_after", "queue", "skip", open, "", "23:30:01", "still waited for the run before it at not_after 2026-11-16T23:30:00Z (overlap: queue)"},
		{"not_after does not hold a punctual slot", "skip", "all", ended + "13:00:00", "", "14:00:05", "starts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dueCampaign("0 * * * *", tt.rule, 2*time.Hour)
			c.Schedule.Overlap, c.NotAfter = tt.overlap, instant(t, "2026-11-16T23:30:00Z")
			slot := scheduler.Occurrence{Campaign: c.ID, At: instant(t, "2026-11-16T14:00:00Z"), Local: "2026-11-16T14:00"}
			latest := slot
			if tt.latest != "" {
				latest.At = instant(t, "2026-11-16T"+tt.latest+":00Z")
			}
			former := scheduler.Former{Open: tt.former}
			if at, over := strings.CutPrefix(tt.former, ended); over {
				former = scheduler.Former{Ended: instant(t, "2026-11-16T"+at+"Z")}
			}
			verdict := c.Judge(slot, latest, former, instant(t, "2026-11-16T"+tt.now+"Z"))
			got := verdict.Missed
			switch verdict {
			case scheduler.Verdict{}:
				got = "starts"
			case scheduler.Verdict{Waits: true}:
				got = "waits"
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
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
				if c.Judge(d, due[len(due)-1], scheduler.Former{}, now).Missed == "" && now.Sub(d.At) > time.Hour {
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
