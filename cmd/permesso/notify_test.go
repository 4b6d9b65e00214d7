package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// hooked is a world whose operators are told at a receiver that answers with status.
func hooked(t *testing.T, status *atomic.Int32) (w *world, told func() []string) {
	t.Helper()
	var mu sync.Mutex
	var types []string
	receiver := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		kind, _, _ := strings.Cut(strings.TrimPrefix(string(body), `{"type":"`), `"`)
		if status.Load() == http.StatusOK {
			mu.Lock()
			types = append(types, kind)
			mu.Unlock()
		}
		out.WriteHeader(int(status.Load()))
	}))
	t.Cleanup(receiver.Close)
	w = filled(t)
	w.env["NOTIFY_SECRET"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	w.edit("test_phones:", "notify: {url: "+receiver.URL+"/hook, secret: \"${NOTIFY_SECRET}\"}\ntest_phones:")
	return w, func() []string { mu.Lock(); defer mu.Unlock(); return append([]string(nil), types...) }
}

func TestNotifyTest(t *testing.T) {
	var status atomic.Int32
	w, told := hooked(t, &status)
	for code, wants := range map[int]struct {
		exit int
		says string
	}{
		200: {exitDone, "The receiver answered 200 OK in "},
		204: {exitDone, "The receiver answered 204 No Content in "},
		401: {exitFailed, "the receiver answered 401 Unauthorized [notify_failed]"},
		302: {exitFailed, "redirects are not followed"},
		410: {exitFailed, "answered 410 Gone"},
	} {
		status.Store(int32(code))
		if a := w.run("notify", "test"); a.code != wants.exit || !strings.Contains(a.out+a.err, wants.says) {
			t.Errorf("%d: exit %d %s%s", code, a.code, a.out, a.err)
		}
	}
	if got := told(); len(got) != 1 || got[0] != "notify.test" {
		t.Errorf("told are %v", got)
	}
	status.Store(200)
	w.must("halt", "--reason", "ask +39 347 1234567")
	one := w.object("notify", "test")
	if one["status"] != 200.0 || one["waiting"] != 1.0 || one["id"] == "" || one["seconds"].(float64) <= 0 {
		t.Errorf("as JSON: %v", one)
	}
	if text := w.must("notify", "list"); !strings.Contains(text, "sending.halted") || !strings.Contains(text, "pending") || strings.Contains(text, "347") {
		t.Errorf("listed is\n%s", text)
	}
	line := w.lines("notify", "list")[0]
	if line["type"] != "sending.halted" || line["state"] != "pending" || line["attempts"] != 0.0 || line["data"].(map[string]any)["sentence"] != "All sending is halted: ask …." || line["next_at"] == nil || line["done_at"] != nil {
		t.Errorf("as JSON: %v", line)
	}
}

func TestNotifyWithoutReceiver(t *testing.T) {
	w := filled(t)
	if a := w.run("notify", "test"); a.code != exitWrongUse || !strings.Contains(a.err, "has no notify") || !strings.Contains(a.err, "[notify_missing]") {
		t.Errorf("exit %d %s", a.code, a.err)
	}
	if a := w.run("notify", "list"); a.code != exitDone || !strings.Contains(a.out, "Everything was told.") {
		t.Errorf("exit %d %s%s", a.code, a.out, a.err)
	}
	w.must("halt")
	if a := w.run("notify", "list"); a.code != exitDone || !strings.Contains(a.out, "sending.halted") || !strings.Contains(a.err, "has no notify") {
		t.Errorf("exit %d %s%s", a.code, a.out, a.err)
	}
	if a := w.run("notify", "list", "--limit", "-1"); a.code != exitWrongUse {
		t.Errorf("exit %d %s", a.code, a.err)
	}
}

// A run in the foreground tells what it caused before it ends, and is not held up by a receiver that is away.
func TestAForegroundRunTellsBeforeItEnds(t *testing.T) {
	var status atomic.Int32
	status.Store(200)
	w, told := hooked(t, &status)
	w.edit("test_phones:", "approvals: {above: 0}\ntest_phones:")
	if a := w.run("run", "order-ready"); a.code != exitIncomplete {
		t.Fatalf("exit %d %s", a.code, a.err)
	}
	if got := told(); len(got) != 1 || got[0] != "run.waiting" {
		t.Errorf("told are %v", got)
	}
	status.Store(500)
	if a := w.run("run", "order-ready"); a.code != exitIncomplete {
		t.Fatalf("exit %d %s", a.code, a.err)
	}
	if line := w.lines("notify", "list")[0]; line["attempts"] != 1.0 || line["error"] != "the receiver answered 500 Internal Server Error" {
		t.Errorf("listed is %v", line)
	}
}
