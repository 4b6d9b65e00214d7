package store

import (
	"context"
	"net"
	"time"
)

// How long a connection to PostgreSQL is believed in when nothing comes back.
const (
	// A host that is gone, or a network that swallows everything, is known within these: the kernel asks an idle peer thrice, and
	// gives what was written and not acknowledged unacknowledgedFor. lib/pq itself would wait for as long as the kernel does,
	// a quarter of an hour and more (lib/pq #620).
	keepAliveIdle     = 10 * time.Second
	keepAliveEvery    = 5 * time.Second
	keepAliveCount    = 3
	unacknowledgedFor = 15 * time.Second
	// answerGrace is how much longer than its statement_timeout a server may take to say so: one that stands still while its
	// kernel acknowledges would else be waited for without end.
	answerGrace = 15 * time.Second
)

// pgDialer connects to PostgreSQL by connections that notice when nobody is at the other end.
type pgDialer struct {
	net.Dialer
	// answer is how long a server may take to answer; 0 is any time.
	answer time.Duration
}

func newPGDialer(statementTimeout time.Duration) pgDialer {
	d := pgDialer{Dialer: net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAliveIdle, Interval: keepAliveEvery, Count: keepAliveCount},
		Control:         limitUnacknowledged,
	}}
	if statementTimeout > 0 {
		d.answer = statementTimeout + answerGrace
	}
	return d
}

// Dial is what lib/pq calls when it has neither context nor time-out.
func (d pgDialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialTimeout is what lib/pq calls when it has no context.
func (d pgDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// DialContext is what lib/pq calls when it has one.
func (d pgDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil || d.answer == 0 {
		return c, err
	}
	return &answeredConn{Conn: c, answer: d.answer}, nil
}

// answeredConn waits no longer than answer for each answer, unless whoever uses it sets a time of their own.
type answeredConn struct {
	net.Conn
	answer time.Duration
	own    bool
}

func (c *answeredConn) SetDeadline(t time.Time) error {
	c.own = !t.IsZero()
	return c.Conn.SetDeadline(t)
}

func (c *answeredConn) SetReadDeadline(t time.Time) error {
	c.own = !t.IsZero()
	return c.Conn.SetReadDeadline(t)
}

func (c *answeredConn) Read(p []byte) (int, error) {
	if !c.own {
		if err := c.Conn.SetReadDeadline(time.Now().Add(c.answer)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}
