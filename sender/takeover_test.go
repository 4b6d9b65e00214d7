package sender_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/sender"
)

// Of a gate that committed and could not say so nothing is posted, and nobody is lost by it.
func TestAGateWhoseAnswerIsLostIsTakenBack(t *testing.T) {
	bubble(t, func(h *house) {
		n := 0
		h.cut = func() bool { n++; return n%7 == 3 }
		run := h.add("a", 0, 300, 0)
		stop := h.start(80)
		h.until(time.Minute, "the run is over", func() bool { return h.over(run) })
		stop()
		if n := h.count(run, sender.Accepted); n != 300 || len(h.posts()) != 300 {
			t.Errorf("%d accepted of 300 by %d posts", n, len(h.posts()))
		}
	})
}

// A takeover settles what is older than a lease at once, what was gated in the last seconds before it six seconds later, and from
// then on only what is older than any answer.
func TestATakeoverSettlesTheLastSecondsToo(t *testing.T) {
	bubble(t, func(h *house) {
		first := true
		h.hold = func() (bool, bool, error) {
			taken := first
			first = false
			return true, taken, nil
		}
		stop := h.start(80)
		time.Sleep(20 * time.Second)
		stop()
		settled := slices.DeleteFunc(slices.Clone(h.leases), func(what string) bool { return !strings.HasPrefix(what, "settled ") })
		if want := []string{"settled 5s", "settled 6s", "settled 45s"}; !slices.Equal(settled, want) {
			t.Errorf("%v, want %v", settled, want)
		}
	})
}
