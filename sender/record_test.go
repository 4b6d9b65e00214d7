package sender_test

import (
	"context"
	"testing"
	"time"

	"github.com/permesso/permesso/sender"
)

// Outcomes gather for 20 ms while others are on their way; the last of all waits for nobody.
func TestOutcomesGatherWhileOthersAreOnTheirWay(t *testing.T) {
	bubble(t, func(h *house) {
		const people, takes = 40, 50 * time.Millisecond
		answered := make([]time.Time, 0, people)
		h.answer = func(_ context.Context, n int) sender.Result {
			time.Sleep(takes + time.Duration(n)*time.Millisecond/2)
			h.mu.Lock()
			defer h.mu.Unlock()
			answered = append(answered, time.Now())
			return sender.Result{Fate: sender.Taken, WAMID: "wamid.A"}
		}
		var groups []int
		var last time.Time
		h.record = func(outcomes []sender.Outcome) error {
			groups, last = append(groups, len(outcomes)), time.Now()
			return nil
		}
		run := h.add("a", 0, people, 0)
		stop := h.start(10_000)
		h.until(time.Minute, "the run is over", func() bool { return h.over(run) })
		stop()
		if !last.Equal(answered[people-1]) {
			t.Errorf("the last outcome was stored %s after its answer", last.Sub(answered[people-1]))
		}
		if len(groups) >= people/4 {
			t.Errorf("%d outcomes were stored in groups of %v", people, groups)
		}
	})
}
