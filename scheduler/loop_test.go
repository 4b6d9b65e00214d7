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

// newScheduler looks at the campaigns whenever the test says that it is at.
func newScheduler(slots scheduler.Slots, formers scheduler.Formers, campaigns ...scheduler.Campaign) *scheduler.Scheduler {
	return &scheduler.Scheduler{Slots: slots, Formers: formers, Campaigns: func() []scheduler.Campaign { return campaigns }, Freeze: freeze, Logger: slog.New(slog.DiscardHandler)}
}

func tickAt(ctx context.Context, s *scheduler.Scheduler, at time.Time) error {
	s.Clock = func(context.Context) (time.Time, error) { return at, nil }
	_, err := s.Tick(ctx)
	return err
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

// Two schedulers, and eight, each with its own connection, look at the same time, again and again: each slot starts once, none is missed.
func TestManySchedulersStartEachSlotOnce(t *testing.T) {
	for _, schedulers := range []int{2, 8} {
		t.Run(fmt.Sprint(schedulers), func(t *testing.T) {
			storetest.Databases(t, func(t *testing.T, target string) { raceForSlots(t, target, schedulers) })
		})
	}
}

func raceForSlots(t *testing.T, target string, schedulers int) {
	campaigns := []scheduler.Campaign{scheduled("half-hourly", "*/30 * * * *"), scheduled("nightly", "0 18 * * *"), scheduled("hourly", "15 * * * *")}
	loops := make([]*scheduler.Scheduler, schedulers)
	for i := range loops {
		own := over{Store: storetest.Open(t, target)}
		loops[i] = newScheduler(own, own, campaigns...)
	}
	now := time.Date(2026, 11, 20, 23, 59, 50, 0, time.UTC)
	const hours = 20
	for tick := range hours*4 + 1 {
		at := now.Add(time.Duration(tick) * 15 * time.Minute)
		var looking sync.WaitGroup
		for _, loop := range loops {
			looking.Go(func() {
				if err := tickAt(t.Context(), loop, at); err != nil {
					t.Error(err)
				}
			})
		}
		looking.Wait()
	}
	s := storetest.Open(t, target)
	for id, want := range map[string]int{"half-hourly": 2 * hours, "hourly": hours, "nightly": 1} {
		got := history(t, s, id)
		if len(got) != want {
			t.Errorf("%s: %d runs, want %d: %v", id, len(got), want, got)
		}
		for _, slot := range got {
			// Of those that look at once the slower see the fastest one's run, and must not take its slot for missed.
			if !strings.HasSuffix(slot, string(scheduler.Done)) {
				t.Errorf("%s: %s", id, slot)
			}
		}
	}
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
			s := storetest.Open(t, storetest.SQLite(t))
			for _, after := range tt.ticks {
				if err := tickAt(t.Context(), newScheduler(over{s, tt.held}, s, tt.campaign), start.Add(after)); err != nil {
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

// A slot that waits for the run before it starts when that is over, under its own name. How many wait is catch_up's matter.
func TestOverlapQueue(t *testing.T) {
	for _, tt := range []struct {
		name string
		rule scheduler.CatchUp
		want []string // after three slots while the first one's run is open, and then the runs end one after the other
	}{
		{"all", scheduler.CatchUpAll, []string{"13:00 done", "14:00 done", "15:00 done"}},
		{"once", scheduler.CatchUpOnce, []string{"13:00 done", "14:00 missed", "15:00 done"}},
		{"skip", scheduler.CatchUpSkip, []string{"13:00 done", "14:00 missed", "15:00 done"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			storetest.Databases(t, func(t *testing.T, target string) {
				s := storetest.Open(t, target)
				campaign := scheduled("c", "0 * * * *", func(s *scheduler.Schedule) {
					s.Overlap, s.CatchUp, s.CatchUpWithin = scheduler.OverlapQueue, tt.rule, 4*time.Hour
				})
				// The database says when runs end, so the slots are in its time.
				hour := time.Now().UTC().Truncate(time.Hour).Add(-4 * time.Hour)
				look := func(at time.Time) {
					t.Helper()
					if err := tickAt(t.Context(), newScheduler(s, s, campaign), at); err != nil {
						t.Fatal(err)
					}
				}
				for n := range 4 {
					look(hour.Add(time.Duration(n) * time.Hour)) // the first sets the mark
				}
				db := storetest.SQL(t, target)
				for n := 1; ; n++ {
					open, err := s.OpenRuns(t.Context(), "c")
					if err != nil {
						t.Fatal(err)
					}
					if len(open) == 0 {
						break
					}
					if len(open) > 1 {
						t.Fatalf("%d runs at once: %v", len(open), open)
					}
					if err := s.MoveRun(t.Context(), open[0].ID, scheduler.Done, ""); err != nil {
						t.Fatal(err)
					}
					over := hour.Add(3*time.Hour + time.Duration(n)*15*time.Minute)
					db.MustExec(db.Rebind("UPDATE runs SET finished_at = ? WHERE run_id = ?"), over.UnixMicro(), open[0].ID)
					look(over.Add(15 * time.Second))
				}
				want := make([]string, len(tt.want))
				for i, slot := range tt.want {
					_, state, _ := strings.Cut(slot, " ")
					want[i] = hour.Add(time.Duration(i+1)*time.Hour).Format("2006-01-02T15:04 ") + state
				}
				if got := history(t, s, "c"); !slices.Equal(got, want) {
					t.Errorf("runs %q, want %q", got, want)
				}
			})
		})
	}
}

// What an edit leaves behind is recorded: a slot that nobody had judged, and one that waited for its turn.
func TestAnEditForgetsNoSlot(t *testing.T) {
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	queue := func(s *scheduler.Schedule) { s.Overlap, s.CatchUp = scheduler.OverlapQueue, scheduler.CatchUpSkip }
	for _, tt := range []struct {
		name     string
		campaign scheduler.Campaign
		looks    []time.Duration
		edit     time.Duration
		want     []string
	}{
		{"while nothing ran", scheduled("c", "0 18 * * *"), []time.Duration{0}, 30 * time.Hour, []string{"2026-11-20T18:00 missed", "2026-11-21T18:00 missed"}},
		{"while a slot waited", scheduled("c", "0 * * * *", queue), []time.Duration{0, time.Hour, 2 * time.Hour}, 2*time.Hour + time.Minute, []string{"2026-11-20T13:00 planning", "2026-11-20T14:00 missed"}},
		{"nothing was due", scheduled("c", "0 18 * * *"), []time.Duration{0}, time.Hour, nil},
		{"a single slot", scheduler.Campaign{ID: "c", Category: "offers", Schedule: &scheduler.Schedule{At: start.Add(time.Hour), Zone: "Europe/Rome", StartsAt: start, EndsAt: start.Add(2 * time.Hour)}},
			[]time.Duration{0}, 2 * time.Hour, []string{"2026-11-20T14:00 missed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := storetest.Open(t, storetest.SQLite(t))
			slots := over{s, func(scheduler.Run) bool { return true }}
			for _, after := range tt.looks {
				if err := tickAt(t.Context(), newScheduler(slots, s, tt.campaign), start.Add(after)); err != nil {
					t.Fatal(err)
				}
			}
			edited := scheduled("c", "30 9 * * *") // which has had its slot of that day
			for range 2 {
				if err := tickAt(t.Context(), newScheduler(slots, s, edited), start.Add(tt.edit)); err != nil {
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
			for _, r := range runs {
				if r.State == scheduler.Missed && !strings.Contains(r.Why, "edited before the slot was judged") {
					t.Errorf("%s: %q", r.Occurrence, r.Why)
				}
			}
		})
	}
}

// An edited schedule does not fire for slots that it would have had before; a run by hand and a test take nobody's slot.
func TestEditsAndRunsByHand(t *testing.T) {
	s := storetest.Open(t, storetest.SQLite(t))
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	tick := func(c scheduler.Campaign, after time.Duration) {
		t.Helper()
		if err := tickAt(t.Context(), newScheduler(over{Store: s}, s, c), start.Add(after)); err != nil {
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

// troubled cannot move marks: of everybody, or of one campaign.
type troubled struct {
	over
	failure error
	only    string
}

func (s troubled) MoveMark(ctx context.Context, campaign string, from, to scheduler.Mark) (bool, error) {
	if s.failure != nil && (s.only == "" || s.only == campaign) {
		return false, s.failure
	}
	return s.over.MoveMark(ctx, campaign, from, to)
}

// A crash between the run and the mark repeats the slot, which has its run already; one campaign's trouble does not stop the next.
func TestTickAfterACrashAndBesideTrouble(t *testing.T) {
	s := storetest.Open(t, storetest.SQLite(t))
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	away := errors.New("the database is away")
	campaigns := []scheduler.Campaign{scheduled("broken", "0 * * * *"), scheduled("fine", "0 * * * *")}
	slots := troubled{over: over{s, func(scheduler.Run) bool { return true }}}
	if err := tickAt(t.Context(), newScheduler(slots, s, campaigns...), start); err != nil {
		t.Fatal(err)
	}
	slots.failure = away
	for range 2 {
		if err := tickAt(t.Context(), newScheduler(slots, s, campaigns...), start.Add(time.Hour)); !errors.Is(err, away) {
			t.Errorf("Tick = %v, want what MoveMark said", err)
		}
	}
	slots.only = "broken"
	for range 2 { // the first leaves no slot of fine behind
		if err := tickAt(t.Context(), newScheduler(slots, s, campaigns...), start.Add(time.Hour)); !errors.Is(err, away) || !strings.Contains(err.Error(), "campaign broken") || strings.Contains(err.Error(), "campaign fine") {
			t.Errorf("Tick = %v, want what MoveMark said, and of which campaign", err)
		}
	}
	for _, id := range []string{"broken", "fine"} {
		if got, want := history(t, s, id), []string{"2026-11-20T13:00 planning"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}

// A clock that cannot be read judges nothing.
func TestTickWithoutAClock(t *testing.T) {
	s := storetest.Open(t, storetest.SQLite(t))
	loop, away := newScheduler(s, s, scheduled("c", "* * * * *")), errors.New("the database is away")
	loop.Clock = func(context.Context) (time.Time, error) { return time.Time{}, away }
	if now, err := loop.Tick(t.Context()); !errors.Is(err, away) || !now.IsZero() {
		t.Errorf("Tick = %s, %v; want what the clock said", now, err)
	}
}
