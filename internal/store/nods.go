package store

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// nodWithin is how long after a question its yes still counts: as long as the window in which it was asked.
const nodWithin = sender.Window

// askedRow is a question as it left.
type askedRow struct {
	ID        []byte       `db:"answer_id"`
	PersonID  []byte       `db:"person_id"`
	Scope     policy.Scope `db:"scope"`
	MessageID string       `db:"message_id"`
	Text      string       `db:"text"`
	Business  string       `db:"business"`
	Language  string       `db:"language"`
	WAMID     string       `db:"wamid"`
	SendingAt instant      `db:"sending_at"`
	Said      string       `db:"said"`
	SaidAt    instant      `db:"said_at"`
}

// applyNods records what people said to questions of ours: a yes is their consent to the very words that they were asked, and takes back
// their own stop of that category; a no ends the question, and takes a yes to it back. A yes counts for the person who was asked, once,
// and while the question is not older than nodWithin. In whichever order yes and no come, the no wins.
func (s *Store) applyNods(ctx context.Context, tx *sqlx.Tx, now instant, nods []sender.Nod) error {
	for _, nod := range nods {
		question, found, err := s.asked(ctx, tx, nod)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		// Under the lock of the person, so that two answers to one question follow one another; the question is read again.
		person := policy.PersonID(question.PersonID)
		if err := s.lockPersons(ctx, tx, now, []policy.PersonID{person}); err != nil {
			return err
		}
		if question, _, err = s.asked(ctx, tx, nod); err != nil {
			return err
		}
		mine, err := s.isFrom(ctx, tx, nod.Identity, person)
		if err != nil {
			return err
		}
		if !mine || question.Text == "" {
			continue
		}
		if err := s.applyNod(ctx, tx, now, nod, question); err != nil {
			return err
		}
	}
	return nil
}

// asked finds the question that a nod is about.
func (s *Store) asked(ctx context.Context, tx *sqlx.Tx, nod sender.Nod) (question askedRow, found bool, err error) {
	const columns = "answer_id, person_id, scope, message_id, text, business, language, COALESCE(wamid, '') AS wamid, COALESCE(sending_at, 0) AS sending_at, said, COALESCE(said_at, 0) AS said_at"
	const left = " AND kind = 'question' AND state IN ('sending', 'sent', 'unknown') LIMIT 1"
	var rows []askedRow
	if id, ok := sender.ParseAnswerID(nod.Question); ok {
		err = tx.SelectContext(ctx, &rows, "SELECT "+columns+" FROM answers WHERE answer_id = $1"+left, id[:])
	} else if nod.ContextWAMID != "" {
		err = tx.SelectContext(ctx, &rows, "SELECT "+columns+" FROM answers WHERE wamid = $1"+left, nod.ContextWAMID)
	}
	if err != nil {
		return askedRow{}, false, fmt.Errorf("finding the question that was answered: %w", err)
	}
	if len(rows) == 0 {
		return askedRow{}, false, nil
	}
	return rows[0], true, nil
}

// isFrom reports whether an identity is the person's, by the first of its identifiers that anybody has.
func (s *Store) isFrom(ctx context.Context, tx *sqlx.Tx, identity policy.Identity, person policy.PersonID) (bool, error) {
	names := s.identifiers(identity)
	owned, err := s.owners(ctx, tx, names)
	if err != nil {
		return false, err
	}
	for _, n := range names {
		if owner, known := owned[key16(n.hash)]; known {
			return owner == person, nil
		}
	}
	return false, nil
}

// notePending has the ledger say that a question leaves: it was asked for, and is no consent before the yes. One that leaves
// at a second try is the same event.
func (s *Store) notePending(ctx context.Context, tx *sqlx.Tx, now instant, a sender.Answer) error {
	event := policy.ConsentEvent{
		Category: categoryOf(a.Scope), Source: "whatsapp", Wording: a.Text, Business: a.Business, Language: a.Language, At: a.AskedAt, Action: policy.Pending,
		Evidence: "asked as " + a.ID.String(),
	}
	return s.consentByChat(ctx, tx, now, a.PersonID, event)
}

func categoryOf(scope policy.Scope) string {
	return strings.TrimPrefix(string(scope), string(policy.ScopeCategory("")))
}

func (s *Store) applyNod(ctx context.Context, tx *sqlx.Tx, now instant, nod sender.Nod, question askedRow) error {
	said := min(at(nod.At), now)
	event := policy.ConsentEvent{
		Category: categoryOf(question.Scope), Source: "whatsapp", Wording: question.Text, Business: question.Business, Language: question.Language,
		At: said.time(), Action: policy.Confirmed,
		Evidence: storable(fmt.Sprintf("asked for in %s, asked in %s, answered in %s", cmp.Or(question.MessageID, "-"), cmp.Or(question.WAMID, "-"), cmp.Or(nod.MessageID, "-"))),
	}
	if !nod.Yes {
		return s.sayNo(ctx, tx, now, question, event, said)
	}
	// Meta's clock and ours differ a little.
	early := said.time().Before(question.SendingAt.time().Add(-time.Minute))
	if question.Said != "" || early || said.time().Sub(question.SendingAt.time()) > nodWithin {
		return nil
	}
	person := policy.PersonID(question.PersonID)
	if err := s.consentByChat(ctx, tx, now, person, event); err != nil {
		return err
	}
	lift := policy.Act{Kind: policy.ActStart, Scope: question.Scope, Origin: policy.OriginKeyword, At: said.time(), MessageID: nod.MessageID}
	if err := s.lift(ctx, tx, lift, []policy.PersonID{person}); err != nil {
		return err
	}
	return s.keepSaid(ctx, tx, question, "yes", said)
}

// sayNo ends a question, and takes back the yes that it may have had.
func (s *Store) sayNo(ctx context.Context, tx *sqlx.Tx, now instant, question askedRow, event policy.ConsentEvent, said instant) error {
	if question.Said == "no" {
		return nil
	}
	if question.Said == "yes" {
		event.Action, event.At = policy.Revoked, max(said, question.SaidAt).time()
		if err := s.consentByChat(ctx, tx, now, policy.PersonID(question.PersonID), event); err != nil {
			return err
		}
	}
	return s.keepSaid(ctx, tx, question, "no", said)
}

func (s *Store) keepSaid(ctx context.Context, tx *sqlx.Tx, question askedRow, said string, when instant) error {
	if _, err := tx.ExecContext(ctx, "UPDATE answers SET said = $2, said_at = $3 WHERE answer_id = $1", question.ID, said, when); err != nil {
		return fmt.Errorf("keeping the answer to a question: %w", err)
	}
	return nil
}

// actorChat is who recorded what a person said in a chat: the person.
const actorChat = "person"

func (s *Store) consentByChat(ctx context.Context, tx *sqlx.Tx, now instant, person policy.PersonID, event policy.ConsentEvent) error {
	if _, err := s.appendConsents(ctx, tx, now, []policy.PersonConsent{{Person: person, Event: s.storableConsent(event, actorChat)}}, false); err != nil {
		return fmt.Errorf("recording a consent of a chat: %w", err)
	}
	return nil
}
