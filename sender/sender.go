package sender

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/permesso/permesso/internal/phone"
)

// Observer is told what happens, for metrics. Its methods must be fast and safe for many goroutines.
type Observer interface {
	Gated(numberID string, answers []GateAnswer, took time.Duration)
	Attempted(numberID string, result Result, took time.Duration)
}

// Options are what a Sender works with. All but Observer and Desk are needed.
type Options struct {
	NumberID  string
	PerSecond float64
	// Holder names this process in the lease; Instance this installation in the callback.
	Holder, Instance string
	Client           Client
	Ledger           Ledger
	Runs             Runs
	Leases           Leases
	Shelf            Shelf
	Desk             Desk // nil answers nobody
	// Bind binds a run's message to the catalogue as it is now.
	Bind     func(ctx context.Context, run Run) (Binding, error)
	Logger   *slog.Logger
	Observer Observer
}

// Sender sends the deliveries of one number: tokens first, then the gate, then the wire.
type Sender struct {
	o   Options
	log *slog.Logger
}

// New makes a Sender; Run starts it.
func New(o Options) *Sender {
	return &Sender{o: o, log: o.Logger.With("number", o.NumberID)}
}

const (
	leaseSpan  = 5 * time.Second
	leaseRenew = time.Second
	// leaseGrace is how long a lease that cannot be renewed is still used: less than leaseSpan by a renewal.
	leaseGrace = 4 * time.Second
	// settleOwn is longer than any answer can take: what stands in sending since then has lost its outcome.
	settleOwn   = 45 * time.Second
	settleEvery = 10 * time.Second
	// drainFor is how long a stopping sender waits for answers on their way.
	drainFor = 15 * time.Second
)

// BeginWithin is how long after the gate's first read a POST may begin: the gate judges all of that time.
const BeginWithin = time.Second

// Run holds the number's lease and sends until ctx is done; then it waits for the answers on their way, records them and
// releases the lease. It returns nil after such a stop.
func (s *Sender) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		asked := time.Now()
		held, taken, err := s.o.Leases.Hold(ctx, s.o.NumberID, s.o.Holder, leaseSpan)
		if err != nil && ctx.Err() == nil {
			s.log.Error("the lease cannot be taken; nothing is sent", "error", err)
		}
		if !held {
			Sleep(ctx, leaseRenew)
			continue
		}
		s.hold(ctx, asked, taken)
	}
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.o.Leases.Release(release, s.o.NumberID, s.o.Holder); err != nil {
		s.log.Warn("the lease was not released; the next process waits for its end", "error", err)
	}
	return nil
}

// hold sends while the lease, last asked for at asked, is held.
func (s *Sender) hold(ctx context.Context, asked time.Time, taken bool) {
	held, lost := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { defer lost(); s.renew(held, asked) })
	beside.Go(func() { s.settleAll(held, taken) })
	l := newLine(s, ctx.Err)
	beside.Go(func() { l.answer(held) })
	l.run(held)
	lost()
	beside.Wait()
	if !within(drainFor, l.answering.Wait) {
		s.log.Warn("answers to people were on their way and are not waited for; what became of them is not known")
	}
}

// renew keeps the lease; it returns when the lease is lost or ctx is done.
func (s *Sender) renew(ctx context.Context, renewed time.Time) {
	for {
		if !Sleep(ctx, leaseRenew) {
			return
		}
		asked := time.Now()
		// A question that hangs must not keep the lease in use past its end.
		within, done := context.WithDeadline(ctx, renewed.Add(leaseGrace))
		held, _, err := s.o.Leases.Hold(within, s.o.NumberID, s.o.Holder, leaseSpan)
		done()
		switch {
		case err == nil && !held:
			s.log.Warn("another process holds the lease now")
			return
		case err == nil:
			renewed = asked
		case time.Since(renewed) >= leaseGrace:
			s.log.Error("the lease cannot be renewed; sending stops", "error", err)
			return
		}
	}
}

// settleAll settles what the process before left behind, if the lease was taken from one, and then what lost its outcome
// in this one, until ctx is done.
func (s *Sender) settleAll(ctx context.Context, taken bool) {
	began := time.Now()
	if taken {
		s.settle(ctx, leaseSpan)
	}
	for wait := leaseSpan + leaseRenew; Sleep(ctx, wait); wait = settleEvery {
		age := settleOwn
		if taken {
			// What passed the gate in its last seconds was too young before. Nothing of this process is as old as its lease.
			age, taken = time.Since(began), false
		}
		s.settle(ctx, age)
	}
}

func (s *Sender) settle(ctx context.Context, age time.Duration) {
	n, err := s.o.Leases.Settle(ctx, s.o.NumberID, age)
	if err != nil && ctx.Err() == nil {
		s.log.Error("deliveries left in sending cannot be settled", "error", err)
	}
	if n > 0 {
		s.log.Warn("messages whose answer was lost are unknown now; WhatsApp's own reports settle them", "count", n)
	}
}

// Sleep waits; it reports false when ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// ErrNoBinding says that a run's template no longer fits; the run pauses.
var ErrNoBinding = errors.New("the template does not fit the campaign")

// why begins the sentence kept with a paused run. It is logged and told, so that no person is named in it, whom Meta's words may name.
func why(run Run, err *Error) string {
	return "Meta answered " + strings.TrimRight(phone.Conceal(err.Error(), run.NumberID), ". ")
}
