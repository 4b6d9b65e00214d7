package store

import (
	"context"
	"fmt"

	"github.com/permesso/permesso/policy"
)

// LostTo counts, by campaign, to whose messages a run lost the people whom a frequency cap refused it: who had the last slot of
// theirs. It never is nil. Those to whom no campaign's message is to blame are in no count.
func (s *Store) LostTo(ctx context.Context, runID string) (map[string]int, error) {
	run, err := s.Run(ctx, runID)
	if err != nil {
		return nil, err
	}
	lost, after := map[string]int{}, policy.PersonID{}
	asked := policy.Send{Kind: run.Kind, Category: run.Category, Campaign: run.CampaignID}
	for {
		var rows []struct {
			PersonID []byte  `db:"person_id"`
			At       instant `db:"at"`
		}
		if err := s.read.SelectContext(ctx, &rows, `SELECT d.person_id, COALESCE(d.changed_at, d.queued_at) AS at FROM deliveries d
			WHERE d.run_id = $1 AND d.person_id > $2 AND d.reason = 'frequency_cap' AND d.state IN ('skipped', 'expired')
			ORDER BY d.person_id LIMIT $3`, runID, after[:], pageRows); err != nil {
			return nil, fmt.Errorf("reading whom run %s lost: %w", runID, err)
		}
		if len(rows) == 0 {
			return lost, nil
		}
		people, since, b := make(map[policy.PersonID]*policy.Person, len(rows)), rows[0].At, s.dialect.newBatch()
		for _, row := range rows {
			people[policy.PersonID(row.PersonID)] = &policy.Person{}
			since = min(since, row.At)
			b.row().bytes(row.PersonID)
		}
		if err := s.readSends(ctx, s.read, &b, since.time().Add(-longestCap(run.Frozen.Rules)), people); err != nil {
			return nil, fmt.Errorf("reading to whom run %s lost: %w", runID, err)
		}
		for _, row := range rows {
			asked.At = row.At.time()
			if took, ok := policy.TookSlot(run.Frozen.Rules, asked, people[policy.PersonID(row.PersonID)].Sends); ok {
				lost[took.Campaign]++
			}
		}
		after = policy.PersonID(rows[len(rows)-1].PersonID)
	}
}
