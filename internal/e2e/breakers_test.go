package e2e

import (
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/store/storetest"
)

// The token is refused in the middle of a run (reliability F23): what is in flight is all that still asks, the run pauses, nobody's
// attempt is burnt, and with another token in its file everybody gets theirs once.
func TestTokenRefusedAndMended(t *testing.T) {
	t.Parallel()
	const people, until = 1000, 300
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 200})
		h.write("token", accessToken)
		h.write("config.yaml", strings.Replace(h.read("config.yaml"), "${WHATSAPP_ACCESS_TOKEN}", "${file:"+h.path("token")+"}", 1))
		next := "token-of-e2e-two"
		h.meta.with(func(f *faults) {
			f.latency = 50 * time.Millisecond
			f.refuse = func(n int, _ post) *graphError {
				if n == until+1 {
					h.meta.token.Store(&next)
					return &graphError{401, 190, "Invalid OAuth access token", ""}
				}
				return nil
			}
		})
		all := h.plainPeople(people)
		db := storetest.SQL(t, target)
		h.serve()
		run := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
		h.meta.atLeast(until + 1)
		h.paused(db, run, h.meta.posts()[until].start.Add(2*time.Second), "token")

		line := object[struct{ State, Why, Breaker string }](h, "runs", "show", run)
		if line.Breaker != "token" || !strings.Contains(line.Why, "Meta answered 190") {
			t.Errorf("runs show: %+v", line)
		}
		h.eventually("/metrics counts it", func() error {
			if !strings.Contains(h.metric(), `permesso_breaker_open{kind="token"} 1`) {
				return fmt.Errorf("it does not")
			}
			return nil
		})
		if page := h.page("/"); !strings.Contains(page, "Held back: token") {
			t.Error("the console does not say what holds sending back")
		}
		if list := h.must("runs", "list"); !strings.Contains(list, ": token: Meta answered 190") {
			t.Errorf("runs list does not say it:\n%s", list)
		}
		h.silentAfter(time.Now().Add(time.Second), time.Second) // what passed its gate before may begin for a second
		refused := h.refusedWith(190)
		t.Logf("%d messages met the refused token", refused)
		if refused > 64 { // as many as are on their way at once
			t.Errorf("%d messages met the refused token", refused)
		}

		h.write("token", next)
		for who, line := range h.ends(run) {
			if line.State != "accepted" || line.Attempts != 1 {
				t.Errorf("…%s is %s after %d attempts", who[len(who)-5:], line.State, line.Attempts)
			}
		}
		if got := takenOnce(t, h.meta.posts()); len(got) != len(all) {
			t.Errorf("%d of %d got their message", len(got), len(all))
		}
		if n := h.refusedWith(190); n != refused {
			t.Errorf("%d more messages met a refused token after it was mended", n-refused)
		}
		if !strings.Contains(h.metric(), `permesso_breaker_open{kind="token"} 0`) {
			t.Error("/metrics still counts it")
		}
	})
}

// What stands before everybody stops what it must within the messages in flight, and what takes it back lets everybody get theirs.
func TestBreakersOpenAndHeal(t *testing.T) {
	t.Parallel()
	const people, until = 400, 100
	for _, tt := range []struct {
		name    string
		wrong   graphError
		breaker string
		signs   int // of it are needed
		failed  int // whose message is lost to it
		heal    func(h *house, run string)
	}{
		{"template", graphError{400, 132015, "Template is paused", ""}, "template weekend_offer", 1, 0, func(h *house, _ string) {
			h.acknowledged(templateIs("weekend_offer", "it", "APPROVED"))
		}},
		{"account", graphError{403, 368, "Temporarily blocked for policies violations", ""}, "account", 1, 0, func(h *house, _ string) {
			h.acknowledged(envelope("account_update", map[string]any{"event": "DISABLED_UPDATE", "ban_info": map[string]any{"waba_ban_state": "REINSTATE"}}))
		}},
		{"number", graphError{400, 133010, "Phone number not registered", ""}, "number " + numberID, 1, 0, func(h *house, run string) {
			h.must("runs", "resume", run, "--detach")
		}},
		{"campaign", graphError{400, 100, "Invalid parameter", "the button is not one"}, "campaign weekend-offer", 10, 9, func(h *house, run string) {
			h.must("runs", "resume", run, "--detach")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			storetest.Databases(t, func(t *testing.T, target string) {
				t.Parallel()
				h := newHouse(t, target, settings{perSecond: 200})
				h.meta.with(func(f *faults) {
					f.latency = 50 * time.Millisecond
					f.refuse = func(n int, _ post) *graphError {
						if n > until {
							return &tt.wrong
						}
						return nil
					}
				})
				all := h.plainPeople(people)
				db := storetest.SQL(t, target)
				answer := h.meta.stallsAfter(until)
				h.serve()
				run := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
				h.meta.atLeast(until + tt.signs)
				// Answers are recorded as they come, and one that was taken begins the count of refusals in a row anew: first all of these.
				h.eventually("what was taken is on record", func() error {
					var taken int
					if err := db.Get(&taken, "SELECT count(*) FROM deliveries WHERE state = 'accepted'"); err != nil || taken != until {
						return fmt.Errorf("%d are: %v", taken, err)
					}
					return nil
				})
				answer()
				h.paused(db, run, time.Now().Add(2*time.Second), tt.breaker)
				h.silentAfter(time.Now().Add(time.Second), time.Second) // what passed its gate before may begin for a second
				refused := h.refusedWith(tt.wrong.code)
				t.Logf("%d messages met it", refused)
				if refused > 64 {
					t.Errorf("%d messages met it", refused)
				}
				h.meta.with(func(f *faults) { f.refuse = nil })
				tt.heal(h, run)
				failed := 0
				for who, line := range h.ends(run) {
					switch {
					case line.State == "failed":
						failed++
					case line.State != "accepted" || line.Attempts != 1:
						t.Errorf("…%s is %s after %d attempts", who[len(who)-5:], line.State, line.Attempts)
					}
				}
				if got := takenOnce(t, h.meta.posts()); failed != tt.failed || len(got) != len(all)-failed {
					t.Errorf("%d of %d got their message, %d failed, want %d", len(got), len(all), failed, tt.failed)
				}
			})
		})
	}
}

