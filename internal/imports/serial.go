package imports

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// format is how a style shows a number.
type format uint8

const (
	asNumber format = iota
	asDate
	asTime // a time of day alone
)

// formatOfID returns how the formats are shown that a workbook does not write out.
//
// Source: ECMA-376, part 1, 18.8.30, with the formats that East Asian editions add.
func formatOfID(id string) format {
	n, err := strconv.Atoi(id)
	switch {
	case err != nil:
		return asNumber
	case n >= 14 && n <= 17, n == 22, n >= 27 && n <= 31, n == 36, n >= 50 && n <= 54, n == 57, n == 58:
		return asDate
	case n >= 18 && n <= 21, n >= 32 && n <= 35, n == 45, n == 47, n == 55, n == 56:
		return asTime
	}
	return asNumber
}

// formatOfCode returns how a format code shows a number: by the letters of dates and times that stand in its first
// section and are no literal text.
func formatOfCode(code string) format {
	date, clock := false, false
	for i := 0; i < len(code); i++ {
		switch code[i] {
		case ';':
			i = len(code)
		case '\\', '_', '*':
			i++ // the next character is shown, or filled with, as it is
		case '"':
			i += 1 + skipTo(code[i+1:], '"')
		case '[':
			inside := code[i+1:]
			end := skipTo(inside, ']')
			if end > 0 && strings.Trim(strings.ToLower(inside[:end]), "hms") == "" {
				return asNumber // a span of time: 26:30 is no time of day
			}
			i += 1 + end
		case 'y', 'Y', 'd', 'D':
			date = true
		case 'h', 'H', 's', 'S':
			clock = true
		case 'm', 'M':
			// Months, unless hours or seconds are there too: then the day decides.
			date = date || !strings.ContainsAny(code, "hHsS")
		case 'G', 'g':
			if strings.HasPrefix(strings.ToLower(code[i:]), "general") {
				i += len("general") - 1
			}
		}
	}
	switch {
	case date:
		return asDate
	case clock:
		return asTime
	}
	return asNumber
}

// skipTo returns how many bytes come before the end mark, all when there is none.
func skipTo(text string, end byte) int {
	if at := strings.IndexByte(text, end); at >= 0 {
		return at
	}
	return len(text)
}

// dateSystem is the day that a workbook counts from.
type dateSystem uint8

const (
	system1900 dateSystem = iota
	system1904
)

// moment returns the wall-clock time of a day number, to the second, in UTC. It is false for what is no day: below zero,
// beyond 9999, and 29 February 1900, which only spreadsheets had.
func (s dateSystem) moment(serial float64) (time.Time, bool) {
	if math.IsNaN(serial) || serial < 0 || serial >= 2958466 {
		return time.Time{}, false
	}
	day := math.Floor(serial)
	seconds := math.Round((serial - day) * 86400)
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case s == system1904:
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case day == 60 || day == 0:
		return time.Time{}, false
	case day < 60:
		epoch = epoch.AddDate(0, 0, 1)
	}
	at := epoch.AddDate(0, 0, int(day)).Add(time.Duration(seconds) * time.Second)
	return at, at.Year() < 10000
}

// written is a number as a workbook keeps it.
type written struct {
	value float64
	whole string // its digits, when it is whole and none are lost; "" else
	lost  bool   // whole, and of more digits than are known
}

// keptDigits is how many digits a spreadsheet keeps of a number.
const keptDigits = 15

// readNumber reads a number of a workbook. 3.93471E+11 is one whose digits were cut off, by whatever wrote it:
// an exponent must not make zeros of them.
func readNumber(text string) (written, bool) {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(value, 0) || math.IsNaN(value) || strings.ContainsAny(text, "xXpP_") {
		return written{}, false
	}
	// Sums leave dirt in the 17th digit, which no spreadsheet shows.
	if rounded, err := strconv.ParseFloat(strconv.FormatFloat(value, 'g', keptDigits, 64), 64); err == nil && value != math.Trunc(value) {
		value = rounded
	}
	n := written{value: value}
	if value != math.Trunc(value) {
		return n, true
	}
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(text), "e")
	_, fraction, _ := strings.Cut(mantissa, ".")
	if power, err := strconv.Atoi(exponent); scientific && err == nil && value != 0 {
		n.lost = power > len(fraction)
	}
	if n.lost = n.lost || math.Abs(value) >= 1e15; !n.lost {
		n.whole = strconv.FormatFloat(value, 'f', 0, 64)
	}
	return n, true
}

// text returns the number without an exponent.
func (n written) text() string { return strconv.FormatFloat(n.value, 'f', -1, 64) }
