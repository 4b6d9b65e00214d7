package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
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
	// arrays says that a batch is one array for each of its columns; else it is one JSON text.
	arrays bool
	// lookup is the replacement for {each TABLE ALIAS: CONDITION}.
	lookup string
	// lock takes the lock rows of a batch of persons, in key order, and returns them.
	lock string
	// clock reads the database's clock in microseconds; "" when it is this machine's.
	clock string
	// place tells in which cluster, timeline and database the data is; "" where nothing tells.
	place string
	// analyze makes a table's statistics anew; "" when its planner needs none.
	analyze string
	// audience is what differs in the conditions of an audience.
	audience audienceDialect
	// load fills tables from files.
	load loader
	// share ends a query that keeps the rows it reads from being changed until its transaction ends; "" where there is one writer.
	share string
	// skip ends a query for one row that is then held to the transaction's end: those that others hold are passed over. "" where there is one writer.
	skip string
	// retryable reports an error after which the whole transaction may be tried again.
	retryable func(error) bool
}

type columnKind int

const (
	isBytes columnKind = iota
	isText
	isInteger
)

// postgres is the kind's type.
func (k columnKind) postgres() string { return [...]string{"BYTEA", "TEXT", "BIGINT"}[k] }

// oid is the number of that type, as in PostgreSQL's pg_type.dat.
func (k columnKind) oid() uint32 { return [...]uint32{17, 25, 20}[k] }

// personFacts are the columns of persons that the gate reads while it locks.
const personFacts = "person_id, review_at, cooldown_until, strikes"

var postgresDialect = dialect{
	name:   "postgres",
	arrays: true,
	// OFFSET 0 keeps the planner from turning it round: however few rows it expects, each key is looked up in the index.
	lookup: "CROSS JOIN LATERAL (SELECT * FROM $1 $2 WHERE $3 OFFSET 0) AS $2",
	// An upsert fed in key order locks in key order, on every engine that speaks this protocol; FOR UPDATE over many rows does not.
	lock: `INSERT INTO persons (person_id, touched) SELECT x.person_id, $2 FROM {batch} ORDER BY x.person_id
		ON CONFLICT (person_id) DO UPDATE SET touched = excluded.touched RETURNING ` + personFacts,
	clock: "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
	place: `SELECT c.system_identifier::text || '/' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) || '/' || d.oid::text
		FROM pg_control_system() c, pg_database d WHERE d.datname = current_database()`,
	analyze:   "ANALYZE ",
	audience:  postgresAudience,
	load:      loader{fresh: copyNew, absent: insertBatches},
	share:     " FOR SHARE",
	skip:      " FOR UPDATE SKIP LOCKED",
	retryable: postgresRetryable,
}

var sqliteDialect = dialect{
	name:   "sqlite",
	lookup: "JOIN $1 $2 ON $3",
	// The one writer is the lock.
	lock:      `SELECT ` + personFacts + ` FROM persons WHERE person_id IN (SELECT x.person_id FROM {batch}) AND $2 = $2`,
	audience:  sqliteAudience,
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

// batch returns the table x of a batch whose first parameter is $n.
func (d dialect) batch(n int, columns ...column) string {
	if d.arrays {
		return arraysTable(n, columns)
	}
	return jsonTable(n, columns)
}

func arraysTable(n int, columns []column) string {
	arrays, names := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		arrays[i], names[i] = fmt.Sprintf("CAST($%d AS %s[])", n+i, c.kind.postgres()), c.name
	}
	return fmt.Sprintf("unnest(%s) AS x(%s)", strings.Join(arrays, ", "), strings.Join(names, ", "))
}

func jsonTable(n int, columns []column) string {
	fields := make([]string, len(columns))
	for i, c := range columns {
		field := fmt.Sprintf("e.value->>%d", i)
		if c.kind == isBytes {
			field = "unhex(" + field + ")"
		}
		fields[i] = field + " AS " + c.name
	}
	return fmt.Sprintf("(SELECT %s FROM jsonb_each($%d) AS e) AS x", strings.Join(fields, ", "), n)
}

var placeholder = regexp.MustCompile(`\$\d+`)

// statement completes a query text: {batch} becomes the table x, {each …} a look-up. The text counts the batch as $1 and
// goes on with $2, however many parameters the batch really has. IN <(…)> is IN for the keys of a batch: PostgreSQL reads
// them first and then looks each up; of a table that grew since its last ANALYZE it may else walk all rows for each key.
func (d dialect) statement(text string, columns ...column) statement {
	s := statement{kinds: make([]columnKind, len(columns))}
	for i, c := range columns {
		s.kinds[i] = c.kind
	}
	if more := len(columns) - 1; d.arrays && more > 0 {
		text = placeholder.ReplaceAllStringFunc(text, func(p string) string {
			n, _ := strconv.Atoi(p[1:]) // the pattern has digits alone
			return "$" + strconv.Itoa(n+more)
		})
	}
	if d.arrays {
		text = strings.NewReplacer("IN <(", "= ANY (ARRAY(", ")>", "))").Replace(text)
	} else {
		text = strings.NewReplacer("IN <(", "IN (", ")>", ")").Replace(text)
	}
	s.text = lookups.ReplaceAllString(strings.ReplaceAll(text, "{batch}", d.batch(1, columns...)), d.lookup)
	return s
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
