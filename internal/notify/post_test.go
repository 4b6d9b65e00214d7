package notify_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/notify"
)

// The example by which the reference implementations of Standard Webhooks test each other.
func TestSignIsStandardWebhooks(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := notify.Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signed %s, want %s", got, want)
	}
}

func TestPostIsSignedAndBounded(t *testing.T) {
	key := []byte("a key of some forty bytes, or rather less")
	now := time.Unix(1795367000, 0)
	var got *http.Request
	var body string
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got, body = r, string(text)
		_, _ = w.Write(make([]byte, 1<<20)) // more than anybody reads
	}))
	defer receiver.Close()
	p := notify.NewPoster()
	defer p.Close()
	answer := p.Post(t.Context(), notify.Endpoint{URL: receiver.URL + "/hook/", Key: key}, "0193-a", []byte(`{"type":"x"}`), now)
	if !answer.Taken() || answer.Status != 200 || answer.Err != nil || answer.Took <= 0 {
		t.Fatalf("answer %+v", answer)
	}
	if got.Method != "POST" || got.URL.Path != "/hook/" || body != `{"type":"x"}` || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s %q as %s", got.Method, got.URL, body, got.Header.Get("Content-Type"))
	}
	if id, at, sign := got.Header.Get("webhook-id"), got.Header.Get("webhook-timestamp"), got.Header.Get("webhook-signature"); id != "0193-a" || at != strconv.Itoa(1795367000) || sign != notify.Sign(key, id, now, []byte(body)) {
		t.Errorf("headers %q %q %q", id, at, sign)
	}
}

func TestAnswersAndWhatTheySay(t *testing.T) {
	followed := atomic.Int32{}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch status, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/")); {
		case status == 0:
			followed.Add(1)
		case status == 302 || status == 307:
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		case status == 503:
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(status)
		case status == 429:
			w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
			w.WriteHeader(status)
		case status == 500:
			w.Header().Set("Retry-After", "soon")
			w.WriteHeader(status)
		case status == 504:
			w.Header().Set("Retry-After", "99999999999")
			w.WriteHeader(status)
		default:
			w.WriteHeader(status)
		}
	}))
	defer receiver.Close()
	p := notify.NewPoster()
	defer p.Close()
	for path, want := range map[string]struct {
		taken bool
		says  string
		after time.Duration
	}{
		"204": {true, "answered 204 No Content", 0},
		"302": {false, "answered 302: redirects are not followed, so `notify.url` must be the address that it points to", 0},
		"307": {false, "answered 307: redirects are not followed, so `notify.url` must be the address that it points to", 0},
		"410": {false, "answered 410 Gone", 0},
		"503": {false, "answered 503 Service Unavailable", 2 * time.Minute},
		"429": {false, "answered 429 Too Many Requests", time.Hour},
		"500": {false, "answered 500 Internal Server Error", 0},
		"504": {false, "answered 504 Gateway Timeout", 24 * time.Hour},
		"599": {false, "answered 599", 0},
	} {
		answer := p.Post(t.Context(), notify.Endpoint{URL: receiver.URL + "/" + path, Key: []byte("k")}, "id", nil, time.Now())
		if answer.Taken() != want.taken || answer.String() != want.says || (answer.RetryAfter-want.after).Abs() > time.Minute {
			t.Errorf("%s: taken %t, %q, again after %s", path, answer.Taken(), answer, answer.RetryAfter)
		}
	}
	if followed.Load() > 0 {
		t.Error("a redirect was followed")
	}
}

// What does not answer is said without the address: its path may be a secret.
func TestNoAnswer(t *testing.T) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + socket.Addr().String() + "/the-secret-path"
	_ = socket.Close()
	p := notify.NewPoster()
	defer p.Close()
	answer := p.Post(t.Context(), notify.Endpoint{URL: nobody, Key: []byte("k")}, "id", nil, time.Now())
	if answer.Taken() || answer.Err == nil || strings.Contains(answer.String(), "secret-path") || !strings.Contains(answer.String(), "cannot be reached") {
		t.Errorf("nobody there: %q", answer)
	}
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	answer = p.Post(ctx, notify.Endpoint{URL: silent.URL + "/the-secret-path", Key: []byte("k")}, "id", nil, time.Now())
	if answer.Taken() || !errors.Is(answer.Err, context.DeadlineExceeded) || strings.Contains(fmt.Sprint(answer), "secret-path") {
		t.Errorf("one who is silent: %q", answer)
	}
	if answer := p.Post(t.Context(), notify.Endpoint{URL: "http://127.0.0.1:1/%zz"}, "id", nil, time.Now()); answer.Err == nil || strings.Contains(answer.String(), "%zz") {
		t.Errorf("no address: %q", answer)
	}
}
