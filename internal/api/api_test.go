package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/api"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

const ada = "+393471234567"

// Every item that a file's rules refuse is refused here by the same rules, with its field, a code and what to do; those beside it are taken.
func TestBadConsents(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ahead := func(d time.Duration) string { return time.Now().Add(d).Format(time.RFC3339) }
	for name, tt := range map[string]struct {
		change            map[string]any
		field, code, says string
	}{
		"no phone":             {map[string]any{"phone": nil}, "phone", "phone_empty", ""},
		"too short":            {map[string]any{"phone": "+3934"}, "phone", "phone_too_short", ""},
		"no number":            {map[string]any{"phone": "call me"}, "phone", "", ""},
		"a number as number":   {map[string]any{"phone": 393471234567}, "phone", "row_field_wrong_kind", "double quotes"},
		"category":             {map[string]any{"category": "ofers"}, "category", "row_category_unknown", "did you mean offers?"},
		"no category":          {map[string]any{"category": nil}, "category", "row_category_unknown", "offers, orders"},
		"action":               {map[string]any{"action": "grant"}, "action", "row_action_unknown", "did you mean granted?"},
		"confirmed":            {map[string]any{"action": "confirmed"}, "action", "row_action_unknown", "pending"},
		"no time":              {map[string]any{"at": nil}, "at", "row_without_time", ""},
		"no offset":            {map[string]any{"at": "2026-11-20T18:30:00"}, "at", "row_time_without_offset", "+01:00"},
		"future":               {map[string]any{"at": ahead(3 * time.Minute)}, "at", "row_time_in_future", ""},
		"no source":            {map[string]any{"source": nil}, "source", "row_without_source", ""},
		"source":               {map[string]any{"source": "web-form"}, "source", "row_source_unknown", "did you mean web_form?"},
		"no wording":           {map[string]any{"wording": "  "}, "wording", "row_without_wording", ""},
		"pending, unprovable":  {map[string]any{"action": "pending", "wording": nil}, "wording", "row_without_wording", ""},
		"language":             {map[string]any{"language": "italiano!"}, "language", "row_language_unknown", ""},
		"address":              {map[string]any{"ip": "192.0.2.7:80"}, "ip", "row_address_unreadable", ""},
		"agent":                {map[string]any{"agent": strings.Repeat("x", 1001)}, "agent", "row_text_too_long", ""},
		"NUL":                  {map[string]any{"evidence": "a\x00b"}, "evidence", "row_damaged", ""},
		"a field of no reader": {map[string]any{"sorce": "web_form"}, "sorce", "row_field_unknown", "did you mean source?"},
		"a field of a number":  {map[string]any{"+39 347 1234567": "granted"}, "…", "row_field_unknown", ""},
		"a list for a text":    {map[string]any{"wording": []string{"x"}}, "wording", "row_field_wrong_kind", ""},
	} {
		t.Run(name, func(t *testing.T) {
			good := consent(map[string]any{"evidence": name})
			before := s.events(ada)
			got := s.ask("POST", "consents", list(good, consent(tt.change), consent(map[string]any{"action": "revoked", "evidence": name, "source": nil, "wording": nil})))
			a := read(t, got)
			if got.Code != 207 || a.Accepted != 2 || a.Rejected != 1 || s.events(ada) != before+2 {
				t.Fatalf("%d %s", got.Code, got.Body)
			}
			it := a.Items[1]
			if it.Status != "rejected" || it.Field != tt.field || tt.code != "" && it.Code != tt.code || it.Code == "" || !strings.Contains(it.Reason, tt.says) || it.Reason == "" {
				t.Errorf("%+v", it)
			}
			alone := s.ask("POST", "consents", consent(tt.change))
			if p := read(t, alone); alone.Code != 422 || p.Code != it.Code || p.Field != it.Field || p.Detail != it.Reason {
				t.Errorf("alone: %d %s", alone.Code, alone.Body)
			}
			if strings.Contains(got.Body.String()+alone.Body.String(), "3471234567") {
				t.Error("the answer has a number in it")
			}
		})
	}
}

