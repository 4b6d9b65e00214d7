package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/internal/webhook"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

var somebody = []policy.PersonID{{1}}

// pendingPost is a POST under way in a bubble.
type pendingPost struct{ status atomic.Int64 }

func postAsync(h http.Handler, body string) *pendingPost {
	p := &pendingPost{}
	go func() { p.status.Store(int64(post(h, []byte(body)))) }()
	return p
}

// answer is the status so far, 0 while there is none.
func (p *pendingPost) answer() int {
	synctest.Wait()
	return int(p.status.Load())
}

func numbered(body string, i int) string {
	return strings.Replace(body, "wamid.", fmt.Sprintf("wamid.%d.", i), 1)
}

func TestAnswersOnlyAfterTheCommit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		commit := make(chan struct{})
		s := &sink{store: func(context.Context, []sender.Inbox) ([]policy.PersonID, error) { <-commit; return nil, nil }}
		h, stop := running(t, options(t, s))
		defer stop()
		p := postAsync(h, statusBody)
		time.Sleep(3 * time.Second)
		if got := p.answer(); got != 0 {
			t.Fatalf("answered %d before the commit", got)
		}
		close(commit)
		if got := p.answer(); got != http.StatusOK {
			t.Errorf("status %d, want 200", got)
		}
	})
}

func TestBodiesGatherWhileACommitIsUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		commit := make(chan struct{})
		s := &sink{store: func(context.Context, []sender.Inbox) ([]policy.PersonID, error) { <-commit; return nil, nil }}
		h, stop := running(t, options(t, s))
		defer stop()
		first := postAsync(h, statusBody)
		first.answer()
		var rest []*pendingPost
		for i := range 700 {
			rest = append(rest, postAsync(h, numbered(statusBody, i)))
		}
		synctest.Wait()
		late := postAsync(h, stopBody)
		late.answer()
		close(commit)
		for _, p := range append(rest, first, late) {
			if got := p.answer(); got != http.StatusOK {
				t.Fatalf("status %d, want 200", got)
			}
		}
		if got := s.commits(); !slices.Equal(got, []int{1, 500, 201}) {
			t.Errorf("commits of %v bodies, want 1, 500, 201", got)
		}
		if acts := s.batches[1][0].Acts; len(acts) != 1 {
			t.Error("the opt-out, which came last, was not the first of the next commit")
		}
	})
}

func TestSinkThatFailsGives503(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		s := &sink{store: func(context.Context, []sender.Inbox) ([]policy.PersonID, error) {
			if broken.Load() {
				return nil, errors.New("disk full")
			}
			return nil, nil
		}}
		var log bytes.Buffer
		o := options(t, s)
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		h, stop := running(t, o)
		defer stop()
		if got := postAsync(h, stopBody).answer(); got != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", got)
		}
		broken.Store(false)
		if got := postAsync(h, stopBody).answer(); got != http.StatusOK {
			t.Errorf("after recovery: status %d, want 200", got)
		}
		if text := log.String(); !strings.Contains(text, "disk full") || strings.Contains(text, "393895550101") {
			t.Errorf("log: %s", text)
		}
	})
}

func TestSinkThatHangsGives503(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &sink{store: func(ctx context.Context, _ []sender.Inbox) ([]policy.PersonID, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		h, stop := running(t, options(t, s))
		defer stop()
		p := postAsync(h, stopBody)
		time.Sleep(30 * time.Second)
		if got := p.answer(); got != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", got)
		}
	})
}

// Nobody commits before Run: that must end in a 503, never in a 200.
func TestWithoutRunNothingIsAccepted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := postAsync(webhook.New(options(t, &sink{})).Handler(), stopBody)
		time.Sleep(time.Minute)
		if got := p.answer(); got != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", got)
		}
	})
}

func TestPoisonedBodyFailsAlone(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("value out of range") },
		"panic": func() error { panic("393895550101") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				commit := make(chan struct{})
				s := &sink{store: func(_ context.Context, bodies []sender.Inbox) ([]policy.PersonID, error) {
					<-commit
					for _, body := range bodies {
						if len(body.Statuses) > 0 && strings.Contains(body.Statuses[0].WAMID, "poison") {
							return nil, fail()
						}
					}
					return nil, nil
				}}
				var log bytes.Buffer
				o := options(t, s)
				o.Logger = slog.New(slog.NewTextHandler(&log, nil))
				h, stop := running(t, o)
				defer stop()
				first := postAsync(h, statusBody)
				first.answer()
				var good []*pendingPost
				for i := range 99 {
					good = append(good, postAsync(h, numbered(statusBody, i)))
				}
				bad := postAsync(h, strings.Replace(statusBody, "wamid.", "poison.", 1))
				bad.answer()
				close(commit)
				if got := bad.answer(); got != http.StatusServiceUnavailable {
					t.Errorf("the poisoned body: status %d, want 503", got)
				}
				for _, p := range good {
					if got := p.answer(); got != http.StatusOK {
						t.Fatalf("another body: status %d, want 200", got)
					}
				}
				if got := len(s.stored()); got != 100 {
					t.Errorf("%d bodies stored, want 100", got)
				}
				if text := log.String(); !strings.Contains(text, "body_sha256") || strings.Contains(text, "393895550101") {
					t.Errorf("log: %s", text)
				}
			})
		})
	}
}

