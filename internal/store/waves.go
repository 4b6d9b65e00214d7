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

// watchClaim is how long a run that one process looks at is left alone by the others.
const watchClaim = 30 * time.Second

// ClaimWatched returns a run under way with waves or a guard whose time to be looked at has come, for this process alone, until
// Watched. found is false when there is none.
func (s *Store) ClaimWatched(ctx context.Context) (run scheduler.Run, found bool, err error) {
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return run, false, fmt.Errorf("reading the clock: %w", err)
	}
	var due []struct {
		RunID   string  `db:"run_id"`
		WatchAt instant `db:"watch_at"`
	}
	if err := s.read.SelectContext(ctx, &due, "SELECT run_id, watch_at FROM runs WHERE state IN ('planning', 'running') AND watch_at <= $1 ORDER BY watch_at, run_id", now); err != nil {
		return run, false, fmt.Errorf("looking for runs to watch: %w", err)
	}
	for _, d := range due {
		claimed, err := changed(s.write.ExecContext(ctx, "UPDATE runs SET watch_at = $3 WHERE run_id = $1 AND watch_at = $2", d.RunID, d.WatchAt, at(now.time().Add(watchClaim))))
		if err != nil {
			return run, false, fmt.Errorf("claiming the watch of run %s: %w", d.RunID, err)
		}
		if claimed {
			run, err = s.Run(ctx, d.RunID)
			return run, err == nil, err
		}
	}
	return run, false, nil
}

// Watched gives a claimed run back, to be looked at again after a while.
func (s *Store) Watched(ctx context.Context, runID string, after time.Duration) error {
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return fmt.Errorf("reading the clock: %w", err)
	}
	if _, err := s.write.ExecContext(ctx, "UPDATE runs SET watch_at = $2 WHERE run_id = $1", runID, at(now.time().Add(after))); err != nil {
		return fmt.Errorf("giving the watch of run %s back: %w", runID, err)
	}
	return nil
}

// Heard counts what was heard of the messages of a run that its guard judges. A failure counts unless aside says of its code that
// it is not about the message or its person.
func (s *Store) Heard(ctx context.Context, run scheduler.Run, aside func(code int) bool) (policy.Heard, error) {
	var h policy.Heard
	var rows []struct {
		Code  int `db:"code"`
		N     int `db:"n"`
		Taken int `db:"taken"`
	}
	const ofFailure = "CASE WHEN d.state = 'failed' THEN COALESCE(d.error_code, 0) ELSE -1 END"
	if err := s.read.SelectContext(ctx, &rows, `SELECT `+ofFailure+` AS code, count(*) AS n, count(d.accepted_at) AS taken FROM deliveries d
		WHERE d.run_id = $1 AND d.sending_at > $2 AND d.state NOT IN ('sending', 'unknown') GROUP BY `+ofFailure, run.ID, at(run.GuardFrom)); err != nil {
		return h, fmt.Errorf("counting what was heard of run %s: %w", run.ID, err)
	}
	for _, r := range rows {
		h.Taken += r.Taken
		switch {
		case r.Code < 0:
			h.Ended += r.N
		case r.Code > 0 && !aside(r.Code):
			h.Ended, h.Failed = h.Ended+r.N, h.Failed+r.N
		}
	}
	var err error
	h.OptOuts, err = s.optedOut(ctx, run.ID, at(run.StartedAt), at(run.GuardFrom))
	return h, err
}

