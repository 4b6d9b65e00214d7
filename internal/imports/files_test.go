package imports_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/scheduler"
)

func utf16Text(order binary.AppendByteOrder, text string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, unit)
	}
	return string(b)
}

func windows1252(t interface{ Fatal(...any) }, text string) string {
	out, err := charmap.Windows1252.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Whatever a spreadsheet program makes of these two people, they are the same two people.
func TestOneListInManyFiles(t *testing.T) {
	const list = "phone,name,city\n+393471234567,Nicolò,Cefalù\n+393477654321,\"Rossi, Anna\",São Paulo\n"
	semicolons := "phone;name;city\n+393471234567;Nicolò;Cefalù\n+393477654321;Rossi, Anna;São Paulo\n"
	tabs := "phone\tname\tcity\n+393471234567\tNicolò\tCefalù\n+393477654321\tRossi, Anna\tSão Paulo\n"
	far := "phone,name,city\n" + strings.Repeat(",,\n", 40_000) + list[len("phone,name,city\n"):]
	for name, tt := range map[string]struct{ file, readAs string }{
		"UTF-8":                         {list, ""},
		"with a mark":                   {"\ufeff" + list, ""},
		"UTF-16, little end first":      {utf16Text(binary.LittleEndian, "\ufeff"+tabs), "read as UTF-16LE"},
		"UTF-16, big end first":         {utf16Text(binary.BigEndian, "\ufeff"+list), "read as UTF-16BE"},
		"UTF-16 without a mark":         {utf16Text(binary.LittleEndian, semicolons), "read as UTF-16LE"},
		"UTF-16, big, without a mark":   {utf16Text(binary.BigEndian, semicolons), "read as UTF-16BE"},
		"Windows-1252":                  {windows1252(t, semicolons), "read as Windows-1252"},
		"Windows-1252, late":            {windows1252(t, far), "read as Windows-1252"},
		"UTF-8, late":                   {far, ""},
		"UTF-16, late":                  {utf16Text(binary.BigEndian, "\ufeff"+far), "read as UTF-16BE"},
		"semicolons":                    {semicolons, ""},
		"tabs":                          {tabs, ""},
		"named separator":               {"sep=;\n" + semicolons, ""},
		"named separator, quoted":       {"\ufeff\"SEP=;\"\r\n" + strings.ReplaceAll(semicolons, "\n", "\r\n"), ""},
		"named separator in UTF-16":     {utf16Text(binary.LittleEndian, "\ufeffsep=\t\r\n"+tabs), "read as UTF-16LE"},
		"CRLF":                          {strings.ReplaceAll(list, "\n", "\r\n"), ""},
		"CR":                            {strings.ReplaceAll(list, "\n", "\r"), ""},
		"CR in Windows-1252":            {windows1252(t, strings.ReplaceAll(list, "\n", "\r")), "read as Windows-1252"},
		"no line break at the end":      {strings.TrimSuffix(list, "\n"), ""},
		"empty lines":                   {"\n\n" + strings.ReplaceAll(list, "\n", "\n\n") + "\n\n\n", ""},
		"lines of separators":           {list + ",,\n , ,\n\"\",\"\",\"\"\n", ""},
		"header in capitals":            {strings.Replace(list, "phone,name,city", "PHONE,Name,CITY", 1), ""},
		"header with blanks":            {strings.Replace(list, "phone,name,city", " phone ,\u00a0name,\tcity", 1), ""},
		"header in quotes":              {strings.Replace(list, "phone,name,city", `"phone","name","city"`, 1), ""},
		"header of attributes":          {strings.Replace(list, "phone,name,city", "phone,name,attributes.city", 1), ""},
		"separator in a quoted cell":    {"phone,name,city,\"a;b;c;d;e\"\n+393471234567,Nicolò,Cefalù,\n+393477654321,\"Rossi, Anna\",São Paulo,\n", ""},
		"guarded by an export":          {strings.ReplaceAll(list, "+39", "'+39"), ""},
		"numbers in scripts and spaces": {strings.ReplaceAll(list, "+393471234567", "+٣٩ ٣٤٧ ١٢٣ ٤٥٦٧"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			sink := newMemory()
			result, err := imports.Contacts(t.Context(), iotest.HalfReader(strings.NewReader(tt.file)), sink, options())
			if err != nil {
				t.Fatal(err)
			}
			if result.Rows != 2 || result.Rejected != 0 || len(sink.contacts) != 2 {
				t.Fatalf("%+v", result)
			}
			nicolo, anna := sink.contacts["+393471234567"], sink.contacts["+393477654321"]
			if *nicolo.Name != "Nicolò" || nicolo.Attributes["city"] != "Cefalù" || *anna.Name != "Rossi, Anna" || anna.Attributes["city"] != "São Paulo" {
				t.Errorf("%q of %q, %q of %q", *nicolo.Name, nicolo.Attributes["city"], *anna.Name, anna.Attributes["city"])
			}
			if got := result.ReadAs.String(); got != tt.readAs || result.ReadAs.Format != "csv" {
				t.Errorf("%+v is told as %q, want %q", result.ReadAs, got, tt.readAs)
			}
		})
	}
}

func TestLinesKeepTheirNumbers(t *testing.T) {
	for name, file := range map[string]string{
		"named separator":  "sep=,\nphone,name\n+393471234567,Anna\n12,Bad\n",
		"line breaks":      "phone,name\n+393471234567,\"Anna\nRossi\"\n12,Bad\n",
		"blank lines":      "\nphone,name\n\n12,Bad\n",
		"CR":               "phone,name\r+393471234567,Anna\r\r12,Bad\r",
		"UTF-16":           utf16Text(binary.LittleEndian, "\ufeffphone,name\n\n\n12,Bad\n"),
		"lines of nothing": "phone,name\n,\n,\n12,Bad\n",
	} {
		_, result := importContacts(t, file, options())
		if len(result.Problems) != 1 || result.Problems[0].Line != 4 {
			t.Errorf("%s: %+v, want line 4 rejected", name, result.Problems)
		}
	}
}

func TestHeadersInOtherSpellings(t *testing.T) {
	sink, _ := importContacts(t, "Phone;NAME;External ID;Time Zone;TAGS;E-mail;attributes.phone;Punti Fedeltà\n+393471234567;Anna;c-7;Europe/Rome;vip;anna@example.com;office;5\n", options())
	got := sink.contacts["+393471234567"]
	if *got.ExternalID != "c-7" || *got.Zone != "Europe/Rome" || got.Tags[0] != "vip" {
		t.Errorf("known columns: %+v", got)
	}
	want := map[string]string{"e_mail": "anna@example.com", "phone": "office", "punti_fedelt_": "5"}
	if fmt.Sprint(got.Attributes) != fmt.Sprint(want) {
		t.Errorf("attributes %v, want %v", got.Attributes, want)
	}
}

func TestAHeaderAlone(t *testing.T) {
	for _, file := range []string{"phone", "phone,name\n", "\ufeffphone;name\r\n\r\n", utf16Text(binary.LittleEndian, "\ufeffphone\n")} {
		sink, result := importContacts(t, file, options())
		if result.Rows != 0 || len(sink.batches) != 0 {
			t.Errorf("%q: %+v", file, result)
		}
	}
}

// A character that the encoding does not have rejects its row, and is not put right by guessing.
func TestDamagedCharacters(t *testing.T) {
	for name, file := range map[string]string{
		"half of a pair":          utf16Text(binary.LittleEndian, "\ufeffphone,name\n+393471234567,") + "\x3d\xd8" + utf16Text(binary.LittleEndian, "x\n+393477654321,Bruno\n"),
		"other half of a pair":    utf16Text(binary.BigEndian, "\ufeffphone,name\n+393471234567,") + "\xdc\x3d" + utf16Text(binary.BigEndian, "x\n+393477654321,Bruno\n"),
		"half of a unit":          utf16Text(binary.LittleEndian, "\ufeffphone,name\n+393477654321,Bruno\n+393471234567,Ann") + "a",
		"no byte of Windows-1252": "phone,name\n+393471234567,A\x81\n+393477654321,Bruno\n",
		"among UTF-8":             "phone,name\n+393471234567,Nicol\xf2\n+393477654321,Bruno\n+393470000001,Mosè\n",
		"cut inside a character":  "phone,name\n+393477654321,Bruno\n+393471234567,Nicol\xc3",
		"Cyrillic of Windows":     "phone,name\n+393471234567,\xc8\xe2\xe0\xed\n+393477654321,Bruno\n",
	} {
		sink, result := importContacts(t, file, options())
		_, bruno := sink.contacts["+393477654321"]
		_, broken := sink.contacts["+393471234567"]
		if !bruno || broken || result.ByReason["row_not_utf8"] != 1 {
			t.Errorf("%s: %+v", name, result)
		}
	}
}

func TestVeryLongCells(t *testing.T) {
	sink, result := importContacts(t, "phone,name,note\n"+
		"+393471234567,Anna,"+strings.Repeat("x", 900_000)+"\n"+
		"+393477654321,"+strings.Repeat("y", 900_000)+",\n"+
		"+393470000001,\""+strings.Repeat("z", 2_000_000)+"\",\n"+
		"+393470000002,Carla,fine\n", options())
	if len(sink.contacts["+393471234567"].Attributes["note"]) != 900_000 || *sink.contacts["+393470000002"].Name != "Carla" {
		t.Error("a long note, or the row after a long cell, is lost")
	}
	if result.ByReason["row_text_too_long"] != 1 || result.ByReason["row_too_long"] != 1 || result.Rejected != 2 {
		t.Errorf("%v", result.ByReason)
	}
}

func TestDates(t *testing.T) {
	o := options()
	o.Attributes = map[string]scheduler.AttributeType{"birthday": scheduler.AttributeDate}
	for text, code := range map[string]errcode.Code{
		"1990-05-01": "", "2024-02-29": "", "2099-01-01": "", "": "", " 1990-05-01 ": "",
		"2023-02-29": "row_no_such_day", "1990-13-01": "row_no_such_day", "0000-01-01": "row_no_such_day",
		"01/02/1990": "row_date_ambiguous", "1.2.90": "row_date_ambiguous", "31-12-1990": "row_date_ambiguous", "01/02/1990 10:00": "row_date_ambiguous",
		"33000": "row_date_is_number", "45981.5": "row_date_is_number",
		"1990-05-01T00:00:00Z": "row_date_unreadable", "1990-5-1": "row_date_unreadable", "May 1990": "row_date_unreadable", "1990/05/01": "row_date_unreadable", "120": "row_date_unreadable",
	} {
		sink, result := importContacts(t, "phone,birthday\n+393471234567,"+text+"\n", o)
		switch {
		case code == "" && (result.Rejected != 0 || sink.contacts["+393471234567"].Attributes["birthday"] != strings.TrimSpace(text)):
			t.Errorf("%q: %+v", text, result.Problems)
		case code != "" && (len(result.Problems) != 1 || result.Problems[0].Code != code || result.Problems[0].Column != "birthday" || result.Problems[0].Value != text):
			t.Errorf("%q: %+v, want %s", text, result.Problems, code)
		}
	}
	if sink, result := importContacts(t, "phone,birthday\n+393471234567,01/02/1990\n", options()); result.Rejected != 0 || sink.contacts["+393471234567"].Attributes["birthday"] != "01/02/1990" {
		t.Errorf("text that is no declared date: %+v", result.Problems)
	}
}

func TestTimesOfConsents(t *testing.T) {
	for text, code := range map[string]errcode.Code{
		"2026-11-20T18:30:00+01:00": "", "2026-11-20T18:30:00.123456Z": "", "1970-01-01T00:00:00Z": "", "2026-11-21T12:00:00Z": "",
		"": "row_without_time", "2026-11-21T12:00:01Z": "row_time_in_future", "2026-11-21T13:00:01+01:00": "row_time_in_future", "1969-12-31T23:59:59Z": "row_time_before_1970",
		"0000-01-01T00:00:00Z": "row_time_before_1970", "2026-11-20T24:00:00Z": "row_time_unreadable", "2016-12-31T23:59:60Z": "row_time_unreadable", "2026-02-30T10:00:00Z": "row_time_unreadable",
		"2026-11-20": "row_time_without_offset", "2026-11-20 18:30:00": "row_time_without_offset", "2026-11-20T18:30": "row_time_without_offset", "2026-11-20T18:30:00": "row_time_without_offset",
		"01/02/2026": "row_time_ambiguous", "1.2.2026 10:00": "row_time_ambiguous", "45981.77": "row_time_is_number", "\"45981,77\"": "row_time_is_number",
		"yesterday": "row_time_unreadable", "1763659800": "row_time_unreadable", "2026-11-20T1:30:00Z": "row_time_unreadable",
	} {
		result, err := imports.Consents(t.Context(), strings.NewReader("phone,category,action,at,source,wording\n+393471234567,offers,granted,"+text+",paper,Libreria Aurora\n"), newMemory(), options())
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case code == "" && result.Counts.Added != 1:
			t.Errorf("%q: %+v", text, result.Problems)
		case code != "" && (len(result.Problems) != 1 || result.Problems[0].Code != code):
			t.Errorf("%q: %+v, want %s", text, result.Problems, code)
		}
	}
}

