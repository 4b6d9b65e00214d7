package imports_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/scheduler"
)

// saved is a workbook as a program writes it. Parts of its first sheet can be set by fill.
func saved(t testing.TB, fill func(f *excelize.File, sheet string), o ...excelize.Options) []byte {
	t.Helper()
	f := excelize.NewFile()
	fill(f, "Sheet1")
	var out bytes.Buffer
	if err := f.Write(&out, o...); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func set(t testing.TB, f *excelize.File, sheet string, rows ...[]any) {
	t.Helper()
	for i, row := range rows {
		if err := f.SetSheetRow(sheet, fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
}

// Styles of the workbooks that rawBook makes, by their number.
const rawStyles = `<styleSheet><numFmts count="4"><numFmt numFmtId="164" formatCode="dd/mm/yyyy\ hh:mm"/><numFmt numFmtId="165" formatCode="[h]:mm"/>` +
	`<numFmt numFmtId="166" formatCode="#,##0.00\ &quot;day&quot;;[Red]-0"/><numFmt numFmtId="167" formatCode="[$-410]d\ mmmm\ yyyy;@"/></numFmts>` +
	`<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/>` +
	`<xf numFmtId="166"/><xf numFmtId="167"/><xf numFmtId="20"/><xf numFmtId="11"/></cellXfs></styleSheet>`

// rawParts are the parts of a workbook whose one sheet has these rows, as XML, and whose table has these strings.
func rawParts(rows, strs string) map[string]string {
	return map[string]string{
		"_rels/.rels": `<Relationships><Relationship Id="r1" Type="http://x/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="r1" Type="http://x/worksheet" Target="/xl/worksheets/sheet1.xml"/>` +
			`<Relationship Id="r2" Type="http://x/styles" Target="styles.xml"/><Relationship Id="r3" Type="http://x/sharedStrings" Target="sharedStrings.xml"/></Relationships>`,
		"xl/workbook.xml":          `<workbook><sheets><sheet name="People" sheetId="7" r:id="r1"/></sheets></workbook>`,
		"xl/styles.xml":            rawStyles,
		"xl/sharedStrings.xml":     `<sst>` + strs + `</sst>`,
		"xl/worksheets/sheet1.xml": `<?xml version="1.0" encoding="UTF-8"?><worksheet><dimension ref="A1"/><sheetData>` + rows + `</sheetData><pageMargins/></worksheet>`,
	}
}

func zipped(t testing.TB, parts map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		part, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, parts[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func typedOptions(t testing.TB) imports.Options {
	t.Helper()
	o := options()
	o.Attributes = map[string]scheduler.AttributeType{"birthday": scheduler.AttributeDate, "points": scheduler.AttributeNumber}
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	o.Zone = rome
	return o
}

func importBook(t *testing.T, book []byte) (*memory, imports.Result) {
	t.Helper()
	sink := newMemory()
	result, err := imports.Contacts(t.Context(), bytes.NewReader(book), sink, typedOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	return sink, result
}

func TestAWorkbookOfContacts(t *testing.T) {
	for name, date1904 := range map[string]bool{"days since 1900": false, "days since 1904": true} {
		t.Run(name, func(t *testing.T) {
			book := saved(t, func(f *excelize.File, sheet string) {
				if err := f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &date1904}); err != nil {
					t.Fatal(err)
				}
				set(t, f, sheet,
					[]any{"Phone", "Name", "External ID", "tags", "birthday", "points", "last seen", "member", "ratio"},
					[]any{393471234567, "Nicolò \"Nico\"\nRossi", 1234567890123, "vip; reader", time.Date(1990, 5, 1, 0, 0, 0, 0, time.UTC), 120.5, time.Date(2026, 3, 1, 18, 30, 0, 0, time.UTC), true, 0.1 + 0.2},
					[]any{},
					[]any{"'+39 347 765 4321", "", nil, "", nil, 1e6, "text", false, -3})
				if err := f.SetRowVisible(sheet, 4, false); err != nil {
					t.Fatal(err)
				}
			})
			sink, result := importBook(t, book)
			want := scheduler.ContactRecord{
				Phone: "+393471234567", Name: new("Nicolò \"Nico\"\nRossi"), ExternalID: new("1234567890123"), Tags: []string{"reader", "vip"},
				Attributes: map[string]string{"birthday": "1990-05-01", "points": "120.5", "last_seen": "2026-03-01T18:30:00", "member": "TRUE", "ratio": "0.3"},
				Number:     scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome", "Europe/Vatican"}, MainZone: "Europe/Rome"},
			}
			if diff := gocmp.Diff(want, sink.contacts["+393471234567"]); diff != "" {
				t.Errorf("first (-want +got):\n%s", diff)
			}
			second := sink.contacts["+393477654321"]
			if second.Name != nil || fmt.Sprint(second.Attributes) != "map[last_seen:text member:FALSE points:1000000 ratio:-3]" {
				t.Errorf("second: %+v", second)
			}
			if result.Rows != 2 || result.Rejected != 0 || result.ReadAs.String() != `read from the sheet "Sheet1"` {
				t.Errorf("%+v", result)
			}
			if len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], "hidden in the sheet, and imported like the others: 1 row (line 4)") {
				t.Errorf("%q", result.Warnings)
			}
		})
	}
}

func TestStreamedAndInlineStrings(t *testing.T) {
	book := saved(t, func(f *excelize.File, sheet string) {
		w, err := f.NewStreamWriter(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range [][]any{{"phone", "name"}, {"+393471234567", "  Anna  "}, {393477654321, "Bruno"}} {
			if err := w.SetRow(fmt.Sprintf("A%d", i+1), row); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	})
	sink, result := importBook(t, book)
	if result.Counts.Added != 2 || *sink.contacts["+393471234567"].Name != "Anna" {
		t.Errorf("%+v", result)
	}
	// What cannot be read twice is read as well.
	piped, err := imports.Contacts(t.Context(), io.MultiReader(bytes.NewReader(book)), newMemory(), typedOptions(t))
	if err != nil || piped.Counts.Added != 2 {
		t.Errorf("from a pipe: %+v, %v", piped, err)
	}
}

func TestTheFirstSheetThatCanBeSeen(t *testing.T) {
	book := saved(t, func(f *excelize.File, sheet string) {
		set(t, f, sheet, []any{"this", "is", "hidden"})
		for _, name := range []string{"Clienti", "Note"} {
			if _, err := f.NewSheet(name); err != nil {
				t.Fatal(err)
			}
		}
		set(t, f, "Clienti", []any{"phone"}, []any{393471234567})
		f.SetActiveSheet(2)
		if err := f.SetSheetVisible(sheet, false); err != nil {
			t.Fatal(err)
		}
	})
	_, result := importBook(t, book)
	if result.Counts.Added != 1 || result.ReadAs.String() != `read from the sheet "Clienti", the first of the 2 that can be seen` {
		t.Errorf("%+v", result)
	}
}

func TestConsentsOfAWorkbook(t *testing.T) {
	book := saved(t, func(f *excelize.File, sheet string) {
		set(t, f, sheet, []any{"phone", "category", "action", "at", "source", "wording"},
			[]any{393471234567, "offers", "granted", time.Date(2026, 7, 1, 18, 30, 0, 0, time.UTC), "paper", "Libreria Aurora"},
			[]any{393471234568, "offers", "granted", "2026-01-01T10:00:00Z", "paper", "Libreria Aurora"},
			[]any{393471234569, "offers", "granted", time.Date(2026, 10, 25, 2, 30, 0, 0, time.UTC), "paper", "Libreria Aurora"},
			[]any{393471234570, "offers", "granted", time.Date(2026, 3, 29, 2, 30, 0, 0, time.UTC), "paper", "Libreria Aurora"},
			[]any{393471234571, "offers", "granted", 45981.77, "paper", "Libreria Aurora"},
			[]any{393471234572, "offers", "granted", time.Date(2027, 7, 1, 18, 30, 0, 0, time.UTC), "paper", "Libreria Aurora"})
	})
	sink := newMemory()
	o := typedOptions(t)
	result, err := imports.Consents(t.Context(), bytes.NewReader(book), sink, o)
	if err != nil {
		t.Fatal(err)
	}
	if result.Counts.Added != 2 || fmt.Sprint(result.ByReason) != "map[row_time_in_future:1 row_time_is_number:1 row_time_skipped_or_repeated:2]" {
		t.Errorf("%+v", result)
	}
	for _, c := range sink.consents {
		want := time.Date(2026, 7, 1, 16, 30, 0, 0, time.UTC)
		if c.Line == 2 && !c.Event.At.Equal(want) {
			t.Errorf("half past six in Rome is %s", c.Event.At)
		}
	}
	if len(result.Warnings) != 1 || result.Warnings[0] != "the times of 1 row have no offset in the workbook and were read as times of Europe/Rome (line 2)" {
		t.Errorf("%q", result.Warnings)
	}
	o.Zone = nil
	if result, err := imports.Consents(t.Context(), bytes.NewReader(book), newMemory(), o); err != nil || result.ByReason["row_time_without_offset"] != 4 || result.Counts.Added != 1 {
		t.Errorf("without a zone: %+v, %v", result, err)
	}
}

func TestSheetsInOtherHands(t *testing.T) {
	for name, rows := range map[string]string{
		"without places":    `<row><c t="str"><v>phone</v></c><c t="str"><v>name</v></c></row><row><c><v>393471234567</v></c><c t="str"><v>Anna</v></c></row>`,
		"with a prefix":     `<x:row r="1"><x:c r="A1" t="str"><x:v>phone</x:v></x:c><x:c r="B1" t="str"><x:v>name</x:v></x:c></x:row><x:row r="2"><x:c r="A2"><x:v>393471234567</x:v></x:c><x:c r="B2" t="str"><x:v>Anna</x:v></x:c></x:row>`,
		"not in the corner": `<row r="3"><c r="C3" t="str"><v>phone</v></c><c r="E3" t="str"><v>name</v></c><c r="F3" t="str"><v> </v></c></row><row r="9"><c r="C9"><v>393471234567</v></c><c r="E9" t="str"><v>Anna</v></c><c r="XFD9" s="1"/></row>`,
		"with blank rows":   `<row r="1"/><row r="2"><c r="A2"/><c r="B2" t="str"><v> </v></c></row><row r="3"><c r="A3" t="str"><v>phone</v></c><c r="B3" t="str"><v>name</v></c></row><row r="5"><c r="A5"><v>393471234567</v></c><c r="B5" t="str"><v>Anna</v></c></row><row r="1048576"><c r="A1048576" s="2"/></row>`,
	} {
		sink, result := importBook(t, zipped(t, rawParts(rows, "")))
		if result.Rows != 1 || result.Counts.Added != 1 || *sink.contacts["+393471234567"].Name != "Anna" {
			t.Errorf("%s: %+v", name, result)
		}
	}
}

func TestRejectedRowsOfAWorkbook(t *testing.T) {
	o := typedOptions(t)
	o.RejectedPath = t.TempDir() + "/book.xlsx.rejected.csv"
	book := saved(t, func(f *excelize.File, sheet string) {
		set(t, f, sheet, []any{"phone", "name", "birthday"}, []any{12, "=Anna", time.Date(1990, 5, 1, 0, 0, 0, 0, time.UTC)}, []any{},
			[]any{393471234567, "Bruno", nil, "surplus"}, []any{393477654321, "Carla", 33000}, []any{393470000001, "Dario", "1991-01-01"})
	})
	sink := newMemory()
	result, err := imports.Contacts(t.Context(), bytes.NewReader(book), sink, o)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(result.ByReason) != "map[phone_too_short:1 row_date_is_number:1 row_unnamed_column:1]" || result.Counts.Added != 1 {
		t.Fatalf("%+v", result)
	}
	want := "\ufeffphone,name,birthday,rejected_line,rejected_reason\n" +
		"12,'=Anna,1990-05-01,2,the phone number is too short; check that no digit and no area code is missing\n" +
		"'393471234567,Bruno,,4,a cell is filled in a column that has no name; name the column in the header or empty the cell,surplus\n" +
		"'393477654321,Carla,33000,5,\"the date is a spreadsheet's day number; format the column as yyyy-mm-dd and export it again, or as a date in the workbook and import that\"\n"
	if diff := gocmp.Diff(want, readFile(t, o.RejectedPath)); diff != "" {
		t.Fatalf("file (-want +got):\n%s", diff)
	}
	mended := strings.NewReplacer("\n12,", "\n393471234568,", ",surplus", "", "33000", "1990-05-08").Replace(want)
	second, err := imports.Contacts(t.Context(), strings.NewReader(mended), sink, o)
	if err != nil || second.Rejected != 0 || len(sink.contacts) != 4 || sink.contacts["+393471234568"].Attributes["birthday"] != "1990-05-01" {
		t.Errorf("mended: %+v, %v", second, err)
	}
}

// A workbook's rows pass through without being kept, however many they are.
func TestMemoryDoesNotDependOnTheWorkbook(t *testing.T) {
	const rows, bound = 60_000, 48 << 20
	book := bigBook(t, rows)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var before, most uint64
	stored, batches := 0, 0
	sink := contactsOnly(func(records []scheduler.ContactRecord) {
		stored += len(records)
		if batches++; batches == 2 {
			before = heap()
		} else if batches%4 == 0 {
			most = max(most, heap())
		}
	})
	result, err := imports.Contacts(t.Context(), bytes.NewReader(book), sink, options())
	if err != nil || stored != rows || result.Rejected != 0 {
		t.Fatalf("%d stored, %+v, %v", stored, result, err)
	}
	if most > before+bound {
		t.Errorf("the heap grew by %d MiB, want at most %d", (most-before)>>20, bound>>20)
	}
}

func bigBook(t testing.TB, rows int) []byte {
	t.Helper()
	var b strings.Builder
	b.WriteString(`<row r="1"><c r="A1" t="str"><v>phone</v></c><c r="B1" t="str"><v>name</v></c><c r="C1" t="str"><v>language</v></c><c r="D1" t="str"><v>points</v></c></row>`)
	for i := range rows {
		fmt.Fprintf(&b, `<row r="%d"><c r="A%[1]d"><v>39347%07d</v></c><c r="B%[1]d" t="inlineStr"><is><t>person %[2]d</t></is></c><c r="C%[1]d" t="s"><v>0</v></c><c r="D%[1]d"><v>%[3]d</v></c></row>`, i+2, i, i%1000)
	}
	return zipped(t, rawParts(b.String(), `<si><t>it</t></si>`))
}

// Every text that a program writes into a workbook is read as it is, wherever the cell stands.
func TestWorkbooksAgreeWithExcelize(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		texts := rapid.SliceOfN(rapid.OneOf(rapid.StringMatching(`[ -~àèìßñ€“\n]{0,20}`), rapid.String()), 1, 12).Draw(rt, "texts")
		book := saved(t, func(f *excelize.File, sheet string) {
			set(t, f, sheet, []any{"phone", "note"})
			for i, text := range texts {
				set := func(cell string, value any) {
					if err := f.SetCellValue(sheet, fmt.Sprintf("%s%d", cell, i*2+2), value); err != nil {
						t.Fatal(err)
					}
				}
				set("A", 393470000000+i)
				set("B", text)
			}
		})
		f, err := excelize.OpenReader(bytes.NewReader(book))
		if err != nil {
			rt.Fatal(err)
		}
		sink := newMemory()
		result, err := imports.Contacts(t.Context(), bytes.NewReader(book), sink, options())
		if err != nil || result.Rows != len(texts) {
			rt.Fatalf("%+v, %v", result, err)
		}
		for i := range texts {
			want, err := f.GetCellValue("Sheet1", fmt.Sprintf("B%d", i*2+2), excelize.Options{RawCellValue: true})
			if err != nil {
				rt.Fatal(err)
			}
			want = strings.TrimSpace(imports.Unguard(strings.ReplaceAll(want, "\r\n", "\n")))
			got := sink.contacts[phone.Number(fmt.Sprintf("+39347%07d", i))].Attributes["note"]
			if got != want && !strings.ContainsRune(want, 0) {
				rt.Fatalf("row %d: %q, excelize reads %q", i*2+2, got, want)
			}
		}
	})
}

func FuzzWorkbook(f *testing.F) {
	f.Add(`<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row><row r="2"><c r="A2"><v>393471234567</v></c><c r="B2" s="1"><v>45981</v></c></row>`, `<si><t>phone</t></si><si><t>birthday</t></si>`, rawStyles)
	f.Add(`<row><c t="inlineStr"><is><t>phone</t></is></c></row><row hidden="1"><c><v>3.9E+11</v></c></row>`, `<si><r><t>_x000D_</t></r><rPh><t>x</t></rPh></si>`, `<styleSheet/>`)
	f.Add(`<row r="1"><c r="XFD1" t="e"><f>1</f></c></row>`, `<si/>`, `<a><cellXfs><xf numFmtId="-1"/></cellXfs></a>`)
	f.Fuzz(func(t *testing.T, rows, strs, styles string) {
		parts := rawParts(rows, strs)
		parts["xl/styles.xml"] = styles
		book := zipped(t, parts)
		sink := newMemory()
		result, err := imports.Contacts(t.Context(), bytes.NewReader(book), sink, typedOptions(t))
		if err == nil && result.Rows != result.Rejected+result.Repeated+result.Counts.Added+result.Counts.Changed+result.Counts.Unchanged {
			t.Fatalf("%+v does not add up", result)
		}
	})
}

// streamedBook is a workbook as excelize writes large ones.
func streamedBook(t testing.TB, rows int) []byte {
	t.Helper()
	return saved(t, func(f *excelize.File, sheet string) {
		w, err := f.NewStreamWriter(sheet)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.SetRow("A1", []any{"phone", "name", "language", "points"}); err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if err := w.SetRow(fmt.Sprintf("A%d", i+2), []any{393470000000 + i, fmt.Sprintf("person %d", i), "it", i % 1000}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	})
}

const benchmarkedRows = 20_000

func BenchmarkWorkbook(b *testing.B) {
	book := streamedBook(b, benchmarkedRows)
	sink := contactsOnly(func([]scheduler.ContactRecord) {})
	for b.Loop() {
		if _, err := imports.Contacts(b.Context(), bytes.NewReader(book), sink, options()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(benchmarkedRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportAllocs()
}
