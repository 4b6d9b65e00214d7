package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
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

// ImportConsents adds events to the ledger in one transaction, as no import of a file. The same event twice is one event, and
// Unchanged; a person who is not a contact is made, without a contact. Counts are of events.
func (s *Store) ImportConsents(ctx context.Context, records []scheduler.ConsentRecord) (scheduler.ImportCounts, error) {
	return s.importConsents(ctx, nil, records)
}

func (s *Store) importConsents(ctx context.Context, file *Import, records []scheduler.ConsentRecord) (counts scheduler.ImportCounts, err error) {
	names, rows := distinctNumbers(s.claimedNumbers(len(records), func(row int) phone.Number { return records[row].Phone }))
	write := func(tx *sqlx.Tx) error {
		counts = scheduler.ImportCounts{}
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if err := file.begin(ctx, tx, now); err != nil {
			return err
		}
		if err := s.claimNumbers(ctx, tx, now, names, file.expectsNew()); err != nil {
			return err
		}
		events := make([]personConsent, len(records))
		for i, r := range records {
			events[i] = personConsent{names[rows[i]].person, storableConsent(r.Event)}
		}
		if counts.Added, err = s.addConsents(ctx, tx, now, events, actorImport, file.expectsNewRows()); err != nil {
			return err
		}
		counts.Unchanged = len(records) - counts.Added
		return file.count(ctx, tx, now, counts)
	}
	err = s.inTx(ctx, write)
	if errors.Is(err, errNotNew) {
		file.met()
		err = s.inTx(ctx, write)
	}
	if err != nil {
		return scheduler.ImportCounts{}, fmt.Errorf("importing %d consents: %w", len(records), err)
	}
	file.began(names)
	file.wrote(counts.Unchanged == 0)
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
		if _, err := s.addConsents(ctx, tx, now, []personConsent{{person, event}}, storable(actor), false); err != nil {
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

// addConsents writes the events that are not there yet and returns how many those are. With allNew it takes that for granted;
// errNotNew when one was there, and then the transaction is over.
func (s *Store) addConsents(ctx context.Context, tx *sqlx.Tx, now instant, events []personConsent, actor string, allNew bool) (added int, err error) {
	slices.SortStableFunc(events, func(a, b personConsent) int {
		return cmp.Or(comparePersons(a.person, b.person), a.event.At.Compare(b.event.At))
	})
	wordings := map[string][]byte{} // by text
	for i := range events {
		e := &events[i].event
		if e.At.IsZero() {
			return 0, ErrUndated
		}
		if e.Wording != "" && wordings[e.Wording] == nil {
			hash := sha256.Sum256([]byte(e.Wording))
			wordings[e.Wording] = hash[:]
		}
	}
	if err := s.addWordings(ctx, tx, wordings); err != nil {
		return 0, err
	}
	var id consentEventID
	rows := rowsOf{
		shared: []any{actor, int64(now)}, n: len(events),
		row: func(i int, row []any) []any {
			e := &events[i].event
			var wording any
			if e.Wording != "" {
				wording = wordings[e.Wording]
			}
			return append(row, events[i].person[:], e.Category, int64(at(e.At)), id.of(e), string(e.Action), e.Source, wording, e.Evidence)
		},
	}
	if allNew {
		return len(events), s.load(ctx, tx, bulkConsents, rows)
	}
	return s.add(ctx, tx, bulkConsents, s.queries.addConsents, rows)
}

func (s *Store) addWordings(ctx context.Context, tx *sqlx.Tx, wordings map[string][]byte) error {
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(wordings)), recordsPerStatement) {
		b := s.dialect.newBatch()
		for _, text := range chunk {
			b.row().bytes(wordings[text]).str(text)
		}
		if _, err := s.queries.addWordings.exec(ctx, tx, &b); err != nil {
			return fmt.Errorf("writing wordings: %w", err)
		}
	}
	return nil
}

// consentEventID names an event by all that it says, so that the same row of a file twice is one event:
// the first 16 bytes of a SHA-256 over each part with its length before it.
type consentEventID struct{ text []byte }

func (id *consentEventID) of(e *policy.ConsentEvent) []byte {
	id.text = id.text[:0]
	id.part(e.Category)
	id.part(string(e.Action))
	id.text = binary.BigEndian.AppendUint64(id.text, 8)
	id.text = binary.BigEndian.AppendUint64(id.text, uint64(at(e.At)))
	id.part(e.Source)
	id.part(e.Wording)
	id.part(e.Evidence)
	sum := sha256.Sum256(id.text)
	return sum[:16]
}

func (id *consentEventID) part(text string) {
	id.text = binary.BigEndian.AppendUint64(id.text, uint64(len(text)))
	id.text = append(id.text, text...)
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