// One person is one contact, however their number is written.
func TestFormsOfOnePersonAreOneContact(t *testing.T) {
	for name, forms := range map[string][]string{
		"Italy":     {"+39 347 123 4567", "347.123.4567", "0039 347/1234567", "'+393471234567", "tel:+39-347-1234567", "whatsapp:+393471234567", "https://wa.me/393471234567?text=ciao", "\u200e+39\u00a0347\u200b1234567", "+३९ ३४७ १२३ ४५६७"},
		"Brazil":    {"+55 11 98123-4567", "+55 11 8123-4567", "551181234567 ", "+55 (11) 98123.4567"},
		"Mexico":    {"+52 55 1234 5678", "+52 1 55 1234 5678", "0052 1 55 1234 5678"},
		"Argentina": {"+54 9 11 2345-6789", "+54 11 2345-6789", "+54 11 15 2345-6789", "wa.me/5491123456789"},
	} {
		o := options()
		if name == "Brazil" {
			o.Region = "BR"
		}
		var file strings.Builder
		file.WriteString("phone,name\n")
		for i, form := range forms {
			fmt.Fprintf(&file, "%s,%d\n", form, i)
		}
		sink, result := importContacts(t, file.String(), o)
		if len(sink.contacts) != 1 || result.Rejected != 0 || result.Repeated != len(forms)-1 || result.Counts.Added != 1 {
			t.Errorf("%s: %d contacts, %+v", name, len(sink.contacts), result)
		}
		for _, c := range sink.contacts {
			if *c.Name != fmt.Sprint(len(forms)-1) {
				t.Errorf("%s: the name is of row %s, want the last", name, *c.Name)
			}
		}
	}
}

