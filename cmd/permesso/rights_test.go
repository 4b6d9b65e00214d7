package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestErase erases somebody as an operator does, and looks for them in every file of the installation but those that the operator wrote.
func TestErase(t *testing.T) {
	w := filled(t)
	who := phoneOf(23)
	w.must("templates", "sync")
	w.must("run", "weekend-offer")
	w.must("suppress", "add", who, "--reason", "Person 23 was angry")
	w.unclear(map[string]string{who: "make it stop please, says Person 23"})

	file := w.object("contacts", "export", "--phone", who)
	contact := file["contact"].(map[string]any)
	proof := file["consents"].(map[string]any)
	if contact["name"] != "Person 23" || len(proof["events"].([]any)) != 2 || len(proof["suppressions"].([]any)) == 0 || len(file["deliveries"].([]any)) != 1 ||
		len(file["imports"].([]any)) != 1 || file["review"] == nil || len(file["identifiers"].([]any)) == 0 {
		t.Errorf("the file of a person is %v", file)
	}
	if a := w.run("contacts", "export", "--phone", "+393479999999"); a.code != exitFailed || !strings.Contains(a.err, "nobody on record") {
		t.Errorf("a stranger's file: %d %s", a.code, a.err)
	}

	if !audited(t, w, "the file of one person: 1 deliveries") {
		t.Error("the audit log does not say that the file was handed out")
	}
	done := w.object("contacts", "erase", who, "--reason", "asked by "+who+" in a letter")
	if done["deliveries"] != 1.0 || done["suppressions"] == 0.0 {
		t.Errorf("erase says %v", done)
	}
	for _, text := range []string{who[1:], who[3:], "Person 23", "form-23\x00", "c23\"", "make it stop", "was angry"} {
		for _, name := range w.holding(text) {
			t.Errorf("%q is still in %s", text, name)
		}
	}
	if got := w.findings(); len(got) > 0 {
		t.Errorf("the ledger: %q", got)
	}
	if again := w.object("contacts", "import", w.path("contacts.csv")); again["added"] != 0.0 || again["unchanged"] != float64(people) {
		t.Errorf("a re-import did %v", again)
	}
	w.must("consent", "import", w.path("consents.csv"))
	for _, name := range w.holding(who[1:]) {
		t.Errorf("a re-import brought the number back into %s", name)
	}
	if out := w.must("explain", "weekend-offer", who); !strings.Contains(out, "erased") {
		t.Errorf("explain says %s", out)
	}
	shown := w.object("contacts", "show", who)
	if shown["erased"] != true || len(shown["suppressions"].([]any)) == 0 {
		t.Errorf("show says %v", shown)
	}
	if a := w.run("contacts", "erase", "--user-id", "IT.1"); a.code != exitFailed || !strings.Contains(a.err, "nobody on record") {
		t.Errorf("a stranger: %d %s", a.code, a.err)
	}
	if a := w.run("contacts", "erase"); a.code != 2 {
		t.Errorf("nobody named: %d %s", a.code, a.err)
	}
	if !audited(t, w, "asked by +(erased) in a letter") {
		t.Error("the audit log does not say why somebody was erased")
	}
}

// holding lists the files of the installation that have a text, but those that were written for it.
func (w *world) holding(text string) (names []string) {
	w.t.Helper()
	err := filepath.WalkDir(w.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".csv") || strings.HasSuffix(path, ".yaml") {
			return err
		}
		raw, err := os.ReadFile(path)
		if strings.Contains(string(raw), text) {
			names = append(names, strings.TrimPrefix(path, w.dir))
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return names
}
