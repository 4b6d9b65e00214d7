package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

const breakerColumns = "kind, subject, since, code, why, healing, wait, next_at"

type breakerRow struct {
	Kind    sender.BreakerKind `db:"kind"`
	Subject string             `db:"subject"`
	Since   instant            `db:"since"`
	Code    int                `db:"code"`
	Why     string             `db:"why"`
	Healing sender.Healing     `db:"healing"`
	Wait    int64              `db:"wait"`
	NextAt  instant            `db:"next_at"`
}

func (r breakerRow) breaker() sender.Breaker {
	return sender.Breaker{
		Kind: r.Kind, Subject: r.Subject, Code: r.Code, Why: r.Why, Healing: r.Healing, Wait: time.Duration(r.Wait) * time.Microsecond,
		Since: r.Since.time(), NextAt: r.NextAt.time(),
	}
}

// Breakers lists those that are open, the oldest first.
func (s *Store) Breakers(ctx context.Context) ([]sender.Breaker, error) {
	return openBreakers(ctx, s.read)
}

func openBreakers(ctx context.Context, q sqlx.QueryerContext) ([]sender.Breaker, error) {
	var rows []breakerRow
	if err := sqlx.SelectContext(ctx, q, &rows, "SELECT "+breakerColumns+" FROM breakers WHERE closed_at IS NULL ORDER BY since, kind, subject"); err != nil {
		return nil, fmt.Errorf("reading the breakers: %w", err)
	}
	list := make([]sender.Breaker, len(rows))
	for i, r := range rows {
		list[i] = r.breaker()
	}
	return list, nil
}

// stopping returns the first of the breakers that stops the run.
func stopping(open []sender.Breaker, run sender.Run) (sender.Breaker, bool) {
	i := slices.IndexFunc(open, func(b sender.Breaker) bool { return b.Stops(run) })
	if i < 0 {
		return sender.Breaker{}, false
	}
	return open[i], true
}

// OpenBreaker keeps a breaker and pauses, in the same transaction, every run that it stops. One that is open stays as it is; the
// runs that were made since pause too.
func (s *Store) OpenBreaker(ctx context.Context, b sender.Breaker) error {
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		return s.openBreaker(ctx, tx, now, b)
	})
	if err != nil {
		return fmt.Errorf("opening the breaker of %s: %w", b.Key(), err)
	}
	return nil
}

// reopenWithin is how soon after it closed a breaker that opens has opened again: what healed it was wrong.
const reopenWithin = time.Hour

func (s *Store) openBreaker(ctx context.Context, tx *sqlx.Tx, now instant, b sender.Breaker) error {
	var last struct {
		Times    int           `db:"times"`
		ClosedAt sql.NullInt64 `db:"closed_at"`
	}
	err := tx.GetContext(ctx, &last, "SELECT times, closed_at FROM breakers WHERE kind = $1 AND subject = $2", string(b.Kind), b.Subject)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("reading a breaker: %w", err)
	}
	times := 1
	if last.ClosedAt.Valid && now.time().Sub(instant(last.ClosedAt.Int64).time()) < reopenWithin {
		times += last.Times
	}
	wait := b.WaitAfter(times)
	next := at(now.time().Add(wait))
	if !b.NextAt.IsZero() {
		next = at(b.NextAt)
	}
	since := now
	if !b.Since.IsZero() {
		since = min(at(b.Since), now)
	}
	opened, err := changed(tx.ExecContext(ctx, `INSERT INTO breakers (kind, subject, since, code, why, healing, times, wait, next_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (kind, subject) DO UPDATE SET since = excluded.since, code = excluded.code,
		why = excluded.why, healing = excluded.healing, times = excluded.times, wait = excluded.wait, next_at = excluded.next_at, closed_at = NULL
		WHERE breakers.closed_at IS NOT NULL`,
		string(b.Kind), storable(b.Subject), since, b.Code, storable(b.Why), string(b.Healing), times, wait.Microseconds(), next))
	if err != nil {
		return fmt.Errorf("keeping a breaker: %w", err)
	}
	if opened {
		if err := s.noteOpened(ctx, tx, now, b); err != nil {
			return err
		}
	}
	return s.pauseStopped(ctx, tx, now, []sender.Breaker{b})
}

