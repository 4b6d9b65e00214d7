package graph_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/graph"
	"github.com/permesso/permesso/sender"
)

func TestFates(t *testing.T) {
	read := func(c net.Conn) { http.ReadRequest(bufio.NewReader(c)) }
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	tests := map[string]struct {
		base string
		want sender.Fate
	}{
		"nobody listens":        {"http://" + closed.Addr().String(), sender.NotSent},
		"no such host":          {"http://nowhere.invalid", sender.NotSent},
		"closed before reading": {listen(t, "http", func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() }), sender.Ambiguous},
		"closed after reading":  {listen(t, "http", func(c net.Conn) { read(c); c.Close() }), sender.Ambiguous},
		"reset after reading":   {listen(t, "http", func(c net.Conn) { read(c); c.(*net.TCPConn).SetLinger(0); c.Close() }), sender.Ambiguous},
		"garbage":               {listen(t, "http", func(c net.Conn) { read(c); io.WriteString(c, "what?\r\n\r\n"); c.Close() }), sender.Ambiguous},
		"never an answer":       {listen(t, "http", read), sender.Ambiguous},
		"half an answer":        {listen(t, "http", func(c net.Conn) { read(c); io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Le"); c.Close() }), sender.Ambiguous},
		"half a body": {listen(t, "http", func(c net.Conn) {
			read(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"+taken)
			c.Close()
		}), sender.Taken},
		"a body that hangs": {listen(t, "http", func(c net.Conn) { read(c); io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{") }), sender.Taken},
		"half a refusal": {listen(t, "http", func(c net.Conn) {
			read(c)
			io.WriteString(c, "HTTP/1.1 400 Bad\r\nContent-Length: 500\r\n\r\n{\"error\":{\"code\":100")
			c.Close()
		}), sender.Ambiguous},
		"TLS to a plain server":   {"https" + strings.TrimPrefix(answering(t, 200, taken), "http"), sender.NotSent},
		"TLS that hangs up":       {listen(t, "https", func(c net.Conn) { io.CopyN(io.Discard, c, 10); c.Close() }), sender.NotSent},
		"TLS of another's making": {tlsServer(t, nil).URL, sender.NotSent},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Only who is kept waiting finds out how long this is, and a busy machine takes a while to come that far.
			got := send(t, client(t, tt.base, patience(2*time.Second)))
			// A reset that arrives before our first write leaves nothing written: the connection is dead, and we know.
			early := name == "closed before reading" && got.Fate == sender.NotSent
			if got.Fate != tt.want && !early {
				t.Errorf("fate %v (%v), want %v", got.Fate, got.Cause, tt.want)
			}
			if got.Fate != sender.Taken && got.Cause == nil {
				t.Error("no cause")
			}
		})
	}
}

func tlsServer(t testing.TB, requests *atomic.Int64) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if requests != nil {
			requests.Add(1)
		}
		if r.Proto != "HTTP/1.1" {
			http.Error(w, r.Proto, http.StatusHTTPVersionNotSupported)
			return
		}
		io.WriteString(w, taken)
	}))
	server.Config.ErrorLog = discardLog()
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestTLS(t *testing.T) {
	var requests atomic.Int64
	server := tlsServer(t, &requests)
	c := client(t, server.URL, trusting(server))
	for range 3 {
		if got := send(t, c); got.Fate != sender.Taken {
			t.Fatalf("%+v", got)
		}
	}
	if requests.Load() != 3 {
		t.Errorf("%d requests", requests.Load())
	}
}

// A handshake's bytes are no part of the message.
func TestSlowTLS(t *testing.T) {
	base := listen(t, "https", func(c net.Conn) { io.Copy(io.Discard, c) })
	p := post("{}")
	p.BeginBy = time.Now().Add(100 * time.Millisecond)
	started := time.Now()
	got := client(t, base).Send(t.Context(), p)
	if got.Fate != sender.NotSent || !strings.Contains(got.Cause.Error(), "too late") {
		t.Errorf("%+v", got)
	}
	if spent := time.Since(started); spent > 3*time.Second {
		t.Errorf("waited %v for a handshake that could not help any more", spent)
	}
}

// Behind a proxy net/http puts TLS on our connection; the first byte of the message is still told from the handshake.
func TestThroughProxy(t *testing.T) {
	var requests atomic.Int64
	server := tlsServer(t, &requests)
	address := server.Listener.Addr().String()
	proxied.Store(&address)
	c := client(t, "https://example.com", trusting(server))
	for range 2 {
		if got := send(t, c); got.Fate != sender.Taken {
			t.Fatalf("%+v", got)
		}
	}
	silent := strings.TrimPrefix(listen(t, "tcp", func(c net.Conn) { io.Copy(io.Discard, c) }), "tcp://")
	proxied.Store(&silent)
	p := post("{}")
	p.BeginBy = time.Now().Add(100 * time.Millisecond)
	if got := client(t, "https://example.com", trusting(server)).Send(t.Context(), p); got.Fate != sender.NotSent {
		t.Errorf("a handshake through the proxy counted as the message: %+v", got)
	}
	if requests.Load() != 2 {
		t.Errorf("%d requests", requests.Load())
	}
}

// Waiting for a free connection counts against BeginBy, and what was refused is never written later.
func TestWaitingForThePool(t *testing.T) {
	var requests atomic.Int64
	release := make(chan struct{})
	arrived := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		requests.Add(1)
		arrived <- struct{}{}
		<-release
		io.WriteString(w, taken)
	}))
	t.Cleanup(server.Close)
	c := client(t, server.URL, func(o *graph.Options) { o.MaxConns = 1 })
	var wg sync.WaitGroup
	wg.Go(func() {
		if got := send(t, c); got.Fate != sender.Taken {
			t.Errorf("the first: %+v", got)
		}
	})
	<-arrived
	p := post("{}")
	p.BeginBy = time.Now().Add(50 * time.Millisecond)
	if got := c.Send(t.Context(), p); got.Fate != sender.NotSent {
		t.Errorf("the second: %+v", got)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("the operator stopped it")
	wg.Go(func() {
		got := c.Send(ctx, post("{}"))
		if got.Fate != sender.NotSent || !errors.Is(got.Cause, stopped) {
			t.Errorf("the third: %+v", got)
		}
	})
	cancel(stopped)
	wg.Go(func() {
		if got := send(t, c); got.Fate != sender.Taken {
			t.Errorf("the fourth: %+v", got)
		}
	})
	close(release)
	wg.Wait()
	if requests.Load() != 2 {
		t.Errorf("%d requests reached the server, want 2", requests.Load())
	}
}

