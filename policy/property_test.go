package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/policy"
)

// zoneNames are zones with every kind of clock change: at midnight, of half an hour, by night, none, and far from UTC.
var zoneNames = []string{
	"Europe/Rome", "Europe/London", "Europe/Dublin", "America/New_York", "America/Sao_Paulo", "America/Santiago", "America/Havana", "America/St_Johns",
	"America/Nuuk", "Africa/Cairo", "Africa/Casablanca", "Asia/Beirut", "Asia/Gaza", "Asia/Jerusalem", "Asia/Kolkata", "Asia/Kathmandu",
	"Australia/Lord_Howe", "Australia/Sydney", "Antarctica/Troll", "Pacific/Apia", "Pacific/Chatham", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC",
}

// transitions returns the clock changes of a zone from 2025 to 2028.
func transitions(zone string) []time.Time {
	location, ok := sharedLocations.Load(zone)
	if !ok {
		panic("the test needs zone " + zone)
	}
	var all []time.Time
	for t := at("2025-01-01T00:00:00Z"); ; {
		_, end := t.In(location).ZoneBounds()
		if end.IsZero() || end.Year() > 2028 {
			return all
		}
		all, t = append(all, end), end
	}
}

// moment draws a time, usually near a clock change of the zone.
func moment(t *rapid.T, zone, label string) time.Time {
	base := at("2026-06-01T00:00:00Z")
	if changes := transitions(zone); len(changes) > 0 && rapid.IntRange(0, 3).Draw(t, label+" near change") > 0 {
		base = rapid.SampledFrom(changes).Draw(t, label+" change")
	}
	return base.Add(time.Duration(rapid.IntRange(-36*60*60, 36*60*60).Draw(t, label+" seconds")) * time.Second)
}

func timeOfDay(t *rapid.T, label string) policy.TimeOfDay {
	return policy.TimeOfDay(rapid.OneOf(rapid.IntRange(0, 1440), rapid.SampledFrom([]int{0, 60, 90, 120, 150, 180, 1380, 1440})).Draw(t, label))
}

// within tells the wall time of t in the zone, and whether it is from included to excluded.
func within(zone string, t time.Time, from, to policy.TimeOfDay) bool {
	location, _ := sharedLocations.Load(zone)
	local := t.In(location)
	clock := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second
	start, end := time.Duration(from)*time.Minute, time.Duration(to)*time.Minute
	if from < to {
		return start <= clock && clock < end
	}
	return from > to && (start <= clock || clock < end)
}

func TestWindowsAndQuietHoursInEveryZone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, facts := allowed()
		rules.Caps, facts.Ask.NotAfter, rules.QuietHours = nil, time.Time{}, nil
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(zoneNames), 1, 3, rapid.ID[string]).Draw(t, "zones")
		facts.Person.Zone, facts.Person.Zones = "", names
		window := policy.Window{From: timeOfDay(t, "from"), To: timeOfDay(t, "to"), In: "recipient"}
		facts.Ask.Window = &window
		if rapid.Bool().Draw(t, "quiet") {
			rules.QuietHours = &policy.QuietHours{From: timeOfDay(t, "quiet from"), To: timeOfDay(t, "quiet to")}
		}
		if rapid.IntRange(0, 4).Draw(t, "no window") == 0 {
			facts.Ask.Window = nil
		}
		facts.Ask.FireAt = moment(t, names[0], "fire")
		facts.Now = facts.Ask.FireAt.Add(time.Duration(rapid.IntRange(0, 40*60).Draw(t, "after")) * time.Minute)
		facts.Person.Consents["offers"] = policy.Consent{Action: policy.Granted, At: facts.Now}

		inside := func(when time.Time) bool {
			for _, name := range names {
				if facts.Ask.Window != nil && !within(name, when, window.From, window.To) {
					return false
				}
				if q := rules.QuietHours; q != nil && (q.From == q.To || within(name, when, q.From, q.To)) {
					return false
				}
			}
			return true
		}
		got := policy.Decide(rules, facts)
		checkExplained(t, rules, facts)
		switch got.Verdict {
		case policy.Allow:
			if !inside(facts.Now) {
				t.Fatalf("allowed at %v, which is outside in one of %v", facts.Now, names)
			}
		case policy.Defer:
			checkDeferral(t, rules, facts, got, inside)
		case policy.Deny:
			if facts.Ask.Window == nil && inside(facts.Now) {
				t.Fatalf("refused at %v, which is inside", facts.Now)
			}
			checkNoneLater(t, rules, facts)
		}
	})
}

