package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/policy/holidays"
)

// Holidays are days on which marketing waits, whole days in the recipient's own time: those of countries, each for the
// people of that country, and days of the business's own, for everybody. Of somebody whose country is not known every
// country's day may be a holiday. In JSON it is what NewHolidays takes; what it has worked out is not stored.
// Its methods are safe for concurrent use.
type Holidays struct {
	calendars []*calendar
	closed    []ClosedDay // by date
	dates     []int64     // of closed, in days since 1970-01-01
}

// ClosedDay is a day of the business's own on which marketing waits.
type ClosedDay struct {
	Date string `json:"date"` // 2026-08-10
	Name string `json:"name"`
}

// NewHolidays takes countries (ISO 3166 alpha-2) and days of the business's own, of which the first counts when two have
// one date. A country that HolidayCountries does not have holds marketing back on every day. The error is a date that is none.
func NewHolidays(countries []string, closed []ClosedDay) (*Holidays, error) {
	h := &Holidays{closed: slices.Clone(closed)}
	for _, code := range countries {
		known, ok := holidays.Of(code)
		h.calendars = append(h.calendars, &calendar{country: code, known: ok, calendar: known})
	}
	slices.SortStableFunc(h.closed, func(a, b ClosedDay) int { return strings.Compare(a.Date, b.Date) })
	h.closed = slices.CompactFunc(h.closed, func(a, b ClosedDay) bool { return a.Date == b.Date })
	for _, d := range h.closed {
		date, err := time.Parse(time.DateOnly, d.Date)
		if err != nil {
			return nil, fmt.Errorf("holidays: %q is no date", d.Date)
		}
		h.dates = append(h.dates, floor(date.Unix(), day))
	}
	return h, nil
}

// HolidayCountries are the countries whose holidays are known, in alphabetical order.
func HolidayCountries() []string { return holidays.Countries() }

// storedHolidays is the form in which runs keep them.
type storedHolidays struct {
	Countries []string    `json:"countries,omitempty"`
	Closed    []ClosedDay `json:"closed,omitempty"`
}

// MarshalJSON writes what NewHolidays takes.
func (h *Holidays) MarshalJSON() ([]byte, error) {
	stored := storedHolidays{Closed: h.closed}
	for _, c := range h.calendars {
		stored.Countries = append(stored.Countries, c.country)
	}
	return json.Marshal(stored)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Holidays) UnmarshalJSON(text []byte) error {
	var stored storedHolidays
	if err := json.Unmarshal(text, &stored); err != nil {
		return errors.Join(errors.New("holidays cannot be read"), err)
	}
	read, err := NewHolidays(stored.Countries, stored.Closed)
	if err != nil {
		return err
	}
	h.calendars, h.closed, h.dates = read.calendars, read.closed, read.dates
	return nil
}

// calendar is one country's holidays with the years that were asked for last.
type calendar struct {
	country  string
	known    bool
	calendar holidays.Calendar
	years    [2]atomic.Pointer[yearTable] // an even and an odd one, so that neighbours do not push each other out
}

// yearTable says of each date of a year whether it is a holiday. Dates are days since 1970-01-01.
type yearTable struct {
	first, after int64
	place        [366]uint8 // from 1 in names; 0 is no holiday
	names        []string
}

// on returns the name of the holiday that a date is.
func (c *calendar) on(date int64) (name string, is bool) {
	t := c.table(date)
	if place := t.place[date-t.first]; place > 0 {
		return t.names[place-1], true
	}
	return "", false
}

func (c *calendar) table(date int64) *yearTable {
	for i := range c.years {
		if t := c.years[i].Load(); t != nil && t.first <= date && date < t.after {
			return t
		}
	}
	year := time.Unix(date*day, 0).UTC().Year()
	first := func(year int) int64 { return floor(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), day) }
	t := &yearTable{first: first(year), after: first(year + 1)}
	for _, d := range c.calendar.Year(year) {
		t.names = append(t.names, d.Name)
		t.place[floor(d.Date.Unix(), day)-t.first] = uint8(len(t.names))
	}
	c.years[year&1].Store(t)
	return t
}

// holiday is one date on which somebody's marketing waits.
type holiday struct {
	date     int64 // days since 1970-01-01
	name     string
	calendar *calendar // nil for a day of the business's own
}

// on returns the holiday that a date is for people of a country; "" is a country that is not known.
func (h *Holidays) on(country string, date int64) (holiday, bool) {
	for _, c := range h.calendars {
		if country != "" && !strings.EqualFold(country, c.country) {
			continue
		}
		if !c.known {
			return holiday{date: date, calendar: c}, true
		}
		if name, is := c.on(date); is {
			return holiday{date, name, c}, true
		}
	}
	if len(h.dates) > 0 {
		if i, is := slices.BinarySearch(h.dates, date); is {
			return holiday{date: date, name: h.closed[i].Name}, true
		}
	}
	return holiday{}, false
}

// String says what the day is, as a sentence without its end.
func (h holiday) String() string {
	date := time.Unix(h.date*day, 0).UTC().Format("2 January")
	switch {
	case h.calendar == nil:
		return fmt.Sprintf("%s is %s, a closed day of the business", date, h.name)
	case !h.calendar.known:
		return fmt.Sprintf("no calendar of %s is known to this program, so that every day may be a holiday there", h.calendar.country)
	}
	return fmt.Sprintf("%s is %s in %s", date, h.name, h.calendar.calendar.Name)
}

// holidaysApply reports whether holidays hold this message back: they are for marketing.
func (q *question) holidaysApply() bool { return q.rules.Holidays != nil && q.marketing }

// holiday returns the holiday that it is at a moment in one of the zones, and when that day is over there.
func (q *question) holiday(z zones, at int64) (h holiday, over int64, is, ok bool) {
	for i := range z.len() {
		zone, o, ok := q.zone(z.name(i), at)
		if !ok {
			return holiday{}, 0, false, false
		}
		date := floor(at+o.seconds, day)
		if h, is = q.rules.Holidays.on(q.facts.Person.Country, date); !is {
			continue
		}
		over = (date+1)*day - o.seconds
		if over >= o.until {
			over, _ = moment(zone, (date+1)*day, false)
		}
		return h, over, true, true
	}
	return holiday{}, 0, false, true
}

// open returns the first moment, at or after at, that is neither within the quiet hours nor on a holiday, in every zone.
// It looks over some two months of closed days in a row.
func (q *question) open(z zones, at int64) (int64, bool) {
	for range maxSteps {
		moved := at
		if q.quietApply() {
			var ok bool
			if moved, ok = q.everywhere(z, q.rules.QuietHours.loud(), moved); !ok {
				return 0, false
			}
		}
		if q.holidaysApply() {
			_, over, is, ok := q.holiday(z, moved)
			if !ok {
				return 0, false
			}
			if is {
				moved = max(over, moved+1)
			}
		}
		if moved == at {
			return at, true
		}
		at = moved
	}
	return 0, false
}
