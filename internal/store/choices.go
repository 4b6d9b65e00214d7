package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// ErrNobody says that nothing names the person any more: the import that brought them was undone.
var ErrNobody = errors.New("nobody of that id is on record") // told, and no failure

// ErrNoCategory says that a choice is about a category that is not configured.
var ErrNoCategory = errors.New("there is no such category") // told, and no failure

// actorPerson is who recorded what a person did themselves.
const actorPerson = "person"

// Choose does what a person chose on a page of theirs, in one transaction, and does nothing when it is so already. categories are
// those that the business has.
//
// Off writes a stop of the category's, or of everything, closes the waiting deliveries that it covers, and revokes the consent that
// stands; a message may still be in flight: wait with InFlight. On takes the person's own stops of the category back, those of
// everything and of its kind for this category alone, and grants it; stops of others it leaves.
func (s *Store) Choose(ctx context.Context, choice report.Choice, categories map[string]policy.Category) error {
	if _, known := categories[choice.Category]; !known && (choice.On || choice.Category != "") {
		return ErrNoCategory
	}
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if _, err := s.nextChange(ctx, tx); err != nil {
			return err
		}
		c := chosen{Choice: choice, categories: categories, now: now}
		if err := s.readChosen(ctx, tx, &c); err != nil {
			return err
		}
		if choice.On {
			return s.turnOn(ctx, tx, c, policy.Granted, now)
		}
		return s.turnOff(ctx, tx, c)
	})
	if err != nil {
		return fmt.Errorf("recording what a person chose: %w", err)
	}
	return nil
}

// chosen is a choice with what stands on record of the person, who is locked.
type chosen struct {
	report.Choice
	categories map[string]policy.Category
	now        instant
	stops      []stopRow
	standing   map[string]policy.Consent
}

func (s *Store) readChosen(ctx context.Context, tx *sqlx.Tx, c *chosen) error {
	people := []policy.PersonID{c.Person}
	if err := s.sharePeople(ctx, tx); err != nil {
		return err
	}
	// Before the lock, which would make a row of somebody who is not there.
	if names, err := s.identifiersOf(ctx, tx, people); err != nil || len(names) == 0 {
		return errors.Join(err, ErrNobody)
	}
	if err := s.lockPersons(ctx, tx, c.now, people); err != nil {
		return err
	}
	var err error
	if c.stops, err = s.stopsOf(ctx, tx, people); err != nil {
		return err
	}
	ledger, err := s.consentsOf(ctx, tx, people)
	c.standing = foldLedger(ledger)
	return err
}

func (s *Store) turnOff(ctx context.Context, tx *sqlx.Tx, c chosen) error {
	scope, about := policy.ScopeAll, slices.Sorted(maps.Keys(c.standing))
	if c.Category != "" {
		scope, about = policy.ScopeCategory(c.Category), []string{c.Category}
	}
	if err := s.stopByPage(ctx, tx, c, scope, c.now); err != nil {
		return err
	}
	var events []policy.PersonConsent
	for _, id := range about {
		if stands := c.standing[id]; stands.Given() {
			events = append(events, s.chosenEvent(c, id, policy.Revoked, max(c.now, at(stands.At))))
		}
	}
	_, err := s.appendConsents(ctx, tx, c.now, events, false)
	return err
}

// stopByPage writes the person's own stop of a scope, unless it holds already, and closes what waits.
func (s *Store) stopByPage(ctx context.Context, tx *sqlx.Tx, c chosen, scope policy.Scope, from instant) error {
	for _, stop := range c.stops {
		if stop.Origin != policy.OriginPage || stop.Scope != scope {
			continue
		}
		if stop.active() {
			return nil
		}
		from = max(from, stop.LiftedAt) // of a stop and a lift at the same time the stop wins
	}
	act := policy.Act{Kind: policy.ActStop, Scope: scope, Origin: policy.OriginPage, At: from.time()}
	return s.suppressPersons(ctx, tx, c.now, act, []policy.PersonID{c.Person}, nil)
}

// turnOn lifts what the person stopped themselves and appends their consent. The person acted at the moment acted: what they
// stopped later than that holds.
func (s *Store) turnOn(ctx context.Context, tx *sqlx.Tx, c chosen, action policy.Action, acted instant) error {
	category := c.categories[c.Category]
	if action == policy.Granted {
		acted = max(acted, c.latestOwn(category)+1) // what they tap now comes after all that they said before, whatever the clocks say
	}
	lifted, err := s.liftFor(ctx, tx, c, category, acted)
	if err != nil {
		return err
	}
	stands := c.standing[c.Category]
	age := c.now.time().Sub(stands.At)
	if action == policy.Granted && stands.Given() && !lifted && (category.ConsentExpiresAfter == 0 || age < category.ConsentExpiresAfter) {
		return nil // it is so already
	}
	if action == policy.Granted {
		acted = max(c.now, at(stands.At)+1)
	}
	_, err = s.appendConsents(ctx, tx, c.now, []policy.PersonConsent{s.chosenEvent(c, c.Category, action, acted)}, false)
	return err
}

// latestOwn is when the person last stopped something that covers the category.
func (c chosen) latestOwn(category policy.Category) (latest instant) {
	for _, stop := range c.stops {
		if stop.Origin.LiftedByPerson() && stop.Scope.Covers(category) {
			latest = max(latest, stop.At)
		}
	}
	return latest
}

// liftFor takes the person's own stops of a category back, and nothing else: where they stopped everything, or a kind, the other
// categories of that keep a stop of their own. lifted says whether one held before.
func (s *Store) liftFor(ctx context.Context, tx *sqlx.Tx, c chosen, category policy.Category, acted instant) (lifted bool, err error) {
	var wide, scopes []policy.Scope
	for _, stop := range c.stops {
		if !stop.active() || !stop.Origin.LiftedByPerson() || !stop.Scope.Covers(category) || stop.At >= acted || slices.Contains(scopes, stop.Scope) {
			continue
		}
		scopes = append(scopes, stop.Scope)
		if stop.Scope != policy.ScopeCategory(category.ID) {
			wide = append(wide, stop.Scope)
		}
	}
	people := []policy.PersonID{c.Person}
	for _, scope := range append(scopes, policy.ScopeCategory(category.ID)) {
		if err := s.lift(ctx, tx, policy.Act{Kind: policy.ActStart, Scope: scope, Origin: policy.OriginPage, At: acted.time()}, people); err != nil {
			return false, err
		}
	}
	if len(wide) == 0 {
		return len(scopes) > 0, nil
	}
	if c.stops, err = s.stopsOf(ctx, tx, people); err != nil {
		return false, err
	}
	for _, id := range slices.Sorted(maps.Keys(c.categories)) {
		covered := slices.ContainsFunc(wide, func(scope policy.Scope) bool { return scope.Covers(c.categories[id]) })
		if id == category.ID || !covered {
			continue
		}
		if err := s.stopByPage(ctx, tx, c, policy.ScopeCategory(id), acted); err != nil {
			return false, err
		}
	}
	return true, nil
}

// chosenEvent is the choice as the ledger has it.
func (s *Store) chosenEvent(c chosen, category string, action policy.Action, when instant) policy.PersonConsent {
	e := c.Event
	e.Category, e.Action, e.At = category, action, when.time()
	if action == policy.Revoked {
		e.Wording = "" // what was shown is about consent, and this is none
	}
	return policy.PersonConsent{Person: c.Person, Event: s.storableConsent(e, actorPerson)}
}
