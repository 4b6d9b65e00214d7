package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// program is the actor of what no operator did.
const program = "permesso"

// approvalText is an approval as runs keep it, "" for one that asks for nothing.
func approvalText(a scheduler.Approval) (string, error) {
	if a == (scheduler.Approval{}) {
		return "", nil
	}
	text, err := json.Marshal(a)
	if err != nil {
		return "", fmt.Errorf("writing what is to be approved: %w", err)
	}
	return string(text), nil
}

// Await has a run in planning, or one that waits already, wait until somebody approves what is asked, and keeps what was counted. Any
// earlier approval of it is over. A run that stands elsewhere stays there.
func (s *Store) Await(ctx context.Context, runID string, kind policy.Kind, plan scheduler.Plan, ask scheduler.Approval, why string) error {
	ask.By = ""
	counted, err := json.Marshal(plan)
	if err != nil {
		return fmt.Errorf("keeping the plan of run %s: %w", runID, err)
	}
	approval, err := approvalText(ask)
	if err != nil {
		return fmt.Errorf("run %s: %w", runID, err)
	}
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		waits, err := changed(tx.ExecContext(ctx, `UPDATE runs SET state = 'waiting', why = $2, kind = $3, plan = $4, approval = $5
			WHERE run_id = $1 AND state IN ('planning', 'waiting') AND planned_at IS NULL`, runID, why, string(kind), string(counted), approval))
		if err != nil || !waits {
			return err
		}
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if err := audit(ctx, tx, now, report.Audit{Actor: program, Action: "run.waiting", Subject: runID, Details: why + "; plan " + ask.Hash}); err != nil {
			return err
		}
		return runNotice(ctx, tx, now, report.NoticeRunWaiting, runID, "waits for approval", why, "")
	})
	if err != nil {
		return fmt.Errorf("having run %s wait: %w", runID, err)
	}
	return nil
}

// Approve lets a run that waits be planned. It returns a StateError when the run does not wait, or waits for something else
// than the plan of that hash by now.
func (s *Store) Approve(ctx context.Context, runID, hash, by string) error {
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		var row struct {
			State    scheduler.RunState `db:"state"`
			Approval string             `db:"approval"`
		}
		if err := tx.GetContext(ctx, &row, "SELECT state, approval FROM runs WHERE run_id = $1", runID); err != nil {
			return err
		}
		if row.State != scheduler.Waiting {
			return &StateError{fmt.Sprintf("it is %s and does not wait for approval", row.State)}
		}
		var ask scheduler.Approval
		if err := json.Unmarshal([]byte(row.Approval), &ask); err != nil {
			return fmt.Errorf("reading what is to be approved: %w", err)
		}
		if ask.Hash != hash {
			return &StateError{fmt.Sprintf("its plan is %s by now, and not %s: look again", ask.Hash, hash)}
		}
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		ask.By, ask.At = by, now.time()
		given, err := approvalText(ask)
		if err != nil {
			return err
		}
		moved, err := changed(tx.ExecContext(ctx, "UPDATE runs SET state = 'planning', why = '', approval = $2 WHERE run_id = $1 AND state = 'waiting' AND approval = $3",
			runID, given, row.Approval))
		if err != nil {
			return err
		}
		if !moved {
			return &StateError{"it changed a moment ago: look again"}
		}
		return audit(ctx, tx, now, report.Audit{Actor: by, Action: "run.approve", Subject: runID, Details: fmt.Sprintf("plan %s, %d people", ask.Hash, ask.People)})
	})
	if err != nil {
		return fmt.Errorf("run %s: %w", runID, err)
	}
	return nil
}

// Miss ends a run that waits for approval, which came too late; a run that stands elsewhere stays there.
func (s *Store) Miss(ctx context.Context, runID, why string) error {
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		missed, err := changed(tx.ExecContext(ctx, "UPDATE runs SET state = 'missed', why = $2, finished_at = $3 WHERE run_id = $1 AND state = 'waiting'", runID, why, now))
		if err != nil || !missed {
			return err
		}
		// It may have rows when an approval died after the first of them: nobody is left waiting in a run that is over.
		if _, err := tx.ExecContext(ctx, "UPDATE deliveries SET state = 'expired', reason = $2, changed_at = $3 WHERE run_id = $1 AND state = 'queued'",
			runID, string(policy.NotAfter), now); err != nil {
			return err
		}
		if err := audit(ctx, tx, now, report.Audit{Actor: program, Action: "run.missed", Subject: runID, Details: why}); err != nil {
			return err
		}
		return runNotice(ctx, tx, now, report.NoticeRunMissed, runID, "is missed", why, "")
	})
	if err != nil {
		return fmt.Errorf("ending run %s: %w", runID, err)
	}
	return nil
}
