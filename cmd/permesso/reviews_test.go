package main

import (
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// unclear stores texts that looked like an opt-out, by number.
func (w *world) unclear(texts map[string]string) {
	w.t.Helper()
	s, err := store.Open(w.t.Context(), "sqlite:"+w.path("permesso.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	for number, text := range texts {
		act := policy.Act{Kind: policy.ActReview, Scope: policy.ScopeKind(policy.Marketing), Origin: policy.OriginKeyword,
			Identity: policy.Identity{Phone: phone.Number(number)}, At: time.Now().Add(-time.Minute), MessageID: "wamid.near" + number, Text: text}
		if _, err := s.Store(w.t.Context(), []sender.Inbox{{Acts: []policy.Act{act}}}); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		w.t.Fatal(err)
	}
}

func TestReviews(t *testing.T) {
	w := filled(t)
	if out := w.must("reviews", "list"); !strings.Contains(out, "No text waits") {
		t.Errorf("an empty list says %q", out)
	}
	w.unclear(map[string]string{phoneOf(1): "make it\nstop", phoneOf(2): "is that the last bus stop??"})
	if out := w.must("reviews", "list"); !strings.Contains(out, "make it stop") || !strings.Contains(out, phoneOf(2)) {
		t.Errorf("the list is %q", out)
	}
	if out := w.must("reviews", "list", "--json"); strings.Count(out, "\n") != 2 || !strings.Contains(out, `"text":"make it\nstop"`) || !strings.Contains(out, `"campaign":`) || !strings.Contains(out, `"language":`) {
		t.Errorf("the list as JSON is %q", out)
	}
	if out := w.must("suppress", "list"); strings.Contains(out, phoneOf(1)) {
		t.Errorf("a review is in the list of stops: %q", out)
	}
	if out := w.must("explain", "weekend-offer", phoneOf(1)); !strings.Contains(out, "opt_out_review") {
		t.Errorf("explain says %q", out)
	}
	w.must("reviews", "close", phoneOf(1), "--stop", "--scope", "kind:marketing", "--reason", "wants out")
	if out := w.must("suppress", "list", "--json"); !strings.Contains(out, `"scope":"kind:marketing"`) || !strings.Contains(out, `"source":"review"`) {
		t.Errorf("the stop is %q", out)
	}
	w.must("reviews", "close", phoneOf(2), "--not-a-stop", "--reason", "asked for the bus")
	if out := w.must("reviews", "list"); !strings.Contains(out, "No text waits") {
		t.Errorf("after both were judged the list says %q", out)
	}
	if !audited(t, w, "wants out") || !audited(t, w, "asked for the bus") {
		t.Error("the judgements are not in the audit log")
	}
	for _, wrong := range [][]string{{"--reason", "x"}, {"--stop", "--not-a-stop", "--reason", "x"}, {"--stop"}, {"--not-a-stop", "--scope", "all", "--reason", "x"}} {
		if a := w.run(append([]string{"reviews", "close", phoneOf(1)}, wrong...)...); a.code != exitWrongUse {
			t.Errorf("%v: exit %d, %s", wrong, a.code, a.err)
		}
	}
}
