package store

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
)

type identifierKind string

const (
	kindPhone        identifierKind = "phone"
	kindUserID       identifierKind = "user_id"
	kindParentUserID identifierKind = "parent_user_id"
)

// identifier is one name of a person, with the hash that keys it.
type identifier struct {
	kind  identifierKind
	value string
	hash  []byte
}

// key16 is a hash as a map key.
type key16 [16]byte

func (s *Store) phoneIdentifier(number phone.Number) identifier {
	canonical := string(number.Canonical())
	return identifier{kindPhone, canonical, s.hash(kindPhone, canonical)}
}

// identifiers lists the names in an identity, the phone first.
func (s *Store) identifiers(i policy.Identity) []identifier {
	var names []identifier
	if i.Phone != "" {
		names = append(names, s.phoneIdentifier(i.Phone))
	}
	if i.UserID != "" {
		names = append(names, identifier{kindUserID, i.UserID, s.hash(kindUserID, i.UserID)})
	}
	if i.ParentUserID != "" {
		names = append(names, identifier{kindParentUserID, i.ParentUserID, s.hash(kindParentUserID, i.ParentUserID)})
	}
	return names
}

// owners finds the persons that identifiers belong to; unknown ones are missing from the map.
func (s *Store) owners(ctx context.Context, q sqlx.QueryerContext, names []identifier) (map[key16]policy.PersonID, error) {
	b := s.dialect.newBatch()
	for _, n := range names {
		b.row().bytes(n.hash)
	}
	var rows []struct {
		Hash     []byte `db:"hash"`
		PersonID []byte `db:"person_id"`
	}
	if err := s.queries.owners.read(ctx, q, &rows, &b); err != nil {
		return nil, fmt.Errorf("looking up persons: %w", err)
	}
	found := make(map[key16]policy.PersonID, len(rows))
	for _, r := range rows {
		found[key16(r.Hash)] = policy.PersonID(r.PersonID)
	}
	return found, nil
}

// claim gives every identifier an owner: known ones keep theirs, unknown ones get the person wanted for them or a new one.
// It runs inside the transaction of the write that needs it, so that an import and a stop that meet agree on the person.
func (s *Store) claim(ctx context.Context, tx *sqlx.Tx, now instant, names []identifier, wanted map[key16]policy.PersonID) (map[key16]policy.PersonID, error) {
	if err := s.sharePeople(ctx, tx); err != nil {
		return nil, err
	}
	found, err := s.owners(ctx, tx, names)
	if err != nil {
		return nil, err
	}
	people, ids := s.dialect.newBatch(), s.dialect.newBatch()
	added := false
	for _, n := range names {
		key := key16(n.hash)
		if _, ok := found[key]; ok {
			continue
		}
		person, ok := wanted[key]
		if !ok {
			person = newPersonID()
		}
		found[key] = person
		people.row().bytes(person[:])
		ids.row().bytes(n.hash).bytes(person[:]).str(string(n.kind)).str(n.value).num(int64(now))
		added = true
	}
	if !added {
		return found, nil
	}
	if _, err := s.queries.addIdentifiers.exec(ctx, tx, &ids); err != nil {
		return nil, fmt.Errorf("adding identifiers: %w", err)
	}
	if _, err := s.queries.addPersons.exec(ctx, tx, &people); err != nil {
		return nil, fmt.Errorf("adding persons: %w", err)
	}
	// Another process may have claimed one of them a moment ago: what the table holds is what counts.
	return s.owners(ctx, tx, names)
}

// resolve finds or makes the one person whom an identity names. Its identifiers are linked to the person of the first
// that is known; one that belongs to somebody else is never stolen.
func (s *Store) resolve(ctx context.Context, tx *sqlx.Tx, now instant, i policy.Identity) ([]policy.PersonID, error) {
	names := s.identifiers(i)
	if len(names) == 0 {
		return nil, nil
	}
	if err := s.sharePeople(ctx, tx); err != nil {
		return nil, err
	}
	found, err := s.owners(ctx, tx, names)
	if err != nil {
		return nil, err
	}
	main, known := policy.PersonID{}, false
	for _, n := range names {
		if person, ok := found[key16(n.hash)]; ok {
			main, known = person, true
			break
		}
	}
	if !known {
		main = newPersonID()
	}
	wanted := make(map[key16]policy.PersonID, len(names))
	for _, n := range names {
		wanted[key16(n.hash)] = main
	}
	owned, err := s.claim(ctx, tx, now, names, wanted)
	if err != nil {
		return nil, err
	}
	var people []policy.PersonID
	seen := map[policy.PersonID]bool{}
	for _, n := range names {
		if person := owned[key16(n.hash)]; !seen[person] {
			seen[person] = true
			people = append(people, person)
		}
	}
	return people, nil
}
