package sender

import (
	"context"
	"math"
	"time"

	"golang.org/x/time/rate"
)

// maxBatch bounds how many rows pass the gate together, whatever the rate.
const maxBatch = 1000

// pace keeps one number under Meta's rate in every window of a second, not only on average: the limiter runs below the
// limit by as much as a burst and the tokens left over from refused rows can add (docs/ARCHITECTURE.md, "Pacing").
type pace struct {
	limit   float64 // messages per second, as configured
	limiter *rate.Limiter
	burst   int
	credit  int // tokens taken for rows that the gate then refused; with those in the bucket never more than a burst

	slow     float64   // the share of the limit in use: below 1 after Meta asked to slow down
	slowedAt time.Time // when the rate was lowered
	askedAt  time.Time // when Meta last asked for that
	raisedAt time.Time
	wire     wireRate
	answers  quickest
}

// gatesAtOnce is how many batches may be at the gate together: with two, one is judged while the one before commits. At low
// limits one keeps up, and a second batch in hand would cost a message of every second.
func gatesAtOnce(limit float64) int {
	if limit < 200 {
		return 1
	}
	return 2
}

// newPace starts with an empty bucket: a takeover must not add a burst to what the last holder just sent.
func newPace(limit float64, now time.Time) *pace {
	// In the worst second the gates let go of all they held, the bucket is full, and the rate comes on top: 0.015 of the limit for both.
	burst := int(0.015 * limit / float64(1+gatesAtOnce(limit)))
	p := &pace{limit: limit, slow: 1, burst: max(1, min(maxBatch, burst))}
	p.limiter = rate.NewLimiter(p.allowed(), p.burst)
	p.limiter.AllowN(now, p.burst)
	return p
}

func (p *pace) allowed() rate.Limit {
	full := 0.985 * p.limit
	if p.limit >= 10 {
		full = math.Min(full, p.limit-1.2)
	} else {
		full = 0.9 * p.limit
	}
	return rate.Limit(full * p.slow)
}

// batch is how many rows to gate next: at most the burst, and at most 100 ms of what the wire has been taking.
func (p *pace) batch() int { return max(1, min(p.burst, p.wire.in(100*time.Millisecond))) }

// spend uses tokens left over from refused rows, as far as they reach; it returns how many are still to be taken.
func (p *pace) spend(now time.Time, n int) int {
	p.trim(now)
	used := min(n, p.credit)
	p.credit -= used
	return n - used
}

// take waits for n tokens. A cancelled wait means: do not send.
func (p *pace) take(ctx context.Context, n int) error { return p.limiter.WaitN(ctx, n) }

// trim lets go of kept tokens beyond a burst: while they were kept the bucket filled beside them, and both spent at once
// would be one too many in a second, which a number with a low limit has no room for.
func (p *pace) trim(now time.Time) {
	room := float64(p.burst) - p.limiter.TokensAt(now)
	p.credit = max(0, min(p.credit, int(math.Floor(room))))
}

// giveBack keeps the tokens of refused rows for the next batch.
func (p *pace) giveBack(n int) { p.credit = min(p.burst, p.credit+n) }

// slowDown lowers the rate after Meta said that it is too high, at most once a second, never below a tenth.
func (p *pace) slowDown(now time.Time) {
	p.askedAt = now
	if now.Sub(p.slowedAt) < time.Second {
		return
	}
	p.slowedAt = now
	p.slow = max(0.1, p.slow*0.7)
	p.limiter.SetLimitAt(now, p.allowed())
}

// lowest reports whether the rate cannot fall any further.
func (p *pace) lowest() bool { return p.slow <= 0.1 }

// recover raises the rate again, a twentieth of the limit for each second in which Meta did not complain.
func (p *pace) recover(now time.Time) {
	if p.slow >= 1 || now.Sub(p.askedAt) < time.Second || now.Sub(p.raisedAt) < time.Second {
		return
	}
	p.raisedAt = now
	p.slow = min(1, p.slow+0.05)
	p.limiter.SetLimitAt(now, p.allowed())
}

// wireRate estimates how many posts end per second, so that no more pass the gate than can begin in time.
type wireRate struct {
	perSecond float64
	count     int
	since     time.Time
}

func (w *wireRate) ended(now time.Time, n int) {
	if w.since.IsZero() {
		w.since = now
	}
	w.count += n
	span := now.Sub(w.since).Seconds()
	if span < 0.05 {
		return
	}
	measured := float64(w.count) / span
	if w.perSecond == 0 {
		w.perSecond = measured
	}
	w.perSecond += (measured - w.perSecond) * 0.5
	w.count, w.since = 0, now
}

// in is how many posts end in a span; before anything was measured it is small.
func (w *wireRate) in(span time.Duration) int {
	const beginning = 32
	return max(beginning, int(w.perSecond*span.Seconds()))
}

// quickest is the shortest answer of late. The shortest, so that waiting for the processor is not taken for the wire's
// time; of late, so that a wire that has become slower is seen.
type quickest struct {
	now, before time.Duration // of this span, and of the one before it; 0 when there was none
	since       time.Time
}

const quickestSpan = 5 * time.Second

func (q *quickest) answered(now time.Time, took time.Duration) {
	if now.Sub(q.since) >= quickestSpan {
		q.before, q.now, q.since = q.now, 0, now
	}
	if q.now == 0 || took < q.now {
		q.now = took
	}
}

// latency is 0 before the first answer.
func (q *quickest) latency() time.Duration {
	if q.before > 0 && q.now > 0 {
		return min(q.before, q.now)
	}
	return max(q.before, q.now)
}
