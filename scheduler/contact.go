package scheduler

import (
	"strings"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/templates"
)

// Contact is one person of the business's list, as imported and as their number tells.
type Contact struct {
	PersonID   policy.PersonID
	Phone      phone.Number // as given, E.164; "" when only a user id is known
	UserID     string
	Name       string
	Language   string // BCP 47
	Zone       string // IANA, the contact's own; "" when unknown
	ExternalID string
	Tags       []string
	Attributes map[string]string // as imported; read by their declared type when compared
	Country    string            // of the number, ISO 3166 alpha-2
	Zones      []string          // of the number's prefix
	MainZone   string
	Erased     bool
	Unreadable error // what on record of the contact cannot be used: no message can be made of it

	// The last times that the person consented (to the campaign's category), was sent to, was delivered to, and replied; zero when never.
	ConsentAt, SentAt, DeliveredAt, RepliedAt time.Time

	// PageToken makes what ends the link to the contact's own page; nil where no link is made.
	PageToken func(policy.PersonID) string
}

// Field returns one of the contact's values for a template variable; ok is false when there is none.
func (c Contact) Field(name string) (string, bool) {
	value := ""
	switch name {
	case "name":
		value = c.Name
	case "language":
		value = c.Language
	case "country":
		value = c.Country
	case "timezone":
		value = c.Zone
	case "external_id":
		value = c.ExternalID
	case templates.PageField:
		if c.PageToken != nil && !c.Erased {
			value = c.PageToken(c.PersonID)
		}
	default:
		if key, found := strings.CutPrefix(name, "attributes."); found {
			value = c.Attributes[key]
		}
	}
	value = strings.TrimSpace(value)
	return value, value != ""
}
