package scheduler_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// BenchmarkPlanRules plans 50,000 people out of SQLite, with consent and suppressions alone and with all that the calendar,
// caps and holdouts add.
func BenchmarkPlanRules(b *testing.B) {
	const people = 50_000
	s, err := store.Open(b.Context(), "sqlite:"+b.TempDir()+"/permesso.db")
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	place := scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome"}
	var contacts []scheduler.ContactRecord
	var consents []scheduler.ConsentRecord
	for n := range people {
		number := phone.Number(fmt.Sprintf("+39347%07d", n))
		contacts = append(contacts, scheduler.ContactRecord{Phone: number, Name: new("Ada"), Number: place})
		consents = append(consents, scheduler.ConsentRecord{Phone: number, Number: place, Event: policy.ConsentEvent{
			Category: "offers", Action: policy.Granted, At: planTime.AddDate(0, -1, 0), Source: "web_form", Wording: "Sì"}})
	}
	if _, err := s.ImportContacts(b.Context(), contacts); err != nil {
		b.Fatal(err)
	}
	if _, err := s.ImportConsents(b.Context(), consents); err != nil {
		b.Fatal(err)
	}
	holidays, err := policy.NewHolidays([]string{"IT", "FR"}, []policy.ClosedDay{{Date: "2026-08-10", Name: "Chiusura"}})
	if err != nil {
		b.Fatal(err)
	}
	common := func(r *scheduler.Run) {
		r.Frozen.Rules.Locations, r.Frozen.Rules.Caps = policy.NewLocations(), nil
	}
	for _, c := range []struct {
		name string
		all  func(*scheduler.Run)
	}{
		{"consent and suppression", common},
		{"and the calendar, caps and holdouts", func(r *scheduler.Run) {
			common(r)
			rules, campaign := &r.Frozen.Rules, &r.Frozen.Campaign
			rules.Caps = []policy.Cap{{Max: 1, Per: 24 * time.Hour, Kind: policy.Marketing}, {Max: 3, Per: 7 * 24 * time.Hour, Kind: policy.Marketing}}
			rules.QuietHours = &policy.QuietHours{From: 20 * 60, To: 9 * 60, Kind: policy.Marketing}
			rules.Holidays, rules.Lots, rules.UniversalHoldout = holidays, s.Lots(), 20_000
			campaign.Window, campaign.Holdout = &policy.Window{From: 18 * 60, To: 20 * 60, In: "recipient"}, 50_000
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				plans, err := scheduler.MakePlans(b.Context(), s, nil, []*scheduler.Draft{planned(b, "a", c.all)}, planTime)
				if err != nil {
					b.Fatal(err)
				}
				if p := plans[0]; p.Matched != people || p.Allowed+p.Deferred+p.Holdout != people {
					b.Fatalf("%+v", p)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*people), "ns/person")
		})
	}
}
