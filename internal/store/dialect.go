package store

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"database/sql/driver"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// dialect is all that differs between the two databases; every query is one text with $1 placeholders.
type dialect struct {
	name string
	// elements is the table of a JSON array of arrays in parameter $n, as rows e.
	elements func(n int) string
	// column reads field i of an element as a bytes, text or integer column.
	column func(i int, kind columnKind) string
	// lookup is the replacement for {each TABLE ALIAS: CONDITION}.
	lookup string
	// lock takes the lock rows of a batch of persons, in key order, and returns them.
	lock string
	// clock reads the database's clock in microseconds; "" when it is this machine's.
	clock string
	// analyze makes a table's statistics anew; "" when its planner needs none.
	analyze string
	// load fills tables from files.
	load loader
	// share ends a query that keeps the rows it reads from being changed until its transaction ends; "" where there is one writer.
	share string
	// retryable reports an error after which the whole transaction may be tried again.
	retryable func(error) bool
}

type columnKind int

const (
	isBytes columnKind = iota
	isText
	isInteger
)

// personFacts are the columns of persons that the gate reads while it locks.
const personFacts = "person_id, review_at, cooldown_until, strikes"

var postgresDialect = dialect{
	name:     "postgres",
	elements: func(n int) string { return "jsonb_array_elements(CAST($" + strconv.Itoa(n) + " AS jsonb)) AS e(value)" },
	column: func(i int, kind columnKind) string {
		field := "e.value->>" + strconv.Itoa(i)
		switch kind {
		case isBytes:
			return "decode(" + field + ", 'hex')"
		case isInteger:
			return "CAST(" + field + " AS BIGINT)"
		}
		return field
	},
	// OFFSET 0 keeps the planner from turning it round: however few rows it expects, each key is looked up in the index.
	lookup: "CROSS JOIN LATERAL (SELECT * FROM $1 $2 WHERE $3 OFFSET 0) AS $2",
	// An upsert fed in key order locks in key order, on every engine that speaks this protocol; FOR UPDATE over many rows does not.
	lock: `INSERT INTO persons (person_id, touched) SELECT x.person_id, $2 FROM {batch} ORDER BY x.person_id
		ON CONFLICT (person_id) DO UPDATE SET touched = excluded.touched RETURNING ` + personFacts,
	clock:     "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
	analyze:   "ANALYZE ",
	load:      loader{fresh: copyNew, absent: insertBatches},
	share:     " FOR SHARE",
	retryable: postgresRetryable,
}

var sqliteDialect = dialect{
	name:     "sqlite",
	elements: func(n int) string { return "jsonb_each($" + strconv.Itoa(n) + ") AS e" },
	column: func(i int, kind columnKind) string {
		field := "e.value->>" + strconv.Itoa(i)
		if kind == isBytes {
			return "unhex(" + field + ")"
		}
		return field
	},
	lookup: "JOIN $1 $2 ON $3",
	// The one writer is the lock.
	lock:      `SELECT ` + personFacts + ` FROM persons WHERE person_id IN (SELECT x.person_id FROM {batch}) AND $2 = $2`,
	load:      loader{begin: sqliteLoadBegin, end: sqliteLoadEnd, fresh: insertNew, absent: insertAbsent},
	retryable: sqliteRetryable,
}

func postgresRetryable(err error) bool {
	if failure, ok := errors.AsType[*pq.Error](err); ok {
		switch {
		case failure.Code == "40001", failure.Code == "40P01", failure.Code.Class() == "08", failure.Code.Class() == "57":
			return true
		}
		return false
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, driver.ErrBadConn)
}

func sqliteRetryable(err error) bool {
	failure, ok := errors.AsType[*sqlite.Error](err)
	return ok && failure.Code()&0xff == sqlitelib.SQLITE_BUSY
}

// batch returns the derived table x of a JSON batch in parameter $n.
func (d dialect) batch(n int, columns ...column) string {
	var b strings.Builder
	b.WriteString("(SELECT ")
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(d.column(i, c.kind))
		b.WriteString(" AS ")
		b.WriteString(c.name)
	}
	b.WriteString(" FROM ")
	b.WriteString(d.elements(n))
	b.WriteString(") AS x")
	return b.String()
}

// column is one field of a batch.
type column struct {
	name string
	kind columnKind
}

func bytesOf(name string) column   { return column{name, isBytes} }
func textOf(name string) column    { return column{name, isText} }
func integerOf(name string) column { return column{name, isInteger} }

// now reads the database's clock: once per transaction, so that every row of it has one time.
func (d dialect) now(ctx context.Context, q sqlx.QueryerContext) (instant, error) {
	if d.clock == "" {
		return at(time.Now()), nil
	}
	var micros int64
	err := sqlx.GetContext(ctx, q, &micros, d.clock)
	return instant(micros), err
}
