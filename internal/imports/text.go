package imports

import (
	"bufio"
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// noText stands for what has no meaning in the file's encoding: a byte that no UTF-8 has, so that its row is rejected
// and nothing is guessed.
const noText = 0xff

// textReader reads a file's text as UTF-8, whatever its encoding.
type textReader struct {
	in       *bufio.Reader
	encoding string
	settled  bool   // false while only ASCII was met
	decoded  []byte // not yet read
	buffer   []byte
}

// Read implements io.Reader.
func (t *textReader) Read(p []byte) (int, error) {
	for {
		switch {
		case !t.settled:
			n, err := t.readASCII(p)
			if n > 0 || err != nil {
				return n, err
			}
		case t.encoding == encodingUTF8:
			return t.in.Read(p)
		case len(t.decoded) > 0:
			n := copy(p, t.decoded)
			t.decoded = t.decoded[n:]
			return n, nil
		default:
			if err := t.decode(); err != nil {
				return 0, err
			}
		}
	}
}

// readASCII reads up to the first byte beyond ASCII. If that comes first it settles the encoding and reads nothing.
func (t *textReader) readASCII(p []byte) (int, error) {
	if _, err := t.in.Peek(1); err != nil || len(p) == 0 {
		return 0, err
	}
	next, err := t.in.Peek(min(t.in.Buffered(), len(p)))
	if err != nil {
		return 0, err
	}
	end := firstForeign(next)
	if end == 0 {
		sample, err := t.in.Peek(sampleSize)
		t.encoding, t.settled = eightBit(sample, errors.Is(err, io.EOF)), true
		return 0, nil
	}
	copy(p, next[:end])
	return t.in.Discard(end)
}

// decode fills decoded with the next part of the file.
func (t *textReader) decode() error {
	const most = 16 << 10
	out := t.buffer[:0]
	var err error
	for err == nil && len(out) < most {
		switch t.encoding {
		case encodingWindows1252:
			var b byte
			if b, err = t.in.ReadByte(); err == nil {
				out = appendWindows1252(out, b)
			}
		default:
			out, err = t.appendUTF16(out)
		}
	}
	t.buffer, t.decoded = out, out
	if len(out) > 0 {
		return nil // an error comes again
	}
	return err
}

func appendWindows1252(out []byte, b byte) []byte {
	if b < utf8.RuneSelf {
		return append(out, b)
	}
	if r := charmap.Windows1252.DecodeByte(b); r != utf8.RuneError {
		return utf8.AppendRune(out, r)
	}
	return append(out, noText)
}

// appendUTF16 decodes one character.
func (t *textReader) appendUTF16(out []byte) ([]byte, error) {
	pair, err := t.in.Peek(4)
	switch {
	case len(pair) == 0:
		return out, err
	case len(pair) == 1:
		_, err = t.in.Discard(1)
		return append(out, noText), err
	case len(pair) < 4 && !errors.Is(err, io.EOF):
		return out, err
	}
	size, r := 2, rune(t.unit(pair))
	if utf16.IsSurrogate(r) {
		if len(pair) < 4 {
			r = utf8.RuneError
		} else if r = utf16.DecodeRune(r, rune(t.unit(pair[2:]))); r != utf8.RuneError {
			size = 4
		}
		if r == utf8.RuneError {
			_, err = t.in.Discard(2)
			return append(out, noText), err
		}
	}
	_, err = t.in.Discard(size)
	return utf8.AppendRune(out, r), err
}

func (t *textReader) unit(b []byte) uint16 {
	if t.encoding == encodingUTF16BE {
		return uint16(b[0])<<8 | uint16(b[1])
	}
	return uint16(b[1])<<8 | uint16(b[0])
}

// oldMacLines reads a text whose lines end with a carriage return alone as if they ended with \n.
type oldMacLines struct{ in io.Reader }

// Read implements io.Reader.
func (o oldMacLines) Read(p []byte) (int, error) {
	n, err := o.in.Read(p)
	for i := range p[:n] {
		if p[i] == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}

// counter counts what is read through it.
type counter struct {
	in io.Reader
	n  int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}
