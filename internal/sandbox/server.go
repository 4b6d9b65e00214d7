// Package sandbox owns an in-memory WhatsApp Cloud API: it takes the calls that
// Meta would take, refuses what Meta would refuse, and tells the rest by signed
// webhooks. It shares no type with the client, so that a misspelt field cannot
// be invisible to both.
package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options says what account the sandbox plays.
type Options struct {
	Token       string // bearer token every call must carry
	AppSecret   string // signs webhooks; required with WebhookURL
	VerifyToken string // sent by Handshake
	AccountID   string // WhatsApp Business Account id
	Numbers     []Number
	Templates   []json.RawMessage // as GET message_templates lists them

	WebhookURL  string        // "" = nothing is told
	Client      *http.Client  // posts the webhooks; nil = one of its own
	BatchSize   int           // updates per webhook POST; 0 = 1000, Meta's maximum
	StatusDelay time.Duration // between accepted, sent, delivered and read; 0 = as fast as possible

	Latency        time.Duration // added before every answer to POST messages
	Record         bool          // keep every accepted send for Received
	Ledger         io.Writer     // one JSON line per POST, written before the answer, synced if *os.File
	MessagingLimit int           // unique people in any 24 hours over all numbers, over it 131048; 0 = unlimited
	OptOutEvery    int           // every n-th person reached answers STOP; 0 = never
	IgnoreSuffixes bool          // no special numbers
	Logger         *slog.Logger  // nil = silent
}

// Number is one business phone number.
type Number struct {
	ID                string
	DisplayPhone      string  // as Meta shows it, such as +39 06 1112 2233
	CountryCode       string  // calling code, such as 39: put before a `to` without +
	MessagesPerSecond float64 // over it in any second: 130429; 0 = unlimited
}

// Server is the sandbox. It is safe for concurrent use.
type Server struct {
	opts     Options
	log      *slog.Logger
	numbers  []*number
	byID     map[string]*number
	suffixes suffixTable
	seed     uint64
	traces   atomic.Uint64
	refusing atomic.Bool
	accepted atomic.Int64
	bodies   sync.Pool
	records  records
	ledger   *ledger
	people   people
	limit    portfolio
	queue    queue
	webhooks webhooks

	changing  sync.Mutex // held while the catalogue is replaced
	catalogue atomic.Pointer[catalogue]

	attempting sync.Mutex
	attempts   map[string]int
}

// New checks the options and returns a sandbox that has sent nothing yet.
func New(o Options) (*Server, error) {
	switch {
	case o.Token == "":
		return nil, errors.New("sandbox: Token is empty, give any string")
	case o.AccountID == "":
		return nil, errors.New("sandbox: AccountID is empty, give any string of digits")
	case len(o.Numbers) == 0:
		return nil, errors.New("sandbox: no Numbers, give at least one")
	case o.WebhookURL != "" && o.AppSecret == "":
		return nil, errors.New("sandbox: WebhookURL needs AppSecret to sign what it posts")
	case o.MessagingLimit < 0:
		return nil, fmt.Errorf("sandbox: MessagingLimit is %d, must be 0 (unlimited) or more", o.MessagingLimit)
	case o.BatchSize < 0 || o.BatchSize > maxBatch:
		return nil, fmt.Errorf("sandbox: BatchSize is %d, must be 0 to %d", o.BatchSize, maxBatch)
	}
	s := &Server{opts: o, limit: portfolio{limit: o.MessagingLimit, last: map[string]time.Time{}}, log: o.Logger, byID: map[string]*number{}, attempts: map[string]int{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if o.BatchSize == 0 {
		s.opts.BatchSize = maxBatch
	}
	if !o.IgnoreSuffixes {
		s.suffixes = newSuffixTable()
	}
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // never fails since Go 1.24
	s.seed = binary.LittleEndian.Uint64(seed[:])
	s.bodies.New = func() any { return new(scratch) }
	if o.Ledger != nil {
		s.ledger = newLedger(o.Ledger)
	}
	s.queue.wake = make(chan struct{}, 1)
	s.webhooks = newWebhooks(o)
	for _, n := range o.Numbers {
		if err := s.addNumber(n); err != nil {
			return nil, err
		}
	}
	list := make([]*template, 0, len(o.Templates))
	for _, raw := range o.Templates {
		t, err := parseTemplate(raw)
		if err != nil {
			return nil, fmt.Errorf("sandbox: %w", err)
		}
		list = append(list, t)
	}
	c, err := newCatalogue(list, 1)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s.catalogue.Store(c)
	return s, nil
}

// RefuseToken makes every call answer 401 with code 190, until it is undone.
func (s *Server) RefuseToken(refuse bool) { s.refusing.Store(refuse) }

// Count is the number of messages accepted so far, whatever the caller was
// told about them.
func (s *Server) Count() int { return int(s.accepted.Load()) }

// ServeHTTP answers /{version}/{object} and /{version}/{object}/{edge}.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	version, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	object, edge, _ := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	major, ok := parseVersion(version)
	if !ok || object == "" || strings.Contains(edge, "/") {
		s.writeFault(w, &fault{status: http.StatusBadRequest, code: 2500, message: "Unknown path components: " + r.URL.Path})
		return
	}
	if n := s.byID[object]; n != nil && r.Method == http.MethodPost {
		switch edge {
		case "messages":
			s.serveSend(w, r, n, endpoint{major, false})
			return
		case "marketing_messages":
			s.serveSend(w, r, n, endpoint{major, true})
			return
		}
	}
	if f := s.authorize(r); f != nil {
		s.writeFault(w, f)
		return
	}
	s.serveObject(w, r, object, edge)
}

// parseVersion reads v25.0; any version number will do.
func parseVersion(v string) (int, bool) {
	number, found := strings.CutPrefix(v, "v")
	whole, minor, dotted := strings.Cut(number, ".")
	major, err := strconv.Atoi(whole)
	return major, found && dotted && err == nil && major > 0 && minor != ""
}

func (s *Server) authorize(r *http.Request) *fault {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case s.refusing.Load():
		return badToken("Error validating access token: the session has expired")
	case !found:
		return badToken("An access token is required to request this resource")
	case subtle.ConstantTimeCompare([]byte(token), []byte(s.opts.Token)) != 1:
		return badToken("Invalid OAuth access token - Cannot parse access token")
	}
	return nil
}

// pause waits for d, or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
