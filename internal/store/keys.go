package store

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/report"
)

var (
	// ErrNoKey says that there is no key of that name.
	ErrNoKey = errcode.With(errors.New("there is no such key: `permesso keys list` shows them"), errcode.NoSuchKey)
	// ErrKeyThere says that a key had the name already. A name stays taken when its key is revoked: the ledger names it.
	ErrKeyThere = errcode.With(errors.New("a key has, or had, this name: take another one, since the ledger says by name who recorded what"), errcode.KeyThere)
)

const keyColumns = "name, hash, scopes, created_at, created_by, expires_at, last_used_at, revoked_at"

type keyRow struct {
	Name      string        `db:"name"`
	Hash      []byte        `db:"hash"`
	Scopes    string        `db:"scopes"`
	CreatedAt instant       `db:"created_at"`
	CreatedBy string        `db:"created_by"`
	ExpiresAt sql.NullInt64 `db:"expires_at"`
	LastUsed  sql.NullInt64 `db:"last_used_at"`
	RevokedAt sql.NullInt64 `db:"revoked_at"`
}

func (r keyRow) key() report.Key {
	when := func(n sql.NullInt64) report.Time { return report.Time{Time: whenever(n)} }
	key := report.Key{
		Name: r.Name, CreatedAt: reached(r.CreatedAt), CreatedBy: r.CreatedBy, ExpiresAt: when(r.ExpiresAt), LastUsed: when(r.LastUsed), RevokedAt: when(r.RevokedAt),
		Scopes: []report.Scope{},
	}
	for _, scope := range split(r.Scopes) {
		key.Scopes = append(key.Scopes, report.Scope(scope))
	}
	return key
}

// CreateKey keeps a new key, of which it gets the SHA-256 alone, with the name, scopes, maker and, unless it holds for ever, end that
// key gives. It returns the key as it stands; ErrKeyThere.
func (s *Store) CreateKey(ctx context.Context, key report.Key, hash [32]byte) (report.Key, error) {
	scopes := make([]string, len(key.Scopes))
	for i, scope := range key.Scopes {
		scopes[i] = string(scope)
	}
	row := keyRow{Name: key.Name, Hash: hash[:], Scopes: strings.Join(scopes, ";"), CreatedBy: storable(key.CreatedBy), ExpiresAt: sql.NullInt64{Int64: int64(at(key.ExpiresAt.Time)), Valid: !key.ExpiresAt.IsZero()}}
	err := s.inTx(ctx, func(tx *sqlx.Tx) (err error) {
		if row.CreatedAt, err = s.dialect.now(ctx, tx); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, "INSERT INTO api_keys (name, hash, scopes, created_at, created_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING",
			row.Name, row.Hash, row.Scopes, row.CreatedAt, row.CreatedBy, row.ExpiresAt)
		if err != nil {
			return err
		}
		if written, err := done.RowsAffected(); err != nil || written == 0 {
			return errors.Join(err, ErrKeyThere)
		}
		return audit(ctx, tx, row.CreatedAt, report.Audit{Actor: row.CreatedBy, Action: "keys.create", Subject: row.Name, Details: "scopes " + strings.Join(scopes, ", ")})
	})
	if errors.Is(err, ErrKeyThere) {
		return report.Key{}, ErrKeyThere
	}
	if err != nil {
		return report.Key{}, fmt.Errorf("creating the key %s: %w", key.Name, err)
	}
	return row.key(), nil
}

// Keys lists the keys by name, those that were revoked among them.
func (s *Store) Keys(ctx context.Context) ([]report.Key, error) {
	var rows []keyRow
	if err := s.read.SelectContext(ctx, &rows, "SELECT "+keyColumns+" FROM api_keys ORDER BY name"); err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	keys := make([]report.Key, len(rows))
	for i, r := range rows {
		keys[i] = r.key()
	}
	return keys, nil
}

// RevokeKey closes a key for good: no request that comes in after it returns is taken. One that was revoked stays as it was. ErrNoKey.
func (s *Store) RevokeKey(ctx context.Context, name, actor string) (report.Key, error) {
	var row keyRow
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, "UPDATE api_keys SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL", name, now)
		if err != nil {
			return err
		}
		written, err := done.RowsAffected()
		if err != nil {
			return err
		}
		if written > 0 {
			if err := audit(ctx, tx, now, report.Audit{Actor: actor, Action: "keys.revoke", Subject: name}); err != nil {
				return err
			}
		}
		return tx.GetContext(ctx, &row, "SELECT "+keyColumns+" FROM api_keys WHERE name = $1", name)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return report.Key{}, ErrNoKey
	case err != nil:
		return report.Key{}, fmt.Errorf("revoking the key %s: %w", name, err)
	}
	return row.key(), nil
}

// KeyOf returns the key with a SHA-256, revoked ones too, as it stands now: nothing is remembered from an earlier call.
func (s *Store) KeyOf(ctx context.Context, hash [32]byte) (key report.Key, found bool, err error) {
	var row keyRow
	err = s.read.GetContext(ctx, &row, "SELECT "+keyColumns+" FROM api_keys WHERE hash = $1", hash[:])
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return report.Key{}, false, nil
	case err != nil:
		return report.Key{}, false, fmt.Errorf("looking up a key: %w", err)
	}
	return row.key(), subtle.ConstantTimeCompare(row.Hash, hash[:]) == 1, nil
}

// KeyUsed notes that a key was used, once an hour: it is for finding keys that nobody uses.
func (s *Store) KeyUsed(ctx context.Context, key report.Key, now time.Time) error {
	if now.Sub(key.LastUsed.Time) < time.Hour {
		return nil
	}
	if err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE api_keys SET last_used_at = $2 WHERE name = $1 AND COALESCE(last_used_at, 0) < $2", key.Name, at(now.Truncate(time.Hour)))
		return err
	}); err != nil {
		return fmt.Errorf("noting the use of a key: %w", err)
	}
	return nil
}
