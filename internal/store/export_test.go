package store

import (
	"context"
	"fmt"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// MembersQuery is the statement by which Range reads an audience's contacts after one person and up to another.
func MembersQuery(s *Store, reach scheduler.Reach, now time.Time, after, last policy.PersonID) (string, []any) {
	query, args, _ := s.dialect.membersQuery(reach, now, after, last)
	return query, args
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
