package sender_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// bubble runs f with a house of its own on fake time, and audits it afterwards.
func bubble(t *testing.T, f func(h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		f(h)
		h.audit()
	})
}

func TestSendsEveryoneOnce(t *testing.T) {
	bubble(t, func(h *house) {
		run := h.add("a", 0, 2500, 0)
		stop := h.start(80)
		h.until(time.Minute, "the run is over", func() bool { return h.over(run) })
		stop()
		if n := h.count(run, sender.Accepted); n != 2500 || len(h.posts()) != 2500 {
			t.Errorf("%d accepted of 2500, %d posts", n, len(h.posts()))
		}
		if took := run.done.Sub(h.posts()[0].at); took > 34*time.Second {
			t.Errorf("2500 messages at 80/s took %s", took)
		}
		if h.leases[len(h.leases)-1] != "released" {
			t.Errorf("the lease was not released: %v", h.leases)
		}
	})
}

// Whatever the gate answers, what is posted is what it answered Sending with an allowance, no more and no less.
func TestOnlyWhatTheGateLetsThrough(t *testing.T) {
	answers := []sender.GateAnswer{
		{State: sender.Sending, Decision: policy.Decision{Verdict: policy.Allow}},
		{State: sender.Skipped, Decision: policy.Decision{Reason: policy.Suppressed}},
		{State: sender.Expired, Decision: policy.Decision{Reason: policy.NotAfter}},
		{State: sender.Cancelled}, {State: sender.Unknown}, {State: sender.Accepted},
		{}, // another attempt has it
	}
	bubble(t, func(h *house) {
		random := rand.New(rand.NewPCG(1, 2))
		h.judge = func(sender.GateRow) sender.GateAnswer {
			if random.IntN(8) == 0 {
				return sender.GateAnswer{State: sender.Queued, Decision: policy.Decision{Verdict: policy.Defer, Reason: policy.InQuietHours, Until: time.Now().Add(time.Duration(random.IntN(3000)) * time.Millisecond)}}
			}
			return answers[random.IntN(len(answers))]
		}
		run := h.add("a", 0, 1000, 0)
		stop := h.start(200)
		h.until(time.Minute, "nothing waits", func() bool { return h.count(run, sender.Queued, sender.Sending) == 0 })
		stop()
		sending := 0
		for _, g := range h.gated {
			for _, a := range g.answers {
				if a.State == sender.Sending {
					sending++
				}
			}
		}
		if len(h.posts()) != sending || sending == 0 {
			t.Errorf("%d posts, the gate let %d through", len(h.posts()), sending)
		}
	})
}

// A row in sending that this gate did not allow, as a ledger might wrongly answer, is not posted.
func TestSendingWithoutAllowanceIsNotPosted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.judge = func(sender.GateRow) sender.GateAnswer { return sender.GateAnswer{State: sender.Sending} }
		h.add("a", 0, 5, 0)
		stop := h.start(80)
		time.Sleep(5 * time.Second)
		stop()
		if len(h.posts()) > 0 {
			t.Errorf("%d posts without an allowance", len(h.posts()))
		}
	})
}

func TestMissingParameterGoesToTheGate(t *testing.T) {
	bubble(t, func(h *house) {
		h.bind = func(run sender.Run) (sender.Binding, error) {
			run.Message.Parameters.Body[0].Field = "attributes.coupon"
			return sender.Bind(run, catalogue(t))
		}
		h.judge = func(row sender.GateRow) sender.GateAnswer {
			if row.Missing != "attributes.coupon" || row.Language != "it" {
				t.Errorf("the gate is told of missing %q in %q", row.Missing, row.Language)
			}
			return sender.GateAnswer{State: sender.Skipped, Decision: policy.Decision{Reason: policy.MissingParameter}}
		}
		run := h.add("a", 0, 3, 0)
		stop := h.start(80)
		h.until(10*time.Second, "the run is over", func() bool { return h.over(run) })
		stop()
	})
}

func TestGateErrorSendsNothingAndReadsAgain(t *testing.T) {
	bubble(t, func(h *house) {
		back := time.Now().Add(5 * time.Second)
		h.gate = func() error {
			if time.Now().Before(back) {
				return errDown
			}
			return nil
		}
		run := h.add("a", 0, 300, 0)
		stop := h.start(80)
		time.Sleep(4900 * time.Millisecond)
		if len(h.posts()) > 0 {
			t.Errorf("%d posts while the gate fails", len(h.posts()))
		}
		if n := h.count(run, sender.Queued); n != 300 {
			t.Errorf("%d rows wait, want all", n)
		}
		h.until(20*time.Second, "the run is over", func() bool { return h.over(run) })
		stop()
		if n := h.count(run, sender.Accepted); n != 300 {
			t.Errorf("%d accepted of 300", n)
		}
	})
}

