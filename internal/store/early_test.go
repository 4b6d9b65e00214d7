package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store"
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

// Two writes passed each other, and every process ended in that moment and stayed away: the next one applies what was left behind.
func TestWhatPassedItsMessageIsAppliedAfterALongAbsence(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, db := storetest.Open(t, target), storetest.SQL(t, target)
		if err := s.ReplayEarly(t.Context()); err != nil { // long before
			t.Fatal(err)
		}
		if _, err := s.Store(t.Context(), []sender.Inbox{{Statuses: []sender.Status{{WAMID: "wamid.passed", State: sender.Read, At: time.Now()}}}}); err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{
			"INSERT INTO messages (wamid, run_id, person_id) VALUES ('wamid.passed', 'run', '0123456789abcdef')",
			"UPDATE early_statuses SET received_at = received_at - 3 * 3600 * CAST(1000000 AS BIGINT)",
		} {
			if strings.HasPrefix(target, "sqlite:") {
				statement = strings.Replace(statement, "'0123456789abcdef'", "CAST('0123456789abcdef' AS BLOB)", 1)
			}
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		left := func(s *store.Store) (n int) {
			t.Helper()
			if err := s.ReplayEarly(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := db.Get(&n, "SELECT count(*) FROM early_statuses"); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := left(s); n != 1 {
			t.Fatalf("%d are left; the test means to look soon after everything was looked at", n)
		}
		if n := left(storetest.Open(t, target)); n != 0 {
			t.Errorf("%d are left for whoever starts anew", n)
		}
	})
}
