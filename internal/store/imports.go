package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// ErrImportUndone says that an import was undone while it was still running.
var ErrImportUndone = errcode.With(errors.New("this import is being undone: what it would still add would stay; import the file again afterwards if it is wanted"), errcode.ImportUndone)

// Import is one file on its way into the store, under an id by which what it did to contacts can be undone. It is an
// imports.Sink. It appears in Imports with its first batch, each batch commits what it did together with its count, and so an
// import that is cut off can be undone as far as it came. It is for one goroutine.
type Import struct {
	store   *Store
	about   report.Import
	there   bool // its row is in the database
	tuned   bool
	started instant
	// allNew says that the last batch knew nobody, newRows that none of its rows was there, so that it is likely to be so with the
	// next one too; anyMet that such a hope was in vain.
	allNew, newRows, anyMet bool
}

// NewImport begins an import of a file; about gives its Kind, File, Hash and Actor. Of the file's name only the last part is
// kept. Nothing is written before the first batch.
func (s *Store) NewImport(about report.Import) *Import {
	about.File = path.Base(strings.ReplaceAll(about.File, `\`, "/"))
	about.ID = newImportID(time.Now())
	return &Import{store: s, about: about}
}

// newImportID is readable and sorts by time, as a run's does: i20261121-1800-k3f9xq, in UTC.
func newImportID(now time.Time) string {
	const letters = "0123456789abcdefghjkmnpqrstvwxyz"
	tail := make([]byte, 6)
	_, _ = rand.Read(tail) // it never fails; it ends the program instead
	for i := range tail {
		tail[i] = letters[tail[i]&31]
	}
	return "i" + now.UTC().Format("20060102-1504-") + string(tail)
}

// ID is what the import is called.
func (i *Import) ID() string { return i.about.ID }

// ImportContacts is Store.ImportContacts, noted under this import.
func (i *Import) ImportContacts(ctx context.Context, records []scheduler.ContactRecord) (scheduler.ImportCounts, error) {
	if err := i.tune(ctx); err != nil {
		return scheduler.ImportCounts{}, err
	}
	return i.store.importContacts(ctx, i, records)
}

// ImportConsents is Store.ImportConsents, noted under this import.
func (i *Import) ImportConsents(ctx context.Context, records []scheduler.ConsentRecord) (scheduler.ImportCounts, error) {
	if err := i.tune(ctx); err != nil {
		return scheduler.ImportCounts{}, err
	}
	return i.store.importConsents(ctx, i, records)
}

// ImportSuppressions is Store.ImportSuppressions, noted under this import.
func (i *Import) ImportSuppressions(ctx context.Context, records []scheduler.SuppressionRecord) (scheduler.ImportCounts, error) {
	if err := i.tune(ctx); err != nil {
		return scheduler.ImportCounts{}, err
	}
	return i.store.importStops(ctx, i, records)
}

func (i *Import) tune(ctx context.Context) error {
	if i.tuned {
		return nil
	}
	i.tuned = true
	return i.store.tune(ctx, i.store.dialect.load.begin)
}

// Finish says that the file was read to its end, and how many of its rows were rejected.
func (i *Import) Finish(ctx context.Context, rejected int) error {
	err := i.store.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := i.store.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if err := i.begin(ctx, tx, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE imports SET finished_at = $2, seen_at = $2, rejected = $3 WHERE import_id = $1", i.about.ID, now, rejected)
		return err
	})
	if err != nil {
		return fmt.Errorf("finishing import %s: %w", i.about.ID, err)
	}
	i.began(nil)
	if err := i.store.forgetImports(ctx, time.Now().Add(-undoKept)); err != nil {
		return fmt.Errorf("finishing import %s: %w", i.about.ID, err)
	}
	return i.store.tune(ctx, i.store.dialect.load.end)
}

// undoKept is for how long what an import changed is kept: the values before it are personal data, and a business that imports
// its people every night would else keep each night for ever.
const undoKept = 90 * 24 * time.Hour

// forgetImports lets go of what imports before a time changed; they cannot be undone from then on.
func (s *Store) forgetImports(ctx context.Context, before time.Time) error {
	var old []string
	if err := s.read.SelectContext(ctx, &old, "SELECT import_id FROM imports WHERE kind = $1 AND seen_at < $2 AND undone_at IS NULL AND forgotten_at IS NULL ORDER BY import_id",
		kindContacts, at(before)); err != nil {
		return fmt.Errorf("reading old imports: %w", err)
	}
	for _, id := range old {
		if err := s.forgetImport(ctx, id); err != nil {
			return fmt.Errorf("forgetting import %s: %w", id, err)
		}
	}
	return nil
}

// forgetImport first says that the import is forgotten, and then takes its changes away, some at a time: by key, since
// PostgreSQL would walk over those that went before.
func (s *Store) forgetImport(ctx context.Context, id string) error {
	for after := (policy.PersonID{}); ; {
		var people [][]byte
		err := s.inTx(ctx, func(tx *sqlx.Tx) error {
			people = nil
			if _, err := tx.ExecContext(ctx, "UPDATE imports SET forgotten_at = seen_at WHERE import_id = $1", id); err != nil {
				return err
			}
			if err := tx.SelectContext(ctx, &people, "SELECT person_id FROM import_changes WHERE import_id = $1 AND person_id > $2 ORDER BY person_id LIMIT $3",
				id, after[:], recordsPerStatement); err != nil || len(people) == 0 {
				return err
			}
			_, err := tx.ExecContext(ctx, "DELETE FROM import_changes WHERE import_id = $1 AND person_id > $2 AND person_id <= $3", id, after[:], people[len(people)-1])
			return err
		})
		if err != nil || len(people) == 0 {
			return err
		}
		after = policy.PersonID(people[len(people)-1])
	}
}

// begin writes the import's row with its first batch. The methods below do nothing for records that come with no file.
func (i *Import) begin(ctx context.Context, tx *sqlx.Tx, now instant) error {
	if i == nil || i.there {
		return nil
	}
	var hash any
	if decoded, err := hex.DecodeString(i.about.Hash); err == nil && len(decoded) > 0 {
		hash = decoded
	}
	i.started = now
	if _, err := tx.ExecContext(ctx, `INSERT INTO imports (import_id, kind, file, file_hash, actor, started_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $6)`,
		i.about.ID, i.about.Kind, storable(i.about.File), hash, storable(i.about.Actor), now); err != nil {
		return fmt.Errorf("noting import %s: %w", i.about.ID, err)
	}
	return nil
}

// began notes that a transaction with begin in it was committed, and whether it met anybody who was known.
func (i *Import) began(names []claimed) {
	if i != nil {
		i.there = true
		i.allNew = len(names) > 0 && !slices.ContainsFunc(names, func(n claimed) bool { return !n.fresh })
	}
}

// expectsNew reports whether the next batch should be tried as one of numbers that nobody has.
func (i *Import) expectsNew() bool { return i != nil && i.allNew && !i.anyMet }

// expectsNewRows reports the same of the rows that are written, where those may be there without being looked for.
func (i *Import) expectsNewRows() bool { return i != nil && i.newRows && !i.anyMet }

// wrote notes whether all rows of a batch were new.
func (i *Import) wrote(allNew bool) {
	if i != nil {
		i.newRows = allNew
	}
}

// met notes that a batch that was tried so, or that others wrote to, was not: from then on each number is looked for.
func (i *Import) met() {
	if i != nil {
		i.anyMet = true
	}
}

// count adds what a batch did, in the batch's own transaction; ErrImportUndone when the import is being taken back.
func (i *Import) count(ctx context.Context, tx *sqlx.Tx, now instant, counts scheduler.ImportCounts) error {
	if i == nil {
		return nil
	}
	going, err := changed(tx.ExecContext(ctx, `UPDATE imports SET added = added + $2, changed = changed + $3, unchanged = unchanged + $4, seen_at = $5
		WHERE import_id = $1 AND undone_by = ''`, i.about.ID, counts.Added, counts.Changed, counts.Unchanged, now))
	if err != nil {
		return fmt.Errorf("counting a batch of import %s: %w", i.about.ID, err)
	}
	if !going {
		return ErrImportUndone
	}
	return nil
}

// importRow is a row of imports.
type importRow struct {
	ID         string        `db:"import_id"`
	Kind       string        `db:"kind"`
	File       string        `db:"file"`
	Hash       []byte        `db:"file_hash"`
	Actor      string        `db:"actor"`
	StartedAt  instant       `db:"started_at"`
	SeenAt     instant       `db:"seen_at"`
	FinishedAt sql.NullInt64 `db:"finished_at"`
	Added      int           `db:"added"`
	Changed    int           `db:"changed"`
	Unchanged  int           `db:"unchanged"`
	Rejected   int           `db:"rejected"`
	UndoneBy   string        `db:"undone_by"`
	UndoneAt   sql.NullInt64 `db:"undone_at"`
	Forgotten  sql.NullInt64 `db:"forgotten_at"`
}

const importColumns = `import_id, kind, file, file_hash, actor, started_at, seen_at, finished_at, added, changed, unchanged, rejected, undone_by, undone_at, forgotten_at`

func (r importRow) report() report.Import {
	return report.Import{
		ID: r.ID, Kind: r.Kind, File: r.File, Hash: hex.EncodeToString(r.Hash), Actor: r.Actor,
		StartedAt: reached(r.StartedAt), SeenAt: reached(r.SeenAt), FinishedAt: report.Time{Time: whenever(r.FinishedAt)},
		Added: r.Added, Changed: r.Changed, Unchanged: r.Unchanged, Rejected: r.Rejected,
		UndoneBy: r.UndoneBy, UndoneAt: report.Time{Time: whenever(r.UndoneAt)}, ForgottenAt: report.Time{Time: whenever(r.Forgotten)},
	}
}

// Imports returns the newest imports of files of every kind, the newest first; limit 0 is no limit.
func (s *Store) Imports(ctx context.Context, limit int) ([]report.Import, error) {
	var rows []importRow
	if err := s.read.SelectContext(ctx, &rows, "SELECT "+importColumns+" FROM imports ORDER BY started_at DESC, import_id DESC LIMIT $1", unlimited(limit)); err != nil {
		return nil, fmt.Errorf("reading imports: %w", err)
	}
	list := make([]report.Import, len(rows))
	for i, r := range rows {
		list[i] = r.report()
	}
	return list, nil
}
