package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/permesso/permesso/scheduler"
)

// Now reads the database's clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the clock: %w", err)
	}
	return now.time(), nil
}

// Marks returns how far each campaign's schedule has been judged.
func (s *Store) Marks(ctx context.Context) (map[string]scheduler.Mark, error) {
	var rows []struct {
		CampaignID string  `db:"campaign_id"`
		Spec       string  `db:"spec"`
		Since      instant `db:"since"`
	}
	if err := s.read.SelectContext(ctx, &rows, "SELECT campaign_id, spec, since FROM schedules"); err != nil {
		return nil, fmt.Errorf("reading the marks of the schedules: %w", err)
	}
	marks := make(map[string]scheduler.Mark, len(rows))
	for _, row := range rows {
		marks[row.CampaignID] = scheduler.Mark{Spec: row.Spec, Since: row.Since.time()}
	}
	return marks, nil
}

// MoveMark moves a campaign's mark from where the caller read it, the zero Mark being none. moved is false, and nothing
// changes, when it stands elsewhere by now.
func (s *Store) MoveMark(ctx context.Context, campaignID string, from, to scheduler.Mark) (moved bool, err error) {
	if from == (scheduler.Mark{}) {
		moved, err = changed(s.write.ExecContext(ctx, `INSERT INTO schedules (campaign_id, spec, since, updated_at) VALUES ($1, $2, $3, $3)
			ON CONFLICT (campaign_id) DO NOTHING`, campaignID, to.Spec, at(to.Since)))
	} else {
		moved, err = changed(s.write.ExecContext(ctx, "UPDATE schedules SET spec = $2, since = $3, updated_at = CASE WHEN spec = $2 THEN updated_at ELSE $3 END "+
			"WHERE campaign_id = $1 AND spec = $4 AND since = $5", campaignID, to.Spec, at(to.Since), from.Spec, at(from.Since)))
	}
	if err != nil {
		return false, fmt.Errorf("moving the mark of campaign %s: %w", campaignID, err)
	}
	s.deeds.Add(1)
	return moved, nil
}

// Former tells which run of the campaign's schedule is still open, and when the last one that is over ended. Runs by
// hand, tests, missed slots and the run of the occurrence itself do not count.
func (s *Store) Former(ctx context.Context, campaignID, occurrence string) (scheduler.Former, error) {
	var row struct {
		Open  sql.NullString `db:"open"`
		Ended sql.NullInt64  `db:"ended"`
	}
	err := s.read.GetContext(ctx, &row, `SELECT MIN(CASE WHEN state IN ('planning', 'waiting', 'running', 'paused') THEN run_id END) AS open,
		MAX(CASE WHEN state IN ('done', 'cancelled') THEN finished_at END) AS ended
		FROM runs WHERE campaign_id = $1 AND occurrence <> $2 AND manual = 0 AND test = 0`, campaignID, occurrence)
	if err != nil {
		return scheduler.Former{}, fmt.Errorf("reading the former runs of campaign %s: %w", campaignID, err)
	}
	return scheduler.Former{Open: row.Open.String, Ended: whenever(row.Ended)}, nil
}