// The text of a file does not depend on how it is encoded, nor on how it arrives.
func TestEncodingsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.StringMatching(`[A-Za-zàèéìòùßñçÅø€“”… "',;\n-]{1,20}`), 1, 8).Draw(t, "names")
		var file strings.Builder
		file.WriteString("phone,name\n")
		for i, name := range names {
			fmt.Fprintf(&file, "+39347%07d,\"%s\"\n", i, strings.ReplaceAll(name, `"`, `""`))
		}
		want := contactsOf(t, strings.NewReader("\ufeff"+file.String()))
		for name, in := range map[string]io.Reader{
			"UTF-16LE": strings.NewReader(utf16Text(binary.LittleEndian, "\ufeff"+file.String())),
			"UTF-16BE": iotest.OneByteReader(strings.NewReader(utf16Text(binary.BigEndian, "\ufeff"+file.String()))),
			"pipe":     iotest.OneByteReader(strings.NewReader("\ufeff" + file.String())),
		} {
			if got := contactsOf(t, in); got != want {
				t.Fatalf("%s: %s, want %s", name, got, want)
			}
		}
	})
}

func contactsOf(t interface{ Fatal(...any) }, in io.Reader) string {
	var got strings.Builder
	sink := contactsOnly(func(records []scheduler.ContactRecord) {
		for _, r := range records {
			name := ""
			if r.Name != nil {
				name = *r.Name
			}
			fmt.Fprintf(&got, "%s %q\n", string(r.Phone), name)
		}
	})
	if _, err := imports.Contacts(context.Background(), in, sink, options()); err != nil {
		t.Fatal(err)
	}
	return got.String()
}

