package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/internal/sandbox"
	"pgregory.net/rapid"
)

// TestSignatureVectors holds the vectors of graph-api.md §4.2.
func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"object":"whatsapp_business_account","entry":[]}`: "sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756",
		`{"a":"Ol\u00e1 \/ ciao"}`:                          "sha256=1ea7a8db1d2747696658896463f9a5c6e326b286e01f3e5bf99cdd5a180d7335",
	} {
		if got := sandbox.Sign(secret, []byte(body)); got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
}

// TestTextsArriveWhole sends any text through a webhook: what is parsed must
// be what was said, though the wire is ASCII with escaped slashes.
func TestTextsArriveWhole(t *testing.T) {
	t.Parallel()
	rec := &receiver{}
	s := newSandbox(t, func(o *sandbox.Options) { o.Client = &http.Client{Transport: rec} })
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.ToValidUTF8(rapid.String().Draw(rt, "text"), "")
		if _, err := s.InboundText(t.Context(), "+393331112223", text); err != nil {
			rt.Fatal(err)
		}
		all := rec.told(t)
		if got := at(all[len(all)-1].item, "text", "body"); got != text {
			rt.Fatalf("%q became %q", text, got)
		}
		rec.posts = rec.posts[:0]
	})
	if _, err := s.InboundText(t.Context(), "+393331112223", "perché / 🙂"); err != nil {
		t.Fatal(err)
	}
	if got := rec.posts[len(rec.posts)-1].body; !bytes.Contains(got, []byte(`"perch\u00e9 \/ \ud83d\ude42"`)) {
		t.Errorf("wire: %s", got)
	}
}

func TestRetriesUntilTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, rec := running(t, nil)
		down := time.Now().Add(time.Hour)
		rec.answer = func(int, []byte) int {
			if time.Now().Before(down) {
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		}
		for i := range 20 {
			send(t, s, offer(fmt.Sprintf("+39333000%04d", i)))
		}
		idle(t, s)
		counts := map[string]int{}
		for _, w := range words(rec.told(t)) {
			counts[w]++
		}
		if counts["sent"] != 20 || counts["delivered"] != 20 || counts["read"] != 20 || len(counts) != 3 {
			t.Errorf("told %v", counts)
		}
		var same []time.Time
		for _, p := range rec.posts {
			if bytes.Equal(p.body, rec.posts[0].body) {
				same = append(same, p.at)
			}
		}
		for i := 2; i < len(same); i++ {
			if same[i].Sub(same[i-1]) < same[i-1].Sub(same[i-2]) {
				t.Errorf("pause %d is shorter than the one before", i)
			}
		}
		if last := same[len(same)-1]; last.Before(down) || last.Sub(down) > time.Minute {
			t.Errorf("taken %s after the receiver came back", last.Sub(down))
		}
	})
}

// TestOneBadBodyStopsNoOther keeps one POST failing for ever.
func TestOneBadBodyStopsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, rec := running(t, func(o *sandbox.Options) { o.BatchSize = 1 })
		rec.answer = func(_ int, body []byte) int {
			if bytes.Contains(body, []byte("393330000000")) {
				return http.StatusInternalServerError
			}
			return http.StatusOK
		}
		for i := range 100 {
			send(t, s, offer(fmt.Sprintf("+39333%07d", i)))
		}
		time.Sleep(10 * time.Second)
		if got := len(rec.told(t)); got != 99*3 {
			t.Errorf("%d statuses, want %d", got, 99*3)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Idle(ctx); err == nil {
			t.Error("Idle while a webhook is not taken")
		}
	})
}

func TestBatches(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 7} {
		synctest.Test(t, func(t *testing.T) {
			s, rec := running(t, func(o *sandbox.Options) { o.BatchSize = size; o.OptOutEvery = 10 })
			rec.work = 50 * time.Millisecond
			const messages = 2500
			for i := range messages {
				send(t, s, offer(fmt.Sprintf("+39333%07d", i)))
			}
			idle(t, s)
			if got := len(rec.told(t)); got != 3*messages+messages/10 {
				t.Errorf("%d updates told", got)
			}
			limit := size
			if size == 0 {
				limit = 1000
			}
			largest, changes := 0, 0
			for _, p := range rec.posts {
				var body any
				if err := json.Unmarshal(p.body, &body); err != nil {
					t.Fatal(err)
				}
				largest = max(largest, len(newsOf(t, body)))
				list, _ := at(body, "entry", 0, "changes").([]any)
				changes = max(changes, len(list))
				if len(p.body) > 3<<20 {
					t.Errorf("a body of %d bytes", len(p.body))
				}
			}
			if largest != limit {
				t.Errorf("largest batch %d, want %d", largest, limit)
			}
			if changes < 2 {
				t.Error("no POST had several changes")
			}
			if rec.most > 8 || rec.most < 2 {
				t.Errorf("%d POSTs at a time", rec.most)
			}
		})
	}
}

func TestRunEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rec := &receiver{answer: func(int, []byte) int { return http.StatusServiceUnavailable }}
		s := newSandbox(t, func(o *sandbox.Options) { o.Client = &http.Client{Transport: rec}; o.StatusDelay = time.Minute })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		send(t, s, offer("+393331112223"))
		time.Sleep(90 * time.Second)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if rec.count() == 0 {
			t.Error("nothing was posted")
		}
	})
}

func TestInbound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, rec := running(t, nil)
		for i, in := range []sandbox.Inbound{
			{From: "+393351234567", Text: "Basta, cancellami"},
			{From: "+5531988887777", Text: "Parar"},
			{UserID: "IT.99", Button: "Stop offerte", Payload: "stop:42", ContextID: "wamid.X", NumberID: number},
			{From: "US.1234", Text: "Stop", ID: "wamid.same"},
			{From: "+393351234567", Raw: json.RawMessage(` {"type":"image","image":{"id":"1","caption":"STOP"}}`)},
		} {
			if status, err := s.Inbound(t.Context(), in); status != http.StatusOK || err != nil {
				t.Fatalf("%d: %d %v", i, status, err)
			}
		}
		all := rec.told(t)
		for i, from := range []any{"393351234567", "553188887777", nil, "US.1234", "393351234567"} {
			if got := all[i].item["from"]; got != from {
				t.Errorf("message %d is from %v, want %v", i, got, from)
			}
			if got := at(all[i].value["contacts"], 0, "wa_id"); got != from {
				t.Errorf("message %d has contact %v, want %v", i, got, from)
			}
			if all[i].item["from_user_id"] == nil || all[i].item["id"] == nil {
				t.Errorf("message %d: %v", i, all[i].item)
			}
		}
		if all[3].item["id"] != "wamid.same" || at(all[4].item, "image", "caption") != "STOP" || at(all[2].item, "context", "id") != "wamid.X" {
			t.Errorf("told %v", words(all))
		}
	})
}

func TestInboundAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, rec := running(t, nil)
		rec.answer = func(n int, _ []byte) int { return []int{503, 503, 200, 401, 400, 200, 200}[n] }
		started := time.Now()
		if status, err := s.InboundText(t.Context(), "+393331112223", "STOP"); status != http.StatusOK || err != nil || time.Since(started) != 300*time.Millisecond {
			t.Errorf("%d %v after %s", status, err, time.Since(started))
		}
		if status, err := s.Inbound(t.Context(), sandbox.Inbound{From: "+393331112223", Text: "STOP", Attempts: 1, BadSignature: true}); status != http.StatusUnauthorized || err == nil || rec.posts[3].signed {
			t.Errorf("bad signature: %d %v, signed %v", status, err, rec.posts[3].signed)
		}
		if status, _ := s.Post(t.Context(), []byte(`{`)); status != http.StatusBadRequest || !rec.posts[4].signed {
			t.Errorf("bytes as they are: %d, signed %v", status, rec.posts[4].signed)
		}
		if status, err := s.AccountEvent(t.Context(), "account_update", json.RawMessage(`{"event":"ACCOUNT_RESTRICTION"}`)); status != http.StatusOK || err != nil {
			t.Error(status, err)
		}
		if status, err := s.InboundButton(t.Context(), "+393331112223", "wamid.Y", "", "Stop offerte"); status != http.StatusOK || err != nil {
			t.Error(status, err)
		}
		all := rec.told(t)
		if n := all[1]; n.field != "account_update" || n.time == nil || n.value["metadata"] != nil {
			t.Errorf("account event %+v", n)
		}
		if at(all[2].item, "button", "payload") != "Stop offerte" {
			t.Errorf("a tap without a payload: %v", all[2].item)
		}
		for name, in := range map[string]sandbox.Inbound{
			"nobody":         {Text: "x"},
			"no digits":      {From: "mario", Text: "x"},
			"another number": {From: "+393331112223", NumberID: "1"},
			"raw array":      {From: "+393331112223", Raw: json.RawMessage(`[]`)},
		} {
			if _, err := s.Inbound(t.Context(), in); err == nil {
				t.Errorf("%s was taken", name)
			}
		}
	})
}

func TestPreferenceShape(t *testing.T) {
	t.Parallel()
	rec := &receiver{}
	s := newSandbox(t, func(o *sandbox.Options) { o.Client = &http.Client{Transport: rec} })
	for _, wish := range []string{"stop", "resume", "signup"} {
		if _, err := s.InboundPreference(t.Context(), "+393331112223", wish); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range rec.told(t) {
		if _, ok := n.item["timestamp"].(float64); !ok || n.field != "user_preferences" || n.item["category"] != "marketing_messages" ||
			n.item["wa_id"] != "393331112223" || n.item["user_id"] != s.UserID("+393331112223") || n.item["detail"] == "" {
			t.Errorf("%s: %v", n.field, n.item)
		}
		if _, has := n.item["signup_id"]; has != (n.item["value"] == "signup") {
			t.Errorf("signup_id in %v", n.item)
		}
	}
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	answers := map[string]struct {
		status int
		body   string
		ok     bool
	}{
		"proves it":   {200, "1158201444", true},
		"wrong token": {403, "", false},
		"wrong echo":  {200, "ok", false},
	}
	for name, a := range answers {
		s := newSandbox(t, func(o *sandbox.Options) {
			o.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				q := r.URL.Query()
				if r.Method != http.MethodGet || q.Get("hub.mode") != "subscribe" || q.Get("hub.verify_token") != "verify" || q.Get("hub.challenge") == "" {
					t.Errorf("asked %s %s", r.Method, r.URL)
				}
				return &http.Response{StatusCode: a.status, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
			})}
		})
		if err := s.Handshake(t.Context()); (err == nil) != a.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
