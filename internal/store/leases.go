package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Hold takes or renews a number's lease for span, by the database's clock. taken is true when it was not holder's before.
func (s *Store) Hold(ctx context.Context, numberID, holder string, span time.Duration) (held, taken bool, err error) {
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		held, taken = false, false
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		until := now + instant(span.Microseconds())
		renewed, err := changed(tx.ExecContext(ctx, "UPDATE leases SET until = $3 WHERE number_id = $1 AND holder = $2 AND until > $4", numberID, holder, until, now))
		if err != nil || renewed {
			held = renewed
			return err
		}
		taken, err = changed(tx.ExecContext(ctx, `INSERT INTO leases (number_id, holder, until) VALUES ($1, $2, $3)
			ON CONFLICT (number_id) DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE leases.until <= $4`, numberID, holder, until, now))
		held = taken
		return err
	})
	if err != nil {
		return false, false, fmt.Errorf("holding the lease of number %s: %w", numberID, err)
	}
	return held, taken, nil
}

// Release gives a lease up, so that the next process need not wait for its end.
func (s *Store) Release(ctx context.Context, numberID, holder string) error {
	if _, err := s.write.ExecContext(ctx, "DELETE FROM leases WHERE number_id = $1 AND holder = $2", numberID, holder); err != nil {
		return fmt.Errorf("releasing the lease of number %s: %w", numberID, err)
	}
	return nil
}

// Holder returns who holds a number's lease now; "" when nobody does.
func (s *Store) Holder(ctx context.Context, numberID string) (string, error) {
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return "", fmt.Errorf("reading the clock: %w", err)
	}
	var holders []string
	if err := s.read.SelectContext(ctx, &holders, "SELECT holder FROM leases WHERE number_id = $1 AND until > $2", numberID, now); err != nil {
		return "", fmt.Errorf("reading the lease of number %s: %w", numberID, err)
	}
	if len(holders) == 0 {
		return "", nil
	}
	return holders[0], nil
}

// settleCancelled is how long after its end a cancelled run's last rows in flight are still looked for.
const settleCancelled = 24 * time.Hour

// LeaseUntil returns when a number's lease ends, by the database's clock; zero when nobody holds it.
func (s *Store) LeaseUntil(ctx context.Context, numberID string) (time.Time, error) {
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the clock: %w", err)
	}
	var until []instant
	if err := s.read.SelectContext(ctx, &until, "SELECT until FROM leases WHERE number_id = $1 AND until > $2", numberID, now); err != nil {
		return time.Time{}, fmt.Errorf("reading the lease of number %s: %w", numberID, err)
	}
	if len(until) == 0 {
		return time.Time{}, nil
	}
	return until[0].time(), nil
}

// Settle turns the rows of a number's open and just cancelled runs that stand in sending since more than age into unknown: the
// process that gated them died, or could not store what became of them. Their fate is told by webhooks alone.
func (s *Store) Settle(ctx context.Context, numberID string, age time.Duration) (int, error) {
	var settled int64
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		const left = ` WHERE state = 'sending' AND sending_at <= $1 AND run_id IN (SELECT r.run_id FROM runs r WHERE r.number_id = $2
			AND (r.state IN ('planning', 'running', 'paused') OR r.state = 'cancelled' AND r.finished_at > $3))`
		args := []any{now - instant(age.Microseconds()), numberID, now - instant(settleCancelled.Microseconds())}
		// Before they move: what is noted here and did not move is let go of when its silence is looked at.
		if _, err := tx.ExecContext(ctx, "INSERT INTO unsettled (attempt_id, run_id, person_id) SELECT attempt_id, run_id, person_id FROM deliveries"+left+
			" AND attempt_id IS NOT NULL ON CONFLICT (attempt_id) DO NOTHING", args...); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, "UPDATE deliveries SET state = 'unknown', changed_at = $4"+left, append(args, now)...)
		if err != nil {
			return err
		}
		settled, err = done.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("settling deliveries of number %s: %w", numberID, err)
	}
	return int(settled), nil
}