// FuzzEncodings: a file in any encoding either is refused or adds up.
func FuzzEncodings(f *testing.F) {
	const list = "phone;name\n+393471234567;Nicolò\n"
	f.Add([]byte(utf16Text(binary.LittleEndian, "\ufeff"+list)))
	f.Add([]byte(utf16Text(binary.BigEndian, list)))
	f.Add([]byte(windows1252(f, list)))
	f.Add([]byte("sep=;\r\n" + list))
	f.Add([]byte("\xff\xfe\x3d\xd8p\x00h"))
	f.Add([]byte("phone\r+393471234567\r\x81"))
	f.Fuzz(func(t *testing.T, file []byte) {
		sink := newMemory()
		result, err := imports.Contacts(t.Context(), bytes.NewReader(file), sink, options())
		if err == nil && result.Rows != result.Rejected+result.Repeated+result.Counts.Added+result.Counts.Changed+result.Counts.Unchanged {
			t.Fatalf("%+v does not add up", result)
		}
		again, err2 := imports.Contacts(t.Context(), iotest.HalfReader(bytes.NewReader(file)), newMemory(), options())
		if (err == nil) != (err2 == nil) || err == nil && fmt.Sprint(result) != fmt.Sprint(again) {
			t.Fatalf("read in other pieces: %+v %v, then %+v %v", result, err, again, err2)
		}
	})
}
