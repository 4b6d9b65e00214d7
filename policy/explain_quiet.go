package policy

import (
	"fmt"
	"time"
)

// becauseQuietHours names what the message waits for first: a holiday, or the quiet hours.
func (q *question) becauseQuietHours(d Decision) string {
	quiet, days := q.quietApply(), q.holidaysApply()
	if !quiet && !days {
		if q.rules.Holidays != nil {
			return "No quiet hours hold for this message, and holidays hold marketing only."
		}
		return "No quiet hours hold for this message."
	}
	z := q.recipientZones()
	if d.Verdict == Allow {
		return q.becauseOpen(z, quiet, days)
	}
	if days {
		if h, _, is, ok := q.holiday(z, q.now.Unix()); ok && is {
			return capital(h.String()) + q.thenWhat(d)
		}
	}
	if !quiet {
		return fmt.Sprintf("Whether it is a holiday for this person cannot be told %s.", q.where(z))
	}
	return q.becauseWithin(d, z, days)
}

func (q *question) becauseOpen(z zones, quiet, days bool) string {
	switch {
	case !days:
		return fmt.Sprintf("It is not within the quiet hours %s %s.", q.rules.QuietHours.hours(), q.where(z))
	case !quiet:
		return fmt.Sprintf("It is no holiday for this person %s.", q.where(z))
	}
	return fmt.Sprintf("It is not within the quiet hours %s %s, and no holiday there.", q.rules.QuietHours.hours(), q.where(z))
}

// becauseWithin is for what waits, first of all, for the end of the quiet hours.
func (q *question) becauseWithin(d Decision, z zones, days bool) string {
	h := q.rules.QuietHours.hours()
	loud, ok := q.everywhere(z, q.rules.QuietHours.loud(), q.now.Unix())
	switch {
	case !ok:
		return fmt.Sprintf("No moment outside the quiet hours %s was found %s.", h, q.where(z))
	case d.Verdict == Defer && d.Until.Equal(time.Unix(loud, 0)):
		return fmt.Sprintf("It is within the quiet hours %s %s, until %s.", h, q.where(z), q.local(d.Until))
	}
	if days {
		if next, _, is, ok := q.holiday(z, loud); ok && is {
			return fmt.Sprintf("It is within the quiet hours %s %s, and %s%s", h, q.where(z), next, q.thenWhat(d))
		}
	}
	if d.Verdict == Defer {
		return fmt.Sprintf("It is within the quiet hours %s %s; the message waits until %s.", h, q.where(z), q.local(d.Until))
	}
	return fmt.Sprintf("The quiet hours %s %s last longer than the window of this run.", h, q.where(z))
}

// thenWhat ends a sentence about a holiday.
func (q *question) thenWhat(d Decision) string {
	switch {
	case d.Verdict == Defer:
		return fmt.Sprintf("; the message waits until %s.", q.local(d.Until))
	case q.facts.Ask.Window != nil:
		return "; this person's window of this run is over before the message may leave."
	}
	return "; no later moment was found that is neither a holiday nor within quiet hours."
}

// hours are the quiet ones.
func (q QuietHours) hours() hours { return hours{int64(q.From), int64(q.To)} }

func capital(sentence string) string {
	if sentence[0] >= 'a' && sentence[0] <= 'z' {
		return string(sentence[0]-'a'+'A') + sentence[1:]
	}
	return sentence
}
