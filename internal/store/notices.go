package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/report"
)

// notice has operators told of a fact, in the fact's own transaction: none without its notice, and no notice of one that
// rolled back. It holds the one row of notice_order until the commit, so it comes late in a transaction.
func notice(ctx context.Context, tx *sqlx.Tx, now instant, kind report.NoticeType, data report.NoticeData) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("naming a notice: %w", err)
	}
	text, err := json.Marshal(data.Discreet())
	if err != nil {
		return fmt.Errorf("writing a notice: %w", err)
	}
	var position int64
	if err := tx.GetContext(ctx, &position, "UPDATE notice_order SET last = last + 1 RETURNING last"); err != nil {
		return fmt.Errorf("ordering a notice: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO notices (position, notice_id, at, type, data, next_at) VALUES ($1, $2, $3, $4, $5, $6)",
		position, id.String(), now, string(kind), storable(string(text)), now); err != nil {
		return fmt.Errorf("writing a notice: %w", err)
	}
	return nil
}

// runNotice tells what became of a run: does finishes the sentence "Run … of campaign …".
func runNotice(ctx context.Context, tx *sqlx.Tx, now instant, kind report.NoticeType, runID, does, why, by string) error {
	var run struct {
		Campaign string `db:"campaign_id"`
		Number   string `db:"number_id"`
	}
	if err := tx.GetContext(ctx, &run, "SELECT campaign_id, number_id FROM runs WHERE run_id = $1", runID); err != nil {
		return fmt.Errorf("reading whose notice it is: %w", err)
	}
	if by != "" && !strings.Contains(why, "by "+by) {
		does += " by " + by
	}
	return notice(ctx, tx, now, kind, report.NoticeData{
		Sentence: sentence(fmt.Sprintf("Run %s of campaign %s %s", runID, run.Campaign, does), why),
		Run:      runID, Campaign: run.Campaign, Number: run.Number, Reason: why, By: by,
	})
}

// breakerNotice tells that a breaker opened, or closed again. That of the token has types of its own, since what it asks for is a
// new token. subject is what the breaker is of: a number, a template, a campaign.
func breakerNotice(ctx context.Context, tx *sqlx.Tx, now instant, breaker, subject string, opened bool, why string) error {
	data := report.NoticeData{Breaker: breaker, Subject: subject, Reason: why}
	switch breaker {
	case "number":
		data.Number = subject
	case "campaign":
		data.Campaign = subject
	}
	kind, says := report.NoticeBreakerClosed, "The breaker of the "+strings.TrimSpace(breaker+" "+subject)
	switch {
	case breaker == "token" && opened:
		kind, says = report.NoticeTokenRefused, "Meta refuses the access token, and all sending pauses"
	case breaker == "token":
		kind, says = report.NoticeTokenAccepted, "Meta takes the access token again"
	case opened:
		kind, says = report.NoticeBreakerOpened, says+" opened: what it stands for does not send"
	default:
		says += " closed"
	}
	data.Sentence = sentence(says, why)
	return notice(ctx, tx, now, kind, data)
}

// sentence joins what happened and why, with one full stop.
func sentence(what, why string) string {
	if why == "" {
		return what + "."
	}
	return what + ": " + strings.TrimRight(why, ". ") + "."
}

const noticeColumns = "position, notice_id, at, type, data, state, attempts, next_at, done_at, error"

type noticeRow struct {
	Position int64         `db:"position"`
	ID       string        `db:"notice_id"`
	At       instant       `db:"at"`
	Type     string        `db:"type"`
	Data     string        `db:"data"`
	State    string        `db:"state"`
	Attempts int           `db:"attempts"`
	NextAt   instant       `db:"next_at"`
	DoneAt   sql.NullInt64 `db:"done_at"`
	Error    string        `db:"error"`
}

