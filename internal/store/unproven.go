package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// unsettledPage is how many attempts are looked at in one transaction.
const unsettledPage = 500

// unsettledRow is an attempt whose answer was lost, and where its delivery stands now.
type unsettledRow struct {
	AttemptID []byte         `db:"attempt_id"`
	NumberID  sql.NullString `db:"number_id"`
	// Open says that the delivery still is unknown, of this attempt, and not proved silent yet.
	Open int `db:"open"`
}

// MarkUnproven gives unknown deliveries the reason unproven where silence proves that Meta never had them (sender.SilenceProves),
// and counts them. The messages sent together with one must have had their statuses for heardFor. What was settled meanwhile
// is let go of. It may run in several processes at once.
func (s *Store) MarkUnproven(ctx context.Context, heardFor time.Duration) (marked int, err error) {
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return 0, fmt.Errorf("reading the clock: %w", err)
	}
	heardBy := now - instant(heardFor.Microseconds())
	until := sender.MadeBefore(heardBy.time())
	proved := map[together]bool{}
	after := sender.AttemptID{}
	for {
		var rows []unsettledRow
		if err := s.read.SelectContext(ctx, &rows, `SELECT u.attempt_id, r.number_id, CASE WHEN d.state = 'unknown' AND d.reason IS NULL THEN 1 ELSE 0 END AS open
			FROM unsettled u LEFT JOIN deliveries d ON d.run_id = u.run_id AND d.person_id = u.person_id AND d.attempt_id = u.attempt_id
			LEFT JOIN runs r ON r.run_id = u.run_id WHERE u.attempt_id > $1 AND u.attempt_id < $2 ORDER BY u.attempt_id LIMIT $3`,
			after[:], until[:], unsettledPage); err != nil {
			return marked, fmt.Errorf("reading unsettled messages: %w", err)
		}
		if len(rows) == 0 {
			return marked, nil
		}
		n, err := s.markUnproven(ctx, rows, heardBy, proved)
		if marked += n; err != nil {
			return marked, fmt.Errorf("marking unproven messages: %w", err)
		}
		after = sender.AttemptID(rows[len(rows)-1].AttemptID)
	}
}

// together names the messages of a number in the minutes that count as sent together.
type together struct {
	number string
	first  sender.AttemptID
}

func (s *Store) markUnproven(ctx context.Context, rows []unsettledRow, heardBy instant, proved map[together]bool) (marked int, err error) {
	silent, over := s.dialect.newBatch(), s.dialect.newBatch()
	for _, row := range rows {
		if row.Open == 0 {
			over.row().bytes(row.AttemptID)
			continue
		}
		first, end := sender.AttemptID(row.AttemptID).Together()
		others := together{row.NumberID.String, first}
		if _, known := proved[others]; !known {
			if proved[others], err = s.silenceProves(ctx, others, end, heardBy); err != nil {
				return 0, err
			}
		}
		if proved[others] {
			silent.row().bytes(row.AttemptID)
			over.row().bytes(row.AttemptID)
		}
	}
	if over.rows == 0 {
		return 0, nil
	}
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if silent.rows > 0 {
			done, err := s.queries.markUnproven.exec(ctx, tx, &silent, now)
			if err != nil {
				return err
			}
			n, err := done.RowsAffected()
			if marked = int(n); err != nil {
				return err
			}
		}
		_, err = s.queries.dropUnsettled.exec(ctx, tx, &over)
		return err
	})
	return marked, err
}

func (s *Store) silenceProves(ctx context.Context, others together, end sender.AttemptID, heardBy instant) (bool, error) {
	var count struct {
		Taken int `db:"taken"`
		Heard int `db:"heard"`
	}
	err := s.read.GetContext(ctx, &count, `SELECT count(*) AS taken, count(CASE WHEN d.heard_at <= $4 THEN 1 END) AS heard FROM deliveries d JOIN runs r ON r.run_id = d.run_id
		WHERE d.attempt_id >= $1 AND d.attempt_id < $2 AND d.accepted_at IS NOT NULL AND r.number_id = $3`, others.first[:], end[:], others.number, heardBy)
	if err != nil {
		return false, fmt.Errorf("counting what was heard of number %s: %w", others.number, err)
	}
	return sender.SilenceProves(count.Taken, count.Heard), nil
}

// Unproven returns, in key order, the people of a run whose message is unproven and who are in no run yet that sends it again.
func (s *Store) Unproven(ctx context.Context, runID string) ([]policy.PersonID, error) {
	return unprovenOf(ctx, s.read, runID)
}

func unprovenOf(ctx context.Context, from sqlx.QueryerContext, runID string) ([]policy.PersonID, error) {
	var keys [][]byte
	if err := sqlx.SelectContext(ctx, from, &keys, `SELECT d.person_id FROM deliveries d WHERE d.run_id = $1 AND d.state = 'unknown' AND d.reason = $2
		AND NOT EXISTS (SELECT 1 FROM runs r JOIN deliveries again ON again.run_id = r.run_id AND again.person_id = d.person_id WHERE r.resends = $1)
		ORDER BY d.person_id`, runID, string(report.Unproven)); err != nil {
		return nil, fmt.Errorf("reading the unproven messages of run %s: %w", runID, err)
	}
	people := make([]policy.PersonID, len(keys))
	for i, key := range keys {
		people[i] = policy.PersonID(key)
	}
	return people, nil
}

// CreateResend makes a run that sends the unproven messages of the run that it resends again, to nobody who was sent theirs
// again before: the run and its rows in one transaction, planned and running. The rows stand before the gate like all others.
// ErrState says that no message of the run is unproven any more.
func (s *Store) CreateResend(ctx context.Context, run scheduler.Run) (scheduler.Run, error) {
	run.State, run.Manual = scheduler.Running, true
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		// Two who do this at once take turns: the second finds the first one's rows.
		if _, err := tx.ExecContext(ctx, "UPDATE runs SET resends = resends WHERE run_id = $1", run.Resends); err != nil {
			return err
		}
		people, err := unprovenOf(ctx, tx, run.Resends)
		if err != nil {
			return err
		}
		var forgotten bool
		if err := tx.GetContext(ctx, &forgotten, "SELECT totals <> '' FROM runs WHERE run_id = $1", run.Resends); err != nil {
			return err
		}
		if forgotten {
			return &StateError{"its deliveries are deleted by their age: nobody knows any more who was in it"}
		}
		if len(people) == 0 {
			return &StateError{"no message of it is unproven, or all were sent again already"}
		}
		run.Occurrence, run.Plan.Matched, run.Plan.Allowed = "", len(people), len(people)
		insert, err := runInsert(&run)
		if err != nil {
			return err
		}
		if _, err := insert(ctx, tx, now); err != nil {
			return err
		}
		b := s.dialect.newBatch()
		for _, person := range people {
			b.row().str(run.ID).num(int64(now)).bytes(person[:]).str(string(sender.Queued)).null().null()
		}
		if _, err := s.queries.enqueue.exec(ctx, tx, &b); err != nil {
			return err
		}
		run.PlannedAt = now.time()
		_, err = tx.ExecContext(ctx, "UPDATE runs SET planned_at = $2 WHERE run_id = $1", run.ID, now)
		return err
	})
	if err != nil {
		return run, fmt.Errorf("sending run %s again: %w", run.Resends, err)
	}
	return run, nil
}
