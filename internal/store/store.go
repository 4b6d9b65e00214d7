// Package store owns the database: all SQL, and one Store for both SQLite and PostgreSQL.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"modernc.org/sqlite"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/ledger"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// Store is the ledger of people, consents, runs and deliveries. Its methods are safe for many goroutines and processes.
type Store struct {
	read    *sqlx.DB
	write   *sqlx.DB
	dialect dialect
	queries queries

	instance  string
	hashKey   []byte
	lots      *policy.Lots
	links     *policy.PageLinks
	pageToken func(policy.PersonID) string // what ends the link to a person's page; one function, since each row of a run has it
	locations *policy.Locations
	growth    growth
	earlyAll  atomic.Int64           // when all that came early was last looked at, in microseconds
	home      atomic.Pointer[home]   // the state_dir that this process works from; nil where nobody asked for one
	stops     atomic.Int64           // how often this process may have changed stops
	deeds     atomic.Int64           // what was done that a restored database would not know
	business  atomic.Pointer[string] // in whose name people consent
	appended  atomic.Int64           // how often this process may have appended to the consent ledger

	seal   sync.Mutex // of the two below
	sealer func(context.Context) (ledger.Key, error)
	key    *ledger.Key // nil until it was asked for

	places places
}

// ErrNewer says that the database was written by a newer permesso.
var ErrNewer = errcode.With(errors.New("the database is newer than this program: run the newer permesso, or restore a backup"), errcode.DatabaseNewer)

// ErrNotMigrated says that a PostgreSQL database wants migrations.
var ErrNotMigrated = errcode.With(errors.New("the database wants migrations: run `permesso migrate` once, then try again"), errcode.DatabaseNotMigrated)

// Open connects to "sqlite:PATH" or a postgres:// URL and checks its shape: migrations run by themselves on SQLite and
// on an empty PostgreSQL database, else ErrNotMigrated. The store must be closed.
func Open(ctx context.Context, target string) (*Store, error) {
	s, err := connect(ctx, target)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context) error {
	if err := s.ensureMigrated(ctx); err != nil {
		return err
	}
	s.queries = buildQueries(s.dialect)
	return s.loadInstance(ctx)
}

// Close ends every connection.
func (s *Store) Close() error {
	if s.read == s.write {
		return s.write.Close()
	}
	return errors.Join(s.read.Close(), s.write.Close())
}

// Database returns "sqlite" or "postgres".
func (s *Store) Database() string { return s.dialect.name }

// Instance names this installation: it is part of every callback id.
func (s *Store) Instance() string { return s.instance }

