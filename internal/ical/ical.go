// Package ical writes when campaigns fire as an iCalendar feed, for the calendars that people already look at.
package ical

import (
	"cmp"
	"encoding/hex"
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
	w := writer{make([]byte, 0, 1024*(1+len(f.Fires)))}
	w.line("BEGIN", "VCALENDAR")
	w.line("VERSION", "2.0")
	w.line("PRODID", product)
	w.line("CALSCALE", "GREGORIAN")
	w.line("X-WR-CALNAME", escape(strings.TrimSpace("Campaigns of "+cmp.Or(f.Business, "permesso"))))
	about := map[string]subject{}
	for _, c := range f.Campaigns {
		about[c.ID] = subjectOf(c)
	}
	stamp := f.Written.UTC().Format(utc)
	for i := range f.Fires {
		w.event(&f.Fires[i], about[f.Fires[i].Campaign], stamp)
	}
	w.line("END", "VCALENDAR")
	return w.text
}

// subject is what all events of a campaign have in common.
type subject struct {
	name, category, uid string
	lines               []string
}

func subjectOf(c scheduler.Campaign) subject {
	name := fnv.New128a() // its letters are such as every calendar takes, whatever the campaign is called
	_, _ = name.Write([]byte(c.ID))
	s := subject{name: escape(c.ID), category: escape(c.Category), uid: "-" + hex.EncodeToString(name.Sum(nil)) + "@permesso"}
	if c.Message.Template != "" {
		s.lines = append(s.lines, "Template: "+c.Message.Template)
	}
	if c.Number != "" {
		s.lines = append(s.lines, "Number: "+c.Number)
	}
	return s
}

func (w *writer) event(fire *scheduler.Fire, of subject, stamp string) {
	w.line("BEGIN", "VEVENT")
	w.line("UID", strings.ReplaceAll(strings.ReplaceAll(string(fire.Local), "-", ""), ":", "")+of.uid)
	w.line("DTSTAMP", stamp)
	w.line("DTSTART", fire.At.UTC().Format(utc))
	w.line("SUMMARY", of.name)
	lines := append([]string{"Local time: " + fire.At.Format("Mon 2006-01-02 15:04 -07:00 ") + fire.At.Location().String()}, of.lines...)
	w.line("DESCRIPTION", escape(strings.Join(append(lines, fire.Remarks()...), "\n")))
	if of.category != "" {
		w.line("CATEGORIES", of.category)
	}
	w.line("TRANSP", "TRANSPARENT") // it keeps nobody busy
	w.line("END", "VEVENT")
}

// escape writes a TEXT value (RFC 5545, 3.3.11). Control characters, which no property may hold, become spaces.
func escape(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\r\n", "\n")
	escaped := make([]byte, 0, len(text)+16)
	for i := range len(text) { // every byte that means something here is a character by itself
		switch c := text[i]; {
		case c == '\\' || c == ';' || c == ',':
			escaped = append(escaped, '\\', c)
		case c == '\n':
			escaped = append(escaped, `\n`...)
		case c < 0x20 || c == 0x7f:
			escaped = append(escaped, ' ')
		default:
			escaped = append(escaped, c)
		}
	}
	return string(escaped)
}

type writer struct{ text []byte }

// line writes a content line, folded where it is longer than 75 octets, never within a character.
func (w *writer) line(name, value string) {
	w.text = append(append(w.text, name...), ':')
	rest, room := value, lineLimit-len(name)-1
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
