package scheduler_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// However places are asked for, no more are held at once than there are, nobody waits while one is free, and nobody who asks later
// for a later time is promised an earlier one.
func TestPlacesAreNeverMoreThanTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 8).Draw(t, "limit")
		var frees []scheduler.Freed
		var held []time.Time // until when each is held
		at := planTime
		for range rapid.IntRange(0, 5).Draw(t, "minutes") {
			at = at.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "later")) * time.Minute)
			n := rapid.IntRange(1, 3).Draw(t, "people")
			frees = append(frees, scheduler.Freed{At: at, People: n})
			for range n {
				held = append(held, at)
			}
		}
		places := scheduler.NewPlaces(limit, frees)
		asks := planTime
		for range rapid.IntRange(1, 40).Draw(t, "asks") {
			asks = asks.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "pause")) * time.Minute)
			got, ok := places.Take(asks)
			if !ok || got.Before(asks) {
				t.Fatalf("asked for at %s, a place is promised at %s, %t", asks, got, ok)
			}
			taken := func(at time.Time) (n int) {
				for _, until := range held {
					if until.After(at) {
						n++
					}
				}
				return n
			}
			if taken(got) >= limit {
				t.Fatalf("at %s all %d places are held, and one more is promised", got, limit)
			}
			if got.After(asks) && taken(asks) < limit {
				t.Fatalf("at %s a place is free, and one at %s is promised", asks, got)
			}
			held = append(held, scheduler.FreedAt(got))
		}
	})
	if at, ok := new(scheduler.Places).Take(planTime); !ok || !at.Equal(planTime) {
		t.Error("without a limit somebody waits")
	}
	none := scheduler.NewPlaces(0, nil)
	if _, ok := none.Take(planTime); ok {
		t.Error("a limit of nobody has a place")
	}
}

// Campaigns that are planned together share the places, the higher one first; who has had a message has one already.
func TestPlansKeepToTheMessagingLimit(t *testing.T) {
	people := everybody(20)
	for i := range 3 {
		people.people[i].Person.Sends = []policy.Send{{At: planTime.Add(-time.Hour), Kind: policy.Utility, Category: "orders", Campaign: "x"}}
	}
	uncapped := func(r *scheduler.Run) { r.Frozen.Rules.Caps = nil }
	high := planned(t, "high", uncapped, func(r *scheduler.Run) { r.Priority = 5 })
	low := planned(t, "low", uncapped)
	frees := []scheduler.Freed{{At: planTime.Add(time.Hour), People: 2}, {At: planTime.Add(23 * time.Hour), People: 1}}
	places := scheduler.NewPlaces(10, frees)
	high.Within(&places)
	low.Within(&places)
	written := &paper{}
	plans, err := scheduler.MakePlans(t.Context(), people, written, []*scheduler.Draft{low, high}, planTime)
	if err != nil {
		t.Fatal(err)
	}
	for i, plan := range plans {
		if plan.Matched != plan.Allowed+plan.Deferred || plan.Allowed != 10 {
			t.Errorf("plan %d: %d matched, %d allowed, %d deferred", i, plan.Matched, plan.Allowed, plan.Deferred)
		}
	}
	var untils []time.Time
	for _, decision := range written.rows["run-high"] {
		if decision.Verdict == policy.Defer {
			if decision.Reason != policy.MessagingLimit {
				t.Errorf("somebody waits for %s", decision.Reason)
			}
			untils = append(untils, decision.Until)
		}
	}
	slices.SortFunc(untils, time.Time.Compare)
	// Seven places are free, and two, and one; the next are those that the first seven of today give back.
	if len(untils) != 10 || !untils[1].Equal(planTime.Add(time.Hour)) || !untils[2].Equal(planTime.Add(23*time.Hour)) || !untils[3].Equal(scheduler.FreedAt(planTime)) {
		t.Errorf("they wait until %v", untils)
	}
	if plans[0].FinishAt.Before(planTime.Add(24 * time.Hour)) {
		t.Errorf("done by %s", plans[0].FinishAt)
	}
	// Counted each as if it were alone, both have all the places.
	places = scheduler.NewPlaces(10, slices.Clone(frees))
	alone, err := scheduler.CountEach(t.Context(), people, []*scheduler.Draft{low, high}, planTime)
	if err != nil || alone[0].Allowed != 10 || alone[1].Allowed != 10 {
		t.Errorf("alone: %+v, %v", alone, err)
	}
}

