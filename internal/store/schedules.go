package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Mark returns since when a campaign's schedule has been judged. A campaign seen for the first time, or with another
// schedule than before, is marked now: it never fires for the past.
func (s *Store) Mark(ctx context.Context, campaignID, spec string, now time.Time) (since time.Time, err error) {
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		var row struct {
			Spec  string  `db:"spec"`
			Since instant `db:"since"`
		}
		err := tx.GetContext(ctx, &row, "SELECT spec, since FROM schedules WHERE campaign_id = $1", campaignID)
		if err == nil && row.Spec == spec {
			since = row.Since.time()
			return nil
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		since = now
		_, err = tx.ExecContext(ctx, `INSERT INTO schedules (campaign_id, spec, since, updated_at) VALUES ($1, $2, $3, $3)
			ON CONFLICT (campaign_id) DO UPDATE SET spec = excluded.spec, since = excluded.since, updated_at = excluded.updated_at`, campaignID, spec, at(now))
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the mark of campaign %s: %w", campaignID, err)
	}
	return since, nil
}

// Advance moves a campaign's mark on to the last slot that was judged; it never moves back.
func (s *Store) Advance(ctx context.Context, campaignID string, to time.Time) error {
	if _, err := s.write.ExecContext(ctx, "UPDATE schedules SET since = $2 WHERE campaign_id = $1 AND since < $2", campaignID, at(to)); err != nil {
		return fmt.Errorf("moving the mark of campaign %s: %w", campaignID, err)
	}
	return nil
}
