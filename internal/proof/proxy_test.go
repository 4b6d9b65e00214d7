package proof

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// behind starts a server that counts what it was asked, with a proxy before it.
func behind(t *testing.T, f Faults) (*Proxy, *atomic.Int64, func() error) {
	t.Helper()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			return // cut off: it never was a request
		}
		asked.Add(1)
		_, _ = io.WriteString(w, "yes")
	}))
	t.Cleanup(server.Close)
	p, err := NewProxy("127.0.0.1:0", strings.TrimPrefix(server.URL, "http://"), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	p.Set(f)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: patience}
	if f.BlackHole > 0 {
		client.Timeout = 3 * time.Second // which nobody ends but the client
	}
	t.Cleanup(client.CloseIdleConnections)
	return p, &asked, func() error {
		answer, err := client.Post("http://"+p.Address(), "text/plain", strings.NewReader(strings.Repeat("x", 1000)))
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(answer.Body)
		if err == nil && string(text) != "yes" {
			return errors.New("another answer: " + string(text))
		}
		return err
	}
}

func TestProxyRelays(t *testing.T) {
	t.Parallel()
	p, asked, ask := behind(t, Faults{})
	for range 50 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	if c := p.Counts(); asked.Load() != 50 || c != (Counts{Connections: c.Connections}) {
		t.Errorf("asked %d times: %+v", asked.Load(), c)
	}
}

// Each fault does what its name says, and is counted; what the server saw tells a lost request from a lost answer.
func TestProxyFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		faults  Faults
		reached bool // the request reaches the server
		answers bool // the client gets its answer
		count   func(Counts) int
	}{
		"refuse":      {Faults{Refuse: 1}, false, false, func(c Counts) int { return c.Refused }},
		"cut":         {Faults{Cut: 1}, false, false, func(c Counts) int { return c.Cut }},
		"drop answer": {Faults{DropAnswer: 1}, true, false, func(c Counts) int { return c.Dropped }},
		"black hole":  {Faults{BlackHole: 1}, false, false, func(c Counts) int { return c.Swallowed }},
		"delay":       {Faults{Delay: time.Millisecond}, true, true, func(c Counts) int { return c.Delayed }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, asked, ask := behind(t, tt.faults)
			err := ask()
			if (err == nil) != tt.answers || (asked.Load() > 0) != tt.reached || tt.count(p.Counts()) == 0 {
				t.Errorf("answered: %v, asked %d times, %+v", err, asked.Load(), p.Counts())
			}
		})
	}
}

// A share is a share: of many answers about so many are lost, and the others come.
func TestProxyShares(t *testing.T) {
	t.Parallel()
	p, asked, ask := behind(t, Faults{DropAnswer: 0.3})
	lost := 0
	for range 200 {
		if ask() != nil {
			lost++
		}
	}
	if c := p.Counts(); lost != c.Dropped || lost < 30 || lost > 90 || asked.Load() != 200 {
		t.Errorf("%d of %d lost, %+v", lost, asked.Load(), c)
	}
}

// At the marker half of the cuts come before the bytes were passed on, and half after.
func TestProxyCutsAtTheMarker(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	heard := make(chan []byte, 1)
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			all, _ := io.ReadAll(c)
			_ = c.Close()
			heard <- all
		}
	}()
	p, err := NewProxy("127.0.0.1:0", server.Addr().String(), 7)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	marker := []byte("COMMIT\x00")
	p.Set(Faults{Marker: marker, CutAtMarker: 1})
	reached := 0
	const tries = 40
	for range tries {
		c, err := net.Dial("tcp", p.Address())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write(append([]byte("Q"), marker...))
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Error("a cut connection answered")
		}
		_ = c.Close()
		if bytes.Contains(<-heard, marker) {
			reached++
		}
	}
	c := p.Counts()
	if reached != c.CutAfter || c.CutBefore+c.CutAfter != tries || reached < tries/4 || reached > 3*tries/4 {
		t.Errorf("%d of %d reached the server, %+v", reached, tries, c)
	}
}
