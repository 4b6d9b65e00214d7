package sender_test

import (
	"testing"

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
