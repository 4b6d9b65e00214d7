package report

import (
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
)

// Personal is what is on record of one person, as their own page shows it to them.
type Personal struct {
	Number   phone.Number // "" when only a user id is known
	Language string       // BCP 47, as imported; "" when it is not known
	Erased   bool
	// Held names what else the business keeps of the person: name, language, timezone, external_id, tags, and their attributes.
	Held       []string
	Attributes []string
	// Standing is what the ledger says now of each category.
	Standing map[string]policy.Consent
	Stops    []Suppression
	Consents []Consent
}

// Choice is what a person does on a page of their own about what they are sent.
type Choice struct {
	Person policy.PersonID
	On     bool
	// Category is what it is about; "" turns everything off.
	Category string
	// Event proves it: wording, business, language, source, and from where the person came. Category, action and time are the store's to say.
	Event policy.ConsentEvent
}

// JoinRequest is what somebody asked for on an opt-in page. It is nobody's consent before a message from that number says so.
type JoinRequest struct {
	Number   phone.Number
	Code     string // of policy.NewJoinCode
	Category string
	// Event proves it; action and time are the store's to say.
	Event policy.ConsentEvent
}
