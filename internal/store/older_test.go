package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/migrations"
)

// This program on the tables of every one before it (F34): on PostgreSQL, where another may be at work on them, it refuses to
// until it is told to migrate, and changes nothing; on SQLite it migrates. What was there stays. The other way round, an older
// program on the tables of a newer one, is TestANewerDatabaseIsRefused.
func TestAnOlderDatabase(t *testing.T) {
	const number = "+393470000001"
	storetest.Databases(t, func(t *testing.T, target string) {
		all, err := store.Migrations(t.Context(), target)
		if err != nil || len(all) < 2 {
			t.Fatalf("the migrations are %v, %v", all, err)
		}
		for _, last := range all[:len(all)-1] {
			t.Run(fmt.Sprintf("version %d", last.Version), func(t *testing.T) {
				older := storetest.BareBeside(t, target)
				db := storetest.SQL(t, older)
				dialect := goose.DialectSQLite3
				folder := "sqlite"
				if db.DriverName() == "postgres" {
					dialect, folder = goose.DialectPostgres, "postgres"
				}
				files, err := fs.Sub(migrations.Files(), folder)
				if err != nil {
					t.Fatal(err)
				}
				provider, err := goose.NewProvider(dialect, db.DB, files)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := provider.UpTo(t.Context(), last.Version); err != nil {
					t.Fatal(err)
				}
				person := bytes.Repeat([]byte{1}, 16)
				for _, statement := range []string{
					"INSERT INTO persons (person_id) VALUES ($1)",
					"INSERT INTO contacts (person_id, phone, created_at, updated_at) VALUES ($1, '" + number + "', 1, 1)",
				} {
					if _, err := db.ExecContext(t.Context(), statement, person); err != nil {
						t.Fatal(err)
					}
				}

				if folder == "postgres" {
					if s, err := store.Open(t.Context(), older); !errors.Is(err, store.ErrNotMigrated) || s != nil {
						t.Fatalf("opening an older database: %v, %v; want ErrNotMigrated", s, err)
					}
					if version, err := provider.GetDBVersion(t.Context()); err != nil || version != last.Version {
						t.Errorf("it was migrated to %d, %v, although nobody asked", version, err)
					}
					applied, err := store.Migrate(t.Context(), older)
					if err != nil || len(applied) != len(all)-int(last.Version) {
						t.Fatalf("Migrate = %v, %v", applied, err)
					}
				}
				s := storetest.Open(t, older)
				met := 0
				for contact, err := range s.Contacts(t.Context()) {
					if err != nil || contact.Phone != number {
						t.Errorf("a contact is %v, %v", contact.Phone, err)
					}
					met++
				}
				if met != 1 {
					t.Errorf("%d contacts are there, want the one of before", met)
				}
			})
		}
	})
}