// noteOpened is what goes with a breaker that was closed.
func (s *Store) noteOpened(ctx context.Context, tx *sqlx.Tx, now instant, b sender.Breaker) error {
	if b.Kind == sender.BreakTemplate {
		// What Meta has of it is read anew before it heals: the catalogue did not foresee this.
		if _, err := tx.ExecContext(ctx, "UPDATE templates SET resync = 1 WHERE name = $1", templateOf(b)); err != nil {
			return fmt.Errorf("marking a template: %w", err)
		}
	}
	if err := breakerNotice(ctx, tx, now, string(b.Kind), b.Subject, true, b.Why); err != nil {
		return err
	}
	return audit(ctx, tx, now, report.Audit{Actor: program, Action: "breaker.open", Subject: b.Key(), Details: b.Why})
}

// pauseStopped pauses the runs under way that one of the breakers stops.
func (s *Store) pauseStopped(ctx context.Context, tx *sqlx.Tx, now instant, open []sender.Breaker) error {
	runs, err := runsIn(ctx, tx, "WHERE state IN ('planning', 'running')")
	if err != nil {
		return err
	}
	for _, run := range runs {
		b, stops := stopping(open, run.ForSender())
		if !stops {
			continue
		}
		if err := moveRun(ctx, tx, now, run.ID, scheduler.Paused, b.Why); err != nil && !errors.Is(err, ErrState) {
			return fmt.Errorf("pausing run %s: %w", run.ID, err)
		}
		if _, err := tx.ExecContext(ctx, "UPDATE runs SET paused_by = $2 WHERE run_id = $1 AND state = 'paused'", run.ID, b.Key()); err != nil {
			return fmt.Errorf("pausing run %s: %w", run.ID, err)
		}
	}
	return nil
}

// runsIn reads runs in a transaction, for what needs no draw and no zones of them.
func runsIn(ctx context.Context, tx *sqlx.Tx, where string, args ...any) ([]scheduler.Run, error) {
	var rows []runRow
	if err := tx.SelectContext(ctx, &rows, "SELECT "+runColumns+" FROM runs "+where, args...); err != nil {
		return nil, fmt.Errorf("reading runs: %w", err)
	}
	runs := make([]scheduler.Run, len(rows))
	for i, row := range rows {
		var err error
		if runs[i], err = row.run(); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// PauseStopped pauses the runs that were made, or resumed, under an open breaker that stops them.
func (s *Store) PauseStopped(ctx context.Context) error {
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		open, err := openBreakers(ctx, tx)
		if err != nil || len(open) == 0 {
			return err
		}
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		return s.pauseStopped(ctx, tx, now, open)
	})
	if err != nil {
		return fmt.Errorf("pausing what a breaker stops: %w", err)
	}
	return nil
}

// CloseBreaker ends a breaker, with how it was healed; the runs that it paused, and no others, go on. One that is closed stays so.
func (s *Store) CloseBreaker(ctx context.Context, b sender.Breaker, how string) error {
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		return s.closeBreaker(ctx, tx, now, b, how)
	})
	if err != nil {
		return fmt.Errorf("closing the breaker of %s: %w", b.Key(), err)
	}
	return nil
}

func (s *Store) closeBreaker(ctx context.Context, tx *sqlx.Tx, now instant, b sender.Breaker, how string) error {
	closed, err := changed(tx.ExecContext(ctx, "UPDATE breakers SET closed_at = $3 WHERE kind = $1 AND subject = $2 AND closed_at IS NULL", string(b.Kind), b.Subject, now))
	if err != nil || !closed {
		return err
	}
	if err := audit(ctx, tx, now, report.Audit{Actor: program, Action: "breaker.close", Subject: b.Key(), Details: how}); err != nil {
		return err
	}
	if err := breakerNotice(ctx, tx, now, string(b.Kind), b.Subject, false, how); err != nil {
		return err
	}
	open, err := openBreakers(ctx, tx)
	if err != nil {
		return err
	}
	runs, err := runsIn(ctx, tx, "WHERE state = 'paused' AND paused_by = $1", b.Key())
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		return nil
	}
	list, _, err := templatesIn(ctx, tx)
	if err != nil {
		return err
	}
	catalogue := templates.NewCatalogue(list)
	for _, run := range runs {
		if err := s.goOn(ctx, tx, now, run, open, catalogue); err != nil {
			return fmt.Errorf("resuming run %s: %w", run.ID, err)
		}
	}
	return nil
}

