package bench

import (
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// BenchmarkPlan counts a plan of 1,000,000 people who consented and were written to once or twice: with consent and
// suppression alone, and with all that the calendar, caps, priority and holdouts add. Each round does both.
func BenchmarkPlan(b *testing.B) {
	const people = 1_000_000
	b.Run("sqlite", func(b *testing.B) { benchmarkPlan(b, sqliteDatabase, people) })
	b.Run("postgres", func(b *testing.B) { benchmarkPlan(b, postgresDatabase, people) })
}

func benchmarkPlan(b *testing.B, database func(testing.TB) string, people int) {
	target := database(b)
	s, err := store.Open(b.Context(), target)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	now := time.Now()
	populate(b, s, people, now)
	deliver(b, target, now)
	holidays, err := policy.NewHolidays([]string{"IT", "FR"}, []policy.ClosedDay{{Date: "2026-08-10", Name: "Chiusura"}})
	if err != nil {
		b.Fatal(err)
	}
	alone := func(f *scheduler.Frozen) { f.Rules.Locations, f.Rules.Caps = policy.NewLocations(), nil }
	whole := func(f *scheduler.Frozen) {
		rules := &f.Rules
		rules.Locations, rules.Lots, rules.Holidays, rules.UniversalHoldout = policy.NewLocations(), s.Lots(), holidays, 20_000
		rules.Caps = []policy.Cap{{Max: 1, Per: 24 * time.Hour, Kind: policy.Marketing}, {Max: 3, Per: 7 * 24 * time.Hour, Kind: policy.Marketing}}
		rules.QuietHours = &policy.QuietHours{From: 20 * 60, To: 9 * 60, Kind: policy.Marketing}
		f.Campaign.Window, f.Campaign.Holdout, f.Campaign.Priority = &policy.Window{From: 18 * 60, To: 20 * 60, In: "recipient"}, 50_000, 10
	}
	counted := func(change func(*scheduler.Frozen)) float64 {
		began := time.Now()
		plans, err := scheduler.MakePlans(b.Context(), s, nil, []*scheduler.Draft{drafted(b, "", now, change)}, now)
		if err != nil {
			b.Fatal(err)
		}
		if p := plans[0]; p.Matched != people || p.Allowed+p.Deferred+p.Holdout != people {
			b.Fatalf("%+v", p)
		}
		return time.Since(began).Seconds()
	}
	var bases, fulls, ratios []float64
	for b.Loop() {
		base, full := counted(alone), counted(whole)
		bases, fulls, ratios = append(bases, base), append(fulls, full), append(ratios, full/base)
	}
	b.ReportMetric(median(bases), "s/consent-alone")
	b.ReportMetric(median(fulls), "s/all-rules")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(0, "ns/op")
}
