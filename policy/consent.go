package policy

import (
	"slices"
	"time"
)

// Action is what a consent event did.
type Action string

// The actions of a consent event.
const (
	Granted Action = "granted"
	Revoked Action = "revoked"
)

// Sources are the ways a consent may have been given (CONTRACT §3).
var sources = []string{"web_form", "landing_page", "in_app", "email", "sms", "paper", "phone_call", "in_store", "whatsapp", "import"}

// Sources lists the known ways of giving consent.
func Sources() []string { return slices.Clone(sources) }

// ConsentEvent is one entry of the ledger: append-only, never changed.
type ConsentEvent struct {
	Category string
	Action   Action
	At       time.Time // when the person acted
	Source   string
	Wording  string
	Evidence string
}

// Consent is what the ledger says now of one person and one category. The zero value is no consent.
type Consent struct {
	Action Action // "" when there is no event
	At     time.Time
	Source string
}

// After returns the consent that stands when event e is added to those already folded into c.
// The later event wins; of two at the same time the refusal wins, and of two alike the first source by name,
// so that the order of folding does not matter.
func (c Consent) After(e ConsentEvent) Consent {
	next := Consent{Action: e.Action, At: e.At, Source: e.Source}
	switch {
	case c.Action == "" || e.At.After(c.At):
		return next
	case e.At.Before(c.At):
		return c
	case c.Action != e.Action:
		if e.Action == Granted {
			return c
		}
		return next
	case e.Source < c.Source:
		return next
	}
	return c
}
