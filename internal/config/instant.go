package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/errcode"
)

const (
	wantInstant = "a date and time with an offset, such as 2026-12-31T20:00:00+01:00"
	wallLayout  = "2006-01-02T15:04:05"
)

var (
	dayShape     = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	wallShape    = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2})?$`)
	instantShape = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$`)
)

// instant returns an RFC 3339 time, in UTC so that two spellings of one instant are one. The zone is whose clocks the
// person who wrote it had in mind: messages say what to write for them.
func (v value) instant(zone string) (time.Time, bool) {
	text, ok := v.word(wantInstant)
	if !ok {
		return time.Time{}, false
	}
	parsed, err := time.Parse(time.RFC3339, strings.ToUpper(text))
	if err == nil && instantShape.MatchString(text) && parsed.UTC().Year() > 1 && parsed.UTC().Year() < 9999 {
		return parsed.UTC(), v.checkOffset(parsed, strings.HasSuffix(strings.ToUpper(text), "Z"), zone)
	}
	switch {
	case dayShape.MatchString(text):
		v.failDay(text, zone)
	case wallShape.MatchString(text):
		v.failWall(text, zone)
	case instantShape.MatchString(text):
		v.failImpossible(text)
	default:
		if meant, readable := looseInstant(text); readable {
			v.fail(errcode.InvalidDate, "%s must be %s, not %q; did you mean %s?", v.name(), wantInstant, text, meant.Format(time.RFC3339))
		} else {
			v.fail(errcode.InvalidDate, "%s must be %s, not %q", v.name(), wantInstant, text)
		}
	}
	return time.Time{}, false
}

// looseInstant reads what lacks little: no seconds, a space for the T, an offset without its colon.
func looseInstant(text string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04Z07"} {
		fields := strings.Fields(strings.ToUpper(text))
		if len(fields) > 1 {
			fields[0] += "T" // the offset may stand apart as well
		}
		for _, written := range []string{strings.Join(fields, ""), strings.ReplaceAll(strings.Join(fields, ""), "TT", "T")} {
			if parsed, err := time.Parse(layout, written); err == nil {
				return parsed, true
			}
			if parsed, err := time.Parse(time.RFC3339, written); err == nil {
				return parsed, true
			}
		}
	}
	return time.Time{}, false
}

// failImpossible says of a date in the right shape why there is no such day.
func (v value) failImpossible(text string) {
	if month, err := time.Parse("2006-01", text[:len("2006-01")]); err == nil && text[8:10] > "28" {
		if days := month.AddDate(0, 1, -1).Day(); text[8:10] > fmt.Sprint(days) {
			v.fail(errcode.ImpossibleDate, "%s: there is no such day as %s: %s has %d days", v.name(), text[:10], month.Format("January 2006"), days)
			return
		}
	}
	v.fail(errcode.ImpossibleDate, "%s: there is no such date or time as %s", v.name(), text)
}

func (v value) failDay(text, zone string) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		v.failImpossible(text)
		return
	}
	example := day.Add(18*time.Hour).Format(wallLayout) + "+01:00"
	if location, known := v.l.zoneOf(zone); known {
		if found := shownAt(day.Add(18*time.Hour), location); len(found) > 0 {
			example = found[0].Format(time.RFC3339)
		}
	}
	v.fail(errcode.MissingOffset, "%s names a day and no time: write the time and its offset too, such as %s", v.name(), example)
}

func (v value) failWall(text, zone string) {
	written := strings.Replace(strings.ToUpper(text), " ", "T", 1)
	if len(written) == len("2006-01-02T15:04") {
		written += ":00"
	}
	wall, err := time.Parse(wallLayout, written)
	if err != nil {
		v.failImpossible(text)
		return
	}
	location, known := v.l.zoneOf(zone)
	if !known {
		v.fail(errcode.MissingOffset, "%s has no offset, so it is another moment in every zone: write one behind it, as in %s+01:00", v.name(), written)
		return
	}
	switch found := shownAt(wall, location); len(found) {
	case 0:
		v.failSkipped(wall, zone)
	case 1:
		v.fail(errcode.MissingOffset, "%s has no offset: write %s if the time in %s is meant", v.name(), found[0].Format(time.RFC3339), zone)
	default:
		v.fail(errcode.MissingOffset, "%s has no offset, and the clocks of %s show %s twice on that day: write %s for the first time, %s for the second",
			v.name(), zone, wall.Format("15:04"), found[0].Format(time.RFC3339), found[1].Format(time.RFC3339))
	}
}

// failSkipped refuses a wall time that the zone's clocks jump over.
func (v value) failSkipped(wall time.Time, zone string) {
	v.fail(errcode.SkippedDate, "%s: there is no %s on %s in %s: the clocks go forward over it; write another time", v.name(), wall.Format("15:04"), wall.Format(time.DateOnly), zone)
}

// checkOffset compares the offset that was written with the zone's own. Z is how machines write, and means what it says;
// +01:00 in a summer of +02:00 is a slip that moves the message by an hour.
func (v value) checkOffset(written time.Time, isUTC bool, zone string) bool {
	location, known := v.l.zoneOf(zone)
	if !known || isUTC {
		return true
	}
	_, offset := written.Zone()
	_, real := written.In(location).Zone()
	if offset == real || !inUse(location, written, offset) {
		return true
	}
	wall := time.Date(written.Year(), written.Month(), written.Day(), written.Hour(), written.Minute(), written.Second(), 0, time.UTC)
	found := shownAt(wall, location)
	if len(found) == 0 {
		v.failSkipped(wall, zone)
		return false
	}
	v.warn(errcode.OffsetOfAnotherSeason, "%s is %s on the clocks of %s, which are at %s on that day, not %s; write %s if %s there is meant", v.name(),
		written.In(location).Format("15:04"), zone, written.In(location).Format("-07:00"), written.Format("-07:00"), found[0].Format(time.RFC3339), wall.Format("15:04"))
	return true
}

// inUse reports whether the zone has that offset at some other time of the year.
func inUse(location *time.Location, near time.Time, offset int) bool {
	for months := -11; months <= 11; months++ {
		if _, there := near.AddDate(0, months, 0).In(location).Zone(); there == offset {
			return true
		}
	}
	return false
}

// shownAt returns the instants at which the zone's clocks show a wall time: none in a gap, two where they go back.
func shownAt(wall time.Time, location *time.Location) []time.Time {
	var found []time.Time
	for _, near := range []time.Duration{-26 * time.Hour, 26 * time.Hour} {
		_, offset := wall.Add(near).In(location).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second).In(location)
		if at.Format(wallLayout) == wall.Format(wallLayout) && (len(found) == 0 || !found[0].Equal(at)) {
			found = append(found, at)
		}
	}
	return found
}
