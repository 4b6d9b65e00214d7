package notify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Endpoint is where notices go, and the key that they are signed with.
type Endpoint struct {
	URL     string
	Key     []byte
	Setting string // where the configuration has the URL, for messages; "" is notify.url
}

const (
	// postWithin is how long an attempt may take, its answer included.
	postWithin = 10 * time.Second
	// answerAtMost is how much of an answer's body is read; nothing in it counts.
	answerAtMost = 64 << 10
)

const notifyURL = "notify.url"

// Answer is what became of one post.
type Answer struct {
	Status     int           // 0 when none came
	Took       time.Duration // from the first look-up to the end of the answer
	RetryAfter time.Duration // how long the receiver asks to be left alone; 0 when it does not
	Err        error         // why no answer came
	setting    string
}

// Taken reports whether the receiver took the notice: any 2xx (Standard Webhooks 1.0.0, "Delivery success and failure").
func (a Answer) Taken() bool { return a.Status >= 200 && a.Status <= 299 }

// String finishes the sentence "the receiver …".
func (a Answer) String() string {
	switch {
	case a.Err != nil:
		return a.Err.Error()
	case a.Status >= 300 && a.Status <= 399:
		return fmt.Sprintf("answered %d: redirects are not followed, so `%s` must be the address that it points to", a.Status, cmp.Or(a.setting, notifyURL))
	}
	return strings.TrimSpace(fmt.Sprintf("answered %d %s", a.Status, http.StatusText(a.Status)))
}

// Poster posts notices. Its methods are safe for many goroutines.
type Poster struct{ client *http.Client }

// NewPoster makes a poster that follows no redirect.
func NewPoster() *Poster {
	return &Poster{&http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 1, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: answerAtMost,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close ends idle connections.
func (p *Poster) Close() { p.client.CloseIdleConnections() }

// Post posts a body once, signed as of now.
func (p *Poster) Post(ctx context.Context, e Endpoint, id string, body []byte, now time.Time) Answer {
	ctx, done := context.WithTimeout(ctx, postWithin)
	defer done()
	began := time.Now()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return Answer{Err: fmt.Errorf("cannot be called: `%s` is no address", cmp.Or(e.Setting, notifyURL))}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "permesso")
	request.Header.Set(headerID, id)
	request.Header.Set(headerTimestamp, seconds(now))
	request.Header.Set(headerSignature, Sign(e.Key, id, now, body))
	response, err := p.client.Do(request)
	if err != nil {
		return Answer{Took: time.Since(began), Err: unanswered(err)}
	}
	_, _ = io.CopyN(io.Discard, response.Body, answerAtMost) // the status has said it all
	_ = response.Body.Close()
	return Answer{setting: e.Setting, Status: response.StatusCode, Took: time.Since(began), RetryAfter: retryAfter(response.Header.Get("Retry-After"), now)}
}

// unanswered says why no answer came. The address is left out: its path may be the secret by which others know their callers.
func unanswered(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("did not answer within %s: %w", postWithin, context.DeadlineExceeded)
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return fmt.Errorf("cannot be reached: %w", err)
}

// retryAfter reads seconds or an HTTP date; what is neither, or past, is no wish.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(text); err == nil {
		return min(max(time.Duration(n), 0), 24*60*60) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), longestWait)
}
