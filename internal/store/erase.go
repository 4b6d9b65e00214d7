package store

import (
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

// ErrUnknownPerson says that an identity is nobody's who is on record.
var ErrUnknownPerson = errcode.With(errors.New("nobody on record has this number or user id: there is nothing to erase or to hand over"), errcode.UnknownContact)

// Erase takes everything personal of the person whom an identity names out of the database, in one transaction: number, user ids,
// name, attributes, texts, Meta's message ids, which have the number in them, and the bodies of webhooks that name the person. Waiting
// deliveries end as skipped for "erased". What stays leads to nobody: the person's key, the keyed hashes of the identifiers with the
// stops on them, consents without their personal parts, and deliveries with their states and times. The person stays erased, whoever
// imports the number again, and a stop holds on. It is ErrUnknownPerson when nobody has the identity; to erase again is no error.
//
// A message may be on the wire: wait with InFlight, and then call EraseLate.
func (s *Store) Erase(ctx context.Context, who policy.Identity, reason, actor string) (erased report.Erased, people []policy.PersonID, err error) {
	if people, err = s.peopleNamed(ctx, s.read, who); err != nil {
		return erased, nil, fmt.Errorf("erasing a person: %w", err)
	}
	messages, err := s.messagesOf(ctx, people)
	if err != nil {
		return erased, nil, err
	}
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		erased = report.Erased{}
		e := eraser{Store: s, tx: tx, actor: storable(actor), counts: &erased}
		if e.now, err = s.dialect.now(ctx, tx); err != nil {
			return err
		}
		// In the order of all who change stops: its number, the people, the persons' locks.
		if _, err := s.nextChange(ctx, tx); err != nil {
			return err
		}
		if err := s.sharePeople(ctx, tx); err != nil {
			return err
		}
		if e.people, err = s.peopleNamed(ctx, tx, who); err != nil {
			return err
		}
		people = e.people
		if err := s.lockPersons(ctx, tx, e.now, e.people); err != nil {
			return err
		}
		return e.erase(ctx, who, messages, storable(reason))
	})
	if err != nil {
		return erased, nil, fmt.Errorf("erasing a person: %w", err)
	}
	return erased, people, s.settleErasure(ctx)
}

// EraseLate takes away what the answer to a message that was on the wire left of persons who were erased meanwhile.
func (s *Store) EraseLate(ctx context.Context, people []policy.PersonID) error {
	messages, err := s.messagesOf(ctx, people)
	if err != nil || len(messages) == 0 {
		return err
	}
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		e := eraser{Store: s, tx: tx, people: people, counts: &report.Erased{}}
		return e.dropMessages(ctx, messages)
	})
	if err != nil {
		return fmt.Errorf("erasing what came late: %w", err)
	}
	return s.settleErasure(ctx)
}

// settleErasure empties SQLite's log of changes, which else keeps what the file itself no longer has until it is written over. What
// another process still reads stays in it until then.
func (s *Store) settleErasure(ctx context.Context) error {
	if s.dialect.name != sqliteDialect.name {
		return nil
	}
	var busy, frames, moved int
	if err := s.write.QueryRowxContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved); err != nil {
		return fmt.Errorf("the person is erased, but the database's log of changes could not be emptied: %w", explainSQLite(err))
	}
	return nil
}

// peopleNamed finds the persons whom an identity names, in key order; ErrUnknownPerson when there is none.
func (s *Store) peopleNamed(ctx context.Context, q sqlx.QueryerContext, who policy.Identity) ([]policy.PersonID, error) {
	owned, err := s.owners(ctx, q, s.identifiers(who))
	if err != nil {
		return nil, err
	}
	var people []policy.PersonID
	for _, person := range owned {
		people = append(people, person)
	}
	if len(people) == 0 {
		return nil, ErrUnknownPerson
	}
	return distinct(people), nil
}

// messagesOf lists the ids of all messages that went to persons. No index leads there: it reads them all, before any lock is held.
func (s *Store) messagesOf(ctx context.Context, people []policy.PersonID) ([]string, error) {
	var all []string
	for _, person := range people {
		var wamids []string
		if err := s.read.SelectContext(ctx, &wamids, "SELECT wamid FROM messages WHERE person_id = $1", person[:]); err != nil {
			return nil, fmt.Errorf("finding a person's messages: %w", err)
		}
		all = append(all, wamids...)
	}
	return all, nil
}

