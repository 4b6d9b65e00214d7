package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/permesso/permesso/internal/sandbox"
)

const (
	token   = "sandbox-token"
	secret  = "test_app_secret"
	account = "500600700800"
	number  = "111222333444"
	inbox   = "http://receiver.example/webhook"
	graph   = "http://graph.example"
)

// newSandbox plays one Italian number with the demo templates, posting its
// webhooks to inbox.
func newSandbox(tb testing.TB, change func(*sandbox.Options)) *sandbox.Server {
	tb.Helper()
	o := sandbox.Options{
		Token: token, AppSecret: secret, VerifyToken: "verify", AccountID: account,
		Numbers:    []sandbox.Number{{ID: number, DisplayPhone: "+39 06 1112 2233", CountryCode: "39"}},
		Templates:  sandbox.DemoTemplates(),
		WebhookURL: inbox,
		Record:     true,
	}
	if change != nil {
		change(&o)
	}
	s, err := sandbox.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// called is what came back from one call.
type called struct {
	status int
	raw    string
	body   map[string]any
	err    error
}

// call makes one API call without a socket.
func call(tb testing.TB, s *sandbox.Server, method, path, body string) called {
	tb.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, graph+path, bytes.NewBufferString(body))
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return do(tb, s, r)
}

func do(tb testing.TB, s *sandbox.Server, r *http.Request) called {
	tb.Helper()
	res, err := s.Transport().RoundTrip(r)
	if err != nil {
		return called{err: err}
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	got := called{status: res.StatusCode, raw: string(raw)}
	_ = json.Unmarshal(raw, &got.body)
	return got
}

func send(tb testing.TB, s *sandbox.Server, body string) called {
	tb.Helper()
	return call(tb, s, http.MethodPost, "/v25.0/"+number+"/messages", body)
}

// code is the Graph code of an error answer, 0 for success, -1 for anything
// else.
func (c called) code() int {
	if c.err != nil || c.body == nil {
		return -1
	}
	failure, ok := c.body["error"].(map[string]any)
	if !ok {
		return 0
	}
	n, _ := failure["code"].(float64)
	return int(n)
}

// at walks objects and arrays: keys by name, elements by number.
func at(v any, path ...any) any {
	for _, p := range path {
		switch key := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[key]
		case int:
			list, _ := v.([]any)
			if key >= len(list) {
				return nil
			}
			v = list[key]
		}
	}
	return v
}

func (c called) wamid() string {
	id, _ := at(c.body, "messages", 0, "id").(string)
	return id
}

// offer is a valid weekend_offer to somebody.
func offer(to string) string {
	return `{"messaging_product":"whatsapp","to":"` + to + `","type":"template","biz_opaque_callback_data":"cb:` + to + `","template":{"name":"weekend_offer","language":{"code":"it"},"components":[` +
		`{"type":"body","parameters":[{"type":"text","text":"Zoë"},{"type":"text","text":"30 novembre"}]},` +
		`{"type":"button","sub_type":"url","index":"0","parameters":[{"type":"text","text":"t"}]},` +
		`{"type":"button","sub_type":"quick_reply","index":1,"parameters":[{"type":"payload","payload":"stop:42"}]}]}}`
}
