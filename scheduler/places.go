package scheduler

import (
	"slices"
	"time"
)

// Places are those of the portfolio's messaging limit: unique people in any 24 hours (Meta, "Messaging limits", read 2026-09-11).
// The zero Places has no limit.
type Places struct {
	Limited bool
	Limit   int
	Free    int // now
	// Frees are the places that are taken, by when they become free, the first of them first.
	Frees []Freed
}

// Freed is how many places become free at a time.
type Freed struct {
	At     time.Time
	People int
}

// PlaceHeld is how long a person has a place after a message passed its gate: Meta's 24 hours, and a little, since the message
// begins up to a second later, and Meta dates it later still. A minute's places become free together.
const PlaceHeld = 24*time.Hour + 10*time.Second

// FreedAt is when the place of a message that passed its gate at a time is free again.
func FreedAt(at time.Time) time.Time {
	return at.Truncate(time.Minute).Add(time.Minute + PlaceHeld).UTC()
}

// Take gives a place to somebody who is to be written to at a time, and returns when they have it: then, or when a place becomes
// free. ok is false when nobody ever has one.
func (p *Places) Take(at time.Time) (when time.Time, ok bool) {
	switch {
	case !p.Limited:
		return at, true
	case p.Limit <= 0:
		return time.Time{}, false
	case p.Free > 0:
		p.Free--
		p.hold(at)
		return at, true
	}
	first := &p.Frees[0]
	if first.At.After(at) {
		at = first.At
	}
	if first.People--; first.People == 0 {
		p.Frees = p.Frees[1:]
	}
	p.hold(at)
	return at, true
}

// hold notes when the place of somebody who has it from a time on is free again.
func (p *Places) hold(at time.Time) {
	free := FreedAt(at)
	i, found := slices.BinarySearchFunc(p.Frees, free, func(f Freed, t time.Time) int { return f.At.Compare(t) })
	if found {
		p.Frees[i].People++
		return
	}
	p.Frees = slices.Insert(p.Frees, i, Freed{free, 1})
}

// NewPlaces makes the places of a limit of which some are taken, by when they become free, in order.
func NewPlaces(limit int, frees []Freed) Places {
	taken := 0
	for _, f := range frees {
		taken += f.People
	}
	p := Places{Limited: true, Limit: limit, Free: max(limit-taken, 0)}
	// Where the limit fell below what is taken, the first that become free make no room.
	over := max(taken-limit, 0)
	for _, f := range frees {
		gone := min(over, f.People)
		over -= gone
		if f.People > gone {
			p.Frees = append(p.Frees, Freed{f.At, f.People - gone})
		}
	}
	return p
}
