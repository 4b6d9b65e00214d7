package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// ErrNoRun says that there is no run of that id.
var ErrNoRun = errcode.With(errors.New("there is no such run: `permesso runs list` shows them"), errcode.NoSuchRun)

const runColumns = `run_id, campaign_id, occurrence, state, why, number_id, category, kind, priority, test, manual, fire_at, config, config_hash,
	plan, planned_at, created_at, created_by, approval, resends, started_at, finished_at, paused_by, wave, wave_over_at, guard_from`

type runRow struct {
	RunID      string             `db:"run_id"`
	CampaignID string             `db:"campaign_id"`
	Occurrence string             `db:"occurrence"`
	State      scheduler.RunState `db:"state"`
	Why        string             `db:"why"`
	NumberID   string             `db:"number_id"`
	Category   string             `db:"category"`
	Kind       policy.Kind        `db:"kind"`
	Priority   int                `db:"priority"`
	Test       int                `db:"test"`
	Manual     int                `db:"manual"`
	FireAt     instant            `db:"fire_at"`
	Config     string             `db:"config"`
	ConfigHash string             `db:"config_hash"`
	Plan       string             `db:"plan"`
	PlannedAt  sql.NullInt64      `db:"planned_at"`
	CreatedAt  instant            `db:"created_at"`
	CreatedBy  string             `db:"created_by"`
	Approval   string             `db:"approval"`
	Resends    string             `db:"resends"`
	StartedAt  sql.NullInt64      `db:"started_at"`
	FinishedAt sql.NullInt64      `db:"finished_at"`
	PausedBy   string             `db:"paused_by"`
	Wave       int                `db:"wave"`
	WaveOverAt sql.NullInt64      `db:"wave_over_at"`
	GuardFrom  int64              `db:"guard_from"`
}

func (r runRow) run() (scheduler.Run, error) {
	run := scheduler.Run{
		ID: r.RunID, CampaignID: r.CampaignID, Occurrence: r.Occurrence, State: r.State, Why: r.Why, PausedBy: r.PausedBy, NumberID: r.NumberID, Category: r.Category,
		Kind: r.Kind, Priority: r.Priority, Test: r.Test == 1, Manual: r.Manual == 1, FireAt: r.FireAt.time(), ConfigHash: r.ConfigHash,
		PlannedAt: whenever(r.PlannedAt), CreatedAt: r.CreatedAt.time(), StartedAt: whenever(r.StartedAt), FinishedAt: whenever(r.FinishedAt), CreatedBy: r.CreatedBy,
		Resends: r.Resends, Wave: r.Wave, WaveOver: whenever(r.WaveOverAt), GuardFrom: whenever(sql.NullInt64{Int64: r.GuardFrom, Valid: r.GuardFrom != 0}),
	}
	if r.Config != "" {
		if err := json.Unmarshal([]byte(r.Config), &run.Frozen); err != nil {
			return run, fmt.Errorf("reading the frozen configuration of run %s: %w", r.RunID, err)
		}
	}
	if r.Plan != "" {
		if err := json.Unmarshal([]byte(r.Plan), &run.Plan); err != nil {
			return run, fmt.Errorf("reading the plan of run %s: %w", r.RunID, err)
		}
	}
	if r.Approval != "" {
		if err := json.Unmarshal([]byte(r.Approval), &run.Approval); err != nil {
			return run, fmt.Errorf("reading the approval of run %s: %w", r.RunID, err)
		}
	}
	return run, nil
}

// newRunID is readable and sorts by fire time: 20261121-1800-k3f9x, in UTC.
func newRunID(fireAt time.Time) string {
	const letters = "0123456789abcdefghjkmnpqrstvwxyz"
	tail := make([]byte, 6)
	_, _ = rand.Read(tail) // it never fails; it ends the program instead
	for i := range tail {
		tail[i] = letters[tail[i]&31]
	}
	return fireAt.UTC().Format("20060102-1504-") + string(tail)
}

