package policy_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/policy"
)

func TestGuardJudges(t *testing.T) {
	fifteen, tenth, none := 15.0, policy.Share(100_000), 0.0
	both := &policy.Guard{OptOutsPer1000: &fifteen, Failures: &tenth}
	for name, tt := range map[string]struct {
		guard *policy.Guard
		heard policy.Heard
		want  string
	}{
		"no guard":                           {nil, policy.Heard{Taken: 100, OptOuts: 100, Ended: 100, Failed: 100}, ""},
		"nothing was sent":                   {both, policy.Heard{}, ""},
		"one of three":                       {both, policy.Heard{Taken: 3, OptOuts: 1, Ended: 3, Failed: 1}, ""},
		"three of three":                     {both, policy.Heard{Taken: 3, OptOuts: 3, Ended: 3, Failed: 3}, ""},
		"two of thirty":                      {both, policy.Heard{Taken: 30, OptOuts: 2, Ended: 30}, ""},
		"one of five in the least sample":    {both, policy.Heard{Taken: 30, OptOuts: 6, Ended: 30}, "6 of 30 people opted out, 200 of 1,000, and the guard allows 15 (opt_outs_per_1000)"},
		"at the limit":                       {both, policy.Heard{Taken: 10_000, OptOuts: 150, Ended: 10_000, Failed: 1000}, ""},
		"a little above, and it may be luck": {both, policy.Heard{Taken: 1000, OptOuts: 20, Ended: 1000}, ""},
		"above":                              {both, policy.Heard{Taken: 10_000, OptOuts: 190, Ended: 10_000}, "190 of 10000 people opted out, 19 of 1,000, and the guard allows 15 (opt_outs_per_1000)"},
		"a third fails":                      {both, policy.Heard{Taken: 80, Ended: 120, Failed: 40}, "40 of 120 messages failed, 33.3 %, and the guard allows 10% (failures)"},
		"failures are not asked for":         {&policy.Guard{OptOutsPer1000: &fifteen}, policy.Heard{Taken: 10, Ended: 120, Failed: 110}, ""},
		"none is allowed":                    {&policy.Guard{OptOutsPer1000: &none}, policy.Heard{Taken: 10_000, OptOuts: 3, Ended: 10_000}, "3 of 10000 people opted out, 0.3 of 1,000, and the guard allows 0 (opt_outs_per_1000)"},
	} {
		if got := tt.guard.Judge(tt.heard); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// More that goes wrong never makes a guard milder, nor a higher limit stricter; and no run is stopped that is within its limit.
func TestGuardIsMonotonic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.Float64Range(0, 500).Draw(t, "limit")
		taken := rapid.IntRange(0, 5000).Draw(t, "taken")
		outs := rapid.IntRange(0, taken).Draw(t, "opt-outs")
		judge := func(most float64, outs int) bool {
			return (&policy.Guard{OptOutsPer1000: &most}).Judge(policy.Heard{Taken: taken, OptOuts: outs, Ended: taken}) != ""
		}
		stops := judge(most, outs)
		if stops && (outs < taken && !judge(most, outs+1) || !judge(most/2, outs)) {
			t.Errorf("%d of %d stop at %g, and worse does not", outs, taken, most)
		}
		if stops && float64(outs) <= most/1000*float64(taken) {
			t.Errorf("%d of %d are within %g of 1,000", outs, taken, most)
		}
	})
}

func personOf(n int) (id policy.PersonID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n)+1)
	return id
}

func TestWavesAreDrawn(t *testing.T) {
	lots, others := policy.NewLots([]byte("key")), policy.NewLots([]byte("another"))
	fire := time.Date(2026, 11, 27, 18, 0, 0, 0, time.UTC)
	ask := policy.Ask{Campaign: "weekend-offer", FireAt: fire, Waves: []policy.Share{10_000, 50_000, 200_000}}
	next := ask
	next.FireAt = fire.AddDate(0, 0, 7)
	counts, otherKey, otherRun := [4]int{}, 0, 0
	const people = 20_000
	for n := range people {
		k := lots.Wave(personOf(n), &ask)
		counts[k]++
		if again := policy.NewLots([]byte("key")).Wave(personOf(n), &ask); again != k {
			t.Fatalf("drawn again, the person is of wave %d, not %d", again, k)
		}
		if k == 0 && others.Wave(personOf(n), &ask) == 0 {
			otherKey++
		}
		if k == 0 && lots.Wave(personOf(n), &next) == 0 {
			otherRun++
		}
	}
	for k, share := range []float64{0.01, 0.04, 0.15, 0.8} {
		if got := float64(counts[k]) / people; got < share*0.8 || got > share*1.2 {
			t.Errorf("wave %d has %.4f of the people, want %.2f", k, got, share)
		}
	}
	if otherKey > 20 || otherRun > 20 {
		t.Errorf("of %d in the first wave %d are by another key, and %d the week after", counts[0], otherKey, otherRun)
	}
	var nobody *policy.Lots
	if nobody.Wave(personOf(1), &ask) != 3 || lots.Wave(policy.PersonID{}, &ask) != 3 {
		t.Error("who cannot be drawn is not in the rest")
	}
}

