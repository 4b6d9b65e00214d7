package policy_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/policy"
)

func holidaysOf(closed []policy.ClosedDay, countries ...string) *policy.Holidays {
	h, err := policy.NewHolidays(countries, closed)
	if err != nil {
		panic(err)
	}
	return h
}

// onDay is a person in Italy asked at a moment, by a campaign without caps.
func onDay(moment string, h *policy.Holidays, change ...func(*policy.Rules, *policy.Facts)) func(*policy.Rules, *policy.Facts) {
	return func(r *policy.Rules, f *policy.Facts) {
		r.Caps, r.Holidays, f.Ask.NotAfter = nil, h, time.Time{}
		f.Now, f.Ask.FireAt = at(moment), at(moment)
		f.Person.Consents["offers"] = policy.Consent{Action: policy.Granted, At: f.Now}
		for _, c := range change {
			c(r, f)
		}
	}
}

func noWindow(_ *policy.Rules, f *policy.Facts) { f.Ask.Window = nil }

func TestDecideAboutHolidays(t *testing.T) {
	italy := holidaysOf(nil, "IT", "FR")
	august := holidaysOf([]policy.ClosedDay{{Date: "2026-08-17", Name: "Chiusura estiva"}, {Date: "2026-08-16", Name: "Chiusura estiva"}}, "IT")
	country := func(code string) func(*policy.Rules, *policy.Facts) {
		return func(r *policy.Rules, f *policy.Facts) { r.Countries, f.Person.Country = nil, code }
	}
	noQuiet := func(r *policy.Rules, _ *policy.Facts) { r.QuietHours = nil }
	checkDecisions(t, []decideCase{
		{"Ferragosto without a window: the morning after", onDay("2026-08-15T18:30:00+02:00", italy, noWindow), later(policy.InQuietHours, "quiet_hours", "2026-08-16T07:00:00Z")},
		{"without quiet hours: the midnight after", onDay("2026-08-15T18:30:00+02:00", italy, noWindow, noQuiet), later(policy.InQuietHours, "quiet_hours", "2026-08-15T22:00:00Z")},
		{"the last second before it", onDay("2026-08-14T23:59:59+02:00", italy, noWindow, noQuiet), yes},
		{"its first second", onDay("2026-08-15T00:00:00+02:00", italy, noWindow, noQuiet), later(policy.InQuietHours, "quiet_hours", "2026-08-15T22:00:00Z")},
		{"the first second after it", onDay("2026-08-16T00:00:00+02:00", italy, noWindow, noQuiet), yes},
		{"quiet hours that end in it", onDay("2026-08-14T21:00:00+02:00", italy, noWindow), later(policy.InQuietHours, "quiet_hours", "2026-08-16T07:00:00Z")},
		{"past the window of the run", onDay("2026-08-15T18:30:00+02:00", italy), deny(policy.InQuietHours, "quiet_hours")},
		{"before the window of the run", onDay("2026-08-15T12:00:00+02:00", italy), deny(policy.InQuietHours, "quiet_hours")},
		{"a window over midnight: its second half", onDay("2026-08-15T22:30:00+02:00", italy, noQuiet, func(_ *policy.Rules, f *policy.Facts) {
			f.Ask.Window = &policy.Window{From: 22 * 60, To: 2 * 60}
		}), later(policy.InQuietHours, "quiet_hours", "2026-08-15T22:00:00Z")},
		{"two in a row and the closed days after them", onDay("2026-08-15T10:00:00+02:00", august, noWindow), later(policy.InQuietHours, "quiet_hours", "2026-08-18T07:00:00Z")},
		{"Christmas and the day after", onDay("2026-12-25T10:00:00+01:00", italy, noWindow), later(policy.InQuietHours, "quiet_hours", "2026-12-27T08:00:00Z")},
		{"the turn of the year", onDay("2026-12-31T23:30:00+01:00", italy, noWindow), later(policy.InQuietHours, "quiet_hours", "2027-01-02T08:00:00Z")},
		{"in the recipient's own time", onDay("2026-08-16T03:00:00+02:00", italy, noWindow, noQuiet, func(_ *policy.Rules, f *policy.Facts) { f.Person.Zone = "America/New_York" }),
			later(policy.InQuietHours, "quiet_hours", "2026-08-16T04:00:00Z")},
		{"in one of the zones of the prefix", onDay("2026-08-16T00:30:00+02:00", italy, noWindow, noQuiet, func(_ *policy.Rules, f *policy.Facts) {
			f.Person.Zone, f.Person.Zones = "", []string{"Europe/Rome", "Europe/London"}
		}), later(policy.InQuietHours, "quiet_hours", "2026-08-15T23:00:00Z")},
		{"somebody of another country", onDay("2026-06-02T18:30:00+02:00", italy, country("FR")), yes},
		{"that country's own day", onDay("2026-07-14T18:30:00+02:00", italy, country("FR"), noWindow), later(policy.InQuietHours, "quiet_hours", "2026-07-15T07:00:00Z")},
		{"a country that is not listed", onDay("2026-08-15T18:30:00+02:00", italy, country("ES")), yes},
		{"a closed day is everybody's", onDay("2026-08-17T18:30:00+02:00", august, country("ES"), noWindow), later(policy.InQuietHours, "quiet_hours", "2026-08-18T07:00:00Z")},
		{"a country that is not known: every calendar", onDay("2026-07-14T18:30:00+02:00", italy, country(""), noWindow), later(policy.InQuietHours, "quiet_hours", "2026-07-15T07:00:00Z")},
		{"a calendar that is not known", onDay("2026-08-18T18:30:00+02:00", holidaysOf(nil, "ZZ"), country("ZZ"), noWindow), deny(policy.InQuietHours, "quiet_hours")},
		{"utility", onDay("2026-08-15T18:30:00+02:00", italy, func(_ *policy.Rules, f *policy.Facts) {
			utility(f)
			f.Person.Consents["orders"] = f.Person.Consents["offers"]
		}), yes},
		{"utility that Meta calls marketing", onDay("2026-08-15T18:30:00+02:00", italy, noWindow, func(_ *policy.Rules, f *policy.Facts) {
			utility(f)
			f.Message.TemplateKind, f.Person.Consents["orders"] = policy.Marketing, f.Person.Consents["offers"]
		}), later(policy.InQuietHours, "quiet_hours", "2026-08-16T07:00:00Z")},
		{"a test run", onDay("2026-08-15T18:30:00+02:00", italy, func(_ *policy.Rules, f *policy.Facts) { f.Ask.Test = true }), yes},
		{"a zone that cannot be read", onDay("2026-08-15T18:30:00+02:00", italy, noWindow, noQuiet, func(_ *policy.Rules, f *policy.Facts) { f.Person.Zone = "Europe/Atlantis" }),
			deny(policy.InQuietHours, "quiet_hours")},
		{"a short day of clock change", onDay("2027-03-28T10:00:00+02:00", holidaysOf(nil, "IT"), noWindow, noQuiet), later(policy.InQuietHours, "quiet_hours", "2027-03-29T22:00:00Z")},
		{"no midnight after it", onDay("2026-09-05T12:00:00-04:00", holidaysOf([]policy.ClosedDay{{Date: "2026-09-05", Name: "Sábado"}}), noWindow, noQuiet,
			func(_ *policy.Rules, f *policy.Facts) { f.Person.Zone = "America/Santiago" }), later(policy.InQuietHours, "quiet_hours", "2026-09-06T04:00:00Z")},
	})
}

