package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/migrations"
)

// Most tests want the tables of today and do not care how they came about: all migrations are applied once for all of them, and
// what came of it is copied.

// migratedFile is a SQLite database with its tables and nothing in them.
var migratedFile = sync.OnceValues(func() (raw []byte, err error) {
	dir, err := os.MkdirTemp("", "permesso-tables-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "tables.db")
	if _, err := store.Migrate(context.Background(), "sqlite:"+path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// migratedDatabase names a database with its tables and nothing in them on a server, made by whichever test asks first. It stays
// there for the tests of other packages, which know it by the migrations that it is made of.
func migratedDatabase(ctx context.Context, admin *sqlx.DB, server url.URL) (name string, err error) {
	if name, err = migrationsName(); err != nil {
		return "", err
	}
	there := func() (yes bool, err error) {
		err = admin.GetContext(ctx, &yes, "SELECT count(*) > 0 FROM pg_database WHERE datname = $1", name)
		return yes, err
	}
	if made, err := there(); made || err != nil {
		return name, err
	}
	// Whoever sees the name must find all of it.
	own := name + "_" + tail()
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+own); err != nil {
		return "", fmt.Errorf("creating a database for tables: %w", err)
	}
	server.Path = "/" + own
	if _, err := store.Migrate(ctx, server.String()); err != nil {
		return "", err
	}
	// What nobody can connect to, not even a vacuum, can be copied at any time.
	if _, err := admin.ExecContext(ctx, "ALTER DATABASE "+own+" ALLOW_CONNECTIONS false"); err != nil {
		return "", fmt.Errorf("closing the database of tables: %w", err)
	}
	_, renaming := admin.ExecContext(ctx, "ALTER DATABASE "+own+" RENAME TO "+name)
	if renaming == nil {
		return name, nil
	}
	if made, err := there(); !made || err != nil {
		return "", errors.Join(fmt.Errorf("naming the database of tables: %w", renaming), err)
	}
	_, err = admin.ExecContext(ctx, "DROP DATABASE "+own) // another test was quicker
	return name, err
}

// migrationsName changes with any migration of PostgreSQL.
var migrationsName = sync.OnceValues(func() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(migrations.Files(), "postgres", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations.Files(), path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return err
	})
	return "permesso_tables_" + hex.EncodeToString(sum.Sum(nil)[:8]), err
})

// tail makes a name that nobody else has.
func tail() string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails; it ends the program instead
	return hex.EncodeToString(random[:])
}
