package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/permesso/permesso/internal/errcode"
)

// bulk is a table that imports and planning fill, with the columns that they give; the others take their defaults.
type bulk struct {
	table   string
	shared  []string // have one value in all rows
	columns []string
}

var (
	bulkPersons  = bulk{"persons", nil, []string{"person_id"}}
	bulkContacts = bulk{"contacts", []string{"created_at", "updated_at"}, []string{"person_id", "phone", "name", "language", "timezone", "external_id",
		"tags", "attributes", "country", "zones", "main_zone"}}
	bulkAdded       = bulk{"import_changes", []string{"import_id"}, []string{"person_id"}}
	bulkIdentifiers = bulk{"identifiers", []string{"kind", "created_at"}, []string{"hash", "person_id", "value"}}
	consentColumns  = []string{"person_id", "category", "at", "event_id", "action", "source", "wording_hash", "evidence", "event", "link", "salt"}
	bulkConsents    = bulk{"consents", []string{"recorded_at"}, slices.Concat(consentColumns, consentCircumstances)}
	// Of a file's rows all were recorded alike.
	bulkConsentsAlike    = bulk{"consents", slices.Concat([]string{"recorded_at"}, consentCircumstances), consentColumns}
	consentCircumstances = []string{"actor", "business", "language", "ip", "agent"}
	bulkDeliveries       = bulk{"deliveries", []string{"run_id", "queued_at"}, []string{"person_id", "state", "reason", "due_at"}}
)

// rowsOf are rows for a bulk. A value is []byte, string, int64 or nil.
type rowsOf struct {
	shared []any
	n      int
	// row appends the columns of the i-th row.
	row func(i int, row []any) []any
}

// errNotNew says that a row which should have been new was there: somebody else wrote it first.
var errNotNew = errcode.With(errors.New("somebody else kept writing the same rows: another import is running"), errcode.DatabaseBusy)

