package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// A fact and its notice stand or fall together: where the notice cannot be written the fact does not hold, and where the fact fails
// after its notice there is none.
func TestNoFactWithoutItsNotice(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		db := storetest.SQL(t, target)
		refuses := func(kind report.NoticeType) {
			text := "ALTER TABLE notices ADD CONSTRAINT refuses CHECK (type <> '" + string(kind) + "')"
			if strings.HasPrefix(target, "sqlite:") {
				text = "CREATE TRIGGER refuses BEFORE INSERT ON notices WHEN NEW.type = '" + string(kind) + "' BEGIN SELECT RAISE(ABORT, 'no'); END"
			}
			if _, err := db.ExecContext(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
		takes := func() {
			text := "ALTER TABLE notices DROP CONSTRAINT refuses"
			if strings.HasPrefix(target, "sqlite:") {
				text = "DROP TRIGGER refuses"
			}
			if _, err := db.ExecContext(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
		draft, err := scheduler.NewRun(scheduler.Frozen{
			Campaign: scheduler.Campaign{ID: "offer", Category: "offers", Number: "111222333444"},
			Rules:    policy.Rules{Categories: map[string]policy.Category{"offers": {ID: "offers", Kind: policy.Marketing}}},
		}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		run, _, err := s.CreateRun(t.Context(), draft)
		if err != nil {
			t.Fatal(err)
		}
		stands := func(what string) {
			t.Helper()
			now, err := s.Run(t.Context(), run.ID)
			if err != nil || now.State != scheduler.Planning {
				t.Errorf("%s: the run is %s, %v", what, now.State, err)
			}
			if since, _, err := s.Halted(t.Context()); err != nil || !since.IsZero() {
				t.Errorf("%s: halted since %s, %v", what, since, err)
			}
			if list, err := s.Notices(t.Context(), 0); err != nil || len(list) != 0 {
				t.Errorf("%s: told is %+v, %v", what, list, err)
			}
		}
		refuses(report.NoticeRunPaused)
		if err := s.MoveRun(t.Context(), run.ID, scheduler.Paused, "a test"); err == nil {
			t.Error("the run was paused in silence")
		}
		stands("a pause whose notice cannot be written")
		takes()
		refuses(report.NoticeTokenRefused)
		if err := s.OpenBreaker(t.Context(), sender.Breaker{Kind: sender.BreakToken, Healing: sender.HealsByProbe, Why: "Meta answered 190"}); err == nil {
			t.Error("the token was refused in silence")
		}
		stands("a pause that fails after its notice")
		takes()
		refuses(report.NoticeHalted)
		if _, err := s.Halt(t.Context(), "a test"); err == nil {
			t.Error("it was halted in silence")
		}
		stands("a halt whose notice cannot be written")
	})
}
