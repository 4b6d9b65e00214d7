package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
)

// What Meta says of its own health heals what it refused, and nothing less does: an account not before each of its numbers may send,
// a number not before it is connected and may. A run over another number goes out beside a number's breaker, none beside an account's.
func TestBreakersHealByMetasHealth(t *testing.T) {
	t.Parallel()
	const people = 20
	type ill struct {
		number string
		is     health
	}
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{both: true, campaigns: ofNumber("one", numberID) + ofNumber("two", otherNumber)})
		h.plainPeople(people)
		db := storetest.SQL(t, target)
		h.serve()
		for _, tt := range []struct {
			name    string
			code    int
			breaker string
			beside  string // what becomes of the run over the other number meanwhile
			ill     []ill  // one after the other, none of which may heal
		}{
			{"account", 131031, "account", "paused", []ill{
				{numberID, health{"CONNECTED", "BLOCKED"}}, {otherNumber, health{"CONNECTED", "BLOCKED"}}, {otherNumber, health{"BANNED", "AVAILABLE"}},
			}},
			{"number", 131048, "number " + numberID, "done", []ill{{numberID, health{"CONNECTED", "LIMITED"}}, {numberID, health{"FLAGGED", "AVAILABLE"}}}},
			{"unregistered number", 133010, "number " + numberID, "done", []ill{{numberID, health{"DISCONNECTED", "AVAILABLE"}}}},
		} {
			began := h.meta.count()
			h.meta.with(func(f *faults) {
				f.health = map[string]health{tt.ill[0].number: tt.ill[0].is}
				f.refuse = func(_ int, p post) *graphError {
					if strings.Contains(p.edge, numberID) {
						return &graphError{400, tt.code, "Not now", ""}
					}
					return nil
				}
			})
			run := strings.TrimSpace(h.must("run", "one", "--detach"))
			h.paused(db, run, time.Now().Add(patience), tt.breaker)
			beside := strings.TrimSpace(h.must("run", "two", "--detach"))
			h.eventually("the run beside is "+tt.beside, func() error {
				if r := object[runLine](h, "runs", "show", beside); r.State != tt.beside {
					return fmt.Errorf("it is %s", r.State)
				}
				return nil
			})
			var since, still int64
			if err := db.Get(&since, "SELECT since FROM breakers WHERE closed_at IS NULL"); err != nil {
				t.Fatal(err)
			}
			for _, ill := range tt.ill {
				h.meta.with(func(f *faults) { f.health = map[string]health{ill.number: ill.is} })
				for range 2 { // who asks a second time was not healed by the first answer
					before := h.meta.askedFor(ill.number)
					db.MustExec("UPDATE breakers SET next_at = 0") // its minute, or hour, is over
					h.eventually("Meta is asked", func() error {
						if h.meta.askedFor(ill.number) == before {
							return fmt.Errorf("nobody asked")
						}
						return nil
					})
				}
			}
			if err := db.Get(&still, "SELECT since FROM breakers WHERE closed_at IS NULL"); err != nil || still != since {
				t.Errorf("%s: the breaker is open since %d, %v; it was since %d", tt.name, still, err, since)
			}
			if n := h.refusedWith(tt.code); n > people {
				t.Errorf("%s: %d messages met it", tt.name, n)
			}
			h.meta.with(func(f *faults) { f.health, f.refuse = nil, nil })
			db.MustExec("UPDATE breakers SET next_at = 0")
			for _, id := range []string{run, beside} {
				for who, line := range h.ends(id) {
					if line.State != "accepted" || line.Attempts != 1 {
						t.Errorf("%s: …%s is %s after %d attempts", tt.name, who[len(who)-5:], line.State, line.Attempts)
					}
				}
			}
			taken := 0
			for _, p := range h.meta.posts()[began:] {
				if p.taken() {
					taken++
				}
			}
			if taken != 2*people {
				t.Errorf("%s: %d messages were taken, want %d", tt.name, taken, 2*people)
			}
		}
	})
}
