package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// repliesKept is how long what was delivered, or given up, is remembered without its text: longer than Meta repeats a webhook.
const repliesKept = 8 * 24 * time.Hour

// keepReplies puts what people wrote on its way to the business, in the transaction that stores the webhooks. The same message again
// is the same row.
func (s *Store) keepReplies(ctx context.Context, tx *sqlx.Tx, now instant, replies []sender.Reply, from [][]policy.PersonID) error {
	b := s.dialect.newBatch()
	seen := map[key16]bool{}
	for i, r := range replies {
		if r.Forward == nil {
			continue
		}
		data, err := json.Marshal(report.Received{
			ID: r.MessageID, At: report.Time{Time: r.At}, From: r.Forward.From, UserID: r.Forward.UserID, Number: r.NumberID, Type: r.Forward.Type,
			Text: r.Forward.Text, Understood: r.Forward.Understood, Message: r.Forward.Raw,
		})
		if err != nil {
			return fmt.Errorf("writing a reply: %w", err)
		}
		key := key16(s.messageKey("reply", r.MessageID))
		if r.MessageID == "" {
			key = key16(s.messageKey("reply", string(data)))
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		var person policy.PersonID
		if len(from[i]) > 0 {
			person = from[i][0]
		}
		b.row().bytes(key[:]).bytes(person[:]).num(int64(at(r.At))).num(int64(now)).num(int64(i)).str(r.ContextWAMID).str(storable(string(data))).num(int64(now))
	}
	if b.rows == 0 {
		return nil
	}
	if _, err := s.queries.addReplies.exec(ctx, tx, &b); err != nil {
		return fmt.Errorf("keeping replies for the business: %w", err)
	}
	return nil
}

// ReplyBox is the outbox of what people wrote.
type ReplyBox struct{ s *Store }

// Replies is what people wrote and the business has not read.
func (s *Store) Replies() ReplyBox { return ReplyBox{s} }

type replyRow struct {
	ID       []byte  `db:"reply_id"`
	PersonID []byte  `db:"person_id"`
	At       instant `db:"at"`
	Context  string  `db:"context_wamid"`
	Data     string  `db:"data"`
	Attempts int     `db:"attempts"`
	NextAt   instant `db:"next_at"`
	Received instant `db:"received_at"`
	Pending  int     `db:"pending"`
}

// Outbox returns the reply that is to leave next: of those that no earlier one of the same person holds back the first that is due, or
// else the one that is due first.
func (b ReplyBox) Outbox(ctx context.Context) (report.Outbox, error) {
	s := b.s
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return report.Outbox{}, fmt.Errorf("reading the clock: %w", err)
	}
	var rows []replyRow
	if err := s.read.SelectContext(ctx, &rows, `SELECT r.reply_id, r.person_id, r.at, r.context_wamid, r.data, r.attempts, r.next_at, r.received_at,
		(SELECT count(*) FROM replies p WHERE p.state = 'pending') AS pending
		FROM replies r WHERE r.state = 'pending' AND NOT EXISTS (SELECT 1 FROM replies e WHERE e.person_id = r.person_id AND e.state = 'pending'
			AND (e.at, e.received_at, e.place, e.reply_id) < (r.at, r.received_at, r.place, r.reply_id))
		ORDER BY r.next_at, r.at, r.received_at, r.place LIMIT 1`); err != nil {
		return report.Outbox{}, fmt.Errorf("reading the replies: %w", err)
	}
	if len(rows) == 0 {
		return report.Outbox{Now: now.time()}, nil
	}
	first, err := s.asNotice(ctx, rows[0])
	return report.Outbox{First: first, Pending: rows[0].Pending, Now: now.time()}, err
}

