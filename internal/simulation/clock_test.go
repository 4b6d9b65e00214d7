package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/scheduler"
)

// jumpyClock is the database's clock when somebody keeps setting it.
type jumpyClock struct {
	mu       sync.Mutex
	ahead    time.Duration
	earliest time.Time // that the scheduler which never dies was shown
	first    time.Time // that any was shown
	latest   time.Time
}

func (c *jumpyClock) read(steady bool) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now().Add(c.ahead)
	if now.After(c.latest) {
		c.latest = now
	}
	if c.first.IsZero() || now.Before(c.first) {
		c.first = now
	}
	if steady && (c.earliest.IsZero() || now.Before(c.earliest)) {
		c.earliest = now
	}
	return now
}

// beyond sets the clock to later than it ever was.
func (c *jumpyClock) beyond() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = time.Until(c.latest) + 3*time.Hour
}

func (c *jumpyClock) jump(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += by
}

// TestClockJumps sets the clock by up to a day, both ways, while three schedulers look at it and two of them keep dying:
// every slot has one run.
func TestClockJumps(t *testing.T) {
	seen := &sometimes{}
	seeds := uint64(*runs)
	if racing {
		seeds = (seeds + 3) / 4
	}
	t.Run("seeds", func(t *testing.T) {
		for seed := *firstSeed; seed < *firstSeed+seeds; seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				t.Cleanup(func() { seen.end(t) })
				path := blankDatabase(t)
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(time.Until(dawn))
					w, err := newWorld(t, path, seed, seen, bug{})
					if err != nil {
						t.Fatal(err)
					}
					w.jumps()
					for _, fault := range w.explained() {
						t.Errorf("%s\nagain: go test ./internal/simulation -run TestClockJumps -sim.seed=%d -sim.runs=1", fault, seed)
					}
					if err := w.db.Close(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	})
	seen.report(t)
	if seeds < enough {
		return
	}
	for _, path := range []string{"clock set back", "clock set ahead", "missed", "started", "death after create run"} {
		if seen.count(path) == 0 {
			t.Errorf("%d seeds never met %q: too few to prove anything", seeds, path)
		}
	}
}

// jumps is a whole seed of it.
func (w *world) jumps() {
	r := w.draw("jumps")
	w.slots = w.began.Add(30 * 24 * time.Hour)
	for i := range w.campaigns {
		w.campaigns[i].Schedule = &scheduler.Schedule{
			Cron: "0 * * * *", Zone: "Europe/Rome", CatchUp: []scheduler.CatchUp{scheduler.CatchUpSkip, scheduler.CatchUpOnce, scheduler.CatchUpAll}[i],
			CatchUpWithin: time.Hour, Overlap: []scheduler.Overlap{scheduler.OverlapSkip, scheduler.OverlapQueue}[r.IntN(2)],
		}
		w.campaigns[i].Window, w.campaigns[i].NotAfter = nil, time.Time{}
	}
	clock := &jumpyClock{}
	stop := make(chan struct{})
	var parts sync.WaitGroup
	parts.Go(func() { w.watchClock("steady", clock, true, stop) })
	for _, name := range []string{"b", "c"} {
		parts.Go(func() { w.watchClock(name, clock, false, stop) })
	}
	parts.Go(func() { w.endRuns(stop) })
	for range 6 {
		time.Sleep(time.Duration(60+r.IntN(700)) * time.Second)
		by := []time.Duration{20 * time.Minute, time.Hour, 24 * time.Hour}[r.IntN(3)] + time.Duration(r.IntN(300))*time.Second
		if r.IntN(2) == 0 {
			by = -by
			w.seen.note("clock set back")
		} else {
			w.seen.note("clock set ahead")
		}
		w.tell("the clock is set by %s", by)
		clock.jump(by)
	}
	time.Sleep(2 * time.Minute)
	clock.beyond()
	time.Sleep(2 * time.Minute)
	close(stop)
	parts.Wait()
	if err := w.auditSlots(clock); err != nil {
		w.wrongs("the judge cannot read: %v", err)
	}
}

// watchClock is a scheduler that is started again whenever it dies; the steady one never does.
func (w *world) watchClock(name string, clock *jumpyClock, steady bool, stop <-chan struct{}) {
	for generation := 0; ; generation++ {
		r := w.draw("watch", name, generation)
		p := &process{w: w, name: fmt.Sprintf("%s.%d", name, generation), visits: map[point]int64{}}
		if !steady {
			p.mishaps = []mishap{{at: []point{atCreateRun, atMoveMark}[r.IntN(2)], nth: 1 + int64(r.IntN(4)), after: r.IntN(2) == 0}}
		}
		ctx, cancel := context.WithCancel(context.Background())
		p.stop = cancel
		s := &scheduler.Scheduler{
			Slots: p, Formers: p, Campaigns: w.configured, Freeze: w.freeze, Logger: w.log(p.name),
			Clock: func(context.Context) (time.Time, error) { return clock.read(steady), p.awakeError() },
		}
		p.over.Go(func() { _ = s.Run(ctx) })
		died := p.ended(nil, stop)
		p.terminate()
		if !died || !sleepUnless(stop, time.Duration(1+r.IntN(120))*time.Second) {
			return
		}
	}
}

func (p *process) awakeError() error {
	if p.awake() {
		return nil
	}
	return errDead
}

// endRuns ends what was started, so that the next slot finds nothing open.
func (w *world) endRuns(stop <-chan struct{}) {
	for sleepUnless(stop, 2*time.Minute) {
		open, err := w.db.OpenRuns(context.Background(), "")
		for _, run := range open {
			_, moved := w.move(context.Background(), run.ID, scheduler.RunCancelled, "")
			err = errors.Join(err, moved)
		}
		if err != nil {
			w.wrongs("ending runs: %v", err)
		}
	}
}

// auditSlots compares the runs with the slots between the earliest and the last time that the clock showed.
func (w *world) auditSlots(clock *jumpyClock) error {
	all, err := w.db.Runs(context.Background(), "", 0)
	if err != nil {
		return err
	}
	last := time.Now().Add(clock.ahead)
	for _, c := range w.configured() {
		made := map[string]int{}
		for _, run := range all {
			if run.CampaignID != c.ID {
				continue
			}
			made[run.Occurrence]++
			if run.State != scheduler.Missed {
				w.seen.note("started")
				continue
			}
			w.seen.note("missed")
			if run.Why == "" {
				w.wrongs("the slot %s of %s is missed without a reason", run.Occurrence, c.ID)
			}
		}
		may, err := c.Between(clock.first, last)
		if err != nil {
			return err
		}
		for _, slot := range may {
			n := made[string(slot.Local)]
			if n > 1 || n == 0 && slot.At.After(clock.earliest) {
				w.wrongs("the slot %s of %s has %d runs", slot.Local, c.ID, n)
			}
		}
		for occurrence := range made {
			if !slices.ContainsFunc(may, func(o scheduler.Occurrence) bool { return string(o.Local) == occurrence }) {
				w.wrongs("%s has a run at %s, which the clock never came to", c.ID, occurrence)
			}
		}
	}
	return nil
}
