package imports

import (
	"strings"
	"unicode/utf8"
)

// Guard returns a cell that no spreadsheet runs as a formula or takes for a number: one that begins with = + - @, in
// ASCII or full-width, tab, carriage return or NUL gets an apostrophe in front. So does a phone number: without it a
// spreadsheet shows +393471234567 as 3.93E+11, and saves that. A cell that already looks guarded is guarded once more, so
// that Unguard(Guard(s)) is s for every s.
//
// Source: OWASP ASVS 5.0, 1.2.10.
func Guard(s string) string {
	if !startsFormula(strings.TrimLeft(s, "'")) {
		return s
	}
	return "'" + s
}

// Unguard takes off the apostrophe that Guard, or a spreadsheet's user, put in front of what looks like a formula.
func Unguard(s string) string {
	if len(s) > 1 && s[0] == '\'' && startsFormula(strings.TrimLeft(s, "'")) {
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
