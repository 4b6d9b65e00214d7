package webhook

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

const (
	// MaxBody is the largest body that is read; Meta sends at most 3 MB (Meta, "Webhooks overview", graph-api §4.3).
	MaxBody = 4 << 20
	// inForceWithin bounds the wait for deliveries that passed the gate before the stop was committed. A POST may begin
	// at most 1 s after its gate's first read, so that 1.2 s on this one clock covers it without comparing clocks.
	inForceWithin = 1200 * time.Millisecond
	// answerWithin is how long a body may wait for its commit before Meta is asked to come again. The commit may still
	// happen: the repeated body changes nothing then.
	answerWithin = 20 * time.Second
)

// Sink stores what the bodies say. A *store.Store is one.
type Sink interface {
	// Store applies the bodies in one transaction, all or nothing. stopped are the persons whose acts, or whose failed
	// statuses, suppress; also when the same act was applied before, since the first receiver of it may still be waiting.
	Store(ctx context.Context, bodies []sender.Inbox) (stopped []policy.PersonID, err error)
	// InFlight reports whether a delivery of any of these persons is between gate and outcome.
	InFlight(ctx context.Context, persons []policy.PersonID) (bool, error)
}

// Options is what a Receiver works with.
type Options struct {
	// AppSecrets are the secrets that may have signed a body, more than one while rotating. Read for every body; with none
	// nothing is accepted.
	AppSecrets func() []string
	// VerifyToken is the token of Meta's handshake; with "" no handshake succeeds.
	VerifyToken func() string
	Sink        Sink
	// Writable says why the sink cannot store anything, nil when it can; it tells a body that cannot be stored from a database that is
	// away. Without it the database is taken to be there.
	Writable func(ctx context.Context) error
	// Keywords are the words that stop and start, read for every text; nil knows none.
	Keywords func() policy.Keywords
	// Wants says what more is read from messages; nil reads no more.
	Wants func() Wants
	// Kind is the kind of a campaign that has a stop button. A campaign that it does not know is stopped with ScopeAll.
	Kind func(campaign string) (policy.Kind, bool)
	// Classify gives the reaction to an error code of Meta.
	Classify func(code int) sender.Reaction
	// Logger may be nil.
	Logger *slog.Logger
	// Observe, when set, is told of every answered POST. It must return at once.
	Observe func(Answer)
}

// Wants is what is read from messages beside acts, replies and statuses. The zero value is nothing.
type Wants struct {
	Confirmations bool        // opt-outs by word or button are confirmed
	Chat          policy.Chat // help is given, and categories are asked about
	Forward       bool        // the business reads what people write
	// Joins are the categories that a code of an opt-in page may confirm; nil reads no codes.
	Joins map[string]policy.Category
}

// Answer is how one POST ended, for metrics: no personal data.
type Answer struct {
	Status   int // the HTTP status
	Bytes    int // of the body, as far as it was read
	Acts     int
	Statuses int
	Replies  int
	// Kept says that the raw body was kept because the parsed form does not hold all of it.
	Kept bool
	Took time.Duration
}

// Receiver takes Meta's webhooks. Its handler answers only while Run runs.
type Receiver struct {
	options Options
	parser  parser
	log     *slog.Logger
	queue   *queue
	owed    debt
	// polls bounds how many questions to the sink about deliveries in flight are open at once: in a flood of stops they
	// must not take the database away from the stops themselves.
	polls chan struct{}
	// large bounds how many large bodies are decoded at once, and with that the memory they take meanwhile.
	large    chan struct{}
	watchers sync.WaitGroup
	started  atomic.Bool
	failures atomic.Int64 // commits in a row of which nothing was stored
	failedAt atomic.Int64 // when the last of them ended, unix milliseconds
	forgedAt atomic.Int64 // when a bad signature was last logged, unix seconds
}

