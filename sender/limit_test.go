package sender_test

import (
	"testing"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

func TestParseLimit(t *testing.T) {
	type told struct {
		people int
		known  bool
	}
	for tier, want := range map[string]told{
		"TIER_50": {50, true}, "TIER_250": {250, true}, "TIER_1K": {1000, true}, "tier_10k": {10000, true}, "TIER_100K": {100000, true},
		"TIER_UNLIMITED": {sender.AnyNumber, true}, "-1": {sender.AnyNumber, true}, "2000": {2000, true}, "TIER_NOT_SET": {}, "": {}, "-5": {}, "K": {},
	} {
		people, known := sender.ParseLimit(tier)
		if got := (told{people, known}); got != want {
			t.Errorf("ParseLimit(%q) = %v, want %v", tier, got, want)
		}
	}
}

// The breakers of guards stop whom they judge: the campaign's real runs, and of a number those with a guard.
func TestWhatGuardsStop(t *testing.T) {
	run := sender.Run{NumberID: "1", Kind: policy.Marketing, Guarded: true, Ask: policy.Ask{Campaign: "a"}}
	with := func(change func(*sender.Run)) sender.Run {
		changed := run
		change(&changed)
		return changed
	}
	stopped, low := sender.Stopped("a", "too many"), sender.LowQuality("1")
	for name, tt := range map[string]struct {
		run        sender.Run
		guard, low bool
	}{
		"the campaign":     {run, true, true},
		"a test of it":     {with(func(r *sender.Run) { r.Ask.Test, r.Guarded = true, false }), false, false},
		"another campaign": {with(func(r *sender.Run) { r.Ask.Campaign = "b" }), false, true},
		"without a guard":  {with(func(r *sender.Run) { r.Ask.Campaign, r.Guarded = "b", false }), false, false},
		"utility":          {with(func(r *sender.Run) { r.Kind = policy.Utility }), true, false},
		"another number":   {with(func(r *sender.Run) { r.NumberID = "2" }), true, false},
	} {
		if stopped.Stops(tt.run) != tt.guard || low.Stops(tt.run) != tt.low {
			t.Errorf("%s: the guard stops it: %t, low quality: %t", name, stopped.Stops(tt.run), low.Stops(tt.run))
		}
	}
	if id, quality := low.Number(); id != "1" || !quality || !stopped.OfGuard() || low.OfGuard() {
		t.Errorf("%q, %t, %t, %t", id, quality, stopped.OfGuard(), low.OfGuard())
	}
}
