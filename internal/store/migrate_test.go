package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/migrations"
)

// catalogueOf writes down a database's tables, one line per column and index, alike for both databases: bytes, integer and
// text are the types that the store knows.
func catalogueOf(t *testing.T, db *sqlx.DB) string {
	t.Helper()
	columns := `SELECT m.name || '.' || c.name || ' ' || CASE c.type WHEN 'BLOB' THEN 'bytes' WHEN 'INTEGER' THEN 'integer' WHEN 'TEXT' THEN 'text' ELSE c.type END ||
		CASE WHEN c."notnull" = 1 THEN ' not null' ELSE '' END || CASE WHEN c.dflt_value IS NOT NULL THEN ' default' ELSE '' END
		FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'goose%' AND m.name NOT LIKE 'sqlite%'`
	indexes := `SELECT 'index ' || name || CASE WHEN sql LIKE '%UNIQUE%' THEN ' unique' ELSE '' END || CASE WHEN sql LIKE '% WHERE %' THEN ' partial' ELSE '' END
		FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND name NOT LIKE 'goose%'`
	keys := `SELECT 'key ' || m.name || ' ' || group_concat(c.name, ' ' ORDER BY c.pk) FROM sqlite_master m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND c.pk > 0 AND m.name NOT LIKE 'goose%' AND m.name NOT LIKE 'sqlite%' GROUP BY m.name`
	if db.DriverName() == "postgres" {
		columns = `SELECT table_name || '.' || column_name || ' ' || CASE data_type WHEN 'bytea' THEN 'bytes' WHEN 'bigint' THEN 'integer' ELSE data_type END ||
			CASE WHEN is_nullable = 'NO' THEN ' not null' ELSE '' END || CASE WHEN column_default IS NOT NULL THEN ' default' ELSE '' END
			FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'goose%'`
		indexes = `SELECT 'index ' || i.relname || CASE WHEN x.indisunique THEN ' unique' ELSE '' END || CASE WHEN x.indpred IS NOT NULL THEN ' partial' ELSE '' END
			FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = 'public' AND NOT x.indisprimary AND c.relname NOT LIKE 'goose%'`
		keys = `SELECT 'key ' || c.relname || ' ' || string_agg(a.attname, ' ' ORDER BY array_position(x.indkey, a.attnum)) FROM pg_index x
			JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(x.indkey)
			WHERE n.nspname = 'public' AND x.indisprimary AND c.relname NOT LIKE 'goose%' GROUP BY c.relname`
	}
	var all []string
	for _, query := range []string{columns, indexes, keys} {
		var lines []string
		if err := db.SelectContext(t.Context(), &lines, query); err != nil {
			t.Fatal(err)
		}
		all = append(all, lines...)
	}
	slices.Sort(all)
	return strings.Join(all, "\n") + "\n"
}

// Both databases have the tables of testdata/catalogue.txt, and so those of each other. PERMESSO_UPDATE=1 writes the file anew.
func TestCataloguesAreEqual(t *testing.T) {
	const golden = "testdata/catalogue.txt"
	storetest.Bare(t, func(t *testing.T, target string) {
		storetest.Open(t, target)
		got := catalogueOf(t, storetest.SQL(t, target))
		if os.Getenv("PERMESSO_UPDATE") == "1" {
			if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("the tables are others than %s says; if they are meant to be, write it anew with PERMESSO_UPDATE=1 (-want +got):\n%s", golden, diff)
		}
	})
}

// A migration is there for both databases, under the same number and name.
func TestMigrationsComeInPairs(t *testing.T) {
	names := func(folder string) (list []string) {
		entries, err := fs.ReadDir(migrations.Files(), folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			list = append(list, e.Name())
		}
		return list
	}
	if diff := cmp.Diff(names("sqlite"), names("postgres")); diff != "" {
		t.Errorf("migrations of sqlite and postgres (-sqlite +postgres):\n%s", diff)
	}
	for i, name := range names("sqlite") {
		if want := fmt.Sprintf("%04d_", i+1); !strings.HasPrefix(name, want) {
			t.Errorf("migration %s is out of line, want %s", name, want)
		}
	}
}

