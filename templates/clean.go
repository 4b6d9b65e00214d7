package templates

import (
	"unicode"
	"unicode/utf8"
)

// maxSpaces is how many spaces may follow each other in a parameter; a fifth is 132018, as are a newline and a tab
// (Meta, "Cloud API error codes", read 2026-09-11).
const maxSpaces = 4

// clean makes a value fit to be a parameter: newlines, tabs and other control characters become one space, spaces
// beyond four in a row are dropped, both ends are trimmed. A value in which nothing can be seen becomes "".
// A clean value is returned as it is, without an allocation.
func clean(s string) string {
	spaces, visible, dirty := 0, false, false
	for i := 0; i < len(s); {
		if c := s[i]; c > ' ' && c < 0x7f {
			spaces, visible = 0, true
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1, breaks(r):
			dirty = true
		case unicode.IsSpace(r):
			if spaces++; spaces > maxSpaces || i == 0 || i+n == len(s) {
				dirty = true
			}
		default:
			spaces = 0
			visible = visible || !unicode.Is(unicode.Cf, r)
		}
		if dirty {
			return rewrite(s)
		}
		i += n
	}
	if !visible {
		return ""
	}
	return s
}

func rewrite(s string) string {
	out := make([]byte, 0, len(s))
	spaces, end, visible, broken := 0, 0, false, false
	for _, r := range s {
		isBreak := breaks(r)
		if isBreak || unicode.IsSpace(r) {
			if isBreak && broken {
				continue
			}
			broken = isBreak
			if isBreak {
				r = ' '
			}
			if spaces++; spaces <= maxSpaces && end > 0 {
				out = utf8.AppendRune(out, r)
			}
			continue
		}
		spaces, broken = 0, false
		visible = visible || !unicode.Is(unicode.Cf, r)
		out = utf8.AppendRune(out, r)
		end = len(out)
	}
	if !visible {
		return ""
	}
	return string(out[:end])
}

// breaks reports characters that Meta's check, or a JSON reader on the way, may take for a line's end.
func breaks(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// appendQuoted appends s as a JSON string. Broken UTF-8 becomes U+FFFD, as in encoding/json.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += n
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[from:i]...)
		if c == '"' || c == '\\' {
			dst = append(dst, '\\', c)
		} else {
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}
