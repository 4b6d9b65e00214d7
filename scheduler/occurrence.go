package scheduler

import (
	"cmp"
	"fmt"
	"iter"
	"time"
)

// LocalTime is a wall-clock time as a schedule means it, "2026-11-01T01:30" (seconds only when there are any).
// With the campaign it is the key of a run: the hour that a zone repeats has one key, not two.
type LocalTime string

// The notes of an occurrence whose wall-clock time does not exist once on its day.
const (
	NoteGap     = "dst_gap"     // the clocks skip it; it fires at the first instant after the gap
	NoteOverlap = "dst_overlap" // the clocks show it twice; it fires at the first of the two
)

// Occurrence is one time at which a campaign fires.
type Occurrence struct {
	Campaign string    `json:"campaign"`
	At       time.Time `json:"fire_at"` // the instant, in the schedule's zone
	Local    LocalTime `json:"local"`   // the wall time written in the schedule
	Note     string    `json:"note,omitempty"`
}

// NoteInWords says what the clocks do to the wall time of the occurrence; "" when it exists once.
func (o Occurrence) NoteInWords() string {
	switch o.Note {
	case NoteGap:
		return fmt.Sprintf("the clocks skip %s that day: the first moment after it", o.Local)
	case NoteOverlap:
		return fmt.Sprintf("the clocks show %s twice that day: the first of the two", o.Local)
	}
	return ""
}

// lastYear bounds an endless schedule; RFC 3339 cannot write a later one.
const lastYear = 9999

// Next returns the campaign's first n occurrences after an instant, fewer when the schedule ends; none without a schedule.
func (c Campaign) Next(after time.Time, n int) ([]Occurrence, error) {
	return c.named(func(s Schedule) ([]Occurrence, error) { return s.Next(after, n) })
}

// Between returns the campaign's occurrences after one instant and before another, both exclusive; none without a schedule.
func (c Campaign) Between(after, before time.Time) ([]Occurrence, error) {
	return c.named(func(s Schedule) ([]Occurrence, error) { return s.Between(after, before) })
}

// named runs a query on the campaign's schedule in its zone and signs the answer.
func (c Campaign) named(query func(Schedule) ([]Occurrence, error)) ([]Occurrence, error) {
	if c.Schedule == nil {
		return nil, nil
	}
	schedule := *c.Schedule
	schedule.Zone = cmp.Or(schedule.Zone, c.Zone)
	found, err := query(schedule)
	if err != nil {
		return nil, fmt.Errorf("campaign %s: %w", c.ID, err)
	}
	for i := range found {
		found[i].Campaign = c.ID
	}
	return found, nil
}

// Next returns the first n occurrences after an instant (exclusive), fewer when the schedule ends.
func (s Schedule) Next(after time.Time, n int) ([]Occurrence, error) {
	all, err := s.After(after)
	if err != nil || n <= 0 {
		return nil, err
	}
	var found []Occurrence
	for o := range all {
		if found = append(found, o); len(found) == n {
			break
		}
	}
	return found, nil
}

// Between returns the occurrences after one instant and before another, both exclusive.
func (s Schedule) Between(after, before time.Time) ([]Occurrence, error) {
	all, err := s.After(after)
	if err != nil {
		return nil, err
	}
	var found []Occurrence
	for o := range all {
		if !o.At.Before(before) {
			break
		}
		found = append(found, o)
	}
	return found, nil
}

// After yields the occurrences after an instant (exclusive) in order of time, each at its own instant: slots that fall on
// one instant are one occurrence, under the earliest of their wall times. StartsAt and EndsAt are both inclusive. A schedule that Validate refuses is an error.
//
// The cron expression is evaluated on wall-clock time and then mapped to instants, because stepping through instants
// loses slots in spring and doubles them in autumn.
func (s Schedule) After(after time.Time) (iter.Seq[Occurrence], error) {
	location, err := loadZone(s.Zone)
	if err != nil {
		return nil, err
	}
	switch {
	case s.Cron != "" && !s.At.IsZero(), s.Cron == "" && s.At.IsZero():
		return nil, fmt.Errorf("a schedule has either cron or at")
	case s.Cron == "":
		return s.once(after, location), nil
	}
	table, err := parseCron(s.Cron)
	if err != nil {
		return nil, fmt.Errorf("cron: %w", err)
	}
	return s.repeated(after, location, table), nil
}

func (s Schedule) once(after time.Time, location *time.Location) iter.Seq[Occurrence] {
	return func(yield func(Occurrence) bool) {
		at := s.At.In(location)
		if at.After(after) && s.covers(at) {
			yield(Occurrence{Local: localTime(at), At: at})
		}
	}
}