func TestPauseReactions(t *testing.T) {
	for reaction, kind := range map[sender.Reaction]sender.BreakerKind{
		sender.PauseToken: sender.BreakToken, sender.PauseAccount: sender.BreakAccount, sender.PauseNumber: sender.BreakNumber,
		sender.PauseTemplate: sender.BreakTemplate, sender.PauseRun: sender.BreakCampaign,
	} {
		t.Run(string(reaction), func(t *testing.T) {
			bubble(t, func(h *house) {
				h.answer = func(_ context.Context, n int) sender.Result {
					if n > 100 {
						return sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 190, Title: "Access token has expired", Reaction: reaction}}
					}
					return sender.Result{Fate: sender.Taken, WAMID: "w"}
				}
				run := h.add("a", 0, 10_000, 0)
				stop := h.start(1000)
				h.until(10*time.Second, "a pause", func() bool { return len(h.breakers()) > 0 })
				time.Sleep(5 * time.Second)
				stop()
				if b := h.breakers()[0]; b.Kind != kind || !b.Stops(run.Run) || b.Code != 190 || !strings.HasPrefix(b.Why, "Meta answered 190 Access token has expired; ") {
					t.Errorf("opened %+v", b)
				}
				if extra := len(h.posts()) - 100; extra > 40 {
					t.Errorf("%d posts after the first refusal", extra)
				}
				if n := h.count(run, sender.Queued); n != 10_000-100 {
					t.Errorf("%d rows wait, want all but 100: a pause burns no message", n)
				}
			})
		})
	}
}

func TestNotSentStormProbesRarely(t *testing.T) {
	for _, slow := range []time.Duration{0, 5 * time.Second} {
		t.Run(fmt.Sprintf("failing after %s", slow), func(t *testing.T) {
			bubble(t, func(h *house) {
				var down atomic.Bool
				down.Store(true)
				h.answer = func(context.Context, int) sender.Result {
					if !down.Load() {
						return sender.Result{Fate: sender.Taken, WAMID: "w"}
					}
					time.Sleep(slow)
					return sender.Result{Fate: sender.NotSent, Cause: errors.New("dial: connection refused")}
				}
				run := h.add("a", 0, 5000, 0)
				stop := h.start(80)
				time.Sleep(time.Minute)
				before := len(h.posts())
				if most := int((slow + time.Second).Seconds() * 80); before > most {
					t.Errorf("%d posts in the first minute of an outage, want at most %d", before, most)
				}
				time.Sleep(10 * time.Minute)
				if probes := len(h.posts()) - before; probes > 66 || probes < 20 {
					t.Errorf("%d probes in ten minutes, want about one in ten seconds", probes)
				}
				down.Store(false)
				h.until(5*time.Minute, "the run is over", func() bool { return h.over(run) })
				stop()
				if n := h.count(run, sender.Accepted); n != 5000 {
					t.Errorf("%d accepted of 5000", n)
				}
			})
		})
	}
}

// Rows that came too late to begin say nothing about the network.
func TestLateRowsAreNoOutage(t *testing.T) {
	bubble(t, func(h *house) {
		h.answer = func(_ context.Context, n int) sender.Result {
			if n <= 60 {
				return sender.Result{Fate: sender.NotSent, Late: true}
			}
			return sender.Result{Fate: sender.Taken, WAMID: "w"}
		}
		run := h.add("a", 0, 300, 0)
		stop := h.start(80)
		h.until(15*time.Second, "the run is over", func() bool { return h.over(run) })
		stop()
		if n := h.count(run, sender.Accepted); n != 300 {
			t.Errorf("%d accepted of 300", n)
		}
	})
}

func TestLostAnswersInARowPauseTheNumber(t *testing.T) {
	bubble(t, func(h *house) {
		var lost atomic.Bool
		lost.Store(true)
		h.answer = func(context.Context, int) sender.Result {
			if lost.Load() {
				return sender.Result{Fate: sender.Ambiguous, Cause: errors.New("reset")}
			}
			return sender.Result{Fate: sender.Taken, WAMID: "w"}
		}
		run := h.add("a", 0, 2000, 0)
		stop := h.start(80)
		for round := 1; round <= 2; round++ {
			before := len(h.breakers())
			h.until(10*time.Second, "a pause", func() bool { return h.over(run) && len(h.breakers()) > before })
			if b := h.breakers()[len(h.breakers())-1]; b.Kind != sender.BreakNumber || b.Healing != sender.HealsByHand || b.Why == "" {
				t.Errorf("opened %+v", b)
			}
			time.Sleep(5 * time.Second)
			if n := h.count(run, sender.Unknown); n < 24+round || n > 60 || len(h.posts()) != n {
				t.Errorf("round %d: %d unknown, %d posts: what is unknown is never sent again", round, n, len(h.posts()))
			}
			h.reopen(run) // an operator resumes while nothing is mended
		}
		lost.Store(false)
		h.reopen(run)
		h.until(time.Minute, "the run is over", func() bool { return h.over(run) && h.count(run, sender.Queued) == 0 })
		stop()
	})
}

