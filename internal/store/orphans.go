package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/sender"
)

// noteOrphans keeps reports of messages that carry this installation's mark, and that no delivery and no past attempt is on
// record for: the database is an older copy of the one that sent them, or another one sends in its name. The first such report
// of an attempt that must be on record puts the database into quarantine, in the same transaction.
func (s *Store) noteOrphans(ctx context.Context, tx *sqlx.Tx, now instant, strangers []heard) error {
	ours, byAttempt := s.dialect.newBatch(), map[sender.AttemptID]heard{}
	for _, h := range strangers {
		if h.attempt == nil {
			continue
		}
		if _, twice := byAttempt[*h.attempt]; !twice {
			ours.row().bytes(h.attempt[:])
		}
		byAttempt[*h.attempt] = h
	}
	if ours.rows == 0 {
		return nil
	}
	var issued [][]byte
	if err := s.queries.issued.read(ctx, tx, &issued, &ours); err != nil {
		return fmt.Errorf("finding attempts: %w", err)
	}
	for _, id := range issued {
		delete(byAttempt, sender.AttemptID(id))
	}
	if len(byAttempt) == 0 {
		return nil
	}
	var since instant
	if err := tx.GetContext(ctx, &since, "SELECT attempts_since FROM instance"); err != nil {
		return fmt.Errorf("reading since when attempts are on record: %w", err)
	}
	b, proofs := s.dialect.newBatch(), 0
	for id, h := range byAttempt {
		b.row().bytes(id[:]).str(h.wamid).str(string(h.state))
		if attemptedAt(id).After(since.time()) {
			proofs++
		}
	}
	if _, err := s.queries.addOrphans.exec(ctx, tx, &b, now); err != nil {
		return fmt.Errorf("keeping reports of unknown messages: %w", err)
	}
	if proofs == 0 {
		return nil
	}
	return isolate(ctx, tx, now, Orphans, "WhatsApp reports messages of this installation that this database does not know: it is an older copy, or another one sends in its name")
}

// attemptedAt is when an attempt was made, by the clock of the process that made it: its id begins with it.
func attemptedAt(id sender.AttemptID) time.Time {
	var stamp [8]byte
	copy(stamp[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(stamp[:])))
}
