package main

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/config"
)

func TestSchemaIsPrinted(t *testing.T) {
	want, err := os.ReadFile("../../docs/config.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	nowhere := &world{t: t, dir: t.TempDir(), env: map[string]string{}}
	for _, line := range []string{"schema", "schema --json", "schema --quiet"} {
		if got := nowhere.must(strings.Fields(line)...); got != string(want) {
			t.Errorf("permesso %s prints %d bytes, not the %d of docs/config.schema.json", line, len(got), len(want))
		}
	}
	if a := nowhere.run("schema", "more"); a.code != exitWrongUse {
		t.Errorf("an argument too many: %d %s", a.code, a.err)
	}
}

// namedSchema is the schema that the first line of a file names; editors find it without a network.
func namedSchema(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := bufio.ScanLines(text, true)
	first := string(text[:max(line-1, 0)])
	path, named := strings.CutPrefix(first, config.SchemaLine(""))
	if !named {
		t.Fatalf("the first line of %s names no schema: %q", file, first)
	}
	return filepath.Join(filepath.Dir(file), path)
}

func TestWhatIsWrittenNamesItsSchema(t *testing.T) {
	want, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), env: map[string]string{}}
	w.must("init")
	d, err := app.OpenDemo(t.Context(), t.TempDir(), newSession(nil, nil, &bytes.Buffer{}, os.LookupEnv).logger(logProblems))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for _, file := range []string{w.path("config.yaml"), filepath.Join(d.Dir, "config.yaml"), "../../config.yaml"} {
		if got, err := os.ReadFile(namedSchema(t, file)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s names a schema that is not this version's: %v", file, err)
		}
	}
}

func TestInitRenewsItsSchemaAndNobodyElses(t *testing.T) {
	want, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, there, flag string
		code              int
		replaced          bool
	}{
		{"an older one", `{"title": "Configuration of permesso", "type": "object"}`, "", exitDone, true},
		{"another program's", `{"title": "Configuration of a bakery"}`, "", exitFailed, false},
		{"no schema at all", "my notes", "", exitFailed, false},
		{"another program's, by force", `{"title": "Configuration of a bakery"}`, "--force", exitDone, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{t: t, dir: t.TempDir(), env: map[string]string{}}
			w.write(config.SchemaFile, c.there)
			a := w.run(strings.Fields("init " + c.flag)...)
			got, err := os.ReadFile(w.path(config.SchemaFile))
			if a.code != c.code || err != nil || c.replaced != bytes.Equal(got, want) || !c.replaced && string(got) != c.there {
				t.Errorf("exit %d %s: %s, %v", a.code, a.err, got, err)
			}
			if _, err := os.Stat(w.path("config.yaml")); (err == nil) != (c.code == exitDone) {
				t.Errorf("config.yaml: %v", err)
			}
		})
	}
	folder := &world{t: t, dir: t.TempDir(), env: map[string]string{}}
	if err := os.Mkdir(folder.path(config.SchemaFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if a := folder.run("init"); a.code != exitFailed || !strings.Contains(a.err, config.SchemaFile) {
		t.Errorf("a folder in its place: %d %s", a.code, a.err)
	}
}
