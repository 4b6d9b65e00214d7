package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/report"
)

// home is the state_dir that a process works from, with the number up to which the database has stood in this process's sight.
type home struct {
	id  string
	seq int64
}

// stands reports whether the database that a transaction meets is the one that the process knows, or a later state of it: one
// that was put back has an earlier number, one that is another's has none.
func (h home) stands(seq sql.NullInt64) bool {
	return h.id == "" || seq.Valid && seq.Int64 >= h.seq
}

func (s *Store) attached() home {
	if h := s.home.Load(); h != nil {
		return *h
	}
	return home{}
}

// Attach has the gate refuse everything unless the database knows the home, and with at least this number. A process that
// never calls it is let through by that rule: only the quarantine that the database itself is in binds it.
func (s *Store) Attach(homeID string, seq int64) { s.home.Store(&home{homeID, seq}) }

// Deeds counts what this process did that a restored database would not know: it sent, started runs, judged slots.
func (s *Store) Deeds() int64 { return s.deeds.Load() }

// QuarantineKind is why a database is in quarantine.
type QuarantineKind string

// The kinds of quarantine that stand in the database. Behind: it is older than what a state_dir remembers. Moved: it is in another place than it was
// accepted in. Orphans: Meta reports messages that it does not know.
const (
	Behind  QuarantineKind = "behind"
	Moved   QuarantineKind = "moved"
	Orphans QuarantineKind = "orphans"
)

// Quarantine is why nothing is sent from a database; the zero Quarantine is none.
type Quarantine struct {
	Kind  QuarantineKind
	Why   string // one sentence, without a full stop
	Since time.Time
}

// Installation is what the database knows of the state_dirs that work with it.
type Installation struct {
	Homes       int  // how many there are
	Known       bool // the one that was asked for is among them
	Seq         int64
	StopChanges int64
	Place       string // where the database was when it was last accepted; "" when nobody could tell
	Orphans     int
	JudgedUntil time.Time // the latest slot that was judged, of any campaign
	Quarantine  Quarantine
}

// Installation reads what the database knows of a home, "" for one that has no id yet.
func (s *Store) Installation(ctx context.Context, homeID string) (Installation, error) {
	var row struct {
		Homes   int            `db:"homes"`
		Seq     sql.NullInt64  `db:"seq"`
		Last    int64          `db:"last"`
		Place   string         `db:"place"`
		Orphans int            `db:"orphans"`
		Judged  instant        `db:"judged"`
		Kind    sql.NullString `db:"quarantined_kind"`
		Why     sql.NullString `db:"quarantined_why"`
		At      sql.NullInt64  `db:"quarantined_at"`
	}
	err := s.read.GetContext(ctx, &row, `SELECT (SELECT count(*) FROM homes) AS homes, (SELECT h.seq FROM homes h WHERE h.home_id = $1) AS seq,
		(SELECT c.last FROM stop_changes c) AS last, i.place, (SELECT count(*) FROM orphans) AS orphans,
		(SELECT COALESCE(MAX(m.since), 0) FROM schedules m) AS judged, i.quarantined_kind, i.quarantined_why, i.quarantined_at FROM instance i`, homeID)
	if err != nil {
		return Installation{}, fmt.Errorf("reading the homes of the database: %w", err)
	}
	known := Installation{Homes: row.Homes, Known: row.Seq.Valid, Seq: row.Seq.Int64, StopChanges: row.Last, Place: row.Place, Orphans: row.Orphans, JudgedUntil: row.Judged.time()}
	if row.At.Valid {
		known.Quarantine = Quarantine{QuarantineKind(row.Kind.String), row.Why.String, whenever(row.At)}
	}
	return known, nil
}

// Quarantined returns why nothing is sent from the database, by any process; the zero Quarantine when it may be.
func (s *Store) Quarantined(ctx context.Context) (Quarantine, error) {
	known, err := s.Installation(ctx, "")
	return known.Quarantine, err
}

// Place tells where the database is: on PostgreSQL the cluster, its timeline and the database's number, which change when it is
// restored into another server, cloned, or a standby takes over. "" on SQLite, in recovery, and where the server does not tell.
func (s *Store) Place(ctx context.Context) string {
	if s.dialect.place == "" {
		return ""
	}
	var place string
	if err := s.read.GetContext(ctx, &place, s.dialect.place); err != nil {
		return "" // not every engine that speaks the protocol has these functions, and a server may keep them for itself
	}
	return place
}

