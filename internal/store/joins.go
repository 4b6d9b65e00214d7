package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// ErrAskedTooOften says that a number was typed too often on opt-in pages for one day.
var ErrAskedTooOften = errors.New("the number was asked for too often today") // told, and no failure

// joinsPerNumber is how often one number may be typed on opt-in pages within policy.JoinCodeLife: codes get lost, and nobody fills
// the ledger of somebody else.
const joinsPerNumber = 5

// joinsKept is how long a request is kept: a webhook may be a day late.
const joinsKept = 2 * policy.JoinCodeLife

// joinSkew is how far Meta's clock may be behind ours.
const joinSkew = 5 * time.Minute

// AskToJoin notes what was asked for on an opt-in page, as an event that is pending. Nothing is sent for it, and it is no consent:
// anybody may type any number. ErrAskedTooOften when the number was typed too often.
func (s *Store) AskToJoin(ctx context.Context, request report.JoinRequest) error {
	event := request.Event
	event.Category, event.Action = request.Category, policy.Pending
	event.Evidence = strings.TrimSpace(event.Evidence + " code " + request.Code)
	event = s.storableConsent(event, actorPerson)
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if err := forgetJoins(ctx, tx, now); err != nil {
			return err
		}
		hash := s.phoneIdentifier(request.Number).hash
		var asked int
		if err := tx.GetContext(ctx, &asked, "SELECT count(*) FROM opt_in_requests WHERE hash = $1 AND created_at > $2", hash, now-instant(policy.JoinCodeLife.Microseconds())); err != nil {
			return fmt.Errorf("counting requests: %w", err)
		}
		if asked >= joinsPerNumber {
			return ErrAskedTooOften
		}
		person, err := s.claimPhone(ctx, tx, now, request.Number)
		if err != nil {
			return err
		}
		event.At = now.time()
		if _, err := s.appendConsents(ctx, tx, now, []policy.PersonConsent{{Person: person, Event: event}}, false); err != nil {
			return err
		}
		return noteJoin(ctx, tx, request.Code, hash, person, event)
	})
	if err != nil {
		return fmt.Errorf("noting what was asked for on an opt-in page: %w", err)
	}
	return nil
}

func forgetJoins(ctx context.Context, tx *sqlx.Tx, now instant) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM opt_in_requests WHERE created_at < $1", now-instant(joinsKept.Microseconds())); err != nil {
		return fmt.Errorf("forgetting old requests: %w", err)
	}
	return nil
}

// noteJoin keeps what a code will confirm: the event, from its time on.
func noteJoin(ctx context.Context, tx *sqlx.Tx, code string, hash []byte, person policy.PersonID, event policy.ConsentEvent) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO opt_in_requests (code, hash, person_id, category, wording, business, language, source, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		code, hash, person[:], event.Category, event.Wording, event.Business, event.Language, event.Source, at(event.At))
	if err != nil {
		return fmt.Errorf("noting what a code confirms: %w", err)
	}
	return nil
}

// codeEvents puts to the fates of events that are pending the codes that confirm them: a new one to each that is new, and to one that
// was there that which was handed out for it and still may come.
func (s *Store) codeEvents(ctx context.Context, tx *sqlx.Tx, now instant, numbers func(i int) phone.Number, events []policy.PersonConsent, fates []report.Fate) error {
	forgotten := false
	for i, e := range events {
		if e.Event.Action != policy.Pending {
			continue
		}
		if !forgotten {
			if err := forgetJoins(ctx, tx, now); err != nil {
				return err
			}
			forgotten = true
		}
		hash := s.phoneIdentifier(numbers(i)).hash
		if !fates[i].New {
			code, err := codeFor(ctx, tx, now, hash, e.Event)
			if err != nil {
				return err
			}
			fates[i].Code = code
			continue
		}
		fates[i].Code = policy.NewJoinCode()
		event := e.Event
		event.At = max(now, at(event.At)).time() // a program's clock may be ahead, and no word counts before what it confirms
		if err := noteJoin(ctx, tx, fates[i].Code, hash, e.Person, event); err != nil {
			return err
		}
	}
	return nil
}

// codeFor is the code that was handed out for an event and was not sent yet; "" when there is none that still counts.
func codeFor(ctx context.Context, tx *sqlx.Tx, now instant, hash []byte, event policy.ConsentEvent) (string, error) {
	var codes []string
	err := tx.SelectContext(ctx, &codes, `SELECT code FROM opt_in_requests
		WHERE hash = $1 AND created_at > $2 AND category = $3 AND wording = $4 AND source = $5 AND confirmed_at IS NULL ORDER BY created_at DESC LIMIT 1`,
		hash, now-instant(policy.JoinCodeLife.Microseconds()), event.Category, event.Wording, event.Source)
	if err != nil {
		return "", fmt.Errorf("finding the code of a consent: %w", err)
	}
	return strings.Join(codes, ""), nil
}

