package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// Unfinished is what a restored database says was under way. What became of it since is not known.
type Unfinished struct {
	Runs     int // open
	Queued   int // people of these runs who wait, as this database has it
	InFlight int // whose message was on its way
}

// Unfinished counts what ends when the database is accepted as a restored one.
func (s *Store) Unfinished(ctx context.Context) (Unfinished, error) {
	var row struct {
		Runs     int `db:"runs"`
		Queued   int `db:"queued"`
		InFlight int `db:"flying"`
	}
	const open = "(SELECT r.run_id FROM runs r WHERE r.state IN ('planning', 'waiting', 'running', 'paused'))"
	err := s.read.GetContext(ctx, &row, `SELECT (SELECT count(*) FROM runs r WHERE r.state IN ('planning', 'waiting', 'running', 'paused')) AS runs,
		(SELECT count(*) FROM deliveries d WHERE d.state = 'queued' AND d.run_id IN `+open+`) AS queued,
		(SELECT count(*) FROM deliveries d WHERE d.state = 'sending' AND d.run_id IN `+open+`) AS flying`)
	if err != nil {
		return Unfinished{}, fmt.Errorf("counting what is under way: %w", err)
	}
	return Unfinished(row), nil
}

// whyRestored stands with each run that an accepted restore ended.
const whyRestored = "the database was restored from a backup while this run was open: who got its message since the backup is not known, so it ended"

// EndUnfinished ends every open run, each in one transaction: of the people who wait in one, nobody knows who got the message after
// the backup was made. They become cancelled, and what was on its way unknown.
func (s *Store) EndUnfinished(ctx context.Context) (ended Unfinished, err error) {
	open, err := s.OpenRuns(ctx, "")
	if err != nil {
		return ended, err
	}
	for _, run := range open {
		var queued, flying int64
		err := s.inTx(ctx, func(tx *sqlx.Tx) error {
			now, err := s.dialect.now(ctx, tx)
			if err != nil {
				return err
			}
			if err := tx.GetContext(ctx, &queued, "SELECT count(*) FROM deliveries WHERE run_id = $1 AND state = $2", run.ID, string(sender.Queued)); err != nil {
				return err
			}
			if err := moveRun(ctx, tx, now, run.ID, scheduler.RunCancelled, whyRestored); err != nil {
				return err
			}
			done, err := tx.ExecContext(ctx, "UPDATE deliveries SET state = 'unknown', changed_at = $2 WHERE run_id = $1 AND state = 'sending'", run.ID, now)
			if err != nil {
				return err
			}
			flying, err = done.RowsAffected()
			return err
		})
		if err != nil {
			return ended, fmt.Errorf("ending run %s: %w", run.ID, err)
		}
		ended.Runs, ended.Queued, ended.InFlight = ended.Runs+1, ended.Queued+int(queued), ended.InFlight+int(flying)
	}
	return ended, nil
}

// Accept makes the home one of the database's, counting from above a number, notes the place as where the database is now, and
// takes back the quarantine if it is of one of these kinds. Reports of messages that were sent before now and are not on record
// are expected from here on when it was an older copy. It returns the home's number.
func (s *Store) Accept(ctx context.Context, homeID string, above int64, place, actor string, takesBack ...QuarantineKind) (seq int64, err error) {
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		var known []int64
		if err := tx.SelectContext(ctx, &known, "SELECT seq FROM homes WHERE home_id = $1", homeID); err != nil {
			return err
		}
		seq = above + 1
		for _, was := range known {
			seq = max(seq, was+1)
		}
		if err := addHome(ctx, tx, now, homeID, seq); err != nil {
			return err
		}
		if err := setPlace(ctx, tx, place); err != nil {
			return err
		}
		details := "joined"
		for _, kind := range takesBack {
			if kind == Behind || kind == Orphans {
				// A minute more, for the clock of whoever made the last attempts.
				if _, err := tx.ExecContext(ctx, "UPDATE instance SET attempts_since = $1", at(now.time().Add(time.Minute))); err != nil {
					return err
				}
				// What the copy has as waiting may have been answered since.
				if _, err := tx.ExecContext(ctx, "UPDATE answers SET state = 'dropped', reason = $1 WHERE state = 'queued'", sender.DropRestored); err != nil {
					return err
				}
				details = "after a restore"
			}
			was, err := changed(tx.ExecContext(ctx, "UPDATE instance SET quarantined_at = NULL, quarantined_kind = NULL, quarantined_why = NULL WHERE quarantined_kind = $1", string(kind)))
			if err != nil {
				return err
			}
			if !was {
				continue
			}
			if err := notice(ctx, tx, now, report.NoticeReleased, report.NoticeData{Sentence: "The database is accepted: sending goes on.", By: actor}); err != nil {
				return err
			}
		}
		return audit(ctx, tx, now, report.Audit{Actor: actor, Action: "resume", Details: details})
	})
	if err != nil {
		return 0, fmt.Errorf("accepting the database: %w", err)
	}
	return seq, nil
}
