package webhook_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/permesso/permesso/internal/webhook"
)

const statusBody = `{"object":"whatsapp_business_account","entry":[{"id":"500600700800","changes":[{"field":"messages","value":{` +
	`"messaging_product":"whatsapp","metadata":{"display_phone_number":"390655500011","phone_number_id":"111222333444"},` +
	`"contacts":[{"profile":{"username":"nives"},"wa_id":"393895550101","user_id":"IT.70010020030040051"}],` +
	`"statuses":[{"id":"wamid.OUT77","status":"delivered","timestamp":"1795250000","recipient_id":"393895550101","recipient_user_id":"IT.70010020030040051",` +
	`"biz_opaque_callback_data":"1:inst:00112233445566778899aabbccddeeff","pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"marketing"}}]}}]}]}`

const stopBody = `{"object":"whatsapp_business_account","entry":[{"id":"500600700800","changes":[{"field":"messages","value":{` +
	`"messages":[{"from":"393895550101","id":"wamid.IN01","timestamp":"1795250000","type":"text","text":{"body":"STOP"}}]}}]}]}`

func TestHandshake(t *testing.T) {
	tests := []struct {
		name, token, query string
		status             int
		body               string
	}{
		{"right", "verify-me", "?hub.mode=subscribe&hub.challenge=1158&hub.verify_token=verify-me", 200, "1158"},
		{"markup stays plain text", "verify-me", "?hub.mode=subscribe&hub.challenge=%3Cb%3E&hub.verify_token=verify-me", 200, "<b>"},
		{"wrong token", "verify-me", "?hub.mode=subscribe&hub.challenge=1158&hub.verify_token=verify-mE", 403, ""},
		{"longer token", "verify-me", "?hub.mode=subscribe&hub.challenge=1158&hub.verify_token=verify-me2", 403, ""},
		{"no token", "verify-me", "?hub.mode=subscribe&hub.challenge=1158", 403, ""},
		{"none configured", "", "?hub.mode=subscribe&hub.challenge=1158&hub.verify_token=", 403, ""},
		{"other mode", "verify-me", "?hub.mode=unsubscribe&hub.challenge=1158&hub.verify_token=verify-me", 403, ""},
		{"no challenge", "verify-me", "?hub.mode=subscribe&hub.verify_token=verify-me", 403, ""},
		{"nothing", "verify-me", "", 403, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := options(t, &sink{})
			o.VerifyToken = func() string { return test.token }
			w := httptest.NewRecorder()
			webhook.New(o).Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path+test.query, nil))
			if w.Code != test.status || test.body != "" && w.Body.String() != test.body {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, test.status, test.body)
			}
			if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("a browser may read the challenge as %q", kind)
			}
		})
	}
}

func TestNothingElseIsServed(t *testing.T) {
	h, _ := running(t, options(t, &sink{}))
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{http.MethodPut, "/webhook", 405}, {http.MethodDelete, "/webhook", 405}, {http.MethodPost, "/webhook/", 404},
		{http.MethodGet, "/", 404}, {http.MethodPost, "/p/x", 404}, {http.MethodGet, "/metrics", 404},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(test.method, test.path, nil))
		if w.Code != test.status {
			t.Errorf("%s %s: %d, want %d", test.method, test.path, w.Code, test.status)
		}
	}
}

// The two vectors of graph-api §4.2: the second one holds its escapes as backslashes, and only the raw bytes give the sum.
func TestSignatureVectors(t *testing.T) {
	for _, test := range []struct{ body, sum string }{
		{`{"object":"whatsapp_business_account","entry":[]}`, "dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756"},
		{`{"a":"Ol\u00e1 \/ ciao"}`, "1ea7a8db1d2747696658896463f9a5c6e326b286e01f3e5bf99cdd5a180d7335"},
	} {
		o := options(t, &sink{})
		o.AppSecrets = func() []string { return []string{"test_app_secret"} }
		h, _ := running(t, o)
		if status := postSigned(h, []byte(test.body), "sha256="+test.sum); status != http.StatusOK {
			t.Errorf("%s: status %d, want 200", test.body, status)
		}
	}
}

