package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/sender"
)

// A panic in a transaction, with an answer half read, is that transaction's failure: nothing of it holds, the connection serves the
// next one, and the error has nothing of the data.
func TestAPanicInATransactionIsItsFailure(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		for range 12 { // more often than there are connections
			err := store.InTx(t.Context(), s, func(tx *sqlx.Tx) error {
				if _, err := tx.ExecContext(t.Context(), "INSERT INTO audit_log (audit_id, at, actor, action) VALUES ('x', 1, 'x', 'x')"); err != nil {
					return err
				}
				rows, err := tx.QueryContext(t.Context(), "SELECT audit_id FROM audit_log")
				if err != nil {
					return err
				}
				rows.Next()
				panic("the number of Ada is +39347123")
			})
			p, ok := errors.AsType[*sender.Panic](err)
			if !ok || strings.Contains(err.Error(), "Ada") || !strings.Contains(p.Stack(), "panic_test.go") {
				t.Fatalf("the transaction ends with %v", err)
			}
		}
		var n int
		err := store.InTx(t.Context(), s, func(tx *sqlx.Tx) error {
			return tx.GetContext(t.Context(), &n, "SELECT count(*) FROM audit_log WHERE audit_id = 'x'")
		})
		if err != nil || n != 0 {
			t.Errorf("afterwards %d rows are there, %v; want none", n, err)
		}
	})
}
