package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// A run with a budget has a row of budgets, which its gates add to in the transactions that write sending. It is the one counter
// of the store: a sum over the rows of a run would cost more with each message. The row is written last, so that two gates of a
// run wait for each other only while they commit.

// errOverspent says that another gate spent meanwhile what this one took to be left.
var errOverspent = fmt.Errorf("%w: the budget was spent meanwhile", errNotQueued)

// openBudget gives a run its row.
func openBudget(ctx context.Context, tx *sqlx.Tx, run *scheduler.Run) error {
	if run.Frozen.Campaign.Budget == nil || run.Test {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO budgets (run_id) VALUES ($1)", run.ID); err != nil {
		return fmt.Errorf("opening the budget: %w", err)
	}
	return nil
}

// readSpent reads what a run with a budget has spent. A gate that looks takes the row first, so that nothing is spent meanwhile.
func (s *Store) readSpent(ctx context.Context, tx *sqlx.Tx, run sender.Run, t trust, f *gateFacts) error {
	if run.Ask.Budget == nil || run.Ask.Test {
		return nil
	}
	if t == look {
		if _, err := tx.ExecContext(ctx, "UPDATE budgets SET spent = spent WHERE run_id = $1", run.ID); err != nil {
			return fmt.Errorf("taking the budget: %w", err)
		}
	}
	err := tx.GetContext(ctx, &f.spent, "SELECT spent FROM budgets WHERE run_id = $1", run.ID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil // policy refuses without it
	case err != nil:
		return fmt.Errorf("reading the budget: %w", err)
	}
	f.spentRead = true
	return nil
}

// listed is the list price of a row that the gate lets through.
type listed struct {
	price policy.Micros
	known bool
	kind  policy.Kind
}

// add appends the columns of a row that leaves; with booked the run's budget holds the price.
func (l listed) add(row *batch, booked bool) {
	price := func(write bool) {
		if !write {
			row.null()
			return
		}
		row.num(int64(l.price))
	}
	price(l.known)
	row.strOrNull(string(l.kind))
	price(l.known && booked)
}

// spend adds the prices of the rows that leave to what the run has spent, and never more than its budget.
func spend(ctx context.Context, tx *sqlx.Tx, run sender.Run, leaving policy.Micros) error {
	if run.Ask.Budget == nil || run.Ask.Test || leaving == 0 {
		return nil
	}
	spent, err := changed(tx.ExecContext(ctx, "UPDATE budgets SET spent = spent + $2 WHERE run_id = $1 AND spent <= $3",
		run.ID, int64(leaving), int64(run.Ask.Budget.Amount-leaving)))
	if err != nil {
		return fmt.Errorf("spending of the budget: %w", err)
	}
	if !spent {
		return errOverspent
	}
	return nil
}

// unspend takes back what messages that went back unsent had booked; the keys are those of the outcomes.
func (s *Store) unspend(ctx context.Context, tx *sqlx.Tx, back *batch) error {
	return s.rebook(ctx, tx, s.queries.backUnspent, s.queries.unbook, back, -1)
}

// respend books what was taken for unsent and proved to be with Meta. It may take the run above its budget by what is out already:
// nothing more leaves then.
func (s *Store) respend(ctx context.Context, tx *sqlx.Tx, changes []*change) error {
	b := s.dialect.newBatch()
	for _, c := range changes {
		if c.was == sender.Queued && c.state != sender.Queued && c.state != sender.Failed {
			b.row().str(c.key.run).bytes(c.key.person[:])
		}
	}
	if b.rows == 0 {
		return nil
	}
	return s.rebook(ctx, tx, s.queries.unbooked, s.queries.book, &b, 1)
}

// rebook changes what deliveries of runs with a budget have booked, and their runs' sums with it.
func (s *Store) rebook(ctx context.Context, tx *sqlx.Tx, find, write statement, keys *batch, sign int64) error {
	var sums []struct {
		RunID string `db:"run_id"`
		Sum   int64  `db:"paid"`
	}
	if err := find.read(ctx, tx, &sums, keys); err != nil {
		return fmt.Errorf("reading what was booked: %w", err)
	}
	if len(sums) == 0 {
		return nil
	}
	if _, err := write.exec(ctx, tx, keys); err != nil {
		return fmt.Errorf("booking messages: %w", err)
	}
	for _, run := range sums {
		if _, err := tx.ExecContext(ctx, "UPDATE budgets SET spent = spent + $2 WHERE run_id = $1", run.RunID, sign*run.Sum); err != nil {
			return fmt.Errorf("correcting the budget: %w", err)
		}
	}
	return nil
}
