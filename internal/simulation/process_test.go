package simulation

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/internal/graph"
	"github.com/permesso/permesso/internal/webhook"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

var (
	errDead = errors.New("the process is dead")
	errAway = errors.New("the database does not answer")
)

// point is a place at which a process can fail: just before a call has its effect, or just after, when nobody learns of it.
type point string

// The points from the tick to the recorded result.
const (
	atCreateRun point = "create run"
	atMoveMark  point = "move mark"
	atEnqueue   point = "enqueue"
	atPlanned   point = "planned"
	atGate      point = "gate"
	atSend      point = "send"
	atRecord    point = "record"
	atFinish    point = "finish"
	atSettle    point = "settle"
	atWebhook   point = "webhook"
	atRead      point = "read" // changes nothing, and is no place to fail
)

var points = []point{atCreateRun, atMoveMark, atEnqueue, atPlanned, atGate, atGate, atGate, atSend, atSend, atSend, atRecord, atRecord, atRecord, atFinish, atSettle, atWebhook}

// mishap is what befalls a process when it comes to a point for the n-th time.
type mishap struct {
	at    point
	nth   int64
	after bool
	// span is how long it stands still or the database is away; 0 is its death.
	span time.Duration
	away bool
}

// process is one `permesso serve`: a scheduler, a planner, a sender for each number, a webhook receiver. It stands between
// its parts and the one store; once it is dead, or while it stands still, nothing of it gets through.
type process struct {
	w       *world
	name    string
	stop    context.CancelFunc
	over    sync.WaitGroup
	dead    atomic.Bool
	mishaps []mishap
	handler http.Handler

	mu        sync.Mutex
	visits    map[point]int64
	still     time.Time // it stands still until then
	awayUntil time.Time // the database is away for it until then
	known     map[string][]sender.Run
}

const appSecret = "simulation-secret"

// start begins a process; with receiver alone it only takes webhooks.
func (w *world) start(name string, mishaps []mishap, receiverAlone bool) *process {
	ctx, stop := context.WithCancel(context.Background())
	p := &process{w: w, name: name, stop: stop, mishaps: mishaps, visits: map[point]int64{}}
	receiver := webhook.New(webhook.Options{
		AppSecrets: func() []string { return []string{appSecret} }, VerifyToken: func() string { return "" }, Sink: p, Kind: w.kind,
		Classify: func(code int) sender.Reaction { return graph.Classify(code, 0, 0, false) }, Logger: w.log(name),
	})
	p.handler = receiver.Handler()
	p.over.Go(func() { _ = receiver.Run(ctx) })
	if !receiverAlone {
		p.work(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes = append(w.processes, p)
	w.note("%s starts", name)
	return p
}

func (p *process) work(ctx context.Context) {
	log := p.w.log(p.name)
	s := &scheduler.Scheduler{Slots: p, Formers: p, Clock: p.Now, Campaigns: p.w.configured, Freeze: p.w.freeze, Logger: log}
	planner := &scheduler.Planner{
		Store: p, Open: p, Move: p, Leases: p, Holder: p.name, Rate: p.w.rate, Logger: log,
		Catalogue:  func(context.Context) (templates.Catalogue, error) { return p.w.catalogue, nil },
		Configured: func(string) string { return "" },
	}
	p.over.Go(func() { _ = s.Run(ctx) })
	p.over.Go(func() { _ = planner.Run(ctx) })
	for _, number := range p.w.numbers {
		line := sender.New(sender.Options{
			NumberID: number, PerSecond: p.w.rate(number), Holder: p.name, Instance: p.w.db.Instance(), Client: p, Ledger: p, Runs: p, Leases: p, Shelf: p.w.db,
			Bind: p.w.bind, Logger: log,
		})
		p.over.Go(func() { _ = line.Run(ctx) })
	}
	p.over.Go(func() {
		for sender.Sleep(ctx, 5*time.Second) {
			_ = p.read(func() error { return p.w.db.ReplayEarly(ctx) })
		}
	})
}

// die ends the process without letting it record anything.
func (p *process) die(why string) {
	if p.dead.Swap(true) {
		return
	}
	p.w.mu.Lock()
	p.w.note("%s dies %s", p.name, why)
	p.w.mu.Unlock()
	p.stop()
}

// awake waits while the process stands still; it reports whether it is alive afterwards.
func (p *process) awake() bool {
	for {
		p.mu.Lock()
		still := time.Until(p.still)
		p.mu.Unlock()
		if still <= 0 {
			return !p.dead.Load()
		}
		time.Sleep(still)
	}
}

// befalls takes the mishap that waits at this side of the n-th visit to a point.
func (p *process) befalls(at point, nth int64, after bool) error {
	if p.w.calm.Load() {
		return nil
	}
	for _, m := range p.mishaps {
		if m.at != at || m.nth != nth || m.after != after {
			continue
		}
		side := map[bool]string{false: "before", true: "after"}[after]
		switch {
		case m.span == 0:
			p.w.seen.note(fmt.Sprintf("death %s %s", side, at))
			p.die(fmt.Sprintf("%s %s %d", side, at, nth))
			return errDead
		case m.away:
			p.w.seen.note("database away")
			p.mu.Lock()
			p.awayUntil = time.Now().Add(m.span)
			p.mu.Unlock()
		default:
			p.w.seen.note("process stands still")
			p.mu.Lock()
			p.still = time.Now().Add(m.span)
			p.mu.Unlock()
			p.w.tell("%s stands still for %s %s %s %d", p.name, m.span, side, at, nth)
			if !p.awake() {
				return errDead
			}
		}
	}
	return p.reached()
}

// reached says whether the database answers.
func (p *process) reached() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.awayUntil) {
		return errAway
	}
	return nil
}

// pass takes a call through the process to its effect. The effect may be had and its answer lost.
func (p *process) pass(at point, effect func() error) error {
	if !p.awake() {
		return errDead
	}
	p.mu.Lock()
	p.visits[at]++
	nth := p.visits[at]
	p.mu.Unlock()
	if err := p.befalls(at, nth, false); err != nil {
		return err
	}
	err := effect()
	if !p.awake() {
		return errDead
	}
	if lost := p.befalls(at, nth, true); lost != nil {
		return lost
	}
	return err
}

func (p *process) read(effect func() error) error { return p.pass(atRead, effect) }

// hear takes one webhook body and returns the HTTP status, 0 when the process died over it.
func (p *process) hear(body []byte) int {
	if !p.awake() {
		return 0
	}
	request := httptest.NewRequest(http.MethodPost, "/webhook", bytes.NewReader(body))
	mac := hmac.New(sha256.New, []byte(appSecret))
	mac.Write(body)
	request.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	answer := httptest.NewRecorder()
	p.handler.ServeHTTP(answer, request)
	if !p.awake() {
		return 0
	}
	return answer.Code
}

func (w *world) log(name string) *slog.Logger {
	if !*logged {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(w.t.Output(), nil)).With("process", name)
}

func (w *world) bind(_ context.Context, run sender.Run) (sender.Binding, error) {
	binding, err := sender.Bind(run, w.catalogue)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sender.ErrNoBinding, err)
	}
	return binding, nil
}

func (w *world) kind(campaign string) (policy.Kind, bool) {
	for _, c := range w.configured() {
		if c.ID == campaign {
			return w.rules.Categories[c.Category].Kind, true
		}
	}
	return "", false
}