// goOn resumes a run that a breaker paused, if that still did when it is written. Under another breaker it stays, by that one: also
// when its template was paused meanwhile, which was no matter while nothing of it was under way. One whose template has other
// parameters now waits for a person, since it keeps those that it began with.
func (s *Store) goOn(ctx context.Context, tx *sqlx.Tx, now instant, run scheduler.Run, open []sender.Breaker, catalogue templates.Catalogue) error {
	const still = " WHERE run_id = $1 AND state = 'paused' AND paused_by = $2"
	message := run.Frozen.Campaign.Message
	other, stops := stopping(open, run.ForSender())
	if languages := unsendable(catalogue, message); !stops && len(languages) > 0 {
		other, stops = unfit(catalogue, message.Template, languages[0]), true
		if err := s.openBreaker(ctx, tx, now, other); err != nil {
			return err
		}
	}
	if stops {
		_, err := tx.ExecContext(ctx, "UPDATE runs SET paused_by = $3, why = $4"+still, run.ID, run.PausedBy, other.Key(), storable(other.Why))
		return err
	}
	if differs := templates.Check(catalogue, message); differs != nil {
		_, err := tx.ExecContext(ctx, "UPDATE runs SET paused_by = '', why = $3"+still, run.ID, run.PausedBy, storable(differs.Error()))
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE runs SET state = CASE WHEN planned_at IS NULL THEN 'planning' ELSE 'running' END, why = '', paused_by = ''"+still, run.ID, run.PausedBy)
	return err
}

// overrule closes the breakers that stop a run which a person resumes: they know better. Deafness they cannot overrule, since
// nobody would hear the stops, nor Meta's word on a template, since everybody left would be skipped.
func (s *Store) overrule(ctx context.Context, tx *sqlx.Tx, now instant, id string) error {
	runs, err := runsIn(ctx, tx, "WHERE run_id = $1 AND state = 'paused'", id)
	if err != nil || len(runs) == 0 {
		return err
	}
	run := runs[0].ForSender()
	list, _, err := templatesIn(ctx, tx)
	if err != nil {
		return err
	}
	if catalogue := templates.NewCatalogue(list); len(unsendable(catalogue, run.Message)) > 0 {
		b := unfit(catalogue, run.Message.Template, unsendable(catalogue, run.Message)[0])
		return &StateError{"it cannot be resumed: " + b.Why + "; if Meta has, `permesso templates sync` tells"}
	}
	open, err := openBreakers(ctx, tx)
	if err != nil {
		return err
	}
	for _, b := range open {
		switch {
		case !b.Stops(run):
		case b.Kind == sender.BreakDeaf:
			return &StateError{"it cannot be resumed: " + b.Why}
		default:
			if err := s.closeBreaker(ctx, tx, now, b, "run "+id+" was resumed by hand"); err != nil {
				return err
			}
			if b.OfGuard() {
				if _, err := tx.ExecContext(ctx, "UPDATE runs SET guard_from = $2 WHERE campaign_id = $1 AND watch_at IS NOT NULL AND state IN ('planning', 'running', 'paused')", b.Subject, now); err != nil {
					return fmt.Errorf("noting from when the guard judges: %w", err)
				}
			}
		}
	}
	return nil
}

// dropCampaignBreakers closes those of campaigns whose last paused run was cancelled: what was wrong with it is gone with it.
func dropCampaignBreakers(ctx context.Context, tx *sqlx.Tx, now instant) error {
	_, err := tx.ExecContext(ctx, `UPDATE breakers SET closed_at = $1 WHERE kind = 'campaign' AND closed_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.state = 'paused' AND r.paused_by = 'campaign ' || breakers.subject)`, now)
	if err != nil {
		return fmt.Errorf("closing the breakers of campaigns: %w", err)
	}
	return nil
}

// ClaimTry reports whether the caller is to try to heal the breaker: it is open, and its time has come, or force says that it
// need not have. The next try, of any process, comes after the breaker's wait.
func (s *Store) ClaimTry(ctx context.Context, b sender.Breaker, force bool) (bool, error) {
	var claimed bool
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		claimed, err = changed(tx.ExecContext(ctx, `UPDATE breakers SET next_at = $3 + wait WHERE kind = $1 AND subject = $2 AND closed_at IS NULL AND (next_at <= $3 OR $4 = 1)`,
			string(b.Kind), b.Subject, now, flag(force)))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("trying the breaker of %s: %w", b.Key(), err)
	}
	return claimed, nil
}
