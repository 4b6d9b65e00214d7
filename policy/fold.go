package policy

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	soft = ' '  // between words
	hard = '\n' // between words, where a sentence or a clause ends
)

// fold appends text to dst as words without case, accents, punctuation, emoji, markdown and invisible characters,
// separated by soft or hard. Words and messages go through it alike, and folding twice changes nothing.
//
// Accents are U+0300–036F and the points of Arabic and Hebrew; the marks of other scripts are part of their letters.
func fold(dst []byte, text string) []byte {
	start := len(dst)
	gap := byte(0)
	for i := range len(text) {
		c := text[i]
		if c >= utf8.RuneSelf {
			return foldUnicode(dst[:start], text)
		}
		dst, gap = foldASCII(dst, start, gap, c)
	}
	return dst
}

// foldASCII appends one ASCII character; gap is the separator that is due before the next word.
func foldASCII(dst []byte, start int, gap, c byte) (folded []byte, next byte) {
	switch {
	case 'A' <= c && c <= 'Z':
		return append(separate(dst, start, gap), c+'a'-'A'), 0
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return append(separate(dst, start, gap), c), 0
	case c == '\'' || c == '`':
		return dst, gap // don't and dont are one word
	case c == '.' || c == ',' || c == ';' || c == ':' || c == '!' || c == '?' || c == '\n' || c == '\r':
		return dst, hard
	case gap == hard:
		return dst, hard // it outlasts the blanks after it
	}
	return dst, soft
}

func separate(dst []byte, start int, gap byte) []byte {
	if gap != 0 && len(dst) > start {
		return append(dst, gap)
	}
	return dst
}

func foldUnicode(dst []byte, text string) []byte {
	start := len(dst)
	gap := byte(0)
	for _, r := range norm.NFKD.String(text) {
		r = unboxed(r)
		switch {
		case r < utf8.RuneSelf:
			dst, gap = foldASCII(dst, start, gap, byte(r))
		case unseen(r):
		case unicode.IsLetter(r), unicode.IsNumber(r), unicode.In(r, unicode.Mn, unicode.Mc):
			dst, gap = separate(dst, start, gap), 0
			dst = appendFolded(dst, r)
		case clauseEnd(r):
			gap = hard
		case gap == 0:
			gap = soft
		}
	}
	return dst
}

// unseen reports whether a character says nothing that a stop word depends on.
func unseen(r rune) bool {
	switch {
	case 0x0300 <= r && r <= 0x036F: // combining accents
	case 0x064B <= r && r <= 0x065F, r == 0x0670, 0x0610 <= r && r <= 0x061A, 0x06D6 <= r && r <= 0x06DC, 0x06DF <= r && r <= 0x06E8, 0x06EA <= r && r <= 0x06ED: // harakat
	case r == 0x0640: // tatweel
	case 0x0591 <= r && r <= 0x05C7 && r != 0x05BE && r != 0x05C0 && r != 0x05C3 && r != 0x05C6: // Hebrew points
	case 0x1AB0 <= r && r <= 0x1AFF, 0x1DC0 <= r && r <= 0x1DFF, 0x20D0 <= r && r <= 0x20FF, 0xFE20 <= r && r <= 0xFE2F: // combining marks of other blocks
	case 0xFE00 <= r && r <= 0xFE0F, 0xE0100 <= r && r <= 0xE01EF: // variation selectors
	case r == 0x115F, r == 0x1160, r == 0x3164, r == 0xFFA0: // Hangul fillers
	case r == '’', r == '‘', r == 'ʼ', r == 'ʹ', r == '′': // apostrophes
	default:
		return unicode.In(r, unicode.Cf, unicode.Me)
	}
	return true
}

// unboxed returns the Latin letter inside a negative circle or square, which Unicode does not decompose.
func unboxed(r rune) rune {
	switch {
	case 0x1F150 <= r && r <= 0x1F169:
		return 'a' + r - 0x1F150
	case 0x1F170 <= r && r <= 0x1F189:
		return 'a' + r - 0x1F170
	}
	return r
}

// unflagged returns the text with regional indicators, two of which are a flag, as letters.
func unflagged(text string) string {
	return strings.Map(func(r rune) rune {
		if 0x1F1E6 <= r && r <= 0x1F1FF {
			return 'a' + r - 0x1F1E6
		}
		return r
	}, text)
}

