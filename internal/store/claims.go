package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
)

// claimed is a number of a batch with the person whose it is.
type claimed struct {
	hash   key16
	number phone.Number // canonical
	row    int          // of the batch
	person policy.PersonID
	fresh  bool // the person was made in this transaction
}

// claimedNumbers hashes the numbers of a batch's n rows and sorts them by hash, those of one person in the order of the batch.
func (s *Store) claimedNumbers(n int, number func(row int) phone.Number) []claimed {
	names := make([]claimed, n)
	hash := s.hasher()
	for i := range names {
		canonical := number(i).Canonical()
		names[i] = claimed{hash: hash(kindPhone, string(canonical)), number: canonical, row: i}
	}
	slices.SortFunc(names, func(a, b claimed) int { return cmp.Or(bytes.Compare(a.hash[:], b.hash[:]), cmp.Compare(a.row, b.row)) })
	return names
}

// claimNumbers finds or makes the persons of numbers, which are distinct and in the order of their hashes: two imports that meet
// wait, and do not deadlock. New persons' keys grow in that order too. With allNew the numbers are written without being looked
// for, at half the cost; errNotNew when one was there, and then the transaction is over.
func (s *Store) claimNumbers(ctx context.Context, tx *sqlx.Tx, now instant, names []claimed, allNew bool) error {
	if err := s.sharePeople(ctx, tx); err != nil {
		return err
	}
	if allNew {
		return s.makeAll(ctx, tx, now, names)
	}
	owned, err := s.ownersOf(ctx, tx, names)
	if err != nil {
		return err
	}
	unknown := make([]*claimed, 0, len(names)-len(owned))
	for i := range names {
		if person, ok := owned[names[i].hash]; ok {
			names[i].person, names[i].fresh = person, false
			continue
		}
		unknown = append(unknown, &names[i])
	}
	return s.makePersons(ctx, tx, now, unknown)
}

// makeAll makes a person for each number.
func (s *Store) makeAll(ctx context.Context, tx *sqlx.Tx, now instant, names []claimed) error {
	for i := range names {
		names[i].person, names[i].fresh = newPersonID(), true
	}
	if err := s.load(ctx, tx, bulkIdentifiers, rowsOf{
		shared: []any{string(kindPhone), int64(now)}, n: len(names),
		row: func(i int, row []any) []any {
			return append(row, names[i].hash[:], names[i].person[:], string(names[i].number))
		},
	}); err != nil {
		return err
	}
	return s.load(ctx, tx, bulkPersons, rowsOf{n: len(names), row: func(i int, row []any) []any { return append(row, names[i].person[:]) }})
}

// makePersons makes a person for each number, unless another transaction was quicker.
func (s *Store) makePersons(ctx context.Context, tx *sqlx.Tx, now instant, unknown []*claimed) error {
	for _, name := range unknown {
		name.person, name.fresh = newPersonID(), true
	}
	written, err := s.add(ctx, tx, bulkIdentifiers, s.queries.loadIdentifiers, rowsOf{
		shared: []any{string(kindPhone), int64(now)}, n: len(unknown),
		row: func(i int, row []any) []any {
			return append(row, unknown[i].hash[:], unknown[i].person[:], string(unknown[i].number))
		},
	})
	if err != nil {
		return err
	}
	fresh := unknown
	if written < len(unknown) {
		// What the table holds is what counts.
		if fresh, err = s.ownAgain(ctx, tx, unknown); err != nil {
			return err
		}
	}
	return s.load(ctx, tx, bulkPersons, rowsOf{n: len(fresh), row: func(i int, row []any) []any { return append(row, fresh[i].person[:]) }})
}

// ownAgain reads whose the numbers are after others took some of them, and returns those that became ours.
func (s *Store) ownAgain(ctx context.Context, tx *sqlx.Tx, names []*claimed) (ours []*claimed, err error) {
	again := make([]claimed, len(names))
	for i, name := range names {
		again[i] = *name
	}
	owned, err := s.ownersOf(ctx, tx, again)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if owner := owned[name.hash]; owner != name.person {
			name.person, name.fresh = owner, false
			continue
		}
		ours = append(ours, name)
	}
	return ours, nil
}