func TestExplainNamesTheHoliday(t *testing.T) {
	italy := holidaysOf([]policy.ClosedDay{{Date: "2026-08-17", Name: "Chiusura estiva"}}, "IT", "US")
	us := func(_ *policy.Rules, f *policy.Facts) { f.Person.Country, f.Person.Zone = "US", "America/New_York" }
	noQuiet := func(r *policy.Rules, _ *policy.Facts) { r.QuietHours = nil }
	for _, c := range []struct {
		change func(*policy.Rules, *policy.Facts)
		want   string
	}{
		{onDay("2026-08-15T18:30:00+02:00", italy, noWindow), "15 August is Ferragosto in Italy; the message waits until 2026-08-16 09:00:00 +02:00."},
		{onDay("2026-08-15T18:30:00+02:00", italy), "15 August is Ferragosto in Italy; this person's window of this run is over before the message may leave."},
		{onDay("2026-08-14T21:00:00+02:00", italy, noWindow),
			"It is within the quiet hours 20:00–09:00 in Europe/Rome, and 15 August is Ferragosto in Italy; the message waits until 2026-08-16 09:00:00 +02:00."},
		{onDay("2026-08-17T10:00:00+02:00", italy, noWindow), "17 August is Chiusura estiva, a closed day of the business; the message waits until 2026-08-18 09:00:00 +02:00."},
		{onDay("2026-07-03T18:30:00-04:00", italy, us, noWindow), "3 July is Independence Day (observed) in the United States; the message waits until 2026-07-05 09:00:00 -04:00."},
		{onDay("2026-08-18T18:30:00+02:00", italy), "It is not within the quiet hours 20:00–09:00 in Europe/Rome, and no holiday there."},
		{onDay("2026-08-18T18:30:00+02:00", italy, noQuiet), "It is no holiday for this person in Europe/Rome."},
		{onDay("2026-08-18T18:30:00+02:00", italy, func(r *policy.Rules, f *policy.Facts) { utility(f) }), "No quiet hours hold for this message, and holidays hold marketing only."},
		{onDay("2026-08-18T18:30:00+02:00", holidaysOf(nil, "ZZ"), func(_ *policy.Rules, f *policy.Facts) { f.Person.Country = "ZZ" }, noWindow),
			"No calendar of ZZ is known to this program, so that every day may be a holiday there; no later moment was found that is neither a holiday nor within quiet hours."},
		{onDay("2026-08-18T18:30:00+02:00", italy, noQuiet, func(_ *policy.Rules, f *policy.Facts) { f.Person.Zone = "Europe/Atlantis" }),
			"Whether it is a holiday for this person cannot be told in a time zone that cannot be read."},
	} {
		if got := because(t, "quiet_hours", c.change); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestHolidaysInEveryZone asks around holidays and clock changes, and holds each deferral to the first allowed instant.
func TestHolidaysInEveryZone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, facts := allowed()
		rules.Caps, rules.Countries, rules.QuietHours, facts.Ask.NotAfter, facts.Ask.Window = nil, nil, nil, time.Time{}, nil
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(zoneNames), 1, 3, rapid.ID[string]).Draw(t, "zones")
		facts.Person.Zone, facts.Person.Zones, facts.Person.Country = "", names, "IT"
		facts.Ask.FireAt = moment(t, names[0], "fire")
		if rapid.Bool().Draw(t, "window") {
			facts.Ask.Window = &policy.Window{From: timeOfDay(t, "from"), To: timeOfDay(t, "to"), In: "recipient"}
		}
		if rapid.Bool().Draw(t, "quiet") {
			rules.QuietHours = &policy.QuietHours{From: 20 * 60, To: 9 * 60}
		}
		closed := map[string]bool{}
		var days []policy.ClosedDay
		for range rapid.IntRange(0, 4).Draw(t, "closed") {
			date := facts.Ask.FireAt.AddDate(0, 0, rapid.IntRange(-2, 3).Draw(t, "day")).Format(time.DateOnly)
			days, closed[date] = append(days, policy.ClosedDay{Date: date, Name: "closed"}), true
		}
		rules.Holidays = holidaysOf(days)
		facts.Now = facts.Ask.FireAt.Add(time.Duration(rapid.IntRange(0, 40*60).Draw(t, "after")) * time.Minute)
		facts.Person.Consents["offers"] = policy.Consent{Action: policy.Granted, At: facts.Now}
		inside := func(when time.Time) bool {
			for _, name := range names {
				zone, _ := sharedLocations.Load(name)
				if w := facts.Ask.Window; closed[when.In(zone).Format(time.DateOnly)] || w != nil && !within(name, when, w.From, w.To) ||
					rules.QuietHours != nil && within(name, when, 20*60, 9*60) {
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
				t.Fatalf("allowed at %v", facts.Now)
			}
		case policy.Defer:
			checkDeferral(t, rules, facts, got, inside)
			// The instant before is not inside, or another rule's time has not come: nothing earlier was passed over.
			if before := got.Until.Add(-time.Second); before.After(facts.Now) && facts.Ask.Window == nil && inside(before) {
				t.Fatalf("deferred until %v, and the second before it is inside", got.Until)
			}
		case policy.Deny:
			if facts.Ask.Window == nil && len(names) == 1 { // several zones may have no loud moment in common
				t.Fatalf("refused without a window: %+v", got)
			}
			checkNoneLater(t, rules, facts)
		}
	})
}

