package sender

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAttemptsTellTheirTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		made := time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "ms"))
		ids := newAttempts(3, made)
		for _, id := range ids {
			if !id.MadeAt().Equal(made) {
				t.Fatalf("made at %v, it says %v", made, id.MadeAt())
			}
			first, end := id.Together()
			if bytes.Compare(first[:], id[:]) > 0 || bytes.Compare(id[:], end[:]) >= 0 {
				t.Fatalf("%x is not between %x and %x", id, first, end)
			}
			if span := end.MadeAt().Sub(first.MadeAt()); span != SilentAmong {
				t.Fatalf("sent together means within %v", span)
			}
			if before := MadeBefore(made); bytes.Compare(before[:], id[:]) > 0 {
				t.Fatalf("%x counts as made before %v", id, made)
			}
		}
		if ids[0] == ids[1] || ids[1] == ids[2] {
			t.Fatal("two attempts have one id")
		}
	})
}

func TestSilenceProves(t *testing.T) {
	for _, tt := range []struct {
		taken, heard int
		want         bool
	}{
		{0, 0, false},
		{19, 19, false}, // too few
		{20, 20, true},
		{20, 19, false},
		{999, 998, false},
		{1000, 999, true}, // one in a thousand may be missing
		{1000, 998, false},
		{5000, 4995, true},
		{20, 21, false}, // no count of ours
	} {
		if got := SilenceProves(tt.taken, tt.heard); got != tt.want {
			t.Errorf("%d taken, %d heard: %t", tt.taken, tt.heard, got)
		}
	}
}
