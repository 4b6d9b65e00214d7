package scheduler_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/scheduler"
)

// clockwork is a database in memory, for loops on fake time: its clock runs with the test's and can be set.
type clockwork struct {
	mu    sync.Mutex
	set   time.Duration // by how much its clock is ahead of the test's
	looks []time.Time   // by the test's clock, which no setting moves
	marks map[string]scheduler.Mark
	runs  map[string]scheduler.Run // by campaign and occurrence
	order []string                 // the keys of runs, as they were made
	stuck func()                   // called, once, before the next run is stored
}

func newClockwork() *clockwork {
	return &clockwork{marks: map[string]scheduler.Mark{}, runs: map[string]scheduler.Run{}}
}

func (c *clockwork) Now(context.Context) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks = append(c.looks, time.Now())
	return c.now(), nil
}

// now has no reading of the process's own clock, as nothing that comes from a database has.
func (c *clockwork) now() time.Time { return time.Now().Add(c.set).Round(0) }

func (c *clockwork) step(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set += by
}

func (c *clockwork) Marks(context.Context) (map[string]scheduler.Mark, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.marks), nil
}

func (c *clockwork) MoveMark(_ context.Context, campaign string, from, to scheduler.Mark) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.marks[campaign] != from {
		return false, nil
	}
	c.marks[campaign] = to
	return true, nil
}

func (c *clockwork) CreateRun(_ context.Context, run scheduler.Run) (scheduler.Run, bool, error) {
	c.mu.Lock()
	stuck := c.stuck
	c.stuck = nil
	c.mu.Unlock()
	if stuck != nil {
		stuck()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := run.CampaignID + " " + run.Occurrence
	if _, there := c.runs[key]; there {
		return run, false, nil
	}
	run.CreatedAt = c.now()
	c.runs[key] = run
	c.order = append(c.order, key)
	return run, true, nil
}

func (c *clockwork) Former(context.Context, string, string) (scheduler.Former, error) {
	return scheduler.Former{}, nil
}

func (c *clockwork) loop(campaigns ...scheduler.Campaign) *scheduler.Scheduler {
	s := newScheduler(c, c, campaigns...)
	s.Clock = c.Now
	return s
}

// states lists "slot state" of the runs as they were made.
func (c *clockwork) states() []string {
	var list []string
	for _, key := range c.order {
		list = append(list, fmt.Sprintf("%s %s", c.runs[key].Occurrence, c.runs[key].State))
	}
	return list
}

// running runs schedulers on fake time until f returns.
func running(t *testing.T, f func(), loops ...*scheduler.Scheduler) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, len(loops))
	for _, s := range loops {
		go func() { ended <- s.Run(ctx) }()
	}
	f()
	stop()
	for range loops {
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	}
}

func TestRunFiresOnTimeAndLooksOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork()
		running(t, func() { time.Sleep(time.Hour) }, c.loop(scheduled("c", "*/7 * * * *")))
		if len(c.runs) < 8 {
			t.Errorf("%d runs in an hour", len(c.runs))
		}
		for _, run := range c.runs {
			if late := run.CreatedAt.Sub(run.FireAt); late < 0 || late > 100*time.Millisecond || run.State != scheduler.Planning {
				t.Errorf("the slot of %s is %s, created %s late", run.Occurrence, run.State, late)
			}
		}
		for i := 1; i < len(c.looks); i++ {
			if gap := c.looks[i].Sub(c.looks[i-1]); gap > 15*time.Second {
				t.Errorf("the loop slept %s", gap)
			}
		}
	})
}

