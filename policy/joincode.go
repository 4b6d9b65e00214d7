package policy

import (
	"crypto/rand"
	"strings"
	"time"
)

// JoinCodeLife is how long after it was shown a code confirms what was asked for.
const JoinCodeLife = 24 * time.Hour

// joinLetters make hardly a word in any language: there is no vowel among them, and nothing that is taken for another.
const joinLetters = "23456789BCDFGHJKLMNPQRSTVWXZ"

// joinCodeHalf is how many letters stand before and behind the hyphen of a code.
const joinCodeHalf = 4

// NewJoinCode returns a code that a person sends from their own number to confirm what they asked for on a page, such as
// K7QF-2MXD. It is bound to the number that was typed, so that guessing one gains nothing; 28^8 of them do not meet in a day.
func NewJoinCode() string {
	for {
		if code := drawJoinCode(); !saysMore(code) {
			return code
		}
	}
}

// saysMore reports whether a code would be read as words too, as one with GDPR or RGPD in it.
func saysMore(code string) bool {
	return Keywords{}.Match(code).Action != MatchNone || Keywords{}.Match("JOIN "+code).Action != MatchNone
}

func drawJoinCode() string {
	raw := make([]byte, 2*joinCodeHalf)
	code := make([]byte, 0, len(raw)+1)
	for len(code) < cap(code) {
		_, _ = rand.Read(raw) // it never fails; it ends the program instead
		for _, b := range raw {
			if len(code) == joinCodeHalf {
				code = append(code, '-')
			}
			// The last few values of a byte would make the first letters likelier.
			if int(b) < 256/len(joinLetters)*len(joinLetters) && len(code) < cap(code) {
				code = append(code, joinLetters[int(b)%len(joinLetters)])
			}
		}
	}
	return string(code)
}

// JoinText is what a person is to send to confirm that they asked for a category: their word for it with the code, or the code alone
// where ordinary says that the category's id would be read as a stop.
func JoinText(category, code string, ordinary func(text string) bool) string {
	if text := "JOIN " + category + " " + code; ordinary == nil || ordinary(text) {
		return text
	}
	return "JOIN " + code
}

// FindJoinCode returns the code in a text that a person wrote, in the form of NewJoinCode; ok is false for every other text. The
// text may say more than the code. It looks at a text of usual length once, and allocates nothing unless there is a code.
func FindJoinCode(text string) (code string, ok bool) {
	const length = 2*joinCodeHalf + 1
	if len(text) > maxMessageBytes {
		return "", false
	}
	for from := 0; ; {
		at := strings.IndexByte(text[from:], '-')
		if at < 0 {
			return "", false
		}
		begin := from + at - joinCodeHalf
		from += at + 1
		if begin < 0 || begin+length > len(text) {
			continue
		}
		if found := text[begin : begin+length]; isJoinCode(found) && alone(text, begin, begin+length) {
			return strings.ToUpper(found), true
		}
	}
}

func isJoinCode(text string) bool {
	for i := range len(text) {
		if i == joinCodeHalf {
			continue
		}
		c := text[i]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if strings.IndexByte(joinLetters, c) < 0 {
			return false
		}
	}
	return true
}

// alone reports whether no Latin letter, digit or hyphen stands right before or behind a part of a text; marks of direction may.
func alone(text string, begin, end int) bool {
	joins := func(c byte) bool {
		return c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
	}
	return (begin == 0 || !joins(text[begin-1])) && (end == len(text) || !joins(text[end]))
}
