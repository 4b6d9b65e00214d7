package proof

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	floodPerSecond = 2000
	floodMemory    = 256 << 20 // of permesso's process, at its most
	floodWaiting   = 400       // requests that the flood has open at most
)

// flood posts webhooks whether or not those before were answered.
type flood struct {
	r      *rig
	client *http.Client
	posts  []Post // messages that there are statuses of
	chance *rand.Rand

	mu       sync.Mutex
	answers  map[int]int // by status; 0 is none
	took     []time.Duration
	reported map[[2]string]bool // statuses in the book
}

// drop is one request of a flood.
type drop struct {
	body   []byte
	note   []byte // what goes into the book for it; nil for what is there already
	stop   *Stop
	status [2]string
}

// playFlood pours webhooks over permesso while a run sends, most of them small, some as large as Meta makes them, one in a hundred a
// stop: memory keeps its bound, stops come through in time, and what is refused is refused with 503 and taken later (F18).
func playFlood(t *testing.T, target string, seed uint64, soak length) {
	seconds := soak.of(5, 60)
	r := newRig(t, "flood", target, seed, settings{people: soak.of(700, 8000), perSecond: 100})
	p := r.serve(r.houses[0])
	r.detach("offer")
	r.untilPosted(60)
	posts, err := lines[Post](r.ledgerFile())
	r.must("reading the ledger", err)
	f := &flood{
		r: r, posts: posts, chance: rand.New(rand.NewPCG(seed, 0x666c6f6f64)), answers: map[int]int{}, reported: map[[2]string]bool{},
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: floodWaiting, MaxConnsPerHost: floodWaiting}},
	}
	t.Cleanup(f.client.CloseIdleConnections)
	began := time.Now()
	stopping := r.unreached(len(r.everybody))
	n := f.pour(seconds*floodPerSecond, stopping)
	over := time.Since(began)
	r.untilOver()
	slices.Sort(f.took)
	worst, p99 := f.took[len(f.took)-1], f.took[len(f.took)*99/100]
	peak := peakMemory(t, p)
	t.Logf("flood: %d bodies in %s (%.0f/s, wanted %d), answers %v, %d stops, 99%% of them in force within %s, the last after %s; memory at most %d MiB",
		n, over.Round(time.Millisecond), float64(n)/over.Seconds(), floodPerSecond, f.answers, len(f.took), p99.Round(time.Millisecond), worst.Round(time.Millisecond), peak>>20)
	if peak > floodMemory {
		t.Errorf("flood, seed %d: %d MiB of memory, want at most %d", seed, peak>>20, floodMemory>>20)
	}
	// The bound is for a machine that has nothing else to do; beside other tests it shows that the stops are not queued behind the rest.
	if bound := time.Duration(soak.of(15, 2)) * time.Second; p99 > bound {
		t.Errorf("flood, seed %d: 99%% of the stops are in force within %s, want %s", seed, p99, bound)
	}
	for status := range maps.Keys(f.answers) {
		if status != http.StatusOK && status != http.StatusServiceUnavailable {
			t.Errorf("flood, seed %d: %d bodies were answered with %d", seed, f.answers[status], status)
		}
	}
	// As many of the bodies as a busy machine takes in that time.
	r.powered("stops", len(f.took), soak.of(seconds*2, seconds*10))
	r.judge()
}

// pour sends n bodies at the flood's pace, or as fast as they are taken, and returns how many when each was taken.
func (f *flood) pour(n int, stopping []string) int {
	slots := make(chan struct{}, floodWaiting)
	began := time.Now()
	var at sync.WaitGroup
	sent := 0
	// A machine that cannot keep the pace gets the flood for thrice the time at most.
	limit := 3 * time.Duration(n) * time.Second / floodPerSecond
	for ; sent < n && time.Since(began) < limit; sent++ {
		time.Sleep(time.Until(began.Add(time.Duration(sent) * time.Second / floodPerSecond)))
		d := f.next(sent, stopping)
		slots <- struct{}{}
		at.Go(func() {
			defer func() { <-slots }()
			f.send(d)
		})
	}
	at.Wait()
	f.r.stops = len(f.took)
	return sent
}

