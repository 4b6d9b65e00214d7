package ical_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the tests are those of Go's copy where the machine has none
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/ical"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/templates"
)

// property is one content line of a feed, unfolded and unescaped.
type property struct{ name, value string }

var (
	contentLine = regexp.MustCompile(`^[A-Z][A-Z-]*:`)
	utcTime     = regexp.MustCompile(`^\d{8}T\d{6}Z$`)
)

// parse reads a feed as strictly as RFC 5545 is written: it takes nothing that a lenient calendar would forgive.
func parse(text []byte) (head []property, events [][]property, err error) {
	if !utf8.Valid(text) {
		return nil, nil, fmt.Errorf("not UTF-8")
	}
	body, ended := strings.CutSuffix(string(text), "\r\n")
	if !ended {
		return nil, nil, fmt.Errorf("the last line does not end")
	}
	var lines []string
	for _, raw := range strings.Split(body, "\r\n") {
		switch {
		case len(raw) > 75:
			return nil, nil, fmt.Errorf("a line of %d octets: %q", len(raw), raw)
		case !utf8.ValidString(raw):
			return nil, nil, fmt.Errorf("a character is cut in two: %q", raw)
		case strings.ContainsFunc(raw, func(r rune) bool { return r < 0x20 || r == 0x7f }):
			return nil, nil, fmt.Errorf("a control character: %q", raw)
		case strings.HasPrefix(raw, " ") && len(lines) > 0:
			lines[len(lines)-1] += raw[1:]
		case !contentLine.MatchString(raw):
			return nil, nil, fmt.Errorf("no content line: %q", raw)
		default:
			lines = append(lines, raw)
		}
	}
	if len(lines) < 2 || lines[0] != "BEGIN:VCALENDAR" || lines[len(lines)-1] != "END:VCALENDAR" {
		return nil, nil, fmt.Errorf("no VCALENDAR")
	}
	var event []property
	inside := false
	for _, line := range lines[1 : len(lines)-1] {
		name, raw, _ := strings.Cut(line, ":")
		switch {
		case line == "BEGIN:VEVENT" && !inside:
			event, inside = nil, true
			continue
		case line == "END:VEVENT" && inside:
			events, inside = append(events, event), false
			continue
		case name == "BEGIN" || name == "END":
			return nil, nil, fmt.Errorf("out of place: %s", line)
		}
		value, err := unescape(raw)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", line, err)
		}
		if inside {
			event = append(event, property{name, value})
		} else if len(events) > 0 {
			return nil, nil, fmt.Errorf("a property of the calendar after its events: %s", line)
		} else {
			head = append(head, property{name, value})
		}
	}
	if inside {
		return nil, nil, fmt.Errorf("an event does not end")
	}
	return head, events, nil
}

func unescape(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == ';' || text[i] == ',':
			return "", fmt.Errorf("%c is not escaped", text[i])
		case text[i] != '\\':
			b.WriteByte(text[i])
			continue
		case i+1 == len(text):
			return "", fmt.Errorf("a backslash at the end")
		}
		i++
		switch text[i] {
		case 'n':
			b.WriteByte('\n')
		case '\\', ';', ',':
			b.WriteByte(text[i])
		default:
			return "", fmt.Errorf(`\%c means nothing`, text[i])
		}
	}
	return b.String(), nil
}

