package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/permesso/permesso/internal/sandbox"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := sandbox.Options{Token: "t", AccountID: "1", Numbers: []sandbox.Number{{ID: "2", DisplayPhone: "+39 06", CountryCode: "+39"}}}
	if _, err := sandbox.New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*sandbox.Options){
		"no token":     func(o *sandbox.Options) { o.Token = "" },
		"no account":   func(o *sandbox.Options) { o.AccountID = "" },
		"no number":    func(o *sandbox.Options) { o.Numbers = nil },
		"number twice": func(o *sandbox.Options) { o.Numbers = append(slices.Clone(o.Numbers), o.Numbers[0]) },
		"no secret":    func(o *sandbox.Options) { o.WebhookURL = inbox },
		"country as letter": func(o *sandbox.Options) {
			o.Numbers = []sandbox.Number{{ID: "2", DisplayPhone: "1", CountryCode: "IT"}}
		},
		"no display phone": func(o *sandbox.Options) { o.Numbers = []sandbox.Number{{ID: "2", CountryCode: "39"}} },
		"negative rate": func(o *sandbox.Options) {
			o.Numbers = []sandbox.Number{{ID: "2", DisplayPhone: "1", CountryCode: "39", MessagesPerSecond: -1}}
		},
		"big batch":       func(o *sandbox.Options) { o.BatchSize = 1001 },
		"bad template":    func(o *sandbox.Options) { o.Templates = []json.RawMessage{json.RawMessage(`{"name":"x"}`)} },
		"broken template": func(o *sandbox.Options) { o.Templates = []json.RawMessage{json.RawMessage(`{`)} },
		"template twice":  func(o *sandbox.Options) { o.Templates = append(sandbox.DemoTemplates(), sandbox.DemoTemplates()...) },
		"odd component": func(o *sandbox.Options) {
			o.Templates = []json.RawMessage{json.RawMessage(`{"id":"1","name":"x","language":"it","status":"APPROVED","category":"UTILITY","components":[{"type":"SONG"}]}`)}
		},
	} {
		o := good
		change(&o)
		if _, err := sandbox.New(o); err == nil || !strings.HasPrefix(err.Error(), "sandbox: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, nil)
	for _, path := range []string{"/v25.0/" + number + "/messages", "/v25.0/" + account + "/message_templates"} {
		for header, status := range map[string]int{"Bearer " + token: 0, "Bearer other": 401, token: 401, "": 401} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, graph+path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", header)
			got := do(t, s, r)
			if (got.status == 401) != (status == 401) || status == 401 && got.code() != 190 {
				t.Errorf("%s with %q: %d %s", path, header, got.status, got.raw)
			}
		}
	}
	s.RefuseToken(true)
	if got := send(t, s, offer("+393331112223")); got.code() != 190 || at(got.body, "error", "error_subcode") != 463.0 {
		t.Error(got.raw)
	}
	s.RefuseToken(false)
	if got := send(t, s, offer("+393331112223")); got.code() != 0 {
		t.Error(got.raw)
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, nil)
	for _, c := range []struct {
		method, path string
		code         int
	}{
		{http.MethodPost, "/v25.0/999/messages", 100},
		{http.MethodPost, "/v26.0/999/marketing_messages", 100},
		{http.MethodGet, "/v25.0/999", 100},
		{http.MethodGet, "/v25.0/" + number + "/messages", 100},
		{http.MethodGet, "/" + number, 2500},
		{http.MethodGet, "/25.0/" + number, 2500},
		{http.MethodGet, "/v25/" + number, 2500},
		{http.MethodGet, "/v25.0/", 2500},
		{http.MethodGet, "/v25.0/a/b/c", 2500},
		{http.MethodGet, "/v19.0/" + number, 0},
		{http.MethodPost, "/v25.0/" + account + "/subscribed_apps", 0},
		{http.MethodGet, "/v25.0/" + account + "/subscribed_apps", 0},
		{http.MethodDelete, "/v25.0/" + account + "/subscribed_apps", 0},
		{http.MethodGet, "/v25.0/" + account, 0},
		{http.MethodGet, "/v25.0/" + account + "/phone_numbers", 0},
	} {
		got := call(t, s, c.method, c.path, "")
		if got.code() != c.code {
			t.Errorf("%s %s: %s", c.method, c.path, got.raw)
		}
		if c.code == 100 && (at(got.body, "error", "error_subcode") != 33.0 || at(got.body, "error", "type") != "GraphMethodException" || got.status != 400) {
			t.Errorf("%s %s: %d %s", c.method, c.path, got.status, got.raw)
		}
	}
}

