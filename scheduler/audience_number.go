package scheduler

import (
	"cmp"
	"strconv"
	"strings"
)

// Decimal is a number as it was written, of any length; two of them compare digit by digit, and nothing is rounded, so that
// every database answers alike. The zero value is zero.
type Decimal struct {
	Negative bool   // never of zero
	Whole    string // digits without zeros before them, "" below one
	Fraction string // digits without zeros after them, "" of a whole number
}

// readDecimal reads digits with an optional sign and an optional fraction after a point: no exponent, no separator, no Inf.
func readDecimal(text string) (d Decimal, ok bool) {
	digits := text
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		digits = digits[1:]
	}
	whole, fraction, pointed := strings.Cut(digits, ".")
	if !isDigits(whole) || (pointed && !isDigits(fraction)) {
		return Decimal{}, false
	}
	d = Decimal{Whole: strings.TrimLeft(whole, "0"), Fraction: strings.TrimRight(fraction, "0")}
	d.Negative = text[0] == '-' && !d.isZero()
	return d, true
}

func (d Decimal) isZero() bool { return d.Whole == "" && d.Fraction == "" }

// Compare returns -1, 0 or 1: d below, equal to or above e.
func (d Decimal) Compare(e Decimal) int {
	switch {
	case d.Negative && e.Negative:
		return e.magnitude(d)
	case d.Negative:
		return -1
	case e.Negative:
		return 1
	}
	return d.magnitude(e)
}

func (d Decimal) magnitude(e Decimal) int {
	return cmp.Or(cmp.Compare(len(d.Whole), len(e.Whole)), strings.Compare(d.Whole, e.Whole), strings.Compare(d.Fraction, e.Fraction))
}

// String prints the number so that a filter reads the same one: it takes a whole number beyond 64 bits only with a fraction.
func (d Decimal) String() string {
	text := cmp.Or(d.Whole, "0")
	if d.Negative {
		text = "-" + text
	}
	if d.Fraction != "" {
		return text + "." + d.Fraction
	}
	if _, err := strconv.ParseInt(text, 10, 64); err != nil {
		return text + ".0"
	}
	return text
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}
