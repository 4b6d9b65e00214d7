package imports

import (
	"strings"
	"unicode/utf8"
)

// Guard returns a cell that a spreadsheet leaves as it is: one that begins with = + - @, in ASCII or full-width, tab,
// carriage return or NUL, which it would run as a formula, gets an apostrophe in front. So does what it would take for a
// number and write as another: +393471234567 comes back as 3.93E+11, 00123 as 123, 12E4 as 120000. A cell that already
// looks guarded is guarded once more, so that Unguard(Guard(s)) is s for every s.
//
// Source: OWASP ASVS 5.0, 1.2.10, for what begins a formula.
func Guard(s string) string {
	if text := strings.TrimLeft(s, "'"); startsFormula(text) || losesDigits(text) {
		return "'" + s
	}
	return s
}

// Unguard takes off the apostrophe that Guard, or a spreadsheet's user, put in front.
func Unguard(s string) string {
	if len(s) < 2 || s[0] != '\'' {
		return s
	}
	if text := strings.TrimLeft(s, "'"); startsFormula(text) || losesDigits(text) {
		return s[1:]
	}
	return s
}

func startsFormula(s string) bool {
	if s == "" {
		return false
	}
	if s[0] < utf8.RuneSelf {
		return strings.IndexByte("=+-@\t\r\x00", s[0]) >= 0
	}
	for _, wide := range []string{"\uff1d", "\uff0b", "\uff0d", "\uff20"} {
		if strings.HasPrefix(s, wide) {
			return true
		}
	}
	return false
}

// shownDigits is how many digits of a number a spreadsheet shows without an exponent.
const shownDigits = 11

// losesDigits reports whether a spreadsheet shows digits as another number than they are.
func losesDigits(s string) bool {
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(s), "e")
	switch {
	case !digitsAlone(mantissa):
		return false
	case scientific:
		return digitsAlone(exponent)
	}
	return len(s) > shownDigits || (s[0] == '0' && len(s) > 1)
}

func digitsAlone(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