// Single lost answers between good ones pause nothing.
func TestSingleLostAnswers(t *testing.T) {
	bubble(t, func(h *house) {
		h.answer = func(_ context.Context, n int) sender.Result {
			if n%4 == 0 {
				return sender.Result{Fate: sender.Taken, WAMID: "w"}
			}
			return sender.Result{}
		}
		run := h.add("a", 0, 400, 0)
		stop := h.start(80)
		h.until(time.Minute, "the run is over", func() bool { return h.over(run) })
		stop()
		if len(h.breakers()) > 0 || h.count(run, sender.Unknown) != 300 {
			t.Errorf("paused %v, %d unknown", h.breakers(), h.count(run, sender.Unknown))
		}
	})
}

func TestALostLeaseStopsSending(t *testing.T) {
	bubble(t, func(h *house) {
		lostAt := time.Now().Add(3 * time.Second)
		h.hold = func() (bool, bool, error) { return time.Now().Before(lostAt), false, nil }
		h.add("a", 0, 10_000, 0)
		stop := h.start(80)
		time.Sleep(20 * time.Second)
		stop()
		if last := h.posts()[len(h.posts())-1].at; last.Sub(lostAt) > 1100*time.Millisecond {
			t.Errorf("the last post came %s after the lease was lost", last.Sub(lostAt))
		}
		if len(h.gated) == 0 || len(h.posts()) < 100 {
			t.Errorf("%d posts while the lease was held", len(h.posts()))
		}
	})
}

// A lease that cannot be renewed is used for less than it lasts, then given up; when the database is back it is a takeover.
func TestALeaseThatCannotBeRenewed(t *testing.T) {
	bubble(t, func(h *house) {
		down, back := time.Now().Add(3*time.Second), time.Now().Add(30*time.Second)
		first, again := true, false
		h.hold = func() (bool, bool, error) {
			if now := time.Now(); now.After(down) && now.Before(back) {
				return false, false, errDown
			}
			taken := first || time.Now().After(back) && !again
			again = again || taken && !first
			first = false
			return true, taken, nil
		}
		run := h.add("a", 0, 3000, 0)
		stop := h.start(80)
		h.until(2*time.Minute, "the run is over", func() bool { return h.over(run) })
		stop()
		for _, p := range h.posts() {
			if p.at.After(down.Add(5*time.Second)) && p.at.Before(back) {
				t.Fatalf("a post %s after the last renewal", p.at.Sub(down))
			}
		}
		if takeovers := slices.DeleteFunc(slices.Clone(h.leases), func(what string) bool { return what != "settled 5s" }); len(takeovers) != 2 {
			t.Errorf("leases: %v", h.leases)
		}
	})
}

// A renewal that hangs is no renewal: the lease is not used past its end, whatever becomes of the question.
func TestARenewalThatHangs(t *testing.T) {
	bubble(t, func(h *house) {
		asked := time.Now()
		answers := 3
		h.renewal = func(ctx context.Context) error {
			if answers--; answers >= 0 {
				asked = time.Now()
				return nil
			}
			select {
			case <-ctx.Done():
			case <-time.After(2 * time.Minute): // the connection's own bound
			}
			return errDown
		}
		h.add("a", 0, 10_000, 0)
		stop := h.start(80)
		time.Sleep(time.Minute)
		stop()
		if last := h.posts()[len(h.posts())-1].at; last.Sub(asked) > 5*time.Second {
			t.Errorf("the last post came %s after the last renewal", last.Sub(asked))
		}
		if len(h.posts()) < 100 {
			t.Errorf("%d posts while the lease was held", len(h.posts()))
		}
	})
}

