package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// actorImport is who recorded what came in with a file.
const actorImport = "import"

// ErrUndated says that a consent has no time: when it was given is part of its proof.
var ErrUndated = errcode.With(errors.New("the consent has no time: give the moment at which the person acted"), errcode.Undated)

// ImportConsents adds events to the ledger in one transaction. The same event twice is one event, and Unchanged; a person
// who is not a contact is made, without a contact. Counts are of events.
func (s *Store) ImportConsents(ctx context.Context, records []scheduler.ConsentRecord) (counts scheduler.ImportCounts, err error) {
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		counts = scheduler.ImportCounts{}
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		people, err := s.claimPhones(ctx, tx, now, func(yield func(phone.Number) bool) {
			for _, r := range records {
				if !yield(r.Phone) {
					return
				}
			}
		})
		if err != nil {
			return err
		}
		events := make([]personConsent, len(records))
		for i, r := range records {
			events[i] = personConsent{people[r.Phone.Canonical()], storableConsent(r.Event)}
		}
		counts.Added, err = s.addConsents(ctx, tx, now, events, actorImport)
		counts.Unchanged = len(records) - counts.Added
		return err
	})
	if err != nil {
		return scheduler.ImportCounts{}, fmt.Errorf("importing %d consents: %w", len(records), err)
	}
	s.grew(ctx, counts.Added, "consents")
	return counts, nil
}

// AddConsent adds one event to the ledger of a person, who is made when the number was never met, and notes in the audit
// log that actor did so.
func (s *Store) AddConsent(ctx context.Context, number phone.Number, event policy.ConsentEvent, actor string) error {
	event = storableConsent(event)
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		person, err := s.claimPhone(ctx, tx, now, number)
		if err != nil {
			return err
		}
		if _, err := s.addConsents(ctx, tx, now, []personConsent{{person, event}}, storable(actor)); err != nil {
			return err
		}
		return audit(ctx, tx, now, report.Audit{
			Actor: actor, Action: "consent." + string(event.Action), Subject: person.String(),
			Details: fmt.Sprintf("category %s, at %s, source %s", event.Category, report.Time{Time: event.At}, event.Source),
		})
	})
	if err != nil {
		return fmt.Errorf("adding a consent: %w", err)
	}
	return nil
}

type personConsent struct {
	person policy.PersonID
	event  policy.ConsentEvent
}

func storableConsent(e policy.ConsentEvent) policy.ConsentEvent {
	e.Category, e.Source, e.Wording, e.Evidence = storable(e.Category), storable(e.Source), storable(e.Wording), storable(e.Evidence)
	return e
}

// addConsents writes the events that are not there yet and returns how many those are.
func (s *Store) addConsents(ctx context.Context, tx *sqlx.Tx, now instant, events []personConsent, actor string) (added int, err error) {
	slices.SortStableFunc(events, func(a, b personConsent) int {
		return cmp.Or(comparePersons(a.person, b.person), a.event.At.Compare(b.event.At))
	})
	for chunk := range slices.Chunk(events, recordsPerStatement) {
		rows, wordings := s.dialect.newBatch(), s.dialect.newBatch()
		known := map[[sha256.Size]byte]bool{}
		for _, c := range chunk {
			e := c.event
			if e.At.IsZero() {
				return 0, ErrUndated
			}
			id := consentEventID(e)
			rows.row().bytes(c.person[:]).str(e.Category).num(int64(at(e.At))).bytes(id[:]).str(string(e.Action)).str(e.Source)
			if e.Wording == "" {
				rows.null()
			} else {
				hash := sha256.Sum256([]byte(e.Wording))
				rows.bytes(hash[:])
				if !known[hash] {
					known[hash] = true
					wordings.row().bytes(hash[:]).str(e.Wording)
				}
			}
			rows.str(e.Evidence).str(actor)
		}
		if wordings.rows > 0 {
			if _, err := s.queries.addWordings.exec(ctx, tx, &wordings); err != nil {
				return 0, fmt.Errorf("writing wordings: %w", err)
			}
		}
		done, err := s.queries.addConsents.exec(ctx, tx, &rows, now)
		if err != nil {
			return 0, fmt.Errorf("writing consents: %w", err)
		}
		n, err := done.RowsAffected()
		if err != nil {
			return 0, fmt.Errorf("writing consents: %w", err)
		}
		added += int(n)
	}
	return added, nil
}

// consentEventID names an event by all that it says, so that the same row of a file twice is one event:
// the first 16 bytes of a SHA-256 over each part with its length before it.
func consentEventID(e policy.ConsentEvent) [16]byte {
	hash := sha256.New()
	write := func(part []byte) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		hash.Write(size[:])
		hash.Write(part)
	}
	var micros [8]byte
	binary.BigEndian.PutUint64(micros[:], uint64(at(e.At)))
	for _, part := range [][]byte{[]byte(e.Category), []byte(e.Action), micros[:], []byte(e.Source), []byte(e.Wording), []byte(e.Evidence)} {
		write(part)
	}
	return [16]byte(hash.Sum(nil))
}

// Consents returns the whole ledger of a number's person, every category, in the order in which the person acted.
// It is empty when the number was never met.
func (s *Store) Consents(ctx context.Context, number phone.Number) ([]report.Consent, error) {
	people, err := s.Find(ctx, number)
	if err != nil {
		return nil, fmt.Errorf("reading consents: %w", err)
	}
	var rows []struct {
		Category   string        `db:"category"`
		Action     policy.Action `db:"action"`
		At         instant       `db:"at"`
		Source     string        `db:"source"`
		Wording    string        `db:"wording"`
		Evidence   string        `db:"evidence"`
		Actor      string        `db:"actor"`
		RecordedAt instant       `db:"recorded_at"`
	}
	if err := s.read.SelectContext(ctx, &rows, `SELECT c.category, c.action, c.at, c.source, COALESCE(w.text, '') AS wording, c.evidence, c.actor, c.recorded_at
		FROM consents c LEFT JOIN wordings w ON w.hash = c.wording_hash
		WHERE c.person_id IN (SELECT x.person_id FROM `+s.dialect.batch(1, bytesOf("person_id"))+`)
		ORDER BY c.at, c.category, c.event_id`, s.batchOf(people).only(isBytes)); err != nil {
		return nil, fmt.Errorf("reading consents: %w", err)
	}
	ledger := make([]report.Consent, len(rows))
	for i, r := range rows {
		ledger[i] = report.Consent{
			Category: r.Category, Action: r.Action, At: reached(r.At), Source: r.Source, Wording: r.Wording, Evidence: r.Evidence,
			RecordedAt: reached(r.RecordedAt), Actor: r.Actor,
		}
	}
	return ledger, nil
}

// reached is an instant as reports print it.
func reached(i instant) report.Time { return report.Time{Time: i.time()} }
