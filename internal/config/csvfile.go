package config

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/permesso/permesso/internal/errcode"
)

// fileBeside reads a file whose path begins at the configuration's folder; it is watched as the configuration is. tell
// reports mistakes in it, each at its own line.
func (v value) fileBeside(name string) (data []byte, tell func(errcode.Code, []csvMistake), ok bool) {
	path := v.l.resolve(name)
	v.l.trail.files = append(v.l.trail.files, path)
	data, err := readFile(path)
	if err != nil {
		v.fail(errcode.UnreadableReference, "the file %q cannot be read: %v", name, reason(err))
		return nil, nil, false
	}
	shown := path
	if !filepath.IsAbs(name) {
		shown = filepath.Join(filepath.Dir(v.l.cfg.File), name)
	}
	doc := newDocument(shown, data)
	v.l.files, v.l.docs = append(v.l.files, shown), append(v.l.docs, doc)
	return data, func(code errcode.Code, mistakes []csvMistake) {
		for _, m := range mistakes {
			line, column := doc.clamp(m.line, m.column)
			v.l.problems = append(v.l.problems, Problem{File: shown, Line: line, Column: column, Path: v.path, Severity: SeverityError, Code: code, Message: m.message})
		}
	}, true
}

// csvMistake is one mistake in a CSV file. Columns count characters from 1.
type csvMistake struct {
	line, column int
	message      string
}

// csvFile is a CSV file while it is read.
type csvFile struct {
	rows     *csv.Reader
	lines    []string
	mistakes []csvMistake
}

// newCSVFile begins to read a file; nil, with the mistake, when it is no text.
func newCSVFile(data []byte) (*csvFile, []csvMistake) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	if !utf8.Valid(data) {
		line := 1 + bytes.Count(data[:firstInvalid(data)], []byte("\n"))
		return nil, []csvMistake{{line, 1, "this is not UTF-8: save the file as UTF-8"}}
	}
	f := csvFile{rows: csv.NewReader(bytes.NewReader(data)), lines: strings.Split(string(data), "\n")}
	f.rows.FieldsPerRecord, f.rows.TrimLeadingSpace = -1, true
	return &f, nil
}

func firstInvalid(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(data)
}

func (f *csvFile) fail(line, column int, format string, args ...any) {
	f.mistakes = append(f.mistakes, csvMistake{line, column, fmt.Sprintf(format, args...)})
}

// place is where a field of the row read last begins.
func (f *csvFile) place(field int) (line, column int) {
	line, column = f.rows.FieldPos(field)
	if text := f.lines[min(line, len(f.lines))-1]; column-1 <= len(text) {
		column = 1 + utf8.RuneCountInString(text[:column-1]) // FieldPos counts bytes
	}
	return line, column
}

// failRead says why the next row cannot be told; quotes says what to do about quotes in it.
func (f *csvFile) failRead(err error, quotes string) {
	if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
		f.fail(wrong.Line, 1, "the quotes of this row do not end, or stand inside a %s", quotes)
		return
	}
	f.fail(1, 1, "the file cannot be read: %v", err)
}
