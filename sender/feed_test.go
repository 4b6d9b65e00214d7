package sender_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// A small run ends when its own last row does, also while a big one of the same number goes on.
func TestARunEndsBesideAnother(t *testing.T) {
	bubble(t, func(h *house) {
		small, big := h.add("small", 0, 40, 5), h.add("big", 1000, 20_000, 0)
		stop := h.start(80)
		h.until(10*time.Second, "the small run is over", func() bool { return h.over(small) })
		if h.over(big) {
			t.Error("the big run is over too: the test shows nothing")
		}
		stop()
	})
}

func TestPriority(t *testing.T) {
	bubble(t, func(h *house) {
		low, high := h.add("low", 0, 300, 1), h.add("high", 1000, 300, 9)
		stop := h.start(80)
		h.until(30*time.Second, "both are over", func() bool { return h.over(low) && h.over(high) })
		stop()
		if !high.done.Before(low.done) || h.gated[0].run != "high" {
			t.Error("the run with the lower priority went first")
		}
	})
}

// A run that is still being planned is not over when its first page is: later pages are found as they come.
func TestPlanningRunGoesOn(t *testing.T) {
	bubble(t, func(h *house) {
		run := h.add("a", 0, 10, 0)
		run.Planned = false
		stop := h.start(80)
		for page := 1; page <= 3; page++ {
			h.until(10*time.Second, "a page is sent", func() bool { return h.count(run, sender.Accepted) == 10*page })
			time.Sleep(3 * time.Second)
			if h.over(run) {
				t.Error("the run ended before its planning did")
			}
			h.mu.Lock()
			if page < 3 {
				h.fill(run, 10*page, 10)
			} else {
				run.Planned = true
			}
			h.mu.Unlock()
		}
		h.until(10*time.Second, "the run is over", func() bool { return h.over(run) })
		stop()
	})
}

func TestTemplateThatDoesNotFit(t *testing.T) {
	bubble(t, func(h *house) {
		run := h.add("a", 0, 10, 0)
		var trouble atomic.Int32
		h.bind = func(run sender.Run) (sender.Binding, error) {
			switch trouble.Load() {
			case 0:
				return nil, fmt.Errorf("template weekend_offer: the body takes 2: %w", sender.ErrNoBinding)
			case 1:
				return nil, errDown
			}
			return sender.Bind(run, catalogue(t))
		}
		stop := h.start(80)
		h.until(5*time.Second, "a pause", func() bool { return len(h.breakers()) == 1 })
		if p := h.breakers()[0]; p.Kind != sender.BreakTemplate || h.count(run, sender.Queued) != 10 {
			t.Errorf("paused %+v", p)
		}
		// Any other trouble, such as a database that is away, pauses nothing.
		trouble.Store(1)
		h.reopen(run)
		time.Sleep(5 * time.Second)
		trouble.Store(2)
		h.until(10*time.Second, "the run is over", func() bool { return h.over(run) })
		stop()
		if len(h.breakers()) > 1 {
			t.Errorf("paused %+v", h.breakers())
		}
	})
}

func TestSlowDownAndRecover(t *testing.T) {
	bubble(t, func(h *house) {
		complain := func(since time.Duration) bool { return since > 5*time.Second && since < 8*time.Second }
		began := time.Now()
		h.answer = func(context.Context, int) sender.Result {
			if complain(time.Since(began)) {
				return sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 130429, Title: "Rate limit hit", Reaction: sender.SlowDown}}
			}
			return sender.Result{Fate: sender.Taken, WAMID: "w"}
		}
		run := h.add("a", 0, 8000, 0) // more than a minute's
		stop := h.start(100)
		time.Sleep(60 * time.Second)
		stop()
		rate := func(second int) int {
			n := 0
			for _, p := range h.posts() {
				if int(p.at.Sub(began).Seconds()) == second {
					n++
				}
			}
			return n
		}
		if before, after, later := rate(4), rate(9), rate(50); before < 95 || after > 60 || later < 95 {
			t.Errorf("posts per second: %d before Meta complains, %d after, %d when it has been quiet for long", before, after, later)
		}
		if n := h.count(run, sender.Failed); n > 0 {
			t.Errorf("%d messages failed for a wish to slow down", n)
		}
	})
}

// Of a run that takes minutes, what did not leave is tried again within 5 s, and what waited for a window leaves when it
// opens: neither waits for the last row that never had to.
func TestDueRowsDoNotWaitForTheRestOfTheRun(t *testing.T) {
	bubble(t, func(h *house) {
		began := time.Now()
		opens := began.Add(30 * time.Second)
		h.judge = func(row sender.GateRow) sender.GateAnswer {
			if row.PersonID == key(50) && time.Now().Before(opens) {
				return sender.GateAnswer{State: sender.Queued, Decision: policy.Decision{Verdict: policy.Defer, Reason: policy.OutsideWindow, Until: opens}}
			}
			return sender.GateAnswer{State: sender.Sending, Decision: policy.Decision{Verdict: policy.Allow}}
		}
		h.answer = func(_ context.Context, n int) sender.Result {
			if n == 10 {
				return sender.Result{Fate: sender.NotSent, Cause: errDown}
			}
			return sender.Result{Fate: sender.Taken, WAMID: "w"}
		}
		run := h.add("a", 0, 20_000, 0)
		stop := h.start(80)
		h.until(6*time.Second, "what did not leave is sent", func() bool { return h.tried(run, 2) == 1 })
		h.until(time.Until(opens.Add(time.Second)), "who waited for a window is written to", func() bool { return h.accepted(run, key(50)) })
		if n := h.count(run, sender.Queued); n < 10_000 {
			t.Errorf("%d rows are left: the test shows nothing", n)
		}
		stop()
	})
}
