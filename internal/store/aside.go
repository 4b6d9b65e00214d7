package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// SetAside ends queued rows of a run as failed, for a reason of this program's own. A row that is not queued stays as it is.
func (s *Store) SetAside(ctx context.Context, runID string, people []policy.PersonID, why string) error {
	people = slices.SortedFunc(slices.Values(people), comparePersons)
	for chunk := range slices.Chunk(people, recordsPerStatement) {
		b := s.dialect.newBatch()
		for _, person := range chunk {
			b.row().str(runID).bytes(person[:]).str(string(sender.Queued)).str(sender.Internal).str(why)
		}
		err := s.inTx(ctx, func(tx *sqlx.Tx) error {
			now, err := s.dialect.now(ctx, tx)
			if err != nil {
				return err
			}
			_, err = s.queries.setAside.exec(ctx, tx, &b, now)
			return err
		})
		if err != nil {
			return fmt.Errorf("setting aside messages of run %s: %w", runID, err)
		}
	}
	return nil
}

// PauseRun pauses one run, with a sentence that says why.
func (s *Store) PauseRun(ctx context.Context, runID, why string) error {
	return s.MoveRun(ctx, runID, scheduler.Paused, why)
}
