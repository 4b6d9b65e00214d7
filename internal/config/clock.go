package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

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
	text, ok := v.text(wantTimeOfDay)
	if !ok {
		return 0, false
	}
	if text == "24:00" {
		return midnight, true
	}
	parts := timeOfDay.FindStringSubmatch(text)
	if parts == nil {
		v.fail("%s must be %s, not %q", v.name(), wantTimeOfDay, text)
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
		start.fail(`from cannot be 24:00: write "00:00"`)
	case from == to:
		end.fail("from and to are both %s: that is no time at all, or all day; for all day write from \"00:00\" to \"24:00\"", clockText(from))
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

var (
	instantShape = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$`)
	dateShape    = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].*)?$`)
)

const wantInstant = "a date and time with an offset, such as 2026-12-31T20:00:00+01:00"

// instant returns an RFC 3339 time, in UTC so that two spellings of one instant are one.
func (v value) instant() (time.Time, bool) {
	text, ok := v.scalar(wantInstant)
	if !ok {
		return time.Time{}, false
	}
	parsed, err := time.Parse(time.RFC3339, strings.ToUpper(text))
	switch {
	case err == nil && instantShape.MatchString(text) && parsed.UTC().Year() > 1 && parsed.UTC().Year() < 9999:
		return parsed.UTC(), true
	case instantShape.MatchString(text):
		v.fail("%s: there is no such date or time as %s", v.name(), text)
	case dateShape.MatchString(text):
		v.fail("%s must be %s: %s does not say when everywhere", v.name(), wantInstant, text)
	default:
		v.fail("%s must be %s, not %q", v.name(), wantInstant, text)
	}
	return time.Time{}, false
}

// zone returns an IANA zone.
func (v value) zone() (string, bool) {
	const want = "a time zone such as Europe/Rome"
	text, ok := v.text(want)
	if !ok {
		return "", false
	}
	if isZone(text) {
		return text, true
	}
	if near := nearZone(text); near != "" {
		v.fail("unknown time zone %q; did you mean %q?", text, near)
	} else {
		v.fail("unknown time zone %q: write the IANA name, such as Europe/Rome or America/Sao_Paulo", text)
	}
	return "", false
}

func isZone(name string) bool {
	// These mean another time on another machine.
	if name == "" || name == "Local" || name == "localtime" || name == "posixrules" ||
		strings.HasPrefix(name, "right/") || strings.HasPrefix(name, "posix/") {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

// nearZone knows other cases, a space for the underscore, and slips in the zones where most people live.
func nearZone(text string) string {
	upper := true
	titled := strings.Map(func(r rune) rune {
		if r == ' ' {
			r = '_'
		}
		start := upper
		upper = r == '/' || r == '_'
		if start {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, text)
	if isZone(titled) {
		return titled
	}
	return nearest(text, []string{
		"Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Madrid", "Europe/Paris", "Europe/Brussels", "Europe/Amsterdam", "Europe/Berlin",
		"Europe/Zurich", "Europe/Rome", "Europe/Vienna", "Europe/Prague", "Europe/Warsaw", "Europe/Athens", "Europe/Istanbul", "Europe/Moscow",
		"Africa/Lagos", "Africa/Cairo", "Africa/Nairobi", "Africa/Johannesburg", "Asia/Dubai", "Asia/Riyadh", "Asia/Jerusalem", "Asia/Karachi",
		"Asia/Kolkata", "Asia/Dhaka", "Asia/Jakarta", "Asia/Singapore", "Asia/Hong_Kong", "Asia/Manila", "Asia/Shanghai", "Asia/Tokyo",
		"Australia/Sydney", "America/Sao_Paulo", "America/Argentina/Buenos_Aires", "America/Bogota", "America/Santiago", "America/Lima",
		"America/Mexico_City", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Toronto",
	})
}