func TestMigrate(t *testing.T) {
	storetest.Bare(t, func(t *testing.T, target string) {
		for range 2 { // looking leaves nothing behind
			if stands, err := store.Stands(t.Context(), target); err != nil || stands {
				t.Errorf("an empty database stands: %t, %v", stands, err)
			}
		}
		before, err := store.Migrations(t.Context(), target)
		if err != nil || len(before) == 0 || before[0].Applied {
			t.Fatalf("an empty database: %+v, %v", before, err)
		}
		applied, err := store.Migrate(t.Context(), target)
		if err != nil || len(applied) != len(before) {
			t.Errorf("Migrate = %+v, %v", applied, err)
		}
		if again, err := store.Migrate(t.Context(), target); err != nil || len(again) != 0 {
			t.Errorf("Migrate again = %+v, %v; want nothing to do", again, err)
		}
		if stands, err := store.Stands(t.Context(), target); err != nil || !stands {
			t.Errorf("a migrated database stands: %t, %v", stands, err)
		}
		after, err := store.Migrations(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range after {
			if !m.Applied || m.Version != before[i].Version || m.Name == "" {
				t.Errorf("migration %+v after Migrate", m)
			}
		}
		storetest.Open(t, target)
	})
}

// Several processes start on one empty database: it is migrated once, and they agree on whose it is.
func TestManyOpenAnEmptyDatabase(t *testing.T) {
	storetest.Bare(t, func(t *testing.T, target string) {
		const processes = 4
		stores, failures := make(chan *store.Store, processes), make(chan error, processes)
		for range processes {
			go func() {
				s, err := store.Open(t.Context(), target)
				stores <- s
				failures <- err
			}()
		}
		instances := map[string]bool{}
		for range processes {
			if err := <-failures; err != nil {
				t.Errorf("Open: %v", err)
			}
			if s := <-stores; s != nil {
				instances[s.Instance()] = true
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		if len(instances) != 1 {
			t.Errorf("%d instances live in one database", len(instances))
		}
	})
}

func TestANewerDatabaseIsRefused(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, err := store.Open(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		db := storetest.SQL(t, target)
		newer := "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"
		if db.DriverName() == "postgres" {
			newer = "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)"
		}
		if _, err := db.ExecContext(t.Context(), newer); err != nil {
			t.Fatal(err)
		}
		if s, err := store.Open(t.Context(), target); !errors.Is(err, store.ErrNewer) || s != nil {
			t.Errorf("opening a newer database: %v, %v; want ErrNewer", s, err)
		}
		if list, err := store.Migrations(t.Context(), target); !errors.Is(err, store.ErrNewer) || len(list) == 0 || !list[0].Applied {
			t.Errorf("the migrations of a newer database: %+v, %v; want those known, and ErrNewer", list, err)
		}
		// An older one migrates by itself only where nobody else may be using it.
		if _, err := db.ExecContext(t.Context(), "UPDATE goose_db_version SET version_id = 0 WHERE version_id = 9999"); err != nil {
			t.Fatal(err)
		}
	})
}

// Reopening keeps whose database it is and the key of its hashes: the same number is the same person.
func TestReopening(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		const number = phone.Number("+393470000001")
		first := storetest.Open(t, target)
		if _, err := first.Suppress(t.Context(), number, "all", "complaint", "operator"); err != nil {
			t.Fatal(err)
		}
		before, err := first.Find(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		second := storetest.Open(t, target)
		after, err := second.Find(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		if first.Instance() == "" || first.Instance() != second.Instance() || len(before) != 1 || !slices.Equal(before, after) {
			t.Errorf("instance %q became %q, persons %v became %v", first.Instance(), second.Instance(), before, after)
		}
		other := storetest.Open(t, storetest.Beside(t, target))
		if found, err := other.Find(t.Context(), number); other.Instance() == first.Instance() || err != nil || len(found) != 0 {
			t.Errorf("another database has instance %q and %v, %v", other.Instance(), found, err)
		}
	})
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	notDatabase := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(notDatabase, []byte(strings.Repeat("not a database\n", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{
		"mysql://root:geheim@localhost/x":                          "write sqlite:PATH or postgres://",
		"sqlite:/nowhere/at/all/p.db":                              "the folder /nowhere/at/all is not there",
		"sqlite:" + notDatabase:                                    "not an SQLite database",
		"postgres://permesso:geheim@127.0.0.1:1/p":                 "no sslmode",
		"postgres://permesso:geheim@127.0.0.1:1/p?sslmode=disable": "127.0.0.1",
	} {
		s, err := store.Open(t.Context(), target)
		if err == nil || s != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open: %v, want %q in it", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Error("the error shows the password")
		}
	}
}
