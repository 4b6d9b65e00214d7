package proof

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// hearer is a webhook receiver that refuses some of what it hears.
type hearer struct {
	t      *testing.T
	mu     sync.Mutex
	heard  map[string]int
	bodies int
	refuse func(n int) bool
}

// ServeHTTP implements http.Handler.
func (h *hearer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	mac := hmac.New(sha256.New, []byte(appSecret))
	mac.Write(body)
	if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); r.Header.Get("X-Hub-Signature-256") != want {
		h.t.Errorf("a body is signed %q, want %q", r.Header.Get("X-Hub-Signature-256"), want)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bodies++
	if h.refuse != nil && h.refuse(h.bodies) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	for key := range statusesOf(body) {
		h.heard[key[0]+" "+key[1]]++
	}
}

func newPlaying(t *testing.T, refuse func(int) bool) (*Player, *hearer, string) {
	t.Helper()
	h := &hearer{t: t, heard: map[string]int{}, refuse: refuse}
	receiver := httptest.NewServer(h)
	t.Cleanup(receiver.Close)
	book := filepath.Join(t.TempDir(), "acks")
	p, err := NewPlayer(book, appSecret, 3, receiver.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, h, book
}

// told is a body of Meta's with so many statuses, three for each message.
func told(from, n int) string {
	var statuses []string
	for i := range n {
		statuses = append(statuses, fmt.Sprintf(`{"id":"w%d","status":%q,"recipient_id":"39%d","biz_opaque_callback_data":"1:i:%d"}`,
			from+i/3, []string{"sent", "delivered", "read"}[i%3], from+i/3, from+i/3))
	}
	return `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","statuses":[` +
		strings.Join(statuses, ",") + `]}}]}]}`
}

func (p *Player) untilIdle(t *testing.T) int {
	t.Helper()
	taken := 0
	if err := eventually(20*time.Second, func() error {
		idle, acks, err := p.Idle()
		if err == nil && !idle {
			err = fmt.Errorf("%d bodies were taken, and more wait", acks)
		}
		taken = acks
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return taken
}

// However bodies are split, repeated, delayed, lost and refused, all that Meta said arrives, and the book has every 200.
func TestPlayerBringsEverything(t *testing.T) {
	t.Parallel()
	p, h, book := newPlaying(t, func(n int) bool { return n%4 == 0 })
	p.Set(Disorder{Copies: 4, Delay: 30 * time.Millisecond, Lose: 0.2, Split: 3})
	for i := range 10 {
		answer := httptest.NewRecorder()
		p.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(told(100*i, 15))))
		if answer.Code != http.StatusOK {
			t.Fatalf("Meta was told %d", answer.Code)
		}
	}
	taken := p.untilIdle(t)
	acks, err := lines[Ack](book)
	if err != nil || len(acks) != taken || taken <= 50 {
		t.Errorf("%d lines in the book for %d bodies, %v", len(acks), taken, err)
	}
	inBook := map[string]int{}
	for _, a := range acks {
		if a.At == 0 || a.SHA256 != hash(a.Body) || a.Stop != nil {
			t.Errorf("a line of the book: %+v", a)
		}
		for key := range statusesOf(a.Body) {
			inBook[key[0]+" "+key[1]]++
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.heard) != 150 || !maps.Equal(h.heard, inBook) {
		t.Errorf("%d of 150 statuses were heard, %d are in the book", len(h.heard), len(inBook))
	}
}

func TestPlayerHolds(t *testing.T) {
	t.Parallel()
	p, h, _ := newPlaying(t, nil)
	p.Hold()
	p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(told(1, 3))))
	if idle, acks, _ := p.Idle(); idle || acks != 0 {
		t.Errorf("held: idle %v, %d taken", idle, acks)
	}
	p.Release()
	if p.untilIdle(t) != 1 || len(h.heard) != 3 {
		t.Errorf("released: %v", h.heard)
	}
}

// A stop is said until it is taken, and the book has whom it stops; one that nobody takes is no acknowledgement.
func TestPlayerSays(t *testing.T) {
	t.Parallel()
	p, _, book := newPlaying(t, func(n int) bool { return n < 3 || n > 3 })
	before := time.Now()
	stop := Stop{"+393471000001", "all"}
	acked, err := p.Say(t.Context(), Voice{Phone: "393471000001"}.Writes(accountID, numberID, "STOP"), &stop)
	if err != nil || acked.Before(before) {
		t.Errorf("%s, %v", acked, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := p.Say(ctx, Voice{User: "IT.1"}.Prefers(accountID, numberID, "stop"), &Stop{"+393471000002", "kind:marketing"}); err == nil {
		t.Error("a stop that was never taken was acknowledged")
	}
	acks, err := lines[Ack](book)
	if err != nil || len(acks) != 1 || acks[0].Stop == nil || *acks[0].Stop != stop || acks[0].At != acked.UnixMicro() {
		t.Errorf("%+v, %v", acks, err)
	}
}

// FuzzSplitStatuses holds that no status is lost, made or changed by splitting, and that what is no envelope is an error or stays whole.
func FuzzSplitStatuses(f *testing.F) {
	f.Add(told(1, 7), 3, uint64(1))
	f.Add(told(1, 0), 1, uint64(2))
	f.Add(string(Voice{Phone: "39", User: "IT.1"}.Writes("1", "2", "ciao")), 2, uint64(3))
	f.Add(`{"entry":[{"changes":[{"field":"messages","value":{"contacts":[{"wa_id":"39"}],"statuses":[{"status":"sent","recipient_id":"39"}]}}]}]}`, 5, uint64(4))
	f.Add(`{"entry":null}`, 1, uint64(5))
	f.Add(`nonsense`, 1, uint64(6))
	f.Fuzz(func(t *testing.T, body string, most int, seed uint64) {
		if most < 1 || most > 1000 {
			most = 1
		}
		pieces, err := splitStatuses([]byte(body), most, rand.New(rand.NewPCG(seed, 0)))
		if err != nil {
			return // it is passed on whole
		}
		got := map[string]int{}
		for _, piece := range pieces {
			n := 0
			for _, s := range statusTexts(t, piece) {
				got[s]++
				n++
			}
			if n > most && !strings.Contains(string(piece), `"messages"`) {
				t.Errorf("%d statuses in a piece, at most %d", n, most)
			}
		}
		want := map[string]int{}
		for _, s := range statusTexts(t, []byte(body)) {
			want[s]++
		}
		if !maps.Equal(got, want) {
			t.Errorf("split into %v of %v", got, want)
		}
	})
}

// statusTexts are the statuses of a body, each as compact JSON.
func statusTexts(t *testing.T, body []byte) []string {
	t.Helper()
	var whole envelope
	if json.Unmarshal(body, &whole) != nil {
		return nil
	}
	var texts []string
	for _, e := range whole.Entry {
		for _, c := range e.Changes {
			var statuses []any
			if json.Unmarshal(c.Value["statuses"], &statuses) != nil {
				continue
			}
			for _, s := range statuses {
				text, err := json.Marshal(s)
				if err != nil {
					t.Fatal(err)
				}
				texts = append(texts, string(text))
			}
		}
	}
	return texts
}
