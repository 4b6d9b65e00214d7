package config

import (
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/policy"
)

const (
	wantShare   = "a share of the people from 0% to 100%, such as 5% or 0.5%"
	wantHoliday = "a country's two letters, such as IT, or a file such as closed-days.csv"
)

// holdout reads the share of the people who do not get what.
func (v value) holdout(what string) policy.Share {
	share, ok := v.share()
	if ok && share == policy.Everybody {
		v.warn(errcode.HoldoutOfEverybody, "everybody is held out: nobody gets %s", what)
	}
	return share
}

// share reads a part of all people.
func (v value) share() (policy.Share, bool) {
	text, ok := v.scalar(wantShare)
	if !ok {
		return 0, false
	}
	share, err := policy.ParseShare(text)
	switch {
	case err == nil:
		return share, true
	case decimalNumber.MatchString(text):
		v.fail(errcode.InvalidShare, "%s must be %s: %s has no %% sign", v.name(), wantShare, text)
	default:
		v.fail(errcode.InvalidShare, "%s must be %s, with at most four decimals, not %q", v.name(), wantShare, text)
	}
	return 0, false
}

var closedDaysFile = regexp.MustCompile(`.\.[Cc][Ss][Vv]$`)

func (l *loader) readHolidays(v value) {
	values, ok := v.list("a list of countries and files, such as [IT, closed-days.csv]")
	if !ok {
		return
	}
	if len(values) == 0 {
		v.fail(errcode.EmptyValue, "%s is an empty list: name countries or files, or remove the key", v.name())
		return
	}
	var countries []string
	var closed []policy.ClosedDay
	seen := map[string]bool{}
	for _, v := range values {
		entry, ok := v.text(wantHoliday)
		if !ok {
			continue
		}
		if seen[entry] {
			v.fail(errcode.DuplicateEntry, "%s is written twice", entry)
			continue
		}
		seen[entry] = true
		switch {
		case slices.Contains(policy.HolidayCountries(), entry):
			countries = append(countries, entry)
		case closedDaysFile.MatchString(entry):
			closed = append(closed, v.closedDays(entry)...)
		default:
			v.failHoliday(entry)
		}
	}
	read, err := policy.NewHolidays(countries, closed)
	if err != nil {
		v.fail(errcode.InvalidClosedDays, "%v", err) // closedDays has refused what is no date
		return
	}
	l.cfg.Rules.Holidays = read
	if quiet := l.quietHours; quiet == nil || quiet.Kind != "" && quiet.Kind != policy.Marketing {
		v.warn(errcode.HolidaysEndAtMidnight, "there are no quiet_hours for marketing: what waits for a holiday's end leaves at midnight, unless its campaign has a window")
	}
}

func (v value) failHoliday(entry string) {
	known := policy.HolidayCountries()
	if upper := strings.ToUpper(entry); slices.Contains(known, upper) {
		v.fail(errcode.UnknownCalendar, "unknown country %q; did you mean %q?", entry, upper)
		return
	}
	if len(entry) != 2 {
		v.fail(errcode.UnknownCalendar, "%s must be %s, not %q", v.name(), wantHoliday, entry)
		return
	}
	v.fail(errcode.UnknownCalendar, "the holidays of %q are not known; there are those of %s. For others write a file with the columns date and name, and put its name here, such as closed-days.csv",
		entry, strings.Join(known, ", "))
}

// closedDays reads the file of days at a path from the configuration's folder. Every mistake in it has its own line.
func (v value) closedDays(name string) []policy.ClosedDay {
	data, tell, ok := v.fileBeside(name)
	if !ok {
		return nil
	}
	days, mistakes := readClosedDays(data)
	tell(errcode.InvalidClosedDays, mistakes)
	return days
}

// maxClosedDays is more than three years without a working day: every run keeps the days with it.
const maxClosedDays = 1000

// closedFile is a file of days while it is read.
type closedFile struct {
	*csvFile
	first map[string]int // the line of each date
	days  []policy.ClosedDay
}

// readClosedDays reads rows of date and name below a header that names them.
func readClosedDays(data []byte) ([]policy.ClosedDay, []csvMistake) {
	text, mistakes := newCSVFile(data)
	if text == nil {
		return nil, mistakes
	}
	f := closedFile{csvFile: text, first: map[string]int{}}
	if !f.header() {
		return nil, f.mistakes
	}
	for f.row() {
	}
	if len(f.days) == 0 && len(f.mistakes) == 0 {
		f.fail(1, 1, "the file holds no day: write rows such as 2026-08-10,Summer closing")
	}
	if len(f.days) > maxClosedDays {
		f.fail(1, 1, "the file holds %d days, and more than %d cannot be meant: keep those to come", len(f.days), maxClosedDays)
	}
	if len(f.mistakes) > 0 {
		return nil, f.mistakes
	}
	return f.days, nil
}

func (f *closedFile) header() bool {
	const want = "the file must begin with the line date,name"
	fields, err := f.rows.Read()
	switch {
	case errors.Is(err, io.EOF):
		f.fail(1, 1, "the file is empty: it begins with the line date,name, and a row such as 2026-08-10,Summer closing follows")
		return false
	case err != nil:
		f.failRead(err, "name: put the whole name in quotes, and write a quote in it twice")
		return false
	}
	line, column := f.place(0)
	if len(fields) != 2 || !strings.EqualFold(strings.TrimSpace(fields[0]), "date") || !strings.EqualFold(strings.TrimSpace(fields[1]), "name") {
		f.fail(line, column, want)
		return false
	}
	return true
}

// row reads the next row; false is the end, or a mistake after which nothing can be told apart.
func (f *closedFile) row() bool {
	fields, err := f.rows.Read()
	if errors.Is(err, io.EOF) {
		return false
	}
	if err != nil {
		f.failRead(err, "name: put the whole name in quotes, and write a quote in it twice")
		return false
	}
	line, column := f.place(0)
	if len(fields) != 2 {
		f.fail(line, column, "this row must have a date and a name, and nothing else; a name with a comma stands in quotes")
		return true
	}
	date, name := strings.TrimSpace(fields[0]), strings.TrimSpace(fields[1])
	if !f.checkDate(line, column, date) {
		return true
	}
	line, column = f.place(1)
	switch {
	case name == "":
		f.fail(line, column, "this day has no name: people who ask why they must wait are told it")
	case utf8.RuneCountInString(name) > 100 || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		f.fail(line, column, "this name must be one line of at most 100 characters")
	default:
		f.days = append(f.days, policy.ClosedDay{Date: date, Name: name})
	}
	return true
}

var dateOnly = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)

func (f *closedFile) checkDate(line, column int, date string) bool {
	const want = "a date such as 2026-08-10"
	_, err := time.Parse(time.DateOnly, date)
	switch first, twice := f.first[date]; {
	case err != nil && dateOnly.MatchString(date):
		f.fail(line, column, "there is no such date as %s", date)
	case err != nil:
		f.fail(line, column, "this must be %s, not %q", want, abridged(date))
	case twice:
		f.fail(line, column, "%s is written twice; the first is on line %d", date, first)
	default:
		f.first[date] = line
		return true
	}
	return false
}