// CreateRun makes a run of its campaign's occurrence. created is false when that occurrence has one already: the
// database's unique key, not any lease, is what makes a slot start once. The run's ID is made here; a manual run's
// occurrence, empty on the way in, is derived from it.
func (s *Store) CreateRun(ctx context.Context, run scheduler.Run) (_ scheduler.Run, created bool, err error) {
	insert, err := runInsert(&run)
	if err != nil {
		return run, false, err
	}
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		created, err = insert(ctx, tx, now)
		return err
	})
	if err != nil {
		return run, false, fmt.Errorf("creating a run of campaign %s: %w", run.CampaignID, err)
	}
	s.deeds.Add(1)
	return run, created, nil
}

// runInsert gives the run its id, and returns what writes its row and completes it.
func runInsert(run *scheduler.Run) (func(context.Context, *sqlx.Tx, instant) (created bool, err error), error) {
	run.ID = newRunID(run.FireAt)
	if run.Occurrence == "" {
		run.Occurrence = scheduler.ManualOccurrence(run.ID)
	}
	config, err := json.Marshal(run.Frozen)
	if err != nil {
		return nil, fmt.Errorf("freezing campaign %s: %w", run.CampaignID, err)
	}
	plan, err := json.Marshal(run.Plan)
	if err != nil {
		return nil, fmt.Errorf("keeping the plan of campaign %s: %w", run.CampaignID, err)
	}
	approval, err := approvalText(run.Approval)
	if err != nil {
		return nil, fmt.Errorf("creating a run of campaign %s: %w", run.CampaignID, err)
	}
	return func(ctx context.Context, tx *sqlx.Tx, now instant) (bool, error) {
		run.CreatedAt = now.time()
		var finished, watch any
		if run.Watched() {
			watch = now
		}
		if run.State == scheduler.Missed {
			finished, run.FinishedAt = now, now.time()
		}
		created, err := changed(tx.ExecContext(ctx, `INSERT INTO runs (run_id, campaign_id, occurrence, state, why, number_id, category, kind, priority, test, manual,
			fire_at, config, config_hash, plan, created_at, finished_at, created_by, approval, resends, watch_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
			ON CONFLICT (campaign_id, occurrence) DO NOTHING`,
			run.ID, run.CampaignID, run.Occurrence, string(run.State), run.Why, run.NumberID, run.Category, string(run.Kind), run.Priority,
			flag(run.Test), flag(run.Manual), at(run.FireAt), string(config), run.ConfigHash, string(plan), now, finished, run.CreatedBy, approval, run.Resends, watch))
		if err != nil || !created {
			return false, err
		}
		if err := openBudget(ctx, tx, run); err != nil {
			return false, err
		}
		switch run.State {
		case scheduler.Missed:
			err = runNotice(ctx, tx, now, report.NoticeRunMissed, run.ID, "is missed", run.Why, "")
		case scheduler.Waiting:
			err = runNotice(ctx, tx, now, report.NoticeRunWaiting, run.ID, "waits for approval", run.Why, "")
		}
		return true, err
	}, nil
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// changed reports whether a statement changed a row.
func changed(done sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// Run returns one run.
func (s *Store) Run(ctx context.Context, id string) (scheduler.Run, error) {
	runs, err := s.selectRuns(ctx, "WHERE run_id = $1", id)
	if err != nil {
		return scheduler.Run{}, err
	}
	if len(runs) == 0 {
		return scheduler.Run{}, fmt.Errorf("run %q: %w", id, ErrNoRun)
	}
	return runs[0], nil
}

// Runs lists runs, the newest first. campaign "" is every campaign; limit 0 is no limit.
func (s *Store) Runs(ctx context.Context, campaign string, limit int) ([]scheduler.Run, error) {
	return s.selectRuns(ctx, "WHERE ($1 = '' OR campaign_id = $1) ORDER BY fire_at DESC, run_id DESC LIMIT $2", campaign, unlimited(limit))
}

// RunsBefore lists the runs that stand behind a place in that order, those of a campaign and in a state, each "" for every one.
// The zero place is before the first.
func (s *Store) RunsBefore(ctx context.Context, campaign, state string, place report.RunPlace, limit int) ([]scheduler.Run, error) {
	before := at(place.FireAt)
	if place == (report.RunPlace{}) {
		before = 1<<63 - 1
	}
	return s.selectRuns(ctx, `WHERE ($1 = '' OR campaign_id = $1) AND ($2 = '' OR state = $2) AND (fire_at, run_id) < ($3, $4)
		ORDER BY fire_at DESC, run_id DESC LIMIT $5`, campaign, state, before, place.Run, unlimited(limit))
}

func unlimited(limit int) int64 {
	if limit <= 0 {
		return 1 << 60
	}
	return int64(limit)
}

// OpenRuns lists the runs of a campaign, or with "" of all, that may still send, the highest priority first.
func (s *Store) OpenRuns(ctx context.Context, campaign string) ([]scheduler.Run, error) {
	return s.selectRuns(ctx, `WHERE state IN ('planning', 'waiting', 'running', 'paused') AND ($1 = '' OR campaign_id = $1)
		ORDER BY priority DESC, fire_at, run_id`, campaign)
}

// LastRuns returns the last run of every campaign that ever had one, tests aside.
func (s *Store) LastRuns(ctx context.Context) ([]scheduler.Run, error) {
	return s.selectRuns(ctx, "WHERE run_id IN (SELECT MAX(r.run_id) FROM runs r WHERE r.test = 0 GROUP BY r.campaign_id) ORDER BY campaign_id")
}

func (s *Store) selectRuns(ctx context.Context, where string, args ...any) ([]scheduler.Run, error) {
	var rows []runRow
	if err := s.read.SelectContext(ctx, &rows, "SELECT "+runColumns+" FROM runs "+where, args...); err != nil {
		return nil, fmt.Errorf("reading runs: %w", err)
	}
	runs := make([]scheduler.Run, len(rows))
	for i, row := range rows {
		run, err := row.run()
		if err != nil {
			return nil, err
		}
		run.Frozen.Rules.Locations, run.Frozen.Rules.Lots = s.locations, s.lots
		runs[i] = run
	}
	return runs, nil
}

// ErrState says that a run cannot go where it was asked to. It is never printed: a StateError says which run stands where.
var ErrState = errors.New("the state of the run does not allow it")

// StateError says why a run cannot go where it was asked to. It is an ErrState.
type StateError struct{ Why string }

// Error is the sentence.
func (e *StateError) Error() string { return e.Why }

// Is makes it an ErrState.
func (e *StateError) Is(target error) bool { return target == ErrState }

// ErrorCode is the code under which it is explained.
func (e *StateError) ErrorCode() errcode.Code { return errcode.WrongRunState }

// MoveRun moves a run to a state, with the reason why. From a state that does not lead there it returns ErrState.
// Cancelling closes every delivery that still waits.
func (s *Store) MoveRun(ctx context.Context, id string, to scheduler.RunState, why string) error {
	return s.MoveRunBy(ctx, id, to, why, "")
}

// MoveRunBy is MoveRun by somebody's hand, whom operators are told with it.
func (s *Store) MoveRunBy(ctx context.Context, id string, to scheduler.RunState, why, by string) error {
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if to == scheduler.Running || to == scheduler.Planning {
			if err := s.overrule(ctx, tx, now, id); err != nil {
				return err
			}
		}
		_, err = moveRunBy(ctx, tx, now, id, to, why, by)
		return err
	})
	if err != nil {
		return fmt.Errorf("run %s: %w", id, err)
	}
	return nil
}

