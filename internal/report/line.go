package report

import (
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// Line is one delivery, the row of one person in one run: a line of `permesso log --json` (CONTRACT §4). Times are absent
// when they were not reached, as are error and pricing; texts are always there.
type Line struct {
	Run      string        `json:"run"`
	Campaign string        `json:"campaign"`
	Phone    string        `json:"phone"`
	UserID   string        `json:"user_id"`
	Template string        `json:"template"`
	Language string        `json:"language"` // Meta's code of the template's language, "" before the gate
	Category string        `json:"category"`
	State    sender.State  `json:"state"`
	Reason   policy.Reason `json:"reason"`
	Error    *Error        `json:"error,omitempty"`
	Attempts int           `json:"attempts"`
	WAMID    string        `json:"wamid"`
	Test     bool          `json:"test"`

	DueAt       Time `json:"due_at,omitzero"`
	QueuedAt    Time `json:"queued_at,omitzero"`
	SendingAt   Time `json:"sending_at,omitzero"`
	AcceptedAt  Time `json:"accepted_at,omitzero"`
	SentAt      Time `json:"sent_at,omitzero"`
	DeliveredAt Time `json:"delivered_at,omitzero"`
	ReadAt      Time `json:"read_at,omitzero"`
	FailedAt    Time `json:"failed_at,omitzero"`
	RepliedAt   Time `json:"replied_at,omitzero"`

	Pricing *Pricing `json:"pricing,omitempty"`

	// At is the line's place in the log, from which the next page starts.
	At Cursor `json:"-"`
	// ChangedAt is when the row last changed by our own clock; the times above are Meta's for sent, delivered, read and failed.
	ChangedAt Time `json:"-"`
}

// Error is what Meta said against a message; with code 0 and the title "internal" it is what kept permesso from sending it.
type Error struct {
	Code    int    `json:"code"`
	Title   string `json:"title"`
	Details string `json:"details"`
}

// Pricing is what Meta's status said of a message's price. Billable is absent when it did not say.
type Pricing struct {
	Billable *bool  `json:"billable,omitempty"`
	Category string `json:"category"`
	Model    string `json:"model"`
}

// Cursor is a place in the log, which is ordered by the fire time of the runs, their ids, and within a run by person.
// The zero Cursor is before the first line.
type Cursor struct {
	FireAt time.Time
	Run    string
	Person policy.PersonID
}

// Filter chooses lines of the log; a zero field chooses everything.
type Filter struct {
	Campaign string
	Run      string
	Phone    phone.Number // in whatever form it is written
	State    sender.State
	Reason   policy.Reason
	Since    time.Time // lines that changed at this time or later
	After    Cursor    // lines after this place
	Limit    int       // at most so many; 0 is no limit
}
