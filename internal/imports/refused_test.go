package imports_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/policy"
)

type door func(context.Context, io.Reader, imports.Sink, imports.Options) (imports.Result, error)

func TestRejectedRows(t *testing.T) {
	const (
		contacts = "phone,name,language,timezone,external_id,tags\n"
		consents = "phone,category,action,at,source,wording\n"
		stops    = "phone,reason,at,source,scope\n"
		example  = "2026-11-20T18:30:00+01:00"
	)
	long := strings.Repeat("x", 256)
	for name, tt := range map[string]struct {
		door door
		file string
		want imports.Rejection
	}{
		"no phone":             {imports.Contacts, contacts + ",Anna,,,,", imports.Rejection{Line: 2, Column: "phone", Code: "phone_empty", Reason: "the phone number is empty; give one with its country code, such as +39 347 123 4567"}},
		"spreadsheet's phone":  {imports.Contacts, contacts + "5.51199E+12,,,,,", imports.Rejection{Line: 2, Column: "phone", Code: "phone_scientific", Reason: "a spreadsheet turned the phone number into scientific notation and its last digits are lost; format the column as a number without decimals and export it again, or import the workbook (.xlsx) itself"}},
		"long name":            {imports.Contacts, contacts + "3471234567," + long + ",,,,", imports.Rejection{Line: 2, Column: "name", Code: "row_text_too_long", Reason: "the text is longer than 255 characters; shorten it, and check that no closing double quote is missing"}},
		"long tag":             {imports.Contacts, contacts + "3471234567,,,,,a;" + long, imports.Rejection{Line: 2, Column: "tags", Code: "row_text_too_long", Reason: "the text is longer than 255 characters; shorten it, and check that no closing double quote is missing"}},
		"long id":              {imports.Contacts, contacts + "3471234567,,,," + long + ",", imports.Rejection{Line: 2, Column: "external_id", Code: "row_text_too_long", Reason: "the text is longer than 255 characters; shorten it, and check that no closing double quote is missing"}},
		"language in words":    {imports.Contacts, contacts + "3471234567,,italiano,,,", imports.Rejection{Line: 2, Column: "language", Value: "italiano", Code: "row_language_unknown", Reason: "the language is unknown; write its BCP 47 code, such as it or pt-BR"}},
		"undetermined":         {imports.Contacts, contacts + "3471234567,,und,,,", imports.Rejection{Line: 2, Column: "language", Value: "und", Code: "row_language_unknown", Reason: "the language is unknown; write its BCP 47 code, such as it or pt-BR"}},
		"zone":                 {imports.Contacts, contacts + "3471234567,,,Europe/Roma,,", imports.Rejection{Line: 2, Column: "timezone", Value: "Europe/Roma", Code: "row_timezone_unknown", Reason: "the time zone is unknown; write its IANA name, such as Europe/Rome"}},
		"local zone":           {imports.Contacts, contacts + "3471234567,,,Local,,", imports.Rejection{Line: 2, Column: "timezone", Value: "Local", Code: "row_timezone_unknown", Reason: "the time zone is unknown; write its IANA name, such as Europe/Rome"}},
		"too few":              {imports.Contacts, contacts + "3471234567,Anna", imports.Rejection{Line: 2, Code: "row_too_few_cells", Reason: "the row has fewer cells than the header; it may have been cut off here, or a separator is missing"}},
		"too many":             {imports.Contacts, contacts + "3471234567,Rossi, Anna,,,,", imports.Rejection{Line: 2, Code: "row_too_many_cells", Reason: "the row has more cells than the header; put a cell that contains the separator into double quotes"}},
		"open quote":           {imports.Contacts, contacts + "3471234567,\"Anna,,,,", imports.Rejection{Line: 2, Code: "row_unclosed_quote", Reason: "a double quote is opened and never closed; close it, and write a quote inside a cell twice"}},
		"stray quote":          {imports.Contacts, contacts + "3471234567,\"Anna\" Rossi,,,,", imports.Rejection{Line: 2, Code: "row_text_after_quote", Reason: "text follows the closing double quote of a cell; write a quote inside a cell twice"}},
		"bare quote":           {imports.Contacts, contacts + "3471234567,Anna \"Nina\",,,,", imports.Rejection{Line: 2, Code: "row_quote_inside_cell", Reason: "a double quote stands inside a cell that does not begin with one; put the cell into double quotes and write the inner quote twice"}},
		"long row":             {imports.Contacts, contacts + strings.Repeat("x", 1<<20+1), imports.Rejection{Line: 2, Code: "row_too_long", Reason: "the row is longer than 1 MiB; a line break or a closing double quote may be missing"}},
		"Windows-1252 row":     {imports.Contacts, contacts + "3471234567,Nicol\xf2,,,\u00e8,", imports.Rejection{Line: 2, Code: "row_not_utf8", Reason: `the row is not UTF-8 text; save the file as "CSV UTF-8" and import it again`}},
		"NUL":                  {imports.Contacts, contacts + "3471234567,An\x00na,,,,", imports.Rejection{Line: 2, Code: "row_damaged", Reason: "the row contains a NUL character, as a damaged file does; save the file again"}},
		"cell without a name":  {imports.Contacts, "phone,name,\n3471234567,Anna,Rossi", imports.Rejection{Line: 2, Code: "row_unnamed_column", Reason: "a cell is filled in a column that has no name; name the column in the header or empty the cell"}},
		"consent's phone":      {imports.Consents, consents + "12,offers,granted," + example + ",paper,yes", imports.Rejection{Line: 2, Column: "phone", Code: "phone_too_short", Reason: "the phone number is too short; check that no digit and no area code is missing"}},
		"outside every plan":   {imports.Consents, consents + "+39000000000,offers,granted," + example + ",paper,yes", imports.Rejection{Line: 2, Column: "phone", Code: "phone_not_a_persons", Reason: "no person's phone number looks like this in its country; check the digits, and write a foreign number with plus and country code"}},
		"category":             {imports.Consents, consents + "3471234567,ofers,granted," + example + ",paper,yes", imports.Rejection{Line: 2, Column: "category", Value: "ofers", Code: "row_category_unknown", Reason: "the category is unknown; those in config.yaml are offers, orders"}},
		"action":               {imports.Consents, consents + "3471234567,offers,yes," + example + ",paper,yes", imports.Rejection{Line: 2, Column: "action", Value: "yes", Code: "row_action_unknown", Reason: "the action is unknown; write granted or revoked"}},
		"no time":              {imports.Consents, consents + "3471234567,offers,granted,,paper,yes", imports.Rejection{Line: 2, Column: "at", Code: "row_without_time", Reason: "the time is empty; write when it happened, such as 2026-11-20T18:30:00+01:00"}},
		"date":                 {imports.Consents, consents + "3471234567,offers,granted,20/11/2026,paper,yes", imports.Rejection{Line: 2, Column: "at", Value: "20/11/2026", Code: "row_time_ambiguous", Reason: "the time does not begin with the year, so day and month could be taken for each other; write it like 2026-11-20T18:30:00+01:00"}},
		"no offset":            {imports.Consents, consents + "3471234567,offers,granted,2026-11-20T18:30:00,paper,yes", imports.Rejection{Line: 2, Column: "at", Value: "2026-11-20T18:30:00", Code: "row_time_without_offset", Reason: "the time has no offset, so it may be hours off; add the one of the place where it was taken, such as +01:00 in 2026-11-20T18:30:00+01:00"}},
		"future":               {imports.Consents, consents + "3471234567,offers,revoked,2026-11-21T12:00:01Z,,", imports.Rejection{Line: 2, Column: "at", Value: "2026-11-21T12:00:01Z", Code: "row_time_in_future", Reason: "the time is in the future; write when it happened, with the right offset"}},
		"long ago":             {imports.Consents, consents + "3471234567,offers,granted,0001-01-01T00:00:00Z,paper,yes", imports.Rejection{Line: 2, Column: "at", Value: "0001-01-01T00:00:00Z", Code: "row_time_before_1970", Reason: "the time is before 1970; write when it happened"}},
		"granted, no source":   {imports.Consents, consents + "3471234567,offers,granted," + example + ",,yes", imports.Rejection{Line: 2, Column: "source", Code: "row_without_source", Reason: "a granted consent without its source could not be proved later; write how it was given"}},
		"granted, no wording":  {imports.Consents, consents + "3471234567,offers,granted," + example + ",paper, ", imports.Rejection{Line: 2, Column: "wording", Code: "row_without_wording", Reason: "a granted consent without its wording could not be proved later; write the words that the person agreed to"}},
		"no column of wording": {imports.Consents, "phone,category,action,at,source\n3471234567,offers,granted," + example + ",paper", imports.Rejection{Line: 2, Column: "wording", Code: "row_without_wording", Reason: "a granted consent without its wording could not be proved later; write the words that the person agreed to"}},
		"source":               {imports.Consents, consents + "3471234567,offers,revoked," + example + ",crm,", imports.Rejection{Line: 2, Column: "source", Value: "crm", Code: "row_source_unknown", Reason: "the source is unknown; write one of web_form, landing_page, in_app, email, sms, paper, phone_call, in_store, whatsapp, import"}},
		"stopped letters":      {imports.Suppressions, stops + "IT.13491208655302741918,asked," + example + ",till,", imports.Rejection{Line: 2, Column: "phone", Code: "phone_letters", Reason: "the phone number contains letters; write it in digits"}},
		"stop without time":    {imports.Suppressions, stops + "3471234567,asked,,till,", imports.Rejection{Line: 2, Column: "at", Code: "row_without_time", Reason: "the time is empty; write when it happened, such as 2026-11-20T18:30:00+01:00"}},
		"scope":                {imports.Suppressions, stops + "3471234567,asked," + example + ",till,everything", imports.Rejection{Line: 2, Column: "scope", Value: "everything", Code: "row_scope_unknown", Reason: "the scope is unknown; write all, kind:marketing, kind:utility, kind:authentication or category: and one of the categories in config.yaml"}},
		"scope of no category": {imports.Suppressions, stops + "3471234567,asked," + example + ",till,category:ofers", imports.Rejection{Line: 2, Column: "scope", Value: "category:ofers", Code: "row_scope_unknown", Reason: "the scope is unknown; write all, kind:marketing, kind:utility, kind:authentication or category: and one of the categories in config.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			sink := newMemory()
			result, err := tt.door(t.Context(), strings.NewReader(tt.file), sink, options())
			if err != nil {
				t.Fatal(err)
			}
			if _, known := errcode.Find(tt.want.Code); !known {
				t.Errorf("docs/ERRORS.md has no section on %s", tt.want.Code)
			}
			if diff := gocmp.Diff([]imports.Rejection{tt.want}, result.Problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if result.Rows != 1 || result.Rejected != 1 || result.ByReason[tt.want.Code] != 1 || len(sink.batches) != 0 {
				t.Errorf("result %+v with %d batches, want one row, rejected and not stored", result, len(sink.batches))
			}
		})
	}
}

func TestRefusedFiles(t *testing.T) {
	utf16File := func(order binary.AppendByteOrder, text string) string {
		var b []byte
		for _, unit := range utf16.Encode([]rune(text)) {
			b = order.AppendUint16(b, unit)
		}
		return string(b)
	}
	for name, tt := range map[string]struct {
		door door
		file string
		want string
	}{
		"empty":                {imports.Contacts, "", "the file is empty: its first row must name the columns, phone among them"},
		"blank":                {imports.Contacts, "\ufeff\r\n \n", "the file is empty: its first row must name the columns, phone among them"},
		"gzip":                 {imports.Contacts, "\x1f\x8b\x08\x00", "the file is compressed: unpack it and import what is inside"},
		"UTF-32":               {imports.Contacts, "\xff\xfe\x00\x00p\x00\x00\x00", `the file is encoded in UTF-32: save it as "CSV UTF-8" and import that`},
		"UTF-16, binary":       {imports.Contacts, "\xff\xfe" + utf16File(binary.LittleEndian, "\x01\x00\x02"), `the file is no text: export it as "CSV UTF-8" and import that`},
		"binary":               {imports.Contacts, "\x7fELF\x02\x01\x01\x00\x00\x00\x00", `the file is no text: export it as "CSV UTF-8" and import that`},
		"Cyrillic header":      {imports.Contacts, "phone,\xd4\xc0\xcc\xc8\xcb\xc8\xdf\n", `the file is neither UTF-8 text nor, by its look, Windows-1252: save it as "CSV UTF-8" and import that`},
		"damaged header":       {imports.Contacts, "phone,citt\xe0,caff\u00e8\n", `the file is neither UTF-8 text nor, by its look, Windows-1252: save it as "CSV UTF-8" and import that`},
		"sep= of no separator": {imports.Contacts, "sep=|\nphone|name\n", "the first line names a separator that is not read: separate the columns with a comma, a semicolon or a tab, or delete the line that begins with sep="},
		"sep= and nothing":     {imports.Contacts, "sep=;\n", "the file is empty: its first row must name the columns, phone among them"},
		"too many columns":     {imports.Contacts, "phone" + strings.Repeat(",a", 1000) + "\n", "the header has 1001 columns and at most 1000 are read: keep those that are needed, or check the separator"},
		"NUL in the header":    {imports.Contacts, "phone,na\x00me,mail\n", `the file is no text: export it as "CSV UTF-8" and import that`},
		"no phone column":      {imports.Contacts, "Telefono;Nome\n3471234567;Anna\n", `the file has no column phone; its columns are "Telefono", "Nome": name the right one in the header, or check the separator`},
		"another separator":    {imports.Contacts, "phone|name\n", `the file has no column phone; its columns are "phone|name": name the right one in the header, or check the separator`},
		"no header":            {imports.Contacts, "+39 347 123 4567,Anna\n+39 347 765 4321,Bruno\n", "the first row holds a phone number where the header should be: put a row above it that names the columns, phone among them"},
		"broken header":        {imports.Contacts, "phone,\"name\n", "the header, in line 1, cannot be read: a double quote is opened and never closed; close it, and write a quote inside a cell twice"},
		"column twice":         {imports.Contacts, "phone,name,name\n", `the header names the column "name" twice: remove or rename one of them`},
		"column in other case": {imports.Contacts, "phone,Phone\n", `the columns "phone" and "Phone" would both fill phone: remove or rename one of them`},
		"one attribute":        {imports.Contacts, "phone,first visit,First-Visit\n", `the columns "first visit" and "First-Visit" would both fill attributes.first_visit: remove or rename one of them`},
		"no consent columns":   {imports.Consents, "phone,at\n", `the file has no column category and no column action; its columns are "phone", "at": name the right one in the header, or check the separator`},
		"unknown in consents":  {imports.Consents, "phone,category,action,at,source,wording,note,by\n", `a file of consents has no column "note", "by": its columns are phone, category, action, at, source, wording, evidence; remove or rename what is not among them`},
		"unknown in stops":     {imports.Suppressions, "phone,at,name\n", `a file of suppressions has no column "name": its columns are phone, at, reason, source, scope; remove or rename what is not among them`},
	} {
		t.Run(name, func(t *testing.T) {
			sink := newMemory()
			_, err := tt.door(t.Context(), strings.NewReader(tt.file), sink, options())
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if len(sink.batches) != 0 {
				t.Error("something was stored")
			}
		})
	}
}

func TestRefusedOptions(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*imports.Options)
		want   string
	}{
		"region": {func(o *imports.Options) { o.Region = "it" }, `importing with the country "it": the region for phone numbers is unknown; use a country's two capital letters, such as IT`},
		"time":   {func(o *imports.Options) { *o = imports.Options{} }, "importing without the present time: no row's time could be checked"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			tt.change(&o)
			_, err := imports.Contacts(t.Context(), strings.NewReader("phone\n3471234567\n"), newMemory(), o)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestNoCategories(t *testing.T) {
	o := options()
	o.Categories = map[string]policy.Category{}
	result, err := imports.Consents(t.Context(), strings.NewReader("phone,category,action,at\n3471234567,offers,revoked,2026-11-20T10:00:00Z\n"), newMemory(), o)
	if err != nil || len(result.Problems) != 1 || result.Problems[0].Reason != "the category is unknown; config.yaml has no categories" {
		t.Errorf("got %+v, %v", result.Problems, err)
	}
}

func TestProblemsAreTheFirstTenOfEachReason(t *testing.T) {
	_, result := importContacts(t, "phone,language\n"+strings.Repeat("12,it\n", 25)+strings.Repeat("3471234567,xx-!\n", 3), options())
	if result.Rejected != 28 || len(result.Problems) != 13 || len(result.ByReason) != 2 {
		t.Fatalf("%d rejected, %d problems of %d reasons; want 28, 13 of 2", result.Rejected, len(result.Problems), len(result.ByReason))
	}
	if first, last := result.Problems[0].Line, result.Problems[12].Line; first != 2 || last != 29 {
		t.Errorf("from line %d to %d, want 2 to 29", first, last)
	}
	sum := 0
	for _, n := range result.ByReason {
		sum += n
	}
	if sum != result.Rejected {
		t.Errorf("the reasons count %d rows, %d are rejected", sum, result.Rejected)
	}
}

func TestAnUnclosedQuoteTakesOneRow(t *testing.T) {
	sink, result := importContacts(t, "phone,name,points\n"+
		"+393471234560,Anna,1\n"+
		"+393471234561,\"Bruno,2\n"+ // line 3, never closed
		"+393471234562,Carla,3\n"+
		"+393471234563,\"Dario\nlinked\",4\n"+
		"+393471234564,\"Elena\"\"\ncut,5\n"+ // line 7, two lines of one row
		"+393471234565,Fabio,6\n", options())
	if len(sink.contacts) != 4 || result.Rows != 6 || result.Rejected != 2 {
		t.Fatalf("%d people of %d rows, %d rejected; want 4 of 6, 2 rejected: %+v", len(sink.contacts), result.Rows, result.Rejected, result.Problems)
	}
	if result.Problems[0].Line != 3 || result.Problems[1].Line != 7 {
		t.Errorf("rejected in lines %d and %d, want 3 and 7", result.Problems[0].Line, result.Problems[1].Line)
	}
	if name := *sink.contacts["+393471234563"].Name; name != "Dario\nlinked" {
		t.Errorf("name %q, want the quoted line break kept", name)
	}
}

func TestHalfWrittenFiles(t *testing.T) {
	const whole = "phone,category,action,at,source,wording,evidence\n" +
		"+393471234567,offers,granted,2026-11-20T10:00:00Z,paper,\"Sì a Libreria Aurora,\nper le offerte\",\"box 7\"\n" +
		"+393477654321,offers,granted,2026-11-20T10:00:00Z,paper,\"Sì a Libreria Aurora,\nper le offerte\",\"box 8\"\n"
	second := strings.LastIndex(whole, "+39")
	lastCell := strings.LastIndex(whole, ",") + 1
	for end := second + 1; end < len(whole)-1; end++ {
		if end == lastCell {
			continue // a whole row whose last cell is empty
		}
		sink := newMemory()
		result, err := imports.Consents(t.Context(), strings.NewReader(whole[:end]), sink, options())
		if err != nil {
			t.Fatalf("cut at %d: %v", end, err)
		}
		if result.Counts.Added != 1 || result.Rejected != 1 || result.Rows != 2 {
			t.Errorf("cut after %q: %+v, want the first row stored and the second rejected", whole[second:end], result)
			continue
		}
		if result.Problems[0].Line != 4 {
			t.Errorf("cut after %q: line %d, want 4", whole[second:end], result.Problems[0].Line)
		}
	}
}

func TestTheSinkRefuses(t *testing.T) {
	sink := newMemory()
	sink.fail = errors.New("the database is locked")
	result, err := imports.Contacts(t.Context(), strings.NewReader("phone,name\n+393471234567,Anna\n"), sink, options())
	if !errors.Is(err, sink.fail) || !strings.HasPrefix(err.Error(), "storing the rows up to line 2 ") {
		t.Errorf("got %v", err)
	}
	if result.Counts.Added != 0 {
		t.Errorf("%d rows counted as stored", result.Counts.Added)
	}
}

func TestTheFileBreaksOff(t *testing.T) {
	broken := errors.New("input/output error")
	in := io.MultiReader(strings.NewReader("phone,name\n"+manyContacts(6000)), failing{broken})
	sink := newMemory()
	_, err := imports.Contacts(t.Context(), in, sink, options())
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "reading the file after line 6001: ") {
		t.Errorf("got %v", err)
	}
	if len(sink.contacts) != 6000 {
		t.Errorf("%d people stored, want the 6000 that were read", len(sink.contacts))
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestCancelled(t *testing.T) {
	for name, begin := range map[string]string{"before the header": "", "between rows": "phone,name\n" + manyContacts(20000)} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			// The pipe never ends: only ctx does.
			in, out := io.Pipe()
			defer in.Close()
			go func() {
				fmt.Fprint(out, begin)
				cancel()
			}()
			_, err := imports.Contacts(ctx, in, newMemory(), options())
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the cancellation", err)
			}
		})
	}
}

func mustNotExist(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s exists (%v)", path, err)
	}
}
