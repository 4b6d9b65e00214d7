package policy

import (
	"math"
	"time"
)

const (
	minute = int64(60) // seconds
	hour   = 60 * minute
	day    = 24 * hour
)

// How far a search goes: days around the fire time for the window of a run, steps for the next moment that suits every
// zone. Each zone's hours come back every day, so what a few days do not hold no later day will.
const (
	daysBefore = 2
	daysAfter  = 3
	maxSteps   = 64
)

// hours is a daily span of wall time, from included, to excluded, in minutes since midnight. Equal ends are no span at all.
type hours struct{ from, to int64 }

func (w Window) hours() hours { return hours{int64(w.From), int64(w.To)} }

// loud is when the quiet hours are over.
func (q QuietHours) loud() hours { return hours{int64(q.To), int64(q.From)} }

// empty reports whether no moment of any day is within; hours that cannot be read are empty.
func (h hours) empty() bool {
	if h.from < 0 || h.to < 0 || h.from > 1440 || h.to > 1440 || h.from == h.to {
		return true
	}
	return h.from == 1440 && h.to == 0
}

// hold reports whether a moment so many seconds after local midnight is within.
func (h hours) hold(second int64) bool {
	from, to := h.from*minute, h.to*minute
	if from < to {
		return from <= second && second < to
	}
	return from <= second || second < to
}

// next returns the first moment, at or after at, whose wall time in the zone is within, in Unix seconds.
func (h hours) next(zone *time.Location, o offset, at int64) (int64, bool) {
	if h.empty() {
		return 0, false
	}
	for range maxSteps {
		if !o.holds(at) {
			o = offsetAt(zone, at)
		}
		second := modulo(at+o.seconds, day)
		if h.hold(second) {
			return at, true
		}
		step := h.from*minute - second
		if step <= 0 {
			step += day
		}
		at = min(at+step, o.until)
	}
	return 0, false
}

// on returns the span of one local date, counted in days since 1970-01-01, as moments: a start or an end within a DST gap
// is the first moment after it, a start told twice is the first telling, and of an end told twice the last moment before
// it counts. steady reports that the zone's clocks do not change near it, so that all of it is within the hours.
func (h hours) on(zone *time.Location, o offset, date int64) (start, end int64, steady bool) {
	start, end = date*day+h.from*minute, date*day+h.to*minute
	if h.from > h.to {
		end += day
	}
	if start-2*day >= o.since && end+2*day <= o.until {
		return start - o.seconds, end - o.seconds, true
	}
	start, _ = moment(zone, start, false)
	// The last second within, and not the end itself: clocks that go back at the very end show it twice, an hour apart,
	// and all of that hour is outside.
	end, shown := moment(zone, end-1, true)
	if shown {
		end++
	}
	return start, end, false
}

// moment returns when the zone's clocks show wall, given in seconds as if the zone were UTC: the first or the last time.
// When they never do, it returns the first moment after the gap.
func moment(zone *time.Location, wall int64, last bool) (at int64, shown bool) {
	const widest = 16 * hour // no zone has ever been further from UTC
	for look := wall - widest; look <= wall+widest; {
		o := offsetAt(zone, look)
		switch told := wall - o.seconds; {
		case told < o.since && !shown:
			return o.since, false
		case o.since <= told && told < o.until:
			at, shown = told, true
			if !last {
				return at, true
			}
		}
		look = o.until
	}
	return at, shown
}

// offset is how many seconds a zone's clocks are ahead of UTC from since until just before until, in Unix seconds.
type offset struct{ seconds, since, until int64 }

func (o offset) holds(at int64) bool { return o.since <= at && at < o.until }

func offsetAt(zone *time.Location, at int64) offset {
	t := time.Unix(at, 0).In(zone)
	_, seconds := t.Zone()
	since, until := t.ZoneBounds()
	o := offset{int64(seconds), math.MinInt64, math.MaxInt64}
	if !since.IsZero() {
		o.since = since.Unix()
	}
	if !until.IsZero() {
		o.until = until.Unix()
	}
	return o
}

// zones are the names of the zones in which a time of day is read; all of them must agree.
type zones struct {
	only string
	many []string // used when not empty
}

