package policy

import "fmt"

// EventID names an event of the consent ledger by its place: the chain that it is in, and its number there, from 1 on. 0 is none.
type EventID int64

// EventsPerChain is how many events a chain can number.
const EventsPerChain = 1<<32 - 1

// NewEventID is the place seq, 1 to EventsPerChain, in a chain, below 2^31.
func NewEventID(chain uint32, seq int64) EventID { return EventID(int64(chain)<<32 | seq) }

// Chain is the chain that the event is in.
func (e EventID) Chain() uint32 { return uint32(e >> 32) }

// Seq is the event's number in its chain.
func (e EventID) Seq() int64 { return int64(e) & EventsPerChain }

// String writes the chain in eight hexadecimal digits and the number: 5f3a91c2-1042; "" for none.
func (e EventID) String() string {
	if e == 0 {
		return ""
	}
	return fmt.Sprintf("%08x-%d", e.Chain(), e.Seq())
}

// MarshalText writes what String does.
func (e EventID) MarshalText() ([]byte, error) { return []byte(e.String()), nil }
