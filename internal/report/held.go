package report

// Held is what the database holds of one person beside the contact, the consents with the stops, and the deliveries: what an access
// request asks for.
type Held struct {
	Person      string       `json:"person"` // the key of this installation's own, as the audit log names it
	Identifiers []Identifier `json:"identifiers"`
	SentAt      Time         `json:"last_sent_at,omitzero"` // what is left of deliveries that were deleted by their age
	DeliveredAt Time         `json:"last_delivered_at,omitzero"`
	RepliedAt   Time         `json:"last_wrote_at,omitzero"`
	Review      *HeldReview  `json:"review,omitempty"`
	Windows     []HeldWindow `json:"windows"`
	Answers     []HeldAnswer `json:"answers"`
	Replies     []string     `json:"replies"` // what they wrote and the business has not read yet, as it will be posted
	Imports     []HeldImport `json:"imports"`
}

// Identifier is one name by which WhatsApp knows a person; Value is "" once they were erased.
type Identifier struct {
	Kind  string `json:"kind"` // phone, user_id or parent_user_id
	Value string `json:"value"`
	Since Time   `json:"since"`
}

// HeldReview is a text that waits for somebody to read whether it means stop.
type HeldReview struct {
	At   Time   `json:"at"`
	Text string `json:"text"`
}

// HeldWindow is until when free-form text may go to them from a number.
type HeldWindow struct {
	Number string `json:"number"`
	Until  Time   `json:"until"`
}

// HeldAnswer is a free-form answer to something that they wrote.
type HeldAnswer struct {
	Kind  string `json:"kind"`
	Scope string `json:"scope"`
	State string `json:"state"`
	At    Time   `json:"asked_at"`
	Text  string `json:"text,omitempty"`
	Said  string `json:"said,omitempty"`
}

// HeldImport is a file that added or changed the contact, with what it changed; Changed is "" when it added them.
type HeldImport struct {
	ID      string `json:"id"`
	File    string `json:"file"`
	Changed string `json:"changed,omitempty"`
}
