package sender_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

func TestTripped(t *testing.T) {
	run := sender.Run{ID: "r", NumberID: number, Kind: policy.Marketing, Ask: policy.Ask{Campaign: "a"}, Message: templates.Message{Template: "weekend_offer", Languages: []string{"it", "en-US"}}}
	for _, tt := range []struct {
		code     int
		reaction sender.Reaction
		after    time.Duration
		key      string // "" trips nothing
		healing  sender.Healing
		wait     time.Duration
	}{
		{190, sender.PauseToken, 0, "token", sender.HealsByProbe, 30 * time.Second},
		{368, sender.PauseAccount, 0, "account", sender.HealsByProbe, time.Minute},
		{131064, sender.PauseAccount, 0, "account", sender.HealsByTime, time.Hour},
		{133010, sender.PauseNumber, 0, "number " + number, sender.HealsByProbe, time.Minute},
		{131048, sender.PauseNumber, 0, "number " + number, sender.HealsByProbe, time.Hour},
		{132015, sender.PauseTemplate, 0, "template weekend_offer", sender.HealsByNews, 0},
		{131014, sender.PauseRun, 0, "campaign a", sender.HealsByHand, 0},
		{131016, sender.WaitRun, 0, "campaign a", sender.HealsByTime, 30 * time.Second},
		{134101, sender.WaitRun, 10 * time.Minute, "campaign a", sender.HealsByTime, 10 * time.Minute},
		{131057, sender.SlowDown, time.Minute, "number " + number, sender.HealsByTime, time.Minute},
		{130429, sender.SlowDown, 0, "", "", 0},
		{130429, sender.SlowDown, 29 * time.Second, "", "", 0},
		{100, sender.FailMessage, 0, "", "", 0}, {131016, sender.Retry, 0, "", "", 0}, {131056, sender.PairLimit, 0, "", "", 0},
		{131050, sender.Suppress, 0, "", "", 0}, {131049, sender.Cooldown, 0, "", "", 0}, {131026, sender.Undeliverable, 0, "", "", 0},
	} {
		b, ok := sender.Tripped(run, &sender.Error{Code: tt.code, Title: "No", Reaction: tt.reaction, RetryAfter: tt.after})
		if !ok {
			if tt.key != "" {
				t.Errorf("%d (%s) opens nothing, want %s", tt.code, tt.reaction, tt.key)
			}
			continue
		}
		if b.Key() != tt.key || b.Healing != tt.healing || b.Wait != tt.wait || b.Code != tt.code || !strings.Contains(b.Why, "; ") || !b.Stops(run) {
			t.Errorf("%d (%s) opens %+v, want %s, %s after %s", tt.code, tt.reaction, b, tt.key, tt.healing, tt.wait)
		}
	}
}

// Why a run pauses is logged and told: no person whom Meta names stands in it, and the number that is concerned does.
func TestTrippedNamesNobody(t *testing.T) {
	run := sender.Run{ID: "r", NumberID: number, Ask: policy.Ask{Campaign: "a"}}
	b, ok := sender.Tripped(run, &sender.Error{Code: 131030, Title: "Not allowed", Details: "From " + number + " to +393471234567, 393471234567.", Reaction: sender.PauseRun})
	if !ok || !strings.HasPrefix(b.Why, "Meta answered 131030 Not allowed: From "+number+" to …, …; ") {
		t.Errorf("it says %q", b.Why)
	}
}

func TestStops(t *testing.T) {
	run := sender.Run{ID: "r", NumberID: number, Kind: policy.Utility, Ask: policy.Ask{Campaign: "a"}, Message: templates.Message{Template: "weekend_offer", Languages: []string{"it", "en-US"}}}
	marketing, unknown := run, run
	marketing.Kind, unknown.Kind = policy.Marketing, ""
	for _, tt := range []struct {
		kind    sender.BreakerKind
		subject string
		run     sender.Run
		want    bool
	}{
		{sender.BreakToken, "", run, true}, {sender.BreakAccount, "", run, true}, {sender.BreakAccount, "utility", run, true}, {sender.BreakAccount, "utility", marketing, false},
		{sender.BreakNumber, number, run, true}, {sender.BreakNumber, "1", run, false},
		{sender.BreakTemplate, "weekend_offer", run, true}, {sender.BreakTemplate, "weekend_offer it", run, true}, {sender.BreakTemplate, "weekend_offer en_US", run, true},
		{sender.BreakTemplate, "weekend_offer de", run, false}, {sender.BreakTemplate, "weekend", run, false}, {sender.BreakTemplate, "weekend it", run, false},
		{sender.BreakCampaign, "a", run, true}, {sender.BreakCampaign, "b", run, false},
		{sender.BreakDeaf, "", run, false}, {sender.BreakDeaf, "", marketing, true}, {sender.BreakDeaf, "", unknown, true},
		{"of a later version", "x", run, true},
	} {
		if b := (sender.Breaker{Kind: tt.kind, Subject: tt.subject}); b.Stops(tt.run) != tt.want {
			t.Errorf("%s stops a run of kind %q: %t, want %t", b.Key(), tt.run.Kind, !tt.want, tt.want)
		}
	}
}

