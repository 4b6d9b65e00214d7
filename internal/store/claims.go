package store

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
)

// claimPhones finds or makes the person of each number; the answer is keyed by canonical number, so that the forms of one
// number are one person. Identifiers are written in the order of their hashes: two imports that meet wait, and do not deadlock.
func (s *Store) claimPhones(ctx context.Context, tx *sqlx.Tx, now instant, numbers iter.Seq[phone.Number]) (map[phone.Number]policy.PersonID, error) {
	people := map[phone.Number]policy.PersonID{}
	var names []identifier
	for number := range numbers {
		key := number.Canonical()
		if _, twice := people[key]; twice {
			continue
		}
		people[key] = policy.PersonID{}
		names = append(names, s.phoneIdentifier(key))
	}
	slices.SortFunc(names, func(a, b identifier) int { return bytes.Compare(a.hash, b.hash) })
	for chunk := range slices.Chunk(names, recordsPerStatement) {
		owned, err := s.claim(ctx, tx, now, chunk, nil)
		if err != nil {
			return nil, err
		}
		for _, name := range chunk {
			people[phone.Number(name.value)] = owned[key16(name.hash)]
		}
	}
	return people, nil
}

// claimPhone finds or makes the person of one number and takes their lock.
func (s *Store) claimPhone(ctx context.Context, tx *sqlx.Tx, now instant, number phone.Number) (policy.PersonID, error) {
	people, err := s.claimPhones(ctx, tx, now, slices.Values([]phone.Number{number}))
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
