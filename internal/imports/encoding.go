package imports

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/permesso/permesso/internal/errcode"
)

// sampleSize is how much of the file is looked at before its first row is read. The header must fit into it.
const sampleSize = 64 << 10

// What the file is instead of UTF-8 text.
var (
	errEmpty      = errcode.With(errors.New("the file is empty: its first row must name the columns, phone among them"), errcode.FileEmpty)
	errArchive    = errcode.With(errors.New(`the file is an Excel workbook or another archive: save it as "CSV UTF-8" and import that`), errcode.FileWorkbook)
	errCompressed = errcode.With(errors.New("the file is compressed: unpack it and import what is inside"), errcode.FileCompressed)
	errUTF16      = errcode.With(errors.New(`the file is encoded in UTF-16: save it as "CSV UTF-8" and import that`), errcode.FileUTF16)
	errBinary     = errcode.With(errors.New(`the file is no text: export it as "CSV UTF-8" and import that`), errcode.FileNotText)
	errNotUTF8    = errcode.With(errors.New(`the file is not UTF-8 text but probably Windows-1252, as older spreadsheets write it: save it as "CSV UTF-8" and import that`), errcode.FileNotUTF8)
)

var byteOrderMark = []byte("\ufeff")

// checkEncoding refuses what is not UTF-8 text, judging by the file's beginning without its byte order mark.
func checkEncoding(sample []byte) error {
	for _, magic := range []struct {
		begin string
		err   error
	}{
		{"PK\x03\x04", errArchive},
		{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", errArchive}, // Excel before 2007
		{"\x1f\x8b", errCompressed},
		{"\xff\xfe", errUTF16},
		{"\xfe\xff", errUTF16},
	} {
		if bytes.HasPrefix(sample, []byte(magic.begin)) {
			return magic.err
		}
	}
	if len(bytes.TrimSpace(sample)) == 0 {
		return errEmpty
	}
	head, _, _ := bytes.Cut(sample, newline)
	if bytes.IndexByte(head, 0) >= 0 {
		if len(sample) >= 4 && (sample[0] == 0) != (sample[1] == 0) && (sample[0] == 0) == (sample[2] == 0) && (sample[1] == 0) == (sample[3] == 0) {
			return errUTF16
		}
		return errBinary
	}
	if !utf8.Valid(head) || inOtherEncoding(sample) {
		return errNotUTF8
	}
	return nil
}

// inOtherEncoding tells a file in another encoding from a UTF-8 file with a damaged row: there is more than one line
// with foreign bytes, and not one character beyond ASCII is right.
func inOtherEncoding(sample []byte) bool {
	if len(sample) == sampleSize {
		// The sample may end inside a character; whole lines do not.
		sample = sample[:bytes.LastIndexByte(sample, '\n')+1]
	}
	wrong := 0
	for line := range bytes.Lines(sample) {
		if !utf8.Valid(line) {
			wrong++
		}
		for len(line) > 0 {
			r, size := utf8.DecodeRune(line)
			if r >= utf8.RuneSelf && (r != utf8.RuneError || size > 1) {
				return false
			}
			line = line[size:]
		}
	}
	return wrong > 1
}