// Waits only grow with each time a breaker opens again, and end.
func TestWaitAfter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := sender.Breaker{Kind: rapid.SampledFrom(sender.BreakerKinds()).Draw(t, "kind"), Wait: time.Duration(rapid.IntRange(0, 7200).Draw(t, "wait")) * time.Second}
		times := rapid.IntRange(1, 1<<30).Draw(t, "times")
		first, last, next := b.WaitAfter(1), b.WaitAfter(times), b.WaitAfter(times+1)
		if first != b.Wait || last > next || next < 30*time.Second || next > max(time.Hour, b.Wait) {
			t.Fatalf("a wait of %s becomes %s, then %s", first, last, next)
		}
	})
}

// heals closes breakers that heal by time as the store and its watcher do, and reopens their runs.
func (h *house) heals(run *fakeRun) {
	times := 0
	h.onOpen = func(b sender.Breaker) {
		if b.Healing != sender.HealsByTime || !run.open {
			return
		}
		times++
		wait := b.WaitAfter(times)
		go func() {
			time.Sleep(wait)
			h.reopen(run)
		}()
	}
}

// Meta takes nothing for ten minutes, then all again (reliability F24): few calls meanwhile, no attempt burnt, and afterwards the
// full rate, without being told again.
func TestStormWaitsAndRecovers(t *testing.T) {
	const people, rate = 5500, 80
	for name, refusal := range map[string]sender.Error{
		"too fast":       {Code: 130429, Title: "Throughput reached", Reaction: sender.SlowDown},
		"maintenance":    {Code: 131057, Title: "Account in maintenance", Reaction: sender.SlowDown, RetryAfter: time.Minute},
		"an outage":      {Code: 131016, Title: "Service unavailable", Reaction: sender.Retry},
		"another outage": {Code: 2, Title: "Service unavailable", Reaction: sender.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(h *house) {
				began := time.Now()
				h.answer = func(_ context.Context, n int) sender.Result {
					time.Sleep(80 * time.Millisecond)
					if since := time.Since(began); since > 5*time.Second && since < 10*time.Minute {
						return sender.Result{Fate: sender.Refused, Err: &refusal}
					}
					return sender.Result{Fate: sender.Taken, WAMID: "w"}
				}
				run := h.add("a", 0, people, 0)
				h.heals(run)
				stop := h.start(rate)
				h.until(time.Hour, "the run is over", func() bool { return h.count(run, sender.Queued, sender.Sending) == 0 })
				stop()
				refused, probes := 0, 0
				var back time.Time
				for _, p := range h.posts() {
					switch since := p.at.Sub(began); {
					case since > time.Minute && since < 10*time.Minute:
						probes++
						refused++
					case since > 5*time.Second && since < time.Minute:
						refused++
					case since > 10*time.Minute && back.IsZero():
						back = p.at
					}
				}
				if probes > 12 || refused > people/20 {
					t.Errorf("%d calls met it, %d of them after the first minute", refused, probes)
				}
				if n := h.count(run, sender.Accepted); n != people {
					t.Errorf("%d of %d were accepted, %d failed", n, people, h.count(run, sender.Failed))
				}
				// From a while after it is back: the rate comes back by a twentieth a second.
				from, until, late := back.Add(25*time.Second), back.Add(55*time.Second), 0
				for _, p := range h.posts() {
					if p.at.After(from) && p.at.Before(until) {
						late++
					}
				}
				if mean := float64(late) / 30; mean < 0.9*rate {
					t.Errorf("half a minute after it was back %.1f messages left a second, of %d", mean, rate)
				}
			})
		})
	}
}

// Meta takes a part of what it is sent: the number slows down, and no breaker opens.
func TestAHigherRateThanAllowedOpensNothing(t *testing.T) {
	bubble(t, func(h *house) {
		var second, taken atomic.Int64
		h.answer = func(context.Context, int) sender.Result {
			if now := time.Now().Unix(); second.Swap(now) != now {
				taken.Store(0)
			}
			time.Sleep(50 * time.Millisecond)
			if taken.Add(1) > 40 {
				return sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 130429, Title: "Throughput reached", Reaction: sender.SlowDown}}
			}
			return sender.Result{Fate: sender.Taken, WAMID: "w"}
		}
		run := h.add("a", 0, 3000, 0)
		stop := h.start(80)
		h.until(5*time.Minute, "the run is over", func() bool { return h.over(run) })
		stop()
		if n := len(h.posts()); n > 3300 || len(h.breakers()) > 0 || h.count(run, sender.Accepted) != 3000 {
			t.Errorf("%d posts for 3000 messages, breakers %+v", n, h.breakers())
		}
		if mean := 3000 / run.done.Sub(h.posts()[0].at).Seconds(); mean < 30 {
			t.Errorf("%.1f messages a second of the 40 that were allowed", mean)
		}
	})
}