func TestHolidaysAreStoredAndReadAgain(t *testing.T) {
	days := []policy.ClosedDay{{Date: "2026-08-17", Name: "B"}, {Date: "2026-08-16", Name: "A"}, {Date: "2026-08-16", Name: "twice"}}
	rules, _ := allowed()
	rules.Holidays = holidaysOf(days, "IT", "ZZ")
	text, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	const want = `"Holidays":{"countries":["IT","ZZ"],"closed":[{"date":"2026-08-16","name":"A"},{"date":"2026-08-17","name":"B"}]}`
	if !strings.Contains(string(text), want) {
		t.Errorf("stored as %s", text)
	}
	var read policy.Rules
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(read)
	if diff := cmp.Diff(string(text), string(again)); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	_, facts := allowed()
	read.Locations, read.Caps = sharedLocations, nil
	onDay("2026-08-16T18:30:00+02:00", read.Holidays, noWindow)(&read, &facts)
	if got := policy.Decide(read, facts); got != later(policy.InQuietHours, "quiet_hours", "2026-08-18T07:00:00Z") {
		t.Errorf("the rules of a stored run decide %+v", got)
	}
	for _, wrong := range []string{`{"closed":[{"date":"2026-02-30","name":"A"}]}`, `{"closed":7}`, `[]`} {
		if err := json.Unmarshal([]byte(wrong), new(policy.Holidays)); err == nil {
			t.Errorf("%s is read as holidays", wrong)
		}
	}
	if !slices.Contains(policy.HolidayCountries(), "IT") {
		t.Error("no holidays of Italy")
	}
}