// A plan has its waves: who is of the first leaves at once, the others at their wave's time, in order.
func TestPlansHaveWaves(t *testing.T) {
	lots := policy.NewLots([]byte("key"))
	waves := func(r *scheduler.Run) {
		r.Frozen.Rules.Lots = lots
		r.Frozen.Campaign.Waves = []policy.Share{200_000, 500_000}
	}
	draft := planned(t, "a", waves)
	written := &paper{}
	people := everybody(100)
	for i := range people.people {
		people.people[i].Person.ID = people.people[i].Contact.PersonID
	}
	plans, err := scheduler.MakePlans(t.Context(), people, written, []*scheduler.Draft{draft}, planTime)
	if err != nil {
		t.Fatal(err)
	}
	plan, ask := plans[0], draft.Run.Ask()
	if len(plan.Waves) != 3 || plan.Waves[0].People != plan.Allowed || plan.Waves[1].People+plan.Waves[2].People != plan.Deferred || plan.Matched != plan.Allowed+plan.Deferred {
		t.Fatalf("%+v", plan)
	}
	untils := [3]time.Time{}
	for id, decision := range written.rows["run-a"] {
		k := lots.Wave(id, &ask)
		if k > 0 && (decision.Verdict != policy.Defer || decision.Reason != policy.QualityGuard) || k == 0 && decision.Verdict != policy.Allow {
			t.Errorf("of wave %d somebody gets %+v", k, decision)
		}
		if !untils[k].IsZero() && !untils[k].Equal(decision.Until) {
			t.Errorf("people of wave %d wait until %s and %s", k, untils[k], decision.Until)
		}
		untils[k] = decision.Until
	}
	if untils[1].Sub(planTime) < policy.WaveWatch || untils[2].Sub(untils[1]) < policy.WaveWatch || plan.FinishAt.Before(untils[2]) || plan.FinishAt.Sub(planTime) > 12*time.Minute {
		t.Errorf("the waves wait until %v, and all is done by %s", untils, plan.FinishAt)
	}
	// A test goes to its few phones at once.
	test := planned(t, "t", waves, func(r *scheduler.Run) {
		r.Test, r.Frozen.TestPhones = true, []string{string(somebody(1).Contact.Phone)}
	})
	if plans, err := scheduler.MakePlans(t.Context(), everybody(3), nil, []*scheduler.Draft{test}, planTime); err != nil || plans[0].Allowed != 1 || plans[0].Waves != nil {
		t.Errorf("a test: %+v, %v", plans, err)
	}
}

func TestWaveSteps(t *testing.T) {
	over := planTime.Add(-policy.WaveWatch)
	for name, tt := range map[string]struct {
		look scheduler.WaveLook
		want scheduler.WaveStep
	}{
		"not planned yet":              {scheduler.WaveLook{Sent: true}, scheduler.WaveStays},
		"somebody is to be sent to":    {scheduler.WaveLook{Planned: true, Ready: true, Sent: true}, scheduler.WaveStays},
		"all were":                     {scheduler.WaveLook{Planned: true, Sent: true}, scheduler.WaveEnds},
		"all were but some who wait":   {scheduler.WaveLook{Planned: true, Sent: true, Held: true}, scheduler.WaveEnds},
		"all wait for their hours":     {scheduler.WaveLook{Planned: true, Held: true}, scheduler.WaveStays},
		"a wave of nobody":             {scheduler.WaveLook{Planned: true}, scheduler.WaveNext},
		"watched for a moment too few": {scheduler.WaveLook{Planned: true, Over: over.Add(time.Microsecond)}, scheduler.WaveStays},
		"watched":                      {scheduler.WaveLook{Planned: true, Over: over}, scheduler.WaveNext},
	} {
		if got := tt.look.Next(planTime); got != tt.want {
			t.Errorf("%s: step %d, want %d", name, got, tt.want)
		}
	}
}
