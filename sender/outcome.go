package sender

import (
	"fmt"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/templates"
)

// Reaction is what a Graph error asks of us. The table from Meta's codes to reactions lives in internal/graph alone.
type Reaction string

// The reactions.
const (
	// Retry waits with a persisted back-off, a few times, then fails the message.
	Retry Reaction = "retry"
	// SlowDown gives the message back without burning an attempt and lowers the number's rate.
	SlowDown Reaction = "slow_down"
	// PairLimit retries this recipient alone after 4^attempt seconds.
	PairLimit Reaction = "pair_limit"
	// FailMessage ends this delivery.
	FailMessage Reaction = "fail_message"
	// PauseToken pauses every run: the token is refused or lacks a permission.
	PauseToken Reaction = "pause_token"
	// PauseAccount pauses every run: the account is restricted or cannot pay.
	PauseAccount Reaction = "pause_account"
	// PauseNumber pauses the runs of this number.
	PauseNumber Reaction = "pause_number"
	// PauseTemplate pauses the runs of this template: paused, disabled, gone, or with other parameters.
	PauseTemplate Reaction = "pause_template"
	// PauseRun pauses this run: the same mistake would meet everyone in it.
	PauseRun Reaction = "pause_run"
	// WaitRun pauses this campaign for a while: nobody in it got through. No code asks for it, only many refusals in a row.
	WaitRun Reaction = "wait_run"
	// Suppress ends the delivery and stops marketing to the person.
	Suppress Reaction = "suppress"
	// Cooldown ends the delivery and leaves the person alone for at least 24 hours.
	Cooldown Reaction = "cooldown"
	// Undeliverable ends the delivery and counts towards unreachable.
	Undeliverable Reaction = "undeliverable"
)

// Pauses reports whether the reaction stops more than the one delivery.
func (r Reaction) Pauses() bool {
	switch r {
	case PauseToken, PauseAccount, PauseNumber, PauseTemplate, PauseRun, WaitRun:
		return true
	}
	return false
}

// Error is what Meta said against a message, classified once at the boundary.
type Error struct {
	Code     int
	Title    string
	Details  string
	TraceID  string
	Reaction Reaction
	// RetryAfter is the server's own wish; 0 when it said nothing.
	RetryAfter time.Duration
}

// Error returns code, title and details in one line.
func (e *Error) Error() string {
	if e.Details == "" {
		return fmt.Sprintf("%d %s", e.Code, e.Title)
	}
	return fmt.Sprintf("%d %s: %s", e.Code, e.Title, e.Details)
}

// Fate is what is known of a message after an attempt.
type Fate int

// The fates. The zero value is the careful one.
const (
	// Ambiguous: bytes left and no answer says what became of them.
	Ambiguous Fate = iota
	// NotSent: not one byte of the request was written.
	NotSent
	// Refused: Meta answered with an error.
	Refused
	// Taken: Meta answered with 200; WAMID may be "" when the body could not be read.
	Taken
	// TakenHeld is Taken, held for quality assessment.
	TakenHeld
)

// String returns the word used in metrics.
func (f Fate) String() string {
	switch f {
	case NotSent:
		return "not_sent"
	case Refused:
		return "refused"
	case Taken:
		return "taken"
	case TakenHeld:
		return "held"
	}
	return "ambiguous"
}

// Post is one message ready for the wire.
type Post struct {
	NumberID string
	Edge     string // "messages" or "marketing_messages"
	Body     []byte
	// BeginBy is the last instant at which the first byte may enter the socket; after it the answer is NotSent.
	BeginBy time.Time
}

// Result is what a Client learned of one Post.
type Result struct {
	Fate   Fate
	WAMID  string
	WaID   string // the recipient's number in Meta's form, when the answer told it
	UserID string
	Err    *Error // for Refused; for NotSent and Ambiguous Cause says why
	Cause  error
	// Late says, of NotSent, that BeginBy had passed: nothing is wrong with the network.
	Late bool
}

// Outcome is the end of an attempt, to be recorded.
type Outcome struct {
	RunID     string
	PersonID  policy.PersonID
	AttemptID AttemptID
	Result    Result
}

// Status is one entry of statuses[] in a webhook.
type Status struct {
	WAMID    string
	Callback string // biz_opaque_callback_data, "" when absent
	State    State  // Sent, Delivered, Read or Failed
	At       time.Time
	Identity policy.Identity
	Err      *Error // for Failed
	Pricing  *Pricing
}

// Pricing is what a status says of the message's price.
type Pricing struct {
	Billable *bool
	Category string
	Model    string
}

// Reply is an inbound message; it marks the delivery that it answers.
type Reply struct {
	Identity     policy.Identity
	MessageID    string
	ContextWAMID string // of our message that it answers, "" when none
	NumberID     string
	At           time.Time
	// Opens says that the message opens the 24-hour window of the person and the number: it is a message, and tells its time.
	Opens bool
	// Forward is the message itself, for the business; nil when nobody wants to read it.
	Forward *Forward
}

// Inbox is everything that one webhook body says. It is stored as one: all of it or nothing.
type Inbox struct {
	// BodyHash is the SHA-256 of the raw body.
	BodyHash [32]byte
	// Body is kept when it holds something that the other fields do not: unknown fields, odd shapes. Nil otherwise.
	Body      []byte
	Acts      []policy.Act
	Statuses  []Status
	Replies   []Reply
	Wishes    []Wish
	Nods      []Nod
	Templates []templates.Update
	Account   []AccountNews
	// Limit is the portfolio's messaging limit, or AnyNumber; nil when the body says nothing of it.
	Limit *int
	Codes []JoinCode
}

// JoinCode is a code that a person wrote: it may confirm what was asked for on an opt-in page.
type JoinCode struct {
	Code      string // of policy.NewJoinCode
	Identity  policy.Identity
	MessageID string
	At        time.Time
	// Categories are those that the business has; they are shared, and not changed.
	Categories map[string]policy.Category
}

// Callback is the text of biz_opaque_callback_data for an attempt of this instance: no personal data, 60 of Meta's 512 characters.
func Callback(instance string, id AttemptID) string {
	return fmt.Sprintf("1:%s:%x", instance, id[:])
}

// Recipient is where a message goes: a phone, or a user id when no phone is known.
type Recipient struct {
	Phone  phone.Number
	UserID string
}
