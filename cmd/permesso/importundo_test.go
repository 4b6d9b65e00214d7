package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/scheduler"
)

// An import says its id, in words and as JSON; the id is listed, and takes back what the import did.
func TestUndoAnImport(t *testing.T) {
	w := filled(t)
	before := w.must("contacts", "export")
	w.write("more.csv", "phone,name,tags\n+393471000777,New,autumn\n"+phoneOf(1)+",Other name,autumn\n")
	if a := w.run("contacts", "import", w.path("more.csv"), "--dry-run", "--json"); a.code != 0 || strings.Contains(a.out, `"import"`) {
		t.Errorf("a dry run: %d %s%s", a.code, a.out, a.err)
	}
	said := w.must("contacts", "import", w.path("more.csv"))
	line := strings.SplitN(w.must("contacts", "imports", "--json"), "\n", 2)[0]
	noted := struct {
		ID, Kind, File, SHA256, Actor string
		Added, Changed                int
	}{}
	if err := json.Unmarshal([]byte(line), &noted); err != nil {
		t.Fatal(err)
	}
	if noted.Kind != "contacts" || noted.File != "more.csv" || len(noted.SHA256) != 64 || noted.Actor != "ada" || noted.Added != 1 || noted.Changed != 1 {
		t.Errorf("listed as %s", line)
	}
	if !strings.Contains(said, "import "+noted.ID) {
		t.Errorf("the import says nothing of its id %s:\n%s", noted.ID, said)
	}
	if list := w.must("contacts", "imports"); strings.Count(list, "\n") != 4 || !strings.Contains(list, "consents.csv") || !strings.Contains(list, "done") {
		t.Errorf("the list of a dry run and three imports:\n%s", list)
	}
	if said := w.must("contacts", "import", "--undo", noted.ID); !strings.Contains(said, "1 contact removed, 1 restored, 0 kept") {
		t.Errorf("undoing says %q", said)
	}
	if after := w.must("contacts", "export"); after != before {
		t.Errorf("after the undo the contacts are\n%s\nwant\n%s", after, before)
	}
	if again := w.object("contacts", "import", "--undo", noted.ID); again["already_undone"] != true {
		t.Errorf("undoing twice answers %v", again)
	}
	if list := w.must("contacts", "imports"); !strings.Contains(list, "undone") {
		t.Errorf("the list after the undo:\n%s", list)
	}

	first := w.object("contacts", "import", w.path("more.csv"))
	second := w.object("contacts", "import", w.path("more.csv"))
	if first["import"] == second["import"] || second["added"] != 0.0 || second["changed"] != 0.0 {
		t.Errorf("the same file again: %v, then %v", first, second)
	}
	consents := w.object("consent", "import", w.path("consents.csv"))["import"].(string)
	for _, c := range []struct {
		line, says string
		code       int
	}{
		{"contacts import --undo i20261121-1800-nobody", first["import"].(string), exitWrongUse},
		{"contacts import --undo " + consents, "a record, which no undo takes back", exitWrongUse},
		{"contacts import --undo " + consents + " more.csv", "one argument too many", exitWrongUse},
		{"contacts import --undo " + consents + " --dry-run", "--dry-run is for importing", exitWrongUse},
		{"contacts imports --limit -1", "--limit -1", exitWrongUse},
		{"contacts import", "FILE is missing", exitWrongUse},
	} {
		if a := w.run(strings.Fields(c.line)...); a.code != c.code || !strings.Contains(a.err, c.says) {
			t.Errorf("%s: exit %d, says\n%s\nwant %d and %q", c.line, a.code, a.err, c.code, c.says)
		}
	}
}

// What an import that failed half way has stored is under its id.
func TestAnImportThatFailsSaysItsID(t *testing.T) {
	w := newWorld(t)
	if a := w.run("contacts", "import", "--undo", "i1"); a.code != exitWrongUse || !strings.Contains(a.err, "nothing was imported yet") {
		t.Errorf("undo in an empty database: %d %s", a.code, a.err)
	}
	if hint := undoHint(imported{noun: "consents"}, "i1", resultOf(1)); hint != nil {
		t.Errorf("consents cannot be taken back, and yet: %v", hint)
	}
	if hint := undoHint(imported{noun: "contacts"}, "i1", resultOf(0)); hint != nil {
		t.Errorf("nothing was stored, and yet: %v", hint)
	}
	if hint := undoHint(imported{noun: "contacts"}, "i1", resultOf(1)); hint == nil || !strings.Contains(hint.Error(), "--undo i1") {
		t.Errorf("the hint is %v", hint)
	}
}

func resultOf(added int) imports.Result {
	return imports.Result{Counts: scheduler.ImportCounts{Added: added}}
}
