package store

import (
	"time"

	"github.com/lib/pq"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// MembersQuery is the statement by which Range reads an audience's contacts after one person and up to another.
func MembersQuery(s *Store, reach scheduler.Reach, now time.Time, after, last policy.PersonID) (string, []any) {
	query, args, _ := s.dialect.membersQuery(reach, now, after, last)
	return query, args
}

// Dialer connects to PostgreSQL as a store does, and waits that long for an answer; 0 is any time.
func Dialer(answer time.Duration) pq.Dialer {
	d := newPGDialer(time.Minute)
	d.answer = answer
	return d
}
