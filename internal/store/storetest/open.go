// Package storetest gives tests a store of their own on each database that permesso runs on.
package storetest

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/store"
)

// The environment of the tests: the address of a PostgreSQL server's own database, and whether its absence is a failure.
const (
	envPostgres = "PERMESSO_TEST_POSTGRES"
	envRequired = "PERMESSO_TEST_REQUIRED"
)

// Databases runs f as the subtests "sqlite" and "postgres", each with a database that has its tables and nothing in them, and is
// gone afterwards. target is what store.Open takes. Without PERMESSO_TEST_POSTGRES the second is not run, which fails the test when
// PERMESSO_TEST_REQUIRED is 1 and is logged otherwise.
func Databases(t *testing.T, f func(t *testing.T, target string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	Postgres(t, f)
}

// Bare is Databases without tables, for what is about their making.
func Bare(t *testing.T, f func(t *testing.T, target string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, newSQLite(t, false)) })
	onPostgres(t, func(t *testing.T, server string) { f(t, newPostgres(t, server, false)) })
}

// Postgres is Databases for what SQLite does not have: several servers, a server that is cut off.
func Postgres(t *testing.T, f func(t *testing.T, target string)) {
	t.Helper()
	onPostgres(t, func(t *testing.T, server string) { f(t, newPostgres(t, server, true)) })
}

// SQLite is the target of Databases for what is about one database alone.
func SQLite(t *testing.T) string {
	t.Helper()
	return newSQLite(t, true)
}

// Beside makes a database with empty tables next to target, of the same kind, that is gone when the test is over.
func Beside(t *testing.T, target string) string {
	t.Helper()
	return beside(t, target, true)
}

// BareBeside is Beside without tables.
func BareBeside(t *testing.T, target string) string {
	t.Helper()
	return beside(t, target, false)
}

func beside(t *testing.T, target string, tables bool) string {
	t.Helper()
	if strings.HasPrefix(target, "sqlite:") {
		return newSQLite(t, tables)
	}
	return newPostgres(t, target, tables)
}

func onPostgres(t *testing.T, f func(t *testing.T, server string)) {
	t.Helper()
	server := os.Getenv(envPostgres)
	switch {
	case server != "":
		t.Run("postgres", func(t *testing.T) { f(t, server) })
	case os.Getenv(envRequired) == "1":
		t.Fatalf("%s is not set: run the tests by `make test`, or under .ci/with-postgres", envPostgres)
	default:
		t.Logf("%s is not set: not run on PostgreSQL", envPostgres)
	}
}

// newSQLite names a database in a folder of its own.
func newSQLite(t *testing.T, tables bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "permesso.db")
	if tables {
		raw, err := migratedFile()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "sqlite:" + path
}

// newPostgres makes a database on the server and drops it when the test is over.
func newPostgres(t *testing.T, server string, tables bool) string {
	t.Helper()
	address, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s is no address: %v", envPostgres, err)
	}
	admin, err := sqlx.ConnectContext(t.Context(), "postgres", server)
	if err != nil {
		t.Fatalf("connecting to %s: %v", envPostgres, err)
	}
	name := "permesso_test_" + tail()
	create := "CREATE DATABASE " + name
	if tables {
		template, err := migratedDatabase(t.Context(), admin, *address)
		if err != nil {
			t.Fatal(err)
		}
		create += " TEMPLATE " + template
	}
	if _, err := admin.ExecContext(t.Context(), create); err != nil {
		t.Fatalf("creating a database for the test: %v", err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if _, err := admin.ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("dropping the test's database: %v", err)
		}
		if err := admin.Close(); err != nil {
			t.Errorf("closing the connection to %s: %v", envPostgres, err)
		}
	})
	address.Path = "/" + name
	return address.String()
}

// Open opens the store at target and closes it when the test is over.
func Open(t *testing.T, target string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), target)
	if err != nil {
		t.Fatalf("opening the store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s
}

// SQL opens the database beside its store, for what a test must see or set and the store has no door for.
func SQL(t *testing.T, target string) *sqlx.DB {
	t.Helper()
	driver, source := "postgres", target
	if path, ok := strings.CutPrefix(target, "sqlite:"); ok {
		driver, source = "sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_txlock=immediate&_pragma=busy_timeout(5000)"
	}
	db, err := sqlx.ConnectContext(t.Context(), driver, source)
	if err != nil {
		t.Fatalf("opening the database: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing the database: %v", err)
		}
	})
	return db
}
