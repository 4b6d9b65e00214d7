package imports

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/scheduler"
)

// wanted is what a column takes: the same cell is a day in one and the moment of a consent in another.
type wanted uint8

const (
	wantText wanted = iota
	wantPhone
	wantTime
	wantDay
	wantNumber
	wantNothing // what is wrong there is nobody's loss
)

// sheet reads the rows of a workbook's sheet, one at a time.
type sheet struct {
	book   *workbook
	in     *part
	zone   *time.Location
	wants  []wanted // by column; nil before the header is read
	keys   []string // what each column fills
	number int      // of the last row
}

// openSheet stands before the first row.
func (w *workbook) openSheet(o Options) (*sheet, error) {
	in, err := w.openPart(w.sheet, maxUnpacked)
	if err != nil {
		return nil, err
	}
	for {
		token, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil, damaged(w.sheet, errors.New("it has no rows"))
		}
		if err != nil {
			return nil, err
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "sheetData" {
			return &sheet{book: w, in: in, zone: o.Zone}, nil
		}
	}
}

// expect takes note of what each column of the header wants.
func (s *sheet) expect(h header, types map[string]scheduler.AttributeType) {
	s.keys = make([]string, len(h.names))
	s.wants = make([]wanted, len(h.names))
	for i := range s.wants {
		s.wants[i] = wantNothing
	}
	for _, place := range h.own {
		s.wants[place] = wantText
	}
	for key, place := range h.places {
		s.keys[place] = key
	}
	for _, a := range h.attributes {
		s.keys[a.place] = a.name
		switch types[a.name] {
		case scheduler.AttributeDate:
			s.wants[a.place] = wantDay
		case scheduler.AttributeNumber:
			s.wants[a.place] = wantNumber
		}
	}
	if place := h.place("phone"); place >= 0 {
		s.wants[place] = wantPhone
	}
	if place := h.place("at"); place >= 0 {
		s.wants[place] = wantTime
	}
}

func (s *sheet) position() int64 { return min(s.book.read.n, s.book.size) }

func (s *sheet) readAs() ReadAs {
	return ReadAs{Format: formatXLSX, Sheet: s.book.name, Sheets: s.book.seen}
}

// next returns the next row that has a cell.
func (s *sheet) next() (row, error) {
	for {
		token, err := s.in.next()
		if err != nil {
			s.in.close()
			return row{}, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local != "row" {
				continue
			}
			next, filled, err := s.row(token)
			if err != nil || filled {
				return next, err
			}
		case xml.EndElement:
			if token.Name.Local == "sheetData" {
				err := s.in.finish()
				s.in.close()
				return row{}, err
			}
		}
	}
}

