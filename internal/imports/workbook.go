package imports

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf16"

	"github.com/permesso/permesso/internal/errcode"
)

// What a workbook may unpack to, in bytes. The rows stream, so their part costs time and no memory; the table of
// strings is in memory, as every row may point to any of them.
const (
	maxUnpacked = 2 << 30
	maxStrings  = 256 << 20
	maxPart     = 16 << 20 // every other part
	// maxBuffered bounds a workbook that comes from where nothing can be read twice: it has to be in memory.
	maxBuffered = 64 << 20
)

// What the workbook is instead of one that can be read.
var (
	errNoWorkbook   = errcode.With(errors.New("the file is an archive and no Excel workbook: unpack it and import what is inside"), errcode.FileWorkbook)
	errBinaryBook   = errcode.With(errors.New(`the file is a binary Excel workbook (.xlsb): save it as "Excel Workbook" (.xlsx) or "CSV UTF-8" and import that`), errcode.WorkbookOther)
	errOpenDocument = errcode.With(errors.New(`the file is an OpenDocument spreadsheet: save it as "Excel Workbook" (.xlsx) or "CSV UTF-8" and import that`), errcode.WorkbookOther)
	errPassword     = errcode.With(errors.New("the workbook is protected by a password: take the password off, save it, and import it again"), errcode.WorkbookLocked)
	errOldOffice    = errcode.With(errors.New(`the file is of an Office before 2007 (.xls): save it as "Excel Workbook" (.xlsx) or "CSV UTF-8" and import that`), errcode.WorkbookOther)
	errNoSheet      = errcode.With(errors.New("the workbook has no sheet of cells that can be seen: show the one with the rows, save it, and import it again"), errcode.WorkbookNoSheet)
	errTooBig       = errcode.With(errors.New(`the workbook unpacks to far more than a list of people needs: copy the rows into a new workbook, or save the sheet as "CSV UTF-8", and import that`), errcode.WorkbookTooLarge)
	errBookBuffered = errcode.With(fmt.Errorf("a workbook of more than %d MiB can only be read from a file on disk: save it and name the file", maxBuffered>>20), errcode.WorkbookNoFile)
)

const oleMagic = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

func isArchive(sample []byte) bool {
	return bytes.HasPrefix(sample, []byte("PK\x03\x04")) || bytes.HasPrefix(sample, []byte("PK\x05\x06"))
}

// oldOffice says what a compound file is: a workbook that a password encrypts, or one of an Office before 2007. The
// list of its streams may be anywhere in it.
func oldOffice(in io.Reader) error {
	var name []byte
	for _, unit := range utf16.Encode([]rune("EncryptedPackage")) {
		name = append(name, byte(unit), byte(unit>>8))
	}
	window := make([]byte, 0, sampleSize+len(name))
	for part := make([]byte, sampleSize); ; {
		n, err := in.Read(part)
		window = append(window, part[:n]...)
		switch {
		case bytes.Contains(window, name):
			return errPassword
		case errors.Is(err, io.EOF):
			return errOldOffice
		case err != nil:
			return errcode.With(fmt.Errorf("reading the file: %w", err), errcode.FileUnreadable)
		}
		window = append(window[:0], window[max(0, len(window)-len(name)):]...)
	}
}

// damaged says that a workbook cannot be read as what it says it is.
func damaged(what string, err error) error {
	return errcode.With(fmt.Errorf("the workbook is damaged or was not copied whole (%s: %w): open and save it in a spreadsheet program, and import it again", what, err), errcode.WorkbookDamaged)
}

// inPlace returns the file as one that can be read anywhere, nil when it cannot. It moves nothing.
func inPlace(in io.Reader) *io.SectionReader {
	file, ok := in.(interface {
		io.ReaderAt
		io.Seeker
	})
	if !ok {
		return nil
	}
	start, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil
	}
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil
	}
	if _, err := file.Seek(start, io.SeekStart); err != nil {
		return nil
	}
	return io.NewSectionReader(file, start, end-start)
}

// workbook is an Excel workbook, as ECMA-376 describes it. It is not read by excelize: that unpacks the sheet into
// memory or, when it is large, with everybody's numbers in clear into the system's temporary folder; hands on a cell
// without saying whether it is a number, a date or a text; and takes a sheet that breaks off for one that ends.
type workbook struct {
	parts    map[string]*zip.File // by name in lower case
	unpacked *allowance
	read     *counterAt
	size     int64

	sheet   string // its part
	name    string
	seen    int // sheets that can be seen
	system  dateSystem
	formats []format // by a cell's style
	strings stringTable
}

// openWorkbook opens the first sheet that can be seen. whole is the file, nil when it can only be read once, from in.
func openWorkbook(whole *io.SectionReader, in *bufio.Reader, c columns, o Options) (header, source, error) {
	if whole == nil {
		all, err := io.ReadAll(io.LimitReader(in, maxBuffered+1))
		switch {
		case err != nil:
			return header{}, nil, errcode.With(fmt.Errorf("reading the file: %w", err), errcode.FileUnreadable)
		case len(all) > maxBuffered:
			return header{}, nil, errBookBuffered
		}
		whole = io.NewSectionReader(bytes.NewReader(all), 0, int64(len(all)))
	}
	w := &workbook{read: &counterAt{in: whole}, size: whole.Size(), unpacked: &allowance{left: maxUnpacked}, parts: map[string]*zip.File{}}
	archive, err := zip.NewReader(w.read, whole.Size())
	if err != nil {
		return header{}, nil, damaged("unpacking it", err)
	}
	for _, part := range archive.File {
		w.parts[partName(part.Name)] = part
	}
	if err := w.readParts(); err != nil {
		return header{}, nil, err
	}
	sheet, err := w.openSheet(o)
	if err != nil {
		return header{}, nil, err
	}
	h, err := headerOf(sheet, c, o.Region)
	if err != nil {
		return header{}, nil, err
	}
	h.comma = ',' // of the CSV file that rejected rows go into
	sheet.expect(h, o.Attributes)
	return h, sheet, nil
}

