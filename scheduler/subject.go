package scheduler

import (
	"time"

	"github.com/permesso/permesso/policy"
)

// Subject is one contact with the facts that a decision about them needs.
type Subject struct {
	Contact Contact
	Person  policy.Person
}

// Want says which facts to read beside the contacts.
type Want struct {
	Categories []string  // consents of these
	SendsSince time.Time // earlier sends are older than every cap
	Activity   bool      // sent_days, delivered_days, replied_days
	// Planning are the runs being planned: their own messages are not earlier ones.
	Planning []string
}
