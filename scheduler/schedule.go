package scheduler

import (
	"fmt"
	"strings"
	"time"
)

// Problem is a mistake in a schedule: the key it sits under, and one sentence that says what is wrong and what to write.
type Problem struct {
	Field   string // cron, at, timezone, catch_up, catch_up_within, overlap, starts_at or ends_at
	Message string
}

// Validate returns every mistake of the schedule, none when it can be relied on to fire.
func (s Schedule) Validate() []Problem {
	var problems []Problem
	add := func(field, format string, args ...any) {
		problems = append(problems, Problem{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	if _, err := loadZone(s.Zone); err != nil {
		add("timezone", "%v", err)
	}
	switch {
	case s.Cron != "" && !s.At.IsZero():
		add("at", "a schedule has cron or at, not both; cron repeats, at fires once")
	case s.Cron == "" && s.At.IsZero():
		add("cron", "a schedule needs cron or at; write cron: \"0 18 * * FRI\", or at: with one moment such as 2026-12-24T18:00:00+01:00")
	case s.Cron != "":
		if _, err := parseCron(s.Cron); err != nil {
			add("cron", "%v", err)
		}
	case !s.StartsAt.IsZero() && s.At.Before(s.StartsAt):
		add("at", "the schedule fires at %s, before starts_at %s, so never; move one of them", stamp(s.At), stamp(s.StartsAt))
	case !s.EndsAt.IsZero() && s.At.After(s.EndsAt):
		add("at", "the schedule fires at %s, after ends_at %s, so never; move one of them", stamp(s.At), stamp(s.EndsAt))
	}
	s.validateCatchUp(add)
	if s.Overlap != "" && s.Overlap != OverlapSkip && s.Overlap != OverlapQueue {
		add("overlap", "%q is not known; write skip or queue", string(s.Overlap))
	}
	bounded := !s.StartsAt.IsZero() && !s.EndsAt.IsZero()
	if bounded && !s.StartsAt.Before(s.EndsAt) {
		add("ends_at", "the schedule ends at %s, not after it starts at %s; swap or move them", stamp(s.EndsAt), stamp(s.StartsAt))
	} else if bounded && len(problems) == 0 && s.isSilent() {
		add("ends_at", "nothing falls between starts_at %s and ends_at %s, so the schedule would never fire; move one of them", stamp(s.StartsAt), stamp(s.EndsAt))
	}
	return problems
}

func (s Schedule) validateCatchUp(add func(field, format string, args ...any)) {
	switch s.CatchUp {
	case "", CatchUpSkip:
	case CatchUpOnce, CatchUpAll:
		if s.CatchUpWithin == 0 {
			add("catch_up_within", "catch_up: %s needs to know how late is too late; write catch_up_within: 2h", s.CatchUp)
		}
	default:
		add("catch_up", "%q is not known; write skip, once or all", string(s.CatchUp))
	}
	if s.CatchUpWithin < 0 {
		add("catch_up_within", "%s is negative; write how late a run may start, such as 2h", s.CatchUpWithin)
	}
}

// isSilent reports whether a valid, bounded schedule has no slot at all.
func (s Schedule) isSilent() bool {
	first, err := s.Next(s.StartsAt.Add(-time.Nanosecond), 1)
	return err == nil && len(first) == 0
}

// Remarks says in words what is legal but often not meant. They stop nothing.
func (s Schedule) Remarks() []Problem {
	if s.Cron == "" {
		return nil
	}
	table, err := parseCron(s.Cron)
	if err != nil || !table.eitherDay() {
		return nil
	}
	return []Problem{{Field: "cron", Message: fmt.Sprintf(
		"%q fires on day %s of the month and also on every %s: with both day fields set, cron takes days that meet either, and cannot ask for days that meet both; put * in the field that is not meant",
		s.Cron, strings.Fields(s.Cron)[2], table.weekdays())}}
}

// loadZone loads an IANA zone by the name that means the same on every machine.
func loadZone(name string) (*time.Location, error) {
	switch {
	case strings.TrimSpace(name) == "":
		return nil, fmt.Errorf("the time zone is missing; write an IANA name such as Europe/Rome")
	case name == "Local" || name == "localtime" || name == "posixrules" || strings.HasPrefix(name, "right/") || strings.HasPrefix(name, "posix/"):
		return nil, fmt.Errorf("time zone %q depends on the machine; write an IANA name such as Europe/Rome", name)
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %q is not known; write an IANA name such as Europe/Rome, in its exact capitals", name)
	}
	return location, nil
}

func stamp(t time.Time) string { return t.Format(time.RFC3339) }
