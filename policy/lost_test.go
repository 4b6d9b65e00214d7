package policy_test

import (
	"testing"
	"time"

	"github.com/permesso/permesso/policy"
)

func TestTookSlot(t *testing.T) {
	now := time.Date(2026, 11, 20, 17, 0, 0, 0, time.UTC)
	send := func(campaign string, before time.Duration) policy.Send {
		return policy.Send{At: now.Add(-before), Kind: policy.Marketing, Category: "offers", Campaign: campaign}
	}
	utility := send("orders", time.Hour)
	utility.Kind, utility.Category = policy.Utility, "orders"
	day := policy.Cap{Max: 1, Per: 24 * time.Hour, Kind: policy.Marketing}
	week := policy.Cap{Max: 2, Per: 7 * 24 * time.Hour}
	for name, tt := range map[string]struct {
		caps  []policy.Cap
		sends []policy.Send
		want  string
	}{
		"the one before":            {[]policy.Cap{day}, []policy.Send{send("a", time.Hour)}, "a"},
		"at the same moment":        {[]policy.Cap{day}, []policy.Send{send("a", 0)}, "a"},
		"the latest of two":         {[]policy.Cap{week}, []policy.Send{send("a", 3*time.Hour), send("b", 2*time.Hour)}, "b"},
		"another kind":              {[]policy.Cap{day}, []policy.Send{utility}, ""},
		"another kind later":        {[]policy.Cap{day}, []policy.Send{send("a", 2*time.Hour), utility}, "a"},
		"out of the span":           {[]policy.Cap{day}, []policy.Send{send("a", 24*time.Hour)}, ""},
		"the cap that was full":     {[]policy.Cap{week, day}, []policy.Send{send("a", time.Hour)}, "a"},
		"booked, and left after":    {[]policy.Cap{day}, []policy.Send{send("c", -2*time.Hour), send("a", -time.Hour)}, "a"},
		"never":                     {[]policy.Cap{{Max: 0, Per: time.Hour}}, []policy.Send{send("a", time.Minute)}, ""},
		"it failed since":           {[]policy.Cap{day}, nil, ""},
		"a cap of another category": {[]policy.Cap{{Max: 1, Per: 24 * time.Hour, Category: "news"}}, []policy.Send{send("a", time.Hour)}, ""},
	} {
		took, ok := policy.TookSlot(policy.Rules{Caps: tt.caps}, policy.Send{At: now, Kind: policy.Marketing, Category: "offers", Campaign: "mine"}, tt.sends)
		if ok != (tt.want != "") || took.Campaign != tt.want {
			t.Errorf("%s: %q, %t; want %q", name, took.Campaign, ok, tt.want)
		}
	}
}
