package imports

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// What keeps a part made to do harm from taking the memory or the day.
const (
	maxDepth = 64      // of elements inside each other
	maxToken = 4 << 20 // bytes of one element's tag or text
	// A sheet packs to a tenth or a thirtieth. What goes far beyond that is a bomb, if it is large at all.
	maxRatio      = 250
	ratioMeansAny = 64 << 20
)

// allowance is what the parts of a workbook may still unpack to, together.
type allowance struct{ left int64 }

// part reads the XML of one part, token by token. Its errors say what to do.
type part struct {
	name    string
	zipped  io.ReadCloser
	decoder *xml.Decoder
	limit   *limited
	depth   int
}

// openPart opens a part that may unpack to at most so many bytes.
func (w *workbook) openPart(name string, most int64) (*part, error) {
	file, ok := w.parts[name]
	switch {
	case !ok:
		return nil, damaged(name, errors.New("it is missing"))
	case file.Flags&1 != 0:
		return nil, errPassword
	case declaredTooBig(file, min(most, w.unpacked.left)):
		return nil, errTooBig
	}
	zipped, err := file.Open()
	if err != nil {
		return nil, damaged(name, err)
	}
	limit := &limited{in: zipped, left: most, all: w.unpacked}
	return &part{name: name, zipped: zipped, decoder: xml.NewDecoder(limit), limit: limit}, nil
}

func declaredTooBig(file *zip.File, most int64) bool {
	size := file.UncompressedSize64
	return size > uint64(most) || (size > ratioMeansAny && size/maxRatio > file.CompressedSize64)
}

func (p *part) close() { _ = p.zipped.Close() } // it was only read

// next returns the next token, without namespaces; io.EOF at the end of a whole part. What it returns is good until the
// next call.
func (p *part) next() (xml.Token, error) {
	p.limit.token = 0
	token, err := p.decoder.RawToken()
	switch {
	case errors.Is(err, errTooBig):
		return nil, errTooBig
	case errors.Is(err, io.EOF) && p.depth == 0:
		return nil, io.EOF
	case errors.Is(err, io.EOF):
		return nil, damaged(p.name, io.ErrUnexpectedEOF)
	case err != nil:
		return nil, damaged(p.name, err)
	}
	switch token.(type) {
	case xml.StartElement:
		p.depth++
	case xml.EndElement:
		p.depth--
	}
	if p.depth < 0 || p.depth > maxDepth {
		return nil, damaged(p.name, errors.New("its elements are not nested as in a workbook"))
	}
	return token, nil
}

// finish reads to the end of the part, whose checksum is behind it.
func (p *part) finish() error {
	for {
		if _, err := p.next(); err != nil {
			return err
		}
	}
}

// limited ends reading with errTooBig when a part, a token or all parts together unpack to too much.
type limited struct {
	in    io.Reader
	left  int64
	token int64 // bytes since the last token
	all   *allowance
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	l.left -= int64(n)
	l.all.left -= int64(n)
	if l.token += int64(n); l.left < 0 || l.all.left < 0 || l.token > maxToken {
		return 0, errTooBig
	}
	return n, err
}

// stringTable is the workbook's table of strings, one behind the other.
type stringTable struct {
	text []byte
	ends []uint32
}

func (t stringTable) at(i int) (string, bool) {
	if i < 0 || i >= len(t.ends) {
		return "", false
	}
	from := uint32(0)
	if i > 0 {
		from = t.ends[i-1]
	}
	return string(t.text[from:t.ends[i]]), true
}

// readStrings reads the table of strings. maxStrings keeps its ends within 32 bits.
func (w *workbook) readStrings(name string) error {
	in, err := w.openPart(name, maxStrings)
	if err != nil {
		return err
	}
	defer in.close()
	for {
		token, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if start, ok := token.(xml.StartElement); !ok || start.Name.Local != "si" {
			continue
		}
		text, err := in.text()
		if err != nil {
			return err
		}
		w.strings.text = append(w.strings.text, text...)
		w.strings.ends = append(w.strings.ends, uint32(len(w.strings.text)))
	}
}

// text returns the text of a string item whose start was read, up to its end: its runs together, without what tells how
// it is pronounced.
func (p *part) text() (string, error) {
	var out []byte
	until, spoken, inText := p.depth-1, 0, false
	for p.depth > until {
		token, err := p.next()
		if err != nil {
			return "", p.within(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "rPh" {
				spoken++
			}
			inText = token.Name.Local == "t" && spoken == 0
		case xml.EndElement:
			if token.Name.Local == "rPh" {
				spoken--
			}
			inText = false
		case xml.CharData:
			if inText {
				out = append(out, token...)
			}
		}
	}
	return unescaped(string(out)), nil
}

// within makes an end of the part inside an element an error.
func (p *part) within(err error) error {
	if errors.Is(err, io.EOF) {
		return damaged(p.name, io.ErrUnexpectedEOF)
	}
	return err
}

// unescaped resolves _xHHHH_, by which a workbook writes what XML cannot, and makes line ends those of all other files.
func unescaped(text string) string {
	if strings.Contains(text, "_x") {
		var out strings.Builder
		for len(text) > 0 {
			before, rest, found := strings.Cut(text, "_x")
			out.WriteString(before)
			if !found {
				break
			}
			if r, ok := escaped(rest); ok {
				out.WriteRune(r)
				text = rest[5:]
				continue
			}
			out.WriteString("_x")
			text = rest
		}
		text = out.String()
	}
	return strings.ReplaceAll(text, "\r\n", "\n")
}

// escaped reads HHHH_.
func escaped(text string) (rune, bool) {
	if len(text) < 5 || text[4] != '_' {
		return 0, false
	}
	var r rune
	for _, b := range []byte(text[:4]) {
		digit := strings.IndexByte("0123456789abcdef", b|0x20)
		if digit < 0 {
			return 0, false
		}
		r = r<<4 | rune(digit)
	}
	return r, utf8.ValidRune(r)
}
