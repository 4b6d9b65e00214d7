package store

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"

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
		events := make([]policy.PersonConsent, len(records))
		for i, r := range records {
			events[i] = policy.PersonConsent{Person: names[rows[i]].person, Event: s.storableConsent(r.Event, actorImport)}
		}
		if counts.Added, err = s.appendConsents(ctx, tx, now, events, file.expectsNewRows()); err != nil {
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

// RecordConsents appends events of persons who are on record: what they did on their own page, in a form or in the chat. Their locks
// are taken, so that no gate that begins after it returns passes by what they refused. Events that are there already count as none.
func (s *Store) RecordConsents(ctx context.Context, events []policy.PersonConsent) (added int, err error) {
	clean := make([]policy.PersonConsent, len(events))
	people := make([]policy.PersonID, len(events))
	for i, e := range events {
		clean[i], people[i] = policy.PersonConsent{Person: e.Person, Event: s.storableConsent(e.Event, "")}, e.Person
	}
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if err := s.sharePeople(ctx, tx); err != nil {
			return err
		}
		if err := s.lockPersons(ctx, tx, now, distinct(people)); err != nil {
			return err
		}
		added, err = s.appendConsents(ctx, tx, now, clean, false)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("recording %d consents: %w", len(events), err)
	}
	return added, nil
}

// AddConsent adds one event to the ledger of a person, who is made when the number was never met, and notes in the audit
// log that actor did so.
func (s *Store) AddConsent(ctx context.Context, number phone.Number, event policy.ConsentEvent, actor string) error {
	event = s.storableConsent(event, actor)
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		person, err := s.claimPhone(ctx, tx, now, number)
		if err != nil {
			return err
		}
		if _, err := s.appendConsents(ctx, tx, now, []policy.PersonConsent{{Person: person, Event: event}}, false); err != nil {
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

// ActFor names the business whose consents these are, for events that name none.
func (s *Store) ActFor(business string) { s.business.Store(&business) }

// storableConsent is the event as both databases can store it, under the actor and the business unless it names its own.
func (s *Store) storableConsent(e policy.ConsentEvent, actor string) policy.ConsentEvent {
	if business := s.business.Load(); business != nil && e.Category != "" {
		e.Business = cmp.Or(e.Business, *business)
	}
	e.Category, e.Source, e.Wording, e.Evidence = storable(e.Category), storable(e.Source), storable(e.Wording), storable(e.Evidence)
	e.Business, e.Language, e.IP, e.Agent = storable(e.Business), storable(e.Language), storable(e.IP), storable(e.Agent)
	e.Actor = storable(cmp.Or(e.Actor, actor))
	return e
}

// Consents returns the whole ledger of a number's person, every category, in the order in which the person acted.
// It is empty when the number was never met.
func (s *Store) Consents(ctx context.Context, number phone.Number) ([]report.Consent, error) {
	people, err := s.Find(ctx, number)
	if err != nil {
		return nil, fmt.Errorf("reading consents: %w", err)
	}
	return s.consentsOf(ctx, s.read, people)
}

func (s *Store) consentsOf(ctx context.Context, q sqlx.QueryerContext, people []policy.PersonID) ([]report.Consent, error) {
	var rows []consentRow
	if err := sqlx.SelectContext(ctx, q, &rows, `SELECT COALESCE(c.event, 0) AS event, c.category, c.action, c.at, c.source, COALESCE(w.text, '') AS wording, c.wording_hash,
		c.business, c.language, c.evidence, c.ip, c.agent, c.actor, c.recorded_at, c.personal, c.link
		FROM consents c LEFT JOIN wordings w ON w.hash = c.wording_hash
		WHERE c.person_id IN (SELECT x.person_id FROM `+s.dialect.batch(1, bytesOf("person_id"))+`)
		ORDER BY c.at, c.category, c.event_id`, s.batchOf(people).only(isBytes)); err != nil {
		return nil, fmt.Errorf("reading consents: %w", err)
	}
	events := make([]report.Consent, len(rows))
	for i, r := range rows {
		events[i] = r.report()
	}
	return events, nil
}

type consentRow struct {
	Event       policy.EventID `db:"event"`
	Category    string         `db:"category"`
	Action      policy.Action  `db:"action"`
	At          instant        `db:"at"`
	Source      string         `db:"source"`
	Wording     string         `db:"wording"`
	WordingHash []byte         `db:"wording_hash"`
	Business    string         `db:"business"`
	Language    string         `db:"language"`
	Evidence    string         `db:"evidence"`
	IP          string         `db:"ip"`
	Agent       string         `db:"agent"`
	Actor       string         `db:"actor"`
	RecordedAt  instant        `db:"recorded_at"`
	Personal    []byte         `db:"personal"`
	Link        []byte         `db:"link"`
}

func (r consentRow) report() report.Consent {
	return report.Consent{
		Event: r.Event, Category: r.Category, Action: r.Action, At: reached(r.At), Source: r.Source, Wording: r.Wording, WordingHash: hex.EncodeToString(r.WordingHash),
		Business: r.Business, Language: r.Language, Evidence: r.Evidence, IP: r.IP, Agent: r.Agent, RecordedAt: reached(r.RecordedAt), Actor: r.Actor,
		Erased: r.Personal != nil, Link: hex.EncodeToString(r.Link),
	}
}

// reached is an instant as reports print it.
func reached(i instant) report.Time { return report.Time{Time: i.time()} }