// AdvanceWave looks whether the next wave of a run may begin, and has it begin. A run that is not running stays.
func (s *Store) AdvanceWave(ctx context.Context, runID string) (scheduler.WaveStep, error) {
	step := scheduler.WaveStays
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		step = scheduler.WaveStays
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		runs, err := runsIn(ctx, tx, "WHERE run_id = $1 AND state = 'running'", runID)
		if err != nil || len(runs) == 0 || runs[0].Wave >= len(runs[0].Ask().Waves) {
			return err
		}
		look, err := lookAtWave(ctx, tx, now, runs[0])
		if err != nil {
			return err
		}
		switch step = look.Next(now.time()); step {
		case scheduler.WaveEnds:
			_, err = tx.ExecContext(ctx, "UPDATE runs SET wave_over_at = $2 WHERE run_id = $1", runID, now)
		case scheduler.WaveNext:
			err = s.beginWave(ctx, tx, now, runs[0])
		}
		return err
	})
	if err != nil {
		return scheduler.WaveStays, fmt.Errorf("looking at the waves of run %s: %w", runID, err)
	}
	return step, nil
}

func lookAtWave(ctx context.Context, tx *sqlx.Tx, now instant, run scheduler.Run) (scheduler.WaveLook, error) {
	look := scheduler.WaveLook{Over: run.WaveOver, Planned: !run.PlannedAt.IsZero()}
	if !look.Over.IsZero() || !look.Planned {
		return look, nil
	}
	is := func(fact *bool, condition string, args ...any) error {
		if err := tx.GetContext(ctx, fact, "SELECT EXISTS (SELECT 1 FROM deliveries d WHERE d.run_id = $1 AND "+condition+")", append([]any{run.ID}, args...)...); err != nil {
			return fmt.Errorf("reading where its messages stand: %w", err)
		}
		return nil
	}
	err := is(&look.Ready, "(d.state = 'sending' OR d.state = 'queued' AND (d.due_at IS NULL OR d.due_at <= $2))", now)
	if err != nil || look.Ready {
		return look, err
	}
	var began sql.NullInt64
	if err := tx.GetContext(ctx, &began, "SELECT wave_at FROM runs WHERE run_id = $1", run.ID); err != nil {
		return look, err
	}
	if err = is(&look.Sent, "d.sending_at >= $2", began.Int64); err != nil || look.Sent {
		return look, err
	}
	return look, is(&look.Held, "d.state = 'queued' AND COALESCE(d.reason, '') <> 'quality_guard'")
}

// beginWave opens the next wave, and has those who were to wait for it longer come at once. Others come at their time.
func (s *Store) beginWave(ctx context.Context, tx *sqlx.Tx, now instant, run scheduler.Run) error {
	if _, err := tx.ExecContext(ctx, "UPDATE runs SET wave = wave + 1, wave_at = $2, wave_over_at = NULL WHERE run_id = $1", run.ID, now); err != nil {
		return err
	}
	// The planner has all of a wave wait until the same moment, and a later one until a later.
	var due sql.NullInt64
	if err := tx.GetContext(ctx, &due, "SELECT MIN(d.due_at) FROM deliveries d WHERE d.run_id = $1 AND d.due_at > $2 AND d.state = 'queued' AND d.reason = 'quality_guard'", run.ID, now); err != nil {
		return err
	}
	if due.Valid {
		if _, err := tx.ExecContext(ctx, "UPDATE deliveries SET due_at = $3, changed_at = $3 WHERE run_id = $1 AND due_at = $2 AND state = 'queued' AND reason = 'quality_guard'", run.ID, due.Int64, now); err != nil {
			return err
		}
	}
	return audit(ctx, tx, now, report.Audit{Actor: program, Action: "run.wave", Subject: run.ID, Details: fmt.Sprintf("wave %d begins", run.Wave+2)})
}

// ClosedSince reports whether a breaker closed at a moment or after it.
func (s *Store) ClosedSince(ctx context.Context, b sender.Breaker, moment time.Time) (bool, error) {
	var is bool
	if err := s.read.GetContext(ctx, &is, "SELECT EXISTS (SELECT 1 FROM breakers WHERE kind = $1 AND subject = $2 AND closed_at >= $3)", string(b.Kind), b.Subject, at(moment)); err != nil {
		return false, fmt.Errorf("reading a breaker: %w", err)
	}
	return is, nil
}