func partName(name string) string {
	return strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(name, `\`, "/"), "/"))
}

// readParts reads all but the sheet.
func (w *workbook) readParts() error {
	main, err := w.mainPart()
	if err != nil {
		return err
	}
	targets, err := w.relations(main)
	if err != nil {
		return err
	}
	if err := w.readBook(main, targets); err != nil {
		return err
	}
	for _, target := range targets {
		switch target.kind {
		case "sharedStrings":
			err = w.readStrings(target.part)
		case "styles":
			err = w.readStyles(target.part)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mainPart returns the part that lists the sheets.
func (w *workbook) mainPart() (string, error) {
	if _, ok := w.parts["_rels/.rels"]; !ok {
		if w.parts["mimetype"] != nil && w.parts["content.xml"] != nil {
			return "", errOpenDocument
		}
		return "", errNoWorkbook
	}
	targets, err := w.relations("")
	if err != nil {
		return "", err
	}
	for _, target := range targets {
		switch {
		case target.kind != "officeDocument":
			continue
		case strings.HasSuffix(target.part, ".bin"):
			return "", errBinaryBook
		case strings.HasPrefix(target.part, "xl/") || strings.Contains(target.part, "workbook"):
			return target.part, nil
		}
	}
	return "", errNoWorkbook
}

// relation is where one part points to.
type relation struct{ kind, part string }

// relations reads where a part points to, by id.
func (w *workbook) relations(of string) (map[string]relation, error) {
	folder, name := path.Split(of)
	targets := map[string]relation{}
	err := w.eachElement(folder+"_rels/"+name+".rels", func(start xml.StartElement, _ []string) error {
		if start.Name.Local != "Relationship" || strings.EqualFold(attribute(start, "TargetMode"), "External") {
			return nil
		}
		target := strings.ReplaceAll(attribute(start, "Target"), `\`, "/")
		if !strings.HasPrefix(target, "/") {
			target = path.Join("/", folder, target)
		}
		targets[attribute(start, "Id")] = relation{path.Base(attribute(start, "Type")), partName(target)}
		return nil
	})
	return targets, err
}

// readBook finds the first sheet that can be seen, and how the workbook counts its days.
func (w *workbook) readBook(main string, targets map[string]relation) error {
	err := w.eachElement(main, func(start xml.StartElement, _ []string) error {
		switch start.Name.Local {
		case "workbookPr":
			if value := attribute(start, "date1904"); value == "1" || strings.EqualFold(value, "true") {
				w.system = system1904
			}
		case "sheet":
			state := attribute(start, "state")
			target := targets[relationID(start)]
			if (state != "" && state != "visible") || target.kind != "worksheet" {
				return nil
			}
			if w.seen++; w.seen == 1 {
				w.sheet, w.name = target.part, attribute(start, "name")
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if w.sheet == "" {
		return errNoSheet
	}
	return nil
}

// relationID returns r:id, which has a name that other attributes have too.
func relationID(start xml.StartElement) string {
	for _, a := range start.Attr {
		if a.Name.Local == "id" && a.Name.Space != "" {
			return a.Value
		}
	}
	return ""
}

func attribute(start xml.StartElement, name string) string {
	for _, a := range start.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// readStyles finds out which styles show a number as a date.
func (w *workbook) readStyles(part string) error {
	custom := map[string]string{}
	return w.eachElement(part, func(start xml.StartElement, above []string) error {
		switch {
		case start.Name.Local == "numFmt":
			custom[attribute(start, "numFmtId")] = attribute(start, "formatCode")
		case start.Name.Local == "xf" && len(above) > 0 && above[len(above)-1] == "cellXfs":
			id := attribute(start, "numFmtId")
			if code, ok := custom[id]; ok {
				w.formats = append(w.formats, formatOfCode(code))
			} else {
				w.formats = append(w.formats, formatOfID(id))
			}
		}
		return nil
	})
}

// eachElement hands every element of a small part to visit, with the names of those around it.
func (w *workbook) eachElement(part string, visit func(start xml.StartElement, above []string) error) error {
	in, err := w.openPart(part, maxPart)
	if err != nil {
		return err
	}
	defer in.close()
	var above []string
	for {
		token, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if err := visit(token, above); err != nil {
				return err
			}
			above = append(above, token.Name.Local)
		case xml.EndElement:
			above = above[:len(above)-1]
		}
	}
}

// counterAt counts what is read through it.
type counterAt struct {
	in io.ReaderAt
	n  int64
}

// ReadAt implements io.ReaderAt.
func (c *counterAt) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.in.ReadAt(p, at)
	c.n += int64(n)
	return n, err
}