// asNotice is a reply as it is posted, with the campaign and the run that it answers.
func (s *Store) asNotice(ctx context.Context, r replyRow) (report.Notice, error) {
	n := report.Notice{
		ID: hex.EncodeToString(r.ID), At: reached(r.Received), Type: report.NoticeMessage, State: report.NoticePending, Attempts: r.Attempts, NextAt: reached(r.NextAt),
	}
	var data report.Received
	if err := json.Unmarshal([]byte(r.Data), &data); err != nil {
		return n, fmt.Errorf("reading reply %s: %w", n.ID, err)
	}
	answers, err := s.answered(ctx, r)
	if err != nil {
		return n, err
	}
	data.Answers = answers
	if n.Payload, err = json.Marshal(data); err != nil {
		return n, fmt.Errorf("writing reply %s: %w", n.ID, err)
	}
	return n, nil
}

// answered finds the delivery that a reply quotes, or else the last that its person was sent within the week before it.
func (s *Store) answered(ctx context.Context, r replyRow) (*report.Answered, error) {
	var found []report.Answered
	var err error
	if r.Context != "" {
		err = s.read.SelectContext(ctx, &found, `SELECT r.campaign_id AS campaign, r.run_id AS run, 1 AS quoted FROM messages m JOIN runs r ON r.run_id = m.run_id
			WHERE m.wamid = $1 AND r.test = 0 LIMIT 1`, r.Context)
	} else {
		err = s.read.SelectContext(ctx, &found, `SELECT r.campaign_id AS campaign, r.run_id AS run, 0 AS quoted FROM deliveries d JOIN runs r ON r.run_id = d.run_id
			WHERE d.person_id = $1 AND d.sending_at > $2 AND d.sending_at <= $3 AND r.test = 0 ORDER BY d.sending_at DESC LIMIT 1`,
			r.PersonID, at(r.At.time().Add(-answersWithin)), at(r.At.time().Add(time.Second)))
	}
	if err != nil {
		return nil, fmt.Errorf("finding what a reply answers: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return &found[0], nil
}

// NoticeTried keeps what became of an attempt to deliver a reply. Once it is delivered, or given up, its text is gone.
func (b ReplyBox) NoticeTried(ctx context.Context, n report.Notice, a report.Attempt) (kept bool, err error) {
	id, err := hex.DecodeString(n.ID)
	if err != nil {
		return false, fmt.Errorf("keeping what became of reply %s: %w", n.ID, err)
	}
	err = b.s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := b.s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		var done any
		if a.State != report.NoticePending {
			done = now
		}
		kept, err = changed(tx.ExecContext(ctx, `UPDATE replies SET state = $3, attempts = attempts + 1, next_at = $4, done_at = $5, error = $6,
			data = CASE WHEN $3 = 'pending' THEN data ELSE '' END, context_wamid = CASE WHEN $3 = 'pending' THEN context_wamid ELSE '' END
			WHERE reply_id = $1 AND attempts = $2 AND state = 'pending'`,
			id, n.Attempts, string(a.State), now+instant(a.Wait.Microseconds()), done, storable(a.Error)))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("keeping what became of reply %s: %w", n.ID, err)
	}
	return kept, nil
}

// ForgetReplies gives up what has waited for longer than age, and lets go of what was delivered, or given up, before Meta stopped
// repeating it. It returns how many it gave up: what these people wrote is lost to the business.
func (s *Store) ForgetReplies(ctx context.Context, age time.Duration) (lost int, err error) {
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return 0, fmt.Errorf("reading the clock: %w", err)
	}
	var there bool
	if err := s.read.GetContext(ctx, &there, "SELECT EXISTS (SELECT 1 FROM replies)"); err != nil || !there {
		return 0, err
	}
	done, err := s.write.ExecContext(ctx, "UPDATE replies SET state = 'failed', data = '', context_wamid = '', done_at = $1, error = 'kept too long' WHERE state = 'pending' AND received_at < $2",
		now, now-instant(age.Microseconds()))
	if err != nil {
		return 0, fmt.Errorf("giving up old replies: %w", err)
	}
	gone, err := done.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("giving up old replies: %w", err)
	}
	if _, err := s.write.ExecContext(ctx, "DELETE FROM replies WHERE state <> 'pending' AND done_at < $1", now-instant(repliesKept.Microseconds())); err != nil {
		return int(gone), fmt.Errorf("forgetting replies: %w", err)
	}
	return int(gone), nil
}
