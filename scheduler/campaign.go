package scheduler

import (
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/templates"
)

// Campaign is one entry under `campaigns:`, checked. A run freezes it as JSON.
type Campaign struct {
	ID       string            `json:"id"`
	Category string            `json:"category"`
	Message  templates.Message `json:"message"`
	Number   string            `json:"number"` // phone number id
	Endpoint Endpoint          `json:"endpoint,omitempty"`
	Schedule *Schedule         `json:"schedule,omitempty"` // nil: only by hand
	// Zone is the IANA zone of the schedule, else the business's.
	Zone          string         `json:"zone"`
	Window        *policy.Window `json:"window,omitempty"`
	Audience      string         `json:"audience,omitempty"` // AIP-160 filter; "" is everyone
	Priority      int            `json:"priority,omitempty"`
	MaxRecipients *int           `json:"max_recipients,omitempty"`
	Budget        *policy.Money  `json:"budget,omitempty"` // in the currency of the rates
	Holdout       policy.Share   `json:"holdout,omitempty"`
	NotAfter      time.Time      `json:"not_after,omitzero"`
	// Waves are the parts of its people to which it goes first, each with those before it: 1%, 5%, 20%.
	Waves []policy.Share `json:"waves,omitempty"`
	Guard *policy.Guard  `json:"guard,omitempty"`
}

// Endpoint is the Graph edge that a campaign's messages are posted to.
type Endpoint string

// The endpoints: auto is messages until the account is known to have the Marketing Messages API.
const (
	EndpointAuto      Endpoint = "auto"
	EndpointMessages  Endpoint = "messages"
	EndpointMarketing Endpoint = "marketing_messages"
)

// CatchUp says what becomes of a slot that passed while nothing was running.
type CatchUp string

// The catch-up rules.
const (
	CatchUpSkip CatchUp = "skip" // recorded as missed
	CatchUpOnce CatchUp = "once" // the latest one, within CatchUpWithin
	CatchUpAll  CatchUp = "all"  // each of them, within CatchUpWithin
)

// Overlap says what becomes of a slot while the campaign's previous run is not over.
type Overlap string

// The overlap rules.
const (
	OverlapSkip  Overlap = "skip"
	OverlapQueue Overlap = "queue"
)

// Schedule is when a campaign fires: a cron expression in a zone, or once At.
type Schedule struct {
	Cron          string        `json:"cron,omitempty"`
	At            time.Time     `json:"at,omitzero"`
	Zone          string        `json:"zone"`
	CatchUp       CatchUp       `json:"catch_up"`
	CatchUpWithin time.Duration `json:"catch_up_within"`
	Overlap       Overlap       `json:"overlap"`
	StartsAt      time.Time     `json:"starts_at,omitzero"`
	EndsAt        time.Time     `json:"ends_at,omitzero"`
}

// AttributeType is the declared type of a contact's attribute; undeclared ones are text.
type AttributeType string

// The attribute types.
const (
	AttributeText   AttributeType = "text"
	AttributeNumber AttributeType = "number"
	AttributeDate   AttributeType = "date"
)
