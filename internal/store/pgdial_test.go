package store_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
)

// A server that shuts down, a failover, a pooler that restarts: the client is told an error, and then the socket is gone. lib/pq
// v1.12.0 to v1.12.3 keep such a connection and fail on it for ever (lib/pq #1298).
func TestAnErrorAndADroppedSocketDoNotPoisonThePool(t *testing.T) {
	storetest.Postgres(t, func(t *testing.T, target string) {
		between := newRelay(t, target)
		s, err := store.Open(t.Context(), between.target)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		for round := range 5 {
			between.refuse.Store(int64(1 + round)) // as many connections of the pool
			for between.refuse.Load() > 0 {
				// They may fail, or be asked again on another connection; with parameters and without, lib/pq goes two ways.
				_, _ = s.Run(t.Context(), "none")
				_, _, _ = s.Halted(t.Context())
			}
			for range 20 {
				_, _, err := s.Halted(t.Context())
				_, missing := s.Run(t.Context(), "none")
				if err != nil || !errors.Is(missing, store.ErrNoRun) {
					t.Fatalf("round %d: the pool holds a dead connection: %v, %v", round, err, missing)
				}
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Fatalf("round %d: writing: %v", round, err)
			}
		}
		// A transaction is begun again by itself.
		between.refuse.Store(2)
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("a transaction whose connection dropped: %v", err)
		}
	})
}

// A server that stands still while its kernel acknowledges everything looks alive to TCP.
func TestAServerThatStandsStillIsGivenUp(t *testing.T) {
	storetest.Postgres(t, func(t *testing.T, target string) {
		between := newRelay(t, target)
		connector, err := pq.NewConnector(between.target)
		if err != nil {
			t.Fatal(err)
		}
		connector.Dialer(store.Dialer(200 * time.Millisecond))
		db := sql.OpenDB(connector)
		defer func() { _ = db.Close() }()
		db.SetMaxOpenConns(1)
		if err := db.PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		between.still.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := db.ExecContext(ctx, "SELECT 1"); err == nil || ctx.Err() != nil {
			t.Fatalf("nobody answers, and the statement ends with %v", err)
		}
		between.still.Store(false)
		if _, err := db.ExecContext(t.Context(), "SELECT 1"); err != nil {
			t.Errorf("it answers again: %v", err)
		}
	})
}

func TestStatementTimeoutIsRead(t *testing.T) {
	storetest.Postgres(t, func(t *testing.T, target string) {
		for text, good := range map[string]bool{"1500": true, "90s": true, "1min": true, "0": true, "soon": false, "-1": false, "5 parsecs": false} {
			u, err := url.Parse(target)
			if err != nil {
				t.Fatal(err)
			}
			query := u.Query()
			query.Set("statement_timeout", text)
			u.RawQuery = query.Encode()
			s, err := store.Open(t.Context(), u.String())
			if (err == nil) != good {
				t.Errorf("statement_timeout=%s: %v", text, err)
			}
			if err == nil {
				_ = s.Close()
			}
		}
	})
}

// relay stands between the program and its server.
type relay struct {
	target  string
	server  string
	refuse  atomic.Int64 // how many connections are told an error and dropped, each when it next asks for something
	dropped atomic.Int64
	still   atomic.Bool // nothing is passed on
	over    chan struct{}
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{server: u.Host, over: make(chan struct{})}
	u.Host = socket.Addr().String()
	r.target = u.String()
	var open sync.WaitGroup
	open.Go(func() {
		for {
			client, err := socket.Accept()
			if err != nil {
				return
			}
			open.Go(func() { r.carry(client) })
		}
	})
	t.Cleanup(func() { _ = socket.Close(); close(r.over); open.Wait() })
	return r
}

// carry passes on what one client and the server say.
func (r *relay) carry(client net.Conn) {
	server, err := net.Dial("tcp", r.server)
	if err != nil {
		_ = client.Close()
		return
	}
	done := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(client, server); done <- struct{}{} }()
	go func() { r.askOn(client, server); done <- struct{}{} }()
	select {
	case <-done:
	case <-r.over:
	}
	_, _ = client.Close(), server.Close()
}

// refuses reports whether it is a connection's turn to be dropped.
func (r *relay) refuses() bool {
	for {
		left := r.refuse.Load()
		if left <= 0 {
			return false
		}
		if r.refuse.CompareAndSwap(left, left-1) {
			return true
		}
	}
}

func (r *relay) askOn(client, server net.Conn) {
	said := make([]byte, 32<<10)
	for begun := false; ; begun = true {
		n, err := client.Read(said)
		if err != nil {
			return
		}
		for r.still.Load() {
			select {
			case <-r.over:
				return
			case <-time.After(time.Millisecond):
			}
		}
		if begun && r.refuses() {
			// By the server that says goodbye, and by a pooler that knows no better.
			severity := [...]string{"FATAL", "ERROR"}[r.dropped.Add(1)%2]
			_, _ = client.Write(errorResponse(severity, "57P01", "terminating connection due to administrator command"))
			return
		}
		if _, err := server.Write(said[:n]); err != nil {
			return
		}
	}
}

// errorResponse is PostgreSQL's message of that name (PostgreSQL, "Message Formats").
func errorResponse(severity, code, message string) []byte {
	var fields []byte
	for _, field := range []string{"S" + severity, "V" + severity, "C" + code, "M" + message} {
		fields = append(append(fields, field...), 0)
	}
	fields = append(fields, 0)
	return append(binary.BigEndian.AppendUint32([]byte{'E'}, uint32(4+len(fields))), fields...)
}