func TestStopIsAnsweredWhenNothingIsInFlight(t *testing.T) {
	tests := []struct {
		name     string
		inFlight func(since time.Duration) (bool, error)
		atLeast  time.Duration
		atMost   time.Duration
	}{
		{"nothing in flight", nil, 0, 0},
		{"for 300 ms", func(since time.Duration) (bool, error) { return since < 300*time.Millisecond, nil }, 300 * time.Millisecond, 310 * time.Millisecond},
		{"for ever", func(time.Duration) (bool, error) { return true, nil }, 1200 * time.Millisecond, 1210 * time.Millisecond},
		{"unknown", func(time.Duration) (bool, error) { return false, errors.New("no database") }, 1200 * time.Millisecond, 1210 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var committed time.Time
				s := &sink{store: func(context.Context, []sender.Inbox) ([]policy.PersonID, error) {
					time.Sleep(200 * time.Millisecond)
					committed = time.Now()
					return somebody, nil
				}}
				s.inFlight = func(_ context.Context, persons []policy.PersonID) (bool, error) {
					if !slices.Equal(persons, somebody) {
						t.Errorf("asked for %v", persons)
					}
					if test.inFlight == nil {
						return false, nil
					}
					return test.inFlight(time.Since(committed))
				}
				h, stop := running(t, options(t, s))
				defer stop()
				if got := post(h, []byte(stopBody)); got != http.StatusOK {
					t.Errorf("status %d, want 200", got)
				}
				if waited := time.Since(committed); waited < test.atLeast || waited > test.atMost {
					t.Errorf("answered %v after the commit, want %v to %v", waited, test.atLeast, test.atMost)
				}
			})
		})
	}
}

// A sink that does not even return must not hold the answer beyond the bound.
func TestInFlightThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &sink{store: func(context.Context, []sender.Inbox) ([]policy.PersonID, error) { return somebody, nil }}
		s.inFlight = func(context.Context, []policy.PersonID) (bool, error) { time.Sleep(time.Hour); return false, nil }
		h, stop := running(t, options(t, s))
		defer stop()
		began := time.Now()
		if got := post(h, []byte(stopBody)); got != http.StatusOK || time.Since(began) != 1200*time.Millisecond {
			t.Errorf("status %d after %v, want 200 after 1.2 s", got, time.Since(began))
		}
	})
}

// Statuses in the same commit as a stop are answered at once; a failed status that suppresses waits like a stop.
func TestOnlyStopsWait(t *testing.T) {
	suppressing := strings.Replace(statusBody, `"status":"delivered"`, `"status":"failed","errors":[{"code":131050}]`, 1)
	bubble(t, func(t *testing.T) {
		commit := make(chan struct{})
		s := &sink{store: func(_ context.Context, bodies []sender.Inbox) ([]policy.PersonID, error) {
			<-commit
			if len(bodies) > 1 {
				return somebody, nil
			}
			return nil, nil
		}}
		s.inFlight = func(context.Context, []policy.PersonID) (bool, error) { return true, nil }
		h, stop := running(t, options(t, s))
		defer stop()
		postAsync(h, statusBody).answer()
		waiting := []*pendingPost{postAsync(h, stopBody), postAsync(h, suppressing)}
		ordinary := postAsync(h, statusBody)
		ordinary.answer()
		close(commit)
		if got := ordinary.answer(); got != http.StatusOK {
			t.Errorf("an ordinary status: %d, want 200 at once", got)
		}
		for _, p := range waiting {
			if got := p.answer(); got != 0 {
				t.Errorf("a stop was answered %d while a delivery was in flight", got)
			}
		}
		time.Sleep(1300 * time.Millisecond)
		for _, p := range waiting {
			if got := p.answer(); got != http.StatusOK {
				t.Errorf("a stop: %d, want 200", got)
			}
		}
	})
}

