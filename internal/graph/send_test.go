package graph_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/graph"
	"github.com/permesso/permesso/sender"
)

func TestNewRefuses(t *testing.T) {
	good := graph.Options{BaseURL: "https://graph.facebook.com", Version: "v25.0", Token: func() string { return secret }}
	tests := map[string]struct {
		change func(*graph.Options)
		want   string
	}{
		"no address":       {func(o *graph.Options) { o.BaseURL = "" }, "base URL"},
		"another scheme":   {func(o *graph.Options) { o.BaseURL = "ftp://a.example" }, "base URL"},
		"a token in it":    {func(o *graph.Options) { o.BaseURL = "https://a.example?access_token=" + secret }, "leave out user, query"},
		"a user in it":     {func(o *graph.Options) { o.BaseURL = "https://u:p@a.example" }, "leave out user, query"},
		"no version":       {func(o *graph.Options) { o.Version = "" }, "version"},
		"a path version":   {func(o *graph.Options) { o.Version = "v25.0/x" }, "version"},
		"a path account":   {func(o *graph.Options) { o.AccountID = "1/2" }, "account"},
		"no token":         {func(o *graph.Options) { o.Token = nil }, "token"},
		"negative timeout": {func(o *graph.Options) { o.Timeout = -1 }, "negative"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := good
			tt.change(&o)
			_, err := graph.New(o)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("error %v, want one about %q", err, tt.want)
			}
		})
	}
	var log bytes.Buffer
	client(t, "http://sandbox.example:9090", logging(&log))
	if !strings.Contains(log.String(), "unencrypted") {
		t.Errorf("no warning about http: %s", log.String())
	}
}

func TestAnswers(t *testing.T) {
	graphError := `{"error":{"message":"(#131026) Message undeliverable","type":"OAuthException","code":131026,"error_data":{"details":"No such user."},"fbtrace_id":"Tr1"}}`
	tests := map[string]struct {
		status int
		body   string
		want   sender.Result
	}{
		"accepted":            {200, taken, sender.Result{Fate: sender.Taken, WAMID: "wamid.A==", WaID: "393331112223"}},
		"no status":           {200, `{"messages":[{"id":"wamid.A"}]}`, sender.Result{Fate: sender.Taken, WAMID: "wamid.A"}},
		"held":                {200, `{"messages":[{"id":"wamid.A","message_status":"held_for_quality_assessment"}]}`, sender.Result{Fate: sender.TakenHeld, WAMID: "wamid.A"}},
		"paused":              {200, `{"messages":[{"id":"wamid.A","message_status":"paused"}]}`, sender.Result{Fate: sender.TakenHeld, WAMID: "wamid.A"}},
		"to a user id":        {200, `{"contacts":[{"input":"IT.13","user_id":"IT.13"}],"messages":[{"id":"wamid.A"}]}`, sender.Result{Fate: sender.Taken, WAMID: "wamid.A", UserID: "IT.13"}},
		"odd types":           {200, `{"contacts":{"a":1},"messages":[{"id":17,"message_status":{"x":1}}]}`, sender.Result{Fate: sender.Taken, WAMID: "17"}},
		"no messages":         {200, `{}`, sender.Result{Fate: sender.Taken}},
		"nothing":             {200, ``, sender.Result{Fate: sender.Taken}},
		"not JSON":            {200, `<html>`, sender.Result{Fate: sender.Taken}},
		"200 with an error":   {200, graphError, sender.Result{Fate: sender.Ambiguous}},
		"refused":             {400, graphError, sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 131026, Title: "Undeliverable", Details: "No such user.", TraceID: "Tr1", Reaction: sender.Undeliverable}}},
		"refused by 500":      {500, `{"error":{"code":"2","message":"Service temporarily unavailable"}}`, sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 2, Title: "Service unavailable", Details: "Service temporarily unavailable", Reaction: sender.Retry}}},
		"data as a text":      {400, `{"error":{"code":100,"message":"x","error_data":"{\"details\":\"bad to\"}"}}`, sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 100, Title: "Invalid parameter", Details: "bad to", Reaction: sender.FailMessage}}},
		"data as plain text":  {400, `{"error":{"code":100,"message":"x","error_data":"bad\n to"}}`, sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 100, Title: "Invalid parameter", Details: "bad to", Reaction: sender.FailMessage}}},
		"an unknown code":     {400, `{"error":{"code":999999,"message":"(#999999) Brand new"}}`, sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 999999, Title: "Brand new", Reaction: sender.FailMessage}}},
		"unknown but passing": {400, `{"error":{"code":999999,"is_transient":true}}`, sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 999999, Title: "Unknown error", Reaction: sender.Retry}}},
		"code 0":              {401, `{"error":{"code":0,"message":"AuthException"}}`, sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 0, Title: "Authentication failed", Details: "AuthException", Reaction: sender.PauseToken}}},
		"wrong number":        {400, `{"error":{"code":100,"error_subcode":33,"message":"x"}}`, sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 100, Title: "Invalid parameter", Details: "x", Reaction: sender.PauseNumber}}},
		"no code":             {400, `{"error":{"message":"x"}}`, sender.Result{Fate: sender.Ambiguous}},
		"an error as a text":  {403, `{"error":"forbidden"}`, sender.Result{Fate: sender.Ambiguous}},
		"500 without a body":  {500, ``, sender.Result{Fate: sender.Ambiguous}},
		"a gateway's page":    {502, `<html>Bad gateway</html>`, sender.Result{Fate: sender.Ambiguous}},
		"200's body with 500": {500, taken, sender.Result{Fate: sender.Ambiguous}},
		"204":                 {204, ``, sender.Result{Fate: sender.Ambiguous}},
		"far too long":        {200, `{"messages":[{"id":"wamid.A"}],"x":"` + strings.Repeat("y", 70<<10) + `"}`, sender.Result{Fate: sender.Taken}},
		"far too long a 500":  {500, strings.Repeat("y", 70<<10), sender.Result{Fate: sender.Ambiguous}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := send(t, client(t, answering(t, tt.status, tt.body)))
			if (got.Cause != nil) != (tt.want.Fate == sender.Ambiguous) {
				t.Errorf("cause %v", got.Cause)
			}
			got.Cause = nil
			if !same(got, tt.want) {
				t.Errorf("got %+v (%+v), want %+v (%+v)", got, got.Err, tt.want, tt.want.Err)
			}
		})
	}
}

