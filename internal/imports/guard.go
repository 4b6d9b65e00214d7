package imports

import "strings"

// Guard returns a cell that no spreadsheet runs as a formula: one that begins with = + - @, tab, carriage return or
// NUL gets an apostrophe in front, save a phone number in E.164, which must survive as it is. A cell that already
// looks guarded is guarded once more, so that Unguard(Guard(s)) is s for every s.
//
// Source: OWASP ASVS 5.0, 1.2.10.
func Guard(s string) string {
	if !startsFormula(strings.TrimLeft(s, "'")) || isPhone(s) {
		return s
	}
	return "'" + s
}

// Unguard takes off the apostrophe that Guard, or a spreadsheet's user, put in front of what looks like a formula.
func Unguard(s string) string {
	if strings.HasPrefix(s, "'") && startsFormula(strings.TrimLeft(s, "'")) {
		return s[1:]
	}
	return s
}

func startsFormula(s string) bool { return s != "" && strings.IndexByte("=+-@\t\r\x00", s[0]) >= 0 }

// isPhone reports whether s matches ^\+[0-9]{7,15}$.
func isPhone(s string) bool {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' {
		return false
	}
	return strings.Trim(s[1:], "0123456789") == ""
}
