package main

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/errcode"
)

var localShapes = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"}

// moment reads a time as people type it: RFC 3339, or a wall-clock time in the business's zone.
func moment(flag, text string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, strings.ToUpper(text)); err == nil {
		return t, nil
	}
	for _, shape := range localShapes {
		t, err := time.ParseInLocation(shape, text, zone)
		if err != nil {
			continue
		}
		if t.Format(shape) != text {
			return time.Time{}, misuse(errcode.SkippedTime, "%s %s: the clocks in %s skip this time; write another, or one with an offset", flag, text, zone)
		}
		for _, other := range []time.Duration{-time.Hour, time.Hour} {
			if t.Add(other).Format(shape) == text && shape != "2006-01-02" {
				return time.Time{}, misuse(errcode.AmbiguousTime, "%s %s: the clocks in %s show this time twice; write it with an offset, such as %s", flag, text, zone, t.Format(time.RFC3339))
			}
		}
		return t, nil
	}
	return time.Time{}, misuse(errcode.InvalidTime, "%s %q is no time: write one such as 2026-12-24T18:00:00+01:00, or 2026-12-24T18:00 in %s", flag, text, zone)
}

// when reads an optional time; "" is the zero time.
func when(flag, text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return moment(flag, text, zone)
}

// ago reads a time, or a span before now.
func ago(flag, text string, now time.Time, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := span(text); err == nil {
		return now.Add(-d), nil
	}
	t, err := moment(flag, text, zone)
	if err != nil {
		return t, misuse(errcode.InvalidTime, "%s %q is neither a time such as 2026-12-24T18:00 nor a span such as 90m, 24h or 7d", flag, text)
	}
	return t, nil
}

var days = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)d(.*)$`)

// span reads Go's durations, and days: 30d, 1d12h.
func span(text string) (time.Duration, error) {
	whole, rest := time.Duration(0), text
	if parts := days.FindStringSubmatch(text); parts != nil {
		n, err := strconv.ParseFloat(parts[1], 64)
		if err != nil || n*24 > math.MaxInt64/float64(time.Hour) {
			return 0, errcode.With(fmt.Errorf("%q is too long", text), errcode.InvalidSpan)
		}
		whole, rest = time.Duration(n*24*float64(time.Hour)), parts[2]
		if rest == "" {
			rest = "0s"
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || whole+d <= 0 {
		return 0, errcode.With(fmt.Errorf("%q is no span of time: write one such as 90m, 24h or 30d", text), errcode.InvalidSpan)
	}
	return whole + d, nil
}
