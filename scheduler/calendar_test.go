package scheduler_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

var shopRules = policy.Rules{
	Categories: map[string]policy.Category{"offers": {ID: "offers", Kind: policy.Marketing}, "news": {ID: "news", Kind: policy.Marketing}, "orders": {ID: "orders", Kind: policy.Utility}},
	Caps: []policy.Cap{
		{Max: 3, Per: 7 * 24 * time.Hour, Kind: policy.Marketing},
		{Max: 1, Per: 24 * time.Hour, Kind: policy.Marketing},
		{Max: 1, Per: 7 * 24 * time.Hour, Category: "offers"},
	},
}

func TestCalendar(t *testing.T) {
	campaign := func(id, cron, category, number string, priority int) scheduler.Campaign {
		return scheduler.Campaign{ID: id, Category: category, Number: number, Priority: priority, Schedule: &scheduler.Schedule{Cron: cron, Zone: "Europe/Rome"}}
	}
	campaigns := []scheduler.Campaign{
		campaign("weekend", "0 18 * * FRI", "offers", "1", 0),
		campaign("letter", "0 18 * * FRI", "news", "2", 10),
		campaign("ready", "50 17 * * *", "orders", "1", 0),
		campaign("alone", "0 3 * * SUN", "news", "1", 0),
		campaign("an hour later", "0 19 * * FRI", "news", "1", 0),
		{ID: "by hand"},
	}
	fires, err := scheduler.Calendar(campaigns, shopRules, instant(t, "2027-03-25T12:00:00Z"), instant(t, "2027-03-29T12:00:00Z"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range fires {
		got = append(got, fmt.Sprintf("%s %s: %s", f.At.UTC().Format("02T15:04"), f.Campaign, strings.Join(f.Remarks(), "; ")))
	}
	want := []string{
		"25T16:50 ready: ",
		"26T16:50 ready: collides with letter, 10 min later; collides with weekend, 10 min later, on the same number",
		"26T17:00 letter: collides with weekend at the same moment, under one cap (of 1 per 24h, kind marketing): letter goes first; collides with ready, 10 min before",
		"26T17:00 weekend: collides with letter at the same moment, under one cap (of 1 per 24h, kind marketing): letter goes first; collides with ready, 10 min before, on the same number",
		"26T18:00 an hour later: ",
		"27T16:50 ready: ",
		"28T01:00 alone: ",
		"28T15:50 ready: ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCalendarKeepsItShort(t *testing.T) {
	var campaigns []scheduler.Campaign
	for i := range 8 {
		campaigns = append(campaigns, scheduler.Campaign{ID: fmt.Sprintf("c%d", i), Number: fmt.Sprint(i), Schedule: &scheduler.Schedule{Cron: fmt.Sprintf("%d 2 * * *", i*5), Zone: "Europe/Rome"}})
	}
	fires, err := scheduler.Calendar(campaigns, policy.Rules{}, instant(t, "2027-03-28T00:00:00Z"), instant(t, "2027-03-28T02:00:00Z"))
	if err != nil || len(fires) != 8 {
		t.Fatalf("%d fires, %v", len(fires), err)
	}
	remarks := fires[4].Remarks()
	if len(remarks) != 5 || remarks[0] != "the clocks skip 2027-03-28T02:20 that day: the first moment after it" || !strings.HasSuffix(remarks[1], "at the same moment") || remarks[4] != "collides with 4 more" {
		t.Errorf("%q", remarks)
	}
	broken := append(campaigns, scheduler.Campaign{ID: "broken", Schedule: &scheduler.Schedule{Cron: "rubbish", Zone: "UTC"}})
	if _, err := scheduler.Calendar(broken, policy.Rules{}, time.Unix(0, 0), time.Unix(1, 0)); err == nil || !strings.Contains(err.Error(), "campaign broken") {
		t.Errorf("a schedule that cannot be read: %v", err)
	}
}

// The sliding window finds what comparing everything with everything finds.
func TestCalendarAgainstEveryPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var campaigns []scheduler.Campaign
		for i := range rapid.IntRange(1, 8).Draw(t, "campaigns") {
			cron := fmt.Sprintf("%d %s * * *", rapid.IntRange(0, 59).Draw(t, "minute"), rapid.SampledFrom([]string{"*", "*/2", "1,2,3", "2"}).Draw(t, "hours"))
			campaigns = append(campaigns, scheduler.Campaign{ID: fmt.Sprint(i), Schedule: &scheduler.Schedule{Cron: cron, Zone: rapid.SampledFrom(difficultZones).Draw(t, "zone")}})
		}
		from := time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC)
		fires, err := scheduler.Calendar(campaigns, policy.Rules{}, from, from.AddDate(0, 0, 3))
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range fires {
			nearest := map[string]time.Duration{}
			for _, other := range fires {
				away := other.At.Sub(f.At).Abs()
				if known, met := nearest[other.Campaign]; other.Campaign != f.Campaign && away < time.Hour && (!met || away < known) {
					nearest[other.Campaign] = away
				}
			}
			if len(nearest) != len(f.Near)+f.More || len(f.Near) != min(3, len(nearest)) {
				t.Fatalf("fire %d: %d near and %d more, want %d", i, len(f.Near), f.More, len(nearest))
			}
			last := time.Duration(0)
			for _, n := range f.Near {
				if nearest[n.Campaign] != n.Away.Abs() || n.Away.Abs() < last {
					t.Fatalf("fire %d: %+v, want the nearest first of %v", i, f.Near, nearest)
				}
				last = n.Away.Abs()
			}
			if f.More > 0 {
				for campaign, away := range nearest {
					if away < last && !slices.ContainsFunc(f.Near, func(n scheduler.Neighbour) bool { return n.Campaign == campaign }) {
						t.Fatalf("fire %d: %s is nearer than %+v", i, campaign, f.Near)
					}
				}
			}
		}
	})
}
