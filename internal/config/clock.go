package config

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/policy"
)

// The hours of a day; 24:00 is its end.
const (
	aTimeOfDay      = `^([01][0-9]|2[0-3]):([0-5][0-9])$`
	aTimeOrMidnight = aTimeOfDay + `|^24:00$`
	wantTimeOfDay   = `a time of day such as "20:00"`
)

var timeOfDay = regexp.MustCompile(aTimeOfDay)

// timeOfDay returns HH:MM; 24:00 is the end of a day.
func (v value) timeOfDay() (policy.TimeOfDay, bool) {
	text, ok := v.word(wantTimeOfDay)
	if !ok {
		return 0, false
	}
	if text == "24:00" {
		return midnight, true
	}
	parts := timeOfDay.FindStringSubmatch(text)
	if parts == nil {
		v.fail(errcode.InvalidTimeOfDay, "%s must be %s, not %q", v.name(), wantTimeOfDay, text)
		return 0, false
	}
	hours, _ := strconv.Atoi(parts[1])
	minutes, _ := strconv.Atoi(parts[2])
	return policy.TimeOfDay(hours*60 + minutes), true
}

const midnight policy.TimeOfDay = 24 * 60

// span returns the from and to of a daily window.
func (o object) span() (from, to policy.TimeOfDay, ok bool) {
	start, hasFrom := o.require("from", `write a time such as "20:00"`)
	end, hasTo := o.require("to", `write a time such as "09:00"`)
	if !hasFrom || !hasTo {
		return 0, 0, false
	}
	from, fromOK := start.timeOfDay()
	to, toOK := end.timeOfDay()
	if !fromOK || !toOK {
		return 0, 0, false
	}
	switch {
	case from == midnight:
		start.fail(errcode.ImpossibleHours, `from cannot be 24:00, the end of a day: write "00:00", its beginning`)
	case from == to:
		end.fail(errcode.ImpossibleHours, "from and to are both %s, so nothing lies between them; for the whole day write from \"00:00\" to \"24:00\"", clockText(from))
	default:
		return from, to, true
	}
	return 0, 0, false
}

func clockText(t policy.TimeOfDay) string { return fmt.Sprintf("%02d:%02d", t/60, t%60) }

// covers reports whether the daily span holds t; one that begins after it ends spans midnight.
func covers(from, to, t policy.TimeOfDay) bool {
	if from < to {
		return t >= from && t < to
	}
	return t >= from || t < to
}
