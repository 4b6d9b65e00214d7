package store

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/ledger"
	"github.com/permesso/permesso/policy"
)

// ChainOld puts the events of before there were chains into one, some at a time, and returns how many those were. What they said until
// then nothing proves.
func (s *Store) ChainOld(ctx context.Context) (chained int, err error) {
	state, err := s.LedgerState(ctx, ledger.KeyID{})
	if err != nil || !state.Awaited {
		return 0, err
	}
	for {
		var n int
		err := s.inTx(ctx, func(tx *sqlx.Tx) error {
			n, err = s.chainOld(ctx, tx)
			return err
		})
		if err != nil {
			return chained, fmt.Errorf("chaining consents of before there were chains: %w", err)
		}
		if chained += n; n == 0 {
			return chained, nil
		}
	}
}

func (s *Store) chainOld(ctx context.Context, tx *sqlx.Tx) (int, error) {
	var rows []struct {
		PersonID []byte        `db:"person_id"`
		Category string        `db:"category"`
		At       int64         `db:"at"`
		ID       []byte        `db:"event_id"`
		Action   policy.Action `db:"action"`
		Source   string        `db:"source"`
		Wording  []byte        `db:"wording_hash"`
		Evidence string        `db:"evidence"`
		Actor    string        `db:"actor"`
		Recorded int64         `db:"recorded_at"`
	}
	if err := tx.SelectContext(ctx, &rows, `SELECT person_id, category, at, event_id, action, source, wording_hash, evidence, actor, recorded_at
		FROM consents WHERE event IS NULL LIMIT $1`, recordsPerStatement); err != nil {
		return 0, err
	}
	if len(rows) == 0 {
		_, err := tx.ExecContext(ctx, "UPDATE instance SET unchained = 0")
		return 0, err
	}
	key, err := s.ledgerKey(ctx)
	if err != nil {
		return 0, err
	}
	chain, err := s.holdChain(ctx, tx, key)
	if err != nil {
		return 0, err
	}
	chain.salts = random(ledger.SaltSize * len(rows))
	b := s.dialect.newBatch()
	for _, r := range rows {
		entry := ledger.Entry{
			Person: policy.PersonID(r.PersonID), At: r.At, RecordedAt: r.Recorded, Category: r.Category, Action: r.Action, Source: r.Source, Actor: r.Actor, Wording: r.Wording,
		}
		salt := chain.next(&entry, ledger.Personal{Evidence: r.Evidence})
		b.row().bytes(r.PersonID).str(r.Category).num(r.At).bytes(r.ID).num(int64(entry.Event)).bytes(chain.link[:]).bytes(salt)
	}
	done, err := s.queries.chainOld.exec(ctx, tx, &b)
	if err != nil {
		return 0, err
	}
	if n, err := done.RowsAffected(); err != nil || int(n) != len(rows) {
		return 0, errOvertaken // another process chains them
	}
	s.appended.Add(1)
	return len(rows), chain.keep(ctx, tx)
}
