package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// ErrNoReason says that a stop was to be lifted without saying why.
var ErrNoReason = errcode.With(errors.New("a suppression is lifted only with a reason: say why, for the record"), errcode.NoReasonGiven)

// Suppress writes an operator's stop for every identifier of a number's person, who is made when the number was never met,
// and closes the waiting deliveries that it covers. A message of theirs may still be in flight: wait with InFlight.
func (s *Store) Suppress(ctx context.Context, number phone.Number, scope policy.Scope, reason, actor string) (people []policy.PersonID, err error) {
	reason, actor = storable(reason), storable(actor)
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		people = nil
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if _, err := s.nextChange(ctx, tx); err != nil {
			return err
		}
		person, err := s.claimPhone(ctx, tx, now, number)
		if err != nil {
			return err
		}
		people = []policy.PersonID{person}
		stops, err := s.stopsOf(ctx, tx, people)
		if err != nil {
			return err
		}
		from := now
		for _, stop := range stops {
			if stop.Origin == policy.OriginOperator && stop.Scope == scope {
				from = max(from, stop.LiftedAt) // of a stop and a lift at the same time the stop wins
			}
		}
		act := policy.Act{Kind: policy.ActStop, Scope: scope, Origin: policy.OriginOperator, At: from.time(), Text: reason, MessageID: cmp.Or(reason, actor)}
		if err := s.suppressPersons(ctx, tx, now, act, people, []identifier{s.phoneIdentifier(number)}); err != nil {
			return err
		}
		return audit(ctx, tx, now, report.Audit{Actor: actor, Action: "suppress.add", Subject: person.String(), Details: describe(scope, reason)})
	})
	if err != nil {
		return nil, fmt.Errorf("suppressing: %w", err)
	}
	return people, nil
}

func describe(scope policy.Scope, reason string) string {
	if reason == "" {
		return "scope " + string(scope)
	}
	return "scope " + string(scope) + ": " + reason
}

// Unsuppress lifts the stops that an operator or a file set for a number's person, and no others. lifted is how many, by
// scope and origin; remaining are the stops that still hold: only the person, or Meta, can lift those. Without a reason it is ErrNoReason.
func (s *Store) Unsuppress(ctx context.Context, number phone.Number, reason, actor string) (lifted int, remaining []report.Suppression, err error) {
	if reason = storable(reason); reason == "" {
		return 0, nil, ErrNoReason
	}
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		lifted, remaining = 0, nil
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		people, err := s.find(ctx, tx, number)
		if err != nil || len(people) == 0 {
			return err
		}
		change, err := s.nextChange(ctx, tx)
		if err != nil {
			return err
		}
		if err := s.lockPersons(ctx, tx, now, people); err != nil {
			return err
		}
		stops, err := s.stopsOf(ctx, tx, people)
		if err != nil {
			return err
		}
		var done []stopRow
		for i, stop := range stops {
			if !stop.active() || !stop.Origin.LiftedByOperator() {
				continue
			}
			// A stop dated into the future is lifted too: the lift comes after it.
			stops[i].LiftedAt = max(now, stop.At+1)
			if err := setLifted(ctx, tx, stops[i], change); err != nil {
				return err
			}
			done = append(done, stops[i])
		}
		lifted = len(onePerStop(done, func(stopRow) bool { return true }))
		for _, stop := range onePerStop(stops, stopRow.active) {
			remaining = append(remaining, stop.report(number.String(), ""))
		}
		return audit(ctx, tx, now, report.Audit{
			Actor: actor, Action: "suppress.remove", Subject: people[0].String(), Details: fmt.Sprintf("%d lifted, %d remain: %s", lifted, len(remaining), reason),
		})
	})
	if err != nil {
		return 0, nil, fmt.Errorf("lifting suppressions: %w", err)
	}
	return lifted, remaining, nil
}

// stopRow is one suppression of one identifier, with whose it is.
type stopRow struct {
	Hash     []byte         `db:"hash"`
	PersonID []byte         `db:"person_id"`
	Kind     identifierKind `db:"kind"`
	Value    string         `db:"value"`
	Scope    policy.Scope   `db:"scope"`
	Origin   policy.Origin  `db:"origin"`
	Reason   string         `db:"reason"`
	Source   string         `db:"source"`
	At       instant        `db:"at"`
	LiftedAt instant        `db:"lifted_at"`
}

func (r stopRow) active() bool {
	return policy.Suppression{At: r.At.time(), LiftedAt: r.LiftedAt.time()}.Active()
}

func (r stopRow) report(number, userID string) report.Suppression {
	line := report.Suppression{Phone: number, UserID: userID, Scope: r.Scope, Reason: r.Origin, Source: r.Source, At: reached(r.At), Words: r.Reason}
	if !r.active() {
		line.LiftedAt = reached(r.LiftedAt)
	}
	return line
}

func (s *Store) stopsOf(ctx context.Context, q sqlx.QueryerContext, people []policy.PersonID) ([]stopRow, error) {
	var rows []stopRow
	if err := s.queries.suppressionsOf.read(ctx, q, &rows, s.batchOf(people)); err != nil {
		return nil, fmt.Errorf("reading suppressions: %w", err)
	}
	return rows, nil
}

// stopKey is what makes one stop of one person, however many identifiers it is written for.
type stopKey struct {
	person policy.PersonID
	scope  policy.Scope
	origin policy.Origin
}

func (r stopRow) key() stopKey { return stopKey{policy.PersonID(r.PersonID), r.Scope, r.Origin} }

// onePerStop keeps one row of each person's stop among those wanted: that of the smallest hash, so that the answer is the
// same from whichever identifier it is asked for. Its time is the latest of all.
func onePerStop(rows []stopRow, want func(stopRow) bool) []stopRow {
	place := map[stopKey]int{}
	var kept []stopRow
	for _, r := range rows {
		if !want(r) {
			continue
		}
		i, found := place[r.key()]
		if !found {
			place[r.key()] = len(kept)
			kept = append(kept, r)
			continue
		}
		latest, lifted := max(kept[i].At, r.At), max(kept[i].LiftedAt, r.LiftedAt)
		if bytes.Compare(r.Hash, kept[i].Hash) < 0 {
			kept[i] = r
		}
		kept[i].At, kept[i].LiftedAt = latest, lifted
	}
	slices.SortFunc(kept, func(a, b stopRow) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Origin, b.Origin))
	})
	return kept
}
