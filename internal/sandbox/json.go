package sandbox

import (
	"bytes"
	"encoding/json"
	"unicode/utf16"
	"unicode/utf8"
)

// value is one JSON value inside a body that json.Valid has accepted, without
// surrounding space. Walking it in place keeps a POST at a few allocations, and
// keys are compared exactly: encoding/json would forgive a misspelt case that
// Meta refuses.
type value []byte

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// stringEnd returns the index after the string that opens at b[i].
func stringEnd(b []byte, i int) int {
	j := i + 1
	for {
		j += bytes.IndexByte(b[j:], '"')
		slashes := 0
		for b[j-1-slashes] == '\\' {
			slashes++
		}
		j++
		if slashes%2 == 0 {
			return j
		}
	}
}

// valueEnd returns the index after the value that starts at b[i].
func valueEnd(b []byte, i int) int {
	switch b[i] {
	case '"':
		return stringEnd(b, i)
	case '{', '[':
		depth := 0
		for {
			switch b[i] {
			case '"':
				i = stringEnd(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			i++
			if depth == 0 {
				return i
			}
		}
	}
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	return i
}

// present reports whether the value was there and not null.
func (v value) present() bool { return len(v) > 0 && v[0] != 'n' }

func (v value) isObject() bool { return len(v) > 0 && v[0] == '{' }
func (v value) isArray() bool  { return len(v) > 0 && v[0] == '[' }

// members calls f for every member of an object, in order.
func (v value) members(f func(key []byte, member value) *fault) *fault {
	i := skipSpace(v, 1)
	for v[i] != '}' {
		end := stringEnd(v, i)
		key, _ := value(v[i:end]).text()
		i = skipSpace(v, end)
		i = skipSpace(v, i+1)
		end = valueEnd(v, i)
		if err := f(key, v[i:end]); err != nil {
			return err
		}
		i = skipSpace(v, end)
		if v[i] == ',' {
			i = skipSpace(v, i+1)
		}
	}
	return nil
}

// elements calls f for every element of an array, in order.
func (v value) elements(f func(at int, element value) *fault) *fault {
	i := skipSpace(v, 1)
	for at := 0; v[i] != ']'; at++ {
		end := valueEnd(v, i)
		if err := f(at, v[i:end]); err != nil {
			return err
		}
		i = skipSpace(v, end)
		if v[i] == ',' {
			i = skipSpace(v, i+1)
		}
	}
	return nil
}

// text returns the content of a string; false when the value is not a string.
func (v value) text() ([]byte, bool) {
	if len(v) < 2 || v[0] != '"' {
		return nil, false
	}
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		return nil, false
	}
	return []byte(s), true
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string the way Meta's webhooks write it:
// plain ASCII, everything else as \uXXXX, and the slash escaped (graph-api.md
// §4.2). A receiver that parses and encodes again before checking the
// signature then computes another digest.
func appendString[T string | []byte](b []byte, s T) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' && c != '/' && c != 0x7f {
			b = append(b, c)
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = appendASCIIEscape(b, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		i += size
		if r > 0xffff {
			high, low := utf16.EncodeRune(r)
			b = appendUnit(appendUnit(b, high), low)
			continue
		}
		b = appendUnit(b, r)
	}
	return append(b, '"')
}

func appendASCIIEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\', '/':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return appendUnit(b, rune(c))
}

func appendUnit(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
