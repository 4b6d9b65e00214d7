package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Slots keeps what is durable of schedules and runs. Every method is one transaction.
type Slots interface {
	// Mark returns since when a campaign's schedule has been judged; a new or edited schedule's mark is now.
	Mark(ctx context.Context, campaignID, spec string, now time.Time) (since time.Time, err error)
	// Advance moves the mark on to the last slot that was judged.
	Advance(ctx context.Context, campaignID string, to time.Time) error
	// CreateRun makes the run of an occurrence; created is false when there is one already.
	CreateRun(ctx context.Context, run Run) (_ Run, created bool, err error)
}

// OpenRuns lists the runs of a campaign, or of all with "", that may still send.
type OpenRuns interface {
	OpenRuns(ctx context.Context, campaign string) ([]Run, error)
}

// Freeze makes the configuration that a run of the campaign keeps.
type Freeze func(c Campaign) Frozen

// Scheduler starts runs when their time comes.
type Scheduler struct {
	Slots Slots
	Open  OpenRuns
	// Campaigns returns the campaigns as configured now; Freeze what a run of one keeps.
	Campaigns func() []Campaign
	Freeze    Freeze
	Logger    *slog.Logger
}

// wakeAtLeast bounds each sleep, so that a clock that was set, or a machine that slept, is noticed.
const wakeAtLeast = 15 * time.Second

// Run looks at every schedule until ctx is done. It sleeps until the next slot, at most 15 s, and believes the database's marks, never its own memory.
func (s *Scheduler) Run(ctx context.Context) error {
	for {
		now := time.Now()
		if err := s.Tick(ctx, now); err != nil && ctx.Err() == nil {
			s.Logger.Error("schedules cannot be judged", "error", err)
		}
		timer := time.NewTimer(s.sleep(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func (s *Scheduler) sleep(now time.Time) time.Duration {
	sleep := wakeAtLeast
	for _, c := range s.Campaigns() {
		if c.Schedule == nil {
			continue
		}
		next, err := c.Next(now, 1)
		if err != nil || len(next) == 0 {
			continue
		}
		sleep = min(sleep, next[0].At.Sub(now))
	}
	return max(sleep, 50*time.Millisecond)
}

// Tick judges every slot that has come since each campaign's mark. One campaign's trouble does not stop the others.
func (s *Scheduler) Tick(ctx context.Context, now time.Time) error {
	var failures []error
	for _, c := range s.Campaigns() {
		if c.Schedule == nil {
			continue
		}
		if err := s.judge(ctx, c, now); err != nil {
			failures = append(failures, fmt.Errorf("campaign %s: %w", c.ID, err))
		}
	}
	return errors.Join(failures...)
}

func (s *Scheduler) judge(ctx context.Context, c Campaign, now time.Time) error {
	since, err := s.Slots.Mark(ctx, c.ID, c.Schedule.spec(), now)
	if err != nil {
		return err
	}
	due, err := Due(c, since, now)
	if err != nil {
		return err
	}
	for _, slot := range due {
		goOn, err := s.start(ctx, c, slot)
		if err != nil || !goOn {
			return err
		}
		if err := s.Slots.Advance(ctx, c.ID, slot.At); err != nil {
			return err
		}
	}
	return nil
}

// start makes the slot's run, started or missed. It reports false when the slot waits for the campaign's last run to end.
func (s *Scheduler) start(ctx context.Context, c Campaign, slot DueOccurrence) (bool, error) {
	run, err := NewRun(s.Freeze(c), slot.At)
	if err != nil {
		return false, err
	}
	run.Occurrence = string(slot.Local)
	if slot.Missed != "" {
		run.State, run.Why = Missed, slot.Missed
	} else {
		busy, err := s.Open.OpenRuns(ctx, c.ID)
		if err != nil {
			return false, err
		}
		busy = slices.DeleteFunc(busy, func(r Run) bool { return r.Test || r.Manual }) // a run by hand takes nobody's slot
		if len(busy) > 0 && c.Schedule.Overlap == OverlapQueue {
			return false, nil
		}
		if len(busy) > 0 {
			run.State, run.Why = Missed, fmt.Sprintf("its run %s was not over yet (overlap: skip)", busy[0].ID)
		}
	}
	run, created, err := s.Slots.CreateRun(ctx, run)
	if err != nil || !created {
		return err == nil, err
	}
	if run.State == Missed {
		s.Logger.Warn("a slot is missed", "campaign", c.ID, "slot", run.Occurrence, "why", run.Why)
		return true, nil
	}
	s.Logger.Info("a run starts", "campaign", c.ID, "run", run.ID, "slot", run.Occurrence)
	return true, nil
}

// NewRun makes a run in planning, not stored yet. Its kind is the category's; the stricter kind of the template is judged at each message.
func NewRun(frozen Frozen, fireAt time.Time) (Run, error) {
	hash, err := frozen.Hash()
	if err != nil {
		return Run{}, err
	}
	c := frozen.Campaign
	return Run{
		CampaignID: c.ID, State: Planning, NumberID: c.Number, Category: c.Category, Kind: frozen.Rules.Categories[c.Category].Kind,
		Priority: c.Priority, FireAt: fireAt, Frozen: frozen, ConfigHash: hash,
	}, nil
}

// spec is the text by which an edited schedule is noticed.
func (s Schedule) spec() string {
	return fmt.Sprintf("%s|%s|%s|%s|%s", s.Cron, s.At.UTC().Format(time.RFC3339Nano), s.Zone, s.StartsAt.UTC().Format(time.RFC3339Nano), s.EndsAt.UTC().Format(time.RFC3339Nano))
}