// The same mistake ten times in a row is everybody's: nine lose their message to it, whatever is in flight; mixed with others it is
// each person's own.
func TestTheSameMistakeForEverybody(t *testing.T) {
	refusal := func(code int, reaction sender.Reaction) sender.Result {
		return sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: code, Title: "No", Reaction: reaction}}
	}
	for _, tt := range []struct {
		name   string
		answer func(n int) sender.Result
		opens  bool
		failed int
	}{
		{"all", func(int) sender.Result { return refusal(100, sender.FailMessage) }, true, 9},
		{"all but those before", func(n int) sender.Result {
			if n <= 50 {
				return sender.Result{Fate: sender.Taken, WAMID: "w"}
			}
			return refusal(131008, sender.FailMessage)
		}, true, 9},
		{"nine of ten", func(n int) sender.Result {
			if n%10 == 0 {
				return sender.Result{Fate: sender.Taken, WAMID: "w"}
			}
			return refusal(100, sender.FailMessage)
		}, false, 270},
		{"two kinds by turns", func(n int) sender.Result { return refusal(100+n%2*131000, sender.FailMessage) }, false, 300},
		{"people who cannot be reached", func(int) sender.Result { return refusal(131026, sender.Undeliverable) }, false, 300},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(h *house) {
				h.answer = func(_ context.Context, n int) sender.Result {
					if !tt.opens { // of answers in a row the order is the matter: of one instant it is anybody's
						time.Sleep(time.Duration(n) * 100 * time.Microsecond)
					}
					return tt.answer(n)
				}
				run := h.add("a", 0, 300, 0)
				stop := h.start(400)
				h.until(30*time.Second, "the run is over", func() bool { return h.over(run) })
				time.Sleep(5 * time.Second)
				defer stop()
				if got := len(h.breakers()) > 0; got != tt.opens || h.count(run, sender.Failed) != tt.failed {
					t.Errorf("breakers %+v, %d failed, want %d", h.breakers(), h.count(run, sender.Failed), tt.failed)
				}
				if !tt.opens {
					return
				}
				if b := h.breakers()[0]; b.Kind != sender.BreakCampaign || b.Subject != "a" || b.Healing != sender.HealsByHand {
					t.Errorf("opened %+v", b)
				}
				// Resumed while nothing is mended, it costs one call and nobody's message.
				before := len(h.posts())
				h.reopen(run)
				h.until(5*time.Second, "a pause", func() bool { return h.over(run) })
				time.Sleep(time.Second)
				if n := len(h.posts()) - before; n != 1 || h.count(run, sender.Failed) != tt.failed {
					t.Errorf("%d more calls, %d failed", n, h.count(run, sender.Failed))
				}
			})
		})
	}
}

// After a breaker one message leaves at a time until Meta takes one.
func TestOneAtATimeAfterABreaker(t *testing.T) {
	bubble(t, func(h *house) {
		var down atomic.Bool
		h.answer = func(context.Context, int) sender.Result {
			time.Sleep(100 * time.Millisecond)
			if down.Load() {
				return sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 190, Title: "No", Reaction: sender.PauseToken}}
			}
			return sender.Result{Fate: sender.Taken, WAMID: "w"}
		}
		run := h.add("a", 0, 5000, 0)
		stop := h.start(400)
		time.Sleep(2 * time.Second)
		down.Store(true)
		h.until(5*time.Second, "a pause", func() bool { return h.over(run) })
		time.Sleep(time.Second)
		for range 5 { // healed by mistake
			before := len(h.posts())
			h.reopen(run)
			h.until(5*time.Second, "a pause", func() bool { return h.over(run) })
			time.Sleep(time.Second)
			if n := len(h.posts()) - before; n != 1 {
				t.Errorf("%d messages met the refused token again, want 1", n)
			}
		}
		down.Store(false)
		h.reopen(run)
		h.until(time.Minute, "the run is over", func() bool { return h.over(run) })
		stop()
		if n := h.count(run, sender.Accepted); n != 5000 {
			t.Errorf("%d of 5000 were accepted", n)
		}
	})
}
