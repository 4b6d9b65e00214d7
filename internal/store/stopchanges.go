package store

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/policy"
)

// nextChange is the number under which this transaction's changes of stops are found again. Who has it holds the one row of
// stop_changes until the transaction ends, so that numbers are in the order of the commits, whatever any clock does. A
// transaction that is about stops takes it before it locks persons: two of them would else wait for each other.
func (s *Store) nextChange(ctx context.Context, tx *sqlx.Tx) (int64, error) {
	var n int64
	if err := tx.GetContext(ctx, &n, "UPDATE stop_changes SET last = last + 1 RETURNING last"); err != nil {
		return 0, fmt.Errorf("numbering a change of stops: %w", err)
	}
	s.stops.Add(1)
	return n, nil
}

// StopsChanged tells how often this process may have changed stops.
func (s *Store) StopsChanged() int64 { return s.stops.Load() }

// LastStopChange returns the number of the latest change of stops; 0 when there was none.
func (s *Store) LastStopChange(ctx context.Context) (int64, error) {
	var n int64
	if err := s.read.GetContext(ctx, &n, "SELECT last FROM stop_changes"); err != nil {
		return 0, fmt.Errorf("reading the changes of stops: %w", err)
	}
	return n, nil
}

// StopChanges reads the stops that were changed last after one number and up to another, as they stand now and without anybody's
// words: where they are kept, nobody can erase them. Those of a database from before changes were numbered have the number 0. It ends at
// the first error.
func (s *Store) StopChanges(ctx context.Context, after, through int64) iter.Seq2[policy.StopRecord, error] {
	return func(yield func(policy.StopRecord, error) bool) {
		at := stopRecordRow{Change: after + 1, Hash: []byte{}}
		for {
			var rows []stopRecordRow
			err := s.read.SelectContext(ctx, &rows, `SELECT change, hash, scope, origin, reason, source, at, lifted_at FROM suppressions
				WHERE (change, hash, scope, origin) > ($1, $2, $3, $4) AND change <= $5 ORDER BY change, hash, scope, origin LIMIT $6`,
				at.Change, at.Hash, string(at.Scope), string(at.Origin), through, pageRows)
			if err != nil {
				yield(policy.StopRecord{}, fmt.Errorf("reading the changes of stops: %w", err))
				return
			}
			for _, r := range rows {
				if !yield(r.wordless(), nil) {
					return
				}
			}
			if len(rows) < pageRows {
				return
			}
			at = rows[len(rows)-1]
		}
	}
}

type stopRecordRow struct {
	Change   int64         `db:"change"`
	Hash     []byte        `db:"hash"`
	Scope    policy.Scope  `db:"scope"`
	Origin   policy.Origin `db:"origin"`
	Reason   string        `db:"reason"`
	Source   string        `db:"source"`
	At       instant       `db:"at"`
	LiftedAt instant       `db:"lifted_at"`
}

func (r stopRecordRow) record() policy.StopRecord {
	record := policy.StopRecord{Hash: key16(r.Hash), Scope: r.Scope, Origin: r.Origin, Reason: r.Reason, Source: r.Source, At: r.At.time(), LiftedAt: r.LiftedAt.time()}
	if strings.HasPrefix(r.Source, "wamid.") {
		record.Source = "" // Meta's message ids have the person's number in them
	}
	return record
}

// wordless is the record without what a person or an operator wrote.
func (r stopRecordRow) wordless() policy.StopRecord {
	record := r.record()
	record.Reason, record.Source = "", ""
	return record
}

// RestoreStops brings stops back that were kept outside the database, in one transaction: what is here and what is given are
// joined, so that any record may come in any order and twice. A stop of an identifier that nobody here has is kept under its hash
// alone, and holds as soon as somebody has it. Waiting deliveries that a stop covers are closed. It returns how many stops were missing or older here.
func (s *Store) RestoreStops(ctx context.Context, records []policy.StopRecord) (restored int, err error) {
	wanted := map[stopRecordKey]policy.StopRecord{}
	for _, r := range records {
		key := stopRecordKey{r.Hash, r.Scope, r.Origin}
		if before, twice := wanted[key]; twice {
			r = before.Join(r)
		}
		wanted[key] = r
	}
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		restored, err = s.restoreStops(ctx, tx, wanted)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("restoring %d stops: %w", len(records), err)
	}
	return restored, nil
}

