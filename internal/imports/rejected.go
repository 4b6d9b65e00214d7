package imports

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
)

const rejectedSuffix = ".rejected.csv"

// RejectedPath returns where the rejected rows of a file go: list.csv.rejected.csv beside list.csv. Those of that file,
// mended in part and imported again, go into list.csv.rejected.2.csv and so on: what is read is never written over.
func RejectedPath(path string) string {
	base, found := strings.CutSuffix(path, rejectedSuffix)
	if found && base != "" {
		return base + ".rejected.2.csv"
	}
	if at := strings.LastIndex(path, ".rejected."); at > 0 {
		number, _ := strings.CutSuffix(path[at+len(".rejected."):], ".csv")
		if n, err := strconv.Atoi(number); err == nil && n >= 2 && n < 1e6 {
			return fmt.Sprintf("%s.rejected.%d.csv", path[:at], n+1)
		}
	}
	return path + rejectedSuffix
}

// rejectedFile writes rejected rows, to be mended and imported again, in the separator of the file that they come
// from. It exists from the first row on. After its first error it writes nothing more; close tells.
type rejectedFile struct {
	path   string // "" writes nothing
	header header
	file   *os.File
	out    *csv.Writer
	err    error
}

func (f *rejectedFile) add(r row, reason string) {
	if f.path == "" || f.err != nil {
		return
	}
	if f.file == nil {
		if f.err = f.create(); f.err != nil {
			return
		}
	}
	cells := r.cells
	if r.broken != "" {
		cells = readLeniently(r.raw, f.header)
	}
	var surplus []string
	if width := len(f.header.names); len(cells) > width {
		surplus = cells[width:]
	}
	record := make([]string, 0, len(f.header.own)+2+len(surplus))
	for _, place := range f.header.own {
		text := ""
		if place < len(cells) {
			text = cells[place]
		}
		record = append(record, Guard(Unguard(text)))
	}
	record = append(record, strconv.Itoa(r.line), reason)
	for _, text := range surplus {
		record = append(record, Guard(Unguard(text)))
	}
	f.err = f.out.Write(record)
}

// readLeniently splits a row that is no CSV as well as can be, so that people see where it goes wrong: at its
// separators when that gives the right number of cells, else as a spreadsheet would.
func readLeniently(raw string, h header) []string {
	cells := strings.Split(raw, string(h.comma))
	if len(cells) == len(h.names) {
		for i, text := range cells {
			if inner := strings.TrimSuffix(strings.TrimPrefix(text, `"`), `"`); len(inner) == len(text)-2 && !strings.Contains(inner, `"`) {
				cells[i] = inner
			}
		}
		return cells
	}
	in := csv.NewReader(strings.NewReader(raw))
	in.Comma, in.LazyQuotes, in.FieldsPerRecord = rune(h.comma), true, -1
	cells, err := in.Read()
	if err != nil {
		return []string{raw}
	}
	return cells
}

func (f *rejectedFile) create() error {
	// Only its owner may read it: it is full of phone numbers. What has the name already, with rights of its own or
	// as a link to another file, makes way and is not written into.
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	f.file, f.out = file, csv.NewWriter(file)
	f.out.Comma = rune(f.header.comma)
	// A spreadsheet, where rows are mended, takes a file without the mark for one in an encoding of its own.
	if _, err := file.Write(byteOrderMark); err != nil {
		return err
	}
	var record []string
	for _, place := range f.header.own {
		record = append(record, Guard(f.header.names[place]))
	}
	return f.out.Write(append(record, rejectedLine, rejectedReason))
}

// close returns the path, "" when nothing was written, and the first error of all.
func (f *rejectedFile) close() (string, error) {
	if f.file != nil {
		f.out.Flush()
		if err := f.out.Error(); f.err == nil {
			f.err = err
		}
		if err := f.file.Close(); f.err == nil {
			f.err = err
		}
	}
	if f.err != nil {
		return "", errcode.With(fmt.Errorf("writing the rejected rows: %w", f.err), errcode.RejectedUnwritten)
	}
	if f.file == nil {
		return "", nil
	}
	return f.path, nil
}
