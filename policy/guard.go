package policy

import (
	"fmt"
	"math"
	"strconv"
)

// Guard stops a run that people do not want; a nil limit is none.
type Guard struct {
	// OptOutsPer1000 is how many people of 1,000 who got the message may opt out of it.
	OptOutsPer1000 *float64 `json:"opt_outs_per_1000,omitempty"`
	// Failures is which share of the messages may fail.
	Failures *Share `json:"failures,omitempty"`
}

// Heard is what was heard of a run's messages.
type Heard struct {
	Taken   int // by Meta, whatever came after
	OptOuts int // people who opted out after such a message, and before another one
	Ended   int // taken, or refused as they were posted
	Failed  int // of these, for a reason that is not the account's, the number's or the template's
}

const (
	// guardSample and guardEvents are how many messages, and how many that went wrong, the guard needs at least to judge.
	guardSample, guardEvents = 30, 3
	// guardSure is the normal deviate of 99 %: a run at its very limit is stopped by chance in one look of a hundred.
	guardSure = 2.326
)

// Judge says in a sentence what was exceeded, beyond what chance explains; "" when nothing was. A share is exceeded
// when the lower bound of its confidence interval is above the limit (Wilson's score interval, one-sided, 99 %), with
// at least 30 messages and three that went wrong.
func (g *Guard) Judge(h Heard) string {
	if g == nil {
		return ""
	}
	if most := g.OptOutsPer1000; most != nil && exceeds(h.OptOuts, h.Taken, *most/1000) {
		return fmt.Sprintf("%d of %d people opted out, %s of 1,000, and the guard allows %s (opt_outs_per_1000)",
			h.OptOuts, h.Taken, tenths(1000*float64(h.OptOuts)/float64(h.Taken)), strconv.FormatFloat(*most, 'f', -1, 64))
	}
	if most := g.Failures; most != nil && exceeds(h.Failed, h.Ended, float64(*most)/float64(Everybody)) {
		return fmt.Sprintf("%d of %d messages failed, %s %%, and the guard allows %s (failures)",
			h.Failed, h.Ended, tenths(100*float64(h.Failed)/float64(h.Ended)), *most)
	}
	return ""
}

func tenths(x float64) string { return strconv.FormatFloat(math.Round(10*x)/10, 'f', -1, 64) }

// exceeds reports whether k of n shows, beyond chance, a share above the limit.
func exceeds(k, n int, limit float64) bool {
	return n >= guardSample && k >= guardEvents && lowerBound(k, n) > limit
}

// lowerBound is Wilson's: the least share of which k of n is still likely.
func lowerBound(k, n int) float64 {
	p, size := float64(min(k, n))/float64(n), float64(n)
	z2 := guardSure * guardSure / size
	return (p + z2/2 - guardSure*math.Sqrt(p*(1-p)/size+z2/(4*size))) / (1 + z2)
}
