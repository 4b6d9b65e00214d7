package sender_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// fakeDesk is a desk in memory, and the wire that its answers and the house's messages go over.
type fakeDesk struct {
	h     *house
	judge func(a sender.Answer) (bool, error)
	wire  func(n int) sender.Result

	mu       sync.Mutex
	waiting  map[sender.AnswerID]sender.Answer
	admitted map[sender.AnswerID]time.Time
	posts    []answerPost
	ended    map[sender.AnswerID]sender.Result
}

type answerPost struct {
	at, beginBy time.Time
	id          sender.AnswerID
	body        string
}

func newDesk(h *house, answers ...sender.Answer) *fakeDesk {
	d := &fakeDesk{
		h: h, judge: func(sender.Answer) (bool, error) { return true, nil }, wire: func(int) sender.Result { return sender.Result{Fate: sender.Taken, WAMID: "wamid.a"} },
		waiting: map[sender.AnswerID]sender.Answer{}, admitted: map[sender.AnswerID]time.Time{}, ended: map[sender.AnswerID]sender.Result{},
	}
	for _, a := range answers {
		d.waiting[a.ID] = a
	}
	h.desk = d
	return d
}

func (d *fakeDesk) Due(context.Context, string) (due []sender.Answer, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.waiting {
		due = append(due, a)
	}
	return due, nil
}

func (d *fakeDesk) Admit(_ context.Context, a sender.Answer) (bool, time.Time, error) {
	readAt := time.Now()
	ok, err := d.judge(a)
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, waits := d.waiting[a.ID]; !waits || !ok || err != nil {
		return false, readAt, err
	}
	delete(d.waiting, a.ID)
	d.admitted[a.ID] = readAt
	return true, readAt, nil
}

func (d *fakeDesk) Ended(_ context.Context, a sender.Answer, result sender.Result) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended[a.ID] = result
	if result.Fate == sender.NotSent {
		d.waiting[a.ID] = a
	}
	return nil
}

func (d *fakeDesk) Send(ctx context.Context, post sender.Post) sender.Result {
	var body struct {
		Callback string `json:"biz_opaque_callback_data"`
	}
	if err := json.Unmarshal(post.Body, &body); err != nil {
		d.h.Error(err)
	}
	id, ours := sender.ParseAnswerCallback(instance, body.Callback)
	if !ours {
		return d.h.Send(ctx, post)
	}
	d.mu.Lock()
	if readAt, ok := d.admitted[id]; !ok || post.BeginBy != readAt.Add(sender.BeginWithin) || post.Edge != "messages" || post.NumberID != number {
		d.h.Errorf("an answer is posted that was not admitted, or that may begin until %s", post.BeginBy)
	}
	d.posts = append(d.posts, answerPost{time.Now(), post.BeginBy, id, string(post.Body)})
	n := len(d.posts)
	d.mu.Unlock()
	return d.wire(n)
}

func (d *fakeDesk) done() int { d.mu.Lock(); defer d.mu.Unlock(); return len(d.ended) }

func answerTo(n int) sender.Answer {
	return sender.Answer{ID: sender.NewAnswerID(time.Now()), Kind: sender.Confirmation, PersonID: key(n), NumberID: number, To: sender.Recipient{Phone: "+393471234567"}, Text: "Fatto."}
}

// An answer leaves once: one whose own answer is lost is never posted again, one that did not leave is, and one that is not
// admitted, or over whose judging the database fails, does not leave.
func TestAnswersLeaveOnce(t *testing.T) {
	bubble(t, func(h *house) {
		lost, failed, refused, unjudged := answerTo(1), answerTo(2), answerTo(3), answerTo(4)
		d := newDesk(h, lost, failed, refused, unjudged)
		tries := map[sender.AnswerID]int{}
		d.judge = func(a sender.Answer) (bool, error) {
			if a.ID == unjudged.ID {
				return true, errors.New("the database is away")
			}
			return a.ID != refused.ID, nil
		}
		d.wire = func(n int) sender.Result {
			d.mu.Lock()
			defer d.mu.Unlock()
			id := d.posts[n-1].id
			tries[id]++
			switch {
			case id == lost.ID:
				return sender.Result{Fate: sender.Ambiguous, Cause: errors.New("reset")}
			case tries[id] < 3:
				return sender.Result{Fate: sender.NotSent, Cause: errors.New("refused")}
			}
			return sender.Result{Fate: sender.Taken}
		}
		stop := h.start(80)
		time.Sleep(10 * time.Second)
		stop()
		if tries[lost.ID] != 1 || tries[failed.ID] != 3 || len(tries) != 2 {
			t.Errorf("they were posted %v times", tries)
		}
	})
}

// A number's rate holds over campaigns and answers together, and an answer does not wait for the end of a campaign.
func TestAnswersKeepTheRate(t *testing.T) {
	for _, perSecond := range []float64{10, 80, 400} {
		bubble(t, func(h *house) {
			run := h.add("a", 0, int(20*perSecond), 0)
			answers := make([]sender.Answer, int(perSecond))
			for i := range answers {
				answers[i] = answerTo(i)
			}
			d := newDesk(h, answers...)
			stop := h.start(perSecond)
			h.until(2*time.Minute, "the run is over", func() bool { return h.over(run) })
			stop()
			if d.done() != len(answers) || len(d.posts) != len(answers) {
				t.Errorf("%d of %d answers ended, %d were posted", d.done(), len(answers), len(d.posts))
			}
			var all []time.Time
			for _, p := range d.posts {
				all = append(all, p.at)
			}
			if last := all[len(all)-1]; run.done.Sub(last) < 5*time.Second {
				t.Errorf("the last answer left %s before the campaign's end", run.done.Sub(last))
			}
			for _, p := range h.posts() {
				all = append(all, p.at)
			}
			if most := mostInASecond(all); float64(most) > perSecond {
				t.Errorf("%d messages within a second, and %g are allowed", most, perSecond)
			}
		})
	}
}

