package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// requestsKept is for how long a request is known again by its Idempotency-Key.
const requestsKept = 24 * time.Hour

// SubmitConsents appends consents to the ledger as the request's key, and answers by what became of each, in one transaction: the
// request that comes again, also at the same moment, gets the answer of the first and appends nothing. A person who was never met is
// made, without a contact. To what is pending a code is handed out. Their locks are taken, so that no gate that begins after it returns passes by what they refused.
//
// report.ErrOtherRequest when the request's ID is that of another request.
func (s *Store) SubmitConsents(ctx context.Context, request report.Request, records []scheduler.ConsentRecord, answer func([]report.Fate) report.Answer) (report.Answer, error) {
	names, rows := distinctNumbers(s.claimedNumbers(len(records), func(row int) phone.Number { return records[row].Phone }))
	added := 0
	given, err := s.answerOnce(ctx, request, func(tx *sqlx.Tx, now instant) (report.Answer, error) {
		if len(records) == 0 {
			return answer(nil), nil
		}
		if err := s.claimNumbers(ctx, tx, now, names, false); err != nil {
			return report.Answer{}, err
		}
		people := make([]policy.PersonID, len(names))
		for i := range names {
			people[i] = names[i].person
		}
		if err := s.lockPersons(ctx, tx, now, people); err != nil {
			return report.Answer{}, err
		}
		events := make([]policy.PersonConsent, len(records))
		for i, r := range records {
			events[i] = policy.PersonConsent{Person: people[rows[i]], Event: s.storableConsent(r.Event, request.Key.Actor())}
		}
		fates, err := s.fatesOfConsents(ctx, tx, people, events)
		if err != nil {
			return report.Answer{}, err
		}
		if added, err = s.appendConsents(ctx, tx, now, events, false); err != nil {
			return report.Answer{}, err
		}
		if err := s.codeEvents(ctx, tx, now, func(i int) phone.Number { return records[i].Phone }, events, fates); err != nil {
			return report.Answer{}, err
		}
		return answer(fates), nil
	})
	if err != nil {
		return report.Answer{}, fmt.Errorf("taking %d consents: %w", len(records), err)
	}
	s.grew(ctx, added, "consents")
	return given, nil
}

// fatesOfConsents tells which events the ledger has not got yet, and the stops of their people, whose locks are held.
func (s *Store) fatesOfConsents(ctx context.Context, tx *sqlx.Tx, people []policy.PersonID, events []policy.PersonConsent) ([]report.Fate, error) {
	absent, err := s.absentConsents(ctx, tx, namedConsents(events))
	if err != nil {
		return nil, err
	}
	fresh := make(map[*policy.PersonConsent]bool, len(absent))
	for _, e := range absent {
		fresh[e.PersonConsent] = true
	}
	stops, err := s.stopsOf(ctx, tx, people)
	if err != nil {
		return nil, err
	}
	scopes := map[policy.PersonID][]policy.Scope{}
	for _, stop := range onePerStop(stops, stopRow.active) {
		person := policy.PersonID(stop.PersonID)
		scopes[person] = append(scopes[person], stop.Scope)
	}
	fates := make([]report.Fate, len(events))
	for i := range events {
		fates[i] = report.Fate{New: fresh[&events[i]], Stops: scopes[events[i].Person]}
	}
	return fates, nil
}

// SubmitContacts adds and updates contacts as ImportContacts does, and answers like SubmitConsents. Of several records of one person
// all share what became of them together.
func (s *Store) SubmitContacts(ctx context.Context, request report.Request, records []scheduler.ContactRecord, answer func([]report.Fate) report.Answer) (report.Answer, error) {
	names, patches := s.foldContacts(records)
	_, rows := distinctNumbers(s.claimedNumbers(len(records), func(row int) phone.Number { return records[row].Phone }))
	var counts scheduler.ImportCounts
	var given report.Answer
	const rounds = 5
	var err error
	for range rounds {
		given, err = s.answerOnce(ctx, request, func(tx *sqlx.Tx, now instant) (report.Answer, error) {
			if len(records) == 0 {
				return answer(nil), nil
			}
			if err := s.claimNumbers(ctx, tx, now, names, false); err != nil {
				return report.Answer{}, err
			}
			written, err := s.writeContacts(ctx, tx, now, nil, names, patches)
			if err != nil {
				return report.Answer{}, err
			}
			counts = written.counts(len(names))
			if counts.Added+counts.Changed > 0 {
				if err := audit(ctx, tx, now, report.Audit{Actor: request.Key.Actor(), Action: "contacts.add", Details: fmt.Sprintf("%d added, %d changed", counts.Added, counts.Changed)}); err != nil {
					return report.Answer{}, err
				}
			}
			return answer(written.fates(names, rows)), nil
		})
		if !errors.Is(err, errContactMoved) && !errors.Is(err, errNotNew) {
			break
		}
	}
	if err != nil {
		return report.Answer{}, fmt.Errorf("taking %d contacts: %w", len(records), err)
	}
	s.grew(ctx, counts.Added, "contacts", "persons", "identifiers")
	return given, nil
}

