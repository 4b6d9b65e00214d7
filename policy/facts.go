package policy

import "time"

// TimeOfDay is minutes since local midnight, 0 to 1440; 1440 is "24:00".
type TimeOfDay int

// Window is a daily span of local time in which messages may leave. From before To on the same day;
// From after To spans midnight.
type Window struct {
	From, To TimeOfDay
	// In is "recipient" (each person's own time) or "campaign" (the schedule's zone).
	In string
}

// QuietHours is a daily span of the recipient's local time in which messages of Kind wait; Kind "" is every kind.
type QuietHours struct {
	From, To TimeOfDay
	Kind     Kind
}

// Cap allows at most Max messages per person in any rolling span of Per. Kind, Category and Campaign narrow what it
// counts and holds; empty ones do not. With all three empty it holds marketing only: utility and authentication are exempt unless named.
// Max 0 means never.
type Cap struct {
	Max      int
	Per      time.Duration
	Kind     Kind
	Category string
	Campaign string
}

// CountryRule allows or denies recipients' countries (ISO 3166 alpha-2) for one kind. A non-empty Allow admits only those listed.
type CountryRule struct {
	Allow, Deny []string
}

// Rules is what the business set in `policy:` and `categories:`; it is the same for every recipient of a run.
type Rules struct {
	Categories map[string]Category
	Caps       []Cap
	QuietHours *QuietHours
	// LooseZones takes the main zone of an ambiguous prefix; otherwise every zone of it must be inside the window.
	LooseZones bool
	Countries  map[Kind]CountryRule
	// Holidays are the days on which marketing waits; nil when there are none.
	Holidays *Holidays `json:",omitempty"`
	// UniversalHoldout is the share of all people who get no marketing at all; 0 is nobody.
	UniversalHoldout Share `json:",omitempty"`
	// Rates are Meta's prices; nil when the business gave none.
	Rates *Rates `json:",omitempty"`
	// Lots draws who is held out; without it, where anybody is held out, everything is refused. It holds a secret and
	// is never stored with the rules.
	Lots *Lots `json:"-"`
	// Locations remembers the zones that the rules read; nil loads each zone each time, which is slow and equally right.
	Locations *Locations `json:"-"`
}

// Send is one earlier message to the person that counts in the caps: accepted, in flight or unknown.
type Send struct {
	At       time.Time
	Kind     Kind
	Category string
	Campaign string
}

// Person is what is known of the recipient.
type Person struct {
	ID            PersonID // a person is held out by it; the zero one was not read
	Known         bool     // a contact is on record
	Erased        bool
	InvalidNumber bool // neither a phone nor a user id to send to
	Country       string
	// Zone is the contact's own IANA zone; Zones those of the number's prefix; MainZone the main one of them.
	Zone     string
	Zones    []string
	MainZone string

	// SuppressionsRead and ConsentsRead say that the store was asked and answered; without them everything is refused.
	SuppressionsRead bool
	Suppressions     []Suppression
	ConsentsRead     bool
	Consents         map[string]Consent // by category id
	SendsRead        bool
	Sends            []Send // all that any cap can still see

	OptOutReview  bool      // an inbound text looked like an opt-out and waits for a human
	Unreachable   bool      // undeliverable in several campaigns
	CooldownUntil time.Time // Meta declined (131049): not before this
}

// Ask is what a run wants to send to everyone in it.
type Ask struct {
	Campaign string
	Category string
	FireAt   time.Time
	// Zone is the campaign's IANA zone: of its window when In is "campaign", and of people whose own is unknown.
	Zone          string
	Window        *Window
	NotAfter      time.Time // zero when the offer has no end
	MaxRecipients *int      // nil when the run has no limit
	Budget        *Money    // nil when the run may cost anything
	Holdout       Share     // of the people, who do not get this campaign; 0 is nobody
	Test          bool      // a test run: suppression holds; consent, caps and windows do not
	// Waves are the parts of its people to which the run goes first, each with those before it; nil when it goes to all at once.
	Waves []Share
	// WavesAt is when each wave begins, and after them the rest; a time that is zero, or past, is one that has begun.
	WavesAt []time.Time
	Stopped string // why the guard holds the campaign back; "" when it does not
}

// Message is what is known of the message for this one recipient.
type Message struct {
	InAudience       bool
	TemplateFound    bool   // a template of that name exists in one of the recipient's languages
	TemplateStatus   string // Meta's word; only APPROVED is sent
	TemplateKind     Kind   // Meta's current category, which decides over the campaign author's
	MissingParameter string // the field that has no value and no default
	Ahead            int    // recipients of this run admitted before this one
	// Spent is the list price of the run's messages before this one; SpentRead says that somebody reckoned it, and without that
	// a run with a budget refuses everybody.
	Spent     Micros
	SpentRead bool
	// Full says that the messaging limit has no place for this person now, PlaceAt when it is to have one; zero is never.
	Full    bool
	PlaceAt time.Time
}

// Facts is everything that Decide may look at, read at Now.
type Facts struct {
	Now     time.Time
	Ask     Ask
	Person  Person
	Message Message
}
