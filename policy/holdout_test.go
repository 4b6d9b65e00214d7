package policy_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/policy"
)

var lots = policy.NewLots([]byte("the key of an installation of tests"))

// crowd makes persons from a seed.
func crowd(seed uint64, n int) []policy.PersonID {
	random := rand.New(rand.NewPCG(seed, 1))
	people := make([]policy.PersonID, n)
	for i := range people {
		binary.BigEndian.PutUint64(people[i][:8], uint64(i)) // such as keys that sort by time
		binary.BigEndian.PutUint64(people[i][8:], random.Uint64())
	}
	return people
}

// heldOut asks Decide; the holdout is all that could refuse.
func heldOut(t fataler, l *policy.Lots, person policy.PersonID, campaign string, own, universal policy.Share) bool {
	t.Helper()
	rules, facts := allowed()
	rules.Lots, rules.UniversalHoldout = l, universal
	facts.Person.ID, facts.Ask.Campaign, facts.Ask.Holdout = person, campaign, own
	switch got := policy.Decide(rules, facts); got {
	case yes:
		return false
	case deny(policy.Holdout, "holdout"):
		return true
	default:
		t.Errorf("the holdout of %s gives %+v", person, got)
		return false
	}
}

// TestHoldoutSharesAndIndependence draws 100,000 people for several campaigns and shares: each share is met within three
// sigma, and any two campaigns share as many people as two that know nothing of each other.
func TestHoldoutSharesAndIndependence(t *testing.T) {
	const n = 100_000
	people := crowd(20261204, n)
	within := func(what string, got int, p float64) {
		t.Helper()
		if sigma := math.Sqrt(n * p * (1 - p)); math.Abs(float64(got)-n*p) > 3*sigma {
			t.Errorf("%s: %d of %d, want %.0f within %.0f", what, got, n, n*p, 3*sigma)
		}
	}
	draws := []struct {
		campaign string
		share    policy.Share
		all      bool
	}{{"weekend-offer", 50_000, false}, {"monday-offer", 50_000, false}, {"weekend-offer-2", 200_000, false}, {"any", 20_000, true}}
	held := make([][]bool, len(draws))
	for i, d := range draws {
		held[i] = make([]bool, n)
		count := 0
		for k, person := range people {
			own, universal := d.share, policy.Share(0)
			if d.all {
				own, universal = 0, d.share
			}
			if held[i][k] = heldOut(t, lots, person, d.campaign, own, universal); held[i][k] {
				count++
			}
		}
		within(d.campaign, count, float64(d.share)/1e6)
		for j := range i {
			both := 0
			for k := range people {
				if held[i][k] && held[j][k] {
					both++
				}
			}
			within(d.campaign+" and "+draws[j].campaign, both, float64(d.share)/1e6*float64(draws[j].share)/1e6)
		}
	}
	// The universal holdout is the same people whatever the campaign, and another installation draws others.
	others, same := policy.NewLots([]byte("the key of another installation")), 0
	for k, person := range people[:20_000] {
		if heldOut(t, lots, person, "quite another", 0, 20_000) != held[3][k] {
			t.Fatalf("the universal holdout of %s hangs on the campaign", person)
		}
		if held[0][k] && heldOut(t, others, person, "weekend-offer", 50_000, 0) {
			same++
		}
	}
	if same > 100 { // 50 are expected
		t.Errorf("another key draws %d of the same 1,000", same)
	}
}

// TestHoldoutIsTheSameForEver holds the draw to what it was when it was first made: a version that drew others would write to
// people who were held out for months.
func TestHoldoutIsTheSameForEver(t *testing.T) {
	text := ""
	for _, person := range crowd(7, 64) {
		if heldOut(t, lots, person, "weekend-offer", 250_000, 0) {
			text += "1"
		} else {
			text += "0"
		}
	}
	const drawn = "0110011001000000000000001000000000000000000101111100000100001001"
	if text != drawn {
		t.Errorf("%s, want %s", text, drawn)
	}
}

func TestHoldoutAtItsEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var person policy.PersonID
		copy(person[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "person"))
		person[0] |= 1
		campaign := rapid.StringMatching(`[a-z0-9_-]{1,300}`).Draw(t, "campaign")
		if heldOut(t, lots, person, campaign, 0, 0) || heldOut(t, nil, policy.PersonID{}, campaign, 0, 0) {
			t.Fatal("0% holds somebody out")
		}
		if !heldOut(t, lots, person, campaign, policy.Everybody, 0) || !heldOut(t, lots, person, campaign, 0, policy.Everybody) {
			t.Fatal("100% lets somebody through")
		}
		less := policy.Share(rapid.IntRange(0, 1_000_000).Draw(t, "less"))
		more := policy.Share(rapid.IntRange(int(less), 1_000_000).Draw(t, "more"))
		if heldOut(t, lots, person, campaign, less, 0) && !heldOut(t, lots, person, campaign, more, 0) {
			t.Fatalf("held out at %s and not at %s", less, more)
		}
		// What it is drawn by is missing: nobody is let through by mistake.
		if !heldOut(t, nil, person, campaign, 1, 0) || !heldOut(t, lots, policy.PersonID{}, campaign, 0, 1) || !heldOut(t, lots, person, campaign, -1, 0) {
			t.Fatal("without the key, the person or a share that can be read somebody is let through")
		}
	})
}

