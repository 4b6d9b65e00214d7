package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

const contactColumns = `c.person_id, c.phone, c.user_id, c.name, c.language, c.timezone, c.external_id, c.tags, c.attributes, c.country, c.zones, c.main_zone, c.erased_at`

type contactRow struct {
	PersonID   []byte        `db:"person_id"`
	Phone      string        `db:"phone"`
	UserID     string        `db:"user_id"`
	Name       string        `db:"name"`
	Language   string        `db:"language"`
	Zone       string        `db:"timezone"`
	ExternalID string        `db:"external_id"`
	Tags       string        `db:"tags"`
	Attributes string        `db:"attributes"`
	Country    string        `db:"country"`
	Zones      string        `db:"zones"`
	MainZone   string        `db:"main_zone"`
	ErasedAt   sql.NullInt64 `db:"erased_at"`
}

func (r contactRow) contact() (scheduler.Contact, error) {
	c := scheduler.Contact{
		PersonID: policy.PersonID(r.PersonID), Phone: phone.Number(r.Phone), UserID: r.UserID, Name: r.Name, Language: r.Language, Zone: r.Zone,
		ExternalID: r.ExternalID, Tags: split(r.Tags), Country: r.Country, Zones: split(r.Zones), MainZone: r.MainZone, Erased: r.ErasedAt.Valid,
	}
	if r.Attributes != "{}" {
		if err := json.Unmarshal([]byte(r.Attributes), &c.Attributes); err != nil {
			return c, fmt.Errorf("reading the attributes of person %s: %w", c.PersonID, err)
		}
	}
	return c, nil
}

// split reads a list stored as one text, separated by ";".
func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ";")
}

// PersonOf is what the contact's own row says of the person; the rest is read beside it.
func personOf(c scheduler.Contact) policy.Person {
	return policy.Person{
		Known: true, Erased: c.Erased, InvalidNumber: c.Phone == "" && c.UserID == "",
		Country: c.Country, Zone: c.Zone, Zones: c.Zones, MainZone: c.MainZone,
	}
}