// erasedOf reports which of persons were erased.
func (s *Store) erasedOf(ctx context.Context, q sqlx.QueryerContext, people []policy.PersonID) (map[policy.PersonID]bool, error) {
	erased := map[policy.PersonID]bool{}
	var anybody bool
	if err := sqlx.GetContext(ctx, q, &anybody, "SELECT EXISTS (SELECT 1 FROM contacts WHERE erased_at IS NOT NULL)"); err != nil {
		return nil, fmt.Errorf("looking for erased persons: %w", err)
	}
	if !anybody {
		return erased, nil
	}
	for chunk := range slices.Chunk(people, recordsPerStatement) {
		var ids [][]byte
		if err := s.queries.erasedOf.read(ctx, q, &ids, s.batchOf(chunk)); err != nil {
			return nil, fmt.Errorf("looking for erased persons: %w", err)
		}
		for _, id := range ids {
			erased[policy.PersonID(id)] = true
		}
	}
	return erased, nil
}

// eraser is one erasure, within its transaction and under the locks of its persons.
type eraser struct {
	*Store
	tx     *sqlx.Tx
	now    instant
	people []policy.PersonID
	actor  string
	counts *report.Erased
}

func (e eraser) erase(ctx context.Context, who policy.Identity, messages []string, reason string) error {
	traces, err := e.traces(ctx, who)
	if err != nil {
		return err
	}
	if err := e.eraseConsents(ctx, e.tx, e.now, e.people, e.actor); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{e.contacts, e.identifiersAndStops, e.deliveries, e.conversations} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := e.dropMessages(ctx, messages); err != nil {
		return err
	}
	if err := e.dropTraces(ctx, traces); err != nil {
		return err
	}
	for _, person := range e.people {
		if err := audit(ctx, e.tx, e.now, report.Audit{Actor: e.actor, Action: "contacts.erase", Subject: person.String(), Details: traces.scrub(reason)}); err != nil {
			return err
		}
	}
	return nil
}

// each runs a statement once for each person, whose key is $1, and adds up how many rows it changed.
func (e eraser) each(ctx context.Context, what string, changed *int, query string, more ...any) error {
	for _, person := range e.people {
		done, err := e.tx.ExecContext(ctx, query, append([]any{person[:]}, more...)...)
		if err != nil {
			return fmt.Errorf("erasing %s: %w", what, err)
		}
		n, err := done.RowsAffected()
		if err != nil {
			return fmt.Errorf("erasing %s: %w", what, err)
		}
		if changed != nil {
			*changed += int(n)
		}
	}
	return nil
}

// contacts empties the contact and leaves, or makes, the mark that the person was erased.
func (e eraser) contacts(ctx context.Context) error {
	if err := e.each(ctx, "a contact", nil, `INSERT INTO contacts (person_id, phone, attributes, created_at, updated_at, erased_at) VALUES ($1, '', '{}', $2, $2, $2)
		ON CONFLICT (person_id) DO UPDATE SET phone = '', user_id = '', name = '', language = '', timezone = '', external_id = '', tags = '', attributes = '{}',
			country = '', zones = '', main_zone = '', erased_at = COALESCE(contacts.erased_at, excluded.erased_at),
			updated_at = CASE WHEN contacts.updated_at < excluded.updated_at THEN excluded.updated_at ELSE contacts.updated_at + 1 END`, e.now); err != nil {
		return err
	}
	return e.each(ctx, "what imports changed", nil, `DELETE FROM import_changes WHERE import_id IN (SELECT i.import_id FROM imports i) AND person_id = $1`)
}

// identifiersAndStops keeps the keyed hashes, with what stands on them, and no word beside them.
func (e eraser) identifiersAndStops(ctx context.Context) error {
	if err := e.each(ctx, "stops", &e.counts.Suppressions, `UPDATE suppressions SET value = '', reason = '', source = ''
		WHERE hash IN (SELECT i.hash FROM identifiers i WHERE i.person_id = $1)`); err != nil {
		return err
	}
	return e.each(ctx, "identifiers", nil, "UPDATE identifiers SET value = '' WHERE person_id = $1")
}