// Enrol makes the home the first of an installation that has none. It changes nothing, and reports false, when there is one.
func (s *Store) Enrol(ctx context.Context, homeID, place string) (first bool, err error) {
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		first = false
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		// The row of the installation is taken first: of two homes that come at once one waits, and sees the other.
		if _, err := tx.ExecContext(ctx, "UPDATE instance SET place = place"); err != nil {
			return err
		}
		var homes int
		if err := tx.GetContext(ctx, &homes, "SELECT count(*) FROM homes"); err != nil || homes > 0 {
			return err
		}
		first = true
		if err := addHome(ctx, tx, now, homeID, 1); err != nil {
			return err
		}
		return setPlace(ctx, tx, place)
	})
	if err != nil {
		return false, fmt.Errorf("noting the first home of the database: %w", err)
	}
	return first, nil
}

func addHome(ctx context.Context, tx *sqlx.Tx, now instant, homeID string, seq int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO homes (home_id, seq, joined_at, seen_at) VALUES ($1, $2, $3, $3)
		ON CONFLICT (home_id) DO UPDATE SET seq = excluded.seq, seen_at = excluded.seen_at`, homeID, seq, now)
	return err
}

func setPlace(ctx context.Context, tx *sqlx.Tx, place string) error {
	_, err := tx.ExecContext(ctx, "UPDATE instance SET place = $1", place)
	return err
}

// keepPastAttempts is how long a report about an attempt that was given back may come: Meta keeps messages for 30 days.
const keepPastAttempts = 35 * 24 * time.Hour

// Advance counts what a home did. ok is false, and nothing changes, when the database has the home at an earlier number than
// from, or not at all: it is not the database that the home worked with.
func (s *Store) Advance(ctx context.Context, homeID string, from int64) (seq int64, ok bool, err error) {
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		seq, ok = 0, false
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		err = tx.GetContext(ctx, &seq, "UPDATE homes SET seq = seq + 1, seen_at = $3 WHERE home_id = $1 AND seq >= $2 RETURNING seq", homeID, from, now)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		ok = err == nil
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("counting what was done: %w", err)
	}
	return seq, ok, nil
}

// Beat says that a process works from the home now.
func (s *Store) Beat(ctx context.Context, homeID string) error {
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE homes SET seen_at = $2 WHERE home_id = $1 AND seen_at < $2", homeID, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting that a home is at work: %w", err)
	}
	return nil
}

// LastBeat is when a process last worked from any home; zero when there is none.
func (s *Store) LastBeat(ctx context.Context) (time.Time, error) {
	var last sql.NullInt64
	if err := s.read.GetContext(ctx, &last, "SELECT MAX(seen_at) FROM homes"); err != nil {
		return time.Time{}, fmt.Errorf("looking for homes at work: %w", err)
	}
	return whenever(last), nil
}

// ForgetPastAttempts lets go of attempts that nobody reports on any more.
func (s *Store) ForgetPastAttempts(ctx context.Context, now time.Time) error {
	if _, err := s.write.ExecContext(ctx, "DELETE FROM past_attempts WHERE ended_at < $1", at(now.Add(-keepPastAttempts))); err != nil {
		return fmt.Errorf("forgetting old attempts: %w", err)
	}
	return nil
}

// Isolate puts the database into quarantine, for every process and through restarts. One that is in quarantine stays in it for its first reason.
func (s *Store) Isolate(ctx context.Context, kind QuarantineKind, why string) error {
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		return isolate(ctx, tx, now, kind, why)
	})
	if err != nil {
		return fmt.Errorf("entering quarantine: %w", err)
	}
	return nil
}

func isolate(ctx context.Context, tx *sqlx.Tx, now instant, kind QuarantineKind, why string) error {
	entered, err := changed(tx.ExecContext(ctx, "UPDATE instance SET quarantined_at = $1, quarantined_kind = $2, quarantined_why = $3 WHERE quarantined_at IS NULL", now, string(kind), why))
	if err != nil || !entered {
		return err
	}
	if err := notice(ctx, tx, now, report.NoticeQuarantined, report.NoticeData{Sentence: sentence("Nothing is sent: the database is in quarantine", why), Reason: why}); err != nil {
		return err
	}
	return audit(ctx, tx, now, report.Audit{Actor: "permesso", Action: "quarantine", Details: why})
}
