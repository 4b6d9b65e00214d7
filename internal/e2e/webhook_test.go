package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/store/storetest"
)

// What is not Meta's, or not a webhook, is turned away with the right word (CONTRACT §5, reliability F19).
func TestWebhookDoor(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		h.plainPeople(3)
		h.serve("--only", "webhook")
		stop := wroteText(plainPhone(0), "STOP")
		deep := []byte(`{"object":"whatsapp_business_account","entry":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}")
		large := append(bytes.TrimSuffix(stop, []byte("}")), `,"padding":"`+strings.Repeat("x", 5<<20)+`"}`...)
		for name, tt := range map[string]struct {
			body      []byte
			signature string
			want      int
		}{
			"no signature":             {stop, "", 401},
			"other secret":             {stop, sign("another", stop), 401},
			"signature of another":     {stop, sign(appSecret, append(stop, ' ')), 401},
			"upper case, bare":         {stop, strings.ToUpper(strings.TrimPrefix(sign(appSecret, stop), "sha256=")), 401},
			"unsigned and no JSON":     {[]byte("STOP"), "", 401},
			"no JSON":                  {[]byte("STOP"), sign(appSecret, []byte("STOP")), 400},
			"half a body":              {stop[:len(stop)/2], sign(appSecret, stop[:len(stop)/2]), 400},
			"empty":                    {nil, sign(appSecret, nil), 400},
			"10,000 deep":              {deep, sign(appSecret, deep), 400},
			"5 MiB":                    {large, sign(appSecret, large), 413},
			"5 MiB of another's":       {large, sign("another", large), 413},
			"nothing in it":            {[]byte(`{"object":"whatsapp_business_account","entry":[]}`), "sha256=dummy", 401},
			"nothing in it, by Meta":   {[]byte(`{"object":"whatsapp_business_account","entry":[]}`), sign(appSecret, []byte(`{"object":"whatsapp_business_account","entry":[]}`)), 200},
			"a field of next year":     {[]byte(`{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"holograms","value":7}]}]}`), "now", 200},
			"a stop, whole and signed": {wroteText(plainPhone(1), "STOP"), "now", 200},
		} {
			signature := tt.signature
			if signature == "now" {
				signature = sign(appSecret, tt.body)
			}
			status, err := h.meta.hooks.postSigned(t.Context(), tt.body, signature)
			if status != tt.want && !(tt.want == 413 && err != nil && !strings.Contains(err.Error(), "refused")) {
				t.Errorf("%s: %d, %v, want %d", name, status, err, tt.want)
			}
		}
		stops := objects[stopLine](t, h.must("suppress", "list", "--json"))
		if len(stops) != 1 || personOf(stops[0].Phone) != personOf(plainPhone(1)) {
			t.Errorf("on the list: %+v, want the one signed stop", stops)
		}
		h.handshakes()
	})
}

func (h *house) handshakes() {
	h.t.Helper()
	for query, want := range map[string]string{
		"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=" + verifyToken: "200 1158201444",
		"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=wrong":          "403",
		"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=":               "403",
		"": "403",
	} {
		answer, err := http.Get("http://" + h.webhook + "/webhook?" + query)
		if err != nil {
			h.t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if got := fmt.Sprintf("%d %s", answer.StatusCode, text); !strings.HasPrefix(got, want) || (strings.HasPrefix(want, "200") && got != want) {
			h.t.Errorf("handshake %s: %s, want %s", query, got, want)
		}
	}
}

// A stop that cannot be stored is not acknowledged, and is in force once it is (reliability F9).
func TestStopWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		h.plainPeople(2)
		serving := h.serve()
		body := wroteText(plainPhone(0), "STOP")
		back := takeAway(t, target)
		status, err := h.meta.hooks.post(t.Context(), body)
		back()
		if err != nil || status != http.StatusServiceUnavailable {
			t.Errorf("without its database the webhook answers %d, %v, want 503", status, err)
		}
		h.eventually("Meta's repetition is taken", func() error {
			if status, err := h.meta.hooks.post(t.Context(), body); err != nil || status != http.StatusOK {
				return fmt.Errorf("%d, %v", status, err)
			}
			return nil
		})
		if stops := objects[stopLine](t, h.must("suppress", "list", "--json")); len(stops) != 1 || stops[0].Scope != "all" {
			t.Errorf("on the list: %+v, want the one stop", stops)
		}
		if !serving.running() {
			t.Errorf("serve ended: %s", tail(serving.err.String()))
		}
		h.must("run", "weekend-offer")
		h.everyone([]string{personOf(plainPhone(1))})
	})
}

// takeAway makes the database unusable for everybody else until the returned function is called.
func takeAway(t *testing.T, target string) func() {
	t.Helper()
	if strings.HasPrefix(target, "sqlite:") {
		// storetest's connections begin IMMEDIATE: the write lock is held at once.
		tx, err := storetest.SQL(t, target).BeginTxx(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return func() { _ = tx.Rollback() }
	}
	address, err := url.Parse(os.Getenv("PERMESSO_TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(own.Path, "/")
	admin := storetest.SQL(t, address.String())
	run := func(sql string, args ...any) {
		if _, err := admin.Exec(sql, args...); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	run("ALTER DATABASE " + name + " ALLOW_CONNECTIONS false")
	run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
	return func() { run("ALTER DATABASE " + name + " ALLOW_CONNECTIONS true") }
}
