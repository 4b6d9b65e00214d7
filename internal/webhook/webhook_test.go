package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/internal/webhook"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

const (
	secret = "first-secret"
	path   = "/webhook"
)

// sink is a Sink whose two answers each test chooses; it remembers what was stored.
type sink struct {
	store    func(ctx context.Context, bodies []sender.Inbox) ([]policy.PersonID, error)
	inFlight func(ctx context.Context, persons []policy.PersonID) (bool, error)

	mu      sync.Mutex
	batches [][]sender.Inbox
}

func (s *sink) Store(ctx context.Context, bodies []sender.Inbox) ([]policy.PersonID, error) {
	var stopped []policy.PersonID
	if s.store != nil {
		var err error
		if stopped, err = s.store(ctx, bodies); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, bodies)
	return stopped, nil
}

func (s *sink) InFlight(ctx context.Context, persons []policy.PersonID) (bool, error) {
	if s.inFlight == nil {
		return false, nil
	}
	return s.inFlight(ctx, persons)
}

// stored returns every body stored so far, in order.
func (s *sink) stored() []sender.Inbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []sender.Inbox
	for _, batch := range s.batches {
		all = append(all, batch...)
	}
	return all
}

// commits returns the sizes of the batches stored so far.
func (s *sink) commits() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sizes []int
	for _, batch := range s.batches {
		sizes = append(sizes, len(batch))
	}
	return sizes
}

func options(t testing.TB, s *sink) webhook.Options {
	t.Helper()
	keywords, err := policy.NewKeywords(nil, map[string]policy.Category{
		"offers": {ID: "offers", Kind: policy.Marketing, Title: map[string]string{"en": "Offers", "it": "Offerte"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]policy.Kind{"weekend-offer": policy.Marketing, "order-news": policy.Utility}
	return webhook.Options{
		AppSecrets:  func() []string { return []string{secret} },
		VerifyToken: func() string { return "verify-me" },
		Sink:        s,
		Keywords:    func() policy.Keywords { return keywords },
		Kind:        func(campaign string) (policy.Kind, bool) { kind, ok := kinds[campaign]; return kind, ok },
		Classify: func(code int) sender.Reaction {
			switch code {
			case 131050:
				return sender.Suppress
			case 131026:
				return sender.Undeliverable
			}
			return sender.FailMessage
		},
	}
}

// running starts a receiver and stops it when the test ends; in a bubble the caller stops it earlier by stop.
func running(t testing.TB, o webhook.Options) (handler http.Handler, stop func()) {
	t.Helper()
	r := webhook.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != context.Canceled {
			t.Errorf("Run returned %v, want context.Canceled", err)
		}
	})
	t.Cleanup(stop)
	return r.Handler(), stop
}

func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// post sends a signed body and returns the status.
func post(h http.Handler, body []byte) int { return postSigned(h, body, sign(secret, body)) }

func postSigned(h http.Handler, body []byte, signature string) int {
	req := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	if signature != "" {
		req.Header.Set("X-Hub-Signature-256", signature)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Code
}

// today is when the fixtures are received; a bubble's clock starts in the year 2000, where their times would be absurd.
var today = time.Date(2026, time.November, 21, 9, 0, 0, 0, time.UTC)

// bubble runs the test in fake time, from today on.
func bubble(t *testing.T, test func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(today))
		test(t)
	})
}
