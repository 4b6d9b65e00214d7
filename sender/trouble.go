package sender

import (
	"sync"
	"time"
)

// trouble tells an outage from single failures: while nothing gets through, one message at a time probes, ever more rarely.
type trouble struct {
	mu       sync.Mutex
	unsent   int
	unknown  int
	tryAfter time.Time
}

const unsentInARow = 8

func (t *trouble) notSent(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unsent++
	if t.unsent < unsentInARow {
		return
	}
	wait := 250 * time.Millisecond << min(t.unsent-unsentInARow, 6)
	t.tryAfter = now.Add(min(wait, 10*time.Second))
}

func (t *trouble) ambiguous() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unknown++
	return t.unknown
}

func (t *trouble) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unsent, t.unknown, t.tryAfter = 0, 0, time.Time{}
}

// wait is how long to leave the network alone; 0 when it may be tried.
func (t *trouble) wait(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tryAfter.Sub(now)
}

func (t *trouble) probing() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unsent >= unsentInARow
}