func moveRun(ctx context.Context, tx *sqlx.Tx, now instant, id string, to scheduler.RunState, why string) error {
	_, err := moveRunBy(ctx, tx, now, id, to, why, "")
	return err
}

// moveRunBy reports whether the run moved: one that stands there already does not.
func moveRunBy(ctx context.Context, tx *sqlx.Tx, now instant, id string, to scheduler.RunState, why, by string) (moved bool, err error) {
	var row struct {
		State   scheduler.RunState `db:"state"`
		Planned sql.NullInt64      `db:"planned_at"`
	}
	err = tx.GetContext(ctx, &row, "SELECT state, planned_at FROM runs WHERE run_id = $1", id)
	if errors.Is(err, sql.ErrNoRows) {
		return false, ErrNoRun
	}
	if err != nil {
		return false, err
	}
	if to == scheduler.Running && !row.Planned.Valid {
		to = scheduler.Planning // it goes on where its planning stopped
	}
	if row.State == to {
		// What a person pauses no breaker resumes.
		_, err := tx.ExecContext(ctx, "UPDATE runs SET paused_by = '', why = $2 WHERE run_id = $1 AND state = 'paused' AND paused_by <> ''", id, why)
		return false, err
	}
	if !row.State.CanBecome(to) {
		return false, &StateError{fmt.Sprintf("it is %s and cannot %s", row.State, goes(to))}
	}
	var finished any
	if !to.Open() {
		finished = now
	}
	moved, err = changed(tx.ExecContext(ctx, "UPDATE runs SET state = $2, why = $3, finished_at = $4, paused_by = '' WHERE run_id = $1 AND state = $5", id, string(to), why, finished, string(row.State)))
	if err != nil {
		return false, err
	}
	if !moved {
		return false, &StateError{"it changed a moment ago: look again"}
	}
	switch to {
	case scheduler.RunCancelled:
		if _, err := tx.ExecContext(ctx, "UPDATE deliveries SET state = 'cancelled', reason = 'run_cancelled', changed_at = $2 WHERE run_id = $1 AND state = 'queued'", id, now); err != nil {
			return true, err
		}
		err = dropCampaignBreakers(ctx, tx, now)
	case scheduler.Paused:
		err = runNotice(ctx, tx, now, report.NoticeRunPaused, id, "is paused", why, by)
	}
	return true, err
}

