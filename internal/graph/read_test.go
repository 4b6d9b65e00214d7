package graph_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/graph"
	"github.com/permesso/permesso/sender"
)

// pages serves answers by the cursor asked for; every cursor's answers are used up in order, the last one stays.
func pages(t *testing.T, answers map[string][]string) (base string, asked *[]string) {
	t.Helper()
	asked = new([]string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		after := r.URL.Query().Get("after")
		*asked = append(*asked, r.Method+" "+r.URL.Path+" after="+after+" name="+r.URL.Query().Get("name"))
		if r.Header.Get("Authorization") != "Bearer "+secret || !strings.Contains(r.URL.Query().Get("fields"), "components") {
			t.Errorf("asked for %s with %v", r.URL, r.Header)
		}
		list := answers[after]
		if len(list) == 0 {
			t.Errorf("asked for a page that is not there: %s", r.URL)
			return
		}
		if len(list) > 1 {
			answers[after] = list[1:]
		}
		if strings.Contains(list[0], `"error"`) {
			w.WriteHeader(http.StatusBadRequest)
		}
		io.WriteString(w, list[0])
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func page(after string, names ...string) string {
	var data []string
	for _, name := range names {
		data = append(data, fmt.Sprintf(`{"name":%q}`, name))
	}
	paging := ""
	if after != "" {
		paging = fmt.Sprintf(`,"paging":{"cursors":{"after":%q},"next":"https://graph.facebook.com/v25.0/1/message_templates?after=%s"}`, after, after)
	}
	return `{"data":[` + strings.Join(data, ",") + `]` + paging + `}`
}

func TestTemplates(t *testing.T) {
	stale := `{"error":{"code":131059,"message":"(#131059) Invalid cursor"}}`
	tests := map[string]struct {
		answers map[string][]string
		want    int
		err     string
	}{
		"one page":             {map[string][]string{"": {page("", "a", "b")}}, 2, ""},
		"none":                 {map[string][]string{"": {page("")}}, 0, ""},
		"three pages":          {map[string][]string{"": {page("x", "a", "b")}, "x": {page("y", "c")}, "y": {page("", "d")}}, 4, ""},
		"a last cursor":        {map[string][]string{"": {`{"data":[{"name":"a"}],"paging":{"cursors":{"after":"x"}}}`}}, 1, ""},
		"only an address":      {map[string][]string{"": {`{"data":[],"paging":{"next":"https://a.example/?after=x"}}`}, "x": {page("", "a")}}, 1, ""},
		"a stale cursor":       {map[string][]string{"": {page("x", "a"), page("y", "a")}, "x": {stale}, "y": {page("", "b")}}, 2, ""},
		"stale twice":          {map[string][]string{"": {page("x", "a")}, "x": {stale}}, 0, "131059"},
		"a circle":             {map[string][]string{"": {page("x", "a")}, "x": {page("y", "b")}, "y": {page("x", "c")}}, 0, "not where"},
		"on, but not where":    {map[string][]string{"": {`{"data":[],"paging":{"next":"https://a.example/"}}`}}, 0, "not where"},
		"no list":              {map[string][]string{"": {`{}`}}, 0, "no list"},
		"a null list":          {map[string][]string{"": {`{"data":null}`}}, 0, "no list"},
		"a list of another":    {map[string][]string{"": {`{"data":{}}`}}, 0, "not what was asked for"},
		"refused half way":     {map[string][]string{"": {page("x", "a")}, "x": {`{"error":{"code":190,"message":"expired"}}`}}, 0, "190"},
		"a page in the middle": {map[string][]string{"": {page("x", "a")}, "x": {`<html>`}}, 0, "not what was asked for"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			base, asked := pages(t, tt.answers)
			list, err := client(t, base).Templates(t.Context())
			if (err != nil) != (tt.err != "") || (err != nil && !strings.Contains(err.Error(), tt.err)) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			if len(list) != tt.want {
				t.Errorf("%d templates, want %d: %s", len(list), tt.want, list)
			}
			if !strings.HasPrefix((*asked)[0], "GET /v25.0/500600700800/message_templates after= ") {
				t.Errorf("asked %q", *asked)
			}
		})
	}
}

func TestEndlessTemplates(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		io.WriteString(w, page(fmt.Sprint("c", requests), "a"))
	}))
	t.Cleanup(server.Close)
	if _, err := client(t, server.URL).Templates(t.Context()); err == nil || requests > 2000 {
		t.Errorf("error %v after %d requests", err, requests)
	}
}

func TestTemplate(t *testing.T) {
	base, asked := pages(t, map[string][]string{"": {page("", "offer", "offer_2", "offer")}})
	list, err := client(t, base).Template(t.Context(), "offer")
	if err != nil || len(list) != 2 || !slices.Contains(*asked, "GET /v25.0/500600700800/message_templates after= name=offer") {
		t.Errorf("%s, %v; asked %q", list, err, *asked)
	}
	if _, err := client(t, base).Template(t.Context(), ""); err == nil {
		t.Error("a template without a name was read")
	}
	without := client(t, base, func(o *graph.Options) { o.AccountID = "" })
	if _, err := without.Templates(t.Context()); err == nil || !strings.Contains(err.Error(), "no account id") {
		t.Errorf("without an account: %v", err)
	}
}

func TestReadsEnd(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-done:
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(done) })
	if _, err := client(t, server.URL, patience(50*time.Millisecond)).Templates(t.Context()); err == nil || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(t, server.URL).Number(ctx, "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestNumber(t *testing.T) {
	full := `{"id":"111222333444","display_phone_number":"+39 06 1112 2233","verified_name":"Libreria Roma","quality_rating":"green","status":"CONNECTED",
	"name_status":"APPROVED","platform_type":"CLOUD_API","throughput":{"level":"STANDARD"},"whatsapp_business_manager_messaging_limit":"TIER_2K",
	"health_status":{"can_send_message":"LIMITED","entities":[{"entity_type":"WABA","errors":[{"error_code":141002,"error_description":"Slow.","possible_solution":"Pay."}]},{"entity_type":"APP"}]}}`
	got, err := client(t, answering(t, 200, full)).Number(t.Context(), "111222333444")
	want := graph.Number{ID: "111222333444", Display: "+39 06 1112 2233", VerifiedName: "Libreria Roma", Quality: "GREEN", Status: "CONNECTED",
		NameStatus: "APPROVED", Platform: "CLOUD_API", Throughput: "STANDARD", Tier: "TIER_2K", CanSend: "LIMITED", Problems: []string{"WABA 141002: Slow. Pay."}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Number: %v (-want +got):\n%s", err, diff)
	}
	if people, known := got.Limit(); people != 2000 || !known {
		t.Errorf("Limit = %d, %v", people, known)
	}
	for name, base := range map[string]string{
		"refused": answering(t, 404, `{"error":{"code":803,"message":"x"}}`), "another object": answering(t, 200, `{}`), "a page": answering(t, 502, `<html>`),
	} {
		_, err := client(t, base).Number(t.Context(), "111222333444")
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if refused, ok := errors.AsType[*sender.Error](err); (name == "refused") != (ok && refused.Reaction == sender.PauseNumber) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client(t, "http://nowhere.invalid").Number(t.Context(), "1/2"); err == nil || !strings.Contains(err.Error(), "phone number id") {
		t.Errorf("a path for an id: %v", err)
	}
}
