package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// Ages say how old things may get before they are deleted; 0 is for ever.
type Ages struct {
	Deliveries  time.Duration // of runs that are over, since their end
	Webhooks    time.Duration
	ReviewTexts time.Duration
}

// How much is deleted in one transaction, so that nobody waits long for it.
const (
	deliveriesAtOnce  = 500
	webhooksAtOnce    = 10 // a body may have megabytes
	reviewTextsAtOnce = 500
)

// Forgettable counts what is older than its age, and changes nothing: what Forget would delete now.
func (s *Store) Forgettable(ctx context.Context, ages Ages) (report.Forgotten, error) {
	var old report.Forgotten
	before, runs, err := s.oldRuns(ctx, ages)
	if err != nil {
		return old, err
	}
	for _, run := range runs {
		var rows int
		if err := s.read.GetContext(ctx, &rows, "SELECT count(*) FROM deliveries WHERE run_id = $1", run.ID); err != nil {
			return old, fmt.Errorf("counting the deliveries of run %s: %w", run.ID, err)
		}
		old.Runs, old.Deliveries = old.Runs+1, old.Deliveries+rows
	}
	for _, kind := range []struct {
		count *int
		age   time.Duration
		query string
	}{
		{&old.Webhooks, ages.Webhooks, "SELECT count(*) FROM webhooks WHERE received_at < $1"},
		{&old.ReviewTexts, ages.ReviewTexts, "SELECT count(*) FROM persons WHERE review_text IS NOT NULL AND review_at < $1"},
	} {
		if kind.age <= 0 {
			continue
		}
		if err := s.read.GetContext(ctx, kind.count, kind.query, before.less(kind.age)); err != nil {
			return old, fmt.Errorf("counting what is old: %w", err)
		}
	}
	return old, nil
}

// less is the instant so long before this one.
func (i instant) less(age time.Duration) instant { return i - instant(age.Microseconds()) }

// Forget deletes what is older than its age, in small transactions, and calls between after each with how long it took; an error
// of between ends it. What it returns is gone, also beside an error. It may be cut off anywhere, and goes on where it was.
func (s *Store) Forget(ctx context.Context, ages Ages, between func(took time.Duration) error) (report.Forgotten, error) {
	var gone report.Forgotten
	now, runs, err := s.oldRuns(ctx, ages)
	if err != nil {
		return gone, err
	}
	f := forgetting{s, between}
	for _, run := range runs {
		if err := f.run(ctx, run, &gone.Deliveries); err != nil {
			return gone, fmt.Errorf("deleting the deliveries of run %s: %w", run.ID, err)
		}
		gone.Runs++
	}
	if ages.Webhooks > 0 {
		if err := f.each(ctx, &gone.Webhooks, webhooksAtOnce, `DELETE FROM webhooks WHERE body_hash IN
			(SELECT w.body_hash FROM webhooks w WHERE w.received_at < $1 ORDER BY w.received_at LIMIT $2)`, now.less(ages.Webhooks)); err != nil {
			return gone, fmt.Errorf("deleting bodies of webhooks: %w", err)
		}
	}
	if ages.ReviewTexts > 0 {
		if err := f.each(ctx, &gone.ReviewTexts, reviewTextsAtOnce, `UPDATE persons SET review_text = NULL WHERE person_id IN
			(SELECT p.person_id FROM persons p WHERE p.review_text IS NOT NULL AND p.review_at < $1 ORDER BY p.review_at LIMIT $2)`, now.less(ages.ReviewTexts)); err != nil {
			return gone, fmt.Errorf("deleting texts that were looked at: %w", err)
		}
	}
	return gone, nil
}