// Range reads the next contacts after a person in key order, with every fact that a decision needs beside them: one
// range query on each table, never one per person.
func (s *Store) Range(ctx context.Context, after policy.PersonID, limit int, want scheduler.Want) ([]scheduler.Subject, error) {
	var rows []contactRow
	err := s.read.SelectContext(ctx, &rows, "SELECT "+contactColumns+" FROM contacts c WHERE c.person_id > $1 ORDER BY c.person_id LIMIT $2", after[:], limit)
	if err != nil {
		return nil, fmt.Errorf("reading contacts: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	subjects := make([]scheduler.Subject, len(rows))
	for i, row := range rows {
		contact, err := row.contact()
		if err != nil {
			return nil, err
		}
		subjects[i] = scheduler.Subject{Contact: contact, Person: personOf(contact)}
	}
	last := subjects[len(subjects)-1].Contact.PersonID
	return subjects, s.rangeFacts(ctx, after, last, want, subjects)
}

func (s *Store) rangeFacts(ctx context.Context, after, last policy.PersonID, want scheduler.Want, subjects []scheduler.Subject) error {
	people := make(map[policy.PersonID]*policy.Person, len(subjects))
	for i := range subjects {
		people[subjects[i].Contact.PersonID] = &subjects[i].Person
	}
	var persons []personRow
	if err := s.read.SelectContext(ctx, &persons, `SELECT `+personFacts+` FROM persons
		WHERE person_id > $1 AND person_id <= $2 AND (review_at IS NOT NULL OR cooldown_until IS NOT NULL OR strikes > 0)`, after[:], last[:]); err != nil {
		return fmt.Errorf("reading persons: %w", err)
	}
	for _, r := range persons {
		if person := people[policy.PersonID(r.PersonID)]; person != nil {
			r.tell(person)
		}
	}
	if err := tellSuppressions(ctx, s.read, people, `SELECT i.person_id, s.scope, s.origin, s.at, s.lifted_at FROM suppressions s
		JOIN identifiers i ON i.hash = s.hash WHERE i.person_id > $1 AND i.person_id <= $2`, after[:], last[:]); err != nil {
		return err
	}
	if err := tellConsents(ctx, s.read, people, `SELECT c.person_id, c.category, c.action, c.at, c.source FROM consents c
		WHERE c.person_id > $1 AND c.person_id <= $2 AND c.category IN (SELECT x.category FROM `+s.dialect.batch(3, textOf("category"))+`)`,
		after[:], last[:], textBatch(want.Categories)); err != nil {
		return err
	}
	if err := tellSends(ctx, s.read, people, `SELECT d.person_id, d.sending_at, r.campaign_id, r.category, r.kind FROM deliveries d
		JOIN runs r ON r.run_id = d.run_id WHERE d.person_id > $1 AND d.person_id <= $2 AND d.sending_at > $3
		AND r.test = 0 AND d.state IN `+counting+` AND d.run_id NOT IN (SELECT x.run_id FROM `+s.dialect.batch(4, textOf("run_id"))+`)`,
		after[:], last[:], at(want.SendsSince), textBatch(want.Planning)); err != nil {
		return err
	}
	if !want.Activity {
		return nil
	}
	return s.rangeActivity(ctx, after, last, want, subjects)
}

func textBatch(values []string) string {
	var b batch
	for _, v := range values {
		b.row().str(v)
	}
	return b.json()
}

// rangeActivity reads when each person was last sent to, delivered to, and heard from; audiences that ask for it pay for it.
func (s *Store) rangeActivity(ctx context.Context, after, last policy.PersonID, want scheduler.Want, subjects []scheduler.Subject) error {
	byID := make(map[policy.PersonID]*scheduler.Subject, len(subjects))
	for i := range subjects {
		byID[subjects[i].Contact.PersonID] = &subjects[i]
	}
	var rows []struct {
		PersonID  []byte        `db:"person_id"`
		Sent      sql.NullInt64 `db:"sent"`
		Delivered sql.NullInt64 `db:"delivered"`
		Read      sql.NullInt64 `db:"opened"`
	}
	if err := s.read.SelectContext(ctx, &rows, `SELECT d.person_id, MAX(d.sending_at) AS sent, MAX(d.delivered_at) AS delivered, MAX(d.read_at) AS opened
		FROM deliveries d JOIN runs r ON r.run_id = d.run_id WHERE d.person_id > $1 AND d.person_id <= $2 AND d.sending_at IS NOT NULL
		AND r.test = 0 AND d.state IN `+counting+` GROUP BY d.person_id`, after[:], last[:]); err != nil {
		return fmt.Errorf("reading activity: %w", err)
	}
	for _, r := range rows {
		if subject := byID[policy.PersonID(r.PersonID)]; subject != nil {
			subject.Contact.SentAt = whenever(r.Sent)
			subject.Contact.DeliveredAt = whenever(r.Delivered)
			if subject.Contact.DeliveredAt.IsZero() {
				subject.Contact.DeliveredAt = whenever(r.Read) // read implies delivered
			}
		}
	}
	var replies []struct {
		PersonID []byte  `db:"person_id"`
		At       instant `db:"replied_at"`
	}
	if err := s.read.SelectContext(ctx, &replies, "SELECT person_id, replied_at FROM persons WHERE person_id > $1 AND person_id <= $2 AND replied_at IS NOT NULL", after[:], last[:]); err != nil {
		return fmt.Errorf("reading replies: %w", err)
	}
	for _, r := range replies {
		if subject := byID[policy.PersonID(r.PersonID)]; subject != nil {
			subject.Contact.RepliedAt = r.At.time()
		}
	}
	return nil
}

// Enqueue writes the planner's word on a page of people: one row each, refused ones too. Rows that are there stay as they are.
func (s *Store) Enqueue(ctx context.Context, runID string, rows []scheduler.Row) error {
	const perStatement = 2000
	for chunk := range slices.Chunk(rows, perStatement) {
		var b batch
		for _, row := range chunk {
			state, due := landing(row.Decision), instant(0)
			switch state {
			case sender.Sending:
				state = sender.Queued
			case sender.Queued:
				due = at(row.Decision.Until)
			}
			b.row().bytes(row.PersonID[:]).str(string(state)).strOrNull(string(row.Decision.Reason)).when(due)
		}
		err := s.inTx(ctx, func(tx *sqlx.Tx) error {
			now, err := s.dialect.now(ctx, tx)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, s.queries.enqueue, b.json(), runID, now)
			return err
		})
		if err != nil {
			return fmt.Errorf("writing the deliveries of run %s: %w", runID, err)
		}
		s.grew(ctx, len(chunk), "deliveries")
	}
	return nil
}

// Counted keeps what the first pass counted, before any row is written, and the kind as which the messages count.
func (s *Store) Counted(ctx context.Context, runID string, kind policy.Kind, plan scheduler.Plan) error {
	text, err := json.Marshal(plan)
	if err != nil {
		return fmt.Errorf("keeping the plan of run %s: %w", runID, err)
	}
	if _, err := s.write.ExecContext(ctx, "UPDATE runs SET plan = $2, kind = $3 WHERE run_id = $1 AND planned_at IS NULL", runID, string(text), string(kind)); err != nil {
		return fmt.Errorf("keeping the plan of run %s: %w", runID, err)
	}
	return nil
}

// Planned notes that the run's last row is written; from now on it may finish.
func (s *Store) Planned(ctx context.Context, runID string, plan scheduler.Plan) error {
	text, err := json.Marshal(plan)
	if err != nil {
		return fmt.Errorf("keeping the plan of run %s: %w", runID, err)
	}
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE runs SET planned_at = $2, plan = $3, state = CASE WHEN state = 'planning' THEN 'running' ELSE state END WHERE run_id = $1 AND planned_at IS NULL",
			runID, now, string(text))
		if err != nil {
			return err
		}
		// A page that was being written while the run was cancelled came too late to be closed with the others.
		_, err = tx.ExecContext(ctx, `UPDATE deliveries SET state = 'cancelled', reason = 'run_cancelled', changed_at = $2 WHERE run_id = $1 AND state = 'queued'
			AND EXISTS (SELECT 1 FROM runs r WHERE r.run_id = $1 AND r.state = 'cancelled')`, runID, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("closing the planning of run %s: %w", runID, err)
	}
	return nil
}

