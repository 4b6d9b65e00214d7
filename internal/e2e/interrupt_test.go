package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
)

// Ctrl-C pauses a run, SIGTERM ends serve in good order; neither leaves a doubt behind (reliability F33).
func TestInterrupted(t *testing.T) {
	t.Parallel()
	const people = 700
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 150})
		h.meta.with(func(f *faults) { f.latency = 200 * time.Millisecond })
		all := h.plainPeople(people)

		p := h.start("run", "weekend-offer", "--json")
		h.meta.atLeast(150)
		p.signal(syscall.SIGINT)
		if code := p.wait(patience); code != 4 {
			t.Errorf("Ctrl-C: exit %d, want 4: %s", code, tail(p.err.String()))
		}
		runs := h.runs()
		if len(runs) != 1 || runs[0].State != "paused" || runs[0].Why == "" {
			t.Fatalf("after Ctrl-C: %+v", runs)
		}
		run := runs[0].Run
		h.says(p, "permesso runs resume "+run)
		after := h.meta.count()
		h.halfSent(run, after, people)

		p = h.serve()
		if n := h.meta.count(); n != after {
			t.Errorf("serve sent %d messages of a paused run", n-after)
		}
		h.must("runs", "resume", run)
		h.meta.atLeast(after + 150)
		p.signal(syscall.SIGTERM)
		if code := p.wait(15 * time.Second); code != 0 {
			t.Errorf("SIGTERM: exit %d, want 0: %s", code, tail(p.err.String()))
		}
		h.halfSent(run, h.meta.count(), people)

		began := time.Now()
		h.serve()
		for who, line := range h.ends(run) {
			if line.State != "accepted" || line.Attempts != 1 {
				t.Errorf("…%s is %s after %d attempts", who[len(who)-5:], line.State, line.Attempts)
			}
		}
		t.Logf("the rest took %s", time.Since(began))
		h.everyone(all)
	})
}

// halfSent checks that so many were sent and recorded, and the others wait as if nothing had been.
func (h *house) halfSent(run string, sent, people int) {
	h.t.Helper()
	lines := h.log(run)
	states := countBy(lines, stateOf)
	if states["accepted"] != sent || states["queued"] != people-sent || len(states) != 2 {
		h.t.Errorf("%d of %d were posted, the log counts %v", sent, people, states)
	}
	for who, line := range lines {
		if line.State == "queued" && line.Attempts != 0 {
			h.t.Errorf("…%s waits, with %d attempts", who[len(who)-5:], line.Attempts)
		}
	}
}

func (h *house) says(p *process, words ...string) {
	h.t.Helper()
	for _, word := range words {
		if !slices.ContainsFunc([]string{p.err.String(), p.out.String()}, func(text string) bool { return strings.Contains(text, word) }) {
			h.t.Errorf("nothing printed has %q:\n%s%s", word, tail(p.out.String()), tail(p.err.String()))
		}
	}
}

// A token that is refused in the middle stops everything at once and burns nobody's attempts (reliability F23).
func TestTokenRefusedInTheMiddle(t *testing.T) {
	t.Parallel()
	const people, good = 500, 200
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 200})
		h.meta.with(func(f *faults) {
			f.refuse = func(n int, _ post) *graphError {
				if n <= good {
					return nil
				}
				return &graphError{401, 190, "Error validating access token: Session has expired", ""}
			}
		})
		all := h.plainPeople(people)
		p := h.start("run", "weekend-offer", "--json")
		if code := p.wait(patience); code != 4 {
			t.Errorf("exit %d, want 4: %s", code, tail(p.err.String()))
		}
		h.says(p, "190", "token")
		runs := h.runs()
		if len(runs) != 1 || runs[0].State != "paused" || !strings.Contains(runs[0].Why, "190") {
			t.Fatalf("after the refusal: %+v", runs)
		}
		run := runs[0].Run
		if extra := h.meta.count() - good; extra > 40 {
			t.Errorf("%d POSTs with a refused token", extra)
		}
		h.halfSent(run, good, people)

		h.meta.with(func(f *faults) { f.refuse = nil })
		h.serve()
		h.must("runs", "resume", run)
		for who, line := range h.ends(run) {
			if line.State != "accepted" || line.Attempts != 1 || line.Error != nil {
				t.Errorf("…%s is %s after %d attempts, error %v", who[len(who)-5:], line.State, line.Attempts, line.Error)
			}
		}
		h.everyone(all)
	})
}

// What cannot go out is refused before the first message (CONTRACT §4: exit 5).
func TestRefusedBeforeTheFirstMessage(t *testing.T) {
	t.Parallel()
	campaigns := ""
	for _, c := range []struct{ id, template, languages string }{
		{"absent", "no_such_template", "[it]"}, {"paused", "weekend_offer_paused", "[it]"}, {"changed", "weekend_offer_changed", "[it]"}, {"english", "weekend_offer_italian", "[it, en]"},
	} {
		campaigns += fmt.Sprintf(`
  - id: %s
    category: offers
    template: %s
    languages: %s
    parameters:
      body: [{field: name, default: lettore}, {field: attributes.gift}, {text: "30 novembre"}]
      buttons: {0: {field: attributes.coupon}, 1: {payload: opt_out}}
`, c.id, c.template, c.languages)
	}
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{campaigns: campaigns})
		h.plainPeople(10)
		for campaign, words := range map[string][]string{
			"absent":  {"no_such_template"},
			"paused":  {"weekend_offer_paused", "PAUSED"},
			"changed": {"weekend_offer_changed", "2", "3"},
			"english": {"weekend_offer_italian", "en"},
		} {
			h.refused(5, words, "run", campaign)
			h.refused(5, words, "run", campaign, "--detach")
		}
		if n := h.meta.count(); n > 0 {
			t.Errorf("%d messages were posted", n)
		}
		for _, r := range h.runs() {
			t.Errorf("a refused run is on record: %+v", r)
		}
	})
}
