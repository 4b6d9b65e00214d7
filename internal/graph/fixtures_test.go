package graph_test

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/graph"
	"github.com/permesso/permesso/sender"
)

const (
	secret = "EAAGm0PX4ZCpsBAKfakeFAKEfake"
	taken  = `{"messaging_product":"whatsapp","contacts":[{"input":"+393331112223","wa_id":"393331112223"}],"messages":[{"id":"wamid.A==","message_status":"accepted"}]}`
)

// proxied is where the proxy of this process, which serves example.com only, sends what it is asked for.
var proxied atomic.Pointer[string]

func TestMain(m *testing.M) {
	// net/http reads the environment once per process. Loopback addresses, which all other tests use, never go through a proxy.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting a proxy:", err)
		os.Exit(1)
	}
	os.Setenv("HTTPS_PROXY", "http://"+listener.Addr().String())
	os.Setenv("NO_PROXY", "")
	go serve(listener, tunnel)
	os.Exit(m.Run())
}

// tunnel is an HTTP proxy's CONNECT.
func tunnel(client net.Conn) {
	defer client.Close()
	in := bufio.NewReader(client)
	if _, err := http.ReadRequest(in); err != nil {
		return
	}
	server, err := net.Dial("tcp", *proxied.Load())
	if err != nil {
		return
	}
	defer server.Close()
	io.WriteString(client, "HTTP/1.1 200 Connected\r\n\r\n")
	go func() {
		io.Copy(server, in)
		server.Close()
	}()
	io.Copy(client, server)
}

func serve(listener net.Listener, handle func(net.Conn)) {
	for {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		go handle(c)
	}
}

// listen starts a TCP server of the test's own and returns its address as a base URL.
func listen(t testing.TB, scheme string, handle func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go serve(listener, handle)
	return scheme + "://" + listener.Addr().String()
}

func answering(t testing.TB, status int, body string, headers ...string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func client(t testing.TB, base string, change ...func(*graph.Options)) *graph.Client {
	t.Helper()
	o := graph.Options{BaseURL: base, Version: "v25.0", AccountID: "500600700800", Token: func() string { return secret }, Timeout: 5 * time.Second}
	for _, f := range change {
		f(&o)
	}
	c, err := graph.New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

func trusting(server *httptest.Server) func(*graph.Options) {
	return func(o *graph.Options) {
		o.RootCAs = x509.NewCertPool()
		o.RootCAs.AddCert(server.Certificate())
	}
}

func patience(d time.Duration) func(*graph.Options) { return func(o *graph.Options) { o.Timeout = d } }

func logging(w *bytes.Buffer) func(*graph.Options) {
	return func(o *graph.Options) {
		o.Logger = slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
}

func post(body string) sender.Post {
	return sender.Post{NumberID: "111222333444", Edge: "messages", Body: []byte(body), BeginBy: time.Now().Add(5 * time.Second)}
}

func send(t testing.TB, c *graph.Client) sender.Result {
	t.Helper()
	return c.Send(t.Context(), post(`{"to":"+393331112223"}`))
}

var _ sender.Client = (*graph.Client)(nil)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
