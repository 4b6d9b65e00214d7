package store_test

import (
	"testing"
	"time"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// A request is known again for a day, and neither longer nor shorter.
func TestRequestsAreKnownForADay(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, db := storetest.Open(t, target), storetest.SQL(t, target)
		record := scheduler.ConsentRecord{Phone: "+393471234567", Event: policy.ConsentEvent{Category: "offers", Action: policy.Revoked, At: time.Now()}}
		worked := 0
		for _, step := range []struct {
			ago  time.Duration // of the answer that was given
			hash byte
			want int
			some bool // something is forgotten
		}{{0, 1, 1, false}, {23*time.Hour + 59*time.Minute, 1, 1, false}, {24*time.Hour + time.Minute, 2, 2, false}, {24*time.Hour + time.Minute, 3, 3, true}} {
			if _, err := db.ExecContext(t.Context(), "UPDATE api_answers SET at = $1", time.Now().Add(-step.ago).UnixMicro()); err != nil {
				t.Fatal(err)
			}
			if step.some {
				if some, err := s.ForgetRequests(t.Context()); err != nil || !some {
					t.Errorf("nothing is forgotten: %v", err)
				}
			}
			answer, err := s.SubmitConsents(t.Context(), report.Request{Key: report.Key{Name: "shop"}, ID: "a", Hash: [32]byte{step.hash}}, []scheduler.ConsentRecord{record}, func([]report.Fate) report.Answer {
				worked++
				return report.Answer{Status: 200, Body: []byte("{}")}
			})
			if err != nil || answer.Status != 200 || string(answer.Body) != "{}" || worked != step.want {
				t.Errorf("after %s: %+v, %v, worked %d times", step.ago, answer, err, worked)
			}
		}
		if some, err := s.ForgetRequests(t.Context()); err != nil || some {
			t.Errorf("a new request is forgotten: %v", err)
		}
	})
}
