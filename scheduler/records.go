package scheduler

import (
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
)

// ContactRecord is one checked row of a contacts file. A nil field leaves what is there.
type ContactRecord struct {
	Line       int
	Phone      phone.Number
	Name       *string
	Language   *string // BCP 47
	Zone       *string // IANA
	ExternalID *string
	Tags       []string          // added to those on record
	Attributes map[string]string // set over those on record
	Number     NumberFacts
}

// NumberFacts is what a phone number tells of its owner's place, computed once at import.
type NumberFacts struct {
	Country  string // ISO 3166 alpha-2, "" when unknown
	Zones    []string
	MainZone string
}

// ConsentRecord is one checked row of a consents file.
type ConsentRecord struct {
	Line  int
	Phone phone.Number
	Event policy.ConsentEvent
	// Number places a person who is not a contact yet.
	Number NumberFacts
}

// SuppressionRecord is one checked row of a suppressions file.
type SuppressionRecord struct {
	Line   int
	Phone  phone.Number
	Scope  policy.Scope
	Reason string // the file's own words
	At     time.Time
	Source string
}

// ImportCounts says what a batch of records did.
type ImportCounts struct {
	Added, Changed, Unchanged int
}

// Plus adds two counts.
func (c ImportCounts) Plus(d ImportCounts) ImportCounts {
	return ImportCounts{Added: c.Added + d.Added, Changed: c.Changed + d.Changed, Unchanged: c.Unchanged + d.Unchanged}
}
