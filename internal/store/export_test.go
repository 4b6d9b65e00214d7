package store

import (
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// MembersQuery is the statement by which Range reads an audience's contacts after one person and up to another.
func MembersQuery(s *Store, reach scheduler.Reach, now time.Time, after, last policy.PersonID) (string, []any) {
	query, args, _ := s.dialect.membersQuery(reach, now, after, last)
	return query, args
}

// HashOf is the key of a phone number's stops, also of one that nobody has.
func HashOf(s *Store, number phone.Number) [16]byte { return key16(s.phoneIdentifier(number).hash) }