type stopRecordKey struct {
	hash   key16
	scope  policy.Scope
	origin policy.Origin
}

func (s *Store) restoreStops(ctx context.Context, tx *sqlx.Tx, wanted map[stopRecordKey]policy.StopRecord) (int, error) {
	now, err := s.dialect.now(ctx, tx)
	if err != nil {
		return 0, err
	}
	change, err := s.nextChange(ctx, tx) // from here on no stop changes but these
	if err != nil {
		return 0, err
	}
	missing, err := s.missingStops(ctx, tx, wanted)
	if err != nil || len(missing) == 0 {
		return 0, err
	}
	names := make([]identifier, len(missing))
	for i, r := range missing {
		names[i] = identifier{hash: r.Hash[:]}
	}
	owners, err := s.owners(ctx, tx, names)
	if err != nil {
		return 0, err
	}
	if err := s.lockPersons(ctx, tx, now, distinct(slices.Collect(maps.Values(owners)))); err != nil {
		return 0, err
	}
	b, holding := s.dialect.newBatch(), map[policy.Scope][]policy.PersonID{}
	for _, r := range missing {
		b.row().bytes(r.Hash[:]).str(string(r.Scope)).str(string(r.Origin)).str(r.Reason).str(r.Source).num(int64(at(r.At))).num(int64(at(r.LiftedAt)))
		if person, known := owners[r.Hash]; known && r.Active() {
			holding[r.Scope] = append(holding[r.Scope], person)
		}
	}
	if _, err := s.queries.restoreStops.exec(ctx, tx, &b, now, change); err != nil {
		return 0, fmt.Errorf("writing suppressions: %w", err)
	}
	for _, scope := range slices.Sorted(maps.Keys(holding)) {
		if err := s.closeWaiting(ctx, tx, now, scope, distinct(holding[scope])); err != nil {
			return 0, err
		}
	}
	return len(missing), nil
}

// missingStops are those of the records that say more than the database does, each joined with what the database has, in the order of their keys.
func (s *Store) missingStops(ctx context.Context, tx *sqlx.Tx, wanted map[stopRecordKey]policy.StopRecord) ([]policy.StopRecord, error) {
	b := s.dialect.newBatch()
	for key := range wanted {
		b.row().bytes(key.hash[:]).str(string(key.scope)).str(string(key.origin))
	}
	var rows []stopRecordRow
	if err := s.queries.stopsStanding.read(ctx, tx, &rows, &b); err != nil {
		return nil, fmt.Errorf("reading suppressions: %w", err)
	}
	standing := make(map[stopRecordKey]stopRecordRow, len(rows))
	for _, r := range rows {
		standing[stopRecordKey{key16(r.Hash), r.Scope, r.Origin}] = r
	}
	var missing []policy.StopRecord
	for key, record := range wanted {
		row, known := standing[key]
		switch {
		case !known:
			missing = append(missing, record)
		case row.At < at(record.At) || row.LiftedAt < at(record.LiftedAt):
			missing = append(missing, row.record().Join(record))
		}
	}
	slices.SortFunc(missing, func(a, b policy.StopRecord) int {
		return cmp.Or(slices.Compare(a.Hash[:], b.Hash[:]), cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Origin, b.Origin))
	})
	return missing, nil
}

// RaiseStopChanges has later changes of stops numbered above a number that was seen before the database was put back.
func (s *Store) RaiseStopChanges(ctx context.Context, above int64) error {
	if _, err := s.write.ExecContext(ctx, "UPDATE stop_changes SET last = $1 WHERE last < $1", above); err != nil {
		return fmt.Errorf("numbering the changes of stops: %w", err)
	}
	return nil
}
