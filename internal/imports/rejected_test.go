package imports_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/imports"
)

func TestRejectedFile(t *testing.T) {
	o := options()
	o.RejectedPath = filepath.Join(t.TempDir(), "contacts.csv.rejected.csv")
	const reason = "the phone number is too short; check that no digit and no area code is missing"
	sink, result := importContacts(t, "\ufeffphone;name;note\n"+
		"+393471234567;Anna;fine\n"+
		"12;=HYPERLINK(0);'@home\n"+
		"+393471234568;Bruno\n"+
		"'+393471234569;\"Carla\" Rossi;x\n"+
		"'+393471234570;Dario;x;y\n", o)
	if result.RejectedFile != o.RejectedPath || result.Rejected != 4 {
		t.Fatalf("result %+v, want 4 rejected rows in the file", result)
	}
	got := readFile(t, o.RejectedPath)
	want := "\ufeffphone;name;note;rejected_line;rejected_reason\n" +
		"12;'=HYPERLINK(0);'@home;3;\"" + reason + "\"\n" +
		"'+393471234568;Bruno;;4;\"the row has fewer cells than the header; it may have been cut off here, or a separator is missing\"\n" +
		"'+393471234569;\"\"\"Carla\"\" Rossi\";x;5;\"text follows the closing double quote of a cell; write a quote inside a cell twice\"\n" +
		"'+393471234570;Dario;x;6;\"the row has more cells than the header; put a cell that contains the separator into double quotes\";y\n"
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("file (-want +got):\n%s", diff)
	}
	if mode := fileMode(t, o.RejectedPath); mode != 0o600 {
		t.Errorf("mode %o, want it readable by its owner alone", mode)
	}

	mended := strings.ReplaceAll(got, "\n12;", "\n+393471234571;")
	mended = strings.ReplaceAll(mended, ";y\n", "\n")
	mended = strings.ReplaceAll(mended, `"""Carla"" Rossi"`, "Carla Rossi")
	second, err := imports.Contacts(t.Context(), strings.NewReader(mended), sink, options())
	if err != nil || second.Rejected != 0 || second.Counts.Added != 4 {
		t.Fatalf("mended: %+v, %v; want 4 added", second, err)
	}
	person := sink.contacts["+393471234571"]
	if *person.Name != "=HYPERLINK(0)" || person.Attributes["note"] != "@home" || len(person.Attributes) != 1 {
		t.Errorf("got %+v, want the cells as they were, without the guard and the added columns", person)
	}
}

func TestRejectedAgain(t *testing.T) {
	o := options()
	o.RejectedPath = filepath.Join(t.TempDir(), "again.csv")
	importContacts(t, "phone,name,rejected_line,rejected_reason\n12,Anna,7,old reason\n", o)
	want := "\ufeffphone,name,rejected_line,rejected_reason\n12,Anna,2,the phone number is too short; check that no digit and no area code is missing\n"
	if diff := gocmp.Diff(want, readFile(t, o.RejectedPath)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

func TestNoRejectedFileWithoutRejectedRows(t *testing.T) {
	o := options()
	o.RejectedPath = filepath.Join(t.TempDir(), "contacts.csv.rejected.csv")
	_, result := importContacts(t, "phone\n+393471234567\n", o)
	if result.RejectedFile != "" {
		t.Errorf("the result names %q", result.RejectedFile)
	}
	mustNotExist(t, o.RejectedPath)
}

func TestRejectedRowsThatCannotBeWritten(t *testing.T) {
	o := options()
	o.RejectedPath = filepath.Join(t.TempDir(), "no such folder", "x.csv")
	sink := newMemory()
	result, err := imports.Contacts(t.Context(), strings.NewReader("phone\n12\n+393471234567\n"), sink, o)
	if err == nil || !strings.HasPrefix(err.Error(), "writing the rejected rows: ") {
		t.Errorf("got %v", err)
	}
	if len(sink.contacts) != 1 || result.Rejected != 1 || result.RejectedFile != "" {
		t.Errorf("%d people, %+v; want the good row stored all the same", len(sink.contacts), result)
	}
}

func TestGuard(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "",
		"Anna":               "Anna",
		"=1+1":               "'=1+1",
		"+1":                 "'+1",
		"-1":                 "'-1",
		"@SUM(A1)":           "'@SUM(A1)",
		"\tx":                "'\tx",
		"\rx":                "'\rx",
		"+393471234567":      "'+393471234567",
		"\uff1d1+1":          "'\uff1d1+1",
		"\uff0b1":            "'\uff0b1",
		"\uff0d1":            "'\uff0d1",
		"\uff20x":            "'\uff20x",
		"\u00e8=1":           "\u00e8=1",
		"00123":              "'00123",
		"0":                  "0",
		"12345678901":        "12345678901",
		"393471234567":       "'393471234567",
		"12E4":               "'12E4",
		"12E4x":              "12E4x",
		"e":                  "e",
		"1990-05-01":         "1990-05-01",
		"'00123":             "''00123",
		"'":                  "'",
		"+39 347 1234567":    "'+39 347 1234567",
		"+3934712345678901":  "'+3934712345678901",
		"'=1":                "''=1",
		"'quoted'":           "'quoted'",
		"'+393471234567":     "''+393471234567",
		"+393471234567=cmd|": "'+393471234567=cmd|",
	} {
		if got := imports.Guard(text); got != want {
			t.Errorf("Guard(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestGuardComesOffAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`'{0,3}[=+\-@\t\r\x00\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]?[0-9a-z']{0,16}`), rapid.StringMatching(`'{0,2}[0-9]{0,14}[eE]?[0-9]{0,2}`)).Draw(t, "text")
		guarded := imports.Guard(text)
		if got := imports.Unguard(guarded); got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
		if first := strings.IndexAny(guarded, "=+-@\t\r\x00"); first == 0 {
			t.Fatalf("%q still begins like a formula", guarded)
		}
	})
}

// What is rejected comes back whole, whatever is in its cells.
func TestRejectedCellsComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rejected.csv")
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`['=+@a-z",;\n-]{0,12}`).Draw(t, "name")
		var b strings.Builder
		out := csv.NewWriter(&b)
		out.WriteAll([][]string{{"phone", "name"}, {"12", imports.Guard(name)}})
		o := options()
		o.RejectedPath = path
		result, err := imports.Contacts(t.Context(), strings.NewReader(b.String()), newMemory(), o)
		if err != nil || result.Rejected != 1 {
			t.Fatalf("%+v, %v", result, err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sink := newMemory()
		if _, err := imports.Contacts(t.Context(), strings.NewReader(strings.Replace(string(text), "\n12,", "\n+393471234567,", 1)), sink, options()); err != nil {
			t.Fatal(err)
		}
		got := ""
		if n := sink.contacts["+393471234567"].Name; n != nil {
			got = *n
		}
		if got != strings.TrimSpace(name) {
			t.Fatalf("%q came back as %q through\n%s", name, got, text)
		}
	})
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func fileMode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func mustLink(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}
