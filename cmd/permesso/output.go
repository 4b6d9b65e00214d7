package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/permesso/permesso/internal/errcode"
)

// object prints one thing as JSON.
func (s *session) object(v any) error {
	encoder := json.NewEncoder(s.out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return errcode.With(fmt.Errorf("printing JSON: %w", err), errcode.OutputFailed)
	}
	return nil
}

// done reports what a verb did: v as JSON, else the sentence, unless quiet.
func (s *session) done(v any, format string, args ...any) error {
	if s.json {
		return s.object(v)
	}
	return s.say(format, args...)
}

// say prints a sentence that nobody asked for in so many words.
func (s *session) say(format string, args ...any) error {
	if s.quiet || s.json {
		return nil
	}
	return s.print(format, args...)
}

// print prints what was asked for.
func (s *session) print(format string, args ...any) error {
	if _, err := fmt.Fprintf(s.out, format+"\n", args...); err != nil {
		return errcode.With(fmt.Errorf("printing: %w", err), errcode.OutputFailed)
	}
	return nil
}

const (
	green  = "\x1b[32m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

func (s *session) painted(colour, text string) string {
	if !s.colour || colour == "" || text == "" {
		return text
	}
	return colour + text + plain
}

// table prints rows in aligned columns. The first rows set the widths; from then on rows are printed as they come, so
// that a list of any length needs no memory.
type table struct {
	w      io.Writer
	rows   [][]string
	widths []int
	paint  func(row []string, column int, padded string) string // nil leaves everything plain
	right  map[int]bool                                         // columns of numbers
	err    error
}

const rowsThatSetWidths = 500

func (s *session) table(heads ...string) *table {
	return &table{w: s.out, rows: [][]string{heads}, right: map[int]bool{}}
}

// numbers aligns columns to the right.
func (t *table) numbers(columns ...int) *table {
	for _, c := range columns {
		t.right[c] = true
	}
	return t
}

// row adds a row.
func (t *table) row(cells ...string) {
	for i := range cells {
		cells[i] = oneLine(cells[i])
	}
	if t.widths != nil {
		t.print(cells)
		return
	}
	t.rows = append(t.rows, cells)
	if len(t.rows) >= rowsThatSetWidths {
		t.settle()
	}
}

func (t *table) settle() {
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(t.widths) {
				t.widths = append(t.widths, 0)
			}
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t.rows {
		t.print(row)
	}
	t.rows = nil
}

// flush prints what is left and returns the first error.
func (t *table) flush() error {
	if t.widths == nil {
		t.settle()
	}
	return t.err
}

func (t *table) print(row []string) {
	if t.err != nil {
		return
	}
	var line strings.Builder
	for i, cell := range row {
		if i > 0 {
			line.WriteString("  ")
		}
		gap := strings.Repeat(" ", max(0, t.widths[i]-utf8.RuneCountInString(cell)))
		switch {
		case t.right[i]:
			cell = gap + cell
		case i < len(row)-1:
			cell += gap
		}
		if t.paint != nil {
			cell = t.paint(row, i, cell)
		}
		line.WriteString(cell)
	}
	if _, err := fmt.Fprintln(t.w, strings.TrimRight(line.String(), " ")); err != nil {
		t.err = errcode.With(fmt.Errorf("printing a table: %w", err), errcode.OutputFailed)
	}
}

// oneLine keeps a foreign text from moving a terminal's cursor or changing its colours.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || (r >= 0x7f && r < 0xa0) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
			return ' '
		}
		return r
	}, text)
}

// clock writes a time for people; "" for the zero time.
func clock(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).Format("2006-01-02 15:04:05 -07:00")
}
