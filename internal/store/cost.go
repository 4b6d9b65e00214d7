package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// pricedRow is a number of messages that cost the same.
type pricedRow struct {
	Billable sql.NullBool   `db:"billable"`
	BilledAs string         `db:"billed_as"`
	ListedAs string         `db:"listed_as"`
	Price    sql.NullInt64  `db:"list_price"`
	Country  sql.NullString `db:"country"`
	Messages int            `db:"messages"`
}

// cost reckons what the messages of a run cost. Without a price list there is none; unpriced counts the messages that Meta bills, or
// may bill, and whose price is not known, and with them there is no sum.
func (s *Store) cost(ctx context.Context, run scheduler.Run) (cost *report.Cost, unpriced int, err error) {
	rates := run.Frozen.Rules.Rates
	if rates == nil || run.State == scheduler.Missed {
		return nil, 0, nil
	}
	rows, err := s.pricedRows(ctx, run.ID)
	if err != nil {
		return nil, 0, err
	}
	sum, tellable := report.Cost{Currency: rates.Currency()}, true
	for _, r := range rows {
		price, known := policy.Micros(r.Price.Int64), r.Price.Valid
		if billed := policy.BilledKind(r.BilledAs); billed != "" && billed != policy.Kind(r.ListedAs) {
			price, known = rates.Price(r.Country.String, billed, run.FireAt)
		}
		var billable *bool
		if r.Billable.Valid {
			billable = &r.Billable.Bool
		}
		if !known && (billable == nil || *billable) {
			unpriced += r.Messages
			continue
		}
		tellable = sum.Add(r.Messages, billable, price) && tellable
	}
	if unpriced > 0 || !tellable {
		return nil, unpriced, nil
	}
	return &sum, 0, nil
}

// pricedRows groups the messages of a run that Meta has, or may have. The country, a look-up for each, is read only of those that
// Meta bills as something else than they were priced as.
func (s *Store) pricedRows(ctx context.Context, runID string) ([]pricedRow, error) {
	var rows, others []pricedRow
	const columns = `SELECT d.billable, COALESCE(d.price_category, '') AS billed_as, COALESCE(d.list_category, '') AS listed_as, d.list_price, `
	const otherwise = `COALESCE(CASE WHEN d.price_category = 'marketing_lite' THEN 'marketing' ELSE d.price_category END <> COALESCE(d.list_category, ''), FALSE)`
	if err := s.read.SelectContext(ctx, &rows, columns+`count(*) AS messages FROM deliveries d WHERE d.run_id = $1 AND d.state IN `+counting+` AND NOT `+otherwise+`
		GROUP BY d.billable, d.price_category, d.list_category, d.list_price`, runID); err != nil {
		return nil, fmt.Errorf("reading what run %s costs: %w", runID, err)
	}
	if err := s.read.SelectContext(ctx, &others, columns+`c.country, count(*) AS messages FROM deliveries d LEFT JOIN contacts c ON c.person_id = d.person_id
		WHERE d.run_id = $1 AND d.state IN `+counting+` AND `+otherwise+`
		GROUP BY d.billable, d.price_category, d.list_category, d.list_price, c.country`, runID); err != nil {
		return nil, fmt.Errorf("reading what run %s costs: %w", runID, err)
	}
	return append(rows, others...), nil
}
