package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
)

// A sender that stands still loses its lease, and what it does when it wakes up harms nobody (reliability F13).
func TestLeaseTakenFromAFrozenSender(t *testing.T) {
	t.Parallel()
	const people = 600
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		if strings.HasPrefix(target, "postgres") {
			// Frozen inside a transaction it keeps its locks until the server ends the session: after 60 s as permesso asks for by itself.
			target += "&idle_in_transaction_session_timeout=3000"
		}
		h := newHouse(t, target, settings{perSecond: 100})
		h.meta.with(func(f *faults) { f.latency, f.statuses = 20*time.Millisecond, everyStatus })
		h.meta.hooks.hold()
		all := h.plainPeople(people)
		other := h.neighbour()
		release := h.meta.stallsAfter(30)
		frozen := h.start("run", "weekend-offer", "--json")
		h.meta.atLeast(30)
		other.serve()
		release()
		h.meta.atLeast(h.meta.count() + 20) // it is at work again
		frozen.signal(syscall.SIGSTOP)
		began, before := time.Now(), h.meta.count()
		if strings.HasPrefix(target, "postgres") {
			h.meta.atLeast(before + 60) // the other has taken over
		} else {
			time.Sleep(time.Until(began.Add(7 * time.Second))) // it may hold the only write lock there is
		}
		frozen.signal(syscall.SIGCONT)
		frozen.wait(patience)
		run := h.runs()[0].Run
		h.doubtless(run, h.ends(run), all)
	})
}

// Without its database nothing is sent; when it is back, the run goes on as if nothing had been (reliability F14).
func TestDatabaseAwayInTheMiddle(t *testing.T) {
	t.Parallel()
	const people = 600
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 150})
		h.meta.with(func(f *faults) { f.latency = 20 * time.Millisecond })
		all := h.plainPeople(people)
		serving := h.serve()
		run := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
		h.meta.atLeast(100)
		back := takeAway(t, target)
		time.Sleep(2 * time.Second) // what had passed the gate may still begin for one, and a busy machine sees it later
		before := h.meta.count()
		time.Sleep(2 * time.Second)
		if n := h.meta.count() - before; n > 0 {
			t.Errorf("%d messages left while no gate could open", n)
		}
		back()
		h.doubtless(run, h.ends(run), all)
		if !serving.running() {
			t.Errorf("serve ended: %s", tail(serving.err.String()))
		}
	})
}

// doubtless checks that everybody was posted to once at most and that the log says what the ledger does; what is unknown was near the trouble.
func (h *house) doubtless(run string, lines map[string]logLine, all []string) {
	h.t.Helper()
	posts := h.meta.posts()
	takenOnce(h.t, posts)
	got := byPerson(posts)
	unknown := 0
	for _, who := range all {
		line, sent := lines[who], got[who]
		switch {
		case line.State == "unknown":
			unknown++
		case line.State != "accepted" || len(sent) != 1 || sent[0].wamid != line.WAMID:
			h.t.Errorf("…%s is %s (%s) as %q after %d POSTs", who[len(who)-5:], line.State, line.Reason, line.WAMID, len(sent))
		}
	}
	if unknown > 50 {
		h.t.Errorf("%d are unknown, more than can have been on their way", unknown)
	}
	h.t.Logf("run %s: %d of %d unknown", run, unknown, len(all))
}