// goneWAMID stands for the message id of a delivery whose person was erased: it says that there was one, and that no later report may
// bring it back.
const goneWAMID = ""

func (e eraser) deliveries(ctx context.Context) error {
	const theirs = " WHERE run_id IN (SELECT r.run_id FROM runs r) AND person_id = $1"
	// What they led to goes first: once the ids are gone nothing leads there.
	if err := e.each(ctx, "what came early", nil, `DELETE FROM early_statuses WHERE wamid IN (SELECT d.wamid FROM deliveries d
		WHERE d.run_id IN (SELECT r.run_id FROM runs r) AND d.person_id = $1 AND d.wamid IS NOT NULL)`); err != nil {
		return err
	}
	if err := e.each(ctx, "message ids", nil, `DELETE FROM messages WHERE wamid IN (SELECT d.wamid FROM deliveries d
		WHERE d.run_id IN (SELECT r.run_id FROM runs r) AND d.person_id = $1 AND d.wamid IS NOT NULL) AND person_id = $1`); err != nil {
		return err
	}
	if err := e.each(ctx, "waiting deliveries", &e.counts.Waiting, "UPDATE deliveries SET state = 'skipped', reason = 'erased', changed_at = $2"+theirs+" AND state = 'queued'", e.now); err != nil {
		return err
	}
	return e.each(ctx, "the words of deliveries", &e.counts.Deliveries,
		"UPDATE deliveries SET error_title = NULL, error_details = NULL, wamid = CASE WHEN sending_at IS NULL THEN NULL ELSE '' END"+theirs)
}

// conversations erases what the persons wrote and what they were answered.
func (e eraser) conversations(ctx context.Context) error {
	for _, step := range []struct{ what, query string }{
		{"a review", `UPDATE persons SET review_closed_at = COALESCE(review_last_at, review_at, review_closed_at), review_text = NULL, review_at = NULL, review_last_at = NULL
			WHERE person_id = $1`},
		{"windows", "DELETE FROM windows WHERE person_id = $1"},
		{"what they asked for on a page", "DELETE FROM opt_in_requests WHERE person_id = $1"},
		{"answers that wait", "UPDATE answers SET state = 'dropped', reason = 'erased' WHERE person_id = $1 AND state = 'queued'"},
		{"answers", "UPDATE answers SET message_id = '', text = '', language = '', wamid = '' WHERE person_id = $1"},
	} {
		if err := e.each(ctx, step.what, nil, step.query); err != nil {
			return err
		}
	}
	return e.each(ctx, "replies", nil, `UPDATE replies SET data = '', context_wamid = '', error = '', done_at = COALESCE(done_at, $2),
		state = CASE WHEN state = 'pending' THEN 'failed' ELSE state END WHERE person_id = $1`, e.now)
}

// dropMessages deletes the ids of messages, and what came early for them.
func (e eraser) dropMessages(ctx context.Context, wamids []string) error {
	for _, wamid := range wamids {
		for _, query := range []string{"DELETE FROM early_statuses WHERE wamid = $1", "DELETE FROM messages WHERE wamid = $1"} {
			if _, err := e.tx.ExecContext(ctx, query, wamid); err != nil {
				return fmt.Errorf("erasing message ids: %w", err)
			}
		}
	}
	return nil
}

// namesStored are the numbers and user ids of the persons as they are stored anywhere.
func (e eraser) namesStored(ctx context.Context, who policy.Identity) (numbers []phone.Number, userIDs []string, names []string, err error) {
	known, err := e.identifiersOf(ctx, e.tx, e.people)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, n := range append(known, e.identifiers(who)...) {
		if n.value == "" {
			continue
		}
		if n.kind == kindPhone {
			numbers = append(numbers, phone.Number(n.value))
			continue
		}
		userIDs = append(userIDs, n.value)
	}
	var contacts []contactRow
	if err := e.queries.contactsOf.read(ctx, e.tx, &contacts, e.batchOf(e.people)); err != nil {
		return nil, nil, nil, fmt.Errorf("reading contacts: %w", err)
	}
	for _, c := range contacts {
		numbers = append(numbers, phone.Number(c.Phone))
		userIDs, names = append(userIDs, c.UserID), append(names, c.Name)
	}
	return append(numbers, who.Phone), userIDs, names, nil
}