// When the request ends early nothing may say 200: net/http would, for a handler that returns in silence.
func TestEndedRequestIsNo200(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &sink{store: func(context.Context, []sender.Inbox) ([]policy.PersonID, error) { return somebody, nil }}
		s.inFlight = func(context.Context, []policy.PersonID) (bool, error) { return true, nil }
		h, stop := running(t, options(t, s))
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		req := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(stopBody))
		req.Header.Set("X-Hub-Signature-256", sign(secret, []byte(stopBody)))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", w.Code)
		}
	})
}

func TestFullQueueGives503(t *testing.T) {
	tests := []struct {
		name  string
		body  func(i int) string
		posts int
	}{
		{"4,096 bodies", func(i int) string { return numbered(statusBody, i) }, 4096},
		{"64 MiB", func(i int) string { return numbered(statusBody, i) + strings.Repeat(" ", 3<<20) }, 21},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				commit := make(chan struct{})
				s := &sink{store: func(context.Context, []sender.Inbox) ([]policy.PersonID, error) { <-commit; return nil, nil }}
				h, stop := running(t, options(t, s))
				defer stop()
				var waiting []*pendingPost
				refused := 0
				for i := range test.posts + 10 {
					waiting = append(waiting, postAsync(h, test.body(i)))
					if waiting[i].answer() == http.StatusServiceUnavailable {
						refused++
					}
				}
				if refused < 10 || len(waiting)-refused < test.posts/2 {
					t.Fatalf("%d of %d refused", refused, len(waiting))
				}
				optOut := postAsync(h, stopBody)
				if got := optOut.answer(); got != 0 {
					t.Errorf("an opt-out met a queue full of statuses and got %d", got)
				}
				close(commit)
				stored := 1
				for _, p := range waiting {
					if p.answer() == http.StatusOK {
						stored++
					}
				}
				if got := optOut.answer(); got != http.StatusOK || stored != len(waiting)-refused+1 || len(s.stored()) != stored {
					t.Errorf("opt-out %d, %d answered 200, %d stored, %d refused", got, stored, len(s.stored()), refused)
				}
				for i := range test.posts {
					if got := postAsync(h, test.body(i)).answer(); got != http.StatusOK {
						t.Fatalf("after the flood: status %d, want 200", got)
					}
				}
			})
		})
	}
}

func TestConcurrentDuplicates(t *testing.T) {
	s := &sink{}
	h, stop := running(t, options(t, s))
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 50 {
				if got := post(h, []byte(stopBody)); got != http.StatusOK {
					t.Errorf("status %d, want 200", got)
				}
			}
		})
	}
	wait.Wait()
	stop()
	stored := s.stored()
	if len(stored) != 400 {
		t.Fatalf("%d bodies reached the sink, want all 400", len(stored))
	}
	for _, box := range stored {
		if describe(box) != describe(stored[0]) || box.BodyHash != stored[0].BodyHash {
			t.Fatal("the same body was read in two ways")
		}
	}
}

// What waits when the process is told to end is still stored; what comes later is sent away.
func TestRunStoresWhatWaitsWhenItEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		commit := make(chan struct{})
		s := &sink{store: func(ctx context.Context, _ []sender.Inbox) ([]policy.PersonID, error) {
			<-commit
			return nil, ctx.Err()
		}}
		r := webhook.New(options(t, s))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		h := r.Handler()
		first := postAsync(h, statusBody)
		first.answer()
		second := postAsync(h, stopBody)
		second.answer()
		cancel()
		close(commit)
		if a, b := first.answer(), second.answer(); a != http.StatusOK || b != http.StatusOK {
			t.Errorf("status %d and %d, want 200 for both", a, b)
		}
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
		if got := postAsync(h, stopBody).answer(); got != http.StatusServiceUnavailable {
			t.Errorf("after the end: status %d, want 503", got)
		}
		if err := r.Run(t.Context()); err == nil {
			t.Error("Run ran twice")
		}
	})
}

// Failures counts commits of which nothing was stored, in a row: a body that cannot be stored beside others that can is no deafness.
func TestFailuresInARow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var down atomic.Bool
		o := options(t, &sink{store: func(context.Context, []sender.Inbox) ([]policy.PersonID, error) {
			if down.Load() {
				return nil, errors.New("disk full")
			}
			return nil, nil
		}})
		r := webhook.New(o)
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan struct{})
		go func() { defer close(ran); _ = r.Run(ctx) }()
		for i, step := range []struct {
			down bool
			want int
		}{{false, 0}, {true, 1}, {true, 2}, {true, 3}, {false, 0}, {true, 1}} {
			down.Store(step.down)
			postAsync(r.Handler(), numbered(statusBody, i)).answer()
			if got := r.Failures(); got != step.want {
				t.Errorf("step %d: %d failures in a row, want %d", i, got, step.want)
			}
		}
		cancel()
		<-ran
	})
}
