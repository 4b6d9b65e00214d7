// Package ical writes when campaigns fire as an iCalendar feed, for the calendars that people already look at.
package ical

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/permesso/permesso/scheduler"
)

// Feed is a calendar to be written.
type Feed struct {
	Business  string // names the calendar
	Campaigns []scheduler.Campaign
	Fires     []scheduler.Fire
	// Written is DTSTAMP: when the feed was made.
	Written time.Time
}

const (
	product   = "-//permesso//campaign calendar//EN"
	utc       = "20060102T150405Z"
	lineLimit = 75 // octets of a content line without its break (RFC 5545, 3.1)
)

// Text is the feed as RFC 5545 has it: one event for each fire, at its instant in UTC. An event's UID is made of campaign
// and local wall time, the key of its run, so that a calendar that reads the feed again moves events and doubles none.
func (f Feed) Text() []byte {
	var w writer
	w.line("BEGIN", "VCALENDAR")
	w.line("VERSION", "2.0")
	w.line("PRODID", product)
	w.line("CALSCALE", "GREGORIAN")
	w.line("X-WR-CALNAME", escape(strings.TrimSpace("Campaigns of "+cmp.Or(f.Business, "permesso"))))
	about := map[string]scheduler.Campaign{}
	for _, c := range f.Campaigns {
		about[c.ID] = c
	}
	for _, fire := range f.Fires {
		w.event(fire, about[fire.Campaign], f.Written)
	}
	w.line("END", "VCALENDAR")
	return w.text
}

func (w *writer) event(fire scheduler.Fire, c scheduler.Campaign, written time.Time) {
	w.line("BEGIN", "VEVENT")
	w.line("UID", uid(fire.Occurrence))
	w.line("DTSTAMP", written.UTC().Format(utc))
	w.line("DTSTART", fire.At.UTC().Format(utc))
	w.line("SUMMARY", escape(fire.Campaign))
	w.line("DESCRIPTION", escape(strings.Join(description(fire, c), "\n")))
	if c.Category != "" {
		w.line("CATEGORIES", escape(c.Category))
	}
	w.line("TRANSP", "TRANSPARENT") // it keeps nobody busy
	w.line("END", "VEVENT")
}

// uid has letters that every calendar takes, whatever the campaign is called.
func uid(o scheduler.Occurrence) string {
	name := fnv.New128a()
	_, _ = name.Write([]byte(o.Campaign)) // a hash never fails
	local := strings.NewReplacer("-", "", ":", "").Replace(string(o.Local))
	return fmt.Sprintf("%s-%s@permesso", local, hex.EncodeToString(name.Sum(nil)))
}

func description(fire scheduler.Fire, c scheduler.Campaign) []string {
	lines := []string{fmt.Sprintf("Local time: %s %s", fire.At.Format("Mon 2006-01-02 15:04 -07:00"), fire.At.Location())}
	if c.Message.Template != "" {
		lines = append(lines, "Template: "+c.Message.Template)
	}
	if c.Number != "" {
		lines = append(lines, "Number: "+c.Number)
	}
	return append(lines, fire.Remarks()...)
}

// escape writes a TEXT value (RFC 5545, 3.3.11). Control characters, which no property may hold, become spaces.
func escape(text string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\r\n", "\n") {
		switch {
		case r == '\\' || r == ';' || r == ',':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r < 0x20 || r == 0x7f:
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

type writer struct{ text []byte }

// line writes a content line, folded where it is longer than 75 octets, never within a character.
func (w *writer) line(name, value string) {
	rest, room := name+":"+value, lineLimit
	for len(rest) > room {
		cut := room
		for !utf8.RuneStart(rest[cut]) {
			cut--
		}
		w.text = append(append(w.text, rest[:cut]...), "\r\n "...)
		rest, room = rest[cut:], lineLimit-1 // the space that begins a folded line counts
	}
	w.text = append(append(w.text, rest...), "\r\n"...)
}