// Nobody sends deaf: when nothing was heard of 50 messages for five minutes, marketing pauses; it goes on at the first webhook.
func TestNobodySendsDeaf(t *testing.T) {
	t.Parallel()
	const people = 60
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{campaigns: weekendOffer + strings.Replace(weekendOffer, "id: weekend-offer", "id: again\n    number: \""+numberID+`"`, 1)})
		all := h.plainPeople(people)
		db := storetest.SQL(t, target)
		p := h.serve()
		h.ends(strings.TrimSpace(h.must("run", "weekend-offer", "--detach")))
		time.Sleep(6 * time.Second) // it has looked
		if strings.Contains(p.err.String(), "a breaker is open") {
			t.Errorf("nobody was to be taken for deaf yet: %s", tail(p.err.String()))
		}
		age(t, db, 6*time.Minute)
		h.logs(p, `"breaker":"deaf"`, 1)
		before := h.meta.count()
		run := strings.TrimSpace(h.must("run", "again", "--detach"))
		h.paused(db, run, time.Now().Add(patience), "deaf")
		h.refused(1, []string{"stops would not be heard"}, "runs", "resume", run)
		if n := h.meta.count() - before; n > 0 {
			t.Errorf("%d messages left while nobody heard", n)
		}
		h.acknowledged(wroteText("+"+all[0], "Grazie, a sabato!"))
		h.ends(run)
		if n := h.meta.count() - before; n != people {
			t.Errorf("%d messages left after the first webhook, want %d", n, people)
		}
	})
}

// Webhooks that come and cannot be stored are not heard either.
func TestDeafWhenNothingCanBeStored(t *testing.T) {
	t.Parallel()
	const people = 20
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		h.plainPeople(people)
		db := storetest.SQL(t, target)
		p := h.serve()
		odd := envelope("account_review_update", map[string]any{"decision": "APPROVED"}) // its body is kept
		db.MustExec("ALTER TABLE webhooks RENAME TO webhooks_away")
		for i := range 3 {
			if status, err := h.meta.hooks.post(t.Context(), odd); err != nil || status != http.StatusServiceUnavailable {
				t.Errorf("webhook %d is answered %d, %v", i, status, err)
			}
		}
		h.logs(p, `"breaker":"deaf"`, 1)
		run := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
		h.paused(db, run, time.Now().Add(patience), "deaf")
		db.MustExec("ALTER TABLE webhooks_away RENAME TO webhooks")
		h.acknowledged(odd)
		h.ends(run)
		if n := h.meta.count(); n != people {
			t.Errorf("%d messages left, want %d", n, people)
		}
	})
}

// age makes every message look as if it had been sent some time ago: the ids of attempts begin with their milliseconds.
func age(t *testing.T, db *sqlx.DB, span time.Duration) {
	t.Helper()
	var ids [][]byte
	if err := db.Select(&ids, "SELECT attempt_id FROM deliveries WHERE attempt_id IS NOT NULL"); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		older := append([]byte(nil), id...)
		stamp := new(big.Int).SetBytes(older[:6])
		stamp.Sub(stamp, big.NewInt(span.Milliseconds())).FillBytes(older[:6])
		if _, err := db.Exec("UPDATE deliveries SET attempt_id = $1 WHERE attempt_id = $2", older, id); err != nil {
			t.Fatal(err)
		}
	}
}

// paused waits until the run is paused by the breaker, and fails the test when that was after a moment.
func (h *house) paused(db *sqlx.DB, run string, by time.Time, breaker string) {
	h.t.Helper()
	var since time.Time // by the breaker's own record: the test may look later
	h.eventually("the run is paused", func() error {
		var row struct {
			State    string `db:"state"`
			PausedBy string `db:"paused_by"`
			Since    int64  `db:"since"`
		}
		if err := db.Get(&row, "SELECT state, paused_by, COALESCE((SELECT MAX(since) FROM breakers WHERE closed_at IS NULL), 0) AS since FROM runs WHERE run_id = $1", run); err != nil {
			return err
		}
		if row.State != "paused" {
			return fmt.Errorf("it is %s", row.State)
		}
		if row.PausedBy != breaker {
			h.t.Fatalf("it is paused by %q, want %q", row.PausedBy, breaker)
		}
		since = time.UnixMicro(row.Since)
		return nil
	})
	if late := since.Sub(by); late > 0 {
		h.t.Errorf("it was paused %s too late", late)
	}
}

func (h *house) refusedWith(code int) int {
	n := 0
	for _, p := range h.meta.posts() {
		if p.code == code {
			n++
		}
	}
	return n
}

// templateIs is the body by which Meta tells of a template (graph-api §4.8).
func templateIs(name, language, event string) []byte {
	return envelope("message_template_status_update", map[string]any{
		"event": event, "message_template_id": 1689556908129832, "message_template_name": name, "message_template_language": language, "reason": nil,
	})
}