// More people than the limit are refused, in any number's name; who was reached gets the next message too.
func TestMessagingLimit(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, func(o *sandbox.Options) {
		o.MessagingLimit = 2
		o.Numbers = append(o.Numbers, sandbox.Number{ID: "2", DisplayPhone: "+39 06 1112 2234", CountryCode: "39"})
	})
	if got := call(t, s, http.MethodGet, "/v25.0/"+number+"?fields=whatsapp_business_manager_messaging_limit", ""); at(got.body, "whatsapp_business_manager_messaging_limit") != "TIER_2" {
		t.Error(got.raw)
	}
	for i, c := range []struct {
		from, to string
		code     int
	}{{number, "393471000001", 0}, {"2", "393471000002", 0}, {number, "393471000003", 131048}, {"2", "393471000001", 0}, {"2", "393471000004", 131048}} {
		body := `{"messaging_product":"whatsapp","to":"+` + c.to + `","type":"template","template":{"name":"weekend_offer","language":{"code":"it"},"components":[` +
			`{"type":"body","parameters":[{"type":"text","text":"Ada"},{"type":"text","text":"oggi"}]},{"type":"button","sub_type":"url","index":"0","parameters":[{"type":"text","text":"x"}]}]}}`
		if got := call(t, s, http.MethodPost, "/v25.0/"+c.from+"/messages", body); got.code() != c.code {
			t.Errorf("message %d: %s", i, got.raw)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, nil)
	path := "/v25.0/" + number + "?fields=quality_rating,whatsapp_business_manager_messaging_limit,throughput,health_status,status"
	got := call(t, s, http.MethodGet, path, "")
	if at(got.body, "id") != number || at(got.body, "quality_rating") != "GREEN" || at(got.body, "throughput", "level") != "HIGH" || at(got.body, "health_status", "can_send_message") != "AVAILABLE" {
		t.Error(got.raw)
	}
	for field, v := range map[string]any{"quality_rating": "RED", "whatsapp_business_manager_messaging_limit": "TIER_2K"} {
		if err := s.SetNumberField(number, field, v); err != nil {
			t.Fatal(err)
		}
		if got := call(t, s, http.MethodGet, path, ""); at(got.body, field) != v {
			t.Error(got.raw)
		}
	}
	if got := call(t, s, http.MethodGet, "/v25.0/"+number+"?fields=colour", ""); got.code() != 100 {
		t.Error(got.raw)
	}
	if s.SetNumberField("9", "status", "BANNED") == nil || s.SetNumberField(number, "status", func() {}) == nil {
		t.Error("an impossible change was taken")
	}
	list := call(t, s, http.MethodGet, "/v25.0/"+account+"/phone_numbers", "")
	if at(list.body, "data", 0, "id") != number || at(list.body, "data", 0, "display_phone_number") != "+39 06 1112 2233" {
		t.Error(list.raw)
	}
}

func TestTemplateListing(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, func(o *sandbox.Options) { o.Templates = stored() })
	base := "/v25.0/" + account + "/message_templates"
	var names []string
	next, pages := base+"?limit=4&fields=name,language,status", 0
	var cursor string
	for next != "" {
		got := call(t, s, http.MethodGet, next, "")
		if got.code() != 0 {
			t.Fatal(got.raw)
		}
		data, _ := got.body["data"].([]any)
		for _, d := range data {
			names = append(names, fmt.Sprint(at(d, "name"), " ", at(d, "language")))
			if at(d, "id") == nil || at(d, "components") != nil {
				t.Errorf("fields of %v", d)
			}
		}
		pages++
		cursor, _ = at(got.body, "paging", "cursors", "after").(string)
		link, _ := at(got.body, "paging", "next").(string)
		next = strings.TrimPrefix(link, graph)
		if link != "" && next == link {
			t.Fatalf("next page %q is on another host", link)
		}
	}
	if len(names) != 18 || pages != 5 || len(slices.Compact(slices.Sorted(slices.Values(names)))) != 18 {
		t.Errorf("%d templates on %d pages: %v", len(names), pages, names)
	}
	if got := call(t, s, http.MethodGet, base+"?name=weekend_offer", ""); len(got.body["data"].([]any)) != 2 || at(got.body, "paging", "next") != nil || at(got.body, "data", 0, "quality_score") != nil || at(got.body, "data", 0, "components") == nil {
		t.Error(got.raw)
	}
	if got := call(t, s, http.MethodGet, base+"?name=weekend_offer&language=en&fields=quality_score", ""); at(got.body, "data", 0, "quality_score", "score") != "GREEN" {
		t.Error(got.raw)
	}
	if got := call(t, s, http.MethodGet, base+"?name=none", ""); got.code() != 0 || got.body["paging"] != nil {
		t.Error(got.raw)
	}
	for _, bad := range []string{"?limit=0", "?limit=x", "?fields=colour"} {
		if got := call(t, s, http.MethodGet, base+bad, ""); got.code() != 100 {
			t.Errorf("%s: %s", bad, got.raw)
		}
	}
	s.ExpireCursors()
	for _, after := range []string{cursor, "QVFIxxx", "x"} {
		if got := call(t, s, http.MethodGet, base+"?after="+url.QueryEscape(after), ""); got.code() != 131059 || got.status != 400 {
			t.Errorf("%s: %s", after, got.raw)
		}
	}
	if got := call(t, s, http.MethodGet, "/v25.0/1304694804498701?fields=status,name", ""); at(got.body, "status") != "APPROVED" || at(got.body, "name") != "weekend_offer" {
		t.Error(got.raw)
	}
}

func TestTemplateStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, rec := running(t, nil)
		if err := s.SetTemplateStatus("weekend_offer", "it", "PAUSED"); err != nil {
			t.Fatal(err)
		}
		if got := send(t, s, offer("+393331112223")); got.code() != 132015 {
			t.Error(got.raw)
		}
		if got := call(t, s, http.MethodGet, "/v25.0/"+account+"/message_templates?name=weekend_offer&language=it", ""); at(got.body, "data", 0, "status") != "PAUSED" {
			t.Error(got.raw)
		}
		if got := call(t, s, http.MethodPost, "/v25.0/1304694804498701/unpause", ""); got.code() != 0 {
			t.Error(got.raw)
		}
		if err := s.SetTemplateStatus("weekend_offer", "en", "DISABLED"); err != nil {
			t.Fatal(err)
		}
		if got := send(t, s, offer("+393331112223")); got.code() != 0 {
			t.Error(got.raw)
		}
		if s.SetTemplateStatus("weekend_offer", "fr", "PAUSED") == nil {
			t.Error("an unknown template was paused")
		}
		idle(t, s)
		all := rec.told(t)
		const field = "message_template_status_update"
		if diff := cmp.Diff([]string{field + " PAUSED", field + " APPROVED", field + " DISABLED", "sent", "delivered", "read"}, words(all)); diff != "" {
			t.Fatal(diff)
		}
		v := all[0].value
		if v["message_template_id"] != 1304694804498701.0 || v["message_template_language"] != "it" || v["reason"] != "NONE" || at(v, "other_info", "title") != "FIRST_PAUSE" || all[0].time == nil {
			t.Errorf("PAUSED: %v", v)
		}
		if reason, has := all[1].value["reason"]; !has || reason != nil {
			t.Errorf("APPROVED: %v", all[1].value)
		}
	})
}

func TestPutTemplate(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, nil)
	raw := json.RawMessage(`{"id":"1304694804498701","name":"weekend_offer","language":"it","status":"APPROVED","category":"MARKETING","components":[{"type":"BODY","text":"Ciao {{1}}."}]}`)
	if err := s.PutTemplate(raw); err != nil {
		t.Fatal(err)
	}
	if got := send(t, s, offer("+393331112223")); got.code() != 132000 {
		t.Error(got.raw)
	}
	if s.PutTemplate(json.RawMessage(`{}`)) == nil {
		t.Error("an empty template was taken")
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate float64
		each time.Duration // between tries
		want int           // accepted within ten seconds
	}{
		{10, 10 * time.Millisecond, 100},
		{0.5, 100 * time.Millisecond, 5},
		{10, 100 * time.Millisecond, 100},
		{0, 10 * time.Millisecond, 1000},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSandbox(t, func(o *sandbox.Options) { o.Numbers[0].MessagesPerSecond = c.rate; o.WebhookURL = "" })
			for started := time.Now(); time.Since(started) < 10*time.Second; time.Sleep(c.each) {
				if got := send(t, s, offer("+393331112223")); got.code() != 0 && got.code() != 130429 {
					t.Fatal(got.raw)
				}
			}
			if s.Count() != c.want {
				t.Errorf("%v per second: %d accepted in 10 s, want %d", c.rate, s.Count(), c.want)
			}
			all := s.Received()
			for i := int(c.rate); c.rate >= 1 && i < len(all); i++ {
				if all[i].At.Sub(all[i-int(c.rate)].At) < time.Second {
					t.Fatalf("more than %v in one second", c.rate)
				}
			}
		})
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSandbox(t, func(o *sandbox.Options) { o.Latency = 70 * time.Millisecond; o.WebhookURL = "" })
		for _, to := range []string{"+393331112223", "mario"} {
			started := time.Now()
			send(t, s, offer(to))
			if took := time.Since(started); took != 70*time.Millisecond {
				t.Errorf("to %s: %s", to, took)
			}
		}
	})
}

func TestRecordOff(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, func(o *sandbox.Options) { o.Record = false })
	send(t, s, offer("+393331112223"))
	if s.Count() != 1 || s.Received() != nil {
		t.Errorf("%d accepted, recorded %v", s.Count(), s.Received())
	}
}

