package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/ledger"
	"github.com/permesso/permesso/policy"
)

// eraseConsents takes the personal parts (evidence, ip, agent) of persons' events out of the consent ledger, within the
// transaction that erases the persons, and appends to it that this was done. It is all that an erasure may do to the table: every
// other change of a row, and its removal, is what `consent verify` finds. What was agreed to, when, how, in which words and under
// whose eyes stays, under a person_id that leads nowhere any more. The caller holds the persons' locks.
//
// Each event's salt goes with its personal part. What the part had entered the chain as stays in its place (consents.personal), and
// says nothing without the salt. So does the key by which a file's row is known again (event_id): it could be guessed at, and
// becomes random.
func (s *Store) eraseConsents(ctx context.Context, tx *sqlx.Tx, now instant, people []policy.PersonID, actor string) error {
	if len(people) == 0 {
		return nil
	}
	var rows []struct {
		PersonID []byte  `db:"person_id"`
		Category string  `db:"category"`
		At       instant `db:"at"`
		ID       []byte  `db:"event_id"`
		Evidence string  `db:"evidence"`
		IP       string  `db:"ip"`
		Agent    string  `db:"agent"`
		Salt     []byte  `db:"salt"`
		Personal []byte  `db:"personal"`
		Recorded instant `db:"recorded_at"`
	}
	if err := s.queries.consentsToErase.read(ctx, tx, &rows, s.batchOf(people)); err != nil {
		return fmt.Errorf("reading consents to erase: %w", err)
	}
	b, had := s.dialect.newBatch(), map[policy.PersonID]bool{}
	var sealer ledger.Sealer
	for _, r := range rows {
		had[policy.PersonID(r.PersonID)] = true
		now = max(now, r.Recorded) // one that was recorded while this transaction waited is not later than its erasure
		personal := r.Personal
		if r.Salt != nil {
			sealed := sealer.Personal(r.Salt, ledger.Personal{Evidence: r.Evidence, IP: r.IP, Agent: r.Agent})
			personal = sealed[:]
		}
		b.row().bytes(r.PersonID).str(r.Category).num(int64(r.At)).bytes(r.ID).bytes(random(len(key16{}))).bytes(personal)
	}
	if b.rows == 0 {
		return nil // nothing is on record of them
	}
	if _, err := s.queries.eraseConsents.exec(ctx, tx, &b); err != nil {
		return fmt.Errorf("erasing the personal parts of consents: %w", err)
	}
	var erased []policy.PersonConsent
	for person := range had {
		erased = append(erased, policy.PersonConsent{Person: person, Event: s.storableConsent(policy.ConsentEvent{Action: policy.ErasedPerson, At: now.time()}, actor)})
	}
	_, err := s.appendConsents(ctx, tx, now, erased, false)
	return err
}

// EraseConsents does to one person's events what erasing the person does, in a transaction of its own.
func (s *Store) EraseConsents(ctx context.Context, people []policy.PersonID, actor string) error {
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if err := s.lockPersons(ctx, tx, now, distinct(people)); err != nil {
			return err
		}
		return s.eraseConsents(ctx, tx, now, people, actor)
	})
	if err != nil {
		return fmt.Errorf("erasing the personal parts of %d persons' consents: %w", len(people), err)
	}
	return nil
}

// withoutErased takes the personal parts out of events of persons who were erased: somebody may import their file again.
func (s *Store) withoutErased(ctx context.Context, tx *sqlx.Tx, events []policy.PersonConsent) ([]policy.PersonConsent, error) {
	people := make([]policy.PersonID, len(events))
	for i := range events {
		people[i] = events[i].Person
	}
	erased, err := s.erasedOf(ctx, tx, distinct(people))
	if err != nil || len(erased) == 0 {
		return events, err
	}
	events = slices.Clone(events)
	for i := range events {
		if erased[events[i].Person] {
			events[i].Event.Evidence, events[i].Event.IP, events[i].Event.Agent = "", "", ""
		}
	}
	return events, nil
}
