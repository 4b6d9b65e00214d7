// Package phone owns telephone numbers: how they are read, which forms belong to one person, where
// they are in the world, and that logs never show them whole.
package phone

import (
	"log/slog"
	"net/url"
	"strings"

	// Zone names must load in images that have no zone files of their own.
	_ "time/tzdata"
)

// A number in E.164 has 1 to 15 digits; no subscriber anywhere is reached with fewer than 7.
const (
	minDigits = 7
	maxDigits = 15
)

// Number is a telephone number in E.164 with its plus sign, "+393471234567". The zero value is no
// number. Numbers are compared through Canonical; they are made by Parse and FromWhatsApp.
//
// A Number that is an attribute of its own masks itself in slog. One inside a slice or a struct that
// is logged as a whole does not: slog resolves the outer value only.
type Number string

// String returns the full number. It is for output and storage, never for a log line.
func (n Number) String() string { return string(n) }

// Chat is the link that opens a chat with the number in which a text is written, to be sent or not (WhatsApp's help page "How to use
// click to chat", read 2026-09-11).
func (n Number) Chat(text string) string {
	return "https://wa.me/" + strings.TrimPrefix(string(n), "+") + "?text=" + url.PathEscape(text)
}

// Masked returns the calling code, seven dots whatever the length, and the last two digits:
// "+39•••••••67". The zero Number gives ""; anything that is not E.164 gives dots alone.
func (n Number) Masked() string {
	const dots = "•••••••"
	if n == "" {
		return ""
	}
	if !n.wellFormed() {
		return dots
	}
	return string(n[:1+callingCodeLength(string(n[1:]))]) + dots + string(n[len(n)-2:])
}

// LogValue implements slog.LogValuer with the masked form.
func (n Number) LogValue() slog.Value { return slog.StringValue(n.Masked()) }

// wellFormed reports whether n matches ^\+[1-9][0-9]{6,14}$.
func (n Number) wellFormed() bool {
	return len(n) > 1 && n[0] == '+' && allDigits(string(n[1:]))
}

// allDigits reports whether s is the digits of an E.164 number: 7 to 15, the first not zero.
func allDigits(s string) bool {
	if len(s) < minDigits || len(s) > maxDigits || s[0] == '0' {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// callingCodeLength returns how many leading digits are the country calling code. The list of ITU-T
// E.164 is prefix-free, so two digits always tell: zones 1 and 7 have one digit, the codes named here
// have two, all others three.
func callingCodeLength(digits string) int {
	if len(digits) < 3 {
		return len(digits)
	}
	switch digits[0] {
	case '1', '7':
		return 1
	}
	switch digits[:2] {
	case "20", "27",
		"30", "31", "32", "33", "34", "36", "39",
		"40", "41", "43", "44", "45", "46", "47", "48", "49",
		"51", "52", "53", "54", "55", "56", "57", "58",
		"60", "61", "62", "63", "64", "65", "66",
		"81", "82", "84", "86",
		"90", "91", "92", "93", "94", "95", "98":
		return 2
	}
	return 3
}