// goes names the way into a state, as an operator would.
func goes(to scheduler.RunState) string {
	switch to {
	case scheduler.Paused, scheduler.RunCancelled:
		return "be " + string(to)
	case scheduler.Planning, scheduler.Running:
		return "be resumed"
	}
	return "become " + string(to)
}

// Active returns the runs of a number that are planning or running, the highest priority first; none while everything is halted or in
// quarantine.
// Those that an open breaker stops pause.
func (s *Store) Active(ctx context.Context, numberID string) ([]sender.Run, error) {
	for {
		active, open, err := s.active(ctx, numberID)
		if err != nil {
			return nil, err
		}
		stopped := slices.ContainsFunc(active, func(run sender.Run) bool { _, stops := stopping(open, run); return stops })
		if !stopped {
			return active, nil
		}
		if err := s.PauseStopped(ctx); err != nil {
			return nil, err
		}
	}
}

func (s *Store) active(ctx context.Context, numberID string) ([]sender.Run, []sender.Breaker, error) {
	var rows []struct {
		runRow
		Breakers int `db:"breakers"`
	}
	err := s.read.SelectContext(ctx, &rows, "SELECT "+runColumns+`, (SELECT count(*) FROM breakers b WHERE b.closed_at IS NULL) AS breakers
		FROM runs WHERE state IN ('planning', 'running') AND number_id = $1
		AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.halted_at IS NOT NULL OR i.quarantined_at IS NOT NULL) ORDER BY priority DESC, fire_at, run_id`, numberID)
	if err != nil {
		return nil, nil, fmt.Errorf("reading runs: %w", err)
	}
	active := make([]sender.Run, len(rows))
	for i, row := range rows {
		run, err := row.run()
		if err != nil {
			return nil, nil, err
		}
		run.Frozen.Rules.Locations, run.Frozen.Rules.Lots = s.locations, s.lots
		active[i] = run.ForSender()
	}
	if len(rows) == 0 || rows[0].Breakers == 0 {
		return active, nil, nil
	}
	open, err := s.Breakers(ctx)
	return active, open, err
}