// one is the only property of a name.
func one(t rapid.TB, of []property, name string) string {
	t.Helper()
	var found []string
	for _, p := range of {
		if p.name == name {
			found = append(found, p.value)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d × %s in %v", len(found), name, of)
	}
	return found[0]
}

func checkFeed(t rapid.TB, text []byte) (head []property, events [][]property) {
	t.Helper()
	head, events, err := parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if one(t, head, "VERSION") != "2.0" || one(t, head, "PRODID") == "" {
		t.Fatalf("head %v", head)
	}
	seen := map[string]bool{}
	for _, e := range events {
		if uid := one(t, e, "UID"); seen[uid] || uid == "" {
			t.Fatalf("UID %q twice, or empty", uid)
		} else {
			seen[uid] = true
		}
		for _, name := range []string{"DTSTAMP", "DTSTART"} {
			if at := one(t, e, name); !utcTime.MatchString(at) {
				t.Fatalf("%s %q is not in UTC", name, at)
			}
		}
		one(t, e, "SUMMARY")
		one(t, e, "DESCRIPTION")
	}
	return head, events
}

func campaigns() []scheduler.Campaign {
	return []scheduler.Campaign{
		{ID: "weekend-offer", Category: "offers", Number: "111222333444", Message: templates.Message{Template: "weekend_offer"}, Schedule: &scheduler.Schedule{Cron: "30 2 * * SUN", Zone: "Europe/Rome"}},
		{ID: "libri; autunno, \\ «novità» 📚📚📚📚📚📚📚📚📚📚📚📚📚📚📚📚📚📚📚📚📚📚📚📚", Category: "a,b", Schedule: &scheduler.Schedule{Cron: "15 3 * * SUN", Zone: "Europe/Rome"}},
	}
}

func feed(t rapid.TB, list []scheduler.Campaign, from time.Time, days int, written time.Time) ical.Feed {
	t.Helper()
	fires, err := scheduler.Calendar(list, policy.Rules{}, from, from.AddDate(0, 0, days))
	if err != nil {
		t.Fatal(err)
	}
	return ical.Feed{Business: "Libreria Aurora, Torino", Campaigns: list, Fires: fires, Written: written}
}

func TestFeed(t *testing.T) {
	from, written := time.Date(2027, 3, 27, 0, 0, 0, 0, time.UTC), time.Date(2027, 3, 1, 9, 30, 0, 0, time.FixedZone("", 3600))
	head, events := checkFeed(t, feed(t, campaigns(), from, 10, written).Text())
	if name := one(t, head, "X-WR-CALNAME"); name != "Campaigns of Libreria Aurora, Torino" {
		t.Errorf("the calendar is called %q", name)
	}
	if len(events) != 4 {
		t.Fatalf("%d events", len(events))
	}
	gap := events[0]
	for name, want := range map[string]string{
		"SUMMARY": "weekend-offer", "DTSTART": "20270328T010000Z", "DTSTAMP": "20270301T083000Z",
		"DESCRIPTION": "Local time: Sun 2027-03-28 03:00 +02:00 Europe/Rome\nTemplate: weekend_offer\nNumber: 111222333444\n" +
			"the clocks skip 2027-03-28T02:30 that day: the first moment after it\ncollides with " + campaigns()[1].ID + ", 15 min later",
	} {
		if got := one(t, gap, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if other := events[1]; one(t, other, "SUMMARY") != campaigns()[1].ID || one(t, other, "CATEGORIES") != "a,b" {
		t.Errorf("%v", other)
	}
}

// A calendar that reads the feed again, later, knows its events.
func TestUIDsAreStable(t *testing.T) {
	from := time.Date(2027, 3, 20, 0, 0, 0, 0, time.UTC)
	uids := func(from time.Time, days int) (list []string) {
		_, events := checkFeed(t, feed(t, campaigns(), from, days, from).Text())
		for _, e := range events {
			list = append(list, one(t, e, "UID"))
		}
		return list
	}
	first, later := uids(from, 30), uids(from.AddDate(0, 0, 14), 30)
	if again := uids(from, 30); !slices.Equal(first, again) {
		t.Errorf("%v, then %v", first, again)
	}
	if len(first) < 6 || !slices.Equal(first[4:], later[:len(first)-4]) {
		t.Errorf("two weeks later %v are %v", first, later)
	}
}

func TestEmptyFeed(t *testing.T) {
	if _, events := checkFeed(t, ical.Feed{Written: time.Unix(1.8e9, 0)}.Text()); len(events) != 0 {
		t.Errorf("%v", events)
	}
}

// Whatever campaigns and the business are called, a strict reader gets it back.
func TestFeedOfAnyNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := campaigns()[:1]
		list[0].ID = rapid.String().Draw(t, "campaign")
		list[0].Message.Template = rapid.String().Draw(t, "template")
		fires, err := scheduler.Calendar(list, policy.Rules{}, time.Unix(1.8e9, 0), time.Unix(1.8e9+1e6, 0))
		if err != nil {
			t.Fatal(err)
		}
		_, events := checkFeed(t, ical.Feed{Business: rapid.String().Draw(t, "business"), Campaigns: list, Fires: fires, Written: time.Unix(1.8e9, 0)}.Text())
		plain := strings.Map(func(r rune) rune {
			if r == '\n' {
				return r
			}
			if r < 0x20 || r == 0x7f {
				return ' '
			}
			return r
		}, strings.ReplaceAll(list[0].ID, "\r\n", "\n"))
		if len(events) != len(fires) || one(t, events[0], "SUMMARY") != plain {
			t.Fatalf("%q became %v", list[0].ID, events)
		}
	})
}

// The test's own reader is worth something only if it refuses what is wrong.
func TestTheReaderIsStrict(t *testing.T) {
	const head, tail = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n", "END:VCALENDAR\r\n"
	for name, text := range map[string]string{
		"bare newline":   strings.ReplaceAll(head+tail, "\r\n", "\n"),
		"long line":      head + "X-A:" + strings.Repeat("a", 72) + "\r\n" + tail,
		"comma":          head + "X-A:a,b\r\n" + tail,
		"unknown escape": head + `X-A:\t` + "\r\n" + tail,
		"cut character":  head + "X-A:\xc3\r\n \xa9\r\n" + tail,
		"open event":     head + "BEGIN:VEVENT\r\n" + tail,
		"no end":         head,
		"small letters":  head + "x-a:1\r\n" + tail,
		"control":        head + "X-A:\x07\r\n" + tail,
	} {
		if _, _, err := parse([]byte(text)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, _, err := parse([]byte(head + tail)); err != nil {
		t.Error(err)
	}
}
