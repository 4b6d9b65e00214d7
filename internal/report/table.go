package report

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/sender"
)

// LineTable prints lines of the log for people, as they come: the columns have fixed widths, and a longer text moves its own row only.
type LineTable struct {
	w      io.Writer
	zone   *time.Location
	headed bool
}

// NewLineTable returns a table of lines on w, with times in zone.
func NewLineTable(w io.Writer, zone *time.Location) *LineTable {
	return &LineTable{w: w, zone: zone}
}

// Write prints one line, and the header before the first.
func (t *LineTable) Write(l Line) error {
	if !t.headed {
		t.headed = true
		if err := t.row("TIME", "CAMPAIGN", "TO", "STATE", "WHY"); err != nil {
			return err
		}
	}
	to := l.Phone
	if to == "" {
		to = l.UserID
	}
	if to == "" {
		to = "(erased)"
	}
	campaign := l.Campaign
	if l.Test {
		campaign += " (test)"
	}
	return t.row(l.Newest().In(t.zone).Format("2006-01-02 15:04:05"), campaign, to, string(l.State), l.Why())
}

func (t *LineTable) row(when, campaign, to, state, why string) error {
	text := strings.TrimRight(pad(when, 19)+"  "+pad(campaign, 20)+"  "+pad(to, 16)+"  "+pad(state, 9)+"  "+why, " ")
	if _, err := io.WriteString(t.w, text+"\n"); err != nil {
		return errcode.With(fmt.Errorf("printing the log: %w", err), errcode.OutputFailed)
	}
	return nil
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// Newest is the latest time that the line has reached; due_at, which may lie ahead, does not count.
func (l Line) Newest() Time {
	newest := l.QueuedAt
	for _, t := range []Time{l.SendingAt, l.AcceptedAt, l.SentAt, l.DeliveredAt, l.ReadAt, l.FailedAt, l.RepliedAt} {
		if t.After(newest.Time) {
			newest = t
		}
	}
	return newest
}

// Why says in one sentence why the line is where it is; nothing when all is well.
func (l Line) Why() string {
	switch {
	case l.Error != nil && l.Error.Code == 0: // no word of Meta's: what permesso itself has against it
		return printable(l.Error.Details)
	case l.Error != nil && l.Error.Details != "" && strings.TrimSuffix(l.Error.Details, ".") != strings.TrimSuffix(l.Error.Title, "."):
		return fmt.Sprintf("%d %s: %s", l.Error.Code, printable(l.Error.Title), printable(l.Error.Details))
	case l.Error != nil:
		return fmt.Sprintf("%d %s", l.Error.Code, printable(l.Error.Title))
	}
	switch {
	case l.State == sender.Held:
		return "Meta took it and holds it to assess the template's quality"
	case l.State == sender.Unknown && l.Reason == "":
		return "the answer was lost; WhatsApp's own report will tell"
	}
	return l.Says()
}

// Says is the line's reason in words: of a message that will still go out why it waits, else why there is none.
func (l Line) Says() string {
	if l.State == sender.Queued && l.Reason != "" {
		return Waiting(l.Reason)
	}
	return Sentence(l.Reason)
}

// printable is a foreign text on one line of a terminal: control characters, which could move the cursor or colour it, are spaces.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || (r >= 0x7f && r < 0xa0) {
			return ' '
		}
		return r
	}, text)
}
