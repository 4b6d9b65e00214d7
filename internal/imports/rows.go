package imports

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const (
	maxRow = 1 << 20 // bytes; a quote that is never closed must not pull the whole file into memory
	// maxShown is how much of an unreadable row goes into the file of rejected rows.
	maxShown = 64 << 10
)

// row is one row of the file: its cells, or why it has none.
type row struct {
	line   int
	cells  []string
	broken string // the reason, when the row cannot be split into cells
	raw    string // the row as it stands, when broken
	cutOff bool   // the file ends right behind it, without a line break
	// fault is what is wrong with a cell of a workbook, where cells are more than text.
	fault  *Rejection
	doubts note
}

// rowReader splits CSV into rows by the rules of encoding/csv without LazyQuotes. It is not encoding/csv because that
// loses, after a quote that is never closed, all rows up to the next quote or the end of the file; this one rejects
// the row with the quote and takes up reading with the first later line that has enough separators to be a row.
type rowReader struct {
	in      *bufio.Reader
	comma   byte
	columns int // of the header; 0 before it is read
	line    int // lines consumed

	// Lines that belonged to a broken row and are read again come first.
	again   []byte
	againAt int

	raw      []byte // the row's lines, each with \n at its end, whatever the file has
	starts   []int  // where each begins
	fromFile bool   // one of them came from in
	overlong bool   // one of them was cut at maxRow
	text     []byte // the cells, unquoted
	ends     []int
}

// next returns the next row that is not blank; io.EOF at the end.
func (r *rowReader) next() (row, error) {
	for {
		r.raw, r.starts, r.text, r.ends = r.raw[:0], r.starts[:0], r.text[:0], r.ends[:0]
		r.fromFile, r.overlong = false, false
		if err := r.appendLine(); err != nil {
			return row{}, err
		}
		if len(bytes.TrimSuffix(r.raw, newline)) > 0 {
			break
		}
	}
	line := r.line
	broken, err := r.split()
	if err != nil {
		return row{}, err
	}
	if broken != "" {
		return row{line: line, broken: broken, raw: r.giveUp()}, nil
	}
	text := string(r.text)
	cells := make([]string, len(r.ends))
	from := 0
	for i, end := range r.ends {
		cells[i] = text[from:end]
		from = end
	}
	return row{line: line, cells: cells, cutOff: !bytes.HasSuffix(r.raw, newline)}, nil
}

var newline = []byte{'\n'}

// split finds the cells of the row that begins in raw and takes in further lines while a quote is open. It returns
// the reason when there are none.
func (r *rowReader) split() (broken string, err error) {
	if r.overlong {
		return reasonTooLong, nil
	}
	for at := 0; ; {
		if at < len(r.raw) && r.raw[at] == '"' {
			next, broken, err := r.quoted(at + 1)
			if broken != "" || err != nil {
				return broken, err
			}
			r.ends = append(r.ends, len(r.text))
			if next == len(r.raw) || r.raw[next] == '\n' {
				return "", nil
			}
			at = next + 1
			continue
		}
		rest := r.raw[at:]
		end := bytes.IndexByte(rest, r.comma)
		last := end < 0
		if last {
			end = len(bytes.TrimSuffix(rest, newline))
		}
		if bytes.IndexByte(rest[:end], '"') >= 0 {
			return reasonBareQuote, nil
		}
		r.text = append(r.text, rest[:end]...)
		r.ends = append(r.ends, len(r.text))
		if last {
			return "", nil
		}
		at += end + 1
	}
}

// quoted reads a cell from behind its opening quote and returns where what follows its closing quote is.
func (r *rowReader) quoted(at int) (next int, broken string, err error) {
	for {
		end := bytes.IndexByte(r.raw[at:], '"')
		if end < 0 {
			r.text = append(r.text, r.raw[at:]...)
			at = len(r.raw)
			if at >= maxRow {
				return 0, reasonUnclosed, nil
			}
			switch err := r.appendLine(); {
			case errors.Is(err, io.EOF):
				return 0, reasonUnclosed, nil
			case err != nil:
				return 0, "", err
			case r.overlong:
				return 0, reasonTooLong, nil
			}
			continue
		}
		r.text = append(r.text, r.raw[at:at+end]...)
		at += end + 1
		switch {
		case at == len(r.raw) || r.raw[at] == '\n' || r.raw[at] == r.comma:
			return at, "", nil
		case r.raw[at] != '"':
			return 0, reasonStrayQuote, nil
		}
		r.text = append(r.text, '"')
		at++
	}
}

// giveUp returns the broken row and sets aside, to be read again, what may be rows after it.
func (r *rowReader) giveUp() string {
	end := len(r.raw)
	for i := 1; i < len(r.starts) && !r.overlong; i++ {
		start, next := r.starts[i], len(r.raw)
		if i+1 < len(r.starts) {
			next = r.starts[i+1]
		}
		if bytes.Count(r.raw[start:next], []byte{r.comma}) < r.columns-1 {
			continue
		}
		end = start
		r.line -= len(r.starts) - i
		if r.fromFile {
			r.again, r.againAt = append(r.again[:0], r.raw[end:]...), 0
		} else {
			r.againAt -= len(r.raw) - end
		}
		break
	}
	return string(bytes.TrimSuffix(r.raw[:min(end, maxShown)], newline))
}

// appendLine adds the next line to raw. io.EOF means that there was none.
func (r *rowReader) appendLine() error {
	start := len(r.raw)
	if rest := r.again[r.againAt:]; len(rest) > 0 {
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		r.raw = append(r.raw, rest[:end]...)
		r.againAt += end
		r.starts = append(r.starts, start)
		r.line++
		return nil
	}
	size := 0
	for {
		part, err := r.in.ReadSlice('\n')
		size += len(part)
		if size <= maxRow {
			r.raw = append(r.raw, part...)
		} else {
			r.overlong = true
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && (!errors.Is(err, io.EOF) || size == 0) {
			return err
		}
		break
	}
	r.line++
	r.fromFile = true
	r.starts = append(r.starts, start)
	r.endWithNewline(start)
	return nil
}

// endWithNewline takes the \r off the line that begins at start, also where the file ends behind it.
func (r *rowReader) endWithNewline(start int) {
	line, ended := bytes.CutSuffix(r.raw[start:], newline)
	line = bytes.TrimSuffix(line, []byte{'\r'})
	r.raw = r.raw[:start+len(line)]
	if ended {
		r.raw = append(r.raw, '\n')
	}
}