// Ping reports whether the database answers and can be written. It writes a value that it did not have: of one that stays as it
// was SQLite writes nothing, and would not notice a full disk.
func (s *Store) Ping(ctx context.Context) error {
	return s.inTx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO leases (number_id, holder, until) VALUES ('probe', 'readyz', $1)
			ON CONFLICT (number_id) DO UPDATE SET until = excluded.until`, at(time.Now()))
		return err
	})
}

func connect(ctx context.Context, target string) (*Store, error) {
	if path, ok := strings.CutPrefix(target, "sqlite:"); ok {
		return connectSQLite(ctx, path)
	}
	if strings.HasPrefix(target, "postgres://") || strings.HasPrefix(target, "postgresql://") {
		return connectPostgres(ctx, target)
	}
	return nil, errcode.With(fmt.Errorf("database %q: write sqlite:PATH or postgres://USER@HOST:PORT/NAME?sslmode=verify-full", redact(target)), errcode.DatabaseAddress)
}

func connectSQLite(ctx context.Context, path string) (*Store, error) {
	if dir := filepath.Dir(path); dir != "." {
		if _, err := os.Stat(dir); err != nil {
			return nil, errcode.With(fmt.Errorf("database sqlite:%s: the folder %s is not there: create it, or mend `database:`", path, dir), errcode.DatabaseFolder)
		}
	}
	dsn := func(extra string) string {
		return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)" +
			"&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=journal_size_limit(67108864)" + extra
	}
	write, err := sqlx.Open("sqlite", dsn("&_pragma=cache_size(-16000)"))
	if err != nil {
		return nil, fmt.Errorf("opening sqlite:%s: %w", path, err)
	}
	write.SetMaxOpenConns(1)
	if err := pingSQLite(ctx, write); err != nil {
		return nil, errors.Join(fmt.Errorf("opening sqlite:%s: %w", path, explainSQLite(err)), write.Close())
	}
	read, err := sqlx.Open("sqlite", dsn("&_pragma=cache_size(-4000)&_pragma=query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening sqlite:%s: %w", path, err), write.Close())
	}
	read.SetMaxOpenConns(4)
	return &Store{read: read, write: write, dialect: sqliteDialect}, nil
}

// pingSQLite opens the file. Turning a new one to WAL takes it whole for a moment, and SQLite refuses those who come in that
// moment instead of letting them wait.
func pingSQLite(ctx context.Context, db *sqlx.DB) error {
	const patience, pause = 5 * time.Second, 20 * time.Millisecond
	for deadline := time.Now().Add(patience); ; {
		err := db.PingContext(ctx)
		if err == nil || !sqliteRetryable(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func connectPostgres(ctx context.Context, target string) (*Store, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, errcode.With(errors.New("database: the postgres:// address cannot be read: check its user, host, port and name"), errcode.DatabaseAddress)
	}
	query := u.Query()
	if query.Get("sslmode") == "" {
		return nil, errcode.With(errors.New("database: the postgres:// address has no sslmode: add ?sslmode=verify-full, or ?sslmode=disable for a server on this machine"), errcode.DatabaseAddress)
	}
	// No statement here runs long enough to repay its compilation; an audience's, 10,000 people at a time, would cost 20 ms more.
	for key, value := range map[string]string{"connect_timeout": "5", "application_name": "permesso", "statement_timeout": "60000", "idle_in_transaction_session_timeout": "10000", "jit": "off"} {
		if !query.Has(key) {
			query.Set(key, value)
		}
	}
	patience, err := statementTimeout(query.Get("statement_timeout"))
	if err != nil {
		return nil, err
	}
	// One round trip for a statement with parameters instead of two; it also works through a pooler.
	query.Set("binary_parameters", "yes")
	u.RawQuery = query.Encode()
	read, err := openPostgres(ctx, u.String(), target, patience)
	if err != nil {
		return nil, err
	}
	// What was committed before a message left, or a stop was acknowledged, must survive the server's death.
	// Writes look batches up by key. Shown a table that grew since its last ANALYZE, the planner would rather hash all of it
	// for each batch: 22 µs a row against 12 in a table of 20,000, and growing with it.
	query.Set("synchronous_commit", "on")
	query.Set("enable_hashjoin", "off")
	query.Set("enable_mergejoin", "off")
	u.RawQuery = query.Encode()
	write, err := openPostgres(ctx, u.String(), target, patience)
	if err != nil {
		return nil, errors.Join(err, read.Close())
	}
	return &Store{read: read, write: write, dialect: postgresDialect}, nil
}

// statementTimeout reads PostgreSQL's setting of that name: milliseconds, or a number with ms, s, min or h.
func statementTimeout(text string) (time.Duration, error) {
	unit := map[string]time.Duration{"": time.Millisecond, "ms": time.Millisecond, "s": time.Second, "min": time.Minute, "h": time.Hour}
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 32)
	per, known := unit[text[len(digits):]]
	if err != nil || !known || n < 0 {
		return 0, errcode.With(fmt.Errorf("database: statement_timeout=%s in the postgres:// address: write milliseconds, as in statement_timeout=60000", text), errcode.DatabaseAddress)
	}
	return time.Duration(n) * per, nil
}

// openPostgres opens a pool; patience is the statement_timeout of its connections, 0 for none.
func openPostgres(ctx context.Context, dsn, target string, patience time.Duration) (*sqlx.DB, error) {
	connector, err := pq.NewConnector(dsn)
	if err != nil {
		return nil, errcode.With(fmt.Errorf("opening %s: %w", redact(target), err), errcode.DatabaseAddress)
	}
	connector.Dialer(newPGDialer(patience))
	db := sqlx.NewDb(sql.OpenDB(connector), "postgres")
	db.SetMaxOpenConns(10)
	db.SetMaxIdleConns(10)
	db.SetConnMaxLifetime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(orElse(fmt.Errorf("reaching the database at %s: %w", redact(target), err), errcode.DatabaseUnreachable), db.Close())
	}
	return db, nil
}

// redact takes the password out of a database address.
func redact(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return "the configured address"
	}
	return u.Redacted()
}

func explainSQLite(err error) error {
	failure, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch failure.Code() & 0xff {
	case 5:
		return fmt.Errorf("another program has it locked: stop that program, then try again (%w)", err)
	case 26:
		return fmt.Errorf("the file is not an SQLite database: move it away, or mend `database:` (%w)", err)
	case 8, 14:
		return fmt.Errorf("it cannot be opened for writing: check the path and its owner (%w)", err)
	}
	return err
}

// errOvertaken says that another transaction moved deliveries between this one's reading and its writing.
var errOvertaken = errcode.With(errors.New("the deliveries kept changing underneath"), errcode.DatabaseBusy)

// inTx runs f in one transaction, again from its beginning when the database asks for that. f must be free of side
// effects other than on tx and on variables that it sets anew each time.
func (s *Store) inTx(ctx context.Context, f func(*sqlx.Tx) error) error {
	const tries = 6
	for try := 1; ; try++ {
		err := s.once(ctx, f)
		if err == nil || try == tries || ctx.Err() != nil || !s.dialect.retryable(err) && !errors.Is(err, errOvertaken) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(try*try) * time.Duration(5+rand.IntN(10)) * time.Millisecond):
		}
	}
}

// once runs a transaction. A panic in it is its failure: it must not end the process, which would meet the same rows again after
// every restart.
func (s *Store) once(ctx context.Context, f func(*sqlx.Tx) error) error {
	tx, err := s.write.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning a transaction on the database: %w", explainSQLite(err))
	}
	if err := guarded(tx, f); err != nil {
		if undo := tx.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) {
			return errors.Join(err, undo)
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}

func guarded(tx *sqlx.Tx, f func(*sqlx.Tx) error) (err error) {
	defer func() {
		if met := recover(); met != nil {
			err = sender.Caught(met)
		}
	}()
	return f(tx)
}

// Lots draws who is held out: the draw hangs on the installation's key, which is nobody else's to read.
func (s *Store) Lots() *policy.Lots { return s.lots }

// ShareLocations gives the rules of frozen runs a memory of time zones to share; without it they load zones anew.
func (s *Store) ShareLocations(l *policy.Locations) { s.locations = l }
