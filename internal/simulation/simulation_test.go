package simulation

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// enough is how many seeds are enough to meet every rare path, whatever goroutines of one instant do first.
const enough = 24

var (
	firstSeed = flag.Uint64("sim.seed", 1, "the first seed of the simulation")
	runs      = flag.Int("sim.runs", usual(), "how many seeds, from the first on; below 24 it is not asked whether the rare paths were reached")
	logged    = flag.Bool("sim.log", false, "the processes' own logs too")
)

// rare are the paths without which a set of seeds proves little.
var rare = []string{
	"unknown", "unknown, settled by its echo", "lost answer", "lease taken over", "stop while sending", "slow_down", "retry", "early status",
	"paused and resumed", "cap at the gate", "process stands still", "death after gate", "death before record", "duplicate webhook", "a month late",
	"not sent", "configuration edited",
}

// usual is how many seeds a plain go test plays: under the race detector a few.
func usual() int {
	if racing {
		return 4
	}
	return enough
}

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // a seed is short and its heap small
	os.Exit(m.Run())
}

// TestSimulation lives through one seed after another and lets the judge find nothing.
func TestSimulation(t *testing.T) {
	seen := &sometimes{}
	t.Run("seeds", func(t *testing.T) {
		for seed := *firstSeed; seed < *firstSeed+uint64(*runs); seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				t.Cleanup(func() { seen.end(t) })
				for _, fault := range simulate(t, seed, seen, bug{}) {
					t.Errorf("%s\nagain: go test ./internal/simulation -run TestSimulation -sim.seed=%d -sim.runs=1", fault, seed)
				}
			})
		}
	})
	seen.report(t)
	if *runs < enough {
		return
	}
	for _, path := range rare {
		if seen.count(path) == 0 {
			t.Errorf("%d seeds never met %q: too few to prove anything", *runs, path)
		}
	}
}

// simulate lives through one seed and returns what was wrong, the first with what led to it.
func simulate(t *testing.T, seed uint64, seen *sometimes, planted bug) (faults []string) {
	path := blankDatabase(t)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(dawn))
		w, err := newWorld(t, path, seed, seen, planted)
		if err != nil {
			t.Fatal(err)
		}
		faults = w.run()
		// What a dead process's sender could not store it gives up by itself; a real one would be gone.
		time.Sleep(time.Hour)
		if err := w.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return faults
}

// blankDatabase is a file of the test's own.
func blankDatabase(t *testing.T) string {
	t.Helper()
	raw, err := blank()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "permesso.db")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run is the whole of a seed: trouble, then rest, then what comes a month late, then the judge.
func (w *world) run() []string {
	if err := w.open(); err != nil {
		w.wrongs("opening: %v", err)
	}
	restart, stop := make(chan struct{}), make(chan struct{})
	var installation, troubles sync.WaitGroup
	for i := range 1 + w.draw("processes").IntN(3) {
		installation.Go(func() { w.live(fmt.Sprintf("p%d", i), restart, stop) })
	}
	for _, p := range w.people {
		troubles.Go(func() { w.act(p) })
	}
	troubles.Go(w.edit)
	troubles.Go(func() {
		if err := w.operate(); err != nil {
			w.wrongs("an operator is told: %v", err)
		}
	})
	troubles.Wait()
	w.until(w.ends)
	w.calm.Store(true)
	w.tell("faults end")
	if err := w.rest(restart); err != nil {
		w.wrongs("coming to rest: %v", err)
	}
	close(stop)
	installation.Wait()
	last := w.start("late", nil, true)
	close(w.settled)
	w.players.Wait()
	if err := w.db.ReplayEarly(context.Background()); err != nil {
		w.wrongs("early statuses: %v", err)
	}
	last.stop()
	last.over.Wait()
	if err := w.audit(); err != nil {
		w.wrongs("the judge cannot read: %v", err)
	}
	return w.explained()
}

// open marks the schedules before anything can go wrong, as of dawn: from then on every slot counts.
func (w *world) open() error {
	quiet := &process{w: w, name: "dawn", visits: map[point]int64{}}
	s := &scheduler.Scheduler{Slots: quiet, Formers: quiet, Clock: quiet.Now, Campaigns: w.configured, Freeze: w.freeze, Logger: w.log("dawn")}
	_, err := s.Tick(context.Background())
	return err
}

// restWithin is how long an installation without faults may take to end all that is under way.
const restWithin = 3 * time.Minute

// rest waits until no run is open and nothing is on its way. In most seeds everybody is restarted when that takes long,
// so that what lost its outcome is settled by those who take the leases over, and in some by those who keep them.
func (w *world) rest(restart chan<- struct{}) error {
	ctx := context.Background()
	restartAt := time.Now().Add(6 * time.Second)
	if w.seed%4 == 1 {
		restartAt = time.Now().Add(restWithin)
	}
	patience := restWithin
	if w.bug.queued != nil {
		patience = 12 * time.Second // that it never comes to rest is the point
	}
	for end := time.Now().Add(patience); time.Now().Before(end) && !w.over(); time.Sleep(time.Second) {
		if restart != nil && time.Now().After(restartAt) {
			w.tell("everybody is restarted")
			w.seen.note("restarted")
			close(restart)
			restart = nil
		}
		if err := w.resumePaused(ctx); err != nil {
			return err
		}
		open, err := w.db.OpenRuns(ctx, "")
		if err != nil {
			return err
		}
		judged, err := w.slotsJudged(ctx)
		if err != nil {
			return err
		}
		if len(open) > 0 || !judged {
			continue
		}
		flying := false
		for _, err := range w.db.Log(ctx, report.Filter{State: sender.Sending}) {
			if err != nil {
				return err
			}
			flying = true
		}
		if !flying {
			return nil
		}
	}
	if w.over() {
		return nil
	}
	return fmt.Errorf("something is still under way %s after the last fault", patience)
}

// lookWithin is longer than a scheduler sleeps.
const lookWithin = 17 * time.Second

// slotsJudged reports whether each schedule's last slot has its run, or should have.
func (w *world) slotsJudged(ctx context.Context) (bool, error) {
	if time.Since(w.slots) > lookWithin+w.ends {
		return true, nil
	}
	for _, c := range w.configured() {
		slots, err := c.Between(w.began, w.slots.Add(time.Nanosecond))
		if err != nil || len(slots) == 0 {
			return err == nil, err
		}
		former, err := w.db.Runs(ctx, c.ID, 0)
		if err != nil {
			return false, err
		}
		last := string(slots[len(slots)-1].Local)
		if !slices.ContainsFunc(former, func(run scheduler.Run) bool { return run.Occurrence == last }) {
			return false, nil
		}
	}
	return true, nil
}

// explained gives the first fault the lines that tell of the same person or run.
func (w *world) explained() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) == 0 {
		return nil
	}
	var lines []string
	for _, line := range w.trace {
		about := strings.Contains(line, "WRONG") || !strings.Contains(line, "+39")
		for _, p := range w.people {
			about = about || strings.Contains(w.faults[0], string(p.phone)) && strings.Contains(line, string(p.phone))
		}
		if about {
			lines = append(lines, line)
		}
	}
	faults := slices.Clone(w.faults)
	faults[0] += "\n" + strings.Join(lines, "\n")
	return faults
}
