package e2e

import (
	"fmt"
	"testing"

	"github.com/permesso/permesso/internal/store/storetest"
)

// An answer that is lost is not a reason to write again: it is unknown until WhatsApp tells (reliability F2, F3).
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	const people = 1000
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 500, policy: onePerDay})
		h.meta.with(func(f *faults) {
			f.statuses = everyStatus
			f.lose = func(n int, _ post) loss {
				if n%50 != 0 {
					return answered
				}
				return []loss{hungUp, reset, badGateway}[n/50%3]
			}
		})
		h.meta.hooks.hold()
		h.everyoneAfterRun(h.plainPeople(people))
		runs := h.runs()
		lines := h.log(runs[0].Run)
		lost := map[string]post{}
		for _, p := range h.meta.posts() {
			want := "accepted"
			if p.lost {
				want = "unknown"
				lost[personOf(p.to)] = p
			}
			if line := lines[personOf(p.to)]; line.State != want || line.Reason != "" {
				t.Errorf("…%s, whose answer was lost: %v, is %s (%s)", p.to[len(p.to)-5:], p.lost, line.State, line.Reason)
			}
		}
		if len(lost) != people/50 {
			t.Fatalf("%d answers were lost, want %d", len(lost), people/50)
		}
		// What nobody knows counts in the cap.
		want := map[string]string{}
		for who := range lines {
			want[who] = "frequency_cap"
		}
		h.plans("weekend-offer", want)

		h.serve()
		h.meta.hooks.release()
		h.eventually("everything is told", h.meta.hooks.told)
		h.eventually("the lost answers are settled", func() error {
			lines := h.log(runs[0].Run)
			for who, p := range lost {
				if line := lines[who]; line.State != "delivered" || line.WAMID != p.wamid {
					return fmt.Errorf("…%s is %s as %q, want %q", who[len(who)-5:], line.State, line.WAMID, p.wamid)
				}
			}
			return nil
		})
		if n := h.meta.count(); n != people {
			t.Errorf("%d POSTs for %d people", n, people)
		}
	})
}

// everyoneAfterRun runs weekend-offer in the foreground, to its end, and checks that exactly these people got it.
func (h *house) everyoneAfterRun(people []string) {
	h.t.Helper()
	h.must("run", "weekend-offer", "--json")
	h.everyone(people)
}
