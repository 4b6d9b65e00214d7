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

// Goods are what a courier delivers, and how patiently.
type Goods struct {
	lease, things, one, behind string
	waits                      []time.Duration
	patience                   time.Duration
	endAtGone                  bool // 410 gives one up
}

// Notices are what operators are told: one that fails holds back all that come after it.
func Notices() Goods {
	return Goods{lease: "notify", things: "notices", one: "a notice", behind: "those after it", waits: waits(), patience: patience, endAtGone: true}
}

// ReplyPatience is how long what a person wrote is kept and tried.
const ReplyPatience = 7 * 24 * time.Hour

// Replies are what people wrote: one that fails holds back what the same person wrote after it. They are tried every hour, so that a
// receiver that is back has all of them soon.
func Replies() Goods {
	steps := []time.Duration{5 * time.Second, time.Minute, 5 * time.Minute, 20 * time.Minute}
	for within := time.Duration(0); within < ReplyPatience; within += time.Hour {
		steps = append(steps, time.Hour)
	}
	return Goods{lease: "replies", things: "replies", one: "a person's message", behind: "what they wrote after it", waits: steps, patience: ReplyPatience}
}

// judge says what follows from an answer to an attempt at a notice. It is given up after the last wait, when its fact is longer
// ago than all the waits together (one that stood behind others then has an attempt and no more), and when the receiver says
// that it is gone.
func (g Goods) judge(n report.Notice, answer Answer, now time.Time) report.Attempt {
	if answer.Taken() {
		return report.Attempt{State: report.NoticeDelivered}
	}
	failed := report.Attempt{State: report.NoticeFailed, Error: "the receiver " + answer.String()}
	steps := g.waits
	if answer.Status == http.StatusGone && g.endAtGone || n.Attempts >= len(steps) {
		return failed
	}
	wait := steps[n.Attempts]
	wait = max(wait+rand.N(wait/10), answer.RetryAfter)
	if now.Add(wait).Sub(n.At.Time) > g.patience {
		return failed
	}
	failed.State, failed.Wait = report.NoticePending, wait
	return failed
}
