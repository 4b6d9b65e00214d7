package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/templates"
)

// scheduled is a campaign with a schedule in UTC.
func scheduled(id, cron string, change ...func(*scheduler.Schedule)) scheduler.Campaign {
	schedule := scheduler.Schedule{Cron: cron, Zone: "UTC", CatchUp: scheduler.CatchUpOnce, CatchUpWithin: 2 * time.Hour, Overlap: scheduler.OverlapSkip}
	for _, c := range change {
		c(&schedule)
	}
	return scheduler.Campaign{ID: id, Category: "offers", Number: "111", Zone: "UTC", Schedule: &schedule,
		Message: templates.Message{Template: "weekend_offer", Languages: []string{"it"}}}
}

func freeze(c scheduler.Campaign) scheduler.Frozen {
	return scheduler.Frozen{Campaign: c, Rules: policy.Rules{Categories: map[string]policy.Category{"offers": {ID: "offers", Kind: policy.Marketing}}}}
}

// over is what a scheduler works with when every run ends at once, save those that a test holds open.
type over struct {
	*store.Store
	held func(scheduler.Run) bool
}

func (o over) CreateRun(ctx context.Context, run scheduler.Run) (scheduler.Run, bool, error) {
	run, created, err := o.Store.CreateRun(ctx, run)
	if err != nil || !created || run.State != scheduler.Planning || o.held != nil && o.held(run) {
		return run, created, err
	}
	return run, created, o.Store.MoveRun(ctx, run.ID, scheduler.Done, "")
}

func newScheduler(slots scheduler.Slots, open scheduler.OpenRuns, campaigns ...scheduler.Campaign) *scheduler.Scheduler {
	return &scheduler.Scheduler{Slots: slots, Open: open, Campaigns: func() []scheduler.Campaign { return campaigns }, Freeze: freeze, Logger: slog.New(slog.DiscardHandler)}
}

// history lists a campaign's runs as "slot state", in order of time.
func history(t *testing.T, s *store.Store, campaign string) []string {
	t.Helper()
	runs, err := s.Runs(t.Context(), campaign, 0)
	if err != nil {
		t.Fatal(err)
	}
	var slots []string
	for _, r := range runs {
		slots = append(slots, r.Occurrence+" "+string(r.State))
	}
	slices.Sort(slots)
	return slots
}

// Two schedulers on one store look at the same time, again and again: each slot starts once, none is missed.
func TestTwoSchedulersStartEachSlotOnce(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		campaigns := []scheduler.Campaign{scheduled("half-hourly", "*/30 * * * *"), scheduled("nightly", "0 18 * * *"), scheduled("hourly", "15 * * * *")}
		now := time.Date(2026, 11, 20, 23, 59, 50, 0, time.UTC)
		const hours = 20
		for tick := range hours*4 + 1 {
			at := now.Add(time.Duration(tick) * 15 * time.Minute)
			var looking sync.WaitGroup
			for range 2 {
				looking.Go(func() {
					if err := newScheduler(over{Store: s}, s, campaigns...).Tick(t.Context(), at); err != nil {
						t.Error(err)
					}
				})
			}
			looking.Wait()
		}
		for id, want := range map[string]int{"half-hourly": 2 * hours, "hourly": hours, "nightly": 1} {
			got := history(t, s, id)
			if len(got) != want {
				t.Errorf("%s: %d runs, want %d: %v", id, len(got), want, got)
			}
			for _, slot := range got {
				// Of two that look at once the slower sees the faster one's run, and must not take its slot for missed.
				if !strings.HasSuffix(slot, string(scheduler.Done)) {
					t.Errorf("%s: %s", id, slot)
				}
			}
		}
	})
}

