package imports_test

import (
	"archive/zip"
	"bytes"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/permesso/permesso/internal/imports"
)

func TestWorkbooksThatAreNone(t *testing.T) {
	people := rawParts(`<row r="1"><c r="A1" t="str"><v>phone</v></c></row><row r="2"><c r="A2"><v>393471234567</v></c></row>`, "")
	with := func(name, text string) []byte {
		parts := map[string]string{}
		for n, t := range people {
			parts[n] = t
		}
		if parts[name] = text; text == "" {
			delete(parts, name)
		}
		return zipped(t, parts)
	}
	sheet := func(rows string) []byte {
		return with("xl/worksheets/sheet1.xml", `<worksheet><sheetData>`+rows+`</sheetData></worksheet>`)
	}
	whole := zipped(t, people)
	locked := saved(t, func(f *excelize.File, s string) { set(t, f, s, []any{"phone"}) }, excelize.Options{Password: "secret"})
	const damaged, tooBig = "the workbook is damaged or was not copied whole", "the workbook unpacks to far more than a list of people needs"
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"locked by a password":   {locked, "the workbook is protected by a password"},
		"of an old Excel":        {[]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 4096) + utf16Name("Workbook")), "the file is of an Office before 2007 (.xls)"},
		"locked, late":           {[]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 65530) + utf16Name("EncryptedPackage")), "the workbook is protected by a password"},
		"binary":                 {with("_rels/.rels", `<Relationships><Relationship Id="r1" Type="http://x/officeDocument" Target="xl/workbook.bin"/></Relationships>`), "the file is a binary Excel workbook (.xlsb)"},
		"OpenDocument":           {zipped(t, map[string]string{"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": "<x/>"}), "the file is an OpenDocument spreadsheet"},
		"a letter":               {with("_rels/.rels", `<Relationships><Relationship Id="r1" Type="http://x/officeDocument" Target="word/document.xml"/></Relationships>`), "the file is an archive and no Excel workbook"},
		"an archive":             {zipped(t, map[string]string{"people.csv": "phone\n"}), "the file is an archive and no Excel workbook"},
		"an empty archive":       {zipped(t, nil), "the file is an archive and no Excel workbook"},
		"half of one":            {whole[:len(whole)/2], damaged},
		"without its sheet":      {with("xl/worksheets/sheet1.xml", ""), damaged},
		"without its strings":    {with("xl/sharedStrings.xml", ""), damaged},
		"without its list":       {with("xl/workbook.xml", ""), damaged},
		"without rows":           {with("xl/worksheets/sheet1.xml", "<worksheet/>"), damaged},
		"all sheets hidden":      {with("xl/workbook.xml", `<workbook><sheets><sheet name="A" r:id="r1" state="veryHidden"/></sheets></workbook>`), "the workbook has no sheet of cells that can be seen"},
		"no XML":                 {with("xl/styles.xml", "<styleSheet><cellXfs"), damaged},
		"styles that break off":  {with("xl/styles.xml", "<styleSheet><cellXfs>"), damaged},
		"strings that break off": {with("xl/sharedStrings.xml", "<sst><si><t>x"), damaged},
		"sheet that breaks off":  {with("xl/worksheets/sheet1.xml", `<worksheet><sheetData><row r="1"><c r="A1" t="str"><v>phone</v></c></row><row r="2"><c r="A2"><v>393471234567</v></c></row>`), damaged},
		"breaks off in a cell":   {with("xl/worksheets/sheet1.xml", `<worksheet><sheetData><row r="1"><c r="A1" t="str"><v>phone</v></c></row><row r="2"><c r="A2"><v>39347`), damaged},
		"rows out of order":      {sheet(`<row r="2"><c r="A2" t="str"><v>phone</v></c></row><row r="1"><c r="A1"><v>393471234567</v></c></row>`), damaged},
		"cells out of order":     {sheet(`<row r="1"><c r="B1" t="str"><v>phone</v></c><c r="A1" t="str"><v>name</v></c></row>`), damaged},
		"a cell nowhere":         {sheet(`<row r="1"><c r="ZZZZ1" t="str"><v>phone</v></c></row>`), damaged},
		"header only in words":   {sheet(`<row r="7"><c r="A7" t="str"><v>Telefono</v></c></row>`), `the file has no column phone; its columns are "Telefono"`},
		"nothing":                {sheet(""), "the file is empty"},
		"too many columns":       {sheet(`<row r="1"><c r="A1" t="str"><v>phone</v></c><c r="ALM1" t="str"><v>x</v></c></row>`), "the header has 1001 columns"},
		"deep":                   {with("xl/styles.xml", strings.Repeat("<a>", 10_000)+strings.Repeat("</a>", 10_000)), damaged},
		"entities":               {with("xl/styles.xml", `<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>`), damaged},
		"bomb in the styles":     {declared(t, people, "xl/styles.xml", 17<<20), tooBig},
		"bomb in the strings":    {declared(t, people, "xl/sharedStrings.xml", 257<<20), tooBig},
		"bomb in one text":       {sheet(`<row r="1"><c r="A1" t="str"><v>` + strings.Repeat("x", 8<<20) + `</v></c></row>`), tooBig},
		"bomb in the sheet":      {declared(t, people, "xl/worksheets/sheet1.xml", 3<<30), tooBig},
		"small bomb":             {declared(t, people, "xl/worksheets/sheet1.xml", 65<<20), tooBig},
	} {
		t.Run(name, func(t *testing.T) {
			sink := newMemory()
			_, err := imports.Contacts(t.Context(), bytes.NewReader(tt.file), sink, typedOptions(t))
			if err == nil || !strings.HasPrefix(regexp.MustCompile(`^reading the (header|file after line \d): `).ReplaceAllString(err.Error(), ""), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func utf16Name(name string) string {
	var b strings.Builder
	for _, r := range name {
		b.WriteRune(r)
		b.WriteByte(0)
	}
	return b.String()
}

// declared is a workbook of which one part says that it unpacks to so many bytes.
func declared(t *testing.T, parts map[string]string, name string, size uint64) []byte {
	t.Helper()
	return resized(t, zipped(t, parts), func(f *zip.FileHeader) {
		if f.Name == name {
			f.UncompressedSize64 = size
		}
	})
}

// resized packs the same parts under other headers.
func resized(t *testing.T, book []byte, change func(*zip.FileHeader)) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		head := f.FileHeader
		change(&head)
		raw, err := f.OpenRaw()
		if err != nil {
			t.Fatal(err)
		}
		part, err := w.CreateRaw(&head)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(part, raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A part that unpacks to more than it says is found out while it is read.
func TestAPartThatLiesAboutItsSize(t *testing.T) {
	book := zipped(t, rawParts(`<row r="1"><c r="A1" t="str"><v>phone</v></c></row>`+strings.Repeat(`<row><c><v>393471234567</v></c></row>`, 20_000), ""))
	lying := resized(t, book, func(f *zip.FileHeader) { f.UncompressedSize64 = min(f.UncompressedSize64, 5000) })
	if _, err := imports.Contacts(t.Context(), bytes.NewReader(lying), newMemory(), options()); err == nil || !strings.Contains(err.Error(), "the workbook is damaged") {
		t.Errorf("got %v", err)
	}
}

// What unpacks as it says, and to too much, is stopped there: the bounds hold for what is read, not for what is declared.
func TestALimitedPart(t *testing.T) {
	flooded := rawParts(`<row r="1"><c r="A1" t="str"><v>phone</v></c></row>`, "")
	flooded["xl/_rels/workbook.xml.rels"] += strings.Repeat(" ", 5<<20)
	if _, err := imports.Contacts(t.Context(), bytes.NewReader(zipped(t, flooded)), newMemory(), options()); err == nil || !strings.Contains(err.Error(), "unpacks to far more") {
		t.Errorf("got %v", err)
	}
}
