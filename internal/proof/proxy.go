package proof

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Faults say how often a Proxy misbehaves, as shares from 0 to 1. The zero value relays faithfully.
type Faults struct {
	Refuse     float64       // of connections: reset before anything is read
	Cut        float64       // of requests: half of what arrived is passed on, then both sides are closed
	DropAnswer float64       // of answers: the request reached the server, the client's side is closed instead of the answer
	BlackHole  float64       // of requests: swallowed, and so is all that follows; both sides stay open
	Delay      time.Duration // of answers: each waits for up to so long

	// Marker is a sequence of bytes; CutAtMarker is the share of those requests that hold it whose connection is cut, half
	// of them just before the bytes are passed on and half just after.
	Marker      []byte
	CutAtMarker float64
}

// Counts are how often each fault came about.
type Counts struct {
	Connections, Refused, Cut, Dropped, Swallowed, Delayed int
	CutBefore, CutAfter                                    int // at the marker
	Severed                                                int // by CutAll
}

// Proxy relays TCP between a client and a server, and fails on purpose. A request is what the client says until the server
// answers, as in HTTP/1.1 and in PostgreSQL's protocol.
type Proxy struct {
	listener net.Listener
	upstream string
	relays   sync.WaitGroup

	mu     sync.Mutex
	chance *rand.Rand
	faults Faults
	counts Counts
	open   map[*relay]struct{}
	closed bool
}

// NewProxy relays connections to address on to upstream. The same seed draws the same faults from the same events.
func NewProxy(address, upstream string, seed uint64) (*Proxy, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for the proxy to %s: %w", upstream, err)
	}
	p := &Proxy{listener: l, upstream: upstream, chance: rand.New(rand.NewPCG(seed, 0x70726f7879)), open: map[*relay]struct{}{}}
	p.relays.Go(p.accept)
	return p, nil
}

// Address is where clients connect.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Set changes the faults, for connections that are open too.
func (p *Proxy) Set(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
}

// Counts returns how often each fault came about so far.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// CutAll closes every connection that is open, whatever is on it.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	relays := make([]*relay, 0, len(p.open))
	for r := range p.open {
		relays = append(relays, r)
	}
	p.counts.Severed += len(relays)
	p.mu.Unlock()
	for _, r := range relays {
		r.close()
	}
}

// Close ends the proxy and every connection through it.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.listener.Close()
	p.CutAll()
	p.relays.Wait()
	return err
}

// draw decides one fault, and counts it when it comes about.
func (p *Proxy) draw(share func(Faults) float64, count func(*Counts) *int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := share(p.faults); s == 0 || p.chance.Float64() >= s {
		return false
	}
	*count(&p.counts)++
	return true
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.relays.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	p.mu.Lock()
	p.counts.Connections++
	p.mu.Unlock()
	if p.draw(func(f Faults) float64 { return f.Refuse }, func(c *Counts) *int { return &c.Refused }) {
		reset(client)
		return
	}
	server, err := net.Dial("tcp", p.upstream)
	if err != nil {
		reset(client)
		return
	}
	r := &relay{proxy: p, client: client, server: server, answered: true} // so that the first bytes begin a request
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		r.close()
		return
	}
	p.open[r] = struct{}{}
	p.mu.Unlock()
	var ways sync.WaitGroup
	ways.Go(r.requests)
	ways.Go(r.answers)
	ways.Wait()
	r.close()
	p.mu.Lock()
	delete(p.open, r)
	p.mu.Unlock()
}

// reset closes c so that the other side sees a reset and not an end.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // the connection is given up either way
	}
	_ = c.Close()
}

// relay is one connection through the proxy.
type relay struct {
	proxy          *Proxy
	client, server net.Conn

	mu        sync.Mutex
	answered  bool // the last bytes came from the server
	swallowed bool
}

func (r *relay) close() {
	_ = r.client.Close() // whoever closes first is the one who counts
	_ = r.server.Close()
}

// turn notes who speaks, and reports whether it was the other one before.
func (r *relay) turn(answering bool) (turned, swallowed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	turned = r.answered != answering
	r.answered = answering
	return turned, r.swallowed
}

func (r *relay) requests() {
	defer r.hangUp()
	buffer := make([]byte, 64<<10)
	for {
		n, err := r.client.Read(buffer)
		if n > 0 && !r.request(buffer[:n]) {
			return
		}
		if err != nil {
			return
		}
	}
}

// request passes bytes of a request on; it reports false when the connection is over.
func (r *relay) request(b []byte) bool {
	p := r.proxy
	begins, swallowed := r.turn(false)
	if swallowed {
		return true
	}
	if begins && p.draw(func(f Faults) float64 { return f.BlackHole }, func(c *Counts) *int { return &c.Swallowed }) {
		r.mu.Lock()
		r.swallowed = true
		r.mu.Unlock()
		return true
	}
	if begins && p.draw(func(f Faults) float64 { return f.Cut }, func(c *Counts) *int { return &c.Cut }) {
		_, _ = r.server.Write(b[:len(b)/2])
		return false
	}
	if p.marked(b) {
		if p.draw(func(f Faults) float64 { return f.CutAtMarker / 2 }, func(c *Counts) *int { return &c.CutBefore }) {
			return false
		}
		// Of what is left the same share again.
		if p.draw(func(f Faults) float64 { return f.CutAtMarker / 2 / (1 - f.CutAtMarker/2) }, func(c *Counts) *int { return &c.CutAfter }) {
			_, _ = r.server.Write(b)
			return false
		}
	}
	_, err := r.server.Write(b)
	return err == nil
}

func (p *Proxy) marked(b []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.faults.Marker) > 0 && bytes.Contains(b, p.faults.Marker)
}

// hangUp ends the client's side at once, and lets the server read what was passed on to it.
func (r *relay) hangUp() {
	_ = r.client.Close()
	if tcp, ok := r.server.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	_ = r.server.SetReadDeadline(time.Now().Add(2 * time.Second))
}

func (r *relay) answers() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := r.server.Read(buffer)
		if n > 0 && !r.answer(buffer[:n]) {
			return
		}
		if err != nil {
			_ = r.client.Close()
			return
		}
	}
}

// answer passes bytes of an answer on; it reports false when the connection is over.
func (r *relay) answer(b []byte) bool {
	p := r.proxy
	begins, swallowed := r.turn(true)
	if swallowed {
		return true
	}
	if begins && p.draw(func(f Faults) float64 { return f.DropAnswer }, func(c *Counts) *int { return &c.Dropped }) {
		r.close()
		return false
	}
	if begins {
		p.delay()
	}
	if _, err := r.client.Write(b); err != nil {
		// The client has gone; the server's words are read to their end all the same.
		return true
	}
	return true
}

func (p *Proxy) delay() {
	p.mu.Lock()
	most := p.faults.Delay
	var wait time.Duration
	if most > 0 {
		wait = time.Duration(p.chance.Int64N(int64(most)))
		p.counts.Delayed++
	}
	p.mu.Unlock()
	if wait > 0 {
		time.Sleep(wait)
	}
}
