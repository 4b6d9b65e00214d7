package graph

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errTooLate  = errors.New("too late to begin: the permission to send this message has run out")
	errNoAnswer = errors.New("no answer in time")
	errReplay   = errors.New("already begun on another connection")
	errForeign  = errors.New("net/http handed out a connection that cannot be watched")
)

// socket counts what enters the operating system's socket, TLS records included.
type socket struct {
	net.Conn
	written atomic.Int64
}

func (s *socket) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	s.written.Add(int64(n))
	return n, err
}

// conn is a connection that asks the exchange on it before the first byte of a request. Over TLS it stands above the
// encryption, so that a handshake is no part of a request.
type conn struct {
	net.Conn
	socket  *socket
	current atomic.Pointer[exchange]
}

// Write writes p if the exchange may begin, or has begun here.
func (c *conn) Write(p []byte) (int, error) {
	x := c.current.Load()
	if x == nil {
		return c.Conn.Write(p)
	}
	first, err := x.begin(c)
	if err != nil {
		return 0, err
	}
	before := c.socket.written.Load()
	n, err := c.Conn.Write(p)
	if first && err != nil && n == 0 && c.socket.written.Load() == before {
		x.retract(c)
	}
	return n, err
}

// ours finds the conn in what net/http holds: itself, or, behind a proxy, below the TLS that net/http put on it.
func ours(held net.Conn) *conn {
	if secure, ok := held.(*tls.Conn); ok {
		held = secure.NetConn()
	}
	c, _ := held.(*conn)
	return c
}

// exchange is one POST and what became of it. It knows for certain whether a byte of it was written, sees to it that
// it begins at most once and in time, and lets the caller's context end it only before that.
//
// net/http may try a request again on another connection when the first died before anything was written. That is
// welcome, and the reason why the first byte is watched here and not where a connection is handed out.
type exchange struct {
	parent   context.Context
	cancel   context.CancelCauseFunc
	beginBy  time.Time
	patience time.Duration
	timer    *time.Timer

	mu    sync.Mutex
	on    *conn     // where it has begun
	over  bool      // nothing may begin any more
	until time.Time // when the timer cuts
}

// newExchange returns an exchange and the context for its request, which outlives ctx once a byte has been written.
func newExchange(ctx context.Context, beginBy time.Time, patience time.Duration) (*exchange, context.Context) {
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	x := &exchange{parent: ctx, cancel: cancel, beginBy: beginBy, patience: patience, until: beginBy}
	x.mu.Lock()
	x.timer = time.AfterFunc(time.Until(beginBy), x.expire)
	x.mu.Unlock()
	return x, httptrace.WithClientTrace(own, &httptrace.ClientTrace{GotConn: x.got})
}

// late reports whether the last instant has passed on either clock: the monotonic one stands still while a virtual
// machine is suspended, the wall clock may be set back.
func late(now, last time.Time) bool { return now.After(last) || now.Round(0).After(last.Round(0)) }

func (x *exchange) got(info httptrace.GotConnInfo) {
	c := ours(info.Conn)
	if c == nil {
		// Bytes may leave unseen from here on, so this counts as begun. The dialers above make no such connection.
		x.mu.Lock()
		defer x.mu.Unlock()
		x.on = new(conn)
		x.cancel(errForeign)
		return
	}
	c.current.Store(x)
}

// begin allows the exchange's first byte on c, once; first says that this was it.
func (x *exchange) begin(c *conn) (first bool, failure error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.on == c {
		return false, nil
	}
	var err error
	switch {
	case x.on != nil:
		err = errReplay
	case x.parent.Err() != nil:
		err = context.Cause(x.parent)
	case x.over:
		err = errTooLate
	}
	if err == nil {
		x.timer.Reset(x.patience)
		// The clock is read last: what stands between this and the kernel's write is what a process that is frozen just
		// here can be late by, and nothing but Meta could fence that.
		now := time.Now()
		if !late(now, x.beginBy) {
			x.on, x.until = c, now.Add(x.patience)
			return true, nil
		}
		err = errTooLate
	}
	// Without this net/http would take the refusal for a dead connection and try, and close, every idle one it has.
	x.cancel(err)
	return false, err
}

// retract takes back a beginning on a connection that took not one byte.
func (x *exchange) retract(c *conn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.on != c {
		return
	}
	x.on, x.until = nil, x.beginBy
	x.timer.Reset(time.Until(x.beginBy))
}

// expire ends an exchange that could not begin in time, or that was not answered in time.
func (x *exchange) expire() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		return
	}
	if wait := time.Until(x.until); wait > 0 {
		x.timer.Reset(wait)
		return
	}
	if x.on != nil {
		x.cancel(errNoAnswer)
		return
	}
	x.over = true
	x.cancel(errTooLate)
}

// abandon ends an exchange that has not begun.
func (x *exchange) abandon() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.on == nil && !x.over {
		x.over = true
		x.cancel(context.Cause(x.parent))
	}
}

// finish closes the exchange and reports whether it had begun; if not, it never will.
func (x *exchange) finish() (begun bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	x.timer.Stop()
	x.cancel(nil)
	return x.on != nil
}