// copyNew streams rows that are not there yet into a PostgreSQL table; errNotNew when one is.
func copyNew(ctx context.Context, tx *sqlx.Tx, into bulk, rows rowsOf) (err error) {
	in, err := tx.PrepareContext(ctx, pq.CopyIn(into.table, slices.Concat(into.shared, into.columns)...))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	values := slices.Clone(rows.shared)
	for i := range rows.n {
		values = rows.row(i, values[:len(rows.shared)])
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

// valuesPerInsert are the parameters of one of SQLite's statements. It is read once for a batch and run often: to read a row's text
// takes as long as to write the row. With more the driver's lists of parameters grow faster than what is saved by running it less.
const valuesPerInsert = 250

// insertAbsent writes those rows that are not there yet, many to a statement, and returns how many those are. As values of
// one prepared statement SQLite takes them at half the cost of JSON: 14 µs a contact against 26, with all tables.
func insertAbsent(ctx context.Context, tx *sqlx.Tx, into bulk, _ statement, rows rowsOf) (written int64, err error) {
	rowsPerInsert := valuesPerInsert / len(into.columns)
	values := append(make([]any, 0, len(rows.shared)+min(rows.n, rowsPerInsert)*len(into.columns)), rows.shared...)
	var full *sqlx.Stmt
	defer func() {
		if full != nil {
			err = errors.Join(err, full.Close())
		}
	}()
	for from := 0; from < rows.n; from += rowsPerInsert {
		now := min(rowsPerInsert, rows.n-from)
		values = values[:len(rows.shared)]
		for i := from; i < from+now; i++ {
			values = rows.row(i, values)
		}
		var done sql.Result
		if now == rowsPerInsert && rows.n >= 2*rowsPerInsert {
			if full == nil {
				if full, err = tx.PreparexContext(ctx, insertText(into, now)); err != nil {
					return written, err
				}
			}
			done, err = full.ExecContext(ctx, values...)
		} else {
			done, err = tx.ExecContext(ctx, insertText(into, now), values...)
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

// insertText inserts rows of parameters. The first are shared; the others have no numbers, since SQLite counts on by itself. OR
// FAIL spares the journal from which it would take a failed statement back, a twentieth of the time: here the transaction ends.
func insertText(into bulk, rows int) string {
	var one strings.Builder
	one.WriteByte('(')
	for i := range into.shared {
		fmt.Fprintf(&one, "?%d, ", i+1)
	}
	one.WriteString(strings.Repeat("?, ", len(into.columns)-1) + "?)")
	return fmt.Sprintf("INSERT OR FAIL INTO %s (%s) VALUES %s ON CONFLICT DO NOTHING", into.table, strings.Join(slices.Concat(into.shared, into.columns), ", "),
		strings.Repeat(one.String()+",", rows-1)+one.String())
}

// insertNew is copyNew for SQLite.
func insertNew(ctx context.Context, tx *sqlx.Tx, into bulk, rows rowsOf) error {
	written, err := insertAbsent(ctx, tx, into, statement{}, rows)
	if err == nil && written < int64(rows.n) {
		return errNotNew
	}
	return err
}

// loader writes many rows at once, each database in its fastest way.
type loader struct {
	// begin and end are run on the writing connection around the import of a file.
	begin, end string
	// fresh writes rows that are not there yet; errNotNew when one is, and then the transaction is over.
	fresh func(ctx context.Context, tx *sqlx.Tx, into bulk, rows rowsOf) error
	// absent writes those rows that are not there yet and returns how many those are. query is the statement for a batch.
	absent func(ctx context.Context, tx *sqlx.Tx, into bulk, query statement, rows rowsOf) (int64, error)
}

// Numbers come in no order, so that a batch touches pages all over the index of identifiers: more of them are kept than
// otherwise, and the log is copied into the file after 64 MiB instead of 4, most pages once instead of a dozen times. It
// saves a tenth of an import's processor time, and costs what nobody but an import should: memory, and a longer wait at one commit.
const (
	sqliteLoadBegin = "PRAGMA cache_size = -24000; PRAGMA wal_autocheckpoint = 16000"
	sqliteLoadEnd   = "PRAGMA cache_size = -16000; PRAGMA wal_autocheckpoint = 1000"
)

// tune runs what the database wants before, or after, the import of a file.
func (s *Store) tune(ctx context.Context, statement string) error {
	if statement == "" {
		return nil
	}
	if _, err := s.write.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("preparing the database for a file: %w", err)
	}
	return nil
}

// load writes rows that are not there yet.
func (s *Store) load(ctx context.Context, tx *sqlx.Tx, into bulk, rows rowsOf) error {
	if rows.n == 0 {
		return nil
	}
	if err := s.dialect.load.fresh(ctx, tx, into, rows); err != nil {
		return fmt.Errorf("writing %s: %w", into.table, err)
	}
	return nil
}

// add writes those rows that are not there yet and returns how many those are.
func (s *Store) add(ctx context.Context, tx *sqlx.Tx, into bulk, query statement, rows rowsOf) (int, error) {
	if rows.n == 0 {
		return 0, nil
	}
	written, err := s.dialect.load.absent(ctx, tx, into, query, rows)
	if err != nil {
		return 0, fmt.Errorf("writing %s: %w", into.table, err)
	}
	return int(written), nil
}

// insertBatches writes rows by a statement that takes a batch, the shared columns first.
func insertBatches(ctx context.Context, tx *sqlx.Tx, _ bulk, query statement, rows rowsOf) (written int64, err error) {
	values := slices.Clone(rows.shared)
	for from := 0; from < rows.n; from += recordsPerStatement {
		b := batch{arrays: true}
		for i := from; i < min(rows.n, from+recordsPerStatement); i++ {
			values = rows.row(i, values[:len(rows.shared)])
			b.row().values(values)
		}
		done, err := query.exec(ctx, tx, &b)
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