func (s Schedule) covers(at time.Time) bool {
	return !at.Before(s.StartsAt) && (s.EndsAt.IsZero() || !at.After(s.EndsAt))
}

func (s Schedule) repeated(after time.Time, location *time.Location, table timetable) iter.Seq[Occurrence] {
	return func(yield func(Occurrence) bool) {
		if after.Before(s.StartsAt) {
			after = s.StartsAt.Add(-time.Nanosecond)
		}
		clock := wallClock{location: location}
		last := after
		// No slot of an earlier day can come later: a wall time is mapped to the first instant that shows it or a later one.
		year, month, day := after.In(location).Date()
		for date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC); date.Year() <= lastYear; date = date.AddDate(0, 0, 1) {
			if !s.EndsAt.IsZero() && clock.first(date.Unix()).at.After(s.EndsAt) {
				return
			}
			year, month, day := date.Date()
			if !table.fires(int(month), day, int(date.Weekday())) {
				continue
			}
			midnight, wall := date.Unix(), wallOf(year, month, day)
			for _, minute := range table.minutes {
				found := clock.first(midnight + 60*int64(minute))
				if !found.at.After(last) {
					continue
				}
				if !s.EndsAt.IsZero() && found.at.After(s.EndsAt) {
					return
				}
				last = found.at
				if !yield(Occurrence{Local: wall.at(minute), At: found.at, Note: found.note}) {
					return
				}
			}
		}
	}
}

func localTime(t time.Time) LocalTime {
	if t.Second() != 0 {
		return LocalTime(t.Format("2006-01-02T15:04:05"))
	}
	year, month, day := t.Date()
	return wallOf(year, month, day).at(60*t.Hour() + t.Minute())
}

// wallText is a day's wall times being written. It writes its digits itself: with time.Format a calendar of many campaigns
// takes half as long again.
type wallText [len("2006-01-02T15:04")]byte

func wallOf(year int, month time.Month, day int) wallText {
	w := wallText([]byte("0000-00-00T00:00"))
	w.digits(0, year/100)
	w.digits(2, year%100)
	w.digits(5, int(month))
	w.digits(8, day)
	return w
}

// at is so many minutes after midnight.
func (w wallText) at(minute int) LocalTime {
	w.digits(11, minute/60)
	w.digits(14, minute%60)
	return LocalTime(w[:])
}

func (w *wallText) digits(at, n int) { w[at], w[at+1] = byte('0'+n/10), byte('0'+n%10) }

// wallClock maps wall-clock times of one zone to instants. It remembers the span of constant offset that it is in.
type wallClock struct {
	location *time.Location
	current  zoneSpan
}

// zoneSpan is a span of instants, in Unix seconds, with one offset from UTC: [start, end).
type zoneSpan struct{ start, end, offset int64 }

// moment is what a wall-clock time became.
type moment struct {
	at   time.Time
	note string
}

// reach is farther, in seconds, than any zone was ever from UTC, its dates skipped or repeated included.
const reach = 26 * 60 * 60

// first returns the first instant at which the zone's clocks show wall (seconds since 1970 as if it were UTC) or, if they skip it, a later time.
func (c *wallClock) first(wall int64) moment {
	if s := c.current; s.start <= wall-reach && wall+reach < s.end {
		return moment{at: time.Unix(wall-s.offset, 0).In(c.location)}
	}
	span := spanAt(c.location, wall-reach)
	c.current = span
	var shown, gap []int64
	for {
		if at := wall - span.offset; span.start <= at && at < span.end {
			shown = append(shown, at)
		}
		if span.end > wall+reach {
			break
		}
		next := spanAt(c.location, span.end)
		if span.end+span.offset <= wall && wall < span.end+next.offset {
			gap = append(gap, span.end)
		}
		span = next
	}
	switch {
	case len(shown) > 1:
		return moment{at: time.Unix(shown[0], 0).In(c.location), note: NoteOverlap}
	case len(shown) == 1:
		return moment{at: time.Unix(shown[0], 0).In(c.location)}
	}
	return moment{at: time.Unix(gap[0], 0).In(c.location), note: NoteGap}
}

func spanAt(location *time.Location, instant int64) zoneSpan {
	const farAway = 1 << 60
	t := time.Unix(instant, 0).In(location)
	_, offset := t.Zone()
	span := zoneSpan{start: -farAway, end: farAway, offset: int64(offset)}
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		span.start = start.Unix()
	}
	if !end.IsZero() {
		span.end = end.Unix()
	}
	return span
}
