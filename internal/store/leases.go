package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/sender"
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
// process that gated them died, or could not store what became of them. Their fate is told by webhooks alone. It looks for them
// without writing: that walks whole runs, and on SQLite no gate and no stop could be stored meanwhile.
func (s *Store) Settle(ctx context.Context, numberID string, age time.Duration) (settled int, err error) {
	lost, err := s.lostInSending(ctx, numberID, age)
	if err != nil {
		return 0, fmt.Errorf("looking for lost deliveries of number %s: %w", numberID, err)
	}
	for chunk := range slices.Chunk(lost, recordsPerStatement) {
		b := s.dialect.newBatch()
		for _, r := range chunk {
			b.row().str(r.RunID).bytes(r.PersonID).str(string(sender.Sending)).bytes(r.AttemptID)
		}
		var moved int64
		err := s.inTx(ctx, func(tx *sqlx.Tx) error {
			now, err := s.dialect.now(ctx, tx)
			if err != nil {
				return err
			}
			if _, err := s.queries.addUnsettled.exec(ctx, tx, &b); err != nil {
				return err
			}
			done, err := s.queries.recordUnknown.exec(ctx, tx, &b, now)
			if err != nil {
				return err
			}
			moved, err = done.RowsAffected()
			return err
		})
		if err != nil {
			return settled, fmt.Errorf("settling deliveries of number %s: %w", numberID, err)
		}
		settled += int(moved)
	}
	return settled, nil
}

func (s *Store) lostInSending(ctx context.Context, numberID string, age time.Duration) (lost []deliveryRow, err error) {
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return nil, err
	}
	err = s.read.SelectContext(ctx, &lost, `SELECT d.run_id, d.person_id, d.attempt_id FROM deliveries d WHERE d.state = 'sending' AND d.sending_at <= $2
		AND d.run_id IN (SELECT r.run_id FROM runs r WHERE r.number_id = $1
		AND (r.state IN ('planning', 'running', 'paused') OR r.state = 'cancelled' AND r.finished_at > $3)) ORDER BY d.run_id, d.person_id`,
		numberID, now-instant(age.Microseconds()), now-instant(settleCancelled.Microseconds()))
	return lost, err
}