func TestGoodConsents(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	soon := time.Now().Add(30 * time.Second).Format(time.RFC3339)
	for _, tt := range []struct {
		body   string
		status int
		says   string // "accepted, duplicate, rejected"
	}{
		{consent(nil), 201, "1 0 0"},
		{consent(nil), 200, "0 1 0"},
		{consent(map[string]any{"phone": "0039 347 123 4567", "language": "it_it", "ip": "::ffff:192.0.2.7", "agent": "x"}), 200, "0 1 0"}, // the same event, told otherwise
		{list(consent(nil), consent(map[string]any{"category": "orders", "language": "it", "ip": "2001:db8::1", "agent": "Mozilla"})), 201, "1 1 0"},
		{list(consent(map[string]any{"action": "pending", "phone": "347 1111111"}), consent(map[string]any{"action": "pending", "phone": "3471111111"})), 201, "1 1 0"},
		{consent(map[string]any{"at": soon, "evidence": "a clock ahead"}), 201, "1 0 0"},
		{consent(map[string]any{"action": "REVOKED", "source": nil, "wording": nil, "phone": "+999123456789"}), 201, "1 0 0"}, // no plan has it: what is taken back is taken back
		{list("7", consent(nil)), 207, "0 1 1"},
		{list(`{"phone":"1","phone":"2"}`), 207, "0 0 1"},
	} {
		w := s.ask("POST", "consents", tt.body)
		if a := read(t, w); w.Code != tt.status || fmt.Sprint(a.Accepted, a.Duplicate, a.Rejected) != tt.says {
			t.Errorf("%d %s, want %d %s", w.Code, w.Body, tt.status, tt.says)
		}
	}
	events := must(s.store.Consents(t.Context(), ada))
	if e := events[1]; e.Actor != "key:all" || e.Category != "orders" || e.IP != "2001:db8::1" || e.Agent != "Mozilla" || e.Language != "it" {
		t.Errorf("the ledger has %+v", e)
	}
	if a := read(t, s.ask("POST", "consents", consent(map[string]any{"wording": "Sì", "phone": "+393472222222"}))); len(a.Items) != 1 || len(a.Items[0].Warnings) != 1 {
		t.Errorf("a wording that names nobody: %+v", a)
	}
}

// A program's consent is written down and lifts nothing: only an act of the person's own lifts their stop.
func TestConsentUnderAStop(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	must(s.store.Suppress(t.Context(), ada, "kind:marketing", "asked", "ada"))
	for category, want := range map[string]bool{"offers": true, "orders": false} {
		if a := read(t, s.ask("POST", "consents", consent(map[string]any{"category": category, "at": time.Now().Format(time.RFC3339)}))); a.Accepted != 1 || a.Items[0].Suppressed != want {
			t.Errorf("%s: %+v", category, a)
		}
	}
	for stop, err := range s.store.Suppressions(t.Context(), true) {
		if err != nil || stop.Scope != policy.Scope("kind:marketing") || !stop.LiftedAt.IsZero() {
			t.Errorf("the stop is %+v, %v", stop, err)
		}
		return
	}
	t.Error("the stop is gone")
}

func TestContacts(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for _, tt := range []struct {
		body   string
		status int
		says   string
	}{
		{`{"phone":"347 123 4567","name":"Ada","language":"it_IT","tags":["vip","a"],"attributes":{"Points":120,"ok":true,"left":null,"coupon":"'00123"}}`, 201, ""},
		{`{"phone":"+393471234567","name":null,"tags":"vip;b"}`, 201, ""},
		{`{"phone":"+393471234567","tags":"vip"}`, 200, ""},
		{`{"phone":"+393471234567","attributes":{"birthday":"1/2/2026"}}`, 422, "birthday"},
		{`{"phone":"+393471234567","attributes":{"a b":"1","a_b":"2"}}`, 422, "attributes.a_b"},
		{`{"phone":"+393471234567","attributes":{"a":"1","a":"2"}}`, 422, "attributes.a"},
		{`{"phone":"+393471234567","attributes":{"a":[1]}}`, 422, "attributes.a"},
		{`{"phone":"+393471234567","attributes":["a"]}`, 422, "attributes"},
		{`{"phone":"+393471234567","tags":[1]}`, 422, "tags"},
		{`{"phone":"+393471234567","tags":["a;b"]}`, 422, "tags"},
		{`{"phone":"+393471234567","nam":"x"}`, 422, "nam"},
		{`{"phone":"+393471234567","timezone":"Rome"}`, 422, "timezone"},
		{`{"phone":"+393471234567","name":"` + strings.Repeat("x", 256) + `"}`, 422, "name"},
		{`{"phone":393471234567}`, 422, "phone"},
		{`{"name":"nobody"}`, 422, "phone"},
		{`[{"phone":"+393472222222"},{"phone":"x"}]`, 207, ""},
	} {
		w := s.ask("POST", "contacts", tt.body)
		if a := read(t, w); w.Code != tt.status || a.Field != tt.says {
			t.Errorf("%s: %d %s", tt.body, w.Code, w.Body)
		}
	}
	for c, err := range s.store.Contacts(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if c.Phone != ada {
			continue
		}
		if got := fmt.Sprintf("%s %s %v %v", c.Name, c.Language, c.Tags, c.Attributes); got != "Ada it-IT [vip a b] map[coupon:'00123 ok:true points:120]" {
			t.Errorf("kept is %s", got)
		}
	}
}

