package phone

import "unicode"

// kind is what a character means inside a written number.
type kind uint8

const (
	kindOther kind = iota
	kindDigit
	kindPlus
	kindSeparator // spaces, dashes, dots, slashes, brackets
	kindInvisible // zero-width characters and marks that leave the reading order alone
	kindDirection // controls that make the number read in another order than it is stored
	kindLetter
	kindHash // what dialling calls an extension or a service code
	kindList // what stands between two numbers
)

// classify returns the kind of r and, for a digit of any script, its ASCII form.
func classify(r rune) (kind, byte) {
	switch {
	case r >= '0' && r <= '9':
		return kindDigit, byte(r)
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
		return kindLetter, 0
	}
	switch r {
	case '+', '\uff0b', '\ufe62', '\u207a':
		return kindPlus, 0
	case ' ', '\t', '-', '.', '/', '(', ')', '[', ']',
		'\u2010', '\u2011', '\u2012', '\u2013', '\u2014', '\u2015', '\u2212', '\u30fc', '\uff0d',
		'\u00b7', '\uff0e', '\uff0f', '\uff08', '\uff09':
		return kindSeparator, 0
	case '\u00ad', '\u180e', '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff',
		// Left-to-right wrappers and plain marks come with every number copied from a phone's
		// address book; digits keep their order under them.
		'\u061c', '\u200e', '\u200f', '\u202a', '\u202c', '\u2066', '\u2068', '\u2069':
		return kindInvisible, 0
	case '\u202b', '\u202d', '\u202e', '\u2067':
		return kindDirection, 0
	case '#', '*', '\uff03', '\uff0a':
		return kindHash, 0
	case ',', ';', '|', '&', '\n', '\r', '\u061b', '\u060c', '\uff0c', '\uff1b', '\u2028', '\u2029':
		return kindList, 0
	}
	if r < 0x80 {
		return kindOther, 0
	}
	if digit, ok := foreignDigit(r); ok {
		return kindDigit, digit
	}
	switch {
	case unicode.IsLetter(r):
		return kindLetter, 0
	case unicode.Is(unicode.Zs, r):
		return kindSeparator, 0
	}
	return kindOther, 0
}

// foreignDigit returns the ASCII form of a decimal digit of another script (Arabic-Indic, full-width, …).
// Unicode lists those in runs of ten that begin with zero, so the place in the run is the value.
func foreignDigit(r rune) (byte, bool) {
	for _, run := range unicode.Nd.R16 {
		if rune(run.Lo) <= r && r <= rune(run.Hi) {
			return '0' + byte((r-rune(run.Lo))%10), true
		}
	}
	for _, run := range unicode.Nd.R32 {
		if rune(run.Lo) <= r && r <= rune(run.Hi) {
			return '0' + byte((r-rune(run.Lo))%10), true
		}
	}
	return 0, false
}