// Finish closes the run when no row of it is queued or sending. done tells whether the run is over; nextDue is when its
// next deferred row is due, zero when none waits for a time.
func (s *Store) Finish(ctx context.Context, runID string) (done bool, nextDue time.Time, err error) {
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		done, nextDue = false, time.Time{}
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		var row struct {
			State   scheduler.RunState `db:"state"`
			Planned sql.NullInt64      `db:"planned_at"`
		}
		if err := tx.GetContext(ctx, &row, "SELECT state, planned_at FROM runs WHERE run_id = $1", runID); err != nil {
			return err
		}
		if !row.State.Open() {
			done = true
			return nil
		}
		if row.State != scheduler.Running || !row.Planned.Valid {
			return nil
		}
		var left int
		if err := tx.GetContext(ctx, &left, "SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE run_id = $1 AND state IN ('queued', 'sending') LIMIT 1) AS x", runID); err != nil {
			return err
		}
		if left == 0 {
			done = true
			return moveRun(ctx, tx, now, runID, scheduler.Done, "")
		}
		var due sql.NullInt64
		if err := tx.GetContext(ctx, &due, "SELECT MIN(due_at) FROM deliveries WHERE run_id = $1 AND due_at IS NOT NULL AND state = 'queued'", runID); err != nil {
			return err
		}
		nextDue = whenever(due)
		return nil
	})
	if err != nil {
		return false, time.Time{}, fmt.Errorf("finishing run %s: %w", runID, err)
	}
	return done, nextDue, nil
}

// Halt stops everything, in every process, until Unhalt; it survives restarts. Halted again, the first time and the last
// reason hold. It returns how many runs it holds.
func (s *Store) Halt(ctx context.Context, why string) (int, error) {
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		halted, err := changed(tx.ExecContext(ctx, "UPDATE instance SET halted_at = $1, halted_why = $2 WHERE halted_at IS NULL", now, why))
		if err == nil && !halted {
			_, err = tx.ExecContext(ctx, "UPDATE instance SET halted_why = $1", why)
		}
		if err != nil || !halted {
			return err
		}
		return notice(ctx, tx, now, report.NoticeHalted, report.NoticeData{Sentence: sentence("All sending is halted", why), Reason: why})
	})
	if err != nil {
		return 0, fmt.Errorf("halting: %w", err)
	}
	open, err := s.OpenRuns(ctx, "")
	return len(open), err
}

// Unhalt takes a halt back; it reports whether there was one.
func (s *Store) Unhalt(ctx context.Context) (was bool, err error) {
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if was, err = changed(tx.ExecContext(ctx, "UPDATE instance SET halted_at = NULL, halted_why = NULL WHERE halted_at IS NOT NULL")); err != nil || !was {
			return err
		}
		return notice(ctx, tx, now, report.NoticeResumed, report.NoticeData{Sentence: "The halt is taken back: sending goes on."})
	})
	if err != nil {
		return false, fmt.Errorf("resuming: %w", err)
	}
	return was, nil
}

// Halted reports since when everything is halted, and why; the zero time when it is not.
func (s *Store) Halted(ctx context.Context) (time.Time, string, error) {
	var row struct {
		At  sql.NullInt64  `db:"halted_at"`
		Why sql.NullString `db:"halted_why"`
	}
	if err := s.read.GetContext(ctx, &row, "SELECT halted_at, halted_why FROM instance LIMIT 1"); err != nil {
		return time.Time{}, "", fmt.Errorf("reading the halt: %w", err)
	}
	return whenever(row.At), row.Why.String, nil
}