// New returns a Receiver. AppSecrets, VerifyToken and Sink are required.
func New(options Options) *Receiver {
	log := options.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if options.Keywords == nil {
		options.Keywords = func() policy.Keywords { return policy.Keywords{} }
	}
	if options.Wants == nil {
		options.Wants = func() Wants { return Wants{} }
	}
	return &Receiver{
		options: options,
		parser:  parser{keywords: options.Keywords, wants: options.Wants, kind: options.Kind, classify: options.Classify},
		log:     log,
		queue:   newQueue(),
		polls:   make(chan struct{}, 2),
		large:   make(chan struct{}, 2),
	}
}

// Failures is how many times in a row nothing of what came could be stored; 0 after anything was.
func (r *Receiver) Failures() int { return int(r.failures.Load()) }

// FailedAt is when the last of Failures ended; it means nothing while there are none.
func (r *Receiver) FailedAt() time.Time { return time.UnixMilli(r.failedAt.Load()) }

// Handler serves GET /webhook and POST /webhook and nothing else.
func (r *Receiver) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /webhook", r.handshake)
	mux.HandleFunc("POST /webhook", r.receive)
	return mux
}

// ConfigureServer sets the limits under which Handler is meant to face the internet: a client that dribbles is cut after
// 10 s, headers take at most 16 KiB.
func ConfigureServer(server *http.Server) {
	const readWithin = 10 * time.Second
	server.ReadHeaderTimeout = 5 * time.Second
	server.ReadTimeout = readWithin
	server.WriteTimeout = readWithin + answerWithin + inForceWithin + 2*time.Second
	server.IdleTimeout = 75 * time.Second
	server.MaxHeaderBytes = 16 << 10
	server.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 100}
}

// handshake answers Meta's check of the callback URL (Meta, "Create a webhook endpoint", 2025-11-07).
func (r *Receiver) handshake(w http.ResponseWriter, req *http.Request) {
	query := req.URL.Query()
	challenge := query.Get("hub.challenge")
	if query.Get("hub.mode") != "subscribe" || challenge == "" || !sameToken(r.options.VerifyToken(), query.Get("hub.verify_token")) {
		respond(w, http.StatusForbidden, "the verify token is not the one configured as graph.verify_token\n")
		return
	}
	respond(w, http.StatusOK, challenge)
}

// sameToken compares in constant time and without telling the length; an empty token matches nothing.
func sameToken(want, got string) bool {
	wantSum, gotSum := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(got))
	return subtle.ConstantTimeCompare(wantSum[:], gotSum[:]) == 1 && want != ""
}

func (r *Receiver) receive(w http.ResponseWriter, req *http.Request) {
	began := time.Now()
	answer, text := r.take(w, req, began)
	if answer.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	respond(w, answer.Status, text)
	if r.options.Observe != nil {
		answer.Took = time.Since(began)
		r.options.Observe(answer)
	}
}

// take brings one body from the wire into the store. Nothing is parsed before the signature is proved.
func (r *Receiver) take(w http.ResponseWriter, req *http.Request, now time.Time) (Answer, string) {
	if req.ContentLength > MaxBody {
		w.Header().Set("Connection", "close")
		return Answer{Status: http.StatusRequestEntityTooLarge}, tooLargeText
	}
	signature, ok := parseSignature(req.Header.Get("X-Hub-Signature-256"))
	if !ok {
		return r.forged(0)
	}
	raw, held, err := r.read(http.MaxBytesReader(w, req.Body, MaxBody), req.ContentLength)
	if err != nil {
		r.queue.release(held)
		return unread(err, len(raw))
	}
	if !signature.proves(raw, r.options.AppSecrets()) {
		r.queue.release(held)
		return r.forged(len(raw))
	}
	read, err := r.parse(raw, now)
	if err != nil {
		r.queue.release(held)
		return Answer{Status: http.StatusBadRequest, Bytes: len(raw)}, err.Error() + "\n"
	}
	box := read.box
	if read.nameless > 0 {
		r.log.ErrorContext(req.Context(), "an opt-out names nobody and cannot be applied; the body is kept", "acts", read.nameless)
	}
	answer := Answer{Bytes: len(raw), Acts: len(box.Acts), Statuses: len(box.Statuses), Replies: len(box.Replies), Kept: box.Body != nil}
	answer.Status = r.store(req.Context(), newPending(box, max(held, int64(len(raw)))), held)
	if answer.Status != http.StatusOK {
		return answer, "not stored: send it again\n"
	}
	return answer, ""
}

