package sender_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// In no window of a second do more messages leave than the number's limit: at any limit, from an empty bucket, after idle
// pauses, and when the tokens of refused rows were kept for later.
func TestPaceHoldsInEveryWindow(t *testing.T) {
	limits := []int{1, 2, 3, 5, 7, 9, 10, 11, 13, 20, 50, 67, 80, 100, 133, 134, 200, 267, 400, 667, 1000}
	random := rand.New(rand.NewPCG(20261121, 9))
	for range 4 {
		limits = append(limits, 1+random.IntN(1000))
	}
	for _, limit := range limits {
		t.Run(fmt.Sprint(limit), func(t *testing.T) { bubble(t, func(h *house) { checkPace(h, limit) }) })
	}
	// Gates that wait and end together let messages leave closer together than their tokens were taken.
	for _, limit := range []int{10, 80, 199, 200, 400, 1000} {
		t.Run(fmt.Sprintf("%d, gates that stand still", limit), func(t *testing.T) {
			bubble(t, func(h *house) {
				began := time.Now()
				h.slow = func() time.Duration { // a database that stands still for a third of a second, every two
					const every, still = 2 * time.Second, 330 * time.Millisecond
					return max(0, still-time.Since(began)%every)
				}
				checkPace(h, limit)
			})
		})
	}
}

func checkPace(h *house, limit int) {
	random := rand.New(rand.NewPCG(uint64(limit), 4))
	refuses := 0 // of ten
	h.judge = func(sender.GateRow) sender.GateAnswer {
		if random.IntN(10) < refuses {
			return sender.GateAnswer{State: sender.Skipped, Decision: policy.Decision{Reason: policy.Suppressed}}
		}
		return sender.GateAnswer{State: sender.Sending, Decision: policy.Decision{Verdict: policy.Allow}}
	}
	h.answer = func(context.Context, int) sender.Result { return sender.Result{Fate: sender.Taken, WAMID: "w"} }
	began := time.Now()
	run := h.add("a", 0, 0, 0)
	run.Planned = false
	stop := h.start(float64(limit))
	next := 0
	feed := func(people, refused int) {
		h.mu.Lock()
		refuses = refused
		h.fill(run, next, people)
		next += people
		h.mu.Unlock()
		h.until(5*time.Minute, "a page is sent", func() bool { return h.count(run, sender.Queued, sender.Sending) == 0 })
	}
	feed(limit+20, 0)
	for _, idle := range []time.Duration{3 * time.Second, 1100 * time.Millisecond} {
		feed(1+min(limit/4, 40), 10) // all refused: their tokens are kept
		time.Sleep(idle)             // and the bucket fills beside them
		feed(limit+5, 0)
		feed(min(limit, 60), 5)
	}
	stop()
	if first := h.posted[0].at.Sub(began); first < time.Second/time.Duration(limit) {
		h.Errorf("the first message left after %s: the bucket was not empty", first)
	}
	for i, posted := limit, h.posts(); i < len(posted); i++ {
		if span := posted[i].at.Sub(posted[i-limit].at); span < time.Second {
			h.Fatalf("%d messages within %s at a limit of %d/s", limit+1, span, limit)
		}
	}
}

// The limit is used, not only kept: under a steady supply most of it leaves, however the gate answers.
func TestPaceUsesTheLimit(t *testing.T) {
	for _, limit := range []int{5, 10, 80, 1000} {
		for _, refused := range []int{0, 5} {
			t.Run(fmt.Sprintf("%d/s, %d0%% refused", limit, refused), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHouse(t)
					random := rand.New(rand.NewPCG(3, 4))
					h.judge = func(sender.GateRow) sender.GateAnswer {
						if random.IntN(10) < refused {
							return sender.GateAnswer{State: sender.Skipped, Decision: policy.Decision{Reason: policy.Suppressed}}
						}
						return sender.GateAnswer{State: sender.Sending, Decision: policy.Decision{Verdict: policy.Allow}}
					}
					h.add("a", 0, 60*limit, 0)
					stop := h.start(float64(limit))
					time.Sleep(21 * time.Second)
					stop()
					// Two tokens given back at once are one too many for a bucket of one: some of them go to waste.
					least := 0.87 * float64(limit)
					if refused > 0 {
						least = 0.7 * float64(limit)
					}
					if rate := float64(len(h.posts())) / 20; rate < least {
						t.Errorf("%.1f messages per second at a limit of %d, want %.1f", rate, limit, least)
					}
				})
			})
		}
	}
}

// A wire that was quick once does not stay so: posters follow its latency, whatever was seen first.
func TestPaceFollowsTheWire(t *testing.T) {
	for _, tt := range []struct {
		name string
		wire func(since time.Duration) sender.Result
	}{
		{"refused connections come back at once", func(since time.Duration) sender.Result {
			if since < 3*time.Second {
				time.Sleep(200 * time.Microsecond)
				return sender.Result{Fate: sender.NotSent, Cause: errDown}
			}
			time.Sleep(350 * time.Millisecond)
			return sender.Result{Fate: sender.Taken, WAMID: "w"}
		}},
		{"answers become slower", func(since time.Duration) sender.Result {
			if since < 3*time.Second {
				time.Sleep(10 * time.Millisecond)
			} else {
				time.Sleep(350 * time.Millisecond)
			}
			return sender.Result{Fate: sender.Taken, WAMID: "w"}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(h *house) {
				began := time.Now()
				h.answer = func(context.Context, int) sender.Result { return tt.wire(time.Since(began)) }
				h.add("a", 0, 35_000, 0)
				stop := h.start(1000)
				time.Sleep(30 * time.Second)
				stop()
				late := slices.DeleteFunc(h.posts(), func(p posted) bool { return p.at.Sub(began) < 20*time.Second || p.at.Sub(began) >= 30*time.Second })
				if len(late) < 9300 {
					t.Errorf("%d posts in 10 s at a limit of 1000 a second and answers of 350 ms", len(late))
				}
			})
		})
	}
}
