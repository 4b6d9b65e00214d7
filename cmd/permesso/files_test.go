package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/scheduler"
)

// contactsOf lists everybody on record, without what each installation makes up for itself.
func contactsOf(w *world) map[string]map[string]any {
	people := map[string]map[string]any{}
	for _, c := range w.lines("contacts", "export") {
		delete(c, "user_id")
		people[c["phone"].(string)] = c
	}
	return people
}

// Who is exported from one installation and imported into an empty one is the same there, whatever is in the cells.
func TestImportOfExportIsTheSame(t *testing.T) {
	nasty := []string{
		"=1+1", "'=1", "''", "+1", "-1", "@x", "＝1", "00123", "393471234567", "12E4", "\"quoted\"", "a\nb", "a;b", "a,b", "O'Hara", "🇮🇹 emoji", "#N/A", "'00123", "''=x",
		"", "\ufeffmark", "sep=;", "TRUE", "1990-05-01", "right\u200fto left",
	}
	texts := rapid.OneOf(rapid.SampledFrom(nasty), rapid.StringMatching(`['"=+@;, A-Za-z0-9é-]{0,12}`))
	var file strings.Builder
	w := imports.NewContactWriter(&file, []string{"birthday", "name", "note", "points", "rejected_line"})
	for i := range 300 {
		text := func(n int) string { return strings.TrimSpace(texts.Example(i*10 + n)) }
		c := scheduler.Contact{
			Phone: phone.Number(phoneOf(i)), Name: text(1), ExternalID: text(2), Language: []string{"", "it", "pt-BR"}[i%3], Zone: []string{"", "Europe/Rome"}[i%2],
			Tags:       []string{strings.ReplaceAll(text(3), ";", ""), "vip"},
			Attributes: map[string]string{"name": text(4), "note": text(5), "rejected_line": text(6), "points": fmt.Sprint(i), "birthday": "1990-05-01"},
		}
		if i < len(nasty) {
			c.Name, c.ExternalID, c.Attributes["note"] = nasty[i], nasty[i], nasty[i]
		}
		if err := w.Write(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	first, second := newWorld(t), newWorld(t)
	if r := first.object("contacts", "import", first.write("made.csv", file.String())); r["added"] != 300.0 {
		t.Fatalf("%v", r)
	}
	exported := first.must("contacts", "export")
	if r := second.object("contacts", "import", second.write("exported.csv", exported)); r["added"] != 300.0 || r["rejected"] != 0.0 {
		t.Fatalf("%v", r)
	}
	want := contactsOf(first)
	if diff := gocmp.Diff(want, contactsOf(second)); diff != "" || len(want) != 300 {
		t.Errorf("(-exported +imported):\n%s", diff)
	}
	if got := want[phoneOf(1)]; got["name"] != "'=1" {
		t.Errorf("a name that begins with an apostrophe is %q", got["name"])
	}
	if r := first.object("contacts", "import", first.write("exported.csv", exported)); r["unchanged"] != 300.0 || r["changed"] != 0.0 {
		t.Errorf("imported where it came from: %v", r)
	}
}

func filesIn(t *testing.T, w *world) []string {
	t.Helper()
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestADryRunWritesNothing(t *testing.T) {
	w := newWorld(t)
	var text strings.Builder
	text.WriteString("phone,name,language\n+393471000777,Good,it\n")
	for range 13 {
		text.WriteString("abc,Bad,it\n")
	}
	text.WriteString("+393471000778,Odd,italiano\n+393471000777,Again,it\n")
	path := w.write("mixed.csv", text.String())
	before := filesIn(t, w)
	out := w.must("contacts", "import", path, "--dry-run")
	for _, part := range []string{
		"16 rows: 2 good, 14 rejected, 1 of people met again below", "dry run", "13 rows: the phone number contains letters; write it in digits [phone_letters]",
		"lines 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 3 more", `1 row: the language is unknown; write its BCP 47 code, such as it or pt-BR [row_language_unknown]`, `line 16`,
	} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in\n%s", part, out)
		}
	}
	said := w.object("contacts", "import", path, "--dry-run")
	if after := filesIn(t, w); !slices.Equal(before, after) {
		t.Errorf("the folder has %v, had %v", after, before)
	}
	problems := said["problems"].([]any)
	if len(problems) != 2 || said["dry_run"] != true || fmt.Sprint(said["by_reason"]) != "map[phone_letters:13 row_language_unknown:1]" || said["rejected_file"] != "" {
		t.Fatalf("%v", said)
	}
	first := problems[0].(map[string]any)
	if first["reason"] != "phone_letters" || first["count"] != 13.0 || len(first["rows"].([]any)) != 10 {
		t.Errorf("%v", first)
	}
	if second := fmt.Sprint(problems[1].(map[string]any)["rows"]); second != "[map[column:language line:16 value:italiano]]" {
		t.Errorf("%v", second)
	}
	// A run for good tells the same.
	real := w.object("contacts", "import", path)
	for _, key := range []string{"rows", "rejected", "by_reason", "problems", "repeated", "format", "encoding"} {
		if fmt.Sprint(real[key]) != fmt.Sprint(said[key]) {
			t.Errorf("%s: %v, the dry run said %v", key, real[key], said[key])
		}
	}
}

// What is rejected is mended in its file and imported from there, as often as it takes.
func TestRejectedRowsAreMended(t *testing.T) {
	w := newWorld(t)
	path := w.write("list.csv", "phone;name;note\n+393471000700;Anna;\n12;Bruno;=1\nabc;Carla;'x\n+393471000703;\"Dario\" Rossi;\n")
	if r := w.object("contacts", "import", path); r["added"] != 1.0 || r["rejected"] != 3.0 || r["rejected_file"] != path+".rejected.csv" {
		t.Fatalf("%v", r)
	}
	mend := func(file string, changes ...string) {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		mended := strings.NewReplacer(changes...).Replace(string(text))
		if mended == string(text) {
			t.Fatalf("nothing to mend in\n%s", text)
		}
		if err := os.WriteFile(file, []byte(mended), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mend(path+".rejected.csv", "\n12;", "\n393471000701;", `"""Dario"" Rossi"`, "Dario Rossi")
	half, err := os.ReadFile(path + ".rejected.csv")
	if err != nil {
		t.Fatal(err)
	}
	second := w.object("contacts", "import", path+".rejected.csv")
	if second["added"] != 2.0 || second["rejected"] != 1.0 || second["rejected_file"] != path+".rejected.2.csv" {
		t.Fatalf("%v", second)
	}
	if now, err := os.ReadFile(path + ".rejected.csv"); err != nil || string(now) != string(half) {
		t.Errorf("the file that was read is now %q, %v", now, err)
	}
	mend(path+".rejected.2.csv", "abc;", "3471000702;")
	third := w.object("contacts", "import", path+".rejected.2.csv")
	if third["added"] != 1.0 || third["rejected"] != 0.0 || third["rejected_file"] != "" {
		t.Fatalf("%v", third)
	}
	people := contactsOf(w)
	if len(people) != 4 {
		t.Errorf("%d people", len(people))
	}
	for number, want := range map[string]string{
		"+393471000701": "Bruno map[note:=1]", "+393471000702": "Carla map[note:'x]", "+393471000703": "Dario Rossi map[]",
	} {
		if got := fmt.Sprint(people[number]["name"], " ", people[number]["attributes"]); got != want {
			t.Errorf("%s is %s, want %s", number, got, want)
		}
	}
}

func TestFilesOfSpreadsheets(t *testing.T) {
	w := newWorld(t)
	w.edit("attributes: {points: number}", "attributes: {points: number, birthday: date}")
	path := w.write("vecchio.csv", "phone;name;birthday\r\n3471000777;Nicol\xf2;1990-05-01\r\n3471000778;Anna;01/02/1990\r\n")
	if out := w.must("contacts", "import", path, "--dry-run"); !strings.Contains(out, "read as Windows-1252\n") {
		t.Errorf("the encoding is not said:\n%s", out)
	}
	if r := w.object("contacts", "import", path); r["encoding"] != "Windows-1252" || r["format"] != "csv" || fmt.Sprint(r["by_reason"]) != "map[row_date_ambiguous:1]" {
		t.Errorf("%v", r)
	}
	if shown := w.object("contacts", "show", "+393471000777"); shown["name"] != "Nicolò" {
		t.Errorf("the name is %q", shown["name"])
	}

	f := excelize.NewFile()
	if err := f.SetSheetName("Sheet1", "Clienti"); err != nil {
		t.Fatal(err)
	}
	for i, row := range [][]any{{"Phone", "Name"}, {393471000790, "Bruno"}, {12, "Carla"}} {
		if err := f.SetSheetRow("Clienti", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	book := w.path("a workbook without its ending")
	out, err := os.Create(book)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(out); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if told := w.must("contacts", "import", book, "--dry-run"); !strings.Contains(told, `read from the sheet "Clienti"`) || !strings.Contains(told, "line 3") {
		t.Errorf("the sheet is not said:\n%s", told)
	}
	r := w.object("contacts", "import", book)
	if _, coded := r["encoding"]; coded || r["format"] != "xlsx" || r["sheet"] != "Clienti" || r["added"] != 1.0 || r["rejected_file"] != book+".rejected.csv" {
		t.Errorf("%v", r)
	}
	if keys := slices.Sorted(maps.Keys(r)); !slices.Contains(keys, "problems") {
		t.Errorf("%v", keys)
	}
	w.write("broken.xlsx", "PK\x03\x04 and nothing more")
	if a := w.run("contacts", "import", w.path("broken.xlsx")); a.code != 1 || strings.Count(a.err, "\n") != 1 || !strings.Contains(a.err, "the workbook is damaged") {
		t.Errorf("exit %d: %s", a.code, a.err)
	}
}

// The forms of one person's number are one contact, and one line of an export.
func TestFormsOfOnePersonAreOneContact(t *testing.T) {
	w := newWorld(t)
	path := w.write("forms.csv", "phone,name\n+55 11 8123-4567,Ana\n+52 1 55 1234 5678,Luis\n+54 11 15 2345-6789,Sol\n")
	w.must("contacts", "import", path)
	again := w.write("again.csv", "phone,name\n+55 11 98123-4567,Ana Maria\nwa.me/525512345678,Luis M.\n+54 9 11 2345-6789,Sol\n")
	if r := w.object("contacts", "import", again); r["added"] != 0.0 {
		t.Errorf("%v", r)
	}
	if people := contactsOf(w); len(people) != 3 {
		t.Errorf("%d contacts: %v", len(people), slices.Sorted(maps.Keys(people)))
	}
	if shown := w.object("contacts", "show", "+551181234567"); shown["name"] != "Ana Maria" {
		t.Errorf("%v", shown)
	}
}

// The examples of the page on files are imported as they stand there.
func TestExamplesOfThePageOnFiles(t *testing.T) {
	page, err := os.ReadFile("../../docs/FILES.md")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.edit("attributes: {points: number}", "attributes: {points: number, birthday: date}")
	seen := 0
	for _, block := range strings.Split(string(page), "```csv ")[1:] {
		verb, text, _ := strings.Cut(block, "\n")
		text, _, _ = strings.Cut(text, "```")
		seen++
		r := w.object(verb, "import", w.write(verb+".csv", text))
		if r["added"] != 2.0 || r["rejected"] != 0.0 || r["warnings"] != nil && verb != "consent" {
			t.Errorf("%s: %v", verb, r)
		}
	}
	if seen != 3 {
		t.Errorf("%d examples, want 3", seen)
	}
	told := w.must("contacts", "import", "--dry-run", w.write("letters.csv", "phone\n+393471234567\n"+strings.Repeat("347 CALL ME\n", 13)))
	for _, line := range regexp.MustCompile(`(?m)^ {4}((?:13 rows|  lines).*)$`).FindAllStringSubmatch(string(page), -1) {
		if seen++; !strings.Contains(told, line[1]+"\n") {
			t.Errorf("the page has %q, an import says\n%s", line[1], told)
		}
	}
	if seen != 5 {
		t.Errorf("%d lines of rejections, want 2", seen-3)
	}
}