// fates tells of each record, whose person is names[rows[i]], what became of it.
func (w writtenContacts) fates(names []claimed, rows []int) []report.Fate {
	of := make(map[policy.PersonID]report.Fate, len(names))
	for _, c := range w.added {
		of[c.person] = report.Fate{New: true}
	}
	for _, c := range w.changed {
		of[policy.PersonID(c.before.PersonID)] = report.Fate{New: true}
	}
	for _, person := range w.erased {
		of[person] = report.Fate{Erased: true}
	}
	fates := make([]report.Fate, len(rows))
	for i, row := range rows {
		fates[i] = of[names[row].person]
	}
	return fates
}

// answerOnce does the work of a request and keeps its answer with it, or returns the answer that was kept. The row is written first:
// of two that come at once the second waits for it, and nothing else is held before it.
func (s *Store) answerOnce(ctx context.Context, request report.Request, work func(tx *sqlx.Tx, now instant) (report.Answer, error)) (given report.Answer, err error) {
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if request.ID == "" {
			given, err = work(tx, now)
			return err
		}
		before, again, err := s.claimRequest(ctx, tx, now, request)
		if err != nil || again {
			given = before
			return err
		}
		if given, err = work(tx, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE api_answers SET status = $3, answer = $4 WHERE key_name = $1 AND request_id = $2", request.Key.Name, request.ID, given.Status, given.Body)
		return err
	})
	return given, err
}

// claimRequest writes the row of a request, unless there is one that is not a day old: then it returns its answer.
func (s *Store) claimRequest(ctx context.Context, tx *sqlx.Tx, now instant, request report.Request) (before report.Answer, again bool, err error) {
	done, err := tx.ExecContext(ctx, `INSERT INTO api_answers (key_name, request_id, hash, status, answer, at) VALUES ($1, $2, $3, 0, $4, $5)
		ON CONFLICT (key_name, request_id) DO UPDATE SET hash = excluded.hash, at = excluded.at WHERE api_answers.at < $6`,
		request.Key.Name, request.ID, request.Hash[:], []byte{}, now, now.less(requestsKept))
	if err != nil {
		return before, false, fmt.Errorf("noting the request: %w", err)
	}
	if written, err := done.RowsAffected(); err != nil || written > 0 {
		return before, false, err
	}
	var row struct {
		Hash   []byte `db:"hash"`
		Status int    `db:"status"`
		Answer []byte `db:"answer"`
	}
	err = tx.GetContext(ctx, &row, "SELECT hash, status, answer FROM api_answers WHERE key_name = $1 AND request_id = $2", request.Key.Name, request.ID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return before, false, errOvertaken // it was old, and somebody forgot it just now
	case err != nil:
		return before, false, fmt.Errorf("reading the answer that was given: %w", err)
	case string(row.Hash) != string(request.Hash[:]):
		return before, false, report.ErrOtherRequest
	}
	return report.Answer{Status: row.Status, Body: row.Answer}, true, nil
}

// ForgetRequests deletes some of the requests that are a day old, and reports whether it met any.
func (s *Store) ForgetRequests(ctx context.Context) (some bool, err error) {
	const atOnce = 500
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `DELETE FROM api_answers WHERE (key_name, request_id) IN
			(SELECT key_name, request_id FROM api_answers WHERE at < $1 ORDER BY at LIMIT $2`+s.dialect.skip+`)`, now.less(requestsKept), atOnce)
		if err != nil {
			return err
		}
		written, err := done.RowsAffected()
		some = written > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("forgetting requests: %w", err)
	}
	return some, nil
}
