package notify_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/internal/notify"
	"github.com/permesso/permesso/internal/report"
)

// What people wrote is tried every hour at the latest, for seven days, also when the receiver says that it is gone; and under a lease of
// its own, so that notices wait for nobody.
func TestTheScheduleOfReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, o, log := &box{}, &counts{}, &bytes.Buffer{}
		r := &receiver{answer: func(string) notify.Answer { return notify.Answer{Status: http.StatusGone} }}
		b.write(report.NoticeMessage)
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan struct{})
		c := courier(b, r, "a", o, log)
		c.Of = notify.Replies()
		began := time.Now()
		go func() { defer close(over); _ = c.Run(ctx) }()
		time.Sleep(8 * 24 * time.Hour)
		stop()
		<-over
		posts := r.all()
		if len(posts) < 150 || !posts[0].at.Equal(began) {
			t.Fatalf("it was tried %d times, first at %s", len(posts), posts[0].at)
		}
		for i := range len(posts) - 1 {
			if wait := posts[i+1].at.Sub(posts[i].at); wait > time.Hour+6*time.Minute+time.Second || i > 4 && wait < time.Hour {
				t.Errorf("attempt %d came %s after the one before", i+2, wait)
			}
		}
		if last := posts[len(posts)-1].at.Sub(began); last < notify.ReplyPatience-2*time.Hour || last > notify.ReplyPatience {
			t.Errorf("it was last tried after %s", last)
		}
		if n := b.state(1); n.State != report.NoticeFailed || o.failed != 1 || !bytes.Contains(log.Bytes(), []byte("level=ERROR")) {
			t.Errorf("in the end it is %+v; the log has %s", n, log)
		}
	})
}

// The setting that a message names is the one of the goods.
func TestWhichSettingIsNamed(t *testing.T) {
	p := notify.NewPoster()
	defer p.Close()
	answer := p.Post(t.Context(), notify.Endpoint{URL: "http://127.0.0.1:1/%zz", Setting: "replies.url"}, "id", nil, time.Now())
	if got, want := answer.String(), "cannot be called: `replies.url` is no address"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
}
