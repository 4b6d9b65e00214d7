package store_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
)

// What the gate reads of earlier sends costs a look-up for each person, and not one for each person and run: of a few runs, which
// no ANALYZE has seen, PostgreSQL expects so little that it would go through all people once for each.
func TestGateLooksRunsUp(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		people := make([]policy.PersonID, 400)
		for i := range people {
			people[i][0], people[i][1] = byte(i>>8), byte(i)
		}
		lines, err := store.ExplainGateSends(t.Context(), s, people, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(lines, "\n")
		if !regexp.MustCompile(`runs_pkey|SEARCH r USING PRIMARY KEY`).MatchString(plan) || regexp.MustCompile(`Seq Scan on (runs|deliveries)|SCAN (r|d)\b`).MatchString(plan) {
			t.Error(plan)
		}
	})
}