// Cancelling matters only before the first byte.
func TestCancelAfterTheFirstByte(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		cancel()
		select {
		case <-r.Context().Done():
			t.Error("the client hung up")
		case <-time.After(50 * time.Millisecond):
		}
		io.WriteString(w, taken)
	}))
	t.Cleanup(server.Close)
	c := client(t, server.URL)
	if got := c.Send(ctx, post("{}")); got.Fate != sender.Taken || got.WAMID == "" {
		t.Errorf("%+v", got)
	}
	if got := c.Send(ctx, post("{}")); got.Fate != sender.NotSent || !errors.Is(got.Cause, context.Canceled) {
		t.Errorf("after the cancel: %+v", got)
	}
}

// Sends at the very edge of their time are either written and answered, or not written at all.
func TestEdgeOfTime(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		requests.Add(1)
		io.WriteString(w, taken)
	}))
	t.Cleanup(server.Close)
	c := client(t, server.URL)
	var accepted, refused int64
	for i := range 600 {
		p := post("{}")
		p.BeginBy = time.Now().Add(time.Duration(i) * time.Microsecond)
		switch got := c.Send(t.Context(), p); got.Fate {
		case sender.Taken:
			accepted++
		case sender.NotSent:
			refused++
		default:
			t.Fatalf("%+v", got)
		}
	}
	if accepted != requests.Load() || refused == 0 {
		t.Errorf("%d accepted, %d refused, %d requests", accepted, refused, requests.Load())
	}
}

// A server that drops kept-alive connections in every way gets each message at most once, and what we say of it is true
// (reliability F3).
func TestKeepAliveDeath(t *testing.T) {
	var mu sync.Mutex
	got := map[string]int{}
	base := listen(t, "http", func(c net.Conn) { capricious(c, func(id string) { mu.Lock(); got[id]++; mu.Unlock() }) })
	c := client(t, base, patience(2*time.Second))
	const workers, each = 8, 400
	fates := make([]sender.Fate, workers*each)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				n := w*each + i
				fates[n] = c.Send(t.Context(), post(fmt.Sprintf(`{"id":"%d"}`, n))).Fate
			}
		})
	}
	wg.Wait()
	mu.Lock() // a connection that the client gave up may still be read by the server
	defer mu.Unlock()
	count := map[sender.Fate]int{}
	for n, fate := range fates {
		arrived := got[fmt.Sprintf(`{"id":"%d"}`, n)]
		count[fate]++
		switch {
		case arrived > 1:
			t.Errorf("message %d arrived %d times", n, arrived)
		case fate == sender.Taken && arrived != 1, fate == sender.NotSent && arrived != 0:
			t.Errorf("message %d has fate %v and arrived %d times", n, fate, arrived)
		}
	}
	if count[sender.Taken] == 0 || count[sender.Ambiguous] == 0 || count[sender.Refused] > 0 {
		t.Errorf("fates %v: the server was not capricious enough", count)
	}
	t.Logf("fates: %v", count)
}

// capricious answers some requests and then drops the connection in one of many ways.
func capricious(c net.Conn, accept func(body string)) {
	defer c.Close()
	in := bufio.NewReader(c)
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(taken), taken)
	for {
		way := rand.IntN(12)
		if way == 0 { // between two requests, without a word
			return
		}
		if way == 1 { // between two requests, with a reset
			c.(*net.TCPConn).SetLinger(0)
			return
		}
		if way == 2 { // in the middle of a request's first line
			if _, err := in.ReadByte(); err != nil {
				return
			}
			return
		}
		if way == 3 { // a moment after the last answer, as a server does whose idle time is over
			c.SetReadDeadline(time.Now().Add(50 * time.Microsecond))
			if _, err := in.Peek(1); err != nil {
				return
			}
			c.SetReadDeadline(time.Time{})
		}
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		accept(string(body))
		switch way {
		case 4: // after the request
			return
		case 5:
			c.(*net.TCPConn).SetLinger(0)
			return
		case 6: // in the middle of the answer
			io.WriteString(c, answer[:20])
			return
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}
