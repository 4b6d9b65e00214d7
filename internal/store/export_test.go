package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/permesso/permesso/internal/phone"
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

// ExplainGateSends asks how the gate would read what people were sent since a time, on the connection that it reads by.
func ExplainGateSends(ctx context.Context, s *Store, people []policy.PersonID, since time.Time) (plan []string, err error) {
	explain := "EXPLAIN "
	if s.dialect.name == sqliteDialect.name {
		explain = "EXPLAIN QUERY PLAN "
	}
	rows, err := s.write.QueryxContext(ctx, explain+s.queries.gateSends.text, s.queries.gateSends.args(s.batchOf(people), at(since))...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // the error that counts is rows.Err
	for rows.Next() {
		line, err := rows.SliceScan()
		if err != nil {
			return nil, err
		}
		plan = append(plan, fmt.Sprintf("%s", line[len(line)-1]))
	}
	return plan, rows.Err()
}

// Silence is the statement by which Silent looks for messages without a status.
const Silence = silence

// HashOf is the key of a phone number's stops, also of one that nobody has.
func HashOf(s *Store, number phone.Number) [16]byte { return key16(s.phoneIdentifier(number).hash) }

// InTx runs a transaction as all of the store's are.
func InTx(ctx context.Context, s *Store, f func(*sqlx.Tx) error) error { return s.inTx(ctx, f) }
