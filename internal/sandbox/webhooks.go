package sandbox

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxBatch     = 1000 // updates in one POST (Meta, webhooks overview, 11 Sep 2026)
	maxPosts     = 8    // POSTs at a time
	linger       = 5 * time.Millisecond
	slowLinger   = 250 * time.Millisecond // while the receiver is failing
	retryFirst   = 100 * time.Millisecond
	retryAtMost  = time.Minute
	retryFor     = 7 * 24 * time.Hour // Meta, webhooks overview, 11 Sep 2026
	postDeadline = 20 * time.Second
)

// webhooks posts signed bodies to the receiver.
type webhooks struct {
	url     string
	secret  []byte
	client  *http.Client
	slots   chan struct{}
	failing *atomic.Int64 // POSTs waiting for another try
}

func newWebhooks(o Options) webhooks {
	w := webhooks{url: o.WebhookURL, secret: []byte(o.AppSecret), client: o.Client, slots: make(chan struct{}, maxPosts), failing: new(atomic.Int64)}
	if w.client == nil {
		w.client = &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: maxPosts, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return w
}

// Sign returns the value of X-Hub-Signature-256 for body: the HMAC-SHA256 of
// exactly these bytes under the app secret, in lower-case hex.
func Sign(appSecret string, body []byte) string { return sign([]byte(appSecret), body) }

func sign(secret, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Run delivers statuses and events until ctx is done; what was not delivered by
// then is lost, as when a sandbox process ends. It must run once at a time.
func (s *Server) Run(ctx context.Context) error {
	var posts sync.WaitGroup
	defer posts.Wait()
	for {
		waiting, due := s.queue.next()
		if waiting == 0 {
			select {
			case <-s.queue.wake:
			case <-ctx.Done():
				return nil
			}
			continue
		}
		if wait := time.Until(due); wait > 0 {
			if !s.sleepUnlessWoken(ctx, wait) {
				return nil
			}
			continue
		}
		if waiting < s.opts.BatchSize {
			pause(ctx, s.lingerNow())
		}
		select {
		case s.webhooks.slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		taken := s.take(time.Now(), s.opts.BatchSize)
		if len(taken) == 0 {
			<-s.webhooks.slots
			continue
		}
		posts.Go(func() { s.deliver(ctx, taken) })
	}
}

// lingerNow is how long a batch may fill up: longer while the receiver is
// down, so that its return is not met by thousands of small bodies.
func (s *Server) lingerNow() time.Duration {
	if s.webhooks.failing.Load() > 2*maxPosts {
		return slowLinger
	}
	return linger
}

func (s *Server) sleepUnlessWoken(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.queue.wake:
		return true
	case <-ctx.Done():
		return false
	}
}

// deliver posts one batch until it is taken. It is entered with a slot held.
func (s *Server) deliver(ctx context.Context, updates []update) {
	defer s.queue.landed()
	s.happen(updates)
	body := s.appendWebhook(make([]byte, 0, 256+512*len(updates)), updates)
	status, err := s.webhooks.postUntilTaken(ctx, body, sign(s.webhooks.secret, body), 0, true)
	if err != nil {
		s.log.Warn("sandbox webhook lost", "updates", len(updates), "status", status, "error", err)
		return
	}
	for i := range updates {
		if m := updates[i].message; m != nil && m.told != nil {
			m.tellOnce()
		}
	}
}

func (m *message) tellOnce() {
	select {
	case <-m.told:
	default:
		close(m.told)
	}
}

// happen does in WhatsApp what the updates are about to tell.
func (s *Server) happen(updates []update) {
	for i := range updates {
		switch u := &updates[i]; u.change() {
		case changePreferences:
			s.people.setStop(u.message.userID, true)
		case changeMessages:
			s.people.wrote(u.message.userID, u.at)
		}
	}
}

// postUntilTaken posts body until the receiver answers 200, with growing pauses
// for up to seven days or the given number of attempts (0 = no limit). It
// returns the last HTTP status, 0 if there never was one.
func (w *webhooks) postUntilTaken(ctx context.Context, body []byte, signature string, attempts int, hasSlot bool) (int, error) {
	wait, deadline := retryFirst, time.Now().Add(retryFor)
	for n := 1; ; n++ {
		if !hasSlot {
			select {
			case w.slots <- struct{}{}:
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		status, err := w.post(ctx, body, signature)
		<-w.slots
		hasSlot = false
		switch {
		case status == http.StatusOK:
			return status, nil
		case n == attempts:
			return status, err
		case ctx.Err() != nil:
			return status, ctx.Err()
		case time.Now().After(deadline):
			return status, fmt.Errorf("webhook not taken in %s, last status %d", retryFor, status)
		}
		w.failing.Add(1)
		pause(ctx, wait)
		w.failing.Add(-1)
		wait = min(2*wait, retryAtMost)
	}
}

func (w *webhooks) post(ctx context.Context, body []byte, signature string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, postDeadline)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("posting a webhook: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "facebookexternalua")
	r.Header.Set("X-Hub-Signature-256", signature)
	answer, err := w.client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("posting a webhook: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	return answer.StatusCode, nil
}

// Handshake asks the receiver to prove that it knows the verify token, as Meta
// does when the callback URL is saved: it must answer 200 with the challenge
// and nothing else.
func (s *Server) Handshake(ctx context.Context) error {
	u, err := url.Parse(s.opts.WebhookURL)
	if err != nil || s.opts.WebhookURL == "" {
		return fmt.Errorf("sandbox: WebhookURL %q cannot be asked", s.opts.WebhookURL)
	}
	const challenge = "1158201444"
	q := u.Query()
	q.Set("hub.mode", "subscribe")
	q.Set("hub.challenge", challenge)
	q.Set("hub.verify_token", s.opts.VerifyToken)
	u.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("sandbox: webhook handshake: %w", err)
	}
	answer, err := s.webhooks.client.Do(r)
	if err != nil {
		return fmt.Errorf("sandbox: webhook handshake: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	got, err := io.ReadAll(io.LimitReader(answer.Body, 1024))
	if err != nil {
		return fmt.Errorf("sandbox: webhook handshake: %w", err)
	}
	if answer.StatusCode != http.StatusOK || strings.TrimSpace(string(got)) != challenge {
		return fmt.Errorf("sandbox: webhook handshake answered %d, want 200 and the challenge", answer.StatusCode)
	}
	return nil
}
