package policy_test

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/policy"
)

// allZones are the names of the tz database.
func allZones(t testing.TB) []string {
	text, err := os.ReadFile("../scheduler/testdata/zones.txt")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, line := range strings.Fields(string(text)) {
		if _, ok := sharedLocations.Load(line); ok {
			names = append(names, line)
		}
	}
	if len(names) < 400 {
		t.Fatalf("%d zones", len(names))
	}
	return names
}

// TestTheMessageLeavesInsideItsWindow walks what a delivery walks, in every zone of the tz database and around each of its
// clock changes: planned at the fire time, it waits for what the plan says, and the gate judges it again when its time has
// come, and late. Whenever the gate lets it pass, every clock of the person is inside the window, outside quiet hours, on
// no holiday, and the window is the first that ends after the fire time.
func TestTheMessageLeavesInsideItsWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(2026, 12))
	windows := []policy.Window{{From: 0, To: 90}, {From: 60, To: 180}, {From: 120, To: 150}, {From: 540, To: 1200}, {From: 1380, To: 60}, {From: 1080, To: 1440}}
	passed := 0
	for _, name := range allZones(t) {
		changes := append(transitions(name), at("2026-07-01T12:00:00Z"))
		zone, _ := sharedLocations.Load(name)
		for _, change := range changes {
			for range 3 {
				window := windows[random.IntN(len(windows))]
				rules, facts := allowed()
				rules.Caps, rules.Countries, facts.Ask.NotAfter = nil, nil, time.Time{}
				rules.QuietHours = &policy.QuietHours{From: 21 * 60, To: 60}
				window.In = "recipient"
				facts.Person.Zone, facts.Ask.Window = name, &window
				facts.Ask.FireAt = change.Add(time.Duration(random.IntN(48*3600)-30*3600) * time.Second)
				closed := change.In(zone).AddDate(0, 0, random.IntN(3)).Format(time.DateOnly)
				rules.Holidays = holidaysOf([]policy.ClosedDay{{Date: closed, Name: "closed"}})
				facts.Person.Consents["offers"] = policy.Consent{Action: policy.Granted, At: change.AddDate(-1, 0, 0)}
				if walk(t, rules, facts, zone, window, closed, random) {
					passed++
				}
			}
		}
	}
	if passed < 3000 {
		t.Errorf("only %d messages ever left", passed)
	}
}

// walk goes from plan to gate; it reports whether the message left.
func walk(t *testing.T, rules policy.Rules, facts policy.Facts, zone *time.Location, window policy.Window, closed string, random *rand.Rand) bool {
	t.Helper()
	facts.Now = facts.Ask.FireAt
	for range 20 {
		got := policy.Decide(rules, facts)
		switch got.Verdict {
		case policy.Deny:
			if !got.Reason.Expires() {
				t.Fatalf("%s at %v: %+v, and time alone could refuse it", zone, facts.Now, got)
			}
			return false
		case policy.Allow:
			local := facts.Now.In(zone)
			if !within(zone.String(), facts.Now, window.From, window.To) || within(zone.String(), facts.Now, 21*60, 60) || local.Format(time.DateOnly) == closed {
				t.Fatalf("%s: fired at %v, left at %v, which is outside %+v, in quiet hours, or on %s", zone, facts.Ask.FireAt, local, window, closed)
			}
			// The first window that ends after the fire time ends within two days of it, with an hour told twice.
			if facts.Now.Sub(facts.Ask.FireAt) > 49*time.Hour {
				t.Fatalf("%s: fired at %v, left at %v: a window was passed over", zone, facts.Ask.FireAt, facts.Now)
			}
			return true
		}
		facts.Now = got.Until
		if random.IntN(2) == 0 {
			facts.Now = facts.Now.Add(time.Duration(random.IntN(5400)) * time.Second) // a sender that is busy, or was down
		}
	}
	t.Fatalf("%s: deferred again and again from %v", zone, facts.Ask.FireAt)
	return false
}

// TestAPersonsWindowIsTheFirstThatEndsAfterTheFireTime looks at every minute from the fire time on, in every zone of the tz
// database and around its clock changes: the first that the window holds is when the message may leave.
func TestAPersonsWindowIsTheFirstThatEndsAfterTheFireTime(t *testing.T) {
	random := rand.New(rand.NewPCG(2026, 13))
	windows := []policy.Window{{From: 0, To: 90}, {From: 60, To: 180}, {From: 120, To: 150}, {From: 540, To: 1200}, {From: 1380, To: 60}, {From: 1080, To: 1440}}
	for _, name := range allZones(t) {
		for _, change := range append(transitions(name), at("2026-07-01T12:00:00Z")) {
			window := windows[random.IntN(len(windows))]
			window.In = "recipient"
			rules, facts := allowed()
			rules.Caps, rules.QuietHours, facts.Ask.NotAfter = nil, nil, time.Time{}
			facts.Person.Zone, facts.Ask.Window = name, &window
			facts.Ask.FireAt = change.Add(time.Duration(random.IntN(48*60)-30*60) * time.Minute)
			facts.Now = facts.Ask.FireAt
			facts.Person.Consents["offers"] = policy.Consent{Action: policy.Granted, At: change.AddDate(-1, 0, 0)}
			want := facts.Now
			for !within(name, want, window.From, window.To) {
				want = want.Add(time.Minute)
			}
			got := policy.Decide(rules, facts)
			leaves := facts.Now
			if got.Verdict == policy.Defer {
				leaves = got.Until
			}
			if got.Verdict == policy.Deny || !leaves.Equal(want) {
				t.Errorf("%s: fired at %v for %v to %v: %+v, and the first minute inside is %v", name, facts.Now, window.From, window.To, got, want)
			}
		}
	}
}

// A message that may leave within a second is judged at both ends of it, and the first end that refuses decides.
func TestDecideWithin(t *testing.T) {
	for _, tt := range []struct {
		now  string
		want policy.Decision
	}{
		{"2026-12-04T17:59:59+01:00", policy.Decision{Verdict: policy.Defer, Reason: policy.OutsideWindow, Rule: "window", Until: at("2026-12-04T17:00:00Z")}},
		{"2026-12-04T18:00:00+01:00", policy.Decision{Verdict: policy.Allow}},
		{"2026-12-04T19:59:58.999+01:00", policy.Decision{Verdict: policy.Allow}},
		{"2026-12-04T19:59:59+01:00", policy.Decision{Verdict: policy.Deny, Reason: policy.OutsideWindow, Rule: "window"}},
		{"2026-12-04T20:00:00+01:00", policy.Decision{Verdict: policy.Deny, Reason: policy.OutsideWindow, Rule: "window"}},
	} {
		rules, facts := allowed()
		rules.Caps, facts.Now = nil, at(tt.now)
		if got := policy.DecideWithin(rules, facts, time.Second); got != tt.want {
			t.Errorf("at %s: %+v, want %+v", tt.now, got, tt.want)
		}
	}
}
