// Package holidays knows the public holidays of countries: a file of rules for each in data, with the law that they are from.
package holidays

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"time"
)

//go:embed data/*.txt
var files embed.FS

// Day is one holiday.
type Day struct {
	Date time.Time // midnight UTC
	Name string    // in a language of the country
}

// Calendar is the holidays of one country by the laws that stand in its file. Laws change: of years far ahead it says what
// is known today, and it is not made for years before 2024.
type Calendar struct {
	Country string // ISO 3166 alpha-2
	Name    string // in English, as it stands after "in": "Italy", "the United States"
	rules   []rule
}

// Countries are those that there is a calendar of, in alphabetical order.
func Countries() []string {
	entries, err := files.ReadDir("data")
	if err != nil {
		panic(fmt.Sprintf("holidays: the embedded files: %v", err)) // they are part of the program
	}
	codes := make([]string, len(entries))
	for i, e := range entries {
		codes[i] = strings.TrimSuffix(e.Name(), ".txt")
	}
	return codes
}

// Of returns a country's calendar; ok is false when there is none.
func Of(country string) (calendar Calendar, ok bool) {
	if strings.ContainsAny(country, "/.") {
		return Calendar{}, false
	}
	text, err := files.ReadFile("data/" + country + ".txt")
	if err != nil {
		return Calendar{}, false
	}
	calendar, err = Parse(country, string(text))
	if err != nil {
		panic("holidays: an embedded file: " + err.Error()) // it is part of the program, and a test reads all of them
	}
	return calendar, true
}

// Year returns the holidays of a year in order. Where two fall on one date, the first in the file gives it its name.
func (c Calendar) Year(year int) []Day {
	var days []Day
	for near := year - 1; near <= year+1; near++ { // 1 January may be kept in December
		days = append(days, c.proclaimed(near)...)
	}
	days = slices.DeleteFunc(days, func(d Day) bool { return d.Date.Year() != year })
	slices.SortStableFunc(days, func(a, b Day) int { return a.Date.Compare(b.Date) })
	return slices.CompactFunc(days, func(a, b Day) bool { return a.Date.Equal(b.Date) })
}

// proclaimed are the days that belong to a year, whichever year they are kept in.
func (c Calendar) proclaimed(year int) []Day {
	var days []Day
	taken := map[time.Time]bool{}
	for i := range c.rules {
		if date, ok := c.rules[i].date(year); ok {
			days = append(days, Day{date, c.rules[i].name})
			taken[date] = true
		}
	}
	for i := range c.rules {
		r := &c.rules[i]
		date, ok := r.date(year)
		if !ok {
			continue
		}
		switch weekday := date.Weekday(); {
		case r.weekend == observed && weekday == time.Saturday:
			days = append(days, Day{date.AddDate(0, 0, -1), r.name + " (observed)"})
		case r.weekend == observed && weekday == time.Sunday:
			days = append(days, Day{date.AddDate(0, 0, 1), r.name + " (observed)"})
		case r.weekend == substitute && weekend(weekday):
			for taken[date] || weekend(date.Weekday()) {
				date = date.AddDate(0, 0, 1)
			}
			taken[date] = true
			days = append(days, Day{date, r.name + " (substitute day)"})
		}
	}
	return days
}

func weekend(d time.Weekday) bool { return d == time.Saturday || d == time.Sunday }

// date returns when the rule's day is in a year, and whether it is at all.
func (r *rule) date(year int) (time.Time, bool) {
	switch {
	case r.from != 0 && year < r.from, r.only != 0 && year != r.only, r.not != 0 && year == r.not:
		return time.Time{}, false
	case r.every != 0 && (year-r.from)%r.every != 0:
		return time.Time{}, false
	}
	switch r.anchor {
	case western:
		return Easter(year).AddDate(0, 0, r.offset), true
	case orthodox:
		return OrthodoxEaster(year).AddDate(0, 0, r.offset), true
	case nth:
		return nthWeekday(year, r.month, r.weekday, r.nth), true
	}
	return r.moved(civil(year, r.month, r.day)), true
}

// moved keeps a fixed date on another day of the week where the law says so.
func (r *rule) moved(date time.Time) time.Time {
	by := 0
	switch weekday := date.Weekday(); r.weekend {
	case transferable:
		by = map[time.Weekday]int{time.Tuesday: -1, time.Wednesday: -2, time.Thursday: 4, time.Friday: 3}[weekday]
	case mondayIfNotFriday:
		if weekday != time.Friday {
			by = (int(time.Monday) - int(weekday) + 7) % 7
		}
	case saturdayIfSunday:
		if weekday == time.Sunday {
			by = -1
		}
	}
	return date.AddDate(0, 0, by)
}

// nthWeekday is the first, second, … weekday of a month; 0 is the last.
func nthWeekday(year int, month time.Month, weekday time.Weekday, n int) time.Time {
	if n == 0 {
		last := civil(year, month+1, 0)
		return last.AddDate(0, 0, -((int(last.Weekday()) - int(weekday) + 7) % 7))
	}
	first := civil(year, month, 1)
	return first.AddDate(0, 0, (int(weekday)-int(first.Weekday())+7)%7+7*(n-1))
}

func civil(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// Easter is Easter Sunday of the Gregorian calendar, by the anonymous algorithm of 1876 (Meeus, "Astronomical Algorithms",
// chapter 8).
func Easter(year int) time.Time {
	golden, century, rest := year%19, year/100, year%100
	leapless := (century - (century+8)/25 + 1) / 3
	epact := (19*golden + century - century/4 - leapless + 15) % 30
	sunday := (32 + 2*(century%4) + 2*(rest/4) - epact - rest%4) % 7
	late := (golden + 11*epact + 22*sunday) / 451
	count := epact + sunday - 7*late + 114
	return civil(year, time.Month(count/31), count%31+1)
}

// OrthodoxEaster is Easter Sunday of the Julian calendar, as a date of the Gregorian one (Meeus, the same chapter).
func OrthodoxEaster(year int) time.Time {
	moon := (19*(year%19) + 15) % 30
	sunday := (2*(year%4) + 4*(year%7) - moon + 34) % 7
	count := moon + sunday + 114
	behind := year/100 - year/400 - 2 // days that the Julian calendar is behind
	return civil(year, time.Month(count/31), count%31+1+behind)
}
