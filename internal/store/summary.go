package store

import (
	"context"
	"fmt"
	"math"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// Summary counts what happened in a run; report.Summary says by which rules. Of an id that no run has it returns ErrNoRun.
// The numbers are counted from the rows each time: there is no counter that could be wrong.
func (s *Store) Summary(ctx context.Context, runID string) (report.Summary, error) {
	run, err := s.Run(ctx, runID)
	if err != nil {
		return report.Summary{}, err
	}
	if totals, found, err := s.kept(ctx, runID); err != nil || found {
		return totals, err
	}
	summary := report.Summary{
		Run: run.ID, Campaign: run.CampaignID, FireAt: report.Time{Time: run.FireAt}, StartedAt: report.Time{Time: run.StartedAt}, FinishedAt: report.Time{Time: run.FinishedAt},
		States: map[sender.State]int{}, Reasons: map[policy.Reason]int{}, Waits: map[policy.Reason]int{},
	}
	var counts []struct {
		State   sender.State  `db:"state"`
		Reason  policy.Reason `db:"why"`
		People  int           `db:"people"`
		Replied int           `db:"replied"`
	}
	if err := s.read.SelectContext(ctx, &counts, `SELECT d.state, COALESCE(d.reason, '') AS why, count(*) AS people, count(d.replied_at) AS replied
		FROM deliveries d WHERE d.run_id = $1 GROUP BY d.state, d.reason`, runID); err != nil {
		return report.Summary{}, fmt.Errorf("counting run %s: %w", runID, err)
	}
	for _, c := range counts {
		summary.States[c.State] += c.People
		summary.Replied += c.Replied
		if c.Reason != "" {
			summary.Reasons[c.Reason] += c.People
		}
		if c.Reason != "" && c.State == sender.Queued {
			summary.Waits[c.Reason] += c.People
		}
	}
	if summary.OptedOut, err = s.optedOut(ctx, runID, at(run.StartedAt), 0); err != nil {
		return report.Summary{}, err
	}
	if summary.Rate, err = s.rate(ctx, runID); err != nil {
		return report.Summary{}, err
	}
	summary.Cost, summary.Unpriced, err = s.cost(ctx, run)
	return summary, err
}

// optedOut counts the people of report.Summary.OptedOut. Meta dates an inbound message to the second, so the second in which
// our message left counts; messages from after one moment count alone. It goes page by page from the stops since the run began, which are few, to its rows, which are many.
func (s *Store) optedOut(ctx context.Context, runID string, started, after instant) (int, error) {
	if started == 0 {
		return 0, nil
	}
	counted := map[policy.PersonID]bool{}
	last := suppressionKey{hash: []byte{}}
	for {
		var stops []struct {
			Hash     []byte  `db:"hash"`
			Scope    string  `db:"scope"`
			Origin   string  `db:"origin"`
			PersonID []byte  `db:"person_id"`
			At       instant `db:"at"`
		}
		if err := s.read.SelectContext(ctx, &stops, `SELECT s.hash, s.scope, s.origin, i.person_id, s.at FROM suppressions s JOIN identifiers i ON i.hash = s.hash
			WHERE (s.hash, s.scope, s.origin) > ($1, $2, $3) AND s.origin IN ('keyword', 'button', 'page', 'meta_stop', 'meta_131050')
			AND s.lifted_at <= s.at AND s.at >= $4 ORDER BY s.hash, s.scope, s.origin LIMIT $5`,
			last.hash, last.scope, last.origin, started-started%1_000_000, pageRows); err != nil {
			return 0, fmt.Errorf("reading the opt-outs since run %s: %w", runID, err)
		}
		if len(stops) == 0 {
			return len(counted), nil
		}
		b := s.dialect.newBatch()
		for _, stop := range stops {
			b.row().str(runID).bytes(stop.PersonID).num(int64(stop.At))
		}
		var people [][]byte
		if err := s.queries.optedOut.read(ctx, s.read, &people, &b, after); err != nil {
			return 0, fmt.Errorf("counting the opt-outs of run %s: %w", runID, err)
		}
		for _, person := range people {
			counted[policy.PersonID(person)] = true
		}
		end := stops[len(stops)-1]
		last = suppressionKey{end.Hash, end.Scope, end.Origin}
	}
}

// rate goes by tenths of a second: seconds of the clock would cut a short run in two, and halve its rate.
func (s *Store) rate(ctx context.Context, runID string) (report.Rate, error) {
	var row struct {
		Messages int     `db:"messages"`
		Busiest  int     `db:"busiest"`
		First    instant `db:"first_at"`
		Last     instant `db:"last_at"`
	}
	if err := s.read.GetContext(ctx, &row, `SELECT CAST(COALESCE(SUM(x.n), 0) AS BIGINT) AS messages, CAST(COALESCE(MAX(x.busy), 0) AS BIGINT) AS busiest,
		COALESCE(MIN(x.first_at), 0) AS first_at, COALESCE(MAX(x.last_at), 0) AS last_at FROM
		(SELECT b.n, b.first_at, b.last_at, SUM(b.n) OVER (ORDER BY b.tick RANGE BETWEEN 9 PRECEDING AND CURRENT ROW) AS busy FROM
		(SELECT d.sending_at / 100000 AS tick, count(*) AS n, MIN(d.sending_at) AS first_at, MAX(d.sending_at) AS last_at
		FROM deliveries d WHERE d.run_id = $1 AND d.sending_at IS NOT NULL GROUP BY d.sending_at / 100000) AS b) AS x`, runID); err != nil {
		return report.Rate{}, fmt.Errorf("measuring the rate of run %s: %w", runID, err)
	}
	const second = 1_000_000
	span := float64(row.Last-row.First) / second
	if span < 1 {
		return report.Rate{Mean: float64(row.Messages), Max: row.Messages}, nil
	}
	// A span of n gaps has n+1 messages in it, so that a steady pace would come out above itself.
	mean := min(float64(row.Messages)/span, float64(row.Busiest))
	return report.Rate{Mean: math.Round(mean*100) / 100, Max: row.Busiest}, nil
}

// Progress counts where the rows of a run stand, for a progress bar: one pass over the run's part of the primary key. Of one whose
// deliveries are deleted it is where they stood.
func (s *Store) Progress(ctx context.Context, runID string) (report.Progress, error) {
	if totals, found, err := s.kept(ctx, runID); err != nil || found {
		return report.Progress{States: totals.States}, err
	}
	var rows []struct {
		State  sender.State `db:"state"`
		People int          `db:"people"`
	}
	if err := s.read.SelectContext(ctx, &rows, "SELECT d.state, count(*) AS people FROM deliveries d WHERE d.run_id = $1 GROUP BY d.state", runID); err != nil {
		return report.Progress{}, fmt.Errorf("counting run %s: %w", runID, err)
	}
	progress := report.Progress{States: make(map[sender.State]int, len(rows))}
	for _, r := range rows {
		progress.States[r.State] = r.People
	}
	return progress, nil
}
