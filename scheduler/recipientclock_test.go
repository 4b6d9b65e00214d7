package scheduler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

// wire takes every message and notes when it came.
type wire struct {
	slow bool // begins as late as it may
	mu   sync.Mutex
	came map[string]time.Time
}

func (w *wire) Send(_ context.Context, post sender.Post) sender.Result {
	var body struct {
		To string `json:"to"`
	}
	if err := json.Unmarshal(post.Body, &body); err != nil {
		return sender.Result{Fate: sender.NotSent, Cause: err}
	}
	if w.slow {
		time.Sleep(time.Until(post.BeginBy))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.came[body.To] = time.Now()
	return sender.Result{Fate: sender.Taken, WAMID: "wamid." + body.To}
}

// The whole way, from the planner over the store's rows to the wire, on nights of clock change: every POST happens while the
// recipient's own clock is inside the window, outside quiet hours and on no holiday; whoever has no such moment expires.
func TestPostsInsideTheRecipientsWindow(t *testing.T) {
	zones := []string{
		"Europe/Rome", "Europe/London", "Africa/Cairo", "Asia/Beirut", "America/New_York", "America/Havana", "America/St_Johns", "America/Nuuk", "Asia/Kolkata",
		"Australia/Lord_Howe", "Antarctica/Troll", "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC",
	}
	for _, night := range []struct {
		fire     time.Time
		from, to policy.TimeOfDay
	}{
		{time.Date(2026, 10, 24, 20, 0, 0, 0, time.UTC), 90, 210}, // Rome and others go back at 01:00 UTC
		{time.Date(2027, 3, 27, 22, 0, 0, 0, time.UTC), 120, 200}, // and forth
		{time.Date(2026, 10, 31, 20, 0, 0, 0, time.UTC), 1380, 100},
	} {
		t.Run(night.fire.Format(time.DateOnly), func(t *testing.T) {
			target := storetest.SQLite(t)
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(night.fire.Add(-time.Hour)))
				s := storetest.Open(t, target)
				zoneOf := travellers(t, s, zones)
				// A day that is closed for everybody takes the window from those whose date it is then.
				closed := night.fire.AddDate(0, 0, 1).Format(time.DateOnly)
				draft := planned(t, "night", func(r *scheduler.Run) {
					r.FireAt, r.Occurrence, r.Frozen.Rules.Caps = night.fire, "night", nil
					r.Frozen.Campaign.Window = &policy.Window{From: night.from, To: night.to, In: "recipient"}
					r.Frozen.Rules.QuietHours = &policy.QuietHours{From: 150, To: 165}
					h, err := policy.NewHolidays(nil, []policy.ClosedDay{{Date: closed, Name: "closed"}})
					if err != nil {
						t.Fatal(err)
					}
					if night.from == 1380 {
						r.Frozen.Rules.Holidays = h
					}
				})
				run := create(t, s, draft)
				if err := planner(t, s, "a").Pass(t.Context()); err != nil {
					t.Fatal(err)
				}
				line := &wire{came: map[string]time.Time{}}
				sendWhenDue(t, s, run.ID, line)
				checkPosts(t, s, run.ID, line.came, zoneOf, func(local time.Time) bool {
					minute := policy.TimeOfDay(local.Hour()*60 + local.Minute())
					inside := night.from <= minute && minute < night.to || night.from > night.to && (minute >= night.from || minute < night.to)
					return inside && (minute < 150 || minute >= 165) && (night.from != 1380 || local.Format(time.DateOnly) != closed)
				})
			})
		})
	}
}

// travellers are contacts with a zone of their own, three in each.
func travellers(t *testing.T, s *store.Store, zones []string) map[string]string {
	t.Helper()
	zoneOf := map[string]string{}
	var contacts []scheduler.ContactRecord
	var consents []scheduler.ConsentRecord
	place := scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome"}
	for n := range 3 * len(zones) {
		number := phone.Number(fmt.Sprintf("+39348%07d", n))
		zoneOf[string(number)] = zones[n/3]
		contacts = append(contacts, scheduler.ContactRecord{Phone: number, Name: new("Ada"), Zone: &zones[n/3], Number: place})
		consents = append(consents, scheduler.ConsentRecord{Phone: number, Number: place, Event: policy.ConsentEvent{
			Category: "offers", Action: policy.Granted, At: time.Now().Add(-time.Hour), Source: "web_form", Wording: "Sì"}})
	}
	if _, err := s.ImportContacts(t.Context(), contacts); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ImportConsents(t.Context(), consents); err != nil {
		t.Fatal(err)
	}
	template, err := templates.Parse(json.RawMessage(offerJSON))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SaveTemplates(t.Context(), []templates.Entry{{Raw: json.RawMessage(offerJSON), Template: template}}); err != nil {
		t.Fatal(err)
	}
	return zoneOf
}

