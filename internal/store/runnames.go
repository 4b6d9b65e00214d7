package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/scheduler"
)

// RunName is as much of a run as it takes to choose it from a list.
type RunName struct {
	ID       string             `db:"run_id"`
	Campaign string             `db:"campaign_id"`
	State    scheduler.RunState `db:"state"`
}

// RunNames lists at most limit runs of a database that somebody may be using, the newest first. It only looks: it makes
// no file, migrates nothing, and waits for no lock; of a database that is not there, or of another shape, it says so.
func RunNames(ctx context.Context, target string, limit int) (_ []RunName, err error) {
	db, err := lookInto(target)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTxx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("looking into %s: %w", redact(target), err)
	}
	var names []RunName
	err = tx.SelectContext(ctx, &names, "SELECT run_id, campaign_id, state FROM runs ORDER BY fire_at DESC, run_id DESC LIMIT $1", limit)
	if err != nil {
		err = fmt.Errorf("reading the runs of %s: %w", redact(target), err)
	}
	return names, errors.Join(err, tx.Rollback())
}

// lookInto opens a database that must be there.
func lookInto(target string) (*sqlx.DB, error) {
	path, isSQLite := strings.CutPrefix(target, "sqlite:")
	if !isSQLite {
		u, err := url.Parse(target)
		if err != nil {
			return nil, errors.New("database: the postgres:// address cannot be read: check its user, host, port and name")
		}
		query := u.Query()
		query.Set("connect_timeout", "1")
		query.Set("statement_timeout", "1000")
		query.Set("lock_timeout", "100")
		u.RawQuery = query.Encode()
		return sqlx.Open("postgres", u.String())
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("looking into sqlite:%s: %w", path, err)
	}
	// With nobody's log beside it the file is all there is, and reading it as unchanging leaves no log behind either.
	how := "mode=ro"
	if _, err := os.Stat(path + "-wal"); errors.Is(err, os.ErrNotExist) {
		how += "&immutable=1"
	}
	return sqlx.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+how+"&_pragma=busy_timeout(100)&_pragma=query_only(1)")
}
