package sender

import "slices"

// State is where one delivery, the row of one person in one run, stands.
type State string

// The states of a delivery (CONTRACT §4).
const (
	// Queued waits for its turn, or for DueAt. Moved by the gate, an opt-out, an operator, or time.
	Queued State = "queued"
	// Sending has passed the gate: from here on a message may exist. Moved by the attempt's outcome or a status webhook.
	Sending State = "sending"
	// Accepted was taken by Meta. It and all later states move only by webhooks.
	Accepted State = "accepted"
	// Held was taken by Meta and waits for its quality assessment; it ranks as Accepted.
	Held State = "held"
	// Sent left Meta for the person's phone.
	Sent State = "sent"
	// Delivered reached the phone.
	Delivered State = "delivered"
	// Read was opened by the person.
	Read State = "read"
	// Failed was refused by Meta, at once or later.
	Failed State = "failed"
	// Skipped was refused by policy or closed by an opt-out.
	Skipped State = "skipped"
	// Cancelled was closed by an operator.
	Cancelled State = "cancelled"
	// Expired was closed by time: its window or its offer ended.
	Expired State = "expired"
	// Unknown may or may not have been taken: the answer was lost. Never sent again; settled by the callback data alone.
	Unknown State = "unknown"
)

// States lists every state in the order in which reports print them.
func States() []State {
	return []State{Queued, Sending, Accepted, Held, Sent, Delivered, Read, Failed, Skipped, Cancelled, Expired, Unknown}
}

// next is the state machine, written once: the states that each may become.
var next = map[State][]State{
	Queued:   {Sending, Skipped, Expired, Cancelled, Failed},
	Sending:  {Queued, Accepted, Held, Sent, Delivered, Read, Failed, Unknown},
	Unknown:  {Queued, Accepted, Held, Sent, Delivered, Read, Failed},
	Accepted: {Sent, Delivered, Read, Failed},
	Held:     {Sent, Delivered, Read, Failed},
	Sent:     {Delivered, Read, Failed},
	// A late delivered or read beats a failure (graph-api §4.3: statuses come in any order).
	Failed:    {Delivered, Read},
	Delivered: {Read},
}

// CanBecome reports whether a delivery in state s may move to state t.
func (s State) CanBecome(t State) bool { return slices.Contains(next[s], t) }

// Final reports whether only a webhook, or nothing, can still move the delivery.
func (s State) Final() bool { return s != Queued && s != Sending }

// Heard returns the state after Meta reported status t (accepted, sent, delivered, read or failed) for a message of this delivery.
// It is a join: the same reports in any order and number give the same state.
func (s State) Heard(t State) State {
	if s.CanBecome(t) {
		return t
	}
	return s
}
