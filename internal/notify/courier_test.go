package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/internal/notify"
	"github.com/permesso/permesso/internal/report"
)

// box is an outbox and its lease in memory, by the clock of the test.
type box struct {
	mu      sync.Mutex
	notices []report.Notice
	holder  string
	until   time.Time
	broken  error
}

func (b *box) write(types ...report.NoticeType) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, kind := range types {
		now := report.Time{Time: time.Now()}
		n := len(b.notices) + 1
		b.notices = append(b.notices, report.Notice{ID: fmt.Sprint("id-", n), At: now, NextAt: now, Type: kind, State: report.NoticePending, Position: int64(n)})
	}
}

func (b *box) Outbox(context.Context) (report.Outbox, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken != nil {
		return report.Outbox{}, b.broken
	}
	box := report.Outbox{Now: time.Now()}
	for _, n := range b.notices {
		if n.State != report.NoticePending {
			continue
		}
		if box.Pending++; box.Pending == 1 {
			box.First = n
		}
	}
	return box, nil
}

func (b *box) NoticeTried(_ context.Context, tried report.Notice, a report.Attempt) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := &b.notices[tried.Position-1]
	if n.Attempts != tried.Attempts || n.State != report.NoticePending {
		return false, nil
	}
	n.Attempts++
	n.State, n.Error, n.NextAt = a.State, a.Error, report.Time{Time: time.Now().Add(a.Wait)}
	return true, nil
}

func (b *box) Hold(_ context.Context, _, holder string, span time.Duration) (held, taken bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.holder != holder && now.Before(b.until) {
		return false, false, nil
	}
	taken = b.holder != holder || !now.Before(b.until)
	b.holder, b.until = holder, now.Add(span)
	return true, taken, nil
}

func (b *box) Release(_ context.Context, _, holder string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.holder == holder {
		b.holder, b.until = "", time.Time{}
	}
	return nil
}

func (b *box) state(i int) report.Notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.notices[i-1]
}

// receiver notes what it is posted, and answers as it is told.
type receiver struct {
	mu     sync.Mutex
	answer func(id string) notify.Answer
	posts  []post
}

type post struct {
	id string
	at time.Time
}

func (r *receiver) post(_ context.Context, _ notify.Endpoint, id string, _ []byte, _ time.Time) notify.Answer {
	r.mu.Lock()
	r.posts = append(r.posts, post{id, time.Now()})
	r.mu.Unlock() // an answer may sleep, which a bubble's clock allows to nobody who is waited for by a lock
	if r.answer == nil {
		return notify.Answer{Status: 200}
	}
	return r.answer(id)
}

// all are the posts so far.
func (r *receiver) all() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.posts)
}

func (r *receiver) ids() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for _, p := range r.posts {
		ids = append(ids, strings.TrimPrefix(p.id, "id-"))
	}
	return strings.Join(ids, " ")
}

type counts struct {
	mu              sync.Mutex
	pending, failed int
}

func (c *counts) NoticesPending(n int) { c.mu.Lock(); c.pending = n; c.mu.Unlock() }
func (c *counts) NoticeFailed()        { c.mu.Lock(); c.failed++; c.mu.Unlock() }

func (c *counts) waiting() int { c.mu.Lock(); defer c.mu.Unlock(); return c.pending }

func courier(b *box, r *receiver, holder string, o *counts, log *bytes.Buffer) *notify.Courier {
	return &notify.Courier{
		Of:     notify.Notices(),
		Outbox: b, Leases: b, Holder: holder, Endpoint: func() notify.Endpoint { return notify.Endpoint{URL: "http://127.0.0.1:1"} },
		Post: r.post, Observer: o, Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
}

// A receiver that never takes anything is tried by the schedule, and the notice is given up after three days; those behind it
// wait, and do not have three days each.
func TestTheScheduleOfAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, o, log := &box{}, &counts{}, &bytes.Buffer{}
		r := &receiver{answer: func(string) notify.Answer { return notify.Answer{Status: 500} }}
		b.write(report.NoticeRunPaused, report.NoticeHalted)
		began := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() { defer close(over); _ = courier(b, r, "a", o, log).Run(ctx) }()

		time.Sleep(100 * time.Hour)
		var first []time.Time
		for _, p := range r.all() {
			if p.id == "id-1" {
				first = append(first, p.at)
			}
		}
		// Standard Webhooks 1.0.0, its example of a schedule. Chance adds up to a tenth, and a look that comes late up to a second.
		waits := []time.Duration{
			5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
		}
		if len(first) != 10 || !first[0].Equal(began) {
			t.Fatalf("the first was tried at %s", first)
		}
		for i, wait := range waits {
			if got := first[i+1].Sub(first[i]); got < wait || got > wait+wait/10+time.Second {
				t.Errorf("attempt %d came %s after the one before, want %s", i+2, got, wait)
			}
		}
		if n := b.state(1); n.State != report.NoticeFailed || n.Attempts != 10 || n.Error != "the receiver answered 500 Internal Server Error" {
			t.Errorf("after three days it is %+v", n)
		}
		if n := b.state(2); n.State != report.NoticeFailed || n.Attempts == 0 || n.Attempts > 6 {
			t.Errorf("the one behind it is %+v", n)
		}
		stop()
		<-over
		if o.failed != 2 || o.pending != 0 || strings.Count(log.String(), "level=ERROR") != 2 {
			t.Errorf("%d are counted as failed, %d as pending; the log has\n%s", o.failed, o.pending, log)
		}
	})
}

func TestNoticesGoInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, o := &box{}, &counts{}
		fails := 2
		r := &receiver{}
		r.answer = func(id string) notify.Answer {
			if id == "id-2" && fails > 0 {
				fails--
				return notify.Answer{Err: errors.New("cannot be reached")}
			}
			if id == "id-4" {
				return notify.Answer{Status: 410}
			}
			return notify.Answer{Status: 204}
		}
		b.write(report.NoticeRunPaused, report.NoticeHalted, report.NoticeResumed)
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() { defer close(over); _ = courier(b, r, "a", o, &bytes.Buffer{}).Run(ctx) }()
		time.Sleep(4 * time.Second)
		if got := r.ids(); got != "1 2" {
			t.Errorf("while the second fails, told are %s", got)
		}
		if n := o.waiting(); n != 2 {
			t.Errorf("%d are counted as pending", n)
		}
		time.Sleep(10 * time.Minute)
		b.write(report.NoticeRunMissed, report.NoticeRunWaiting)
		time.Sleep(2 * time.Second)
		if got := r.ids(); got != "1 2 2 2 3 4 5" {
			t.Errorf("told are %s", got)
		}
		if b.state(2).State != report.NoticeDelivered || b.state(4).State != report.NoticeFailed || b.state(5).State != report.NoticeDelivered {
			t.Errorf("they are %+v", b.notices)
		}
		stop()
		<-over
	})
}

// What the receiver asks for is waited for, and no receiver makes anybody wait for longer than a day.
func TestRetryAfterIsHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, r := &box{}, &receiver{answer: func(string) notify.Answer { return notify.Answer{Status: 503, RetryAfter: time.Hour} }}
		b.write(report.NoticeRunPaused)
		_ = courier(b, r, "a", &counts{}, &bytes.Buffer{}).Flush(t.Context())
		if n := b.state(1); time.Until(n.NextAt.Time) != time.Hour || n.Attempts != 1 {
			t.Errorf("tried again in %s", time.Until(n.NextAt.Time))
		}
	})
}

// One process delivers at a time; when it ends another goes on, at once or when the lease is over.
func TestOneCourierAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, r := &box{}, &receiver{answer: func(string) notify.Answer { time.Sleep(3 * time.Second); return notify.Answer{Status: 200} }}
		ctx, stopAll := context.WithCancel(t.Context())
		first, stopFirst := context.WithCancel(ctx)
		var over sync.WaitGroup
		for i, ctx := range []context.Context{first, ctx, ctx} {
			over.Go(func() { _ = courier(b, r, fmt.Sprint("p", i), &counts{}, &bytes.Buffer{}).Run(ctx) })
		}
		for range 6 {
			b.write(report.NoticeRunPaused)
		}
		time.Sleep(10 * time.Second)
		stopFirst()
		time.Sleep(30 * time.Second)
		if got := r.ids(); got != "1 2 3 4 5 6" {
			t.Errorf("told are %s", got)
		}
		// One that died with the lease is waited for, no longer than the lease.
		b.mu.Lock()
		b.holder, b.until = "dead", time.Now().Add(15*time.Second)
		b.mu.Unlock()
		b.write(report.NoticeHalted)
		time.Sleep(14 * time.Second)
		if got := r.ids(); got != "1 2 3 4 5 6" {
			t.Errorf("beside another's lease told are %s", got)
		}
		time.Sleep(3 * time.Second)
		if got := r.ids(); got != "1 2 3 4 5 6 7" {
			t.Errorf("after it, told are %s", got)
		}
		stopAll()
		over.Wait()
		if b.holder != "" {
			t.Errorf("%s still holds the lease", b.holder)
		}
	})
}

// A process that ends in the middle of an attempt leaves the notice as it was; the next one tells it under the same id.
func TestAnEndIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, log := &box{}, &bytes.Buffer{}
		b.write(report.NoticeRunPaused)
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
		defer stop()
		slow := courier(b, &receiver{}, "a", &counts{}, log)
		var ids []string
		slow.Post = func(ctx context.Context, _ notify.Endpoint, id string, _ []byte, _ time.Time) notify.Answer {
			ids = append(ids, id)
			<-ctx.Done()
			return notify.Answer{Err: ctx.Err()}
		}
		began := time.Now()
		if err := slow.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 2*time.Second {
			t.Errorf("Flush ended with %v after %s", err, time.Since(began))
		}
		if n := b.state(1); n.State != report.NoticePending || n.Attempts != 0 || b.holder != "" {
			t.Errorf("it is %+v", n)
		}
		r := &receiver{}
		if err := courier(b, r, "b", &counts{}, log).Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if len(ids) != 1 || len(r.posts) != 1 || r.posts[0].id != ids[0] || b.state(1).State != report.NoticeDelivered {
			t.Errorf("tried as %v, then as %+v", ids, r.posts)
		}
	})
}

// A database that does not answer is asked again, and nothing is told meanwhile.
func TestABrokenOutboxIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, r, log := &box{broken: errors.New("the disk is gone")}, &receiver{}, &bytes.Buffer{}
		b.write(report.NoticeRunPaused)
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() { defer close(over); _ = courier(b, r, "a", &counts{}, log).Run(ctx) }()
		time.Sleep(5 * time.Second)
		if len(r.all()) != 0 {
			t.Errorf("told are %s", r.ids())
		}
		b.mu.Lock()
		b.broken = nil
		b.mu.Unlock()
		time.Sleep(2 * time.Second)
		stop()
		<-over
		if r.ids() != "1" || !strings.Contains(log.String(), "the disk is gone") {
			t.Errorf("told are %q; the log has %s", r.ids(), log)
		}
	})
}
