package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/sender"
)

// However many messages were ever sent, whether anybody hears is found by the index of attempts, and nothing is sorted or walked.
func TestSilenceIsFoundByIndex(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		db := storetest.SQL(t, target)
		const many = 30_000
		began := time.Now().Add(-24 * time.Hour)
		tx := db.MustBegin()
		for i := range many {
			id := sender.MadeBefore(began.Add(time.Duration(i) * time.Second))
			state := "accepted"
			if i == many-1000 {
				state = "delivered"
			}
			tx.MustExec("INSERT INTO deliveries (run_id, person_id, state, queued_at, attempt_id, accepted_at) VALUES ($1, $2, $3, 1, $4, 1)",
				"r", fmt.Appendf(nil, "%016d", i), state, id[:])
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		explain := "EXPLAIN "
		if strings.HasPrefix(target, "sqlite:") {
			explain = "EXPLAIN QUERY PLAN "
		} else {
			db.MustExec("ANALYZE deliveries")
		}
		from, to := sender.MadeBefore(time.Time{}), sender.MadeBefore(time.Now())
		rows, err := db.Queryx(explain+store.Silence, from[:], to[:])
		if err != nil {
			t.Fatal(err)
		}
		plan := ""
		for rows.Next() {
			columns, err := rows.SliceScan()
			if err != nil {
				t.Fatal(err)
			}
			plan += fmt.Sprintln(columns...)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan, "deliveries_attempt") || strings.Contains(plan, "Seq Scan") {
			t.Errorf("the plan is\n%s", plan)
		}
		began = time.Now()
		if silent, err := s.Silent(t.Context(), time.Time{}); err != nil || !silent {
			t.Errorf("Silent = %t, %v", silent, err)
		}
		t.Logf("among %d messages it took %s", many, time.Since(began))
	})
}
