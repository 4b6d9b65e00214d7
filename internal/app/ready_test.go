package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
)

// TestReadyWhileWebhooksAreRefused has a database that takes what /readyz writes and nothing of what Meta tells.
func TestReadyWhileWebhooksAreRefused(t *testing.T) {
	t.Parallel()
	a, base := peoplesApp(t)
	db, err := sqlx.Open("sqlite", strings.TrimPrefix(a.Config.Database, "sqlite:")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	ready := func(want int, says string) {
		t.Helper()
		w := httptest.NewRecorder()
		a.ready(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if w.Code != want || !strings.Contains(w.Body.String(), says) {
			t.Errorf("/readyz answers %d %q, want %d with %q", w.Code, w.Body.String(), want, says)
		}
	}
	hears := func(text string, want int) {
		t.Helper()
		for range failedInARow {
			if got := writesTo(t, base, "+393471234567", text); got != want {
				t.Errorf("the webhook is answered %d, want %d", got, want)
			}
		}
	}

	hears("Ciao", 200)
	ready(200, "ok")
	db.MustExec("CREATE TRIGGER full BEFORE INSERT ON suppressions BEGIN SELECT RAISE(ABORT, 'no room'); END")
	ready(200, "ok") // nobody told anything yet
	hears("STOP", 503)
	ready(503, "could not be stored")
	if a.refuses(time.Now().Add(refusedFor)) {
		t.Error("unready for longer than nobody tells anything")
	}
	db.MustExec("DROP TRIGGER full")
	hears("Ciao", 200)
	ready(200, "ok")
}
