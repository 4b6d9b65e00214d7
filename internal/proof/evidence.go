package proof

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/lib/pq"
	_ "modernc.org/sqlite" // the driver
)

// Post is one line of the sandbox's ledger: a POST of a message, as Meta's side saw it. Times are µs since 1970.
type Post struct {
	Begin    int64  `json:"begin"` // when its first byte was read
	Decided  int64  `json:"decided"`
	Number   string `json:"number"`
	To       string `json:"to"`
	Callback string `json:"callback"`
	HTTP     int    `json:"http"` // what the caller was told, 0 for nothing
	Code     int    `json:"code"` // of the Graph error; 0 when there was none
	WAMID    string `json:"wamid"`
}

// mayHaveLeft reports whether the caller cannot rule out that a message exists: it was taken, or nothing said that it was not.
func (p Post) mayHaveLeft() bool { return p.Code == 0 }

// attempt is the id of the attempt in the callback, hex.
func (p Post) attempt() string { return p.Callback[strings.LastIndexByte(p.Callback, ':')+1:] }

// Evidence is all that an audit goes by.
type Evidence struct {
	Posts []Post
	Acks  []Ack

	// At is when the database was read, µs since 1970: of what was posted later it cannot know. 0 is after everything.
	At int64

	Runs         []Run
	Rows         []Row
	Consents     []Consent
	Suppressions []Suppression
	Names        []Name
	Strikes      map[string]int // person to how often they were undeliverable
}

// Run is a row of runs. Times here and below are µs since 1970, 0 when not reached.
type Run struct{ ID, Campaign, State, Number, Category, Kind string }

// Row is a row of deliveries. Person and Attempt are hex.
type Row struct {
	Run, Person, State, Reason, Attempt, WAMID, ErrorTitle      string
	Attempts, ErrorCode                                         int
	Sending, Accepted, Sent, Delivered, Read, Failed, ChangedAt int64
}

// Consent is a row of consents.
type Consent struct {
	Person, Category, Action string
	At, Recorded             int64
}

// Suppression is a row of suppressions; Value is the identifier that it is of.
type Suppression struct {
	Value, Scope string
	At, Lifted   int64
}

// Name is a row of identifiers: one name of a person.
type Name struct{ Person, Kind, Value string }

// Read gathers the evidence from the sandbox's ledger, the player's book, and the database, "sqlite:PATH" or a postgres:// URL.
func Read(ctx context.Context, ledger, acks, database string) (Evidence, error) {
	var e Evidence
	var err error
	// What was acknowledged must be in the database, and what is in the database must have been posted: this is the order in which
	// a run that goes on can be read.
	if e.Acks, err = lines[Ack](acks); err != nil {
		return e, fmt.Errorf("reading the acknowledgements: %w", err)
	}
	db, err := openDatabase(database)
	if err != nil {
		return e, err
	}
	e.At = time.Now().UnixMicro()
	if err := errors.Join(e.readDatabase(ctx, db), db.Close()); err != nil {
		return e, err
	}
	if e.Posts, err = lines[Post](ledger); err != nil {
		return e, fmt.Errorf("reading the ledger: %w", err)
	}
	return e, nil
}

// openDatabase opens a database for reading.
func openDatabase(target string) (*sql.DB, error) {
	driver, source := "postgres", target
	if path, ok := strings.CutPrefix(target, "sqlite:"); ok {
		driver, source = "sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(10000)&_pragma=query_only(1)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, fmt.Errorf("opening the database for the audit: %w", err)
	}
	return db, nil
}

// lines reads a file of JSON lines. The last may be torn by a crash of its writer: then it was never on record.
func lines[T any](path string) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	var all []T
	for in := bufio.NewReader(f); ; {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		var one T
		if err := json.Unmarshal(text, &one); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(all)+1, err)
		}
		all = append(all, one)
	}
}

// bin is a key of bytes as hex, "" for NULL.
type bin string

// Scan implements sql.Scanner.
func (b *bin) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*b = ""
	case []byte:
		*b = bin(hex.EncodeToString(v))
	default:
		return fmt.Errorf("a key is a %T", value)
	}
	return nil
}

