package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
)

// everyStatus is what becomes of a message that goes well.
func everyStatus(int, post) []string { return []string{"sent", "delivered"} }

// A killed run loses nobody and writes to nobody twice, wherever it is struck (reliability F1).
func TestKilledRunGoesOn(t *testing.T) {
	t.Parallel()
	const people, perSecond = 1500, 300
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: perSecond})
		h.meta.with(func(f *faults) { f.statuses, f.latency = everyStatus, 20*time.Millisecond })
		h.meta.hooks.hold() // what was lost shows only while nobody tells
		all := h.plainPeople(people)

		var kills []time.Time
		strike := func(p *process, after int) {
			h.meta.atLeast(min(h.meta.count()+after, people))
			time.Sleep(rand.N(150 * time.Millisecond)) // anywhere in a batch
			kills = append(kills, time.Now())
			p.kill()
		}
		p := h.start("run", "weekend-offer", "--json")
		strike(p, 1)
		runs := h.runs()
		if len(runs) != 1 {
			t.Fatalf("there are %d runs after the first kill, want 1: %+v", len(runs), runs)
		}
		run := runs[0].Run
		for range 3 {
			strike(h.serve(), 1+rand.IntN(300))
		}
		h.serve()
		lines := h.ends(run)
		h.settled(run, lines, kills, all)
	})
}

// A run left to serve survives the same, also while it is planned.
func TestKilledServeGoesOn(t *testing.T) {
	t.Parallel()
	const people = 600
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 300})
		h.meta.with(func(f *faults) { f.statuses, f.latency = everyStatus, 20*time.Millisecond })
		h.meta.hooks.hold()
		all := h.plainPeople(people)
		p := h.serve()
		run := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
		time.Sleep(rand.N(700 * time.Millisecond)) // in the planning, or among the first messages
		kills := []time.Time{time.Now()}
		p.kill()
		p = h.serve()
		h.meta.atLeast(people / 2)
		kills = append(kills, time.Now())
		p.kill()
		h.serve()
		h.settled(run, h.ends(run), kills, all)
	})
}

// A killed run goes on by runs resume alone: no serve is needed.
func TestKilledRunIsResumedByHand(t *testing.T) {
	t.Parallel()
	const people = 400
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 300})
		h.meta.with(func(f *faults) { f.statuses, f.latency = everyStatus, 20*time.Millisecond })
		h.meta.hooks.hold()
		all := h.plainPeople(people)
		p := h.start("run", "weekend-offer", "--json")
		h.meta.atLeast(people / 3)
		kills := []time.Time{time.Now()}
		p.kill()
		run := h.runs()[0].Run
		h.must("runs", "resume", run)
		if state := h.runs()[0].State; state != "done" {
			t.Errorf("after runs resume the run is %s, want done", state)
		}
		h.serve()
		h.settled(run, h.ends(run), kills, all)
	})
}

// settled checks the log of a run that was struck, lets Meta tell what became of it, and checks it again.
func (h *house) settled(run string, lines map[string]logLine, kills []time.Time, all []string) {
	h.t.Helper()
	posts := h.meta.posts()
	got := byPerson(posts)
	takenOnce(h.t, posts)
	if len(lines) != len(all) {
		h.t.Errorf("%d lines for %d people", len(lines), len(all))
	}
	unknown := 0
	for who, line := range lines {
		sent := got[who]
		switch line.State {
		case "accepted":
			if len(sent) != 1 || sent[0].wamid != line.WAMID {
				h.t.Errorf("…%s is accepted as %s after %d POSTs", who[len(who)-5:], line.WAMID, len(sent))
			}
		case "unknown":
			unknown++
			if len(sent) > 0 && !nearAKill(sent[0], kills) {
				h.t.Errorf("…%s is unknown, and nothing was killed near %s", who[len(who)-5:], sent[0].start)
			}
		default:
			h.t.Errorf("…%s is %s (%s)", who[len(who)-5:], line.State, line.Reason)
		}
	}
	// Between gate and recorded outcome are 300/s × (the fake's 20 ms + the outcomes' 20 ms) and a batch of 15, with room for a slow machine.
	if most := 100 * len(kills); unknown > most {
		h.t.Errorf("%d are unknown after %d kills, want at most %d", unknown, len(kills), most)
	}
	h.t.Logf("%d of %d unknown after %d kills", unknown, len(all), len(kills))

	h.meta.hooks.release()
	h.eventually("everything is told", h.meta.hooks.told)
	h.eventually("what reached Meta is settled", func() error {
		lines = h.log(run)
		for who, line := range lines {
			if len(got[who]) > 0 && (line.State != "delivered" || line.WAMID != got[who][0].wamid) {
				return fmt.Errorf("…%s is %s as %q", who[len(who)-5:], line.State, line.WAMID)
			}
		}
		return nil
	})
	for who, line := range lines {
		if len(got[who]) == 0 && line.State != "unknown" {
			h.t.Errorf("…%s was never posted to and is %s", who[len(who)-5:], line.State)
		}
	}
	if after := len(h.meta.posts()); after != len(posts) {
		h.t.Errorf("%d more POSTs after the run was done", after-len(posts))
	}
}

// nearAKill reports whether something was killed while a message was on its way, or about to be, or its answer was.
func nearAKill(p post, kills []time.Time) bool {
	const about = 2 * time.Second
	return slices.ContainsFunc(kills, func(kill time.Time) bool { return kill.After(p.start.Add(-about)) && kill.Before(p.ended.Add(about)) })
}