func mostInASecond(all []time.Time) (most int) {
	for _, from := range all {
		n := 0
		for _, at := range all {
			if !at.Before(from) && at.Sub(from) < time.Second {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func TestTheBodyOfAnAnswer(t *testing.T) {
	id := sender.NewAnswerID(time.Now())
	a := sender.Answer{ID: id, To: sender.Recipient{Phone: "+393471234567", UserID: "IT.1"}, Text: "È \"fatto\"\n"}
	body, err := a.Body(instance)
	if want := `{"messaging_product":"whatsapp","recipient_type":"individual","to":"+393471234567","type":"text","text":{"body":"È \"fatto\"\n"},"biz_opaque_callback_data":"` + sender.AnswerCallback(instance, id) + `"}`; err != nil || string(body) != want {
		t.Errorf("%s, %v; want %s", body, err, want)
	}
	a.To.Phone, a.Buttons = "", []sender.Button{{ID: "y", Title: "Sì"}}
	body, err = a.Body(instance)
	if want := `"recipient":"IT.1","type":"interactive","interactive":{"type":"button","body":{"text":"È \"fatto\"\n"},"action":{"buttons":[{"type":"reply","reply":{"id":"y","title":"Sì"}}]}}`; err != nil || !strings.Contains(string(body), want) || strings.Contains(string(body), `"text":{`) {
		t.Errorf("%s, %v; want %s in it", body, err, want)
	}
	for _, text := range []string{"", sender.Callback(instance, sender.AttemptID(id)), sender.AnswerCallback("other", id), sender.AnswerCallback(instance, id) + "0", "1a:" + instance + ":" + strings.Repeat("x", 32)} {
		if _, ok := sender.ParseAnswerCallback(instance, text); ok {
			t.Errorf("%q is read as an answer's", text)
		}
	}
	if got, ok := sender.ParseAnswerCallback(instance, sender.AnswerCallback(instance, id)); !ok || got != id {
		t.Errorf("the callback reads as %s, %t", got, ok)
	}
}

// Whatever is known: nothing leaves that could begin outside the window, nothing without words or an address, a confirmation only while the
// person's own stop holds, once, within five minutes, and nothing else to somebody who is suppressed.
func TestWhatMayBeAnswered(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	allowed := 0
	rapid.Check(t, func(t *rapid.T) {
		span := rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.SampledFrom([]int{-1, 0, 1, 2, 60, 299, 300, 301, 3600, 90000}).Draw(t, "seconds")) * time.Second
		})
		scope := rapid.SampledFrom([]policy.Scope{policy.ScopeAll, policy.ScopeKind(policy.Marketing), policy.ScopeCategory("offers"), policy.ScopeCategory("news"), "?"})
		a := sender.Answer{
			Kind: rapid.SampledFrom([]sender.AnswerKind{sender.Confirmation, sender.Help, sender.Question}).Draw(t, "kind"), Scope: scope.Draw(t, "scope"),
			AskedAt: now.Add(-span.Draw(t, "asked").Abs()), Text: rapid.SampledFrom([]string{"Fatto.", "Fatto.", ""}).Draw(t, "text"),
			To: sender.Recipient{Phone: rapid.SampledFrom([]phone.Number{"+393471234567", "+393471234567", ""}).Draw(t, "to")},
		}
		if a.Kind == sender.Question {
			a.Category = policy.Category{ID: "offers", Kind: policy.Marketing}
		}
		f := sender.AnswerFacts{Now: now, OpenUntil: now.Add(span.Draw(t, "open")), StopsRead: rapid.IntRange(0, 4).Draw(t, "read") > 0, Review: rapid.IntRange(0, 3).Draw(t, "review") == 0, Confirmed: rapid.IntRange(0, 3).Draw(t, "confirmed") == 0}
		for range rapid.IntRange(0, 3).Draw(t, "stops") {
			stop := policy.Suppression{
				Scope: scope.Draw(t, "stopped"), Origin: rapid.SampledFrom([]policy.Origin{policy.OriginKeyword, policy.OriginButton, policy.OriginOperator, policy.OriginMetaStop}).Draw(t, "origin"), At: now.Add(-time.Minute),
			}
			if rapid.Bool().Draw(t, "lifted") {
				stop.LiftedAt = now
			}
			f.Stops = append(f.Stops, stop)
		}
		if a.Refusal(f) != "" {
			return
		}
		allowed++
		own, covered := false, false
		for _, s := range f.Stops {
			own = own || s.Active() && s.Scope == a.Scope && s.Origin.LiftedByPerson()
			covered = covered || s.Active() && (s.Scope == policy.ScopeAll || s.Scope == "?" || a.Kind == sender.Question && s.Scope != policy.ScopeCategory("news"))
		}
		switch {
		case !f.OpenUntil.After(now.Add(time.Second)):
			t.Error("it leaves outside the window")
		case a.Text == "" || a.To.Phone == "" || !f.StopsRead:
			t.Error("it leaves without words, an address, or facts")
		case a.Kind == sender.Confirmation && (!own || f.Confirmed || now.Sub(a.AskedAt) > 5*time.Minute):
			t.Error("a confirmation leaves that confirms nothing, or twice, or late")
		case a.Kind != sender.Confirmation && (covered || f.Review):
			t.Error("something else leaves to somebody who stopped")
		}
	})
	if allowed == 0 {
		t.Error("nothing was ever allowed: the test shows nothing")
	}
}