// checkDeferral checks that a deferral ends where everything allows, and no later than need be.
func checkDeferral(t *rapid.T, rules policy.Rules, facts policy.Facts, got policy.Decision, inside func(time.Time) bool) {
	if !got.Until.After(facts.Now) || !inside(got.Until) {
		t.Fatalf("deferred at %v until %v, which is not a later moment inside", facts.Now, got.Until)
	}
	for step := facts.Now; step.Before(got.Until); step = step.Add(7 * time.Minute) {
		earlier := facts
		earlier.Now = step
		if policy.Decide(rules, earlier).Verdict == policy.Allow {
			t.Fatalf("deferred until %v, and %v is allowed already", got.Until, step)
		}
	}
	facts.Now = got.Until
	if then := policy.Decide(rules, facts); then.Verdict != policy.Allow {
		t.Fatalf("deferred until %v, when the answer is %+v", got.Until, then)
	}
}

// checkNoneLater checks that what was refused for its time is not allowed later in the run.
func checkNoneLater(t *rapid.T, rules policy.Rules, facts policy.Facts) {
	for range 200 {
		facts.Now = facts.Now.Add(13 * time.Minute)
		if got := policy.Decide(rules, facts); got.Verdict != policy.Deny {
			t.Fatalf("refused, and at %v the answer is %+v", facts.Now, got)
		}
	}
}

func TestOneZoneAlwaysHasAWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, facts := allowed()
		rules.Caps, rules.QuietHours, facts.Ask.NotAfter = nil, nil, time.Time{}
		zone := rapid.SampledFrom(zoneNames).Draw(t, "zone")
		facts.Person.Zone = zone
		window := policy.Window{From: timeOfDay(t, "from"), To: timeOfDay(t, "to")}
		if window.From == window.To || (window.From == 1440 && window.To == 0) {
			window = policy.Window{From: 18 * 60, To: 20 * 60}
		}
		facts.Ask.Window = &window
		facts.Now = moment(t, zone, "now")
		facts.Ask.FireAt = facts.Now
		facts.Person.Consents["offers"] = policy.Consent{Action: policy.Granted, At: facts.Now}
		got := policy.Decide(rules, facts)
		if got.Verdict == policy.Deny {
			t.Fatalf("at the fire time %v in %s: %+v", facts.Now, zone, got)
		}
		if want := within(zone, facts.Now, window.From, window.To); want != (got.Verdict == policy.Allow) {
			t.Fatalf("at the fire time %v in %s: %+v, inside is %v", facts.Now, zone, got, want)
		}
		if got.Verdict == policy.Defer && got.Until.Sub(facts.Now) > 49*time.Hour {
			t.Fatalf("at the fire time %v in %s: waits until %v", facts.Now, zone, got.Until)
		}
	})
}