// next is the i-th body: a stop, a status, or one of the large ones.
func (f *flood) next(i int, stopping []string) drop {
	if i%100 == 50 && len(stopping) > 0 {
		phone := stopping[i/100%len(stopping)]
		body := Voice{Phone: WaID(phone)}.Writes(accountID, numberID, "STOP")
		return drop{body: body, note: body, stop: &Stop{phone, "all"}}
	}
	switch i % 2000 {
	case 999: // as many statuses as Meta puts into one body
		return drop{body: f.statuses(3 << 20)}
	case 99, 299, 499, 699, 899, 1099, 1299, 1499, 1699, 1899:
		return drop{body: f.statuses((64 + f.chance.IntN(192)) << 10)}
	}
	p, status := f.posts[f.chance.IntN(len(f.posts))], []string{"sent", "delivered", "read"}[f.chance.IntN(3)]
	body := padded(statusBody(p, status), 700+f.chance.IntN(1500))
	d := drop{body: body, status: [2]string{p.Callback, status}}
	if !f.reported[d.status] {
		f.reported[d.status], d.note = true, body
	}
	return d
}

// statuses is a body of so many bytes, of messages of which nothing new is said: each was sent.
func (f *flood) statuses(size int) []byte {
	var list []any
	for bytes := 0; bytes < size; bytes += 420 {
		list = append(list, statusValue(f.posts[f.chance.IntN(len(f.posts))], "sent"))
	}
	return wrap(accountID, numberID, "messages", map[string]any{"statuses": list})
}

// statusValue is a status as Meta writes it (Meta, "Messages webhook: status", read 2026-09-11).
func statusValue(p Post, status string) map[string]any {
	return map[string]any{
		"id": p.WAMID, "status": status, "timestamp": strconv.FormatInt(time.Now().Unix(), 10), "recipient_id": p.To,
		"biz_opaque_callback_data": p.Callback, "conversation": map[string]any{"id": "c1d2e3f4", "origin": map[string]any{"type": "marketing"}},
		"pricing": map[string]any{"billable": true, "pricing_model": "PMP", "category": "marketing", "type": "regular"},
	}
}

func statusBody(p Post, status string) []byte {
	return wrap(accountID, numberID, "messages", map[string]any{"statuses": []any{statusValue(p, status)}})
}

// padded is a body with a field that nobody knows.
func padded(body []byte, more int) []byte {
	return append(bytes.TrimSuffix(body, []byte("}")), `,"padding":"`+strings.Repeat("x", more)+`"}`...)
}

// send posts a body until it is taken.
func (f *flood) send(d drop) {
	began := time.Now()
	signature := signed(appSecret, d.body)
	for wait := 100 * time.Millisecond; time.Since(began) < 2*patience; wait = min(2*wait, time.Second) {
		status := f.post(d.body, signature)
		taken := time.Now()
		f.mu.Lock()
		f.answers[status]++
		if status == http.StatusOK && d.stop != nil {
			f.took = append(f.took, taken.Sub(began))
		}
		f.mu.Unlock()
		if status == http.StatusOK {
			if d.note != nil {
				f.r.player.note(Ack{At: taken.UnixMicro(), SHA256: hash(d.body), Stop: d.stop, Body: d.note})
			}
			return
		}
		time.Sleep(wait)
	}
	f.r.t.Errorf("flood, seed %d: a body of %d bytes is never taken", f.r.seed, len(d.body))
}

func (f *flood) post(body []byte, signature string) int {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+f.r.houses[0].webhook+"/webhook", bytes.NewReader(body))
	if err != nil {
		return 0
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Hub-Signature-256", signature)
	answer, err := f.client.Do(request)
	if err != nil {
		return 0
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body) // so that the connection can be used again
	return answer.StatusCode
}

// peakMemory is the most that a process had resident, in bytes.
func peakMemory(t *testing.T, p *process) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kib int
	if _, err := fmt.Sscanf(rest, "%d kB", &kib); err != nil {
		t.Fatalf("the memory of permesso: %v", err)
	}
	return kib << 10
}
