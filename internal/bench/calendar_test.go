package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// BenchmarkNext30Days is `plan --next 30d` of 200 campaigns, twice every other hour each, in ten zones: 144,000 fires and
// their collisions, and the same as iCalendar text.
func BenchmarkNext30Days(b *testing.B) {
	zones := []string{"Europe/Rome", "America/New_York", "Australia/Lord_Howe", "America/Nuuk", "Africa/Casablanca", "Asia/Kathmandu", "America/Havana",
		"Antarctica/Troll", "Pacific/Chatham", "UTC"}
	cfg := &config.Config{Rules: policy.Rules{
		Categories: map[string]policy.Category{"offers": {ID: "offers", Kind: policy.Marketing}},
		Caps:       []policy.Cap{{Max: 1, Per: 24 * time.Hour, Kind: policy.Marketing}},
	}}
	for i := range 200 {
		cfg.Campaigns = append(cfg.Campaigns, scheduler.Campaign{ID: fmt.Sprintf("campaign-%d", i), Category: "offers", Number: fmt.Sprint(i % 2), Schedule: &scheduler.Schedule{
			Cron: fmt.Sprintf("%d,%d */2 * * *", i%30, 30+i%30), Zone: zones[i%len(zones)]}})
	}
	from := time.Date(2026, 10, 10, 0, 0, 0, 0, time.UTC)
	b.Run("fires", func(b *testing.B) {
		for b.Loop() {
			fires, err := scheduler.Calendar(cfg.Campaigns, cfg.Rules, from, from.AddDate(0, 0, 30))
			if err != nil || len(fires) < 140_000 {
				b.Fatalf("%d fires, %v", len(fires), err)
			}
		}
	})
	b.Run("ics", func(b *testing.B) {
		for b.Loop() {
			if _, err := app.CalendarFeed(cfg, cfg.Campaigns, from, from.AddDate(0, 0, 30)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
