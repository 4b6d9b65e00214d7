package proof

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The figures of F32.
const (
	firstWithin = 10 * time.Second
	pauseWithin = 2 * time.Second
	mostMemory  = 256 // MiB
)

// playHuge plans and begins a run for very many people: the memory does not grow with them, the first message leaves while the
// others are planned, and a pause holds at once (F32). 100,000 people; at length 1,000,000.
func playHuge(t *testing.T, target string, seed uint64, soak length) {
	people := soak.of(100_000, 1_000_000)
	r := newRig(t, "huge", target, seed, settings{people: people, perSecond: 200})
	r.player.Hold()
	p := r.serve(r.houses[0])
	made := time.Now()
	run := r.detach("offer")
	detached := time.Now()
	r.must("the first message leaves", eventually(4*patience, func() error {
		if r.posted() == 0 {
			return fmt.Errorf("none after %s", time.Since(detached))
		}
		return nil
	}))
	first := time.Since(detached)
	r.must("it is planned", eventually(10*patience, func() error {
		if n, err := r.count("SELECT count(*) FROM runs WHERE planned_at IS NOT NULL"); err != nil || n == 0 {
			return fmt.Errorf("it is not: %v", err)
		}
		return nil
	}))
	planned := time.Since(detached)
	r.untilPosted(r.posted() + 200)
	r.verb("runs", "pause", run)
	paused := time.Now()
	time.Sleep(2 * pauseWithin)
	posts, err := lines[Post](r.ledgerFile())
	r.must("reading the ledger", err)
	last := time.Duration(0)
	for _, post := range posts {
		last = max(last, time.UnixMicro(post.Begin).Sub(paused))
	}
	memory := r.peak(p)
	rows, err := r.count("SELECT count(*) FROM deliveries")
	r.must("counting rows", err)
	if rows != people {
		t.Errorf("%d rows for %d people", rows, people)
	}
	if slow := loaded(); first > slow*firstWithin || last > slow*pauseWithin {
		t.Errorf("the first message left after %s, want %s; the last %s after the pause, want %s; all times %d for the load", first, firstWithin, last, pauseWithin, slow)
	}
	if memory > mostMemory {
		t.Errorf("serve took %d MiB at its most, want %d", memory, mostMemory)
	}
	t.Logf("huge, %s, seed %d: %d people, %s to count and make the run, first message after %s, planned after %s, nothing later than %s after the pause, %d MiB at most",
		r.databaseName(), seed, people, detached.Sub(made).Round(time.Millisecond), first.Round(time.Millisecond), planned.Round(time.Millisecond), last.Round(time.Millisecond), memory)
	p.stop()
}

// peak is the most memory that a process had at once, in MiB, as the kernel counts it.
func (r *rig) peak(p *process) int {
	r.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	r.must("reading the memory of serve", err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			r.must("reading the memory of serve", err)
			return kib / 1024
		}
	}
	r.t.Fatal("the kernel does not say how much memory serve had")
	return 0
}

// loaded is by how much a figure of time may be exceeded: once for a machine with a processor to spare, more for one that has
// several programs for each.
func loaded() time.Duration {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 1
	}
	now, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(now, 64)
	if err != nil {
		return 1
	}
	return max(1, time.Duration(load/float64(runtime.NumCPU())+0.5))
}
