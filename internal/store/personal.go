package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// PageLinks makes and reads the tokens of the people's own pages. They hang on the installation's key, which is in the database:
// every process that works with it makes and reads the same ones.
func (s *Store) PageLinks() *policy.PageLinks { return s.links }

// pageLinksOf are the links under the installation's key, and what ends the link of a person's next message.
func pageLinksOf(key []byte) (links *policy.PageLinks, token func(policy.PersonID) string) {
	links = policy.NewPageLinks(key)
	return links, func(person policy.PersonID) string { return links.Token(person, time.Now().Add(policy.PageLinkLife)) }
}

// Personal reads what is on record of a person; known is false for one whom nothing names any more.
func (s *Store) Personal(ctx context.Context, person policy.PersonID) (found report.Personal, known bool, err error) {
	people := []policy.PersonID{person}
	names, err := s.ownedNames(ctx, s.read, people)
	if err != nil || len(names) == 0 {
		return report.Personal{}, false, err
	}
	for _, name := range names {
		if name.Kind == kindPhone && (found.Number == "" || name.Value < string(found.Number)) {
			found.Number = phone.Number(name.Value)
		}
	}
	contact, isContact, err := s.contactOf(ctx, person)
	if err != nil {
		return report.Personal{}, false, err
	}
	if isContact {
		describeContact(&found, contact)
	}
	if found.Consents, err = s.consentsOf(ctx, s.read, people); err != nil {
		return report.Personal{}, false, err
	}
	found.Standing = foldLedger(found.Consents)
	stops, err := s.stopsOf(ctx, s.read, people)
	if err != nil {
		return report.Personal{}, false, err
	}
	for _, stop := range onePerStop(stops, func(stopRow) bool { return true }) {
		found.Stops = append(found.Stops, stop.report(string(found.Number), ""))
	}
	return found, true, nil
}

// describeContact notes what the contact's row says, by name and without its values.
func describeContact(found *report.Personal, c scheduler.Contact) {
	if c.Phone != "" {
		found.Number = c.Phone
	}
	found.Language, found.Erased = c.Language, c.Erased
	for _, field := range []struct {
		name  string
		there bool
	}{{"name", c.Name != ""}, {"language", c.Language != ""}, {"timezone", c.Zone != ""}, {"external_id", c.ExternalID != ""}, {"tags", len(c.Tags) > 0}} {
		if field.there {
			found.Held = append(found.Held, field.name)
		}
	}
	found.Attributes = slices.Sorted(maps.Keys(c.Attributes))
}

// foldLedger folds a ledger into what it says now of each category.
func foldLedger(ledger []report.Consent) map[string]policy.Consent {
	now := map[string]policy.Consent{}
	for _, c := range ledger {
		now[c.Category] = now[c.Category].After(policy.Consent{Action: c.Action, At: c.At.Time, Source: c.Source})
	}
	return now
}