func TestWindowsOnDaysOfClockChange(t *testing.T) {
	for _, c := range []struct {
		name, zone string
		from, to   policy.TimeOfDay
		fire       string
		start, end string // of the person's window
	}{
		{"gap at the start", "Europe/Rome", 2*60 + 30, 5 * 60, "2027-03-28T00:00:00+01:00", "2027-03-28T01:00:00Z", "2027-03-28T03:00:00Z"},
		{"gap at the end", "Europe/Rome", 60, 2*60 + 30, "2027-03-28T00:00:00+01:00", "2027-03-28T00:00:00Z", "2027-03-28T01:00:00Z"},
		{"gap swallows the window", "Europe/Rome", 2 * 60, 3 * 60, "2027-03-28T00:00:00+01:00", "2027-03-29T00:00:00Z", "2027-03-29T01:00:00Z"},
		{"told twice at the start: the first", "Europe/Rome", 2*60 + 30, 5 * 60, "2026-10-25T00:00:00+02:00", "2026-10-25T00:30:00Z", "2026-10-25T04:00:00Z"},
		{"told twice at the end: the last", "Europe/Rome", 60, 2*60 + 30, "2026-10-25T00:00:00+02:00", "2026-10-24T23:00:00Z", "2026-10-25T01:30:00Z"},
		{"the evening of a long day", "Europe/Rome", 18 * 60, 20 * 60, "2026-10-25T18:00:00+01:00", "2026-10-25T17:00:00Z", "2026-10-25T19:00:00Z"},
		{"over midnight into a short day", "Europe/Rome", 22 * 60, 4 * 60, "2027-03-27T21:00:00+01:00", "2027-03-27T21:00:00Z", "2027-03-28T02:00:00Z"},
		{"a day without midnight", "America/Santiago", 0, 2 * 60, "2026-09-05T20:00:00-04:00", "2026-09-06T04:00:00Z", "2026-09-06T05:00:00Z"},
		{"half an hour", "Australia/Lord_Howe", 2*60 + 15, 4 * 60, "2026-10-04T01:00:00+10:30", "2026-10-03T15:30:00Z", "2026-10-03T17:00:00Z"},
		{"the day a country left out", "Pacific/Apia", 9 * 60, 10 * 60, "2011-12-29T12:00:00-10:00", "2011-12-30T19:00:00Z", "2011-12-30T20:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules, facts := allowed()
			rules.Caps, rules.QuietHours, facts.Ask.NotAfter = nil, nil, time.Time{}
			facts.Person.Zone, facts.Ask.Window, facts.Ask.FireAt = c.zone, &policy.Window{From: c.from, To: c.to}, at(c.fire)
			facts.Now = facts.Ask.FireAt
			facts.Person.Consents["offers"] = policy.Consent{Action: policy.Granted, At: facts.Now}
			if got := policy.Decide(rules, facts); got != later(policy.OutsideWindow, "window", c.start) && facts.Now.Before(at(c.start)) {
				t.Errorf("at the fire time: %+v, want to wait until %s", got, c.start)
			}
			for when, want := range map[time.Time]policy.Verdict{
				at(c.start): policy.Allow, at(c.end).Add(-time.Second): policy.Allow, at(c.end): policy.Deny,
			} {
				facts.Now = when
				if got := policy.Decide(rules, facts); got.Verdict != want {
					t.Errorf("at %v: %+v, want %v", when, got, want)
				}
			}
		})
	}
}

func TestHourToldTwiceIsNotInsideByDateAlone(t *testing.T) {
	rules, facts := allowed()
	rules.Caps, rules.QuietHours, facts.Ask.NotAfter = nil, nil, time.Time{}
	facts.Ask.Window, facts.Ask.FireAt = &policy.Window{From: 2*60 + 30, To: 5 * 60}, at("2026-10-25T00:00:00+02:00")
	facts.Now = at("2026-10-25T02:10:00+01:00") // told for the second time
	if got := policy.Decide(rules, facts); got != later(policy.OutsideWindow, "window", "2026-10-25T01:30:00Z") {
		t.Errorf("at 02:10 told again: %+v", got)
	}
}

