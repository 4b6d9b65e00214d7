package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

func (s *session) writeFeed(cfg *config.Config, campaigns []scheduler.Campaign, after, before time.Time) error {
	feed, err := app.CalendarFeed(cfg, campaigns, after, before)
	if err != nil {
		return err
	}
	if _, err := s.out.Write(feed); err != nil {
		return fmt.Errorf("printing the calendar: %w", err)
	}
	return nil
}

// tellCalendar prints when campaigns fire; for people grouped by day, with what they collide with and whom they would reach.
func (s *session) tellCalendar(ctx context.Context, cfg *config.Config, campaigns []scheduler.Campaign, after, before time.Time) error {
	fires, err := scheduler.Calendar(campaigns, cfg.Rules, after, before)
	if err != nil {
		return err
	}
	zone := zoneOf(cfg)
	if s.json {
		for _, f := range fires {
			if err := s.object(f.Occurrence); err != nil {
				return err
			}
		}
		return nil
	}
	if len(fires) == 0 {
		return s.say("Nothing fires between %s and %s.", clock(after, zone), clock(before, zone))
	}
	if err := s.tellFires(fires, zone); err != nil || s.quiet {
		return err
	}
	return s.tellReach(ctx, cfg, firing(campaigns, fires), after)
}

func (s *session) tellFires(fires []scheduler.Fire, zone *time.Location) error {
	t := s.table("DAY", "LOCAL", "UTC", "CAMPAIGN", "")
	last := ""
	for _, f := range fires {
		day := f.At.In(zone).Format("Mon 2006-01-02")
		shown := day
		if day == last {
			shown = ""
		}
		last = day
		t.row(shown, wallTime(f.At, zone), f.At.UTC().Format("2006-01-02 15:04"), f.Campaign, strings.Join(f.Remarks(), "; "))
	}
	t.paint = func(row []string, column int, padded string) string {
		if column == 4 {
			return s.painted(yellow, padded)
		}
		return padded
	}
	return t.flush()
}

// wallTime is what the clocks of the schedule's own zone show, with the date where it is not the one of the day in zone.
func wallTime(at time.Time, zone *time.Location) string {
	shape := "15:04"
	if at.Second() != 0 {
		shape = "15:04:05"
	}
	text := at.Format(shape+" -07:00 ") + at.Location().String()
	if date := at.Format(time.DateOnly); date != at.In(zone).Format(time.DateOnly) {
		text += " on " + date
	}
	return text
}

// firing are the campaigns that fire, in the order in which they first do.
func firing(campaigns []scheduler.Campaign, fires []scheduler.Fire) []string {
	ids := make([]string, 0, len(campaigns))
	seen := map[string]bool{}
	for _, f := range fires {
		if !seen[f.Campaign] {
			seen[f.Campaign] = true
			ids = append(ids, f.Campaign)
		}
	}
	return ids
}

const (
	// reachWithin is how long people are counted at most: what plan --next is asked for is the times.
	reachWithin = 10 * time.Second
	// openWithin is how long a database may take to answer before the calendar does without it.
	openWithin = 3 * time.Second
)

// countedTogether is how many campaigns share one reading of the people.
const countedTogether = 10

// tellReach counts whom each campaign would reach as of at, once, however often it fires. Without a database it says so.
func (s *session) tellReach(ctx context.Context, cfg *config.Config, ids []string, at time.Time) (err error) {
	a, why := s.openThere(ctx, cfg)
	if a == nil {
		return s.say("\nWhom they would reach is not counted: %s.", why)
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	until := time.Now().Add(reachWithin)
	within, done := context.WithDeadline(ctx, until)
	defer done()
	t := s.table("AS OF "+clock(at, zoneOf(cfg)), "AUDIENCE", "WOULD GET IT", "HELD BACK BY CAPS", "").numbers(1, 2, 3)
	counted := 0
	for some := range slices.Chunk(ids, countedTogether) {
		err := reach(within, a, t, some, at)
		if err != nil && ctx.Err() == nil && !time.Now().Before(until) {
			break
		}
		if err != nil {
			return err
		}
		counted += len(some)
	}
	if err := s.print(""); err != nil {
		return err
	}
	if counted > 0 {
		err = t.flush()
	}
	if left := len(ids) - counted; left > 0 {
		err = errors.Join(err, s.say("%s not counted, to keep this short: `permesso plan CAMPAIGN` counts one.", count(left, "campaign")))
	}
	return err
}

// reach plans campaigns, each by itself, with a remark where its template stands in the way of everybody.
func reach(ctx context.Context, a *app.App, t *table, campaigns []string, at time.Time) error {
	plans, err := a.PlanEach(ctx, campaigns, at)
	if err != nil {
		return err
	}
	of := map[string]scheduler.Plan{}
	for _, p := range plans {
		of[p.Campaign] = p
	}
	for _, id := range campaigns {
		refusal, err := a.Refusal(ctx, id)
		if err != nil {
			return err
		}
		p, remark := of[id], ""
		switch {
		case refusal != nil:
			remark = fmt.Sprintf("a run would be refused: `permesso plan %s` says why", id)
		case p.Denied[policy.NoTemplate] > 0:
			remark = "its template was never read: `permesso templates sync`"
		}
		t.row(id, fmt.Sprint(p.Matched), fmt.Sprint(p.Allowed+p.Deferred), fmt.Sprint(p.Denied[policy.FrequencyCap]), remark)
	}
	return nil
}

// openThere opens the installation if there is one, else it says why not. It makes none: a calendar changes nothing.
func (s *session) openThere(ctx context.Context, cfg *config.Config) (a *app.App, why string) {
	ctx, done := context.WithTimeout(ctx, openWithin)
	defer done()
	if path, file := strings.CutPrefix(cfg.Database, "sqlite:"); file {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, "there is no database yet"
		}
	} else {
		stands, err := store.Stands(ctx, cfg.Database)
		if err != nil {
			return nil, sentenceOf(err)
		}
		if !stands {
			return nil, "the database is empty"
		}
	}
	a, err := app.Open(ctx, cfg, s.logger(slog.LevelWarn))
	if err != nil {
		return nil, sentenceOf(err)
	}
	return a, ""
}

func sentenceOf(err error) string { return strings.TrimSuffix(oneLine(err.Error()), ".") }
