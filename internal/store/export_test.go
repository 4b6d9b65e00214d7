package store

import (
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// MembersQuery is the statement by which Range reads an audience's contacts after one person and up to another.
func MembersQuery(s *Store, reach scheduler.Reach, now time.Time, after, last policy.PersonID) (string, []any) {
	query, args, _ := s.dialect.membersQuery(reach, now, after, last)
	return query, args
}

// Silence is the statement by which Silent looks for messages without a status.
const Silence = silence
