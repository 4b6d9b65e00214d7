package config

import (
	"fmt"
	"time"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

func (l *loader) readWindow(v value, category string) *policy.Window {
	o, ok := v.object(windowKeys)
	if !ok {
		return nil
	}
	window := policy.Window{In: "recipient"}
	from, to, ok := o.span()
	window.From, window.To = from, to
	if v, found := o.get("in"); found {
		in, valid := v.oneOf(clockWords...)
		window.In, ok = in, ok && valid
	}
	if !ok {
		return nil
	}
	if why := l.neverOpens(window, l.cfg.Rules.Categories[category].Kind); why != "" {
		v.fail(errcode.WindowNeverOpens, "%s", why)
		return nil
	}
	return &window
}

// neverOpens says why a window of the recipient's own time can never let a message of kind go; "" when it can.
func (l *loader) neverOpens(w policy.Window, kind policy.Kind) string {
	quiet := l.quietHours
	if quiet == nil || w.In != "recipient" || quiet.Kind != "" && quiet.Kind != kind {
		return ""
	}
	for t := policy.TimeOfDay(0); t < midnight; t++ {
		if covers(w.From, w.To, t) && !covers(quiet.From, quiet.To, t) {
			return ""
		}
	}
	return fmt.Sprintf("this window never opens: %s to %s lies inside the quiet hours, %s to %s; move one of them",
		clockText(w.From), clockText(w.To), clockText(quiet.From), clockText(quiet.To))
}

// firesLookedAt is how many times of a schedule are compared with its window. More would only make `check` slower: a
// schedule that misses its window misses it the first days too.
const firesLookedAt = 5

// checkFiring warns of a window that is over each time that the schedule fires: everybody waits for the next day's. With
// one moment and an end before that day, nobody ever gets anything, and that is a mistake.
func (v value) checkFiring(c scheduler.Campaign) {
	w := c.Window
	if w == nil || c.Schedule == nil || w.From >= w.To {
		return
	}
	// Next errs on a schedule that has been refused already.
	fires, err := c.Next(firstSlot(*c.Schedule), firesLookedAt)
	if err != nil || len(fires) == 0 {
		return
	}
	for _, fire := range fires {
		if timeOfDayOf(fire.At) < w.To {
			return
		}
	}
	at := fires[0].At
	year, month, day := at.Date()
	opens := time.Date(year, month, day+1, int(w.From/60), int(w.From%60), 0, 0, at.Location())
	if w.In == "campaign" && !c.Schedule.At.IsZero() && !c.NotAfter.IsZero() && !c.NotAfter.After(opens) {
		v.fail(errcode.NothingIsSent, "nothing is ever sent: the schedule fires at %s, this window opens next at %s, and not_after is before that",
			at.Format(time.RFC3339), opens.Format(time.RFC3339))
		return
	}
	v.warn(errcode.WindowOverAtStart, "the schedule fires at %s, when this window, %s to %s, is over for the day: its messages wait for the next day's",
		clockText(timeOfDayOf(at)), clockText(w.From), clockText(w.To))
}

// firstSlot is a moment before the first that a schedule can fire at.
func firstSlot(s scheduler.Schedule) time.Time {
	switch {
	case !s.At.IsZero():
		return s.At.Add(-time.Second)
	case !s.StartsAt.IsZero():
		return s.StartsAt.Add(-time.Second)
	}
	return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
}

func timeOfDayOf(t time.Time) policy.TimeOfDay { return policy.TimeOfDay(t.Hour()*60 + t.Minute()) }