// oldRuns are the runs whose deliveries may go, a run before those that sent its messages again: who is in them was sent theirs,
// and must not be looked for among the unproven any more. A run with a row that moved lately, or still may, stays whole.
func (s *Store) oldRuns(ctx context.Context, ages Ages) (now instant, old []scheduler.Run, err error) {
	if now, err = s.dialect.now(ctx, s.read); err != nil {
		return 0, nil, fmt.Errorf("reading the clock: %w", err)
	}
	if ages.Deliveries <= 0 {
		return now, nil, nil
	}
	before, err := s.neededSince(ctx, now.less(ages.Deliveries), now)
	if err != nil {
		return now, nil, err
	}
	ended, err := s.selectRuns(ctx, `WHERE state IN ('done', 'cancelled') AND forgotten_at IS NULL AND finished_at < $1
		AND (resends = '' OR NOT EXISTS (SELECT 1 FROM runs o WHERE o.run_id = runs.resends AND o.forgotten_at IS NULL AND (o.finished_at IS NULL OR o.finished_at >= $1)))
		ORDER BY created_at, run_id`, before)
	if err != nil {
		return now, nil, err
	}
	kept := map[string]bool{}
	for _, run := range ended {
		var alive bool
		if err := s.read.GetContext(ctx, &alive, `SELECT EXISTS (SELECT 1 FROM deliveries d WHERE d.run_id = $1
			AND (d.state IN ('queued', 'sending') OR d.sending_at >= $2 OR d.heard_at >= $2))`, run.ID, before); err != nil {
			return now, nil, fmt.Errorf("looking at run %s: %w", run.ID, err)
		}
		if alive || kept[run.Resends] {
			kept[run.ID] = true
			continue
		}
		old = append(old, run)
	}
	return now, old, nil
}

// neededSince is the instant before which no cap counts, of the runs that still send by the rules of their time.
func (s *Store) neededSince(ctx context.Context, before, now instant) (instant, error) {
	open, err := s.OpenRuns(ctx, "")
	if err != nil {
		return 0, err
	}
	for _, run := range open {
		before = min(before, now.less(longestCap(run.Frozen.Rules)))
	}
	return before, nil
}

// forgetting deletes.
type forgetting struct {
	*Store
	between func(took time.Duration) error
}

// step is one transaction, and what comes between it and the next.
func (f forgetting) step(ctx context.Context, do func(tx *sqlx.Tx) error) error {
	begun := time.Now()
	if err := f.inTx(ctx, do); err != nil {
		return err
	}
	return f.between(time.Since(begun))
}

// each runs a statement for some rows at a time until none is left.
func (f forgetting) each(ctx context.Context, gone *int, atOnce int, query string, before instant) error {
	for {
		n := int64(0)
		err := f.step(ctx, func(tx *sqlx.Tx) error {
			done, err := tx.ExecContext(ctx, query, before, atOnce)
			if err != nil {
				return err
			}
			n, err = done.RowsAffected()
			return err
		})
		*gone += int(n)
		if err != nil || int(n) < atOnce {
			return err
		}
	}
}

// oldRow is a delivery that goes.
type oldRow struct {
	PersonID  []byte         `db:"person_id"`
	State     sender.State   `db:"state"`
	AttemptID []byte         `db:"attempt_id"`
	WAMID     sql.NullString `db:"wamid"`
	Sent      sql.NullInt64  `db:"sending_at"`
	Delivered sql.NullInt64  `db:"delivered"`
}

// run deletes the deliveries of a run in key order, once its totals are kept.
func (f forgetting) run(ctx context.Context, run scheduler.Run, gone *int) error {
	err := f.keepTotals(ctx, run.ID)
	for after := (policy.PersonID{}); err == nil; {
		var rows []oldRow
		err = f.step(ctx, func(tx *sqlx.Tx) error {
			rows, err = f.someDeliveries(ctx, tx, run, after)
			return err
		})
		*gone += len(rows)
		if len(rows) == 0 {
			break
		}
		after = policy.PersonID(rows[len(rows)-1].PersonID)
	}
	if err != nil {
		return err
	}
	return f.step(ctx, func(tx *sqlx.Tx) error {
		now, err := f.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM budgets WHERE run_id = $1", run.ID); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE runs SET forgotten_at = $2 WHERE run_id = $1", run.ID, now)
		return err
	})
}