func TestCapsAgainstCounting(t *testing.T) {
	kinds := []policy.Kind{"", policy.Marketing, policy.Utility}
	rapid.Check(t, func(t *rapid.T) {
		rules, facts := allowed()
		rules.QuietHours, facts.Ask.NotAfter, facts.Person.Zone = nil, time.Time{}, "UTC"
		facts.Now = at("2026-12-04T12:00:00Z")
		facts.Ask.FireAt, facts.Ask.Window = facts.Now, &policy.Window{From: 0, To: 1440}
		if rapid.Bool().Draw(t, "utility") {
			utility(&facts)
		}
		if rapid.IntRange(0, 3).Draw(t, "reclassified") == 0 {
			facts.Message.TemplateKind = policy.Marketing
		}
		rules.Caps = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) policy.Cap {
			return policy.Cap{
				Max: rapid.IntRange(0, 4).Draw(t, "max"), Per: time.Duration(rapid.IntRange(1, 72).Draw(t, "hours")) * time.Hour,
				Kind:     rapid.SampledFrom(kinds).Draw(t, "kind"),
				Category: rapid.SampledFrom([]string{"", "", "offers", "orders"}).Draw(t, "category"),
				Campaign: rapid.SampledFrom([]string{"", "", "weekend-offer", "other"}).Draw(t, "campaign"),
			}
		}), 0, 4).Draw(t, "caps")
		facts.Person.Sends = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) policy.Send {
			return policy.Send{
				At:   facts.Now.Add(-time.Duration(rapid.IntRange(-5, 60*60).Draw(t, "minutes ago")) * time.Minute),
				Kind: rapid.SampledFrom(kinds[1:]).Draw(t, "kind"), Category: rapid.SampledFrom([]string{"offers", "orders"}).Draw(t, "category"),
				Campaign: rapid.SampledFrom([]string{"weekend-offer", "other"}).Draw(t, "campaign"),
			}
		}), 0, 12).Draw(t, "sends")

		want := policy.Decision{Verdict: policy.Deny, Reason: policy.FrequencyCap, Rule: "frequency_cap"}
		switch free, never := firstFree(rules, facts); {
		case never || !free.Before(at("2026-12-05T00:00:00Z")):
		case free.Equal(facts.Now):
			want = yes
		default:
			want.Verdict, want.Until = policy.Defer, free
		}
		if got := policy.Decide(rules, facts); got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
		checkExplained(t, rules, facts)
	})
}

// firstFree looks at every minute until all caps have room.
func firstFree(rules policy.Rules, facts policy.Facts) (free time.Time, never bool) {
	marketing := facts.Ask.Category == "offers" || facts.Message.TemplateKind == policy.Marketing
	category := rules.Categories[facts.Ask.Category]
	for free = facts.Now; ; free = free.Add(time.Minute) {
		room := true
		for _, c := range rules.Caps {
			unnamed := c.Kind == "" && c.Category == "" && c.Campaign == ""
			if unnamed {
				c.Kind = policy.Marketing
			}
			if c.Kind != "" && c.Kind != category.Kind && !(c.Kind == policy.Marketing && marketing) ||
				unnamed && !marketing || c.Category != "" && c.Category != category.ID || c.Campaign != "" && c.Campaign != facts.Ask.Campaign {
				continue
			}
			if c.Max == 0 {
				return free, true
			}
			n := 0
			for _, s := range facts.Person.Sends {
				if s.At.After(free.Add(-c.Per)) && (c.Kind == "" || c.Kind == s.Kind) && (c.Category == "" || c.Category == s.Category) && (c.Campaign == "" || c.Campaign == s.Campaign) {
					n++
				}
			}
			room = room && n < c.Max
		}
		if room {
			return free, false
		}
	}
}