// What is wrong with a request as a whole is said before anything of it is taken.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.key("log", report.Key{Scopes: []report.Scope{report.ScopeLog}})
	s.key("past", report.Key{Scopes: report.Scopes(), ExpiresAt: report.Time{Time: time.Now().Add(-time.Second)}})
	s.key("revoked", report.Key{Scopes: report.Scopes()})
	must(s.store.RevokeKey(t.Context(), "revoked", "ada"))
	for name, tt := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		code               string
	}{
		"no key":              {"POST", "consents", consent(nil), []string{"Authorization", "-"}, 401, "key_missing"},
		"another scheme":      {"POST", "consents", consent(nil), []string{"Authorization", "Basic YTpi"}, 401, "key_missing"},
		"no shape of a key":   {"POST", "consents", consent(nil), []string{"Authorization", "Bearer pk_1"}, 401, "key_wrong"},
		"nobody's key":        {"POST", "consents", consent(nil), []string{"Authorization", "Bearer pk_" + strings.Repeat("a", 43)}, 401, "key_wrong"},
		"expired":             {"POST", "consents", consent(nil), s.as("past"), 401, "key_wrong"},
		"revoked":             {"POST", "consents", consent(nil), s.as("revoked"), 401, "key_wrong"},
		"a browser":           {"GET", "log", "", []string{"Authorization", "-", "Sec-Fetch-Site", "none"}, 401, "key_missing"},
		"scope":               {"POST", "consents", consent(nil), s.as("log"), 403, "scope_missing"},
		"scope of contacts":   {"POST", "contacts", "{}", s.as("log"), 403, "scope_missing"},
		"scope of runs":       {"GET", "runs", "", s.as("log"), 403, "scope_missing"},
		"method":              {"PUT", "consents", consent(nil), nil, 405, "method_not_allowed"},
		"method of the log":   {"POST", "log", "", nil, 405, "method_not_allowed"},
		"method of openapi":   {"POST", "openapi.json", "", nil, 405, "method_not_allowed"},
		"path":                {"GET", "nowhere", "", nil, 404, "no_such_path"},
		"a form":              {"POST", "consents", "phone=1", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "not_json"},
		"no type":             {"POST", "contacts", "{}", []string{"Content-Type", "-"}, 415, "not_json"},
		"nothing":             {"POST", "consents", "", nil, 400, "malformed_json"},
		"no JSON":             {"POST", "consents", "{", nil, 400, "malformed_json"},
		"a list cut off":      {"POST", "consents", list(consent(nil))[:20], nil, 400, "malformed_json"},
		"a word":              {"POST", "consents", `"x"`, nil, 400, "malformed_json"},
		"null":                {"POST", "consents", "null", nil, 400, "malformed_json"},
		"two objects":         {"POST", "consents", consent(nil) + consent(nil), nil, 400, "malformed_json"},
		"an empty list":       {"POST", "consents", " [ ] ", nil, 400, "no_items"},
		"no UTF-8":            {"POST", "consents", strings.Replace(consent(nil), "Sì", "S\xec", 1), nil, 400, "not_utf8"},
		"deep":                {"POST", "consents", strings.Repeat("[", 500_000), nil, 400, "nested_too_deeply"},
		"deep objects":        {"POST", "contacts", strings.Repeat(`{"a":`, 17), nil, 400, "nested_too_deeply"},
		"large":               {"POST", "consents", strings.Repeat(" ", 1<<20+1), nil, 413, "body_too_large"},
		"many":                {"POST", "consents", many(1001), nil, 413, "too_many_items"},
		"idempotency key":     {"POST", "consents", consent(nil), []string{"Idempotency-Key", "a b"}, 400, "idempotency_key_wrong"},
		"none":                {"POST", "consents", consent(nil), []string{"Idempotency-Key", ""}, 400, "idempotency_key_wrong"},
		"parameter":           {"GET", "log?campain=x", "", nil, 400, "parameter_unknown"},
		"twice":               {"GET", "log?run=x&run=y", "", nil, 400, "parameter_wrong"},
		"empty":               {"GET", "log?campaign=", "", nil, 400, "parameter_wrong"},
		"query":               {"GET", "log?a=%zz", "", nil, 400, "query_wrong"},
		"limit":               {"GET", "log?limit=1001", "", nil, 400, "parameter_wrong"},
		"state":               {"GET", "log?state=sended", "", nil, 400, "parameter_wrong"},
		"state and reason":    {"GET", "log?state=sended&reason=because", "", nil, 400, "parameter_wrong"},
		"reason":              {"GET", "log?reason=because", "", nil, 400, "parameter_wrong"},
		"phone":               {"GET", "log?phone=12", "", nil, 400, "parameter_wrong"},
		"since":               {"GET", "log?since=yesterday", "", nil, 400, "parameter_wrong"},
		"place":               {"GET", "log?after=x", "", nil, 400, "parameter_wrong"},
		"run":                 {"GET", "log?run=none", "", nil, 404, "no_such_run"},
		"state of a run":      {"GET", "runs?state=sent", "", nil, 400, "parameter_wrong"},
		"place among runs":    {"GET", "runs?after=!!", "", nil, 400, "parameter_wrong"},
		"a parameter of runs": {"GET", "runs?reason=x", "", nil, 400, "parameter_unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			w := s.ask(tt.method, tt.path, tt.body, tt.headers...)
			if p := read(t, w); w.Code != tt.status || p.Code != tt.code || p.Status != tt.status || p.Detail == "" || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if w.Code == 401 && !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
				t.Error("a 401 does not say how")
			}
			described(t, tt.method, tt.path, w)
		})
	}
	if s.events(ada) != 0 {
		t.Error("something of a bad request was taken")
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	body := list(consent(nil), consent(map[string]any{"category": "none"}))
	first := s.ask("POST", "consents", body, "Idempotency-Key", "form-1")
	again := s.ask("POST", "consents", body, "Idempotency-Key", "form-1")
	if first.Code != 207 || again.Code != first.Code || again.Body.String() != first.Body.String() {
		t.Errorf("%d %s, then %d %s", first.Code, first.Body, again.Code, again.Body)
	}
	for path, other := range map[string]string{"consents": consent(nil), "contacts": body} {
		if w := s.ask("POST", path, other, "Idempotency-Key", "form-1"); w.Code != 422 || read(t, w).Code != "idempotency_key_reused" {
			t.Errorf("%s: another request: %d %s", path, w.Code, w.Body)
		}
	}
	if w := s.ask("POST", "consents", body); w.Code != 207 || read(t, w).Duplicate != 1 {
		t.Errorf("without it: %d %s", w.Code, w.Body)
	}
}

func TestOneRequestManyTimesAtOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var all sync.WaitGroup
	answers := make([]*httptest.ResponseRecorder, 8)
	for i := range answers {
		all.Go(func() { answers[i] = s.ask("POST", "consents", consent(nil), "Idempotency-Key", "form-1") })
	}
	all.Wait()
	for _, w := range answers {
		if w.Code != 201 || w.Body.String() != answers[0].Body.String() {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if n := s.events(ada); n != 1 {
		t.Errorf("the ledger has %d events", n)
	}
}

func TestRevokedAtOnceAndEverywhere(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.key("form", report.Key{Scopes: []report.Scope{report.ScopeConsents}})
	other := api.New(options(s.store))
	if w := s.ask("POST", "consents", consent(nil), s.as("form")...); w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	must(s.store.RevokeKey(t.Context(), "form", "ada"))
	for _, handler := range []http.Handler{s.handler, other} {
		s.handler = handler
		if w := s.ask("POST", "consents", consent(nil), s.as("form")...); w.Code != 401 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

// A flood with a key waits, one without waits too, and neither keeps others out.
func TestFloods(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.key("quiet", report.Key{Scopes: report.Scopes()})
	if w := s.ask("GET", "runs", "", s.as("quiet")...); w.Code != 200 {
		t.Fatalf("another key: %d", w.Code)
	}
	flood := func(headers ...string) (refused *httptest.ResponseRecorder) {
		for range 400 {
			if w := s.ask("GET", "runs?limit=x", "", headers...); w.Code == 429 {
				return w
			}
		}
		return nil
	}
	for name, headers := range map[string][]string{"with a key": nil, "without": {"Authorization", "-"}, "with a wrong one": {"Authorization", "Bearer pk_" + strings.Repeat("b", 43)}} {
		w := flood(headers...)
		if w == nil || w.Header().Get("Retry-After") != "1" || read(t, w).Code != "too_many_requests" {
			t.Fatalf("%s: %+v", name, w)
		}
		described(t, "GET", "runs", w)
	}
	if w := s.ask("GET", "runs", "", s.as("quiet")...); w.Code != 200 {
		t.Errorf("another key after the floods: %d", w.Code)
	}
}

func TestADatabaseThatIsGone(t *testing.T) {
	t.Parallel()
	handler := api.New(api.Options{Keys: oneKey{}, Records: broken{}, Lists: broken{}, NoRun: errGone, Limits: api.NewLimits()})
	s := &shop{t: t, handler: handler, keys: map[string]string{"all": "pk_" + strings.Repeat("c", 43)}}
	for path, method := range map[string]string{"consents": "POST", "contacts": "POST", "log": "GET", "runs": "GET"} {
		w := s.ask(method, path, `{"phone":"+393471234567"}`)
		if p := read(t, w); w.Code != 503 || p.Code != "unavailable" || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "gone") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		described(t, method, path, w)
	}
}

func TestListsGoOnWhereTheyEnded(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var ids []string
	for i := range 3 {
		run, err := scheduler.NewRun(scheduler.Frozen{Campaign: scheduler.Campaign{ID: "offer", Category: "offers", Number: "1"}, Rules: policy.Rules{Categories: options(s.store).Categories}}, time.Now().Add(time.Duration(i)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		run, _, err = s.store.CreateRun(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, run.ID)
	}
	s.ask("POST", "contacts", `[{"phone":"+393471234567"},{"phone":"+393472222222"},{"phone":"+393473333333"}]`)
	var rows []scheduler.Row
	for c, err := range s.store.Contacts(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, scheduler.Row{PersonID: must(s.store.Find(t.Context(), c.Phone))[0], Decision: policy.Decision{Verdict: policy.Allow}})
	}
	if err := s.store.Enqueue(t.Context(), ids[0], rows); err != nil {
		t.Fatal(err)
	}
	walk := func(path, field string) (seen []string) {
		t.Helper()
		after := ""
		for range 10 {
			w := s.ask("GET", path+after, "")
			var page struct {
				Items []map[string]any
				Next  string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 || len(page.Items) > 2 {
				t.Fatalf("%s: %d %s", path+after, w.Code, w.Body)
			}
			described(t, "GET", strings.Split(path, "?")[0], w)
			for _, it := range page.Items {
				seen = append(seen, it[field].(string))
			}
			if page.Next == "" {
				return seen
			}
			after = "&after=" + page.Next
		}
		t.Fatal("the list has no end")
		return nil
	}
	if got := walk("runs?limit=2", "run"); fmt.Sprint(got) != fmt.Sprint([]string{ids[2], ids[1], ids[0]}) {
		t.Errorf("the runs are %v", got)
	}
	if got := walk("runs?limit=2&state=done&campaign=offer", "run"); len(got) != 0 {
		t.Errorf("the runs that are done are %v", got)
	}
	if got := walk("log?limit=2&run="+ids[0], "phone"); len(got) != 3 || got[0] == got[2] {
		t.Errorf("the log has %v", got)
	}
	if got := walk("log?limit=1&phone=347+123+4567&state=queued&since=2026-01-01T00:00:00Z", "phone"); fmt.Sprint(got) != "["+ada+"]" {
		t.Errorf("one person's lines are of %v", got)
	}
}