// sendWhenDue runs a sender around each time for which somebody waits, until the run is done.
func sendWhenDue(t *testing.T, s *store.Store, run string, line *wire) {
	t.Helper()
	for range 60 {
		done, next, err := s.Finish(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			return
		}
		time.Sleep(time.Until(next.Add(-2 * time.Second)))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- sender.New(sender.Options{
				NumberID: "111", PerSecond: 80, Holder: "me", Instance: s.Instance(), Client: line, Ledger: s, Runs: s, Leases: s, Shelf: s, Logger: slog.New(slog.DiscardHandler),
				Bind: func(_ context.Context, run sender.Run) (sender.Binding, error) { return sender.Bind(run, offers(t)) },
			}).Run(ctx)
		}()
		time.Sleep(6 * time.Second)
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the run does not end")
}

func checkPosts(t *testing.T, s *store.Store, run string, came map[string]time.Time, zoneOf map[string]string, inside func(local time.Time) bool) {
	t.Helper()
	states := map[sender.State]int{}
	for line, err := range s.Log(t.Context(), report.Filter{Run: run}) {
		if err != nil {
			t.Fatal(err)
		}
		states[line.State]++
		at, posted := came[line.Phone[1:]]
		if !posted {
			at, posted = came[line.Phone]
		}
		zone, err := time.LoadLocation(zoneOf[line.Phone])
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case posted != (line.State == sender.Accepted):
			t.Errorf("%s was posted: %t, and its row is %s (%s)", zone, posted, line.State, line.Reason)
		case posted && !inside(at.In(zone)):
			t.Errorf("%s: posted at %s, which is outside", zone, at.In(zone))
		case !posted && line.State != sender.Expired:
			t.Errorf("%s: %s (%s), and time alone could refuse it", zone, line.State, line.Reason)
		}
	}
	if len(came) < len(zoneOf)/2 {
		t.Errorf("only %d of %d were posted: %v", len(came), len(zoneOf), states)
	}
}

// A POST may begin a second after its gate, and that second is inside the window too: nothing leaves after its end, nor
// into quiet hours, nor when the offer is over.
func TestNothingBeginsAfterTheEnd(t *testing.T) {
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2026, 10, 20, 20, 0, 0, 0, rome)
	for name, rule := range map[string]func(*scheduler.Run){
		"window": func(r *scheduler.Run) {
			r.Frozen.Campaign.Window = &policy.Window{From: 18 * 60, To: 20 * 60, In: "recipient"}
		},
		"quiet hours": func(r *scheduler.Run) {
			r.Frozen.Campaign.Window = &policy.Window{From: 18 * 60, To: 22 * 60, In: "recipient"}
			r.Frozen.Rules.QuietHours = &policy.QuietHours{From: 20 * 60, To: 23 * 60}
		},
		"not after": func(r *scheduler.Run) { r.Frozen.Campaign.NotAfter = end },
	} {
		t.Run(name, func(t *testing.T) {
			target := storetest.SQLite(t)
			synctest.Test(t, func(t *testing.T) {
				fire := end.Add(-3300 * time.Millisecond)
				time.Sleep(time.Until(fire))
				s := storetest.Open(t, target)
				zoneOf := travellers(t, s, slices.Repeat([]string{"Europe/Rome"}, 120))
				run := create(t, s, planned(t, "late", func(r *scheduler.Run) {
					r.FireAt, r.Occurrence, r.Frozen.Rules.Caps, r.Frozen.Campaign.Window = fire, "late", nil, nil
					rule(r)
				}))
				if err := planner(t, s, "a").Pass(t.Context()); err != nil {
					t.Fatal(err)
				}
				line := &wire{came: map[string]time.Time{}, slow: true}
				sendWhenDue(t, s, run.ID, line)
				last := time.Time{}
				for _, at := range line.came {
					if at.After(last) {
						last = at
					}
				}
				if !last.Before(end) || last.Before(end.Add(-time.Second)) || len(line.came) == len(zoneOf) {
					t.Errorf("%d of %d were posted, the last at %s, want some and the last just before %s", len(line.came), len(zoneOf), last, end)
				}
			})
		})
	}
}
