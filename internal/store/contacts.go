package store

import (
	"context"
	"fmt"
	"iter"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// Contact returns the contact of a number, in whatever form it is written; found is false when there is none. An erased
// contact is found, and says so.
func (s *Store) Contact(ctx context.Context, number phone.Number) (contact scheduler.Contact, found bool, err error) {
	people, err := s.Find(ctx, number)
	if err != nil || len(people) == 0 {
		return scheduler.Contact{}, false, err
	}
	return s.contactOf(ctx, people[0])
}

func (s *Store) contactOf(ctx context.Context, person policy.PersonID) (scheduler.Contact, bool, error) {
	var rows []contactRow
	if err := s.queries.contactsOf.read(ctx, s.read, &rows, s.batchOf([]policy.PersonID{person})); err != nil {
		return scheduler.Contact{}, false, fmt.Errorf("reading a contact: %w", err)
	}
	if len(rows) == 0 {
		return scheduler.Contact{}, false, nil
	}
	contact, err := rows[0].contact()
	contact.PageToken = s.pageToken
	return contact, err == nil, err
}

// Contacts lists every contact that is not erased, in the order in which they were first met. It reads page by page and ends
// at the first error.
func (s *Store) Contacts(ctx context.Context) iter.Seq2[scheduler.Contact, error] {
	return func(yield func(scheduler.Contact, error) bool) {
		var after policy.PersonID
		for {
			var rows []contactRow
			if err := s.read.SelectContext(ctx, &rows, "SELECT "+contactColumns+` FROM contacts c
				WHERE c.person_id > $1 AND c.erased_at IS NULL ORDER BY c.person_id LIMIT $2`, after[:], pageRows); err != nil {
				yield(scheduler.Contact{}, fmt.Errorf("reading contacts: %w", err))
				return
			}
			if len(rows) == 0 {
				return
			}
			for _, row := range rows {
				contact, err := row.contact()
				if !yield(contact, err) || err != nil {
					return
				}
			}
			after = policy.PersonID(rows[len(rows)-1].PersonID)
		}
	}
}

// Subject returns a number's person with every fact that a decision about them needs; found is false when the number was
// never met. A person who is no contact, known only by a consent, a stop or a message, is found with Known false.
func (s *Store) Subject(ctx context.Context, number phone.Number, want scheduler.Want) (subject scheduler.Subject, found bool, err error) {
	people, err := s.Find(ctx, number)
	if err != nil || len(people) == 0 {
		return scheduler.Subject{}, false, err
	}
	person := people[0]
	contact, known, err := s.contactOf(ctx, person)
	if err != nil {
		return scheduler.Subject{}, false, err
	}
	subject = scheduler.Subject{Contact: scheduler.Contact{PersonID: person, Phone: number}}
	if known {
		subject = scheduler.Subject{Contact: contact, Person: personOf(contact)}
	}
	one := []scheduler.Subject{subject}
	if err := s.rangeFacts(ctx, keyRange{after: justBefore(person), last: person}, want, one); err != nil {
		return scheduler.Subject{}, false, err
	}
	return one[0], true, nil
}

// justBefore is the greatest key below a person's: the range after it, up to the person, holds nobody else.
func justBefore(person policy.PersonID) policy.PersonID {
	for i := len(person) - 1; i >= 0; i-- {
		person[i]--
		if person[i] != 0xff {
			break
		}
	}
	return person
}