func TestHoldoutByKindAndInTests(t *testing.T) {
	utilityTo := func(f *policy.Facts) { utility(f); f.Message.TemplateKind = policy.Utility }
	checkDecisions(t, []decideCase{
		{"universal, marketing", func(r *policy.Rules, f *policy.Facts) { r.UniversalHoldout = policy.Everybody }, deny(policy.Holdout, "holdout")},
		{"universal, utility", func(r *policy.Rules, f *policy.Facts) { utilityTo(f); r.UniversalHoldout = policy.Everybody }, yes},
		{"universal, utility that Meta calls marketing", func(r *policy.Rules, f *policy.Facts) {
			utilityTo(f)
			f.Message.TemplateKind, r.UniversalHoldout = policy.Marketing, policy.Everybody
		}, deny(policy.Holdout, "holdout")},
		{"campaign, utility", func(_ *policy.Rules, f *policy.Facts) { utilityTo(f); f.Ask.Holdout = policy.Everybody }, deny(policy.Holdout, "holdout")},
		{"test run", func(r *policy.Rules, f *policy.Facts) {
			r.UniversalHoldout, f.Ask.Holdout, f.Ask.Test = policy.Everybody, policy.Everybody, true
		}, yes},
		{"after the cooldown", func(_ *policy.Rules, f *policy.Facts) {
			f.Ask.Holdout, f.Person.CooldownUntil = policy.Everybody, friday.AddDate(0, 1, 0)
		}, deny(policy.MetaCooldown, "meta_cooldown")},
		{"before the template", func(_ *policy.Rules, f *policy.Facts) {
			f.Ask.Holdout, f.Message.TemplateFound = policy.Everybody, false
		}, deny(policy.Holdout, "holdout")},
	})
}

func TestExplainNamesTheHoldout(t *testing.T) {
	in := func(universal, own policy.Share) func(*policy.Rules, *policy.Facts) {
		return func(r *policy.Rules, f *policy.Facts) {
			r.Lots, f.Person.ID = lots, policy.PersonID{1}
			r.UniversalHoldout, f.Ask.Holdout = universal, own
		}
	}
	for _, c := range []struct {
		change func(*policy.Rules, *policy.Facts)
		want   string
	}{
		{in(0, 0), "No holdout is in force: nobody is left out by chance."},
		{in(1_000_000, 0), "This person is among the 100% who get no marketing at all, for comparison (policy.universal_holdout); who is drawn never changes."},
		{in(0, 1_000_000), "This person is among the 100% who do not get campaign weekend-offer, for comparison (holdout); who is drawn never changes."},
		{in(0, 1), "This person is not among the 0.0001% who do not get campaign weekend-offer, for comparison; who is drawn never changes."},
		{in(1, 0), "This person is not among the 0.0001% who get no marketing at all, for comparison; who is drawn never changes."},
		{in(1, 1), "This person is neither among the 0.0001% who get no marketing at all nor among the 0.0001% who do not get campaign weekend-offer, for comparison; who is drawn never changes."},
		{func(r *policy.Rules, f *policy.Facts) { in(20_000, 0)(r, f); utility(f) }, "The universal holdout is for marketing only, and this message is not."},
		{func(r *policy.Rules, f *policy.Facts) { in(20_000, 0)(r, f); r.Lots = nil },
			"Some people are held out, and the key that they are drawn by, or this person's, was not read: without it nothing is sent."},
		{func(r *policy.Rules, f *policy.Facts) { in(20_000, 0)(r, f); f.Ask.Test = true }, "Does not hold in a test run, which goes to the business's own test phones only."},
	} {
		if got := because(t, "holdout", c.change); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestTheKeyIsNowhere: rules are stored with each run and may be logged.
func TestTheKeyIsNowhere(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	rules, _ := allowed()
	rules.Lots, rules.UniversalHoldout = policy.NewLots(key), 20_000
	stored, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	without := rules
	without.Lots = nil
	if text, err := json.Marshal(without); err != nil || string(text) != string(stored) {
		t.Errorf("with the key the rules are stored as %s (%v)", stored, err)
	}
	for _, text := range []string{string(stored), fmt.Sprintf("%v %+v", rules, rules)} {
		if strings.Contains(text, string(key)) || strings.Contains(text, hex.EncodeToString(key)) || strings.Contains(text, strings.Trim(fmt.Sprint(key), "[]")) {
			t.Errorf("the key stands in %s", text)
		}
	}
	var empty policy.Rules
	if text, err := json.Marshal(empty); err != nil || strings.Contains(string(text), "Holdout") || strings.Contains(string(text), "Holidays") {
		t.Errorf("rules without holdout and holidays are %s (%v): the hash of every older run would change", text, err)
	}
}

func FuzzParseShare(f *testing.F) {
	for _, text := range []string{"5%", "0.5%", "0%", "100%", "100.0000%", "0.0001%", "12.3456%", "5", "101%", "-1%", "1.23456%", " 5%", "5 %", "٥%", "1e2%", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		share, err := policy.ParseShare(text)
		if err != nil {
			return
		}
		if share < 0 || share > policy.Everybody {
			t.Fatalf("%q is %d", text, share)
		}
		if again, err := policy.ParseShare(share.String()); err != nil || again != share {
			t.Fatalf("%q is %d, written %q and read as %d (%v)", text, share, share, again, err)
		}
	})
}

func TestParseShare(t *testing.T) {
	for text, want := range map[string]policy.Share{"5%": 50_000, "0.5%": 5_000, "0%": 0, "100%": 1_000_000, "0.0001%": 1, "12.3456%": 123_456, "007%": 70_000} {
		if got, err := policy.ParseShare(text); err != nil || got != want {
			t.Errorf("%q is %d (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"5", "101%", "100.0001%", "-1%", "1.23456%", ".5%", "5.%", "5 %", "%", "", "five%", "1e1%", "5%%", "5,5%"} {
		if got, err := policy.ParseShare(text); err == nil {
			t.Errorf("%q is taken as %s", text, got)
		}
	}
}
