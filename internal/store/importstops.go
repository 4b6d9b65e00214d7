package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// ImportSuppressions writes stops in one transaction, as no import of a file, for every identifier of each person, and closes
// the waiting deliveries that they cover. A stop only ever grows later: no import weakens one, and one that an operator lifted
// since stays lifted. Counts are of stops, by person and scope.
func (s *Store) ImportSuppressions(ctx context.Context, records []scheduler.SuppressionRecord) (scheduler.ImportCounts, error) {
	return s.importStops(ctx, nil, records)
}

func (s *Store) importStops(ctx context.Context, file *Import, records []scheduler.SuppressionRecord) (counts scheduler.ImportCounts, err error) {
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if err := file.begin(ctx, tx, now); err != nil {
			return err
		}
		if counts, err = s.importSuppressions(ctx, tx, now, records); err != nil {
			return err
		}
		return file.count(ctx, tx, now, counts)
	})
	if err != nil {
		return scheduler.ImportCounts{}, fmt.Errorf("importing %d suppressions: %w", len(records), err)
	}
	file.began(nil)
	return counts, nil
}

// errUndatedStop is of a record that was not checked: without its time nobody could tell whether it was lifted since.
var errUndatedStop = errcode.With(errors.New("the suppression has no time"), errcode.Undated)

// importedStop is a stop to be written, or as it stands.
type importedStop struct {
	known          bool // it is in the table
	at, lifted     instant
	reason, source string
}

// join is what two rows of one person's stop say together.
func (i importedStop) join(j importedStop) importedStop {
	switch {
	case !i.known:
		return j
	case !j.known:
		return i
	}
	return importedStop{known: true, at: max(i.at, j.at), lifted: max(i.lifted, j.lifted)}
}

// liftedBy reports whether the stop was lifted after a time at which it was asked for.
func (i importedStop) liftedBy(at instant) bool { return i.lifted != 0 && i.lifted > at }

type importedKey struct {
	person policy.PersonID
	scope  policy.Scope
}

func (s *Store) importSuppressions(ctx context.Context, tx *sqlx.Tx, now instant, records []scheduler.SuppressionRecord) (scheduler.ImportCounts, error) {
	var counts scheduler.ImportCounts
	if _, err := s.nextChange(ctx, tx); err != nil {
		return counts, err
	}
	numbers := make([]phone.Number, len(records))
	for i, r := range records {
		numbers[i] = r.Phone
	}
	people, err := s.claimPhones(ctx, tx, now, numbers)
	if err != nil {
		return counts, err
	}
	wanted := map[policy.PersonID]map[policy.Scope]importedStop{}
	for _, r := range records {
		if r.At.IsZero() {
			return counts, fmt.Errorf("line %d: %w", r.Line, errUndatedStop)
		}
		person, scope := people[r.Phone.Canonical()], cmp.Or(r.Scope, policy.ScopeAll)
		if wanted[person] == nil {
			wanted[person] = map[policy.Scope]importedStop{}
		}
		if before, twice := wanted[person][scope]; !twice || before.at < at(r.At) {
			wanted[person][scope] = importedStop{at: at(r.At), reason: storable(r.Reason), source: storable(r.Source)}
		}
	}
	// In the order of the keys, as the gate takes the same locks.
	for chunk := range slices.Chunk(slices.SortedFunc(maps.Keys(wanted), comparePersons), recordsPerStatement) {
		if err := s.lockPersons(ctx, tx, now, chunk); err != nil {
			return counts, err
		}
		did, err := s.importStopsOf(ctx, tx, now, chunk, wanted)
		if err != nil {
			return counts, err
		}
		counts = counts.Plus(did)
	}
	return counts, nil
}

