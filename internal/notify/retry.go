package notify

import (
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/permesso/permesso/internal/report"
)

const (
	longestWait = 24 * time.Hour
	// patience is how long after its fact a notice is still tried: the waits below, the most that chance adds to them, and some room.
	patience = 84 * time.Hour
)

// waits are how long after a failure the next attempt begins (Standard Webhooks 1.0.0, "Deliverability and reliability").
func waits() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, longestWait,
	}
}

// judge says what follows from an answer to an attempt at a notice. It is given up after the last wait, when its fact is longer
// ago than all the waits together (one that stood behind others then has an attempt and no more), and when the receiver says
// that it is gone.
func judge(n report.Notice, answer Answer, now time.Time) report.Attempt {
	if answer.Taken() {
		return report.Attempt{State: report.NoticeDelivered}
	}
	failed := report.Attempt{State: report.NoticeFailed, Error: "the receiver " + answer.String()}
	steps := waits()
	if answer.Status == http.StatusGone || n.Attempts >= len(steps) {
		return failed
	}
	wait := steps[n.Attempts]
	wait = max(wait+rand.N(wait/10), answer.RetryAfter)
	if now.Add(wait).Sub(n.At.Time) > patience {
		return failed
	}
	failed.State, failed.Wait = report.NoticePending, wait
	return failed
}
