package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Mark is how far a campaign's schedule has been judged: every slot up to Since has its run, started or missed.
type Mark struct {
	Spec  string // the schedule that was judged, as text; another one is an edit
	Since time.Time
}

// Slots keeps what is durable of schedules and runs. Every method is one transaction.
type Slots interface {
	// Marks returns every mark, by campaign.
	Marks(ctx context.Context) (map[string]Mark, error)
	// MoveMark moves a campaign's mark if it still stands at from, the zero Mark being none; moved is false when another
	// process has moved it.
	MoveMark(ctx context.Context, campaignID string, from, to Mark) (moved bool, err error)
	// CreateRun makes the run of an occurrence; created is false when there is one already.
	CreateRun(ctx context.Context, run Run) (_ Run, created bool, err error)
}

// Formers tells where the runs of a campaign's schedule stand, the one of an occurrence itself left out.
type Formers interface {
	Former(ctx context.Context, campaignID, occurrence string) (Former, error)
}

// OpenRuns lists the runs of a campaign, or of all with "", that may still send.
type OpenRuns interface {
	OpenRuns(ctx context.Context, campaign string) ([]Run, error)
}

// Freeze makes the configuration that a run of the campaign keeps.
type Freeze func(c Campaign) Frozen

// Scheduler starts runs when their time comes.
type Scheduler struct {
	Slots   Slots
	Formers Formers
	// Clock reads the database's clock, the one that all schedulers of an installation share.
	Clock func(ctx context.Context) (time.Time, error)
	// Campaigns returns the campaigns as configured now; Freeze what a run of one keeps.
	Campaigns func() []Campaign
	Freeze    Freeze
	Logger    *slog.Logger
}

const (
	// wakeAtLeast bounds each sleep, so that a clock that was set, or a machine that slept, is noticed.
	wakeAtLeast = 15 * time.Second
	// lookWithin ends a look that hangs on a database which does not answer; what it judged is kept, the next goes on.
	lookWithin = time.Minute
)