func same(a, b sender.Result) bool {
	if (a.Err == nil) != (b.Err == nil) || (a.Err != nil && *a.Err != *b.Err) {
		return false
	}
	a.Err, b.Err = nil, nil
	return a == b
}

func TestRetryAfter(t *testing.T) {
	usage := `{"500":[{"type":"whatsapp_business_management","estimated_time_to_regain_access":3},{"type":"whatsapp","estimated_time_to_regain_access":"7"}]}`
	tests := map[string]struct {
		code    int
		headers []string
		want    time.Duration
	}{
		"nothing said":            {130429, nil, 0},
		"seconds":                 {130429, []string{"Retry-After", "12"}, 12 * time.Second},
		"a day at most":           {130429, []string{"Retry-After", "99999999999"}, 24 * time.Hour},
		"never backwards":         {130429, []string{"Retry-After", "-5"}, 0},
		"a past date":             {130429, []string{"Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT"}, 0},
		"nonsense":                {130429, []string{"Retry-After", "soon"}, 0},
		"minutes of usage":        {80007, []string{"X-Business-Use-Case-Usage", usage}, 7 * time.Minute},
		"the longer of both":      {80007, []string{"Retry-After", "1000", "X-Business-Use-Case-Usage", usage}, 1000 * time.Second},
		"broken usage":            {130429, []string{"X-Business-Use-Case-Usage", "{"}, 0},
		"Meta's own page":         {134101, nil, 10 * time.Minute},
		"the server beats a page": {134101, []string{"Retry-After", "5"}, 5 * time.Second},
		"not for a final refusal": {131026, []string{"Retry-After", "5"}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := send(t, client(t, answering(t, 400, fmt.Sprintf(`{"error":{"code":%d}}`, tt.code), tt.headers...)))
			if got.Err == nil || got.Err.RetryAfter != tt.want {
				t.Errorf("got %+v, want %v", got.Err, tt.want)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var requests int
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		http.Redirect(w, r, server.URL+"/elsewhere", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	if got := send(t, client(t, server.URL)); got.Fate != sender.Ambiguous || requests != 1 {
		t.Errorf("%+v after %d requests", got, requests)
	}
}

// The header set is exact: net/http would replay a POST that has an idempotency key.
func TestRequestOnTheWire(t *testing.T) {
	var header http.Header
	var line, body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		b.ReadFrom(r.Body)
		header, line, body = r.Header, r.Method+" "+r.RequestURI+" "+r.Proto+" "+r.Host, b.String()
		w.Write([]byte(taken))
	}))
	t.Cleanup(server.Close)
	c := client(t, server.URL+"/prefix/")
	p := post(`{"a":"è"}`)
	p.Edge = "marketing_messages"
	if got := c.Send(t.Context(), p); got.Fate != sender.Taken {
		t.Fatalf("%+v", got)
	}
	if want := "POST /prefix/v25.0/111222333444/marketing_messages HTTP/1.1 " + strings.TrimPrefix(server.URL, "http://"); line != want || body != `{"a":"è"}` {
		t.Errorf("got %q with body %q, want %q", line, body, want)
	}
	want := http.Header{"Authorization": {"Bearer " + secret}, "Content-Type": {"application/json"}, "Content-Length": {"10"}, "User-Agent": {"permesso"}}
	if len(header) != len(want) {
		t.Errorf("headers %v, want exactly %v", header, want)
	}
	for name, values := range want {
		if !slices.Equal(header[name], values) {
			t.Errorf("header %s is %q, want %q", name, header[name], values)
		}
	}
}

func TestNeverBegun(t *testing.T) {
	base := answering(t, 200, taken)
	tests := map[string]struct {
		change func(*sender.Post)
		token  string
		want   string
	}{
		"a path for a number":  {func(p *sender.Post) { p.NumberID = "1/../2" }, secret, "no address"},
		"no number":            {func(p *sender.Post) { p.NumberID = "" }, secret, "no address"},
		"another edge":         {func(p *sender.Post) { p.Edge = "register" }, secret, "no address"},
		"an empty message":     {func(p *sender.Post) { p.Body = nil }, secret, "empty"},
		"no time":              {func(p *sender.Post) { p.BeginBy = time.Time{} }, secret, "too late"},
		"its time has run out": {func(p *sender.Post) { p.BeginBy = time.Now().Add(-time.Millisecond) }, secret, "too late"},
		"no token":             {func(*sender.Post) {}, "", "token is empty"},
		"a broken token":       {func(*sender.Post) {}, secret + "\n", "no token has"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := post("{}")
			tt.change(&p)
			got := client(t, base, func(o *graph.Options) { o.Token = func() string { return tt.token } }).Send(t.Context(), p)
			if got.Fate != sender.NotSent || got.Cause == nil || !strings.Contains(got.Cause.Error(), tt.want) || strings.Contains(got.Cause.Error(), secret) {
				t.Errorf("got %+v, want NotSent with %q", got, tt.want)
			}
		})
	}
}
