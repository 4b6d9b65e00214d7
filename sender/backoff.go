package sender

import "time"

// Attempts is how often a message that Meta refuses for the moment is tried before it fails.
const Attempts = 4

// PairAttempts is the same for the pair limit, whose waits grow to a quarter of an hour.
const PairAttempts = 6

// Backoff is how long a message waits after its n-th attempt, counted from 1: 2 s, 8 s, 32 s, at most 2 minutes.
func Backoff(n int) time.Duration {
	wait := 2 * time.Second
	for range min(n, 8) - 1 {
		wait *= 4
	}
	return min(wait, 2*time.Minute)
}

// PairBackoff is Meta's own rule for the pair limit, 4^n seconds (Meta, "About the platform", read 2026-03-12).
func PairBackoff(n int) time.Duration {
	wait := time.Second
	for range min(n, PairAttempts) {
		wait *= 4
	}
	return wait
}

// Return is what becomes of a message that did not leave or was refused for the moment: back into the queue after Wait,
// with its attempt given back or not. Ends says that it fails instead.
type Return struct {
	Wait   time.Duration
	Refund bool
	Ends   bool
}

// After decides what follows the n-th attempt of a message that was not taken. ok is false when the result is no return:
// the message was taken, failed for good, or its fate is not known.
func After(result Result, n int) (r Return, ok bool) {
	switch result.Fate {
	case NotSent:
		if result.Late {
			return Return{Refund: true}, true
		}
		return Return{Wait: Backoff(n)}, true
	case Refused:
		return afterRefusal(result.Err, n)
	}
	return Return{}, false
}

func afterRefusal(err *Error, n int) (Return, bool) {
	switch {
	case err.Reaction == Retry:
		return Return{Wait: max(Backoff(n), err.RetryAfter), Ends: n >= Attempts}, true
	case err.Reaction == PairLimit:
		return Return{Wait: max(PairBackoff(n), err.RetryAfter), Ends: n >= PairAttempts}, true
	case err.Reaction == SlowDown:
		return Return{Wait: max(2*time.Second, err.RetryAfter), Refund: true}, true
	case err.Reaction.Pauses():
		return Return{Refund: true}, true
	}
	return Return{}, false
}
