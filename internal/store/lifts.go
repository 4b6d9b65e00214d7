package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/policy"
)

// lift notes that the persons took back the stops which the act may take back: their own for START, Meta's for Meta's resume.
// It is noted for itself too: webhooks come in any order, and the stop that it takes back may still be on its way.
func (s *Store) lift(ctx context.Context, tx *sqlx.Tx, act policy.Act, people []policy.PersonID) error {
	if len(people) == 0 {
		return nil
	}
	names, err := s.identifiersOf(ctx, tx, people)
	if err != nil || len(names) == 0 {
		return err
	}
	b := s.dialect.newBatch()
	for _, n := range names {
		b.row().bytes(n.hash).str(string(act.Kind)).str(string(act.Scope)).num(int64(at(act.At)))
	}
	if _, err := s.queries.addLifts.exec(ctx, tx, &b); err != nil {
		return fmt.Errorf("noting what was taken back: %w", err)
	}
	_, err = s.applyLifts(ctx, tx, people)
	return err
}

// liftRow is the latest act of one kind and scope that took stops back.
type liftRow struct {
	PersonID []byte         `db:"person_id"`
	Kind     policy.ActKind `db:"kind"`
	Scope    policy.Scope   `db:"scope"`
	At       instant        `db:"at"`
}

func (l liftRow) takesBack(stop stopRow) bool {
	may := stop.Origin.LiftedByPerson()
	if l.Kind == policy.ActResume {
		may = stop.Origin.LiftedByMeta()
	}
	named := l.Scope == policy.ScopeAll || l.Scope == stop.Scope
	return may && named && bytes.Equal(l.PersonID, stop.PersonID)
}

// applyLifts marks each stop of the persons with the latest act that takes it back, whichever of the two came first, and
// returns the stops as they stand then.
func (s *Store) applyLifts(ctx context.Context, tx *sqlx.Tx, people []policy.PersonID) ([]stopRow, error) {
	stops, err := s.stopsOf(ctx, tx, people)
	if err != nil || len(stops) == 0 {
		return nil, err
	}
	var lifts []liftRow
	if err := s.queries.liftsOf.read(ctx, tx, &lifts, s.batchOf(people)); err != nil {
		return nil, fmt.Errorf("reading what was taken back: %w", err)
	}
	change := int64(0)
	for i, stop := range stops {
		latest := stop.LiftedAt
		for _, l := range lifts {
			if l.takesBack(stop) {
				latest = max(latest, l.At)
			}
		}
		if latest == stop.LiftedAt {
			continue
		}
		stops[i].LiftedAt = latest
		if change == 0 {
			if change, err = s.nextChange(ctx, tx); err != nil {
				return nil, err
			}
		}
		if err := setLifted(ctx, tx, stops[i], change); err != nil {
			return nil, err
		}
	}
	return stops, nil
}

// setLifted writes when a stop was lifted.
func setLifted(ctx context.Context, tx *sqlx.Tx, stop stopRow, change int64) error {
	if _, err := tx.ExecContext(ctx, "UPDATE suppressions SET lifted_at = $4, change = $5 WHERE hash = $1 AND scope = $2 AND origin = $3",
		stop.Hash, string(stop.Scope), string(stop.Origin), stop.LiftedAt, change); err != nil {
		return fmt.Errorf("lifting a suppression: %w", err)
	}
	return nil
}

// heldBack are the persons for whom the act's stop holds: an old one, delivered again after they came back, closes nothing.
func heldBack(stops []stopRow, act policy.Act) []policy.PersonID {
	var people []policy.PersonID
	for _, stop := range stops {
		if stop.Scope == act.Scope && stop.Origin == act.Origin && stop.active() {
			people = append(people, policy.PersonID(stop.PersonID))
		}
	}
	slices.SortFunc(people, comparePersons)
	return slices.Compact(people)
}