func TestReasonIsTheFirstOfTheList(t *testing.T) {
	breaks := []struct {
		reason policy.Reason
		change func(*policy.Rules, *policy.Facts)
	}{
		{policy.UnknownContact, func(_ *policy.Rules, f *policy.Facts) { f.Person.Known = false }},
		{policy.NotInAudience, func(_ *policy.Rules, f *policy.Facts) { f.Message.InAudience = false }},
		{policy.Erased, func(_ *policy.Rules, f *policy.Facts) { f.Person.Erased = true }},
		{policy.InvalidNumber, func(_ *policy.Rules, f *policy.Facts) { f.Person.InvalidNumber = true }},
		{policy.Suppressed, stop(policy.ScopeAll)},
		{policy.OptOutReview, func(_ *policy.Rules, f *policy.Facts) { f.Person.OptOutReview = true }},
		{policy.ConsentRevoked, func(_ *policy.Rules, f *policy.Facts) {
			f.Person.Consents["offers"] = policy.Consent{Action: policy.Revoked}
		}},
		{policy.Country, func(_ *policy.Rules, f *policy.Facts) { f.Person.Country = "" }},
		{policy.Unreachable, func(_ *policy.Rules, f *policy.Facts) { f.Person.Unreachable = true }},
		{policy.MetaCooldown, func(_ *policy.Rules, f *policy.Facts) { f.Person.CooldownUntil = friday.AddDate(0, 1, 0) }},
		{policy.NoTemplate, func(_ *policy.Rules, f *policy.Facts) { f.Message.TemplateFound = false }},
		{policy.TemplateNotApproved, func(_ *policy.Rules, f *policy.Facts) { f.Message.TemplateStatus = "DISABLED" }},
		{policy.MissingParameter, func(_ *policy.Rules, f *policy.Facts) { f.Message.MissingParameter = "name" }},
		{policy.NotAfter, func(_ *policy.Rules, f *policy.Facts) { f.Ask.NotAfter = friday.Add(-time.Hour) }},
		{policy.OutsideWindow, func(_ *policy.Rules, f *policy.Facts) { f.Ask.FireAt = friday.AddDate(0, 0, -2) }},
		{policy.InQuietHours, func(r *policy.Rules, _ *policy.Facts) { r.QuietHours = &policy.QuietHours{From: 0, To: 1440} }},
		{policy.FrequencyCap, func(_ *policy.Rules, f *policy.Facts) { f.Person.SendsRead = false }},
		{policy.MaxRecipients, func(_ *policy.Rules, f *policy.Facts) { f.Message.Ahead = 60000 }},
	}
	rapid.Check(t, func(t *rapid.T) {
		rules, facts := allowed()
		want := policy.Reason("")
		for _, b := range breaks {
			if rapid.IntRange(0, 3).Draw(t, string(b.reason)) == 0 {
				b.change(&rules, &facts)
				if want == "" {
					want = b.reason
				}
			}
		}
		got := policy.Decide(rules, facts)
		if got.Reason != want || (got.Verdict == policy.Allow) != (want == "") || got.Verdict == policy.Defer {
			t.Fatalf("%+v, want reason %q", got, want)
		}
		checkExplained(t, rules, facts)
	})
}

func TestConsentFoldsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) policy.ConsentEvent {
			return policy.ConsentEvent{
				Category: "offers", Action: rapid.SampledFrom([]policy.Action{policy.Granted, policy.Pending, policy.Confirmed, policy.Revoked, policy.Expired}).Draw(t, "action"),
				At: friday.Add(time.Duration(rapid.IntRange(0, 4).Draw(t, "at")) * time.Hour), Source: rapid.SampledFrom(policy.Sources()).Draw(t, "source"),
			}
		}), 1, 8).Draw(t, "events")
		fold := func(events []policy.ConsentEvent) (c policy.Consent) {
			for _, e := range events {
				c = c.After(policy.Consent{Action: e.Action, At: e.At, Source: e.Source})
			}
			return c
		}
		want := fold(events)
		again := append(slices.Clone(events), events...)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		random.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		if got := fold(again); got != want {
			t.Fatalf("%+v in one order, %+v in another", want, got)
		}
		for _, e := range events {
			if e.Action == policy.Pending {
				continue // it neither gives consent nor takes one away
			}
			if want.Action == policy.Pending || e.At.After(want.At) || (e.At.Equal(want.At) && e.Action == policy.Revoked && want.Action != policy.Revoked) {
				t.Fatalf("%+v stands although %+v is later or refuses", want, e)
			}
		}
	})
}

func TestSuppressionLattice(t *testing.T) {
	later := func(a, b time.Time) time.Time {
		if b.After(a) {
			return b
		}
		return a
	}
	rapid.Check(t, func(t *rapid.T) {
		type act struct {
			at   time.Time
			lift bool
		}
		acts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) act {
			return act{friday.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "at")) * time.Minute), rapid.Bool().Draw(t, "lift")}
		}), 0, 8).Draw(t, "acts")
		s := policy.Suppression{Scope: policy.ScopeAll, At: friday}
		last := act{at: friday}
		for _, a := range acts {
			if a.lift {
				s.LiftedAt = later(s.LiftedAt, a.at)
			} else {
				s.At = later(s.At, a.at)
			}
			if a.at.After(last.at) || (a.at.Equal(last.at) && !a.lift) {
				last = a
			}
		}
		if s.Active() == last.lift {
			t.Fatalf("active is %v after %+v, whose last is %+v", s.Active(), acts, last)
		}
	})
	origins := []policy.Origin{policy.OriginKeyword, policy.OriginButton, policy.OriginPage, policy.OriginMetaStop, policy.OriginMeta1050, policy.OriginOperator, policy.OriginImport}
	for _, o := range append(origins, "something new") {
		hands := 0
		for _, lifts := range []bool{o.LiftedByPerson(), o.LiftedByMeta(), o.LiftedByOperator()} {
			if lifts {
				hands++
			}
		}
		if (hands == 1) != slices.Contains(origins, o) || hands > 1 {
			t.Errorf("origin %s is lifted by %d hands", o, hands)
		}
	}
}

