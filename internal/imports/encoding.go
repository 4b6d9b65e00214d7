package imports

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/permesso/permesso/internal/errcode"
)

// sampleSize is how much of the file is looked at before its first row is read. The header must fit into it.
const sampleSize = 64 << 10

// The formats and encodings that are read, by the names that results show.
const (
	formatCSV           = "csv"
	formatXLSX          = "xlsx"
	encodingUTF8        = "UTF-8"
	encodingUTF16LE     = "UTF-16LE"
	encodingUTF16BE     = "UTF-16BE"
	encodingWindows1252 = "Windows-1252"
)

// What the file is instead of text.
var (
	errEmpty      = errcode.With(errors.New("the file is empty: its first row must name the columns, phone among them"), errcode.FileEmpty)
	errCompressed = errcode.With(errors.New("the file is compressed: unpack it and import what is inside"), errcode.FileCompressed)
	errBinary     = errcode.With(errors.New(`the file is no text: export it as "CSV UTF-8" and import that`), errcode.FileNotText)
	errUTF32      = errcode.With(errors.New(`the file is encoded in UTF-32: save it as "CSV UTF-8" and import that`), errcode.FileUTF32)
	errEncoding   = errcode.With(errors.New(`the file is neither UTF-8 text nor, by its look, Windows-1252: save it as "CSV UTF-8" and import that`), errcode.FileEncoding)
)

var byteOrderMark = []byte("\ufeff")

// encodingOf tells the encoding of a file from its beginning and how many bytes its byte order mark has. settled is
// false when all that was seen is ASCII, which most encodings share.
func encodingOf(sample []byte, whole bool) (encoding string, mark int, settled bool, err error) {
	for _, begin := range []struct {
		bytes, encoding string
		err             error
	}{
		{"\x1f\x8b", "", errCompressed}, // gzip
		{"BZh", "", errCompressed},
		{"\xfd7zXZ\x00", "", errCompressed},
		{"7z\xbc\xaf\x27\x1c", "", errCompressed},
		{"Rar!\x1a\x07", "", errCompressed},
		{"\x28\xb5\x2f\xfd", "", errCompressed}, // zstd
		{"\xff\xfe\x00\x00", "", errUTF32},
		{"\x00\x00\xfe\xff", "", errUTF32},
		{"\xef\xbb\xbf", encodingUTF8, nil},
		{"\xff\xfe", encodingUTF16LE, nil},
		{"\xfe\xff", encodingUTF16BE, nil},
	} {
		if bytes.HasPrefix(sample, []byte(begin.bytes)) {
			return begin.encoding, len(begin.bytes), true, begin.err
		}
	}
	if len(sample) >= 4 {
		switch zero := [4]bool{sample[0] == 0, sample[1] == 0, sample[2] == 0, sample[3] == 0}; zero {
		case [4]bool{false, true, false, true}:
			return encodingUTF16LE, 0, true, nil
		case [4]bool{true, false, true, false}:
			return encodingUTF16BE, 0, true, nil
		}
	}
	if firstForeign(sample) == len(sample) {
		return encodingUTF8, 0, false, nil
	}
	return eightBit(sample, whole), 0, true, nil
}

// firstForeign returns the place of the first byte beyond ASCII, len(text) when there is none.
func firstForeign(text []byte) int {
	for i, b := range text {
		if b >= utf8.RuneSelf {
			return i
		}
	}
	return len(text)
}

// eightBit tells UTF-8 from Windows-1252. One right character beyond ASCII is proof of UTF-8: what else is wrong is a
// damaged row. Without one, wrong bytes are Windows-1252 if they could be the accents of a Western language: each is a
// character there, and most of them do not stand three or more together, as those of other alphabets do.
func eightBit(sample []byte, whole bool) string {
	foreign, together, run := 0, 0, 0
	for at := 0; at < len(sample); {
		r, size := utf8.DecodeRune(sample[at:])
		switch {
		case r < utf8.RuneSelf:
			run = 0
			at++
			continue
		case r != utf8.RuneError || size > 1:
			return encodingUTF8
		case !utf8.FullRune(sample[at:]) || (!whole && at >= len(sample)-utf8.UTFMax):
			// The sample, or the file, ends inside a character.
			at++
			continue
		case charmap.Windows1252.DecodeByte(sample[at]) == utf8.RuneError:
			return encodingUTF8
		}
		foreign++
		if run++; run == 3 {
			together += 3
		} else if run > 3 {
			together++
		}
		at++
	}
	if foreign == 0 || together*2 > foreign {
		return encodingUTF8
	}
	return encodingWindows1252
}