// importStopsOf writes the stops of persons whose locks are held.
func (s *Store) importStopsOf(ctx context.Context, tx *sqlx.Tx, now instant, people []policy.PersonID, wanted map[policy.PersonID]map[policy.Scope]importedStop) (scheduler.ImportCounts, error) {
	var counts scheduler.ImportCounts
	names, err := s.ownedNames(ctx, tx, people)
	if err != nil {
		return counts, err
	}
	standing, err := s.importedStops(ctx, tx, names, wanted)
	if err != nil {
		return counts, err
	}
	// A person's stop is judged as one over all identifiers: one that became known after an operator lifted the stop must not bring it back.
	whole := map[importedKey]importedStop{}
	for _, name := range names {
		person := policy.PersonID(name.PersonID)
		for scope := range wanted[person] {
			key, row := importedKey{person, scope}, standing[standingKey{key16(name.Hash), scope}]
			whole[key] = whole[key].join(row)
		}
	}
	holding := map[policy.Scope][]policy.PersonID{}
	for _, key := range slices.SortedFunc(maps.Keys(whole), compareImported) {
		stop, before := wanted[key.person][key.scope], whole[key]
		switch {
		case !before.known:
			counts.Added++
		case before.at < stop.at:
			counts.Changed++
		default:
			counts.Unchanged++
		}
		if !before.liftedBy(max(before.at, stop.at)) {
			holding[key.scope] = append(holding[key.scope], key.person)
		}
	}
	write := s.dialect.newBatch()
	for _, name := range names {
		person := policy.PersonID(name.PersonID)
		for _, scope := range slices.Sorted(maps.Keys(wanted[person])) {
			stop := wanted[person][scope]
			row := standing[standingKey{key16(name.Hash), scope}]
			lifted := whole[importedKey{person, scope}].liftedBy(stop.at)
			if (row.known && row.at < stop.at) || (!row.known && !lifted) {
				write.row().bytes(name.Hash).str(string(scope)).str(string(policy.OriginImport)).str(name.Value).str(stop.reason).str(stop.source).num(int64(stop.at))
			}
		}
	}
	if write.rows > 0 {
		change, err := s.nextChange(ctx, tx)
		if err != nil {
			return counts, err
		}
		if _, err := s.queries.suppress.exec(ctx, tx, &write, now, change); err != nil {
			return counts, fmt.Errorf("writing suppressions: %w", err)
		}
	}
	for _, scope := range slices.Sorted(maps.Keys(holding)) {
		if err := s.closeWaiting(ctx, tx, now, scope, holding[scope]); err != nil {
			return counts, err
		}
	}
	return counts, nil
}

// closeWaiting ends the waiting deliveries of persons in every open run that the scope covers.
func (s *Store) closeWaiting(ctx context.Context, tx *sqlx.Tx, now instant, scope policy.Scope, people []policy.PersonID) error {
	var runs []struct {
		RunID    string      `db:"run_id"`
		Category string      `db:"category"`
		Kind     policy.Kind `db:"kind"`
	}
	if err := tx.SelectContext(ctx, &runs, "SELECT run_id, category, kind FROM runs WHERE state IN ('planning', 'waiting', 'running', 'paused') ORDER BY run_id"); err != nil {
		return fmt.Errorf("reading open runs: %w", err)
	}
	for _, run := range runs {
		if len(people) == 0 || !scope.Covers(policy.Category{ID: run.Category, Kind: run.Kind}) {
			continue
		}
		b := s.dialect.newBatch()
		for _, person := range people {
			b.row().str(run.RunID).bytes(person[:]).str(string(sender.Queued))
		}
		if _, err := s.queries.closeWaiting.exec(ctx, tx, &b, now); err != nil {
			return fmt.Errorf("closing waiting deliveries: %w", err)
		}
	}
	return nil
}

func compareImported(a, b importedKey) int {
	return cmp.Or(comparePersons(a.person, b.person), cmp.Compare(a.scope, b.scope))
}

// standingKey is where an imported stop stands: the identifier it is written for, and its scope.
type standingKey struct {
	hash  key16
	scope policy.Scope
}

// importedStops reads the stops of earlier imports for the same identifiers and scopes.
func (s *Store) importedStops(ctx context.Context, tx *sqlx.Tx, names []ownedName, wanted map[policy.PersonID]map[policy.Scope]importedStop) (map[standingKey]importedStop, error) {
	b := s.dialect.newBatch()
	for _, name := range names {
		for scope := range wanted[policy.PersonID(name.PersonID)] {
			b.row().bytes(name.Hash).str(string(scope))
		}
	}
	var rows []struct {
		Hash     []byte       `db:"hash"`
		Scope    policy.Scope `db:"scope"`
		At       instant      `db:"at"`
		LiftedAt instant      `db:"lifted_at"`
	}
	if err := s.queries.importedStops.read(ctx, tx, &rows, &b); err != nil {
		return nil, fmt.Errorf("reading suppressions: %w", err)
	}
	standing := make(map[standingKey]importedStop, len(rows))
	for _, r := range rows {
		standing[standingKey{key16(r.Hash), r.Scope}] = importedStop{known: true, at: r.At, lifted: r.LiftedAt}
	}
	return standing, nil
}

// ownedName is an identifier with the person whose it is.
type ownedName struct {
	PersonID []byte         `db:"person_id"`
	Hash     []byte         `db:"hash"`
	Kind     identifierKind `db:"kind"`
	Value    string         `db:"value"`
}

// ownedNames reads every identifier of persons.
func (s *Store) ownedNames(ctx context.Context, q sqlx.QueryerContext, people []policy.PersonID) ([]ownedName, error) {
	var names []ownedName
	if err := s.queries.namesOf.read(ctx, q, &names, s.batchOf(people)); err != nil {
		return nil, fmt.Errorf("reading identifiers: %w", err)
	}
	return names, nil
}