// A wave that begins earlier never has somebody wait longer, and who waits does so until their own wave.
func TestWavesWait(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 11, 27, 18, 0, rapid.IntRange(0, 59).Draw(t, "second"), 0, time.UTC)
		waves, open := rapid.IntRange(1, 5).Draw(t, "waves"), rapid.IntRange(0, 5).Draw(t, "open")
		over := time.Time{}
		if rapid.Bool().Draw(t, "sent") {
			over = now.Add(-time.Duration(rapid.IntRange(0, 900).Draw(t, "ago")) * time.Second)
		}
		at := policy.WavesAt(waves, open, over, now)
		if len(at) != waves+1 || !slices.IsSortedFunc(at, time.Time.Compare) {
			t.Fatalf("%v", at)
		}
		for k, begins := range at {
			if (k <= open) != begins.IsZero() || k > open && !begins.After(now) {
				t.Fatalf("wave %d, with %d open, begins at %s", k, open, begins)
			}
			if k == open+1 && !over.IsZero() && now.Before(over.Add(policy.WaveWatch-5*time.Second)) && !begins.Equal(over.Add(policy.WaveWatch)) {
				t.Fatalf("the next begins at %s, %s after the last message", begins, begins.Sub(over))
			}
		}
	})
}

// limited is a case in which all but the limit and the guard allow.
func limited(change func(*policy.Facts)) (policy.Rules, policy.Facts) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	rules := policy.Rules{Categories: map[string]policy.Category{"offers": {ID: "offers", Kind: policy.Marketing}}, Lots: policy.NewLots([]byte("key"))}
	facts := policy.Facts{
		Now: now, Ask: policy.Ask{Campaign: "weekend-offer", Category: "offers", FireAt: now, Zone: "Europe/Rome"},
		Person: policy.Person{ID: personOf(1), Known: true, Country: "IT", Zone: "Europe/Rome", SuppressionsRead: true, ConsentsRead: true, SendsRead: true,
			Consents: map[string]policy.Consent{"offers": {Action: policy.Granted, At: now.Add(-time.Hour), Source: "web_form"}}},
		Message: policy.Message{InAudience: true, TemplateFound: true, TemplateStatus: "APPROVED", TemplateKind: policy.Marketing},
	}
	change(&facts)
	return rules, facts
}

func TestLimitAndGuardDecide(t *testing.T) {
	tomorrow := time.Date(2026, 11, 28, 12, 1, 0, 0, time.UTC)
	later := func(f *policy.Facts) { f.Message.Full, f.Message.PlaceAt = true, tomorrow }
	wave := func(f *policy.Facts) {
		f.Ask.Waves, f.Ask.WavesAt = []policy.Share{1}, []time.Time{{}, f.Now.Add(policy.WaveWatch)}
	}
	for name, tt := range map[string]struct {
		change func(*policy.Facts)
		want   policy.Decision
		says   string
	}{
		"nothing holds": {func(*policy.Facts) {}, policy.Decision{Verdict: policy.Allow}, "none is known to hold"},
		"full":          {later, policy.Decision{Verdict: policy.Defer, Reason: policy.MessagingLimit, Rule: "messaging_limit", Until: tomorrow}, "there is a place at 2026-11-28 13:01:00 +01:00"},
		"full, in a test": {func(f *policy.Facts) { later(f); f.Ask.Test = true },
			policy.Decision{Verdict: policy.Defer, Reason: policy.MessagingLimit, Rule: "messaging_limit", Until: tomorrow}, "is reached"},
		"a limit of nobody":  {func(f *policy.Facts) { f.Message.Full = true }, policy.Decision{Reason: policy.MessagingLimit, Rule: "messaging_limit"}, "nobody may be written to"},
		"the place has come": {func(f *policy.Facts) { later(f); f.Now = tomorrow }, policy.Decision{Verdict: policy.Allow}, "a place for this person"},
		"the offer ends before": {func(f *policy.Facts) { later(f); f.Ask.NotAfter = tomorrow.Add(-time.Minute) },
			policy.Decision{Reason: policy.NotAfter, Rule: "not_after"}, "is reached"},
		"the window ends before": {func(f *policy.Facts) { later(f); f.Ask.Window = &policy.Window{From: 600, To: 1140, In: "recipient"} },
			policy.Decision{Reason: policy.OutsideWindow, Rule: "window"}, "is reached"},
		"a later wave":            {wave, policy.Decision{Verdict: policy.Defer, Reason: policy.QualityGuard, Rule: "quality_guard", Until: time.Date(2026, 11, 27, 12, 5, 0, 0, time.UTC)}, "of the rest, which begins at 2026-11-27 13:05:00"},
		"a later wave, in a test": {func(f *policy.Facts) { wave(f); f.Ask.Test = true }, policy.Decision{Verdict: policy.Allow}, "test run"},
		"a wave that has begun":   {func(f *policy.Facts) { wave(f); f.Ask.WavesAt = nil }, policy.Decision{Verdict: policy.Allow}, "which has begun"},
		"stopped":                 {func(f *policy.Facts) { f.Ask.Stopped = "too many opted out" }, policy.Decision{Reason: policy.QualityGuard, Rule: "quality_guard"}, "is held back: too many opted out."},
		"full, of a later wave": {func(f *policy.Facts) { wave(f); later(f) },
			policy.Decision{Verdict: policy.Defer, Reason: policy.MessagingLimit, Rule: "messaging_limit", Until: tomorrow}, "is reached"},
	} {
		rules, facts := limited(tt.change)
		if got := policy.Decide(rules, facts); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
		said := ""
		for _, j := range policy.Explain(rules, facts) {
			if j.Rule == "messaging_limit" || j.Rule == "quality_guard" {
				said += j.Because
			}
		}
		if !strings.Contains(said, tt.says) {
			t.Errorf("%s: explained as %q", name, said)
		}
	}
}