// A stop ends as on SIGTERM: nothing more passes the gate, what is on its way is waited for and recorded, the lease released.
func TestStopDrains(t *testing.T) {
	for _, latency := range []time.Duration{20 * time.Millisecond, 2 * time.Second, 14 * time.Second} {
		t.Run(latency.String(), func(t *testing.T) {
			bubble(t, func(h *house) {
				h.answer = func(ctx context.Context, _ int) sender.Result {
					select {
					case <-ctx.Done():
						return sender.Result{}
					case <-time.After(latency):
						return sender.Result{Fate: sender.Taken, WAMID: "w"}
					}
				}
				run := h.add("a", 0, 50_000, 0)
				stop := h.start(80)
				time.Sleep(5 * time.Second)
				stopped := time.Now()
				took := stop()
				if took > latency+time.Second {
					t.Errorf("stopping took %s with answers of %s", took, latency)
				}
				if n := h.count(run, sender.Sending, sender.Unknown); n > 0 || h.count(run, sender.Accepted) != len(h.posts()) {
					t.Errorf("%d rows are left in flight; %d accepted of %d posts", n, h.count(run, sender.Accepted), len(h.posts()))
				}
				if last := h.gated[len(h.gated)-1].at; last.After(stopped) {
					t.Errorf("something passed the gate %s after the stop", last.Sub(stopped))
				}
				if h.leases[len(h.leases)-1] != "released" {
					t.Errorf("leases: %v", h.leases)
				}
			})
		})
	}
}

// An answer that does not come holds a stop up for a quarter of a minute, not for ever; its row stays in sending for the next process to settle.
func TestStopDoesNotWaitForEver(t *testing.T) {
	bubble(t, func(h *house) {
		h.answer = func(context.Context, int) sender.Result {
			time.Sleep(40 * time.Second)
			return sender.Result{}
		}
		run := h.add("a", 0, 20, 0)
		stop := h.start(80)
		time.Sleep(5 * time.Second)
		if took := stop(); took > 16*time.Second {
			t.Errorf("stopping took %s", took)
		}
		if n := h.count(run, sender.Sending); n != 20 {
			t.Errorf("%d rows in sending, %d queued, want 20 in sending; %d posts", n, h.count(run, sender.Queued), len(h.posts()))
		}
		time.Sleep(time.Minute) // the posters end with their answers
	})
}

// While outcomes cannot be stored they are kept and tried again; none is lost, none is sent again.
func TestOutcomesAreKeptWhileTheLedgerFails(t *testing.T) {
	bubble(t, func(h *house) {
		down, back := time.Now().Add(2*time.Second), time.Now().Add(14*time.Second)
		h.record = func([]sender.Outcome) error {
			if now := time.Now(); now.After(down) && now.Before(back) {
				return errDown
			}
			return nil
		}
		run := h.add("a", 0, 3000, 0)
		stop := h.start(80)
		h.until(2*time.Minute, "the run is over", func() bool { return h.over(run) })
		stop()
		if n := h.count(run, sender.Accepted); n != 3000 || len(h.posts()) != 3000 {
			t.Errorf("%d accepted, %d posts, want 3000 of each", n, len(h.posts()))
		}
		for _, p := range h.posts() {
			if p.at.After(down.Add(20*time.Second)) && p.at.Before(back) {
				t.Fatal("posts go on without end while nothing can be recorded")
			}
		}
	})
}

// A database that is away for longer than anything waits loses no outcome either, and the number goes on when it is back.
func TestOutcomesOutliveALongOutage(t *testing.T) {
	bubble(t, func(h *house) {
		down, back := time.Now().Add(2*time.Second), time.Now().Add(3*time.Minute)
		h.away = func() bool { now := time.Now(); return now.After(down) && now.Before(back) }
		h.answer = func(_ context.Context, n int) sender.Result {
			time.Sleep(80 * time.Millisecond)
			if n%2 == 0 {
				return sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 131026, Title: "Undeliverable", Reaction: sender.Undeliverable}}
			}
			return sender.Result{Fate: sender.Taken, WAMID: "w"}
		}
		run := h.add("a", 0, 1000, 0)
		stop := h.start(80)
		h.until(5*time.Minute, "the run is over", func() bool { return h.over(run) })
		stop()
		if accepted, failed := h.count(run, sender.Accepted), h.count(run, sender.Failed); accepted != 500 || failed != 500 || len(h.posts()) != 1000 {
			t.Errorf("%d accepted, %d failed, %d posts; want 500, 500, 1000", accepted, failed, len(h.posts()))
		}
	})
}

// Outcomes that the database does not take while it answers everything else hold the number up for half a minute, not for ever.
func TestOutcomesThatCannotBeStored(t *testing.T) {
	bubble(t, func(h *house) {
		h.record = func(outcomes []sender.Outcome) error {
			if slices.ContainsFunc(outcomes, func(o sender.Outcome) bool { return o.PersonID == key(1) }) {
				return errDown
			}
			return nil
		}
		run := h.add("a", 0, 10_000, 0)
		stop := h.start(80)
		h.until(3*time.Minute, "the run is sent", func() bool { return h.count(run, sender.Queued) == 0 })
		stop()
		if n := h.count(run, sender.Accepted); n < 9_900 {
			t.Errorf("%d accepted", n)
		}
	})
}