func (r *Receiver) parse(raw []byte, now time.Time) (reading, error) {
	if len(raw) > 64<<10 {
		r.large <- struct{}{}
		defer func() { <-r.large }()
	}
	return r.parser.parse(raw, now)
}

// store hands the body to the group commit and waits until its 200 may be given.
func (r *Receiver) store(ctx context.Context, p *pending, held int64) int {
	if !r.queue.put(p, p.size-held) {
		r.queue.release(held)
		return http.StatusServiceUnavailable
	}
	patience := time.NewTimer(answerWithin)
	defer patience.Stop()
	var v verdict
	select {
	case v = <-p.verdict:
	case <-patience.C:
		return http.StatusServiceUnavailable
	case <-ctx.Done():
		return http.StatusServiceUnavailable
	}
	if !v.stored {
		return http.StatusServiceUnavailable
	}
	if v.inForce == nil {
		return http.StatusOK
	}
	patience.Reset(time.Until(v.by))
	select {
	case <-v.inForce:
	case <-patience.C:
	case <-ctx.Done():
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// forged answers a body that Meta did not sign. The log line comes at most once a minute: anyone can cause it.
func (r *Receiver) forged(size int) (Answer, string) {
	now, last := time.Now().Unix(), r.forgedAt.Load()
	if now-last >= 60 && r.forgedAt.CompareAndSwap(last, now) {
		r.log.Warn("a webhook with a missing or wrong signature was refused; if Meta sent it, graph.app_secret is not the app's")
	}
	return Answer{Status: http.StatusUnauthorized, Bytes: size}, "the signature in X-Hub-Signature-256 is missing or wrong\n"
}

var (
	tooLargeText = "the body is larger than " + strconv.Itoa(MaxBody>>20) + " MiB\n"
	errNoRoom    = errors.New("no room for the body")
)

// firstBuffer is what every body may take without asking, so that small bodies, nearly all of them, get in while large
// ones fill the room.
const firstBuffer = 16 << 10

// read reads the whole body; held is what it reserved of the queue's room, to be released also after an error. Room is
// reserved as bytes arrive, not as they are announced: an announcement costs a forger nothing.
func (r *Receiver) read(body io.Reader, length int64) (raw []byte, held int64, err error) {
	raw = make([]byte, 0, min(max(length+1, 512), firstBuffer))
	for {
		if len(raw) == cap(raw) {
			larger := min(2*cap(raw), MaxBody+1)
			if more := int64(larger) - max(held, firstBuffer); more > 0 {
				if !r.queue.reserve(more) {
					return raw, held, errNoRoom
				}
				held += more
			}
			raw = append(make([]byte, 0, larger), raw...)
		}
		n, err := body.Read(raw[len(raw):cap(raw)])
		raw = raw[:len(raw)+n]
		if err == io.EOF {
			return raw, held, nil
		}
		if err != nil {
			return raw, held, err
		}
	}
}

// unread answers a body that could not be read.
func unread(err error, size int) (Answer, string) {
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return Answer{Status: http.StatusRequestEntityTooLarge, Bytes: size}, tooLargeText
	}
	if errors.Is(err, errNoRoom) {
		return Answer{Status: http.StatusServiceUnavailable, Bytes: size}, "too many bodies wait: send it again\n"
	}
	return Answer{Status: http.StatusBadRequest, Bytes: size}, "the body could not be read to its end\n"
}

func respond(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if _, err := io.WriteString(w, text); err != nil {
		// The client is gone; it will send the body again, and a body twice is a body once.
		return
	}
}
