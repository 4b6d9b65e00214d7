package app

import (
	"context"
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
	cfg := a.config()
	return CalendarFeed(cfg, cfg.Campaigns, now, now.Add(feedSpan))
}

// PlanEach counts what a run of each campaign at a time would do if it were the only one, in one reading of the people. It
// asks nobody but the store, and changes nothing. The plans come in no particular order.
func (a *App) PlanEach(ctx context.Context, campaigns []string, when time.Time) ([]scheduler.Plan, error) {
	catalogue, err := a.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	places, err := a.Store.Places(ctx)
	if err != nil {
		return nil, err
	}
	drafts := make([]*scheduler.Draft, len(campaigns))
	for i, id := range campaigns {
		run, err := a.newRun(id, RunOptions{At: when})
		if err != nil {
			return nil, err
		}
		if drafts[i], err = scheduler.NewDraft(run, catalogue, a.Rate(run.NumberID)); err != nil {
			return nil, err
		}
		drafts[i].Within(&places)
	}
	return scheduler.CountEach(ctx, a.Store, drafts, when)
}
