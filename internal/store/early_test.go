package store_test

import (
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/sender"
)

// Statuses of messages that others send from the same number are never asked for.
func TestEarlyStatusesAreLetGoOf(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, db := storetest.Open(t, target), storetest.SQL(t, target)
		for _, id := range []string{"old", "new"} {
			if _, err := s.Store(t.Context(), []sender.Inbox{{Statuses: []sender.Status{{WAMID: "wamid." + id, State: sender.Read, At: time.Now()}}}}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.Exec("UPDATE early_statuses SET received_at = received_at - 41 * 24 * 3600 * CAST(1000000 AS BIGINT) WHERE wamid = 'wamid.old'"); err != nil {
			t.Fatal(err)
		}
		if err := s.ReplayEarly(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left []string
		if err := db.Select(&left, "SELECT wamid FROM early_statuses"); err != nil || len(left) != 1 || left[0] != "wamid.new" {
			t.Errorf("left are %v, %v; want the new one", left, err)
		}
	})
}
