package sender_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/sender"
)

// The state machine as CONTRACT §4 tells it, in the order of sender.States(): x may become, . may not.
func TestStateMachine(t *testing.T) {
	const table = `
            queued sending accepted held sent delivered read failed skipped cancelled expired unknown
queued         .      x       .      .    .      .       .     x       x        x        x       .
sending        x      .       x      x    x      x       x     x       .        .        .       x
accepted       .      .       .      .    x      x       x     x       .        .        .       .
held           .      .       .      .    x      x       x     x       .        .        .       .
sent           .      .       .      .    .      x       x     x       .        .        .       .
delivered      .      .       .      .    .      .       x     .       .        .        .       .
read           .      .       .      .    .      .       .     .       .        .        .       .
failed         .      .       .      .    .      x       x     .       .        .        .       .
skipped        .      .       .      .    .      .       .     .       .        .        .       .
cancelled      .      .       .      .    .      .       .     .       .        .        .       .
expired        .      .       .      .    .      .       .     .       .        .        .       .
unknown        x      .       x      x    x      x       x     x       .        .        .       .`
	lines := strings.Split(strings.TrimSpace(table), "\n")
	columns := strings.Fields(lines[0])
	if len(columns) != len(sender.States()) || len(lines) != len(columns)+1 {
		t.Fatalf("%d columns and %d rows for %d states", len(columns), len(lines)-1, len(sender.States()))
	}
	for i, state := range sender.States() {
		if columns[i] != string(state) {
			t.Errorf("state %d is %s, want %s", i, state, columns[i])
		}
	}
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		from := sender.State(fields[0])
		for i, cell := range fields[1:] {
			if to := sender.State(columns[i]); from.CanBecome(to) != (cell == "x") {
				t.Errorf("%s may become %s: %t", from, to, from.CanBecome(to))
			}
		}
		if final := from != sender.Queued && from != sender.Sending; from.Final() != final {
			t.Errorf("%s is final: %t", from, from.Final())
		}
	}
	for _, state := range sender.States() {
		if nothing := sender.State(""); nothing.CanBecome(state) || state.CanBecome(nothing) {
			t.Errorf("the zero state and %s know each other", state)
		}
	}
}

var statuses = []sender.State{sender.Accepted, sender.Sent, sender.Delivered, sender.Read, sender.Failed}

// heard folds reports, in order, into a delivery that passed the gate.
func heard(from sender.State, reports []sender.State) sender.State {
	for _, r := range reports {
		from = from.Heard(r)
	}
	return from
}

// Reports are a join: their order and their number change nothing.
func TestHeardIsAJoin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SampledFrom([]sender.State{sender.Sending, sender.Unknown, sender.Accepted, sender.Held}).Draw(t, "from")
		reports := rapid.SliceOfN(rapid.SampledFrom(statuses), 0, 8).Draw(t, "reports")
		want := heard(from, reports)

		shuffled := rapid.Permutation(reports).Draw(t, "shuffled")
		if got := heard(from, shuffled); got != want {
			t.Fatalf("%v gives %s, %v gives %s", reports, want, shuffled, got)
		}
		doubled := rapid.Permutation(slices.Concat(reports, reports)).Draw(t, "doubled")
		if got := heard(from, doubled); got != want {
			t.Fatalf("%v gives %s, %v gives %s", reports, want, doubled, got)
		}
		set := slices.Compact(slices.Sorted(slices.Values(reports)))
		if got := heard(from, set); got != want {
			t.Fatalf("%v gives %s, its set %v gives %s", reports, want, set, got)
		}
		// In two halves, the first heard by another process: what is heard twice adds nothing.
		cut := rapid.IntRange(0, len(reports)).Draw(t, "cut")
		if got := heard(heard(from, reports[:cut]), reports); got != want {
			t.Fatalf("%v gives %s, with its first %d before it %s", reports, want, cut, got)
		}
	})
}

// What the set of reports means is said in one line each, over all sets.
func TestHeardMeaning(t *testing.T) {
	for bits := range 1 << len(statuses) {
		var set []sender.State
		for i, s := range statuses {
			if bits&(1<<i) != 0 {
				set = append(set, s)
			}
		}
		has := func(s sender.State) bool { return slices.Contains(set, s) }
		want := sender.Sending
		switch {
		case has(sender.Read):
			want = sender.Read
		case has(sender.Delivered):
			want = sender.Delivered // also after a failure: it is on the phone
		case has(sender.Failed):
			want = sender.Failed
		case has(sender.Sent):
			want = sender.Sent
		case has(sender.Accepted):
			want = sender.Accepted
		}
		if got := heard(sender.Sending, set); got != want {
			t.Errorf("%v gives %s, want %s", set, got, want)
		}
	}
	for _, closed := range []sender.State{sender.Skipped, sender.Cancelled, sender.Expired} {
		if got := heard(closed, statuses); got != closed {
			t.Errorf("%s became %s: no message of it exists", closed, got)
		}
	}
}
