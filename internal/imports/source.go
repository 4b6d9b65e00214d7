package imports

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
)

// source is an opened file behind its header. It belongs to one goroutine.
type source interface {
	// next returns the next row that is not blank; io.EOF at the end.
	next() (row, error)
	// position returns how many bytes of the file were read.
	position() int64
	// readAs returns how the file was understood up to here.
	readAs() ReadAs
}

// open tells by its content what the file is, and reads its header. The source stands behind the header then.
func open(in io.Reader, c columns, o Options) (header, source, error) {
	whole := inPlace(in)
	count := &counter{in: in}
	raw := bufio.NewReaderSize(count, sampleSize)
	sample, err := raw.Peek(sampleSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return header{}, nil, errcode.With(fmt.Errorf("reading the file: %w", err), errcode.FileUnreadable)
	}
	ended := err != nil
	switch {
	case isArchive(sample):
		return openWorkbook(whole, raw, c, o)
	case bytes.HasPrefix(sample, []byte(oleMagic)):
		return header{}, nil, oldOffice(raw)
	}
	encoding, mark, settled, err := encodingOf(sample, ended)
	if err != nil {
		return header{}, nil, err
	}
	if _, err := raw.Discard(mark); err != nil {
		return header{}, nil, errcode.With(fmt.Errorf("reading the file: %w", err), errcode.FileUnreadable)
	}
	file := &textFile{text: &textReader{in: raw, encoding: encoding, settled: settled}, count: count}
	h, err := file.open(c, o.Region)
	if err != nil {
		return header{}, nil, err
	}
	return h, file, nil
}

// textFile is a CSV file.
type textFile struct {
	*rowReader
	text  *textReader
	count *counter
}

func (f *textFile) position() int64 { return f.count.n }

func (f *textFile) readAs() ReadAs { return ReadAs{Format: formatCSV, Encoding: f.text.encoding} }

// open finds the ends of lines, the separator and the header.
func (f *textFile) open(c columns, region string) (header, error) {
	in := bufio.NewReaderSize(f.text, sampleSize)
	sample, err := in.Peek(sampleSize)
	if bytes.IndexByte(sample, '\n') < 0 && bytes.IndexByte(sample, '\r') >= 0 {
		in = bufio.NewReaderSize(oldMacLines{in}, sampleSize)
		sample, err = in.Peek(sampleSize)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return header{}, errcode.With(fmt.Errorf("reading the file: %w", err), errcode.FileUnreadable)
	}
	if err := checkText(sample); err != nil {
		return header{}, err
	}
	f.rowReader = &rowReader{in: in}
	comma, length, err := namedSeparator(sample)
	if err != nil {
		return header{}, err
	}
	if comma == 0 {
		comma = separator(sample)
	} else {
		f.line = 1
		if _, err := in.Discard(length); err != nil {
			return header{}, errcode.With(fmt.Errorf("reading the file: %w", err), errcode.FileUnreadable)
		}
	}
	f.comma = comma
	h, err := headerOf(f, c, region)
	if err != nil {
		return header{}, err
	}
	h.comma = comma
	f.columns = len(h.names)
	return h, nil
}

// checkText refuses what has no line of text to begin with.
func checkText(sample []byte) error {
	if len(bytes.TrimSpace(sample)) == 0 {
		return errEmpty
	}
	head, _, _ := bytes.Cut(sample, newline)
	switch {
	case bytes.IndexByte(head, 0) >= 0:
		return errBinary
	case !validBeginning(head):
		return errEncoding
	}
	return nil
}

// validBeginning reports whether a line, which may be cut off by the end of the sample, is UTF-8.
func validBeginning(line []byte) bool {
	if len(line) == sampleSize {
		line = line[:sampleSize-4]
	}
	return strings.ToValidUTF8(string(line), "") == string(line)
}

// namedSeparator reads the first line by which some spreadsheets name the separator: sep=; It returns 0 when there is
// none, else how long that line is with its end.
func namedSeparator(sample []byte) (comma byte, length int, err error) {
	line, rest, _ := bytes.Cut(sample, newline)
	text := strings.ToLower(strings.Trim(strings.TrimRight(string(line), "\r"), `"`))
	named, found := strings.CutPrefix(text, "sep=")
	if !found || len(named) > 1 {
		return 0, 0, nil
	}
	if named == "" || !strings.Contains(separators, named) {
		return 0, 0, errcode.With(errors.New(`the first line names a separator that is not read: separate the columns with a comma, a semicolon or a tab, or delete the line that begins with sep=`), errcode.FileSeparator)
	}
	return named[0], len(sample) - len(rest), nil
}

// headerOf reads the first row of any file.
func headerOf(s source, c columns, region string) (header, error) {
	first, err := s.next()
	switch {
	case errors.Is(err, io.EOF):
		return header{}, errEmpty
	case err != nil:
		return header{}, errcode.With(fmt.Errorf("reading the header: %w", err), errcode.FileUnreadable)
	case first.broken != "":
		return header{}, errcode.With(fmt.Errorf("the header, in line %d, cannot be read: %s", first.line, first.broken), errcode.HeaderUnreadable)
	}
	return readHeader(first.cells, c, region)
}
