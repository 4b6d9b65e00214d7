package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// bulk is a table that imports fill, with the columns that they give; the others take their defaults.
type bulk struct {
	table   string
	columns []string
}

var (
	bulkPersons  = bulk{"persons", []string{"person_id"}}
	bulkContacts = bulk{"contacts", []string{"person_id", "phone", "name", "language", "timezone", "external_id", "tags", "attributes",
		"country", "zones", "main_zone", "created_at", "updated_at"}}
	bulkChanges     = bulk{"import_changes", []string{"import_id", "person_id", "was", "version", "fields"}}
	bulkIdentifiers = bulk{"identifiers", []string{"hash", "person_id", "kind", "value", "created_at"}}
	bulkConsents    = bulk{"consents", []string{"person_id", "category", "at", "event_id", "action", "source", "wording_hash", "evidence",
		"actor", "recorded_at"}}
)

// cells appends the i-th row's values, one for each column: []byte, string, int64 or nil.
type cells func(i int, row []any) []any

// errNotNew says that a row which should have been new was there: somebody else wrote it first.
var errNotNew = errors.New("somebody else wrote the same rows")

// copyNew streams rows that are not there yet into a PostgreSQL table; errNotNew when one is.
func copyNew(ctx context.Context, tx *sqlx.Tx, into bulk, n int, row cells) (err error) {
	in, err := tx.PrepareContext(ctx, pq.CopyIn(into.table, into.columns...))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	values := make([]any, 0, len(into.columns))
	for i := range n {
		values = row(i, values[:0])
		if _, err := in.ExecContext(ctx, values...); err != nil {
			return explainCopy(err)
		}
	}
	_, err = in.ExecContext(ctx)
	return explainCopy(err)
}

func explainCopy(err error) error {
	const uniqueViolation = "23505"
	if failure, ok := errors.AsType[*pq.Error](err); ok && failure.Code == uniqueViolation {
		return errNotNew
	}
	return err
}

// valuesPerStatement keeps a statement of SQLite's below its 32,766 parameters.
const valuesPerStatement = 15_000

// insertAbsent writes those rows that are not there yet, many to a statement, and returns how many those are. As values of
// one prepared statement SQLite takes them at half the cost of JSON: 14 µs a contact against 26, with all tables.
func insertAbsent(ctx context.Context, tx *sqlx.Tx, into bulk, _ string, n int, row cells) (written int64, err error) {
	width := len(into.columns)
	perStatement := valuesPerStatement / width
	values := make([]any, 0, min(n, perStatement)*width)
	var full *sqlx.Stmt
	defer func() {
		if full != nil {
			err = errors.Join(err, full.Close())
		}
	}()
	for from := 0; from < n; from += perStatement {
		rows := min(perStatement, n-from)
		values = values[:0]
		for i := from; i < from+rows; i++ {
			values = row(i, values)
		}
		var done interface{ RowsAffected() (int64, error) }
		if rows == perStatement && n > 2*perStatement {
			if full == nil {
				if full, err = tx.PreparexContext(ctx, insertText(into, rows)); err != nil {
					return written, err
				}
			}
			done, err = full.ExecContext(ctx, values...)
		} else {
			done, err = tx.ExecContext(ctx, insertText(into, rows), values...)
		}
		if err != nil {
			return written, err
		}
		count, err := done.RowsAffected()
		if err != nil {
			return written, err
		}
		written += count
	}
	return written, nil
}

// insertText inserts rows of parameters. They have no numbers: SQLite numbers them by itself, and the text is shorter.
func insertText(into bulk, rows int) string {
	one := "(" + strings.Repeat("?, ", len(into.columns)-1) + "?)"
	var b strings.Builder
	b.Grow(len(one)*rows + 200)
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES ", into.table, strings.Join(into.columns, ", "))
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(one)
	}
	b.WriteString(" ON CONFLICT DO NOTHING")
	return b.String()
}

// insertNew is copyNew for SQLite.
func insertNew(ctx context.Context, tx *sqlx.Tx, into bulk, n int, row cells) error {
	written, err := insertAbsent(ctx, tx, into, "", n, row)
	if err == nil && written < int64(n) {
		return errNotNew
	}
	return err
}

// loader writes many rows at once, each database in its fastest way.
type loader struct {
	// fresh writes rows that are not there yet; errNotNew when one is, and then the transaction is over.
	fresh func(ctx context.Context, tx *sqlx.Tx, into bulk, n int, row cells) error
	// absent writes those rows that are not there yet and returns how many those are. query is the statement for a JSON batch.
	absent func(ctx context.Context, tx *sqlx.Tx, into bulk, query string, n int, row cells) (int64, error)
}

// load writes n rows that are not there yet.
func (s *Store) load(ctx context.Context, tx *sqlx.Tx, into bulk, n int, row cells) error {
	if n == 0 {
		return nil
	}
	if err := s.dialect.load.fresh(ctx, tx, into, n, row); err != nil {
		return fmt.Errorf("writing %s: %w", into.table, err)
	}
	return nil
}

// add writes those of n rows that are not there yet and returns how many those are.
func (s *Store) add(ctx context.Context, tx *sqlx.Tx, into bulk, query string, n int, row cells) (int, error) {
	if n == 0 {
		return 0, nil
	}
	written, err := s.dialect.load.absent(ctx, tx, into, query, n, row)
	if err != nil {
		return 0, fmt.Errorf("writing %s: %w", into.table, err)
	}
	return int(written), nil
}

// insertBatches writes rows by a statement that takes a batch as JSON.
func insertBatches(ctx context.Context, tx *sqlx.Tx, _ bulk, query string, n int, row cells) (written int64, err error) {
	var values []any
	for from := 0; from < n; from += recordsPerStatement {
		var b batch
		for i := from; i < min(n, from+recordsPerStatement); i++ {
			values = row(i, values[:0])
			b.row().values(values)
		}
		done, err := tx.ExecContext(ctx, query, b.json())
		if err != nil {
			return written, err
		}
		count, err := done.RowsAffected()
		if err != nil {
			return written, err
		}
		written += count
	}
	return written, nil
}