// queuedColumns are those of a row that waits and of its contact, whom an undone import may have taken away: the gate refuses
// them then.
const queuedColumns = `d.person_id, c.person_id IS NOT NULL AS known, COALESCE(c.phone, '') AS phone, COALESCE(c.user_id, '') AS user_id,
	COALESCE(c.name, '') AS name, COALESCE(c.language, '') AS language, COALESCE(c.timezone, '') AS timezone,
	COALESCE(c.external_id, '') AS external_id, COALESCE(c.tags, '') AS tags, COALESCE(c.attributes, '{}') AS attributes,
	COALESCE(c.country, '') AS country, COALESCE(c.zones, '') AS zones, COALESCE(c.main_zone, '') AS main_zone, c.erased_at, d.due_at`

// Queued returns rows of a run that wait: those never deferred in key order, or with Due those whose time has come, the oldest first.
func (s *Store) Queued(ctx context.Context, page sender.Page) ([]sender.Row, error) {
	var rows []struct {
		contactRow
		Known bool          `db:"known"`
		DueAt sql.NullInt64 `db:"due_at"`
	}
	where := "d.due_at IS NULL AND d.person_id > $2 ORDER BY d.person_id"
	args := []any{page.RunID, page.After[:], page.Limit}
	if page.Due {
		now, err := s.dialect.now(ctx, s.read)
		if err != nil {
			return nil, fmt.Errorf("reading the clock: %w", err)
		}
		where = "d.due_at IS NOT NULL AND d.due_at <= $4 AND (d.due_at, d.person_id) > ($5, $2) ORDER BY d.due_at, d.person_id"
		args = append(args, now, at(page.DueAfter))
	}
	err := s.read.SelectContext(ctx, &rows, `SELECT `+queuedColumns+` FROM deliveries d LEFT JOIN contacts c ON c.person_id = d.person_id
		WHERE d.run_id = $1 AND d.state = 'queued' AND `+where+` LIMIT $3`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading queued deliveries of run %s: %w", page.RunID, err)
	}
	queued := make([]sender.Row, len(rows))
	for i, r := range rows {
		contact, err := r.contact()
		if err != nil {
			return nil, err
		}
		queued[i] = sender.Row{
			PersonID: contact.PersonID, To: sender.Recipient{Phone: contact.Phone, UserID: contact.UserID}, Reads: contact.Language,
			DueAt: whenever(r.DueAt), Fields: contact, Person: personOf(contact),
		}
		queued[i].Person.Known = r.Known
	}
	return queued, nil
}

// NextDue returns when the next row of a run may leave, when every row that is left waits for a time; zero when one may leave now, or none is left.
func (s *Store) NextDue(ctx context.Context, runID string) (time.Time, error) {
	var row struct {
		Ready int           `db:"ready"`
		Due   sql.NullInt64 `db:"due"`
	}
	err := s.read.GetContext(ctx, &row, `SELECT
		(SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE run_id = $1 AND state = 'queued' AND due_at IS NULL LIMIT 1) AS x) AS ready,
		(SELECT MIN(due_at) FROM deliveries WHERE run_id = $1 AND state = 'queued' AND due_at IS NOT NULL) AS due`, runID)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading what run %s waits for: %w", runID, err)
	}
	if row.Ready > 0 {
		return time.Time{}, nil
	}
	return whenever(row.Due), nil
}
