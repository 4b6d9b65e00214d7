package e2e

import (
	"sync"
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
		all := h.plainPeople(people)
		held := heldUp(t)
		h.everyoneAfterRun(all)
		posts := h.meta.posts()
		busiest := 0
		for first, last := 0, 0; last < len(posts); last++ {
			for posts[last].start.Sub(posts[first].start) >= time.Second {
				first++
			}
			busiest = max(busiest, last-first+1)
		}
		// One more than the limit may be seen: a message that the network, or this machine's scheduler, held up at one end of the window
		// arrives in it beside those that were sent in it. Of a machine that is seen to hold everything up, as many as that makes.
		late := held()
		if most := perSecond + 1 + int(perSecond*late.Seconds()); busiest > most {
			t.Errorf("%d messages within a second, the limit is %d, and the machine stood still for %s at most", busiest, perSecond, late)
		}
		// How fast it is when the machine is busy is not asked here; that it is not much slower than it may be shows in the log.
		took := posts[len(posts)-1].start.Sub(posts[0].start)
		t.Logf("%d in the busiest second, %d in %s", busiest, len(posts), took)
	})
}

// heldUp watches how long this machine keeps somebody waiting who wants to run now and then, until the returned function asks for the
// longest.
func heldUp(t *testing.T) (longest func() time.Duration) {
	t.Helper()
	var most time.Duration
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		const nap = time.Millisecond
		for {
			began := time.Now()
			select {
			case <-stop:
				return
			case <-time.After(nap):
				most = max(most, time.Since(began)-nap)
			}
		}
	}()
	longest = sync.OnceValue(func() time.Duration {
		close(stop)
		<-stopped
		return most
	})
	t.Cleanup(func() { longest() })
	return longest
}
