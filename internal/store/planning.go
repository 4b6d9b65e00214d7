package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// Range looks at the next limit contacts after a person in key order, and reads those whom an audience has, with every fact
// that a decision needs beside them: one range query on each table, never one per person.
func (s *Store) Range(ctx context.Context, after policy.PersonID, limit int, want scheduler.Want) (scheduler.Stretch, error) {
	stretch, err := s.nextStretch(ctx, after, limit)
	if err != nil {
		return scheduler.Stretch{}, err
	}
	stretch.Subjects, err = s.members(ctx, after, stretch.Last, want)
	if err != nil || len(stretch.Subjects) == 0 {
		return stretch, err
	}
	keys := keyRange{after: after, last: stretch.Last}
	if len(stretch.Subjects) < limit/lookupFrom {
		keys.only = s.keysOf(stretch.Subjects)
	}
	return stretch, s.rangeFacts(ctx, keys, want, stretch.Subjects)
}

// lookupFrom is from how many contacts looked at for each one found the facts are looked up one key at a time.
const lookupFrom = 4

// nextStretch ends after the next limit contacts. The keys come first, and without the audience: it then decides neither how the
// database walks the table, nor how far one statement reads.
func (s *Store) nextStretch(ctx context.Context, after policy.PersonID, limit int) (scheduler.Stretch, error) {
	var last []byte
	err := s.read.GetContext(ctx, &last, "SELECT person_id FROM contacts WHERE person_id > $1 ORDER BY person_id LIMIT 1 OFFSET $2", after[:], limit-1)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		stretch := scheduler.Stretch{Done: true}
		for i := range stretch.Last {
			stretch.Last[i] = 0xff
		}
		return stretch, nil
	case err != nil:
		return scheduler.Stretch{}, fmt.Errorf("reading the keys of contacts: %w", err)
	}
	return scheduler.Stretch{Last: policy.PersonID(last)}, nil
}

// members reads the contacts of a key range whom an audience has, in key order, and says which of them do. Several audiences
// are asked for one by one: a statement has room for the parameters of one, however many runs are planned together.
func (s *Store) members(ctx context.Context, after, last policy.PersonID, want scheduler.Want) ([]scheduler.Subject, error) {
	var found gathering
	answers := map[string][]scheduler.Contact{}
	for i, reach := range want.Audiences {
		query, args, nobody := s.dialect.membersQuery(reach, want.Now, after, last)
		if nobody {
			continue
		}
		question := fmt.Sprintf("%s %#v", query, args)
		contacts, asked := answers[question]
		if !asked {
			err := eachContact(ctx, s.read, func(c scheduler.Contact) error {
				c.PageToken = s.pageToken
				contacts = append(contacts, c)
				return nil
			}, nil, query, args...)
			if err != nil {
				return nil, fmt.Errorf("reading contacts: %w", err)
			}
			answers[question] = contacts
		}
		found.add(contacts, i, len(want.Audiences))
	}
	return found.subjects, nil
}

// gathering puts together what several audiences found, in key order.
type gathering struct{ subjects []scheduler.Subject }

// add takes the contacts of one audience of so many, in key order too.
func (g *gathering) add(contacts []scheduler.Contact, audience, audiences int) {
	earlier := g.subjects
	g.subjects = make([]scheduler.Subject, 0, len(earlier)+len(contacts))
	in := make([]bool, len(contacts)*audiences)
	for _, contact := range contacts {
		id := contact.PersonID
		for len(earlier) > 0 && comparePersons(earlier[0].Contact.PersonID, id) < 0 {
			g.subjects, earlier = append(g.subjects, earlier[0]), earlier[1:]
		}
		if len(earlier) > 0 && earlier[0].Contact.PersonID == id {
			earlier[0].In[audience] = true
			continue
		}
		g.subjects = append(g.subjects, scheduler.Subject{Contact: contact, Person: personOf(contact), In: in[:audiences:audiences]})
		in[audience], in = true, in[audiences:]
	}
	g.subjects = append(g.subjects, earlier...)
}

// membersQuery reads the contacts of a key range whom an audience has. The keys are its first two parameters.
func (d dialect) membersQuery(reach scheduler.Reach, now time.Time, after, last policy.PersonID) (query string, args []any, nobody bool) {
	sieve, nobody := newSieve(d, reach, now, after[:], last[:])
	return "SELECT " + contactColumns + " FROM contacts c WHERE c.person_id > $1 AND c.person_id <= $2" + sieve.condition + " ORDER BY c.person_id", sieve.args, nobody
}

// keyRange is whose facts are read: everybody's after one key up to another, or only those of the persons in a batch.
type keyRange struct {
	after, last policy.PersonID
	only        any // the parameter of a batch of persons, nil when it is everybody
}

// keysOf is the parameter of a batch of these persons.
func (s *Store) keysOf(subjects []scheduler.Subject) any {
	b := s.dialect.newBatch()
	for i := range subjects {
		b.row().bytes(subjects[i].Contact.PersonID[:])
	}
	return b.only(isBytes)
}

