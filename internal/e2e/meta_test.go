package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// meta is a Graph API written from Meta's documentation alone. It keeps a ledger of every POST.
type meta struct {
	t   *testing.T
	url string

	mu     sync.Mutex
	ledger []post
	faults faults
	asked  map[string]int // GETs of a number

	templates atomic.Pointer[[]metaTemplate]
	token     atomic.Pointer[string] // the only one that it accepts
	reads     atomic.Int64           // GETs of templates
	hooks     *hooks
}

// post is one POST of a message, as Meta saw it.
type post struct {
	start    time.Time // when its first byte was read
	ended    time.Time // when its answer was written, or the connection given up
	to       string
	edge     string
	body     message
	callback string
	code     int    // Graph's error code; 0 when it was taken
	lost     bool   // taken, and the answer never left
	wamid    string // "" when it was refused
}

// taken reports whether the message is on its way to the person.
func (p post) taken() bool { return p.code == 0 }

// faults are the switches. They are asked for each POST, n counting from 1, with the ledger locked.
type faults struct {
	latency  time.Duration
	refuse   func(n int, p post) *graphError // nil takes it
	lose     func(n int, p post) loss
	statuses func(n int, p post) []string // what becomes of it; nil is nothing
	stall    func(n int) <-chan struct{}  // its answer waits for this; nil does not wait
	health   map[string]health            // by number; one that is not there is well
}

type loss int

const (
	answered   loss = iota
	hungUp          // the connection ends without an answer
	reset           // it is reset
	badGateway      // somebody on the way answers in Meta's place
)

type graphError struct {
	status, code int
	title        string
	details      string
}

// message is the body of a send (Meta, "Send messages", read 2026-09-11).
type message struct {
	Product   string `json:"messaging_product"`
	Recipient string `json:"recipient_type"`
	To        string `json:"to"`
	Type      string `json:"type"`
	Callback  string `json:"biz_opaque_callback_data"`
	Template  struct {
		Name     string `json:"name"`
		Language struct {
			Code string `json:"code"`
		} `json:"language"`
		Components []component `json:"components"`
	} `json:"template"`
	Text struct {
		Body string `json:"body"`
	} `json:"text"`
	Interactive struct {
		Body struct {
			Text string `json:"text"`
		} `json:"body"`
		Action struct {
			Buttons []struct {
				Reply struct{ ID, Title string } `json:"reply"`
			} `json:"buttons"`
		} `json:"action"`
	} `json:"interactive"`
}

type component struct {
	Type       string      `json:"type"`
	SubType    string      `json:"sub_type"`
	Index      any         `json:"index"`
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Type    string `json:"type"`
	Name    string `json:"parameter_name"`
	Text    string `json:"text"`
	Payload string `json:"payload"`
}

// newMeta starts a Meta that tells webhookURL what becomes of messages.
func newMeta(t *testing.T, webhookURL string) *meta {
	t.Helper()
	m := &meta{t: t, asked: map[string]int{}, hooks: newHooks(webhookURL)}
	m.templates.Store(&defaultTemplates)
	m.token.Store(new(accessToken))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{version}/{number}/messages", m.send)
	mux.HandleFunc("POST /{version}/{number}/marketing_messages", m.send)
	mux.HandleFunc("GET /{version}/{account}/message_templates", m.listTemplates)
	mux.HandleFunc("GET /{version}/{number}", m.number)
	server := httptest.NewUnstartedServer(whole(mux))
	server.Listener = firstByteListener{server.Listener}
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, firstByteKey{}, c)
	}
	server.Start()
	m.url = server.URL
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() { defer close(ran); m.hooks.run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-ran
		server.CloseClientConnections()
		server.Close()
	})
	return m
}

// with changes the switches.
func (m *meta) with(change func(*faults)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.faults)
}

// posts returns the ledger so far.
func (m *meta) posts() []post {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]post(nil), m.ledger...)
}

func (m *meta) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.ledger)
}

// atLeast waits until there are n POSTs.
func (m *meta) atLeast(n int) {
	m.t.Helper()
	within(m.t, patience, fmt.Sprintf("%d messages are posted", n), func() error {
		if have := m.count(); have < n {
			return fmt.Errorf("there are %d", have)
		}
		return nil
	})
}

// stallsAfter lets the answers to all but the first n POSTs wait until release is called, or the test is over: a run of more people
// than a sender posts at once stands in its middle for as long as a busy machine needs to look at it.
func (m *meta) stallsAfter(n int) (release func()) {
	stalled := make(chan struct{})
	release = sync.OnceFunc(func() { close(stalled) })
	m.t.Cleanup(release)
	m.with(func(f *faults) {
		f.stall = func(nth int) <-chan struct{} {
			if nth <= n {
				return nil
			}
			return stalled
		}
	})
	return release
}

// askedFor is how often Meta was asked about a number.
func (m *meta) askedFor(number string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[number]
}

// byPerson groups posts by person.
func byPerson(posts []post) map[string][]post {
	people := map[string][]post{}
	for _, p := range posts {
		who := personOf(p.to)
		people[who] = append(people[who], p)
	}
	return people
}

