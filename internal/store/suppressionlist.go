package store

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// pageRows is how many rows a list reads at a time: its memory, whatever its length.
const pageRows = 1000

// Suppressions lists the stops, one line for each person, scope and origin, with activeOnly those that hold; near-match
// reviews are not among them. It reads page by page in the order of the table's key and ends at the first error.
func (s *Store) Suppressions(ctx context.Context, activeOnly bool) iter.Seq2[report.Suppression, error] {
	return func(yield func(report.Suppression, error) bool) {
		after := suppressionKey{}
		for {
			lines, last, err := s.suppressionPage(ctx, after, activeOnly)
			if err != nil {
				yield(report.Suppression{}, err)
				return
			}
			for _, line := range lines {
				if !yield(line, nil) {
					return
				}
			}
			if last == nil {
				return
			}
			after = *last
		}
	}
}

// suppressionKey is a place in the table of suppressions.
type suppressionKey struct {
	hash          []byte
	scope, origin string
}

// suppressionPage returns the lines of one page of rows, and the key of its last row; nil when there are no more.
func (s *Store) suppressionPage(ctx context.Context, after suppressionKey, activeOnly bool) ([]report.Suppression, *suppressionKey, error) {
	var rows []struct {
		stopRow
		Written string `db:"written"`
	}
	if after.hash == nil {
		after.hash = []byte{}
	}
	err := s.read.SelectContext(ctx, &rows, `SELECT s.hash, COALESCE(i.person_id, s.hash) AS person_id, COALESCE(i.kind, '') AS kind, COALESCE(i.value, '') AS value,
		s.value AS written, s.scope, s.origin, s.reason, s.source, s.at, s.lifted_at FROM suppressions s LEFT JOIN identifiers i ON i.hash = s.hash
		WHERE (s.hash, s.scope, s.origin) > ($1, $2, $3) AND ($4 = 0 OR s.lifted_at = 0 OR s.lifted_at <= s.at) ORDER BY s.hash, s.scope, s.origin LIMIT $5`,
		after.hash, after.scope, after.origin, flag(activeOnly), pageRows)
	if err != nil {
		return nil, nil, fmt.Errorf("reading suppressions: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil, nil
	}
	var people []policy.PersonID
	for _, r := range rows {
		people = append(people, policy.PersonID(r.PersonID))
	}
	slices.SortFunc(people, comparePersons)
	people = slices.Compact(people)
	known, err := s.namesOf(ctx, people)
	if err != nil {
		return nil, nil, err
	}
	shown, err := s.shownStops(ctx, people, activeOnly)
	if err != nil {
		return nil, nil, err
	}
	var lines []report.Suppression
	for _, r := range rows {
		name, owned := known[policy.PersonID(r.PersonID)]
		if !owned {
			name.phone = r.Written // an identifier that nobody has any more: its own word is all there is
			lines = append(lines, r.report(name.phone, ""))
			continue
		}
		if stop, ok := shown[r.key()]; ok && string(stop.Hash) == string(r.Hash) {
			lines = append(lines, stop.report(name.phone, name.userID))
		}
	}
	last := rows[len(rows)-1]
	return lines, &suppressionKey{last.Hash, string(last.Scope), string(last.Origin)}, nil
}

// shownStops are the stops of a page's people, each by the one row that stands for it.
func (s *Store) shownStops(ctx context.Context, people []policy.PersonID, activeOnly bool) (map[stopKey]stopRow, error) {
	rows, err := s.stopsOf(ctx, s.read, people)
	if err != nil {
		return nil, err
	}
	shown := make(map[stopKey]stopRow, len(rows))
	for _, r := range onePerStop(rows, func(r stopRow) bool { return !activeOnly || r.active() }) {
		shown[r.key()] = r
	}
	return shown, nil
}

// personNames are the names by which reports show a person.
type personNames struct{ phone, userID string }

// namesOf reads the names of persons: the phone as the contact has it, else its canonical form. Persons without any identifier are missing.
func (s *Store) namesOf(ctx context.Context, people []policy.PersonID) (map[policy.PersonID]personNames, error) {
	rows, err := s.ownedNames(ctx, s.read, people)
	if err != nil {
		return nil, err
	}
	found := make(map[policy.PersonID]personNames, len(people))
	for _, r := range rows {
		name := found[policy.PersonID(r.PersonID)]
		switch {
		case r.Kind == kindPhone && (name.phone == "" || r.Value < name.phone):
			name.phone = r.Value
		case r.Kind == kindUserID && (name.userID == "" || r.Value < name.userID):
			name.userID = r.Value
		}
		found[policy.PersonID(r.PersonID)] = name
	}
	var contacts []contactRow
	if err := s.queries.contactsOf.read(ctx, s.read, &contacts, s.batchOf(people)); err != nil {
		return nil, fmt.Errorf("reading contacts: %w", err)
	}
	for _, c := range contacts {
		if name, ok := found[policy.PersonID(c.PersonID)]; ok && c.Phone != "" {
			name.phone = c.Phone
			found[policy.PersonID(c.PersonID)] = name
		}
	}
	return found, nil
}
