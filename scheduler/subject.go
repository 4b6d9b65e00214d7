package scheduler

import (
	"time"

	"github.com/permesso/permesso/policy"
)

// Subject is one contact with the facts that a decision about them needs.
type Subject struct {
	Contact Contact
	Person  policy.Person
	// In says of each of Want.Audiences whether it has the contact. Only People.Range tells.
	In []bool
}

// Want says which facts to read beside the contacts.
type Want struct {
	Categories []string  // consents of these
	SendsSince time.Time // earlier sends are older than every cap
	Activity   bool      // sent_days, delivered_days, replied_days
	// Planning are the runs being planned: their own messages are not earlier ones.
	Planning []string
	// Audiences are those of the runs being planned: People.Range leaves out contacts whom none of them has.
	Audiences []Reach
	Now       time.Time // as of which Audiences count days
}

// Reach is the audience of a campaign, with the category whose consent consent_days asks about.
type Reach struct {
	Audience Audience
	Category string
}

// Has reports whether the audience has somebody as of now, all of whose facts were read. It says what every rule of a filter
// means; a database that answers in its place says the same.
func (r Reach) Has(s Subject, now time.Time) bool {
	s.Contact.ConsentAt = time.Time{}
	if consent := s.Person.Consents[r.Category]; consent.Given() {
		s.Contact.ConsentAt = consent.At
	}
	return r.Audience.Matches(s.Contact, now)
}

// Stretch is what was found among the next contacts in key order.
type Stretch struct {
	Subjects []Subject       // those whom an audience has
	Last     policy.PersonID // the last contact looked at, whether an audience has them or not
	Done     bool            // no contact is left after them; Last then says nothing
}