// among is the condition on a table's person_id, with its parameters, the first of the query.
func (s *Store) among(column string, keys keyRange) (condition string, args []any) {
	condition, args = column+" > $1 AND "+column+" <= $2", []any{keys.after[:], keys.last[:]}
	if keys.only == nil {
		return condition, args
	}
	return condition + " AND " + column + " IN (SELECT x.person_id FROM " + s.dialect.batch(3, bytesOf("person_id")) + ")", append(args, keys.only)
}

func (s *Store) rangeFacts(ctx context.Context, keys keyRange, want scheduler.Want, subjects []scheduler.Subject) error {
	people := make(map[policy.PersonID]*policy.Person, len(subjects))
	for i := range subjects {
		people[subjects[i].Contact.PersonID] = &subjects[i].Person
	}
	var persons []personRow
	among, args := s.among("person_id", keys)
	if err := s.read.SelectContext(ctx, &persons, `SELECT `+personFacts+` FROM persons
		WHERE `+among+` AND (review_at IS NOT NULL OR cooldown_until IS NOT NULL OR strikes > 0)`, args...); err != nil {
		return fmt.Errorf("reading persons: %w", err)
	}
	for _, r := range persons {
		if person := people[policy.PersonID(r.PersonID)]; person != nil {
			r.tell(person)
		}
	}
	among, args = s.among("i.person_id", keys)
	if err := tellSuppressions(ctx, s.read, people, `SELECT i.person_id, s.scope, s.origin, s.at, s.lifted_at FROM suppressions s
		JOIN identifiers i ON i.hash = s.hash WHERE `+among, args...); err != nil {
		return err
	}
	among, args = s.among("c.person_id", keys)
	if err := tellConsents(ctx, s.read, people, `SELECT c.person_id, c.category, c.action, c.at, c.source, COALESCE(c.event, 0) FROM consents c
		WHERE `+among+` AND c.category IN (SELECT x.category FROM `+s.dialect.batch(len(args)+1, textOf("category"))+`)`,
		append(args, s.texts(want.Categories))...); err != nil {
		return err
	}
	among, args = s.among("d.person_id", keys)
	args = append(args, s.texts(want.Planning), at(want.SendsSince))
	if err := tellSends(ctx, s.read, people, `SELECT d.person_id, d.sending_at, r.campaign_id, r.category, r.kind FROM deliveries d
		JOIN runs r ON r.run_id = d.run_id WHERE `+among+` AND r.test = 0 AND d.state IN `+counting+`
		AND d.run_id NOT IN (SELECT x.run_id FROM `+s.dialect.batch(len(args)-1, textOf("run_id"))+`) AND d.sending_at > $`+strconv.Itoa(len(args)), args...); err != nil {
		return err
	}
	if !want.Activity {
		return nil
	}
	return s.rangeActivity(ctx, keys.after, keys.last, subjects)
}

// texts is the parameter of a batch of one text each.
func (s *Store) texts(values []string) any {
	b := s.dialect.newBatch()
	for _, v := range values {
		b.row().str(v)
	}
	return b.only(isText)
}

// rangeActivity reads when each person was last sent to, delivered to, and heard from.
func (s *Store) rangeActivity(ctx context.Context, after, last policy.PersonID, subjects []scheduler.Subject) error {
	byID := make(map[policy.PersonID]*scheduler.Subject, len(subjects))
	for i := range subjects {
		byID[subjects[i].Contact.PersonID] = &subjects[i]
	}
	var rows []struct {
		PersonID  []byte        `db:"person_id"`
		Sent      sql.NullInt64 `db:"sent"`
		Delivered sql.NullInt64 `db:"delivered"`
	}
	if err := s.read.SelectContext(ctx, &rows, `SELECT d.person_id, MAX(d.sending_at) AS sent, MAX(`+deliveredAt+`) AS delivered
		FROM deliveries d JOIN runs r ON r.run_id = d.run_id WHERE d.person_id > $1 AND d.person_id <= $2 `+countingSends+` GROUP BY d.person_id`, after[:], last[:]); err != nil {
		return fmt.Errorf("reading activity: %w", err)
	}
	for _, r := range rows {
		if subject := byID[policy.PersonID(r.PersonID)]; subject != nil {
			subject.Contact.SentAt = whenever(r.Sent)
			subject.Contact.DeliveredAt = whenever(r.Delivered)
		}
	}
	var persons []struct {
		PersonID  []byte        `db:"person_id"`
		Replied   sql.NullInt64 `db:"replied_at"`
		Sent      sql.NullInt64 `db:"sent_at"`
		Delivered sql.NullInt64 `db:"delivered_at"`
	}
	if err := s.read.SelectContext(ctx, &persons, `SELECT person_id, replied_at, sent_at, delivered_at FROM persons
		WHERE person_id > $1 AND person_id <= $2 AND (replied_at IS NOT NULL OR sent_at IS NOT NULL OR delivered_at IS NOT NULL)`, after[:], last[:]); err != nil {
		return fmt.Errorf("reading replies: %w", err)
	}
	for _, r := range persons {
		subject := byID[policy.PersonID(r.PersonID)]
		if subject == nil {
			continue
		}
		subject.Contact.RepliedAt = whenever(r.Replied)
		// What was deleted by its age may be later than what is left of a run that took long.
		if sent := whenever(r.Sent); sent.After(subject.Contact.SentAt) {
			subject.Contact.SentAt = sent
		}
		if delivered := whenever(r.Delivered); delivered.After(subject.Contact.DeliveredAt) {
			subject.Contact.DeliveredAt = delivered
		}
	}
	return nil
}