func TestWiderScopesCoverMore(t *testing.T) {
	for _, kind := range []policy.Kind{policy.Marketing, policy.Utility, policy.Authentication} {
		category := policy.Category{ID: "a", Kind: kind}
		for scope, want := range map[policy.Scope]bool{
			policy.ScopeAll: true, policy.ScopeKind(kind): true, policy.ScopeCategory("a"): true, policy.ScopeCategory("b"): false,
			policy.ScopeKind("promotion"): true, "": true, "everything": true, policy.ScopeKind(policy.Marketing): kind == policy.Marketing,
		} {
			if got := scope.Covers(category); got != want {
				t.Errorf("scope %q covers %s: %v", scope, kind, got)
			}
		}
	}
}

func TestEffectiveKindIsTheStricter(t *testing.T) {
	for _, c := range []struct{ category, template, want policy.Kind }{
		{policy.Marketing, policy.Marketing, policy.Marketing}, {policy.Marketing, policy.Utility, policy.Marketing},
		{policy.Utility, policy.Marketing, policy.Marketing}, {policy.Utility, policy.Utility, policy.Utility},
		{policy.Authentication, policy.Utility, policy.Authentication}, {policy.Utility, "", policy.Marketing}, {"", policy.Utility, policy.Marketing},
	} {
		if got := policy.EffectiveKind(c.category, c.template); got != c.want {
			t.Errorf("category %q, template %q: %q, want %q", c.category, c.template, got, c.want)
		}
	}
}

func FuzzParseScope(f *testing.F) {
	for _, seed := range []string{"", "all", " all ", "kind:marketing", "kind:utility", "kind:promotion", "category:offers", "category:", "category:a:b", "All", "marketing", "\x00", "kind:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scope, err := policy.ParseScope(text)
		if err != nil {
			if scope != "" {
				t.Fatalf("%q gives %q and an error", text, scope)
			}
			return
		}
		if again, err := policy.ParseScope(string(scope)); err != nil || again != scope {
			t.Fatalf("%q gives %q, which gives %q, %v", text, scope, again, err)
		}
		if covers := scope.Covers(policy.Category{ID: "no such category", Kind: policy.Marketing}); covers && scope != policy.ScopeAll && scope != policy.ScopeKind(policy.Marketing) &&
			scope != policy.ScopeCategory("no such category") {
			t.Fatalf("scope %q covers what it does not name", scope)
		}
	})
}

func TestLocations(t *testing.T) {
	for name, locations := range map[string]*policy.Locations{"new": policy.NewLocations(), "nil": nil, "zero": new(policy.Locations)} {
		for range 2 {
			if location, ok := locations.Load("Europe/Rome"); !ok || location.String() != "Europe/Rome" {
				t.Errorf("%s: Europe/Rome is %v, %v", name, location, ok)
			}
			for _, bad := range []string{"", "Local", "Europe/Atlantis", "../etc/passwd"} {
				if location, ok := locations.Load(bad); ok || location != nil {
					t.Errorf("%s: %q is %v", name, bad, location)
				}
			}
		}
	}
}

func TestLocationsStayUsefulAmongRubbish(t *testing.T) {
	locations := policy.NewLocations()
	done := make(chan struct{})
	for worker := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 300 {
				locations.Load(fmt.Sprintf("Nowhere/%d-%d", worker, i))
				if _, ok := locations.Load(zoneNames[i%len(zoneNames)]); !ok {
					t.Errorf("zone %s is lost", zoneNames[i%len(zoneNames)])
				}
			}
		}()
	}
	for range 4 {
		<-done
	}
}
