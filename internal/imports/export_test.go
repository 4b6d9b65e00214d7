package imports_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/scheduler"
)

// anyText is what a cell may hold and mean something else in a spreadsheet. Import takes the blanks around a cell off.
func anyText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		text := rapid.OneOf(
			rapid.StringMatching(`['"=+\-@\t,;\n ]{0,3}[A-Za-z0-9àßИ中 ,;'"=\n-]{0,12}`),
			rapid.SampledFrom([]string{"", "=1+1", "'=1", "''", "'", "+393471234567", "3.93E+11", "00123", "🇮🇹 👩‍💻", "＝SUM(A1)", "＋1", "\"", "a\nb", "a\n\n\"b\"", "#N/A", "TRUE", "\ufeffx", "sep=;"}),
			rapid.String(),
		).Draw(t, "text")
		text = strings.NewReplacer("\x00", "", "\r\n", "\n").Replace(strings.ToValidUTF8(text, ""))
		return strings.TrimSpace(text)
	})
}

func anyContacts(t *rapid.T) []scheduler.Contact {
	names := []string{"points", "birthday", "phone", "name", "rejected_line", "external_id", "e_mail"}
	seen := map[phone.Number]bool{}
	var people []scheduler.Contact
	for i := range rapid.IntRange(1, 8).Draw(t, "people") {
		c := scheduler.Contact{
			Phone: phone.Number(fmt.Sprintf("+3934%08d", rapid.IntRange(70_000_000, 79_999_999).Draw(t, fmt.Sprint("phone", i)))),
			Name:  anyText().Draw(t, "name"), Language: rapid.SampledFrom([]string{"", "it", "pt-BR"}).Draw(t, "language"),
			Zone: rapid.SampledFrom([]string{"", "Europe/Rome"}).Draw(t, "zone"), ExternalID: anyText().Draw(t, "id"),
			Attributes: map[string]string{},
		}
		for _, tag := range rapid.SliceOfN(anyText(), 0, 3).Draw(t, "tags") {
			if tag = strings.TrimSpace(strings.ReplaceAll(tag, ";", "")); tag != "" && !slices.Contains(c.Tags, tag) {
				c.Tags = append(c.Tags, tag)
			}
		}
		slices.Sort(c.Tags)
		for _, name := range names {
			if text := anyText().Draw(t, name); text != "" {
				c.Attributes[name] = text
			}
		}
		if c.Attributes["birthday"] != "" {
			c.Attributes["birthday"] = "1990-05-01"
		}
		if !seen[c.Phone] {
			people = append(people, c)
		}
		seen[c.Phone] = true
	}
	return people
}

func exported(t interface{ Fatal(...any) }, people []scheduler.Contact) string {
	named := map[string]bool{}
	for _, c := range people {
		for name := range c.Attributes {
			named[name] = true
		}
	}
	var out bytes.Buffer
	w := imports.NewContactWriter(&out, slices.Sorted(maps.Keys(named)))
	for _, c := range people {
		if err := w.Write(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestImportOfExportIsTheSame(t *testing.T) {
	o := options()
	o.Attributes = map[string]scheduler.AttributeType{"birthday": scheduler.AttributeDate, "points": scheduler.AttributeNumber}
	rapid.Check(t, func(t *rapid.T) {
		people := anyContacts(t)
		file := exported(t, people)
		sink := newMemory()
		result, err := imports.Contacts(context.Background(), strings.NewReader(file), sink, o)
		if err != nil || result.Counts.Added != len(people) || len(result.Warnings) != 0 {
			t.Fatalf("%+v, %v\n%s", result, err, file)
		}
		for _, want := range people {
			r := sink.contacts[want.Phone]
			got := scheduler.Contact{Phone: r.Phone, Tags: r.Tags, Attributes: r.Attributes}
			for _, field := range []struct {
				to   *string
				from *string
			}{{&got.Name, r.Name}, {&got.Language, r.Language}, {&got.Zone, r.Zone}, {&got.ExternalID, r.ExternalID}} {
				if field.from != nil {
					*field.to = *field.from
				}
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Fatalf("(-exported +imported):\n%s\n%s", diff, file)
			}
		}
		again, err := imports.Contacts(context.Background(), strings.NewReader(file), sink, o)
		if err != nil || again.Counts.Unchanged != len(people) || again.Counts.Changed+again.Counts.Added != 0 {
			t.Fatalf("imported again: %+v, %v", again, err)
		}
	})
}

// No cell of an export runs as a formula or is shown as a rounded number.
func TestExportsSurviveSpreadsheets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file := exported(t, anyContacts(t))
		if !strings.HasPrefix(file, "\ufeffphone,name,language,timezone,external_id,tags") {
			t.Fatalf("%.80q", file)
		}
		rows, err := csv.NewReader(strings.NewReader(file)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			if !strings.HasPrefix(row[0], "'+39") {
				t.Fatalf("a phone number is %q", row[0])
			}
			for _, text := range row {
				if text != "" && strings.ContainsRune("=+-@\t\r＝＋－＠", []rune(text)[0]) {
					t.Fatalf("a cell begins like a formula: %q", text)
				}
			}
		}
	})
}

func TestAnExportThatCannotBeWritten(t *testing.T) {
	full := errors.New("no space left")
	w := imports.NewContactWriter(failingWriter{full}, nil)
	if err := errors.Join(w.Write(scheduler.Contact{}), w.Flush()); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

func TestRejectedPath(t *testing.T) {
	for path, want := range map[string]string{
		"list.csv":                         "list.csv.rejected.csv",
		"list.xlsx":                        "list.xlsx.rejected.csv",
		"a/list.csv.rejected.csv":          "a/list.csv.rejected.2.csv",
		"a/list.csv.rejected.2.csv":        "a/list.csv.rejected.3.csv",
		"list.csv.rejected.99.csv":         "list.csv.rejected.100.csv",
		"a.rejected.2/list.csv":            "a.rejected.2/list.csv.rejected.csv",
		"list.rejected.old.csv":            "list.rejected.old.csv.rejected.csv",
		".rejected.csv":                    ".rejected.csv.rejected.csv",
		"list.rejected.1.csv.rejected.csv": "list.rejected.1.csv.rejected.2.csv",
	} {
		if got := imports.RejectedPath(path); got != want || got == path {
			t.Errorf("RejectedPath(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestARejectedFileWritesIntoNothingElse(t *testing.T) {
	o := options()
	folder := t.TempDir()
	precious := folder + "/precious"
	o.RejectedPath = folder + "/list.csv.rejected.csv"
	mustWrite(t, precious, "keep me")
	mustLink(t, precious, o.RejectedPath)
	importContacts(t, "phone\n12\n", o)
	if got := readFile(t, precious); got != "keep me" {
		t.Errorf("what the name pointed to is now %q", got)
	}
	if mode := fileMode(t, o.RejectedPath); mode != 0o600 || !strings.Contains(readFile(t, o.RejectedPath), "12") {
		t.Errorf("mode %o", mode)
	}
}
