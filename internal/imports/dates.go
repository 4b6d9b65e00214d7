package imports

import (
	"regexp"
	"time"
)

var (
	// slashed is a day as people write it and as nobody can read it for certain: 1/2/2026, 01.02.26, with or without a time.
	slashed = regexp.MustCompile(`^[0-9]{1,2}[/.\-][0-9]{1,2}[/.\-]([0-9]{4}|[0-9]{2})([ T,].*)?$`)
	// dayNumber is what a spreadsheet keeps for a day between 1954 and 2119.
	dayNumber = regexp.MustCompile(`^[2-7][0-9]{4}([.,][0-9]+)?$`)
	dayShape  = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
)

// wrongTime says why a text is no time in RFC 3339.
func wrongTime(text string) string {
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"} {
		if _, err := time.Parse(layout, text); err == nil {
			return reasonNoOffset
		}
	}
	switch {
	case slashed.MatchString(text):
		return reasonTimeOrder
	case dayNumber.MatchString(text):
		return reasonTimeSerial
	}
	return reasonTime
}

// wrongDay says why a text is no day of the calendar as audiences read it, written 2026-11-21; "" when it is one.
func wrongDay(text string) string {
	day, err := time.Parse(time.DateOnly, text)
	switch {
	case err == nil && day.Year() > 0:
		return ""
	case dayShape.MatchString(text):
		return reasonNoSuchDay
	case slashed.MatchString(text):
		return reasonDayOrder
	case dayNumber.MatchString(text):
		return reasonDaySerial
	}
	return reasonDay
}
