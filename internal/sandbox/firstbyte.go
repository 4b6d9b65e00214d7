package sandbox

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Watch makes web note when the first byte of each request arrives, for the
// ledger: serve on the listener that it returns. Without it a request begins
// when its head has been read.
func Watch(web *http.Server, l net.Listener) net.Listener {
	web.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, watchedKey{}, c)
	}
	return watchedListener{l}
}

type (
	watchedKey      struct{}
	watchedListener struct{ net.Listener }
)

// Accept implements net.Listener.
func (l watchedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: c}, nil
}

type watchedConn struct {
	net.Conn
	mu    sync.Mutex
	begun time.Time // the first byte since the last request was taken; zero before it
}

// Read implements net.Conn.
func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		now := time.Now()
		c.mu.Lock()
		if c.begun.IsZero() {
			c.begun = now
		}
		c.mu.Unlock()
	}
	return n, err
}

// beginning returns when the first byte of r was read, otherwise if nobody
// watches. It is asked once, after the body: HTTP/1.1 without pipelining sends
// the next request after the answer.
func beginning(r *http.Request, otherwise time.Time) time.Time {
	c, watched := r.Context().Value(watchedKey{}).(*watchedConn)
	if !watched {
		return otherwise
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	begun := c.begun
	c.begun = time.Time{}
	if begun.IsZero() {
		return otherwise
	}
	return begun
}
