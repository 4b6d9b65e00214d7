package console

import (
	"strconv"
	"strings"
	"time"
)

// thousands writes 12345 as 12,345.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}

// moment is a time as a page prints it: for machines, in the business's zone, and in UTC.
type moment struct {
	Machine string // RFC 3339 in UTC, with the microseconds that there are
	Day     string // Fri 27 Nov 2026
	Clock   string // 18:00, or with seconds 18:00:04
	Zone    string // CET
	UTC     string // 17:00 UTC, with its day where that is another; "" when the zone is UTC itself
	at      time.Time
}

func momentOf(t time.Time, zone *time.Location, seconds bool) *moment {
	if t.IsZero() {
		return nil
	}
	const day = "Mon 2 Jan 2006"
	clock := "15:04"
	if seconds {
		clock = "15:04:05"
	}
	local, utc := t.In(zone), t.UTC()
	name, _ := local.Zone()
	if name == "" || name[0] == '+' || name[0] == '-' {
		name = "UTC" + local.Format("-07:00") // many zones have no letters of their own
	}
	m := &moment{at: t, Machine: utc.Format(time.RFC3339Nano), Day: local.Format(day), Clock: local.Format(clock), Zone: name, UTC: utc.Format(clock) + " UTC"}
	if utc.YearDay() != local.YearDay() {
		m.UTC = utc.Format(day) + ", " + m.UTC
	}
	if name == "UTC" {
		m.UTC = "" // once is enough
	}
	return m
}

// percent is part of whole in hundredths, rounded down: 100 is only said when nothing is left.
func percent(part, whole int) int {
	if whole <= 0 {
		return 0
	}
	return part * 100 / whole
}

// passage is a piece of a sentence: plain, or something to type.
type passage struct {
	Text string
	Code bool
}

// prose splits a sentence at its backticks, by which the sentences of runs mark what to type. An odd one stays as it is.
func prose(sentence string) []passage {
	var passages []passage
	for {
		before, rest, found := strings.Cut(sentence, "`")
		code, after, closed := strings.Cut(rest, "`")
		if !found || !closed {
			return append(passages, passage{Text: sentence})
		}
		passages = append(passages, passage{Text: before}, passage{Text: code, Code: true})
		sentence = after
	}
}
