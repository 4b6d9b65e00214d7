package policy_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/policy"
)

func TestEventIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chain, seq := rapid.Uint32Range(1, 1<<31-1).Draw(t, "chain"), rapid.Int64Range(1, policy.EventsPerChain).Draw(t, "seq")
		id := policy.NewEventID(chain, seq)
		if id.Chain() != chain || id.Seq() != seq || id <= 0 {
			t.Fatalf("%d of chain %d became %d of %d", seq, chain, id.Seq(), id.Chain())
		}
	})
	for id, want := range map[policy.EventID]string{0: "", policy.NewEventID(0x5f3a91c2, 1042): "5f3a91c2-1042", policy.NewEventID(1, policy.EventsPerChain): "00000001-4294967295"} {
		if got := id.String(); got != want {
			t.Errorf("%d is written %q, want %q", id, got, want)
		}
	}
}