func (e *Evidence) readDatabase(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: snapshotOf(db)})
	if err != nil {
		return fmt.Errorf("reading the database: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	for _, read := range []func(context.Context, *sql.Tx) error{e.readRuns, e.readRows, e.readConsents, e.readSuppressions, e.readNames, e.readStrikes} {
		if err := read(ctx, tx); err != nil {
			return fmt.Errorf("reading the database: %w", err)
		}
	}
	return nil
}

// snapshotOf is the isolation in which all tables are read as of one moment: SQLite's only one, PostgreSQL's repeatable read.
func snapshotOf(db *sql.DB) sql.IsolationLevel {
	if _, postgres := db.Driver().(*pq.Driver); postgres {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault
}

// each calls one for every row of an answer.
func each(ctx context.Context, tx *sql.Tx, query string, one func(scan func(...any) error) error) error {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // the error that counts is rows.Err
	for rows.Next() {
		if err := one(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (e *Evidence) readRuns(ctx context.Context, tx *sql.Tx) error {
	return each(ctx, tx, "SELECT run_id, campaign_id, state, number_id, category, kind FROM runs WHERE test = 0 ORDER BY run_id", func(scan func(...any) error) error {
		var r Run
		err := scan(&r.ID, &r.Campaign, &r.State, &r.Number, &r.Category, &r.Kind)
		e.Runs = append(e.Runs, r)
		return err
	})
}

func (e *Evidence) readRows(ctx context.Context, tx *sql.Tx) error {
	return each(ctx, tx, `SELECT run_id, person_id, state, COALESCE(reason, ''), attempt_id, COALESCE(wamid, ''), attempts, COALESCE(error_code, 0), COALESCE(error_title, ''),
		COALESCE(sending_at, 0), COALESCE(accepted_at, 0), COALESCE(sent_at, 0), COALESCE(delivered_at, 0), COALESCE(read_at, 0),
		COALESCE(failed_at, 0), COALESCE(changed_at, 0) FROM deliveries`, func(scan func(...any) error) error {
		var r Row
		var person, attempt bin
		err := scan(&r.Run, &person, &r.State, &r.Reason, &attempt, &r.WAMID, &r.Attempts, &r.ErrorCode, &r.ErrorTitle,
			&r.Sending, &r.Accepted, &r.Sent, &r.Delivered, &r.Read, &r.Failed, &r.ChangedAt)
		r.Person, r.Attempt = string(person), string(attempt)
		e.Rows = append(e.Rows, r)
		return err
	})
}

func (e *Evidence) readConsents(ctx context.Context, tx *sql.Tx) error {
	return each(ctx, tx, "SELECT person_id, category, action, at, recorded_at FROM consents", func(scan func(...any) error) error {
		var c Consent
		var person bin
		err := scan(&person, &c.Category, &c.Action, &c.At, &c.Recorded)
		c.Person = string(person)
		e.Consents = append(e.Consents, c)
		return err
	})
}

func (e *Evidence) readSuppressions(ctx context.Context, tx *sql.Tx) error {
	return each(ctx, tx, "SELECT value, scope, at, lifted_at FROM suppressions", func(scan func(...any) error) error {
		var s Suppression
		err := scan(&s.Value, &s.Scope, &s.At, &s.Lifted)
		e.Suppressions = append(e.Suppressions, s)
		return err
	})
}

func (e *Evidence) readNames(ctx context.Context, tx *sql.Tx) error {
	return each(ctx, tx, "SELECT person_id, kind, value FROM identifiers", func(scan func(...any) error) error {
		var n Name
		var person bin
		err := scan(&person, &n.Kind, &n.Value)
		n.Person = string(person)
		e.Names = append(e.Names, n)
		return err
	})
}

func (e *Evidence) readStrikes(ctx context.Context, tx *sql.Tx) error {
	e.Strikes = map[string]int{}
	return each(ctx, tx, "SELECT person_id, strikes FROM persons WHERE strikes > 0", func(scan func(...any) error) error {
		var person bin
		var n int
		err := scan(&person, &n)
		e.Strikes[string(person)] = n
		return err
	})
}
