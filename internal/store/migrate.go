package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/migrations"
)

// Migration is one step of the database's shape.
type Migration struct {
	Version int64
	Name    string
	Applied bool
}

// Migrate connects to the database and applies every migration that is missing; it returns those it applied.
func Migrate(ctx context.Context, target string) (applied []Migration, err error) {
	s, err := connect(ctx, target)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.migrate(ctx)
}

// Migrations connects to the database and lists every migration, applying none. Of a database that is ahead of this
// program the list is what the program knows, and the error ErrNewer.
func Migrations(ctx context.Context, target string) (list []Migration, err error) {
	s, err := connect(ctx, target)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	provider, err := s.migrator()
	if err != nil {
		return nil, err
	}
	states, err := provider.Status(ctx)
	if err != nil {
		return nil, orElse(fmt.Errorf("reading the migrations: %w", err), errcode.DatabaseFailed)
	}
	for _, m := range states {
		list = append(list, Migration{Version: m.Source.Version, Name: m.Source.Path, Applied: m.State == goose.StateApplied})
	}
	_, _, err = s.versions(ctx, provider)
	return list, err
}

// Stands connects to the database and reports whether there is anything of this program in it. It changes nothing.
func Stands(ctx context.Context, target string) (stands bool, err error) {
	s, err := connect(ctx, target)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	version, err := s.version(ctx)
	return version > 0, err
}

func (s *Store) migrator() (*goose.Provider, error) {
	files, err := fs.Sub(migrations.Files(), s.dialect.name)
	if err != nil {
		return nil, fmt.Errorf("opening the migrations: %w", err)
	}
	if s.dialect.name == sqliteDialect.name {
		return goose.NewProvider(goose.DialectSQLite3, s.write.DB, files)
	}
	// A lease in a table: advisory locks are not on every engine that speaks PostgreSQL's protocol.
	locker, err := lock.NewPostgresTableLocker(lock.WithTableLockTimeout(250*time.Millisecond, 1200))
	if err != nil {
		return nil, fmt.Errorf("preparing the migration lock: %w", err)
	}
	return goose.NewProvider(goose.DialectPostgres, s.write.DB, files, goose.WithLocker(locker))
}

func (s *Store) migrate(ctx context.Context) ([]Migration, error) {
	provider, err := s.migrator()
	if err != nil {
		return nil, err
	}
	if _, _, err := s.versions(ctx, provider); err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return nil, orElse(fmt.Errorf("migrating the database: %w", err), errcode.DatabaseFailed)
	}
	var applied []Migration
	for _, r := range results {
		applied = append(applied, Migration{Version: r.Source.Version, Name: r.Source.Path, Applied: true})
	}
	return applied, nil
}

func (s *Store) ensureMigrated(ctx context.Context) error {
	provider, err := s.migrator()
	if err != nil {
		return err
	}
	current, newest, err := s.versions(ctx, provider)
	switch {
	case err != nil:
		return err
	case current == newest:
		return nil
	case current > 0 && s.dialect.name == postgresDialect.name:
		return ErrNotMigrated
	}
	return s.migrateBeside(ctx, provider)
}

// migrateBeside migrates while others may do the same: on PostgreSQL one waits for the other by a lock; SQLite has none, and
// who comes second finds the tables there already, which is as good once the other is through.
func (s *Store) migrateBeside(ctx context.Context, provider *goose.Provider) error {
	const looks = 20
	for look := 1; ; look++ {
		_, failure := s.migrate(ctx)
		if failure == nil || s.dialect.name == postgresDialect.name || look == looks {
			return failure
		}
		select {
		case <-ctx.Done():
			return failure
		case <-time.After(100 * time.Millisecond):
		}
		current, newest, err := s.versions(ctx, provider)
		if err != nil || current == newest {
			return err
		}
	}
}

// versions returns the database's version and the newest that this program knows; ErrNewer when the database is ahead.
func (s *Store) versions(ctx context.Context, provider *goose.Provider) (current, newest int64, err error) {
	if current, err = s.version(ctx); err != nil {
		return 0, 0, err
	}
	sources := provider.ListSources()
	newest = sources[len(sources)-1].Version
	if current > newest {
		return current, newest, fmt.Errorf("%w (it has version %d, this program knows %d)", ErrNewer, current, newest)
	}
	return current, newest, nil
}

// version reads goose's own table without creating it: 0 when the database is empty.
func (s *Store) version(ctx context.Context) (int64, error) {
	exists := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'"
	if s.dialect.name == postgresDialect.name {
		exists = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'goose_db_version' AND table_schema = current_schema()"
	}
	var tables int
	if err := s.write.GetContext(ctx, &tables, exists); err != nil {
		return 0, fmt.Errorf("reading the database's version: %w", explainSQLite(err))
	}
	if tables == 0 {
		return 0, nil
	}
	var version int64
	if err := s.write.GetContext(ctx, &version, "SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version"); err != nil {
		return 0, fmt.Errorf("reading the database's version: %w", err)
	}
	return version, nil
}
