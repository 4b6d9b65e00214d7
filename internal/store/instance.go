package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/policy"
)

// loadInstance reads the installation's id and key, making them in a new database.
func (s *Store) loadInstance(ctx context.Context) error {
	// Only the first process writes: a verb that reads must not wait for SQLite's write lock.
	err := s.readInstance(ctx, s.read)
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return s.inTx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO instance (id, hash_key, created_at) VALUES ($1, $2, $3) ON CONFLICT (only_one) DO NOTHING",
			hex.EncodeToString(random(6)), random(32), at(time.Now()))
		if err != nil {
			return fmt.Errorf("writing the instance: %w", err)
		}
		return s.readInstance(ctx, tx) // ours, or that of a process that was quicker
	})
}

func (s *Store) readInstance(ctx context.Context, from sqlx.QueryerContext) error {
	row := struct {
		ID  string `db:"id"`
		Key []byte `db:"hash_key"`
	}{}
	if err := sqlx.GetContext(ctx, from, &row, "SELECT id, hash_key FROM instance LIMIT 1"); err != nil {
		return fmt.Errorf("reading the instance: %w", err)
	}
	s.instance, s.hashKey, s.lots = row.ID, row.Key, policy.NewLots(row.Key)
	s.links, s.pageToken = pageLinksOf(row.Key)
	return nil
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails; it ends the program instead
	return b
}

// hash is the key of an identifier: keyed, since a bare hash of a phone number is found by trying them all.
func (s *Store) hash(kind identifierKind, value string) []byte {
	key := s.hasher()(kind, value)
	return key[:]
}

// hasher returns hash for one goroutine and many values: half its time goes into the key.
func (s *Store) hasher() func(kind identifierKind, value string) key16 {
	mac := hmac.New(sha256.New, s.hashKey)
	text, sum := make([]byte, 0, 64), make([]byte, 0, sha256.Size)
	return func(kind identifierKind, value string) key16 {
		mac.Reset()
		text = append(append(append(text[:0], kind...), 0), value...)
		mac.Write(text)
		sum = mac.Sum(sum[:0])
		return key16(sum[:len(key16{})])
	}
}

// newPersonID makes a key that sorts by time of making, so that imports write at one end of the tree.
func newPersonID() policy.PersonID { return policy.PersonID(uuid.Must(uuid.NewV7())) }
