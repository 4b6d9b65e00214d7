package policy

import (
	"cmp"
	"slices"
	"time"
)

// Action is what a consent event did.
type Action string

// The actions of a consent event. Granted, by a file or by the person's own act, and Confirmed are consent. Pending is none: it
// was asked for by a form and waits for the person's word (double opt-in). Erased says that from then on the personal parts of
// the person's earlier events are gone; it is of no category and says nothing about consent.
const (
	Granted      Action = "granted"
	Pending      Action = "pending"
	Confirmed    Action = "confirmed"
	Revoked      Action = "revoked"
	Expired      Action = "expired"
	ErasedPerson Action = "erased"
)

// Sources are the ways a consent may have been given (CONTRACT §3).
var sources = []string{"web_form", "landing_page", "in_app", "email", "sms", "paper", "phone_call", "in_store", "whatsapp", "import"}

// Sources lists the known ways of giving consent.
func Sources() []string { return slices.Clone(sources) }

// ConsentEvent is one entry of the ledger: append-only, never changed. What it holds is what must be shown when somebody asks for
// the proof of a consent (Meta, "Get opt-in for WhatsApp", 2025-11-03; GDPR art. 7(1)).
//
// Evidence, IP and Agent are personal: an erasure takes them away, and the ledger can still be verified (Store.EraseConsents). In
// the other fields nothing may stand that would have to be erased.
type ConsentEvent struct {
	Category string
	Action   Action
	At       time.Time // when the person acted; when it was recorded is the store's to say
	Source   string    // one of Sources; "" where none applies
	Wording  string    // exactly what they were shown or told
	Business string    // the name of the business that they consented to hear from
	Language string    // of the wording, BCP 47; "" when it is not known
	Actor    string    // who recorded it: an operator, "import", a key's name, "person"; "" is the store's caller's default
	Evidence string    // where the proof is: a form's number, a file, Meta's message id
	IP       string    // from which address the person acted, on the web
	Agent    string    // with which program
}

// Personal reports whether the event has anything that an erasure takes away.
func (e *ConsentEvent) Personal() bool { return e.Evidence != "" || e.IP != "" || e.Agent != "" }

// PersonConsent is an event of one person.
type PersonConsent struct {
	Person PersonID
	Event  ConsentEvent
}

// Consent is what the ledger says now of one person and one category. The zero value is no consent.
type Consent struct {
	Action Action // "" when there is no event
	At     time.Time
	Source string
	Event  EventID // the event that says so
}

// Given reports whether it is consent, as long as it has not expired by its age.
func (c Consent) Given() bool { return c.Action == Granted || c.Action == Confirmed }

// After returns the consent that stands when what an event says is added to those already folded into c.
// The later event wins; of two at the same time the refusal wins, and of two alike the first source by name,
// so that the order of folding does not matter. One that is pending stands only where there is nothing else: it neither
// gives consent nor takes one away.
func (c Consent) After(e Consent) Consent {
	if e.Action == ErasedPerson || e.Action == "" {
		return c
	}
	order := cmp.Or(
		cmp.Compare(weight(c.Action), weight(e.Action)),
		c.At.Compare(e.At),
		cmp.Compare(strictness(c.Action), strictness(e.Action)),
		cmp.Compare(e.Source, c.Source), // the first by name stands
		cmp.Compare(e.Event, c.Event),
	)
	if order < 0 {
		return e
	}
	return c
}

// weight ranks what an event says before its time: nothing, pending, and all the rest.
func weight(a Action) int {
	switch a {
	case "":
		return 0
	case Pending:
		return 1
	}
	return 2
}

// strictness ranks actions of one moment: the refusal wins.
func strictness(a Action) int {
	switch a {
	case Revoked:
		return 3
	case Expired:
		return 2
	case Confirmed:
		return 1
	}
	return 0
}