func (r noticeRow) notice() (report.Notice, error) {
	n := report.Notice{
		ID: r.ID, At: reached(r.At), Type: report.NoticeType(r.Type), State: report.NoticeState(r.State), Attempts: r.Attempts,
		DoneAt: report.Time{Time: whenever(r.DoneAt)}, Error: r.Error, Position: r.Position,
	}
	if n.State == report.NoticePending {
		n.NextAt = reached(r.NextAt)
	}
	if err := json.Unmarshal([]byte(r.Data), &n.Data); err != nil {
		return n, fmt.Errorf("reading notice %s: %w", r.ID, err)
	}
	return n, nil
}

// Outbox returns the notice that is to leave next: the oldest that is neither delivered nor given up, due or not.
func (s *Store) Outbox(ctx context.Context) (report.Outbox, error) {
	var rows []struct {
		noticeRow
		Pending int `db:"pending"`
	}
	if err := s.read.SelectContext(ctx, &rows, "SELECT "+noticeColumns+`, (SELECT count(*) FROM notices p WHERE p.state = 'pending') AS pending
		FROM notices WHERE state = 'pending' ORDER BY position LIMIT 1`); err != nil {
		return report.Outbox{}, fmt.Errorf("reading the notices: %w", err)
	}
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return report.Outbox{}, fmt.Errorf("reading the clock: %w", err)
	}
	if len(rows) == 0 {
		return report.Outbox{Now: now.time()}, nil
	}
	first, err := rows[0].notice()
	return report.Outbox{First: first, Pending: rows[0].Pending, Now: now.time()}, err
}

// NoticeTried keeps what became of an attempt to deliver n. kept is false when another process has tried it meanwhile.
func (s *Store) NoticeTried(ctx context.Context, n report.Notice, a report.Attempt) (kept bool, err error) {
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		var done any
		if a.State != report.NoticePending {
			done = now
		}
		kept, err = changed(tx.ExecContext(ctx, `UPDATE notices SET state = $3, attempts = attempts + 1, next_at = $4, done_at = $5, error = $6
			WHERE position = $1 AND attempts = $2 AND state = 'pending'`,
			n.Position, n.Attempts, string(a.State), now+instant(a.Wait.Microseconds()), done, storable(a.Error)))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("keeping what became of notice %s: %w", n.ID, err)
	}
	return kept, nil
}

// HurryNotices has whatever waits for its next attempt tried at once. It returns how many wait.
func (s *Store) HurryNotices(ctx context.Context) (waiting int, err error) {
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if err := tx.GetContext(ctx, &waiting, "SELECT count(*) FROM notices WHERE state = 'pending'"); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE notices SET next_at = $1 WHERE state = 'pending' AND next_at > $1", now)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("hurrying the notices: %w", err)
	}
	return waiting, nil
}

// Notices lists what was not delivered, in its order: what still waits, and what was given up. Limit 0 is no limit.
func (s *Store) Notices(ctx context.Context, limit int) ([]report.Notice, error) {
	var rows []noticeRow
	if err := s.read.SelectContext(ctx, &rows, "SELECT "+noticeColumns+" FROM notices WHERE state <> 'delivered' ORDER BY position LIMIT $1", unlimited(limit)); err != nil {
		return nil, fmt.Errorf("reading the notices: %w", err)
	}
	list := make([]report.Notice, len(rows))
	for i, row := range rows {
		var err error
		if list[i], err = row.notice(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// ForgetNotices lets go of notices of facts that are older than age, told or not. It returns how many those were.
func (s *Store) ForgetNotices(ctx context.Context, age time.Duration) (int, error) {
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return 0, fmt.Errorf("reading the clock: %w", err)
	}
	done, err := s.write.ExecContext(ctx, "DELETE FROM notices WHERE at < $1", now-instant(age.Microseconds()))
	if err != nil {
		return 0, fmt.Errorf("forgetting old notices: %w", err)
	}
	gone, err := done.RowsAffected()
	return int(gone), err
}