// row reads the cells of a row whose start was read.
func (s *sheet) row(start xml.StartElement) (next row, filled bool, err error) {
	s.number++
	if given := attribute(start, "r"); given != "" {
		number, err := strconv.Atoi(given)
		if err != nil || number < s.number {
			return row{}, false, damaged(s.in.name, errors.New("its rows are not in order"))
		}
		s.number = number
	}
	next.line = s.number
	if hidden := attribute(start, "hidden"); hidden == "1" || hidden == "true" {
		next.doubts |= noteHiddenRow
	}
	if s.wants != nil {
		next.cells = make([]string, len(s.wants))
	}
	size, column := 0, -1
	for until := s.in.depth - 1; s.in.depth > until; {
		token, err := s.in.next()
		if err != nil {
			return row{}, false, s.in.within(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "c" {
			continue
		}
		c, err := s.cell(start)
		if err != nil {
			return row{}, false, err
		}
		if column, err = s.column(start, column); err != nil {
			return row{}, false, err
		}
		if c.blank() {
			continue
		}
		text := s.put(&next, column, c)
		filled = filled || strings.TrimSpace(text) != ""
		if size += len(text); size > maxRow {
			next.broken = reasonTooLong
		}
	}
	if next.broken != "" {
		next.cells = nil
	}
	return next, filled, nil
}

// column returns the place of a cell; a cell that does not say stands to the right of the one before.
func (s *sheet) column(start xml.StartElement, before int) (int, error) {
	name := attribute(start, "r")
	if name == "" {
		return before + 1, nil
	}
	column := 0
	for _, letter := range []byte(strings.ToUpper(strings.TrimRight(name, "0123456789"))) {
		if letter < 'A' || letter > 'Z' || column > 1<<14 {
			column = 0
			break
		}
		column = column*26 + int(letter-'A') + 1
	}
	if column--; column <= before || column >= 1<<14 {
		return 0, damaged(s.in.name, errors.New("its cells are not in order"))
	}
	return column, nil
}

// put writes a cell into its row, and what is wrong with it, and returns its text.
func (s *sheet) put(r *row, column int, c sheetCell) string {
	want := wantNothing
	switch {
	case s.wants == nil: // the header: its last cell decides how wide it is
		if column > maxColumns {
			column = maxColumns
		}
		r.cells = append(r.cells, make([]string, max(0, column+1-len(r.cells)))...)
	case column >= len(s.wants):
		text, _, _ := s.render(c, wantNothing)
		if strings.TrimSpace(text) != "" {
			r.cells = append(r.cells, text)
			if r.fault == nil {
				r.fault = &Rejection{Reason: reasonUnnamed}
			}
		}
		return text
	default:
		want = s.wants[column]
	}
	text, wrong, doubt := s.render(c, want)
	r.cells[column] = text
	r.doubts |= doubt
	if wrong != nil && want != wantNothing && r.fault == nil {
		wrong.Column = s.keys[column]
		r.fault = wrong
	}
	return text
}

// sheetCell is a cell as the workbook keeps it.
type sheetCell struct {
	kind    string // its attribute t
	style   int
	value   string
	valued  bool // it has a value, if an empty one
	formula string
	figured bool // it has a formula
}

func (c sheetCell) blank() bool { return c.value == "" && (c.valued || !c.figured) }

// cell reads a cell whose start was read.
func (s *sheet) cell(start xml.StartElement) (sheetCell, error) {
	c := sheetCell{kind: attribute(start, "t")}
	if style := attribute(start, "s"); style != "" {
		c.style, _ = strconv.Atoi(style) // a style that does not exist formats nothing
	}
	inside := ""
	for until := s.in.depth - 1; s.in.depth > until; {
		token, err := s.in.next()
		if err != nil {
			return c, s.in.within(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			switch inside = token.Name.Local; inside {
			case "v":
				c.valued = true
			case "f":
				c.figured = true
			case "is":
				if c.value, err = s.in.text(); err != nil {
					return c, err
				}
				c.valued, inside = true, ""
			}
		case xml.EndElement:
			inside = ""
		case xml.CharData:
			switch inside {
			case "v":
				c.value += string(token)
			case "f":
				c.formula += string(token)
			}
		}
	}
	return c, nil
}

// render returns what a cell says as text for its column, or shows it and says what is wrong with it.
func (s *sheet) render(c sheetCell, want wanted) (string, *Rejection, note) {
	if c.figured && !c.valued {
		return "=" + c.formula, &Rejection{Reason: reasonNoResult}, 0
	}
	switch c.kind {
	case "s":
		i, err := strconv.Atoi(strings.TrimSpace(c.value))
		if text, ok := s.book.strings.at(i); err == nil && ok {
			return text, nil, 0
		}
		return c.value, &Rejection{Reason: reasonCellError}, 0
	case "str":
		return unescaped(c.value), nil, 0
	case "inlineStr":
		return c.value, nil, 0
	case "b":
		if strings.TrimSpace(c.value) == "1" || strings.EqualFold(strings.TrimSpace(c.value), "true") {
			return "TRUE", nil, 0
		}
		return "FALSE", nil, 0
	case "e":
		return c.value, &Rejection{Reason: reasonCellError}, 0
	case "d":
		for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
			if at, err := time.Parse(layout, strings.TrimSuffix(c.value, "Z")); err == nil {
				return s.date(at, want)
			}
		}
		return c.value, nil, 0
	}
	return s.numeral(strings.TrimSpace(c.value), c.style, want)
}

// numeral renders a cell that holds a number, which is a date when its style says so.
func (s *sheet) numeral(value string, style int, want wanted) (string, *Rejection, note) {
	n, ok := readNumber(value)
	if !ok {
		return value, &Rejection{Reason: reasonCellError}, 0
	}
	how := asNumber
	if style >= 0 && style < len(s.book.formats) {
		how = s.book.formats[style]
	}
	switch {
	case how == asTime && n.value >= 0 && n.value < 1 && want != wantPhone && want != wantTime && want != wantDay:
		at := time.Time{}.Add(time.Duration(n.value*86400+0.5) * time.Second)
		return at.Format(time.TimeOnly), nil, 0
	case how != asNumber:
		at, ok := s.book.system.moment(n.value)
		if !ok {
			return n.text(), &Rejection{Reason: reasonDateRange}, 0
		}
		return s.date(at, want)
	}
	switch want {
	case wantPhone:
		return phoneOfNumber(n)
	case wantTime:
		return n.text(), &Rejection{Value: cut(n.text(), 80), Reason: reasonTimeSerial}, 0
	case wantDay:
		return n.text(), &Rejection{Value: cut(n.text(), 80), Reason: reasonDaySerial}, 0
	case wantNumber:
		return n.text(), nil, 0
	}
	if n.lost {
		return n.text(), &Rejection{Reason: reasonLostDigits}, 0
	}
	return n.text(), nil, 0
}

// phoneOfNumber returns the digits of a phone number that a workbook keeps as a number, as a spreadsheet does with what
// is typed without a plus.
func phoneOfNumber(n written) (string, *Rejection, note) {
	switch {
	case n.value < 0:
		return n.text(), &Rejection{Reason: reasonPhoneMinus}, 0
	case n.lost:
		return n.text(), phoneRejection(phone.ErrScientific), 0
	case n.whole == "":
		return n.text(), phoneRejection(phone.ErrDecimal), 0
	}
	return n.whole, nil, 0
}

// date renders a date for its column. A workbook's times have no offset: they are told by the clocks of the business.
func (s *sheet) date(at time.Time, want wanted) (string, *Rejection, note) {
	shown := at.Format(time.DateOnly)
	if at.Hour() != 0 || at.Minute() != 0 || at.Second() != 0 {
		shown = at.Format("2006-01-02T15:04:05")
	}
	switch want {
	case wantPhone:
		return shown, &Rejection{Reason: reasonPhoneDate}, 0
	case wantDay:
		return at.Format(time.DateOnly), nil, 0
	case wantTime:
		if s.zone == nil {
			return shown, &Rejection{Value: shown, Reason: reasonTimeZone}, 0
		}
		local, once := inZone(at, s.zone)
		if !once {
			return shown, &Rejection{Value: shown, Reason: reasonTimeSkips}, 0
		}
		return local.Format(time.RFC3339), nil, noteLocalTime
	}
	return shown, nil, 0
}

// inZone returns the moment at which the clocks of a zone show a wall-clock time, and whether there is exactly one.
func inZone(wall time.Time, zone *time.Location) (time.Time, bool) {
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	shows := func(t time.Time) bool {
		return t.Format(time.DateTime) == wall.Format(time.DateTime)
	}
	if !shows(at) {
		return at, false
	}
	for _, other := range []time.Duration{-2 * time.Hour, -time.Hour, -30 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour} {
		if shows(at.Add(other)) {
			return at, false
		}
	}
	return at, true
}