// ownersOf finds the persons of numbers; unknown ones are missing from the map.
func (s *Store) ownersOf(ctx context.Context, tx *sqlx.Tx, names []claimed) (map[key16]policy.PersonID, error) {
	owned := map[key16]policy.PersonID{}
	for chunk := range slices.Chunk(names, recordsPerStatement) {
		b := s.dialect.newBatch()
		for i := range chunk {
			b.row().bytes(chunk[i].hash[:])
		}
		rows, err := tx.QueryContext(ctx, s.queries.owners.text, s.queries.owners.args(&b)...)
		if err != nil {
			return nil, fmt.Errorf("looking up persons: %w", err)
		}
		var hash, person sql.RawBytes
		for rows.Next() {
			if err := rows.Scan(&hash, &person); err != nil {
				return nil, errors.Join(fmt.Errorf("looking up persons: %w", err), rows.Close())
			}
			owned[key16(hash)] = policy.PersonID(person)
		}
		if err := rows.Err(); err != nil {
			return nil, fmt.Errorf("looking up persons: %w", err)
		}
	}
	return owned, nil
}

// distinctNumbers drops repetitions of sorted numbers, in place, and returns where each row's number is.
func distinctNumbers(names []claimed) (distinct []claimed, at []int) {
	at = make([]int, len(names))
	distinct = names[:0]
	for _, name := range names {
		if len(distinct) == 0 || distinct[len(distinct)-1].hash != name.hash {
			distinct = append(distinct, name)
		}
		at[name.row] = len(distinct) - 1
	}
	return distinct, at
}

// sharePeople keeps persons from being taken away while this transaction hangs something on one. An undone import takes away
// those that it added and that nothing hangs on; at READ COMMITTED it cannot see what others have not committed.
func (s *Store) sharePeople(ctx context.Context, tx *sqlx.Tx) error {
	if s.dialect.share == "" {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "SELECT only_one FROM people_gate"+s.dialect.share); err != nil {
		return fmt.Errorf("waiting for an import that is being undone: %w", err)
	}
	return nil
}

// holdPeople is the other side of sharePeople: it waits for all who share, and they wait for the end of this transaction.
func (s *Store) holdPeople(ctx context.Context, tx *sqlx.Tx, now instant) error {
	if _, err := tx.ExecContext(ctx, "UPDATE people_gate SET changed_at = $1", now); err != nil {
		return fmt.Errorf("waiting for imports and stops under way: %w", err)
	}
	return nil
}

// claimPhones finds or makes the person of each number; the answer is keyed by canonical number, so that the forms of one
// number are one person.
func (s *Store) claimPhones(ctx context.Context, tx *sqlx.Tx, now instant, numbers []phone.Number) (map[phone.Number]policy.PersonID, error) {
	names, _ := distinctNumbers(s.claimedNumbers(len(numbers), func(row int) phone.Number { return numbers[row] }))
	if err := s.claimNumbers(ctx, tx, now, names, false); err != nil {
		return nil, err
	}
	people := make(map[phone.Number]policy.PersonID, len(names))
	for _, name := range names {
		people[name.number] = name.person
	}
	return people, nil
}

// claimPhone finds or makes the person of one number and takes their lock.
func (s *Store) claimPhone(ctx context.Context, tx *sqlx.Tx, now instant, number phone.Number) (policy.PersonID, error) {
	people, err := s.claimPhones(ctx, tx, now, []phone.Number{number})
	if err != nil {
		return policy.PersonID{}, err
	}
	person := people[number.Canonical()]
	return person, s.lockPersons(ctx, tx, now, []policy.PersonID{person})
}

// Find returns the persons whom a number belongs to, in whatever form it is written: one, or none when it was never met.
func (s *Store) Find(ctx context.Context, number phone.Number) ([]policy.PersonID, error) {
	return s.find(ctx, s.read, number)
}

func (s *Store) find(ctx context.Context, q sqlx.QueryerContext, number phone.Number) ([]policy.PersonID, error) {
	owned, err := s.owners(ctx, q, []identifier{s.phoneIdentifier(number)})
	if err != nil {
		return nil, err
	}
	var people []policy.PersonID
	for _, person := range owned {
		people = append(people, person)
	}
	return people, nil
}
