package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
)

// Every ten seconds each number's open runs are walked for deliveries that were lost. Where there is none, nobody who writes
// is waited for, and so nobody who writes waits.
func TestSettleLooksWithoutWriting(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		writer, err := storetest.SQL(t, target).Connx(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		begin := map[string]string{"sqlite": "BEGIN IMMEDIATE", "postgres": "BEGIN; LOCK TABLE deliveries IN EXCLUSIVE MODE"}
		if _, err := writer.ExecContext(t.Context(), begin[s.Database()]); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_, rollback := writer.ExecContext(context.Background(), "ROLLBACK")
			if err := writer.Close(); err != nil || rollback != nil {
				t.Error(rollback, err)
			}
		})
		settled := make(chan error, 1)
		go func() { settled <- settle(t.Context(), s) }()
		select {
		case err := <-settled:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute): // the writer waits as long
			t.Error("Settle waits for a writer")
		}
	})
}

func settle(ctx context.Context, s *store.Store) error {
	_, err := s.Settle(ctx, "111222333444", 0)
	return err
}
