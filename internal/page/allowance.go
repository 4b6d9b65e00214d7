package page

import (
	"sync"
	"time"
)

// mostCallers bounds the memory of an allowance. With more callers than that at once, the oldest are forgotten.
const mostCallers = 8192

// allowance is how often each caller may do something in a span of time.
type allowance struct {
	most int
	span time.Duration

	mu    sync.Mutex
	used  map[string]int
	since time.Time
}

func newAllowance(most int, span time.Duration) *allowance {
	return &allowance{most: most, span: span, used: map[string]int{}}
}

// take reports whether the caller may once more, and counts it.
func (a *allowance) take(caller string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn(now)
	a.used[caller]++
	return a.used[caller] <= a.most
}

// turn begins a new span when the last one is over.
func (a *allowance) turn(now time.Time) {
	if age := now.Sub(a.since); age >= a.span || age < 0 || len(a.used) > mostCallers {
		clear(a.used)
		a.since = now
	}
}
