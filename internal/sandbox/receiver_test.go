package sandbox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/sandbox"
)

// receiver is the business's webhook, reached without a socket.
type receiver struct {
	mu     sync.Mutex
	posts  []post
	answer func(n int, body []byte) int // nil = always 200
	busy   int
	most   int           // POSTs at the same time
	work   time.Duration // per POST
}

type post struct {
	at     time.Time
	body   []byte
	signed bool
	status int
}

func (r *receiver) RoundTrip(q *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.busy++
	r.most = max(r.most, r.busy)
	n := len(r.posts)
	status := http.StatusOK
	if r.answer != nil {
		status = r.answer(n, body)
	}
	r.posts = append(r.posts, post{time.Now(), body, q.Header.Get("X-Hub-Signature-256") == sandbox.Sign(secret, body), status})
	r.mu.Unlock()
	time.Sleep(r.work)
	r.mu.Lock()
	r.busy--
	r.mu.Unlock()
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(nil)), Header: http.Header{}, Request: q}, nil
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.posts)
}

// told lists what the taken POSTs said, in order: every status, message and
// preference with its change's value beside it.
func (r *receiver) told(tb testing.TB) []news {
	tb.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []news
	for _, p := range r.posts {
		if p.status != http.StatusOK {
			continue
		}
		if !p.signed {
			tb.Errorf("a POST is not signed: %s", p.body)
		}
		if i := slices.IndexFunc(p.body, func(c byte) bool { return c >= 0x80 }); i >= 0 {
			tb.Errorf("byte %d of a body is not ASCII", i)
		}
		var body any
		if err := json.Unmarshal(p.body, &body); err != nil {
			tb.Fatalf("%v in %s", err, p.body)
		}
		if at(body, "object") != "whatsapp_business_account" {
			tb.Errorf("object is %v", at(body, "object"))
		}
		all = append(all, newsOf(tb, body)...)
	}
	return all
}

// news is one update as the receiver reads it.
type news struct {
	field, kind string
	value, item map[string]any
	time        any
}

func newsOf(tb testing.TB, body any) []news {
	tb.Helper()
	var all []news
	entries, _ := at(body, "entry").([]any)
	for _, e := range entries {
		if at(e, "id") != account {
			tb.Errorf("entry of account %v", at(e, "id"))
		}
		changes, _ := at(e, "changes").([]any)
		for _, c := range changes {
			field, _ := at(c, "field").(string)
			v, _ := at(c, "value").(map[string]any)
			found := false
			for _, kind := range []string{"statuses", "messages", "user_preferences"} {
				list, _ := v[kind].([]any)
				for _, item := range list {
					found = true
					all = append(all, news{field: field, kind: kind, value: v, item: item.(map[string]any)})
				}
			}
			if !found {
				all = append(all, news{field: field, value: v, time: at(e, "time")})
			}
		}
	}
	return all
}

// words shortens news: sent, failed 131026, text STOP, button stop:42, …
func words(all []news) []string {
	var list []string
	for _, n := range all {
		switch n.kind {
		case "statuses":
			w, _ := n.item["status"].(string)
			if code, ok := at(n.item["errors"], 0, "code").(float64); ok {
				b, _ := json.Marshal(int(code))
				w += " " + string(b)
			}
			list = append(list, w)
		case "messages":
			kind, _ := n.item["type"].(string)
			detail, _ := at(n.item, "text", "body").(string)
			if kind == "button" {
				detail, _ = at(n.item, "button", "payload").(string)
			}
			list = append(list, kind+" "+detail)
		case "user_preferences":
			w, _ := n.item["value"].(string)
			list = append(list, "preference "+w)
		default:
			event, _ := n.value["event"].(string)
			list = append(list, n.field+" "+event)
		}
	}
	return list
}
