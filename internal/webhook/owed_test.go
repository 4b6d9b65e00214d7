package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/internal/webhook"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// receiving is a receiver at work inside a bubble.
func receiving(t *testing.T, o webhook.Options) (*webhook.Receiver, http.Handler, func()) {
	t.Helper()
	r := webhook.New(o)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = r.Run(ctx) // it ends by ctx
	}()
	return r, r.Handler(), func() { stop(); <-ended }
}

// A stop that was refused because the database was away is stored as soon as it is back, whether or not Meta comes again, and whoever
// asks is told until then that it is owed.
func TestRefusedStopIsOwed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		failing := func() error {
			if away.Load() {
				return errors.New("connection refused")
			}
			return nil
		}
		s := &sink{store: func(context.Context, []sender.Inbox) ([]policy.PersonID, error) { return nil, failing() }}
		o := options(t, s)
		o.Writable = func(context.Context) error { return failing() }
		r, h, stop := receiving(t, o)
		defer stop()
		if got := postAsync(h, statusBody).answer(); got != http.StatusServiceUnavailable || r.Owes() {
			t.Fatalf("a status: %d, owed: %t; want 503 and not owed", got, r.Owes())
		}
		for i := range 3 { // Meta's repetitions are one stop
			if got := postAsync(h, stopBody).answer(); got != http.StatusServiceUnavailable || !r.Owes() {
				t.Fatalf("try %d: %d, owed: %t; want 503 and owed", i, got, r.Owes())
			}
		}
		time.Sleep(time.Minute)
		if !r.Owes() || len(s.stored()) > 0 {
			t.Fatalf("after a minute without database: owed %t, %d stored", r.Owes(), len(s.stored()))
		}
		away.Store(false)
		time.Sleep(time.Second)
		stored := s.stored()
		if r.Owes() || len(stored) != 1 || len(stored[0].Acts) != 1 {
			t.Fatalf("a second after the database came back: owed %t, %d bodies stored, want the one stop", r.Owes(), len(stored))
		}
		if got := postAsync(h, stopBody).answer(); got != http.StatusOK {
			t.Errorf("Meta's next repetition: %d, want 200", got)
		}
	})
}

// While bodies come all the time, what is owed is stored with the first that succeeds.
func TestOwedStopIsStoredBesideOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		s := &sink{store: func(context.Context, []sender.Inbox) ([]policy.PersonID, error) {
			if away.Load() {
				return nil, errors.New("connection refused")
			}
			return nil, nil
		}}
		r, h, stop := receiving(t, options(t, s))
		defer stop()
		postAsync(h, stopBody).answer()
		away.Store(false)
		if got := postAsync(h, statusBody).answer(); got != http.StatusOK || r.Owes() {
			t.Errorf("the first body after the database came back: %d, owed %t", got, r.Owes())
		}
		if n := len(s.stored()); n != 2 {
			t.Errorf("%d bodies stored, want the status and the stop", n)
		}
	})
}

// A stop that cannot be stored by a database that can be written keeps nobody from sending.
func TestPoisonedStopIsNotOwed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &sink{store: func(context.Context, []sender.Inbox) ([]policy.PersonID, error) {
			return nil, errors.New("invalid byte sequence")
		}}
		var log bytes.Buffer
		o := options(t, s)
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		o.Writable = func(context.Context) error { return nil }
		r, h, stop := receiving(t, o)
		defer stop()
		if got := postAsync(h, stopBody).answer(); got != http.StatusServiceUnavailable {
			t.Fatalf("status %d, want 503", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if text := log.String(); r.Owes() || !strings.Contains(text, "although the database can be written") || strings.Contains(text, "393895550101") {
			t.Errorf("owed %t; log: %s", r.Owes(), text)
		}
	})
}
