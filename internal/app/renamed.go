package app

import (
	"context"

	"github.com/permesso/permesso/scheduler"
)

// Renamed is a campaign that ran and is not configured any more, and one that never ran and sends the same template.
type Renamed struct {
	Gone scheduler.Run // the last run of the one that is gone
	New  string
}

// Renames lists what looks like a changed id. To permesso that is another campaign: its history, the caps that count it, and
// its holdout begin anew.
func (a *App) Renames(ctx context.Context) ([]Renamed, error) {
	last, err := a.Store.LastRuns(ctx)
	if err != nil {
		return nil, err
	}
	cfg, ran := a.config(), map[string]bool{}
	for _, run := range last {
		ran[run.CampaignID] = true
	}
	var renames []Renamed
	for _, run := range last {
		if _, configured := cfg.Campaign(run.CampaignID); configured {
			continue
		}
		for _, c := range cfg.Campaigns {
			if !ran[c.ID] && c.Message.Template == run.Frozen.Campaign.Message.Template {
				renames = append(renames, Renamed{run, c.ID})
			}
		}
	}
	return renames, nil
}
