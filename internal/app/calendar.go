package app

import (
	"time"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/ical"
	"github.com/permesso/permesso/scheduler"
)

// feedSpan is how far the console's calendar looks ahead.
const feedSpan = 90 * 24 * time.Hour

// CalendarFeed is when campaigns fire after one instant and before another, as iCalendar text. It reads the configuration
// alone.
func CalendarFeed(cfg *config.Config, campaigns []scheduler.Campaign, after, before time.Time) ([]byte, error) {
	fires, err := scheduler.Calendar(campaigns, cfg.Rules, after, before)
	if err != nil {
		return nil, err
	}
	return ical.Feed{Business: cfg.Business.Name, Campaigns: campaigns, Fires: fires, Written: time.Now()}.Text(), nil
}

func (a *App) calendar() ([]byte, error) {
	now := time.Now()
	return CalendarFeed(a.Config, a.Config.Campaigns, now, now.Add(feedSpan))
}