// takenOnce fails the test when somebody's message was taken twice, and returns who got one.
func takenOnce(t *testing.T, posts []post) map[string]post {
	t.Helper()
	got := map[string]post{}
	for _, p := range posts {
		if !p.taken() {
			continue
		}
		if before, twice := got[personOf(p.to)]; twice {
			t.Errorf("a person got two messages: %s at %s, then %s", before.callback, before.start, p.start)
		}
		got[personOf(p.to)] = p
	}
	return got
}

func (m *meta) send(w http.ResponseWriter, r *http.Request) {
	start, _ := r.Context().Value(startKey{}).(time.Time)
	p := post{start: start, edge: r.PathValue("version") + "/" + r.PathValue("number") + r.URL.Path[strings.LastIndex(r.URL.Path, "/"):]}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	wrong := m.read(r, raw, &p)

	m.mu.Lock()
	n := len(m.ledger) + 1
	if wrong == nil && m.faults.refuse != nil {
		wrong = m.faults.refuse(n, p)
	}
	what := answered
	if wrong != nil {
		p.code = wrong.code
	} else {
		p.wamid = "wamid." + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s-%p-%d", waID(p.to), m, n)) // Meta's have the number in them too
		if m.faults.lose != nil {
			what = m.faults.lose(n, p)
		}
		p.lost = what != answered
	}
	m.ledger = append(m.ledger, p)
	latency := m.faults.latency
	if wrong == nil && m.faults.statuses != nil {
		m.hooks.statuses(p, m.faults.statuses(n, p))
	}
	var stalled <-chan struct{}
	if m.faults.stall != nil {
		stalled = m.faults.stall(n)
	}
	m.mu.Unlock()

	if latency > 0 {
		time.Sleep(latency)
	}
	if stalled != nil {
		<-stalled
	}
	defer func() { // also when the answer is to abort the connection
		m.mu.Lock()
		defer m.mu.Unlock()
		m.ledger[n-1].ended = time.Now()
	}()
	m.answer(w, p, wrong, what)
}

func (m *meta) answer(w http.ResponseWriter, p post, wrong *graphError, what loss) {
	switch what {
	case hungUp:
		panic(http.ErrAbortHandler)
	case reset:
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if own, ok := conn.(*firstByteConn); ok {
			if tcp, ok := own.Conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
		}
		_ = conn.Close()
		return
	case badGateway:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html><body><h1>502 Bad Gateway</h1></body></html>")
		return
	}
	if wrong != nil {
		refuse(w, wrong)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"messaging_product": "whatsapp",
		"contacts":          []any{map[string]any{"input": p.to, "wa_id": waID(p.to)}},
		"messages":          []any{map[string]any{"id": p.wamid, "message_status": "accepted"}},
	})
}

func refuse(w http.ResponseWriter, e *graphError) {
	writeJSON(w, e.status, map[string]any{"error": map[string]any{
		"message": fmt.Sprintf("(#%d) %s", e.code, e.title), "type": "OAuthException", "code": e.code, "fbtrace_id": "AbCdEf123",
		"error_data": map[string]any{"messaging_product": "whatsapp", "details": e.details},
	}})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// waID is the number as Meta knows the person: Brazil's ninth digit gone, Mexico's 1 put in.
func waID(to string) string {
	digits := strings.TrimPrefix(to, "+")
	switch {
	case len(digits) == 13 && strings.HasPrefix(digits, "55"):
		return digits[:4] + digits[5:]
	case len(digits) == 12 && strings.HasPrefix(digits, "52"):
		return "521" + digits[2:]
	}
	return digits
}

// personOf is one name for all the forms of a number that is written internationally.
func personOf(phone string) string {
	digits := strings.TrimPrefix(phone, "+")
	switch {
	case len(digits) == 12 && strings.HasPrefix(digits, "55") && digits[4] >= '6':
		return digits[:4] + "9" + digits[4:]
	case len(digits) == 13 && strings.HasPrefix(digits, "521"):
		return "52" + digits[3:]
	}
	return digits
}

// firstByteListener notes, for each request, when its first byte was read.
type firstByteListener struct{ net.Listener }

type (
	firstByteKey struct{}
	startKey     struct{}
)

// whole reads a request to its end before anything is done with it, and hands on when its first byte was read. One that is cut off is nobody's message.
func whole(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(firstByteKey{}).(*firstByteConn)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), startKey{}, conn.take())))
	})
}

type firstByteConn struct {
	net.Conn
	mu     sync.Mutex
	noted  bool
	readAt time.Time
}

// Accept implements net.Listener.
func (l firstByteListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &firstByteConn{Conn: c}, nil
}

// Read implements net.Conn.
func (c *firstByteConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		now := time.Now()
		c.mu.Lock()
		if !c.noted {
			c.noted, c.readAt = true, now
		}
		c.mu.Unlock()
	}
	return n, err
}

// take returns when the request's first byte was read, and makes the next byte the first of the next request: HTTP/1.1 without
// pipelining sends it after the answer.
func (c *firstByteConn) take() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noted = false
	return c.readAt
}
