package console

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/scheduler"
)

const (
	// How long counts serve every page that asks, at least: the pages ask each second.
	freshFor = 900 * time.Millisecond
	// A run that is over moves by late reports from WhatsApp alone, most of them in its first minutes.
	freshForOver    = 2 * time.Second
	freshForSettled = 20 * time.Second
	settlesIn       = 10 * time.Minute
	// For so many times as long as counting took, a run is not counted again: watching a run of a million people costs the database
	// at most a twentieth of one connection, however many watch. Over runs are many, and come each after the other.
	rest     = 20
	restOver = 200
	// keepAtMost bounds the memory of old counts.
	keepAtMost = 1000
)

// figures remembers summaries for a moment, so that many open pages ask the database as often as one.
type figures struct {
	reports Reports
	mu      sync.Mutex
	counts  map[string]*count
}

// count is one run's summary. Its lock is held while it is read, so that those who come meanwhile wait for the same answer.
type count struct {
	lock    chan struct{}
	until   time.Time
	summary report.Summary
}

func newFigures(reports Reports) *figures {
	return &figures{reports: reports, counts: map[string]*count{}}
}

// of returns the run's summary, at most moments old. An error is never kept.
func (f *figures) of(ctx context.Context, run scheduler.Run) (report.Summary, error) {
	c := f.place(run.ID)
	select {
	case c.lock <- struct{}{}:
	case <-ctx.Done():
		return report.Summary{}, ctx.Err()
	}
	defer func() { <-c.lock }()
	start := time.Now()
	if start.Before(c.until) {
		return c.summary, nil
	}
	summary, err := f.reports.Summary(ctx, run.ID)
	if err != nil {
		return report.Summary{}, fmt.Errorf("reading the summary of run %s: %w", run.ID, err)
	}
	end := time.Now()
	c.summary, c.until = summary, end.Add(keepFor(run, end, end.Sub(start)))
	return summary, nil
}

func keepFor(run scheduler.Run, now time.Time, took time.Duration) time.Duration {
	switch {
	case run.State.Open():
		return max(freshFor, rest*took)
	case now.Sub(run.FinishedAt) < settlesIn:
		return max(freshForOver, rest*took)
	}
	return max(freshForSettled, restOver*took)
}

func (f *figures) place(runID string) *count {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.counts[runID]; c != nil {
		return c
	}
	if len(f.counts) >= keepAtMost {
		// Rare enough to be coarse: who is reading one holds on to it.
		clear(f.counts)
	}
	c := &count{lock: make(chan struct{}, 1)}
	f.counts[runID] = c
	return c
}
