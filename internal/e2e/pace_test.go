package e2e

import (
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
)

// Meta counts the messages of every second, wherever it begins. It runs before the tests that run together: they would shake its clock.
func TestPace(t *testing.T) {
	const people, perSecond = 300, 50
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: perSecond})
		h.meta.with(func(f *faults) { f.latency = 10 * time.Millisecond })
		h.everyoneAfterRun(h.plainPeople(people))
		posts := h.meta.posts()
		busiest := 0
		for first, last := 0, 0; last < len(posts); last++ {
			for posts[last].start.Sub(posts[first].start) >= time.Second {
				first++
			}
			busiest = max(busiest, last-first+1)
		}
		// One more than the limit may be seen: a message that the network, or this machine's scheduler, held up at one end of the window
		// arrives in it beside those that were sent in it.
		if busiest > perSecond+1 {
			t.Errorf("%d messages within a second, the limit is %d", busiest, perSecond)
		}
		// How fast it is when the machine is busy is not asked here; that it is not much slower than it may be shows in the log.
		took := posts[len(posts)-1].start.Sub(posts[0].start)
		t.Logf("%d in the busiest second, %d in %s", busiest, len(posts), took)
	})
}