func TestSignature(t *testing.T) {
	body := []byte(stopBody)
	good := sign(secret, body)
	tests := []struct {
		name      string
		secrets   []string
		signature string
		status    int
	}{
		{"good", []string{secret}, good, 200},
		{"the second of two secrets", []string{"other", secret}, good, 200},
		{"the first of two secrets", []string{secret, "other"}, good, 200},
		{"beside an empty secret", []string{"", secret}, good, 200},
		{"of another secret", []string{secret}, sign("other", body), 401},
		{"of another body", []string{secret}, sign(secret, append([]byte(" "), body...)), 401},
		{"missing", []string{secret}, "", 401},
		{"empty sum", []string{secret}, "sha256=", 401},
		{"cut", []string{secret}, good[:len(good)-2], 401},
		{"with more behind it", []string{secret}, good + "00", 401},
		{"not hexadecimal", []string{secret}, good[:len(good)-1] + "g", 401},
		{"SHA-1's name", []string{secret}, strings.Replace(good, "sha256", "sha1", 1), 401},
		{"no secret configured", nil, good, 401},
		{"of the empty secret, which is configured", []string{""}, sign("", body), 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &sink{}
			o := options(t, s)
			o.AppSecrets = func() []string { return test.secrets }
			h, _ := running(t, o)
			if status := postSigned(h, body, test.signature); status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			if stored := len(s.stored()) > 0; stored != (test.status == 200) {
				t.Errorf("stored: %v", stored)
			}
		})
	}
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestBadBodies(t *testing.T) {
	tests := []struct {
		name, body string
		status     int
	}{
		{"empty", "", 400},
		{"words", "stop", 400},
		{"cut", statusBody[:len(statusBody)-1], 400},
		{"two values", `{}{}`, 400},
		{"byte order mark", "\ufeff{}", 400},
		{"form", "hub.mode=subscribe", 400},
		{"depth 64", nested(64), 200},
		{"depth 65", nested(65), 400},
		{"depth 10,000", nested(10_000), 400},
		{"depth 1,000,000, never closed", strings.Repeat("[", 1_000_000), 400},
		{"deep in an unknown field", `{"entry":[{"changes":[{"field":"x","value":` + nested(80) + `}]}]}`, 400},
		{"brackets inside a text", `{"a":"` + strings.Repeat("[", 100) + `\"` + strings.Repeat("{", 100) + `"}`, 200},
		{"4 MiB", `{"a":"` + strings.Repeat("x", 4<<20-8) + `"}`, 200},
		{"one byte more", `{"a":"` + strings.Repeat("x", 4<<20-7) + `"}`, 413},
		{"5 MiB", `{"a":"` + strings.Repeat("x", 5<<20) + `"}`, 413},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &sink{}
			h, _ := running(t, options(t, s))
			if status := post(h, []byte(test.body)); status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			if stored := len(s.stored()) > 0; stored != (test.status == 200) {
				t.Errorf("stored: %v", stored)
			}
		})
	}
}

// Through a real connection: a body without an announced length is cut at 4 MiB, the answer arrives, and the next request
// of the same client is served.
func TestTooLargeOverTheWire(t *testing.T) {
	h, _ := running(t, options(t, &sink{}))
	server := httptest.NewUnstartedServer(h)
	webhook.ConfigureServer(server.Config)
	server.Start()
	defer server.Close()

	large := bytes.Repeat([]byte("x"), 5<<20)
	for name, body := range map[string]io.Reader{"announced": bytes.NewReader(large), "chunked": io.MultiReader(bytes.NewReader(large))} {
		req, err := http.NewRequest(http.MethodPost, server.URL+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Hub-Signature-256", sign(secret, large))
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: status %d, want 413", name, resp.StatusCode)
		}
	}
	req, err := http.NewRequest(http.MethodPost, server.URL+path, strings.NewReader(statusBody))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Hub-Signature-256", sign(secret, []byte(statusBody)))
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the next request: status %d, want 200", resp.StatusCode)
	}
	if server.Config.ReadHeaderTimeout == 0 || server.Config.ReadTimeout == 0 || server.Config.WriteTimeout == 0 || server.Config.MaxHeaderBytes != 16<<10 {
		t.Errorf("the server is left open to slow clients: %+v", server.Config)
	}
}

func TestBodyThatBreaksOff(t *testing.T) {
	s := &sink{}
	h, _ := running(t, options(t, s))
	req := httptest.NewRequest(http.MethodPost, path, io.MultiReader(strings.NewReader(statusBody), iotest.ErrReader(errors.New("gone"))))
	req.Header.Set("X-Hub-Signature-256", sign(secret, []byte(statusBody)))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Code != http.StatusBadRequest || len(s.stored()) != 0 {
		t.Errorf("status %d, %d stored; want 400 and none", w.Code, len(s.stored()))
	}
}

func TestObserveToldOfEveryPost(t *testing.T) {
	var seen []webhook.Answer
	o := options(t, &sink{})
	o.Observe = func(a webhook.Answer) { seen = append(seen, a) }
	h, _ := running(t, o)
	post(h, []byte(stopBody))
	post(h, []byte(statusBody))
	post(h, []byte("no"))
	postSigned(h, []byte(stopBody), "")
	want := []webhook.Answer{
		{Status: 200, Bytes: len(stopBody), Acts: 1, Replies: 1},
		{Status: 200, Bytes: len(statusBody), Statuses: 1},
		{Status: 400, Bytes: 2},
		{Status: 401},
	}
	if len(seen) != len(want) {
		t.Fatalf("told of %d answers, want %d", len(seen), len(want))
	}
	for i := range want {
		seen[i].Took = 0
		if seen[i] != want[i] {
			t.Errorf("answer %d: %+v, want %+v", i, seen[i], want[i])
		}
	}
}