// Run looks at every schedule until ctx is done. It sleeps until the next slot, at most 15 s, and believes the
// database's clock and marks, never its own.
func (s *Scheduler) Run(ctx context.Context) error {
	var last look
	for {
		sleep := wakeAtLeast
		now, err := s.Tick(ctx)
		if err != nil && ctx.Err() == nil {
			s.Logger.Error("schedules cannot be judged", "error", err)
		}
		if !now.IsZero() {
			sleep = s.sleep(now)
			last = s.compare(last, now)
		}
		timer := time.NewTimer(sleep)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// look is one reading of the database's clock beside this process's own, which no setting moves.
type look struct{ database, process time.Time }

// compare says when the clock was set, or the machine slept, between two looks. It changes nothing in what is judged.
func (s *Scheduler) compare(last look, now time.Time) look {
	next := look{now, time.Now()}
	if last.database.IsZero() {
		return next
	}
	if jump := now.Sub(last.database) - next.process.Sub(last.process); jump.Abs() > Grace {
		s.Logger.Warn("the clock moved by more than the time that passed: it was set, or the machine slept", "by", jump.Round(time.Second).String(), "now", stamp(now))
	}
	return next
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

// Tick judges every slot that has come since each campaign's mark, by the database's clock, which it returns; zero when that
// could not be read. One campaign's trouble does not stop the others.
func (s *Scheduler) Tick(ctx context.Context) (now time.Time, err error) {
	ctx, done := context.WithTimeout(ctx, lookWithin)
	defer done()
	// The clock is read after the marks: a mark ahead of it then means that the clock went back, not that another
	// process was quicker.
	marks, err := s.Slots.Marks(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if now, err = s.Clock(ctx); err != nil {
		return time.Time{}, err
	}
	var failures []error
	for _, c := range s.Campaigns() {
		if c.Schedule == nil {
			continue
		}
		if err := s.judge(ctx, c, marks[c.ID], now); err != nil {
			failures = append(failures, fmt.Errorf("campaign %s: %w", c.ID, err))
		}
	}
	return now, errors.Join(failures...)
}

// judge settles one campaign's slots. Wherever another process has moved the mark meanwhile, the rest is left to the next look.
func (s *Scheduler) judge(ctx context.Context, c Campaign, mark Mark, now time.Time) error {
	fresh := Mark{Spec: c.Schedule.spec(), Since: now}
	if mark == (Mark{}) { // a new schedule never fires for the past
		_, err := s.Slots.MoveMark(ctx, c.ID, mark, fresh)
		return err
	}
	if mark.Since.After(now) {
		// What was judged has its run and gets no second one. What a campaign that was first seen, or edited, while the
		// clock was ahead had before its mark is still to come.
		s.Logger.Warn("the clock is behind what was judged: it was set back", "campaign", c.ID, "judged", stamp(mark.Since), "now", stamp(now))
		_, err := s.Slots.MoveMark(ctx, c.ID, mark, fresh)
		return err
	}
	if mark.Spec != fresh.Spec {
		return s.edited(ctx, c, mark, fresh)
	}
	due, err := Due(c, mark.Since, now)
	if err != nil {
		return err
	}
	for _, slot := range due {
		former, err := s.Formers.Former(ctx, c.ID, string(slot.Local))
		if err != nil {
			return err
		}
		verdict := c.Judge(slot, due[len(due)-1], former, now)
		if verdict.Waits {
			return nil
		}
		var moved bool
		if mark, moved, err = s.settle(ctx, c, mark, slot, verdict.Missed); err != nil || !moved {
			return err
		}
	}
	return nil
}

// edited records the slots of the schedule before that nobody had judged, and begins the new one now: it never fires for
// the past either.
func (s *Scheduler) edited(ctx context.Context, c Campaign, mark, fresh Mark) error {
	former, err := parseSpec(mark.Spec)
	if err != nil {
		return err
	}
	then := c
	then.Schedule = &former
	due, err := Due(then, mark.Since, fresh.Since)
	if err != nil {
		return err
	}
	for _, slot := range due {
		var moved bool
		why := fmt.Sprintf("due at %s by a schedule that was edited before the slot was judged", stamp(slot.At))
		if mark, moved, err = s.settle(ctx, c, mark, slot, why); err != nil || !moved {
			return err
		}
	}
	_, err = s.Slots.MoveMark(ctx, c.ID, mark, fresh)
	return err
}

// settle makes the slot's run, started or missed, and then moves the mark on to it. After a crash between the two the slot
// is judged again, and has its run already.
func (s *Scheduler) settle(ctx context.Context, c Campaign, mark Mark, slot Occurrence, missed string) (_ Mark, moved bool, err error) {
	run, err := NewRun(s.Freeze(c), slot.At)
	if err != nil {
		return mark, false, err
	}
	run.Occurrence = string(slot.Local)
	if missed != "" {
		run.State, run.Why = Missed, missed
	}
	run, created, err := s.Slots.CreateRun(ctx, run)
	if err != nil {
		return mark, false, err
	}
	switch {
	case !created:
	case run.State == Missed:
		s.Logger.Warn("a slot is missed", "campaign", c.ID, "slot", run.Occurrence, "why", run.Why)
	default:
		s.Logger.Info("a run starts", "campaign", c.ID, "run", run.ID, "slot", run.Occurrence)
	}
	next := Mark{Spec: mark.Spec, Since: slot.At}
	moved, err = s.Slots.MoveMark(ctx, c.ID, mark, next)
	return next, moved, err
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
	return strings.Join([]string{s.Cron, specTime(s.At), s.Zone, specTime(s.StartsAt), specTime(s.EndsAt)}, "|")
}

func specTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// parseSpec reads a spec back into the schedule that it names.
func parseSpec(text string) (s Schedule, err error) {
	parts := strings.Split(text, "|")
	if len(parts) != 5 {
		return Schedule{}, fmt.Errorf("the schedule on record cannot be read: %q", text)
	}
	s.Cron, s.Zone = parts[0], parts[2]
	for i, t := range map[int]*time.Time{1: &s.At, 3: &s.StartsAt, 4: &s.EndsAt} {
		at, err := time.Parse(time.RFC3339Nano, parts[i])
		if err != nil {
			return Schedule{}, fmt.Errorf("the schedule on record cannot be read: %w", err)
		}
		if !at.IsZero() {
			*t = at
		}
	}
	return s, nil
}
