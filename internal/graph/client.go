package graph

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/permesso/permesso/internal/errcode"
)

const (
	defaultTimeout  = 30 * time.Second
	defaultMaxConns = 512
	dialTimeout     = 10 * time.Second
	// idleTimeout is below the 60 s at which common front ends close idle connections, so that we close first.
	idleTimeout = 50 * time.Second
	// maxAnswer bounds the answer to a message; a real one has some 300 bytes.
	maxAnswer = 64 << 10
	// maxPage bounds a page of templates; a page of 100 with carousels stays far below.
	maxPage = 16 << 20

	userAgent = "permesso"
)

// Options says where Meta is and how to speak to it.
type Options struct {
	BaseURL   string // https://graph.facebook.com, or the sandbox; a path is kept as a prefix
	Version   string // v25.0
	AccountID string // the WhatsApp Business Account; only reading templates needs it
	// Token gives the access token for each request, so that a rotated one is taken up at once.
	Token func() string
	// Timeout is how long an answer may take after the first byte was sent; 0 is 30 s.
	Timeout time.Duration
	// MaxConns bounds the connections; 0 is 512. A number's rate times the answer's latency must fit in it.
	MaxConns int
	// RootCAs are the authorities that may vouch for the server; nil is the system's.
	RootCAs *x509.CertPool
	Logger  *slog.Logger // nil logs nothing
}

// Client speaks to the Cloud API. It is safe for concurrent use.
type Client struct {
	base      url.URL
	account   string
	token     func() string
	timeout   time.Duration
	log       *slog.Logger
	dialer    net.Dialer
	tls       *tls.Config
	transport *http.Transport
	buffers   sync.Pool
}

var (
	versionForm = regexp.MustCompile(`^v[0-9]{1,3}\.[0-9]{1,2}$`)
	idForm      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
)

// New checks the options and makes a client. It does not speak to anyone yet.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, errcode.With(fmt.Errorf("graph base URL %q: write an address like https://graph.facebook.com", o.BaseURL), errcode.GraphSettings)
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errcode.With(errors.New("graph base URL: leave out user, query and fragment; the token has a key of its own"), errcode.GraphSettings)
	}
	if !versionForm.MatchString(o.Version) {
		return nil, errcode.With(fmt.Errorf("graph version %q: write it like v25.0", o.Version), errcode.GraphSettings)
	}
	if o.AccountID != "" && !idForm.MatchString(o.AccountID) {
		return nil, errcode.With(fmt.Errorf("graph account id %q: write the digits of the WhatsApp Business Account", o.AccountID), errcode.GraphSettings)
	}
	if o.Token == nil {
		return nil, errcode.With(errors.New("graph access token: none is configured"), errcode.TokenMalformed)
	}
	if o.Timeout < 0 || o.MaxConns < 0 {
		return nil, errcode.With(fmt.Errorf("graph timeout %v and connections %d: neither may be negative", o.Timeout, o.MaxConns), errcode.GraphSettings)
	}
	c := &Client{
		base:    url.URL{Scheme: base.Scheme, Host: base.Host, Path: strings.TrimRight(base.Path, "/") + "/" + o.Version},
		account: o.AccountID,
		token:   o.Token,
		timeout: o.Timeout,
		log:     o.Logger,
		dialer:  net.Dialer{Timeout: dialTimeout},
		tls: &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
			ClientSessionCache: tls.NewLRUClientSessionCache(64)},
		buffers: sync.Pool{New: func() any { return new(make([]byte, 0, 2<<10)) }},
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.transport = c.newTransport(o.MaxConns)
	if base.Scheme == "http" && !loopback(base.Hostname()) {
		c.log.Warn("the access token travels unencrypted: graph.base_url is http", "host", base.Host)
	}
	return c, nil
}

// Close closes the connections that wait for reuse.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

func (c *Client) newTransport(conns int) *http.Transport {
	if conns == 0 {
		conns = defaultMaxConns
	}
	// HTTP/1.1 only: with one request per connection at a time, the first byte of a request can be told from all others.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            c.dial,
		DialTLSContext:         c.dialTLS,
		TLSClientConfig:        c.tls,
		TLSHandshakeTimeout:    dialTimeout,
		Protocols:              protocols,
		DisableCompression:     true,
		MaxIdleConns:           conns,
		MaxIdleConnsPerHost:    conns,
		MaxConnsPerHost:        conns,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxAnswer,
		WriteBufferSize:        8 << 10,
	}
}

func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := c.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s := &socket{Conn: raw}
	return &conn{Conn: s, socket: s}, nil
}

// dialTLS shakes hands before it hands the connection out: the handshake's bytes are no part of a request.
func (c *Client) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := c.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s := &socket{Conn: raw}
	config := c.tls.Clone()
	if config.ServerName, _, err = net.SplitHostPort(address); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	secure := tls.Client(s, config)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS with %s: %w", config.ServerName, err), raw.Close())
	}
	return &conn{Conn: secure, socket: s}, nil
}

// request makes a request without a body. The token is put into the Authorization header and nowhere else.
func (c *Client) request(method, path, token string) (*http.Request, error) {
	if token == "" {
		return nil, errcode.With(errors.New("the access token is empty"), errcode.TokenMalformed)
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errcode.With(errors.New("the access token has a space or another character that no token has"), errcode.TokenMalformed)
	}
	target := c.base
	target.Path += path
	return &http.Request{
		Method: method,
		URL:    &target,
		Host:   target.Host,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Authorization": {"Bearer " + token}, "User-Agent": {userAgent}},
	}, nil
}

// reading is the trace of requests that may be repeated: no exchange watches their bytes.
func reading() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if c := ours(info.Conn); c != nil {
			c.current.Store(nil)
		}
	}}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
