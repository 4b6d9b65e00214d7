package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// early is what is kept of a webhook that is about a message whose id is not known yet: a status, or a stop.
type early struct {
	sender.Status
	Act *policy.Act `json:"act,omitempty"`
}

// keepEarlyActs keeps stops that name their person by a message of ours alone, when that message is not known yet: its
// answer was lost, or is a moment away. They are in force for the identifiers that they came with; for those of the person
// to whom the message went they are as soon as it is known whom that is (applyEarly).
func (s *Store) keepEarlyActs(ctx context.Context, tx *sqlx.Tx, now instant, acts []policy.Act) error {
	b := s.dialect.newBatch()
	for _, act := range acts {
		if act.Identity.Phone != "" || act.ContextWAMID == "" || act.Kind != policy.ActStop && act.Kind != policy.ActReview {
			continue
		}
		var known bool
		if err := tx.GetContext(ctx, &known, "SELECT EXISTS (SELECT 1 FROM messages WHERE wamid = $1)", act.ContextWAMID); err != nil {
			return fmt.Errorf("finding the message that was answered: %w", err)
		}
		if known {
			continue
		}
		text, err := json.Marshal(early{Act: &act})
		if err != nil {
			return fmt.Errorf("keeping an early stop: %w", err)
		}
		// The place of a status's state: no two acts of one second and message are one.
		b.row().str(act.ContextWAMID).str(fmt.Sprintf("%s %s %s %s", act.Kind, act.Scope, act.Origin, act.Identity.UserID)).num(int64(at(act.At))).str(string(text))
	}
	if b.rows == 0 {
		return nil
	}
	if _, err := s.queries.keepEarly.exec(ctx, tx, &b, now); err != nil {
		return fmt.Errorf("keeping early stops: %w", err)
	}
	return nil
}
