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
	return s.inTx(ctx, func(tx *sqlx.Tx) error {
		row := struct {
			ID  string `db:"id"`
			Key []byte `db:"hash_key"`
		}{}
		err := tx.GetContext(ctx, &row, "SELECT id, hash_key FROM instance LIMIT 1")
		if errors.Is(err, sql.ErrNoRows) {
			row.ID, row.Key = hex.EncodeToString(random(6)), random(32)
			_, err = tx.ExecContext(ctx, "INSERT INTO instance (id, hash_key, created_at) VALUES ($1, $2, $3)", row.ID, row.Key, at(time.Now()))
		}
		if err != nil {
			return fmt.Errorf("reading the instance: %w", err)
		}
		s.instance, s.hashKey = row.ID, row.Key
		return nil
	})
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails; it ends the program instead
	return b
}

// hash is the key of an identifier: keyed, since a bare hash of a phone number is found by trying them all.
func (s *Store) hash(kind identifierKind, value string) []byte {
	mac := hmac.New(sha256.New, s.hashKey)
	mac.Write([]byte(kind))
	mac.Write([]byte{0})
	mac.Write([]byte(value))
	return mac.Sum(nil)[:16]
}

// newPersonID makes a key that sorts by time of making, so that imports write at one end of the tree.
func newPersonID() policy.PersonID { return policy.PersonID(uuid.Must(uuid.NewV7())) }
