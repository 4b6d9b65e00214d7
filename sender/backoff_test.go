package sender_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/sender"
)

func refusedWith(reaction sender.Reaction, after time.Duration) sender.Result {
	return sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 1, Title: "t", Reaction: reaction, RetryAfter: after}}
}

func TestAfter(t *testing.T) {
	notSent := sender.Result{Fate: sender.NotSent, Cause: errors.New("refused")}
	for _, tt := range []struct {
		name   string
		result sender.Result
		n      int
		want   sender.Return
		ok     bool
	}{
		{"taken", sender.Result{Fate: sender.Taken}, 1, sender.Return{}, false},
		{"held", sender.Result{Fate: sender.TakenHeld}, 1, sender.Return{}, false},
		{"ambiguous", sender.Result{}, 1, sender.Return{}, false},
		{"not sent, first", notSent, 1, sender.Return{Wait: 2 * time.Second}, true},
		{"not sent, second", notSent, 2, sender.Return{Wait: 8 * time.Second}, true},
		{"not sent, third", notSent, 3, sender.Return{Wait: 32 * time.Second}, true},
		{"not sent, fourth", notSent, 4, sender.Return{Wait: 2 * time.Minute}, true},
		{"not sent, however often", notSent, 1000, sender.Return{Wait: 2 * time.Minute}, true},
		{"not sent, count lost", notSent, 0, sender.Return{Wait: 2 * time.Second}, true},
		{"too late to begin", sender.Result{Fate: sender.NotSent, Late: true}, 3, sender.Return{Refund: true}, true},
		{"retry", refusedWith(sender.Retry, 0), 1, sender.Return{Wait: 2 * time.Second}, true},
		{"retry, Meta's wish", refusedWith(sender.Retry, time.Minute), 2, sender.Return{Wait: time.Minute}, true},
		{"retry, Meta's wish is shorter", refusedWith(sender.Retry, time.Second), 2, sender.Return{Wait: 8 * time.Second}, true},
		{"retry, third", refusedWith(sender.Retry, 0), 3, sender.Return{Wait: 32 * time.Second}, true},
		{"retry, last", refusedWith(sender.Retry, 0), sender.Attempts, sender.Return{Wait: 2 * time.Minute, Ends: true}, true},
		{"pair limit", refusedWith(sender.PairLimit, 0), 1, sender.Return{Wait: 4 * time.Second}, true},
		{"pair limit, third", refusedWith(sender.PairLimit, 0), 3, sender.Return{Wait: 64 * time.Second}, true},
		{"pair limit, fifth", refusedWith(sender.PairLimit, 0), 5, sender.Return{Wait: 1024 * time.Second}, true},
		{"pair limit, last", refusedWith(sender.PairLimit, 0), sender.PairAttempts, sender.Return{Wait: 4096 * time.Second, Ends: true}, true},
		{"slow down", refusedWith(sender.SlowDown, 0), 9, sender.Return{Wait: 2 * time.Second, Refund: true}, true},
		{"slow down, Meta's wish", refusedWith(sender.SlowDown, time.Minute), 9, sender.Return{Wait: time.Minute, Refund: true}, true},
		{"token", refusedWith(sender.PauseToken, 0), 9, sender.Return{Refund: true}, true},
		{"account", refusedWith(sender.PauseAccount, 0), 9, sender.Return{Refund: true}, true},
		{"number", refusedWith(sender.PauseNumber, 0), 9, sender.Return{Refund: true}, true},
		{"template", refusedWith(sender.PauseTemplate, 0), 9, sender.Return{Refund: true}, true},
		{"run", refusedWith(sender.PauseRun, 0), 9, sender.Return{Refund: true}, true},
		{"fail", refusedWith(sender.FailMessage, 0), 1, sender.Return{}, false},
		{"suppress", refusedWith(sender.Suppress, 0), 1, sender.Return{}, false},
		{"cooldown", refusedWith(sender.Cooldown, 0), 1, sender.Return{}, false},
		{"undeliverable", refusedWith(sender.Undeliverable, 0), 1, sender.Return{}, false},
		{"a reaction of a later version", refusedWith("dance", 0), 1, sender.Return{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := sender.After(tt.result, tt.n); got != tt.want || ok != tt.ok {
				t.Errorf("After = %+v, %t; want %+v, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

// Waits only grow, and stay within what their docs say, for any count that a database may hold.
func TestBackoffGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(-5, 1<<30).Draw(t, "n")
		if a, b := sender.Backoff(n), sender.Backoff(n+1); a > b || a < 2*time.Second || b > 2*time.Minute {
			t.Fatalf("Backoff(%d) = %s, then %s", n, a, b)
		}
		if a, b := sender.PairBackoff(max(n, 1)), sender.PairBackoff(max(n, 1)+1); a > b || a < 4*time.Second || b > 4096*time.Second {
			t.Fatalf("PairBackoff(%d) = %s, then %s", n, a, b)
		}
	})
	if first := sender.Backoff(1); first > 5*time.Second {
		t.Errorf("the first retry comes after %s, later than the design allows", first)
	}
}
