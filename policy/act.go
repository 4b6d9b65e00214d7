package policy

import (
	"time"

	"github.com/permesso/permesso/internal/phone"
)

// Identity is every identifier by which a webhook names one person; any of them may be missing
// (Meta, "Business-scoped user IDs", revision after 2026-06-29).
type Identity struct {
	Phone        phone.Number
	UserID       string
	ParentUserID string
}

// Empty reports whether nothing names the person.
func (i Identity) Empty() bool { return i.Phone == "" && i.UserID == "" && i.ParentUserID == "" }

// ActKind is what a person did about being written to.
type ActKind string

// The acts.
const (
	ActStop   ActKind = "stop"   // suppress Scope with Origin
	ActStart  ActKind = "start"  // lift the person's own stops that Scope names
	ActResume ActKind = "resume" // lift Meta's stop
	ActReview ActKind = "review" // the text looked like an opt-out: hold marketing until a human has read it
)

// Act is one such act, from an inbound webhook.
type Act struct {
	Kind     ActKind
	Identity Identity
	Scope    Scope
	Origin   Origin
	At       time.Time
	// MessageID is Meta's id of the inbound message, for the record; "" for preferences.
	MessageID string
	// ContextWAMID is our message that the act answers; it names the person when Identity cannot.
	ContextWAMID string
	// Text is the inbound text of a review, nothing otherwise.
	Text string
	// Language is that of the list whose word it was, BCP 47; "" when several share the word, or no word was written.
	Language string
}