// keepTotals keeps what the run came to, before the first of its deliveries goes.
func (f forgetting) keepTotals(ctx context.Context, runID string) error {
	if _, found, err := f.kept(ctx, runID); err != nil || found {
		return err
	}
	summary, err := f.Summary(ctx, runID)
	if err != nil {
		return err
	}
	if summary.Lost() > 0 {
		if summary.LostTo, err = f.LostTo(ctx, runID); err != nil {
			return err
		}
	}
	text, err := json.Marshal(summary)
	if err != nil {
		return err
	}
	return f.step(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE runs SET totals = $2 WHERE run_id = $1 AND totals = ''", runID, string(text))
		return err
	})
}

// someDeliveries deletes the next rows of a run, with what leads to them, and notes when each person was last sent to and reached.
// Reports about their attempts are no strangers' from now on.
func (s *Store) someDeliveries(ctx context.Context, tx *sqlx.Tx, run scheduler.Run, after policy.PersonID) ([]oldRow, error) {
	var rows []oldRow
	if err := tx.SelectContext(ctx, &rows, `SELECT d.person_id, d.state, d.attempt_id, d.wamid, d.sending_at, COALESCE(d.delivered_at, d.read_at) AS delivered
		FROM deliveries d WHERE d.run_id = $1 AND d.person_id > $2 ORDER BY d.person_id LIMIT $3`, run.ID, after[:], deliveriesAtOnce); err != nil || len(rows) == 0 {
		return nil, err
	}
	seen, messages := s.dialect.newBatch(), s.dialect.newBatch()
	var latest time.Time
	for _, r := range rows {
		if !run.Test && r.Sent.Valid && counts(r.State) {
			seen.row().bytes(r.PersonID).num(r.Sent.Int64).when(instant(r.Delivered.Int64))
		}
		if r.WAMID.Valid {
			messages.row().str(r.WAMID.String)
		}
		if len(r.AttemptID) == len(sender.AttemptID{}) {
			if made := attemptedAt(sender.AttemptID(r.AttemptID)); made.After(latest) {
				latest = made
			}
		}
	}
	if seen.rows > 0 {
		if _, err := s.queries.rememberSends.exec(ctx, tx, &seen); err != nil {
			return nil, err
		}
	}
	if messages.rows > 0 {
		if _, err := s.queries.dropMessages.exec(ctx, tx, &messages, run.ID); err != nil {
			return nil, err
		}
	}
	if !latest.IsZero() {
		if _, err := tx.ExecContext(ctx, "UPDATE instance SET attempts_since = $1 WHERE attempts_since < $1", at(latest)); err != nil {
			return nil, err
		}
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM deliveries WHERE run_id = $1 AND person_id > $2 AND person_id <= $3", run.ID, after[:], rows[len(rows)-1].PersonID)
	return rows, err
}

// counts reports whether a delivery in this state counts in the caps.
func counts(state sender.State) bool {
	switch state {
	case sender.Sending, sender.Unknown, sender.Accepted, sender.Held, sender.Sent, sender.Delivered, sender.Read:
		return true
	}
	return false
}

// kept returns the totals of a run whose deliveries are deleted, or being deleted; found is false of every other.
func (s *Store) kept(ctx context.Context, runID string) (summary report.Summary, found bool, err error) {
	var rows []struct {
		Totals    string        `db:"totals"`
		Forgotten sql.NullInt64 `db:"forgotten_at"`
	}
	if err := s.read.SelectContext(ctx, &rows, "SELECT totals, forgotten_at FROM runs WHERE run_id = $1 AND totals <> ''", runID); err != nil || len(rows) == 0 {
		return summary, false, err
	}
	if err := json.Unmarshal([]byte(rows[0].Totals), &summary); err != nil {
		return summary, false, fmt.Errorf("reading the totals of run %s: %w", runID, err)
	}
	if rows[0].Forgotten.Valid {
		summary.DeletedAt = report.Time{Time: whenever(rows[0].Forgotten)}
	}
	return summary, true, nil
}

// AuditForgotten notes what was deleted by its age, in numbers alone; nothing when nothing was.
func (s *Store) AuditForgotten(ctx context.Context, actor string, gone report.Forgotten) error {
	if gone == (report.Forgotten{}) {
		return nil
	}
	return s.Audit(ctx, cmp.Or(actor, "serve"), "retention", "", gone.String())
}
