package storetest

import (
	"errors"
	"time"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

func (w *world) reviews() []report.Review {
	w.Helper()
	var all []report.Review
	for review, err := range w.store.Reviews(w.ctx) {
		w.must(err)
		all = append(all, review)
	}
	return all
}

// unclear is a text that looks like an opt-out, written so many minutes after the test's beginning.
func unclear(p person, begin time.Time, minutes int, text string) policy.Act {
	return policy.Act{Kind: policy.ActReview, Scope: policy.ScopeKind(policy.Marketing), Origin: policy.OriginKeyword,
		Identity: policy.Identity{Phone: p.phone}, At: begin.Add(time.Duration(minutes) * time.Minute), MessageID: "wamid.unclear", Text: text}
}

// testReviews has people write what looks like a stop, and operators, or the people themselves, say what it means.
func testReviews(w *world) {
	p := w.people(6)
	begin := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	word := func(i, minutes int, kind policy.ActKind, scope policy.Scope) policy.Act {
		return policy.Act{Kind: kind, Scope: scope, Origin: policy.OriginKeyword, Identity: policy.Identity{Phone: p[i].phone}, At: begin.Add(time.Duration(minutes) * time.Minute), MessageID: "wamid.plain"}
	}
	for i := range p {
		w.act(unclear(p[i], begin, 10+i, "make it stop"))
	}
	// Texts come in any order: the first time and the latest words stay.
	w.act(unclear(p[0], begin, 20, "the latest"), unclear(p[0], begin, 15, "between"))
	w.act(unclear(p[0], begin, 5, "the first"))
	all := w.reviews()
	if len(all) != len(p) || all[0].Phone != p[0].phone.String() && all[0].Phone != string(p[0].phone) || all[0].Text != "the latest" ||
		!all[0].At.Equal(begin.Add(5*time.Minute)) || !all[0].LastAt.Equal(begin.Add(20*time.Minute)) {
		w.Fatalf("the reviews are %+v", all)
	}
	for stop := range w.store.Suppressions(w.ctx, true) {
		w.Errorf("a review is listed as the suppression %+v", stop)
	}
	// A plain word of the person closes it; one about a category, or an older one, does not.
	w.act(word(1, 30, policy.ActStart, policy.ScopeAll), word(2, 30, policy.ActStop, policy.ScopeAll))
	w.act(word(3, 30, policy.ActStop, policy.ScopeCategory("orders")), word(4, 1, policy.ActStart, policy.ScopeAll))
	if left := len(w.reviews()); left != 4 {
		w.Errorf("%d reviews wait after plain words, want 4", left)
	}
	w.act(unclear(p[1], begin, 11, "make it stop")) // Meta sends it again
	if left := len(w.reviews()); left != 4 {
		w.Errorf("%d reviews wait after a text came again, want 4", left)
	}
	w.closes(p, begin)
}

func (w *world) closes(p []person, begin time.Time) {
	w.Helper()
	if _, err := w.store.CloseReview(w.ctx, p[1].phone, "", "nothing there", "test"); !errors.Is(err, store.ErrNoReview) {
		w.Errorf("closing what does not wait: %v", err)
	}
	if _, err := w.store.CloseReview(w.ctx, p[0].phone, "", " ", "test"); !errors.Is(err, store.ErrNoReason) {
		w.Errorf("closing without a reason: %v", err)
	}
	l := w.launch("after", "offers", []person{p[0], p[4], p[5]})
	people, err := w.store.CloseReview(w.ctx, p[0].phone, policy.ScopeAll, "wants out", "test")
	if w.must(err); len(people) != 1 || people[0] != p[0].id {
		w.Errorf("a stop was read for %v", people)
	}
	stops := w.suppressed(p[0].phone)
	if len(stops) != 1 || !stops[0].Active() || stops[0].Scope != policy.ScopeAll || stops[0].Origin != policy.OriginKeyword || !stops[0].At.Equal(begin.Add(20*time.Minute)) {
		w.Errorf("the stop read out of a text is %+v", stops)
	}
	_, err = w.store.CloseReview(w.ctx, p[4].phone, "", "asked for the bus stop", "test")
	w.must(err)
	w.gate(l, []person{p[4], p[5]})
	w.want(l.run.ID, sender.Skipped, policy.Suppressed, p[0])
	w.want(l.run.ID, sender.Sending, "", p[4])
	w.want(l.run.ID, sender.Skipped, policy.OptOutReview, p[5])
	w.act(unclear(p[4], begin, 14, "make it stop")) // again: it was judged
	w.act(unclear(p[0], begin, 40, "and another"))
	if left := w.reviews(); len(left) != 3 {
		w.Errorf("%d reviews wait at the end, want 3", len(left))
	}
	if w.audited("review.stop") != 1 || w.audited("review.not_a_stop") != 1 {
		w.Error("the judgements are not in the audit log")
	}
	// Only the person takes back what was read out of their words.
	if lifted, _, err := w.store.Unsuppress(w.ctx, p[0].phone, "mistake", "test"); err != nil || lifted != 0 {
		w.Errorf("an operator lifted %d of the person's own stops, %v", lifted, err)
	}
}
