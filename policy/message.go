package policy

import "bytes"

// message is a folded text cut into words, of which those from first up to last count.
type message struct {
	text        []byte
	start, end  [maxMessageWords]uint16
	ended       [maxMessageWords]bool // a clause ended before the word
	first, last int
}

// read cuts a folded text into words, with hard separators turned soft; more is true when there are too many, of which it
// keeps the first.
func read(folded []byte) (m message, more bool) {
	m.text = folded
	at, ended := 0, false
	for i := 0; i <= len(folded); i++ {
		if i < len(folded) && folded[i] != soft && folded[i] != hard {
			continue
		}
		if i > at {
			if m.last == maxMessageWords {
				return m, true
			}
			m.start[m.last], m.end[m.last], m.ended[m.last] = uint16(at), uint16(i), ended
			m.last++
		}
		if i < len(folded) {
			ended = folded[i] == hard
			folded[i] = soft
		}
		at = i + 1
	}
	return m, false
}

// short cuts a folded text at the end of a word, when it is too long to read.
func short(folded []byte) (kept []byte, cut bool) {
	if len(folded) <= maxFoldedBytes {
		return folded, false
	}
	kept = folded[:maxFoldedBytes]
	if end := bytes.LastIndexAny(kept, " \n"); end > 0 {
		kept = kept[:end]
	}
	return kept, true
}

func (m *message) count() int { return m.last - m.first }

func (m *message) all() []byte { return m.words(m.first, m.last) }

func (m *message) words(from, to int) []byte { return m.text[m.start[from]:m.end[to-1]] }
