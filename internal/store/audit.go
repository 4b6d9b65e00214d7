package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/report"
)

// Audit notes what an operator did. subject is a person id, a run or a campaign, and never a phone number: the log outlives
// erasure.
func (s *Store) Audit(ctx context.Context, actor, action, subject, details string) error {
	return s.inTx(ctx, func(tx *sqlx.Tx) error {
		return s.auditNow(ctx, tx, report.Audit{Actor: actor, Action: action, Subject: subject, Details: details})
	})
}

func (s *Store) auditNow(ctx context.Context, tx *sqlx.Tx, entry report.Audit) error {
	now, err := s.dialect.now(ctx, tx)
	if err != nil {
		return fmt.Errorf("writing the audit log: %w", err)
	}
	return audit(ctx, tx, now, entry)
}

func audit(ctx context.Context, tx *sqlx.Tx, now instant, entry report.Audit) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("writing the audit log: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO audit_log (audit_id, at, actor, action, subject, details) VALUES ($1, $2, $3, $4, $5, $6)",
		id.String(), now, storable(entry.Actor), storable(entry.Action), storable(entry.Subject), storable(entry.Details)); err != nil {
		return fmt.Errorf("writing the audit log: %w", err)
	}
	return nil
}

// Audited returns the newest entries of the audit log, the newest first; limit 0 is no limit.
func (s *Store) Audited(ctx context.Context, limit int) ([]report.Audit, error) {
	var rows []struct {
		At      instant `db:"at"`
		Actor   string  `db:"actor"`
		Action  string  `db:"action"`
		Subject string  `db:"subject"`
		Details string  `db:"details"`
	}
	if err := s.read.SelectContext(ctx, &rows, "SELECT at, actor, action, subject, details FROM audit_log ORDER BY audit_id DESC LIMIT $1", unlimited(limit)); err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	entries := make([]report.Audit, len(rows))
	for i, r := range rows {
		entries[i] = report.Audit{At: reached(r.At), Actor: r.Actor, Action: r.Action, Subject: r.Subject, Details: r.Details}
	}
	return entries, nil
}