func TestReceived(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, nil)
	body := offer("+5531988887777")
	got := send(t, s, body)
	want := sandbox.Received{
		NumberID: number, Endpoint: "messages", To: "+5531988887777", WaID: "553188887777", UserID: s.UserID("+5531988887777"),
		Template: "weekend_offer", Language: "it", Callback: "cb:+5531988887777", WAMID: got.wamid(), Body: json.RawMessage(body),
	}
	r := s.Received()[0]
	want.At, want.Components = r.At, r.Components
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	var components []any
	if err := json.Unmarshal(r.Components, &components); err != nil || len(components) != 3 {
		t.Errorf("components %s: %v", r.Components, err)
	}
}

func TestLedger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := newSandbox(t, func(o *sandbox.Options) { o.Ledger = &out })
	for _, to := range []string{"+393331112223", "mario", "+39333990101", "+39333990102", "+39333990105", "+39333990502"} {
		send(t, s, offer(to))
	}
	var seen []string
	for line := range strings.Lines(out.String()) {
		var l struct {
			At                              time.Time
			Number, Endpoint, To            string
			Callback, Template, Lang, WAMID string
			HTTP, Code                      int
			Begin, Decided                  int64
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if l.Number != number || l.Endpoint != "messages" || l.Callback != "cb:"+l.To || l.Template != "weekend_offer" || l.At.IsZero() ||
			l.Begin == 0 || l.Begin > l.Decided {
			t.Errorf("line %s", line)
		}
		seen = append(seen, fmt.Sprint(l.To, " ", l.HTTP, " ", l.Code, " ", l.WAMID != ""))
	}
	want := []string{"+393331112223 200 0 true", "mario 400 131009 false", "+39333990101 0 0 true", "+39333990102 0 0 false", "+39333990105 500 0 true", "+39333990502 502 0 false"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
}

// TestLedgerOnDisk has every line in the file by the time its answer is out.
func TestLedgerOnDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.ndjson")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	s := newSandbox(t, func(o *sandbox.Options) { o.Ledger = f; o.WebhookURL = "" })
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 25 {
				wamid := send(t, s, offer(fmt.Sprintf("+39333%d%06d", worker, i))).wamid()
				written, err := os.ReadFile(path)
				if err != nil || wamid == "" || !bytes.Contains(written, []byte(wamid)) {
					t.Errorf("answered before it was written: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	written, err := os.ReadFile(path)
	if err != nil || bytes.Count(written, []byte("\n")) != 200 {
		t.Errorf("%d lines, %v", bytes.Count(written, []byte("\n")), err)
	}
}

// TestOverASocket sends from many connections at once, with webhooks.
func TestOverASocket(t *testing.T) {
	t.Parallel()
	rec := &receiver{}
	s := newSandbox(t, func(o *sandbox.Options) { o.Client = &http.Client{Transport: rec} })
	go func() { _ = s.Run(t.Context()) }()
	base := listen(t, s)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for i := range 50 {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v25.0/"+number+"/messages", bytes.NewReader(typicalBody(int64(worker*50+i))))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+token)
				r.Header.Set("Content-Type", "application/json")
				res, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_ = res.Body.Close()
				if res.StatusCode != http.StatusOK {
					t.Errorf("status %d", res.StatusCode)
				}
			}
		})
	}
	wg.Wait()
	if err := s.Idle(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, r := range s.Received() {
		ids[r.WAMID] = true
	}
	if s.Count() != 800 || len(ids) != 800 {
		t.Errorf("%d accepted, %d different ids", s.Count(), len(ids))
	}
	counts := map[string]int{}
	for _, w := range words(rec.told(t)) {
		counts[w]++
	}
	if diff := cmp.Diff(map[string]int{"sent": 800, "delivered": 800, "read": 800}, counts); diff != "" {
		t.Error(diff)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v25.0/"+number+"/messages", strings.NewReader(offer("+39333990101")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	if res, err := client.Do(r); err == nil {
		_ = res.Body.Close()
		t.Error("a closed connection answered")
	}
	if s.Count() != 801 {
		t.Error("the message behind a closed connection must exist")
	}
}

func TestDemoTemplates(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, nil)
	for name, c := range map[string]struct {
		body string
		code int
	}{
		"it":     {offer("+393331112223"), 0},
		"en":     {strings.Replace(offer("+393331112223"), `"code":"it"`, `"code":"en"`, 1), 0},
		"order":  {strings.Replace(with("order_update", body(named("first_name", "Ada"), named("order", "A-1"))), `"code":"it"`, `"code":"en"`, 1), 0},
		"paused": {with("winter_preview", body(txt("Ada"))), 132015},
	} {
		if got := send(t, s, c.body); got.code() != c.code {
			t.Errorf("%s: %s", name, got.raw)
		}
	}
}