func TestTick(t *testing.T) {
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	hold := func(campaign string) func(scheduler.Run) bool {
		return func(r scheduler.Run) bool { return r.CampaignID == campaign }
	}
	for _, tt := range []struct {
		name     string
		campaign scheduler.Campaign
		held     func(scheduler.Run) bool
		ticks    []time.Duration // after start; the first sets the mark
		want     []string
		why      string // in the last run
	}{
		{"the past of a new schedule", scheduled("c", "0 * * * *"), nil, []time.Duration{30 * time.Minute}, nil, ""},
		{"punctual", scheduled("c", "0 18 * * *"), nil, []time.Duration{0, 6 * time.Hour}, []string{"2026-11-20T18:00 done"}, ""},
		{"half an hour late", scheduled("c", "0 18 * * *"), nil, []time.Duration{0, 6*time.Hour + 30*time.Minute}, []string{"2026-11-20T18:00 done"}, ""},
		{"three hours late", scheduled("c", "0 18 * * *"), nil, []time.Duration{0, 9 * time.Hour}, []string{"2026-11-20T18:00 missed"}, "catch_up: once within 2h0m0s"},
		{"three days late", scheduled("c", "0 18 * * *"), nil, []time.Duration{0, 75 * time.Hour, 76 * time.Hour},
			[]string{"2026-11-20T18:00 missed", "2026-11-21T18:00 missed", "2026-11-22T18:00 missed"}, "late"},
		{"seen again and again", scheduled("c", "0 18 * * *"), nil, []time.Duration{0, 6 * time.Hour, 6*time.Hour + time.Second, 7 * time.Hour, 23 * time.Hour}, []string{"2026-11-20T18:00 done"}, ""},
		{"the clock goes back", scheduled("c", "0 18 * * *"), nil, []time.Duration{0, 6 * time.Hour, 5 * time.Hour, 6 * time.Hour}, []string{"2026-11-20T18:00 done"}, ""},
		{"overlap: skip", scheduled("c", "0 * * * *"), hold("c"), []time.Duration{0, time.Hour, 2 * time.Hour, 3 * time.Hour},
			[]string{"2026-11-20T13:00 planning", "2026-11-20T14:00 missed", "2026-11-20T15:00 missed"}, "was not over yet (overlap: skip)"},
		{"overlap: queue", scheduled("c", "0 * * * *", func(s *scheduler.Schedule) { s.Overlap = scheduler.OverlapQueue }), hold("c"), []time.Duration{0, time.Hour, 2 * time.Hour},
			[]string{"2026-11-20T13:00 planning"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := storetest.Open(t, "sqlite:"+t.TempDir()+"/permesso.db")
			for _, after := range tt.ticks {
				if err := newScheduler(over{s, tt.held}, s, tt.campaign).Tick(t.Context(), start.Add(after)); err != nil {
					t.Fatal(err)
				}
			}
			if got := history(t, s, "c"); !slices.Equal(got, tt.want) {
				t.Errorf("runs %q, want %q", got, tt.want)
			}
			runs, err := s.Runs(t.Context(), "c", 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(runs) > 0 && !strings.Contains(runs[0].Why, tt.why) {
				t.Errorf("the last run says %q, want %q in it", runs[0].Why, tt.why)
			}
		})
	}
}

// A slot that waits for the run before it starts when that is over, under its own name; the next waits in turn.
func TestOverlapQueueStartsLater(t *testing.T) {
	s := storetest.Open(t, "sqlite:"+t.TempDir()+"/permesso.db")
	campaign := scheduled("c", "0 * * * *", func(s *scheduler.Schedule) {
		s.Overlap, s.CatchUp, s.CatchUpWithin = scheduler.OverlapQueue, scheduler.CatchUpAll, 4*time.Hour
	})
	loop := newScheduler(over{s, func(scheduler.Run) bool { return true }}, s, campaign)
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	tick := func(after time.Duration) {
		t.Helper()
		if err := loop.Tick(t.Context(), start.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	tick(0)
	tick(time.Hour)
	tick(2 * time.Hour)
	tick(3 * time.Hour)
	for n := 1; n <= 3; n++ {
		open, err := s.OpenRuns(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("2026-11-20T%d:00", 12+n); len(open) != 1 || open[0].Occurrence != want {
			t.Fatalf("open: %v, want one run of %s", open, want)
		}
		if err := s.MoveRun(t.Context(), open[0].ID, scheduler.Done, ""); err != nil {
			t.Fatal(err)
		}
		tick(3*time.Hour + time.Duration(n)*time.Minute)
	}
	if got := history(t, s, "c"); len(got) != 3 {
		t.Errorf("runs: %v", got)
	}
}

// An edited schedule does not fire for slots that it would have had before; a run by hand and a test take nobody's slot.
func TestEditsAndRunsByHand(t *testing.T) {
	s := storetest.Open(t, "sqlite:"+t.TempDir()+"/permesso.db")
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	tick := func(c scheduler.Campaign, after time.Duration) {
		t.Helper()
		if err := newScheduler(over{Store: s}, s, c).Tick(t.Context(), start.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	tick(scheduled("c", "0 18 * * *"), 0)
	tick(scheduled("c", "*/5 * * * *"), 3*time.Hour)
	tick(scheduled("c", "*/5 * * * *"), 3*time.Hour+5*time.Minute)
	if got, want := history(t, s, "c"), []string{"2026-11-20T15:05 done"}; !slices.Equal(got, want) {
		t.Errorf("runs %q, want %q", got, want)
	}
	test, err := scheduler.NewRun(freeze(scheduled("c", "")), start)
	if err != nil {
		t.Fatal(err)
	}
	test.Test, test.Manual = true, true
	if _, created, err := s.CreateRun(t.Context(), test); err != nil || !created {
		t.Fatalf("created %t, %v", created, err)
	}
	tick(scheduled("c", "*/5 * * * *"), 3*time.Hour+10*time.Minute)
	if got := history(t, s, "c"); !slices.Contains(got, "2026-11-20T15:10 done") {
		t.Errorf("while a test run is open: %q", got)
	}
}

// troubled fails as told.
type troubled struct {
	over
	advance, mark error
}

func (s troubled) Advance(ctx context.Context, campaign string, to time.Time) error {
	if s.advance != nil {
		return s.advance
	}
	return s.over.Advance(ctx, campaign, to)
}

func (s troubled) Mark(ctx context.Context, campaign, spec string, now time.Time) (time.Time, error) {
	if s.mark != nil && campaign == "broken" {
		return time.Time{}, s.mark
	}
	return s.over.Mark(ctx, campaign, spec, now)
}

// A crash between the run and the mark repeats the slot, which has its run already; one campaign's trouble does not stop the next.
func TestTickAfterACrashAndBesideTrouble(t *testing.T) {
	s := storetest.Open(t, "sqlite:"+t.TempDir()+"/permesso.db")
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	away := errors.New("the database is away")
	campaigns := []scheduler.Campaign{scheduled("broken", "0 * * * *"), scheduled("fine", "0 * * * *")}
	slots := troubled{over: over{s, func(scheduler.Run) bool { return true }}}
	if err := newScheduler(slots, s, campaigns...).Tick(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	slots.advance = away
	for range 2 {
		if err := newScheduler(slots, s, campaigns...).Tick(t.Context(), start.Add(time.Hour)); !errors.Is(err, away) {
			t.Errorf("Tick = %v, want what Advance said", err)
		}
	}
	slots.advance, slots.mark = nil, away
	if err := newScheduler(slots, s, campaigns...).Tick(t.Context(), start.Add(time.Hour)); !errors.Is(err, away) || !strings.Contains(err.Error(), "campaign broken") {
		t.Errorf("Tick = %v, want what Mark said, and of which campaign", err)
	}
	for _, id := range []string{"broken", "fine"} {
		if got, want := history(t, s, id), []string{"2026-11-20T13:00 planning"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}

// clockwork is a store of slots in memory, for a loop on fake time.
type clockwork struct {
	mu    sync.Mutex
	marks []time.Time // of the campaign that never fires
	since map[string]time.Time
	runs  []scheduler.Run
}

func (c *clockwork) Mark(_ context.Context, campaign, _ string, now time.Time) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.marks = append(c.marks, now)
	if c.since[campaign].IsZero() {
		c.since[campaign] = now
	}
	return c.since[campaign], nil
}

func (c *clockwork) Advance(_ context.Context, campaign string, to time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since[campaign] = to
	return nil
}

func (c *clockwork) CreateRun(_ context.Context, run scheduler.Run) (scheduler.Run, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	run.CreatedAt = time.Now()
	c.runs = append(c.runs, run)
	return run, true, nil
}

func (c *clockwork) OpenRuns(context.Context, string) ([]scheduler.Run, error) { return nil, nil }

func TestRunFiresOnTimeAndLooksOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clockwork{since: map[string]time.Time{}}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- newScheduler(c, c, scheduled("c", "*/7 * * * *")).Run(ctx) }()
		time.Sleep(time.Hour)
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		if len(c.runs) < 8 {
			t.Errorf("%d runs in an hour", len(c.runs))
		}
		for _, run := range c.runs {
			if late := run.CreatedAt.Sub(run.FireAt); late < 0 || late > 100*time.Millisecond || run.State != scheduler.Planning {
				t.Errorf("the slot of %s is %s, created %s late", run.Occurrence, run.State, late)
			}
		}
		for i := 1; i < len(c.marks); i++ {
			if gap := c.marks[i].Sub(c.marks[i-1]); gap > 15*time.Second {
				t.Errorf("the loop slept %s", gap)
			}
		}
	})
}