// unleet returns the text with signs that are drawn like letters as those.
func unleet(text string) string {
	return strings.NewReplacer("$", "s", "@", "a", "€", "e", "!", "i", "|", "l").Replace(text)
}

func clauseEnd(r rune) bool {
	switch r {
	case '…', '¡', '¿', '؟', '،', '؛', '。', '、', '।', '–', '—', '\u2028', '\u2029', '\u0085':
		return true
	}
	return false
}

// appendFolded appends one letter without case. The alefs, ya and ta marbuta of Arabic are written one for another.
func appendFolded(dst []byte, r rune) []byte {
	switch r {
	case 'ß', 'ẞ':
		return append(dst, "ss"...)
	case 'ٱ':
		r = 'ا'
	case 'ى', 'ی':
		r = 'ي'
	case 'ک':
		r = 'ك'
	case 'ة':
		r = 'ه'
	case 'ł', 'Ł':
		r = 'l'
	case 'ø', 'Ø':
		r = 'o'
	case 'đ', 'Đ':
		r = 'd'
	default:
		r = unicode.ToLower(unicode.ToUpper(r))
	}
	return utf8.AppendRune(dst, r)
}

// latin appends folded text with the letters and digits that look like Latin ones written as those; other is false when
// there are none (a small part of Unicode UTS #39, Latin targets only).
func latin(dst, folded []byte) (out []byte, other bool) {
	for len(folded) > 0 {
		r, size := utf8.DecodeRune(folded)
		folded = folded[size:]
		if like := lookalike(r); like != r {
			r, other = like, true
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, other
}

// lookalike returns the Latin letter that a folded Cyrillic, Greek or small capital letter, or a digit, is drawn like.
func lookalike(r rune) rune {
	switch r {
	case 'а', 'α', 'ᴀ', '4':
		return 'a'
	case 'в', 'β', 'ʙ':
		return 'b'
	case 'с', 'ᴄ':
		return 'c'
	case 'ᴅ':
		return 'd'
	case 'е', 'ε', 'ᴇ', '3':
		return 'e'
	case 'ꜰ':
		return 'f'
	case 'ɢ':
		return 'g'
	case 'һ', 'ʜ':
		return 'h'
	case 'і', 'ι', 'ɪ', '1':
		return 'i'
	case 'ј', 'ᴊ':
		return 'j'
	case 'к', 'κ', 'ᴋ':
		return 'k'
	case 'ʟ':
		return 'l'
	case 'м', 'ᴍ':
		return 'm'
	case 'н', 'η', 'ɴ':
		return 'n'
	case 'о', 'ο', 'ᴏ', '0', 'ꓳ', 'օ', 'ჿ', 'ⲟ':
		return 'o'
	case 'р', 'ρ', 'ᴘ', 'ꓑ', 'ꮲ', 'ք':
		return 'p'
	case 'ԛ':
		return 'q'
	case 'ʀ':
		return 'r'
	case 'ѕ', 'ꜱ', '5', 'ꓢ', 'տ', 'ꮪ':
		return 's'
	case 'т', 'τ', 'ᴛ', '7', 'ꓔ', 'ꭲ', '†':
		return 't'
	case 'υ', 'ᴜ':
		return 'u'
	case 'ѵ', 'ν', 'ᴠ':
		return 'v'
	case 'ԝ', 'ᴡ':
		return 'w'
	case 'х', 'χ':
		return 'x'
	case 'у', 'ʏ':
		return 'y'
	case 'ᴢ':
		return 'z'
	}
	return r
}

// spelled appends a word that was spelled out letter by letter; ok is false when the text is anything else.
func spelled(dst, folded []byte) (out []byte, ok bool) {
	letters := 0
	for len(folded) > 0 {
		_, size := utf8.DecodeRune(folded)
		if len(folded) > size && folded[size] != soft {
			return dst, false
		}
		dst = append(dst, folded[:size]...)
		folded = bytes.TrimPrefix(folded[size:], []byte{soft})
		letters++
	}
	return dst, letters > 2
}

// calm appends the text with every letter that is written three times or more in a row written once.
func calm(dst, folded []byte) (out []byte, excited bool) {
	for len(folded) > 0 {
		_, size := utf8.DecodeRune(folded)
		run := size
		for bytes.HasPrefix(folded[run:], folded[:size]) {
			run += size
		}
		if run < 3*size {
			dst = append(dst, folded[:run]...)
		} else {
			dst, excited = append(dst, folded[:size]...), true
		}
		folded = folded[run:]
	}
	return dst, excited
}