func (z zones) len() int { return max(1, len(z.many)) }

func (z zones) name(i int) string {
	if len(z.many) > 0 {
		return z.many[i]
	}
	return z.only
}

// recipientZones are the person's own, else those of the number's prefix, else the campaign's.
func (q *question) recipientZones() zones {
	p := &q.facts.Person
	switch {
	case p.Zone != "":
		return zones{only: p.Zone}
	case q.rules.LooseZones && p.MainZone != "":
		return zones{only: p.MainZone}
	case len(p.Zones) > 0:
		return zones{many: p.Zones}
	}
	return zones{only: q.facts.Ask.Zone}
}

func (q *question) windowZones() zones {
	if q.facts.Ask.Window.In == "campaign" {
		return zones{only: q.facts.Ask.Zone}
	}
	return q.recipientZones()
}

// clock is what was worked out for one question: the zone asked for last, as most people have one, which several rules
// ask for, and the person's window. It lies beside the question so that neither leaves the stack.
type clock struct {
	name     string
	location *time.Location
	offset   offset

	spell     spell
	spellRead bool
}

// zone returns the zone of that name and its offset at a moment.
func (q *question) zone(name string, at int64) (*time.Location, offset, bool) {
	c := q.clock
	if c.location == nil || c.name != name {
		location, ok := q.rules.Locations.Load(name)
		if !ok {
			return nil, offset{}, false
		}
		c.name, c.location, c.offset = name, location, offset{}
	}
	if !c.offset.holds(at) {
		c.offset = offsetAt(c.location, at)
	}
	return c.location, c.offset, true
}

// everywhere returns the first moment, at or after at, that is within the hours in every zone.
func (q *question) everywhere(z zones, h hours, at int64) (int64, bool) {
	for range maxSteps {
		moved := at
		for i := range z.len() {
			zone, o, ok := q.zone(z.name(i), moved)
			if !ok {
				return 0, false
			}
			if moved, ok = h.next(zone, o, moved); !ok {
				return 0, false
			}
		}
		if moved == at {
			return at, true
		}
		at = moved
	}
	return 0, false
}

// spell is the person's window of this run, in Unix seconds, end excluded.
type spell struct {
	known      bool
	start, end int64
	steady     bool // all of it is within the hours; otherwise clocks change near it, and moments need looking at
}

// personWindow returns the first window that ends after the fire time, worked out once: it is the same whatever the time
// of asking. In strict mode it is what the windows of one date have in common over all zones.
func (q *question) personWindow() spell {
	if !q.clock.spellRead {
		q.clock.spellRead = true
		q.clock.spell = q.readWindow()
	}
	return q.clock.spell
}

func (q *question) readWindow() spell {
	ask := &q.facts.Ask
	if ask.Window == nil || ask.FireAt.IsZero() || ask.Window.hours().empty() {
		return spell{}
	}
	z, h, fire := q.windowZones(), ask.Window.hours(), ask.FireAt.Unix()
	_, o, ok := q.zone(z.name(0), fire)
	if !ok {
		return spell{}
	}
	date := floor(fire+o.seconds, day)
	for d := date - daysBefore; d <= date+daysAfter; d++ {
		s, ok := q.onDate(z, h, d, fire)
		if !ok {
			return spell{}
		}
		if s.known {
			return s
		}
	}
	return spell{}
}

// onDate returns what the hours of one date have in common in every zone, when it ends after the fire time; ok is false
// when a zone cannot be read.
func (q *question) onDate(z zones, h hours, date, fire int64) (s spell, ok bool) {
	s = spell{known: true, start: math.MinInt64, end: math.MaxInt64, steady: true}
	for i := range z.len() {
		zone, o, ok := q.zone(z.name(i), fire)
		if !ok {
			return spell{}, false
		}
		start, end, steady := h.on(zone, o, date)
		s.start, s.end, s.steady = max(s.start, start), min(s.end, end), s.steady && steady
		if s.start >= s.end || s.end <= fire {
			s.known = false
			break
		}
	}
	return s, true
}

func floor(n, by int64) int64 { return (n - modulo(n, by)) / by }

func modulo(n, by int64) int64 { return ((n % by) + by) % by }