// The fake clock of a test begins on 1 January 2000, at midnight UTC. The nightly campaign fires at 18:00.
func TestTheDatabasesClockIsSet(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name string
		work func(c *clockwork) // from noon on
		want string
	}{
		{"a day forward, between two slots", func(c *clockwork) {
			c.step(day) // noon of the 2nd
			time.Sleep(7 * time.Hour)
		}, "01T18:00 missed, 02T18:00 planning"},
		{"a day forward and back", func(c *clockwork) {
			c.step(day)
			time.Sleep(time.Hour)
			c.step(-day)
			time.Sleep(2*day + 6*time.Hour)
		}, "01T18:00 missed, 02T18:00 planning, 03T18:00 planning"},
		{"a day forward over its slot, and back", func(c *clockwork) {
			c.step(day + 7*time.Hour) // 19:00 of the 2nd: within two hours
			time.Sleep(time.Hour)
			c.step(-day - 7*time.Hour)
			time.Sleep(2*day + 6*time.Hour)
		}, "01T18:00 missed, 02T18:00 planning, 03T18:00 planning"},
		{"a day back after the slot", func(c *clockwork) {
			time.Sleep(7 * time.Hour)
			c.step(-day) // 31 December, 19:00
			time.Sleep(2 * day)
		}, "01T18:00 planning, 02T18:00 planning"},
		{"a minute back after the slot", func(c *clockwork) {
			time.Sleep(6*time.Hour + time.Second)
			c.step(-time.Minute)
			time.Sleep(time.Hour)
		}, "01T18:00 planning"},
		{"a laptop sleeps over the slot", func(c *clockwork) {
			c.step(7 * time.Hour) // the process's own clock stood still
			time.Sleep(time.Minute)
		}, "01T18:00 planning"},
		{"a laptop sleeps for three days", func(c *clockwork) {
			c.step(3*day + 9*time.Hour)
			time.Sleep(time.Minute)
		}, "01T18:00 missed, 02T18:00 missed, 03T18:00 missed, 04T18:00 missed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClockwork()
				var log strings.Builder
				loop := c.loop(scheduled("c", "0 18 * * *"))
				loop.Logger = slog.New(slog.NewTextHandler(&log, nil))
				running(t, func() {
					time.Sleep(12 * time.Hour)
					tt.work(c)
				}, loop, c.loop(scheduled("c", "0 18 * * *")))
				got := strings.ReplaceAll(strings.Join(c.states(), ", "), "2000-01-", "")
				if got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				for _, run := range c.runs {
					if run.State == scheduler.Missed && run.Why == "" {
						t.Errorf("%s is missed without a reason", run.Occurrence)
					}
				}
				if tt.name != "a minute back after the slot" && !strings.Contains(log.String(), "it was set") {
					t.Error("nobody was told of the clock")
				}
			})
		})
	}
}

// A campaign that is first seen while the clock is a day ahead fires when its time comes by the right one.
func TestANewScheduleUnderAWrongClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork()
		c.step(24 * time.Hour)
		running(t, func() {
			time.Sleep(time.Hour)
			c.step(-24 * time.Hour)
			time.Sleep(18 * time.Hour)
		}, c.loop(scheduled("c", "0 18 * * *")))
		if got, want := c.states(), []string{"2000-01-01T18:00 planning"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A machine that is paused in the middle of a look, and wakes hours later, finds that another has gone on.
func TestAPausedMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork()
		campaign := scheduled("c", "0 * * * *")
		c.stuck = func() { time.Sleep(3 * time.Hour) }
		running(t, func() { time.Sleep(6*time.Hour + time.Minute) }, c.loop(campaign), c.loop(campaign))
		want := []string{"2000-01-01T01:00 planning", "2000-01-01T02:00 planning", "2000-01-01T03:00 planning", "2000-01-01T04:00 planning", "2000-01-01T05:00 planning", "2000-01-01T06:00 planning"}
		if got := c.states(); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A database that never answers does not hold the loop for ever.
func TestALookEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork()
		loop := c.loop(scheduled("c", "*/10 * * * *"))
		stalled := true
		loop.Clock = func(ctx context.Context) (time.Time, error) {
			if stalled {
				stalled = false
				<-ctx.Done()
				return time.Time{}, ctx.Err()
			}
			return c.Now(ctx)
		}
		running(t, func() { time.Sleep(15 * time.Minute) }, loop)
		if len(c.runs) != 1 {
			t.Errorf("%d runs, want that of 00:10", len(c.runs))
		}
	})
}

// However the clock is set, to and fro, by three schedulers: every slot that it passed while they looked has one run, started or missed with its reason.
func TestNoSlotIsLostOrDoubledWhateverTheClockDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, at := newClockwork(), time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC)
		campaign := scheduled("c", rapid.SampledFrom([]string{"*/30 * * * *", "30 1,2 * * *", "0 18 * * *"}).Draw(t, "cron"), func(s *scheduler.Schedule) {
			s.Zone = rapid.SampledFrom(difficultZones).Draw(t, "zone")
			s.CatchUp = rapid.SampledFrom([]scheduler.CatchUp{"skip", "once", "all"}).Draw(t, "rule")
		})
		loops := []*scheduler.Scheduler{c.loop(campaign), c.loop(campaign), c.loop(campaign)}
		expected := map[string]bool{}
		for look := range rapid.IntRange(2, 40).Draw(t, "looks") {
			before := at
			at = at.Add(time.Duration(rapid.IntRange(-30*3600, 30*3600).Draw(t, "step")) * time.Second)
			if err := tickAt(context.Background(), rapid.SampledFrom(loops).Draw(t, "who"), at); err != nil {
				t.Fatal(err)
			}
			if look == 0 {
				continue // the campaign is seen for the first time
			}
			passed, err := campaign.Between(before, at.Add(time.Nanosecond))
			if err != nil {
				t.Fatal(err)
			}
			for _, slot := range passed {
				expected["c "+string(slot.Local)] = true
			}
		}
		for key := range expected {
			run, there := c.runs[key]
			if !there || run.State == scheduler.Missed && run.Why == "" {
				t.Fatalf("%s is lost", key)
			}
		}
		if len(c.runs) != len(expected) || len(c.order) != len(expected) {
			t.Fatalf("%d runs for %d slots", len(c.order), len(expected))
		}
	})
}
