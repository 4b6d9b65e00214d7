package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestKeys(t *testing.T) {
	w := filled(t)
	if out := w.must("keys", "list"); !strings.Contains(out, "There is no key") {
		t.Errorf("no key: %s", out)
	}
	text := w.must("keys", "create", "shop-form")
	secret := regexp.MustCompile(`(?m)^pk_[0-9A-Za-z]{43}$`).FindString(text)
	if secret == "" || !strings.Contains(text, "The key shop-form, for consents.") {
		t.Fatalf("created: %s", text)
	}
	if quiet := w.must("keys", "create", "quiet", "--quiet"); !strings.HasPrefix(quiet, "pk_") || strings.Count(quiet, "\n") != 1 {
		t.Errorf("for a script: %q", quiet)
	}
	made := w.object("keys", "create", "crm", "--scope", "log, runs,log", "--expires", "365d")
	if made["name"] != "crm" || made["created_by"] != "ada" || len(made["scopes"].([]any)) != 2 || made["expires_at"] == nil || !strings.HasPrefix(made["key"].(string), "pk_") || made["revoked_at"] != nil {
		t.Errorf("as JSON: %v", made)
	}
	for line, wants := range map[string]string{
		"keys create Shop!":             "[invalid_key_name]",
		"keys create x --scope consent": "[no_such_key_scope]",
		"keys create x --scope ":        "[no_such_key_scope]",
		"keys create x --expires never": "[invalid_span]",
		"keys create shop-form":         "[key_there]",
		"keys revoke none":              "[no_such_key]",
		"keys create":                   "[missing_argument]",
	} {
		if a := w.run(strings.Split(line, " ")...); a.code != exitWrongUse || !strings.Contains(a.err, wants) {
			t.Errorf("%s: exit %d %s", line, a.code, a.err)
		}
	}
	if out := w.must("keys", "revoke", "shop-form"); !strings.Contains(out, "opens nothing any more") {
		t.Errorf("revoked: %s", out)
	}
	lines := w.lines("keys", "list")
	if len(lines) != 3 || lines[2]["name"] != "shop-form" || lines[2]["revoked_at"] == nil || lines[0]["revoked_at"] != nil || lines[0]["key"] != nil {
		t.Errorf("listed: %v", lines)
	}
	if out := w.must("keys", "list"); !strings.Contains(out, "log,runs") || strings.Contains(out, "pk_") {
		t.Errorf("listed: %s", out)
	}
	if !audited(t, w, "scopes log, runs") {
		t.Error("the audit log has no key that was made")
	}
	for _, name := range []string{"permesso.db", "permesso.db-wal"} {
		if kept, _ := os.ReadFile(w.path(name)); bytes.Contains(kept, []byte(secret)) {
			t.Errorf("%s has the key itself", name)
		}
	}
}

// A key that is made beside a running serve opens its API, and nothing once it is revoked there.
func TestAPIOfServe(t *testing.T) {
	w := filled(t)
	config, err := os.ReadFile(w.path("config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	address := regexp.MustCompile(`console: "([^"]+)"`).FindSubmatch(config)[1]
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan answer, 1)
	go func() { ended <- w.runContext(ctx, "serve", "--only", "console") }()
	secret := strings.TrimSpace(w.must("keys", "create", "shop", "--quiet"))
	ask := func(method, path, body string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+string(address)+"/api/v1/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+secret)
		r.Header.Set("Content-Type", "application/json")
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			answer, err := http.DefaultClient.Do(r.Clone(t.Context()))
			if err != nil && time.Now().Before(deadline) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			return answer.StatusCode, string(text)
		}
	}
	if status, text := ask("GET", "openapi.json", ""); status != 200 || !strings.Contains(text, `"3.1.0"`) {
		t.Errorf("%d %s", status, text)
	}
	if status, text := ask("POST", "consents", `{"phone":"+393471000045","category":"offers","action":"granted","at":"2026-03-01T10:00:00Z","source":"web_form","wording":"Libreria Aurora"}`); status != 201 {
		t.Errorf("%d %s", status, text)
	}
	if status, text := ask("GET", "log", ""); status != 403 {
		t.Errorf("%d %s", status, text)
	}
	w.must("keys", "revoke", "shop")
	if status, text := ask("GET", "log", ""); status != 401 {
		t.Errorf("%d %s", status, text)
	}
	stop()
	if a := <-ended; a.code != 0 {
		t.Errorf("serve ended with %d: %s", a.code, a.err)
	}
	if out := w.must("consent", "show", "+393471000045", "--json"); !strings.Contains(out, `"key:shop"`) {
		t.Errorf("the ledger shows %s", out)
	}
}