// joinRow is a request as it was asked for.
type joinRow struct {
	Code      string  `db:"code"`
	Hash      []byte  `db:"hash"`
	PersonID  []byte  `db:"person_id"`
	Category  string  `db:"category"`
	Wording   string  `db:"wording"`
	Business  string  `db:"business"`
	Language  string  `db:"language"`
	Source    string  `db:"source"`
	CreatedAt instant `db:"created_at"`
}

const openJoin = `SELECT code, hash, person_id, category, wording, business, language, source, created_at FROM opt_in_requests
	WHERE code = $1 AND confirmed_at IS NULL`

// applyCodes confirms what was asked for on an opt-in page or by a program, where the code came from the number that was typed, in time. Every other
// code changes nothing and stays what it was. A code counts once.
func (s *Store) applyCodes(ctx context.Context, tx *sqlx.Tx, now instant, codes []sender.JoinCode) error {
	for _, code := range codes {
		var found []joinRow
		if err := tx.SelectContext(ctx, &found, openJoin, code.Code); err != nil {
			return fmt.Errorf("finding what a code confirms: %w", err)
		}
		if len(found) == 0 {
			continue
		}
		mine, err := s.typedBy(ctx, tx, found[0], code.Identity)
		if err != nil {
			return err
		}
		said := min(at(code.At), now)
		wait := said.time().Sub(found[0].CreatedAt.time())
		if !mine || wait < -joinSkew || wait > policy.JoinCodeLife {
			continue
		}
		if err := s.confirmJoin(ctx, tx, now, max(said, found[0].CreatedAt+1), found[0], code); err != nil {
			return err
		}
	}
	return nil
}

// typedBy reports whether a message comes from the number that was typed: by its number, or, where Meta tells none, by its user id.
func (s *Store) typedBy(ctx context.Context, tx *sqlx.Tx, row joinRow, from policy.Identity) (bool, error) {
	if from.Phone != "" {
		return bytes.Equal(row.Hash, s.phoneIdentifier(from.Phone).hash), nil
	}
	owned, err := s.owners(ctx, tx, s.identifiers(from))
	if err != nil {
		return false, err
	}
	for _, person := range owned {
		if person != policy.PersonID(row.PersonID) {
			return false, nil
		}
	}
	return len(owned) > 0, nil
}

func (s *Store) confirmJoin(ctx context.Context, tx *sqlx.Tx, now, said instant, row joinRow, code sender.JoinCode) error {
	if _, known := code.Categories[row.Category]; !known {
		return nil // the business gave the category up meanwhile
	}
	if _, err := s.nextChange(ctx, tx); err != nil {
		return err
	}
	c := chosen{categories: code.Categories, now: now, Choice: report.Choice{
		Person: policy.PersonID(row.PersonID), On: true, Category: row.Category,
		Event: policy.ConsentEvent{
			Source: row.Source, Wording: row.Wording, Business: row.Business, Language: row.Language,
			Evidence: fmt.Sprintf("code %s, sent in %s", row.Code, code.MessageID),
		},
	}}
	err := s.readChosen(ctx, tx, &c)
	if errors.Is(err, ErrNobody) {
		return nil
	}
	if err != nil {
		return err
	}
	// Under the person's lock: the same message may be read twice at once.
	done, err := tx.ExecContext(ctx, "UPDATE opt_in_requests SET confirmed_at = $2 WHERE code = $1 AND confirmed_at IS NULL", row.Code, said)
	if err != nil {
		return fmt.Errorf("closing what a code confirmed: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return err
	}
	if err := s.turnOn(ctx, tx, c, policy.Confirmed, said); err != nil {
		return err
	}
	return s.makeContact(ctx, tx, now, c.Person, code.Identity.Phone, row.Language)
}

// makeContact makes a contact of a person who is none: who confirmed that they want to be written to is in audiences from then on.
func (s *Store) makeContact(ctx context.Context, tx *sqlx.Tx, now instant, person policy.PersonID, number phone.Number, language string) error {
	there, err := s.storedContacts(ctx, tx, []policy.PersonID{person})
	if err != nil || len(there) > 0 || number == "" {
		return err
	}
	record := scheduler.ContactRecord{Phone: number, Number: scheduler.NumberFacts{Country: number.Country(), Zones: number.Zones(), MainZone: number.Zone()}}
	if language != "" {
		record.Language = &language
	}
	return s.addContacts(ctx, tx, now, []newContact{{person, &record}})
}