// Enqueue writes the planner's word on a page of people: one row each, refused ones too. Rows that are there stay as they are,
// and a run that is over gets none.
func (s *Store) Enqueue(ctx context.Context, runID string, rows []scheduler.Row) error {
	const perStatement = 2000
	for chunk := range slices.Chunk(rows, perStatement) {
		err := s.enqueue(ctx, runID, chunk, s.enqueueNew)
		if errors.Is(err, errNotNew) {
			// The planner was here before it was cut off.
			err = s.enqueue(ctx, runID, chunk, s.enqueueAbsent)
		}
		if err != nil {
			return fmt.Errorf("writing the deliveries of run %s: %w", runID, err)
		}
		s.grew(ctx, len(chunk), "deliveries")
	}
	return nil
}

func (s *Store) enqueue(ctx context.Context, runID string, rows []scheduler.Row, write func(context.Context, *sqlx.Tx, rowsOf) error) error {
	return s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		var open bool
		if err := tx.GetContext(ctx, &open, "SELECT EXISTS (SELECT 1 FROM runs WHERE run_id = $1 AND state IN ('planning', 'waiting', 'running', 'paused'))", runID); err != nil || !open {
			return err
		}
		return write(ctx, tx, rowsOf{shared: []any{runID, int64(now)}, n: len(rows), row: func(i int, row []any) []any { return appendPlanned(row, rows[i]) }})
	})
}

// enqueueNew takes for granted that none of the rows is there, which costs half of looking; errNotNew when one was, and then the
// transaction is over.
func (s *Store) enqueueNew(ctx context.Context, tx *sqlx.Tx, rows rowsOf) error {
	return s.load(ctx, tx, bulkDeliveries, rows)
}

func (s *Store) enqueueAbsent(ctx context.Context, tx *sqlx.Tx, rows rowsOf) error {
	_, err := s.add(ctx, tx, bulkDeliveries, s.queries.enqueue, rows)
	return err
}

// appendPlanned appends the columns of bulkDeliveries.
func appendPlanned(columns []any, row scheduler.Row) []any {
	var reason, due any
	if row.Decision.Reason != "" {
		reason = string(row.Decision.Reason)
	}
	state := landing(row.Decision)
	switch state {
	case sender.Sending:
		state = sender.Queued
	case sender.Queued:
		if at := at(row.Decision.Until); at != 0 {
			due = int64(at)
		}
	}
	return append(columns, row.PersonID[:], string(state), reason, due)
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

// queuedColumns are contactColumns, whether there is a contact, and when the row is due. The contact is one whom an undone import may have taken away: the gate refuses
// them then.
const queuedColumns = `d.person_id, COALESCE(c.phone, ''), COALESCE(c.user_id, ''), COALESCE(c.name, ''), COALESCE(c.language, ''),
	COALESCE(c.timezone, ''), COALESCE(c.external_id, ''), COALESCE(c.tags, ''), COALESCE(c.attributes, '{}'), COALESCE(c.country, ''),
	COALESCE(c.zones, ''), COALESCE(c.main_zone, ''), c.erased_at, c.person_id IS NOT NULL, d.due_at`

// Queued returns rows of a run that wait: those never deferred in key order, or with Due those whose time has come, the oldest first.
func (s *Store) Queued(ctx context.Context, page sender.Page) ([]sender.Row, error) {
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
	queued := make([]sender.Row, 0, min(page.Limit, 1000))
	var known bool
	var due sql.NullInt64
	err := eachContact(ctx, s.read, func(contact scheduler.Contact) error {
		person := personOf(contact)
		person.Known = known
		contact.PageToken = s.pageToken
		queued = append(queued, sender.Row{
			PersonID: contact.PersonID, To: sender.Recipient{Phone: contact.Phone, UserID: contact.UserID}, Reads: contact.Language,
			DueAt: whenever(due), Fields: contact, Person: person, Unreadable: contact.Unreadable,
		})
		return nil
	}, []any{&known, &due}, `SELECT `+queuedColumns+` FROM deliveries d LEFT JOIN contacts c ON c.person_id = d.person_id
		WHERE d.run_id = $1 AND d.state = 'queued' AND `+where+` LIMIT $3`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading queued deliveries of run %s: %w", page.RunID, err)
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
