package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/lib/pq"
	"modernc.org/sqlite"

	"github.com/permesso/permesso/internal/ledger"
	"github.com/permesso/permesso/policy"
)

// Appended tells how often this process may have appended to the consent ledger.
func (s *Store) Appended() int64 { return s.appended.Load() }

// LedgerHeads reads where every chain of the consent ledger stands, as committed.
func (s *Store) LedgerHeads(ctx context.Context) ([]ledger.Head, error) {
	var rows []struct {
		ID   int64  `db:"chain_id"`
		Key  []byte `db:"key_id"`
		Seq  int64  `db:"seq"`
		Link []byte `db:"link"`
	}
	if err := s.read.SelectContext(ctx, &rows, "SELECT chain_id, key_id, seq, link FROM consent_chains ORDER BY chain_id"); err != nil {
		return nil, fmt.Errorf("reading the chains of the consent ledger: %w", err)
	}
	heads := make([]ledger.Head, len(rows))
	for i, r := range rows {
		heads[i] = ledger.Head{Chain: uint32(r.ID), Seq: r.Seq}
		copy(heads[i].Link[:], r.Link)
		copy(heads[i].Key[:], r.Key)
	}
	return heads, nil
}

// LedgerState is what the database knows of its consent ledger beside the events.
type LedgerState struct {
	Rows      int64 // events, in chains or not
	Unchained int64 // of these, those that no chain has
	Awaited   bool  // the unchained are of before there were chains, and are chained by who next appends
	Lines     int64 // how many lines of checkpoints the key's state_dir wrote, at least
}

// LedgerState reads it, for the checkpoints of one key.
func (s *Store) LedgerState(ctx context.Context, key ledger.KeyID) (state LedgerState, err error) {
	var row struct {
		Rows      int64 `db:"n"`
		Unchained int64 `db:"unchained"`
		Awaited   bool  `db:"awaited"`
		Lines     int64 `db:"lines"`
	}
	err = s.read.GetContext(ctx, &row, `SELECT (SELECT count(*) FROM consents) AS n, (SELECT count(*) FROM consents c WHERE c.event IS NULL) AS unchained, i.unchained AS awaited,
		COALESCE((SELECT p.lines FROM consent_checkpoints p WHERE p.key_id = $1), 0) AS lines FROM instance i`, key[:])
	if err != nil {
		return state, fmt.Errorf("reading the state of the consent ledger: %w", err)
	}
	return LedgerState(row), nil
}

// NoteCheckpoint keeps how many lines of checkpoints a state_dir has, after they were written there.
func (s *Store) NoteCheckpoint(ctx context.Context, key ledger.KeyID, lines int64, now time.Time) error {
	if _, err := s.write.ExecContext(ctx, `INSERT INTO consent_checkpoints (key_id, lines, at) VALUES ($1, $2, $3)
		ON CONFLICT (key_id) DO UPDATE SET lines = excluded.lines, at = excluded.at WHERE consent_checkpoints.lines < excluded.lines`, key[:], lines, at(now)); err != nil {
		return fmt.Errorf("noting a checkpoint of the consent ledger: %w", err)
	}
	return nil
}

// ForgetCheckpoints has the database take a state_dir's checkpoints for as many lines as it is told.
func (s *Store) ForgetCheckpoints(ctx context.Context, key ledger.KeyID) error {
	if _, err := s.write.ExecContext(ctx, "DELETE FROM consent_checkpoints WHERE key_id = $1", key[:]); err != nil {
		return fmt.Errorf("forgetting the checkpoints of the consent ledger: %w", err)
	}
	return nil
}

// nextEvent is the first event behind a place, whether or not a chain has it; 0 when there is none.
func (s *Store) nextEvent(ctx context.Context, after policy.EventID) (policy.EventID, error) {
	var event int64
	err := s.read.GetContext(ctx, &event, "SELECT event FROM consents WHERE event > $1 ORDER BY event LIMIT 1", int64(after))
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("looking for chains of the consent ledger: %w", err)
	}
	return policy.EventID(event), nil
}

// ledgerPage is how many events are read by one query.
const ledgerPage = 50_000

// ChainedEvents reads events in the order of their places, after one place and up to another. What it yields holds until the next one. It
// ends at the first error.
func (s *Store) ChainedEvents(ctx context.Context, after, through policy.EventID) iter.Seq2[*ledger.Row, error] {
	return func(yield func(*ledger.Row, error) bool) {
		for after < through {
			n, stopped, err := s.eventsPage(ctx, &after, through, yield)
			if err != nil {
				yield(nil, fmt.Errorf("reading the consent ledger: %w", err))
				return
			}
			if stopped || n < ledgerPage {
				return
			}
		}
	}
}

func (s *Store) eventsPage(ctx context.Context, after *policy.EventID, through policy.EventID, yield func(*ledger.Row, error) bool) (n int, stopped bool, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT event, person_id, at, recorded_at, category, action, source, business, language, actor, wording_hash,
		link, salt, personal, evidence, ip, agent FROM consents WHERE event > $1 AND event <= $2 ORDER BY event LIMIT $3`, int64(*after), int64(through), ledgerPage)
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var r ledger.Row
	var person, link sql.RawBytes
	var category, action, source, business, language, actor, evidence, ip, agent sql.RawBytes
	var words interned
	for rows.Next() {
		if err := rows.Scan((*int64)(&r.Event), &person, &r.At, &r.RecordedAt, &category, &action, &source, &business, &language, &actor, (*sql.RawBytes)(&r.Wording),
			&link, (*sql.RawBytes)(&r.Salt), (*sql.RawBytes)(&r.Sealed), &evidence, &ip, &agent); err != nil {
			return n, false, err
		}
		n++
		r.Person, r.Link = policy.PersonID{}, ledger.Link{}
		copy(r.Person[:], person)
		copy(r.Link[:], link)
		r.Personal = nil
		r.Category, r.Action, r.Source = words.of(category), policy.Action(words.of(action)), words.of(source)
		r.Business, r.Language, r.Actor = words.of(business), words.of(language), words.of(actor)
		r.Evidence, r.IP, r.Agent = string(evidence), words.of(ip), words.of(agent)
		*after = r.Event
		if !yield(&r, nil) {
			return n, true, nil
		}
	}
	return n, false, rows.Err()
}

// interned are texts that come again and again.
type interned map[string]string

func (w *interned) of(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	if known, ok := (*w)[string(text)]; ok {
		return known
	}
	if *w == nil || len(*w) > 1000 {
		*w = interned{}
	}
	made := string(text)
	(*w)[made] = made
	return made
}

// ErasedPersons are those whose erasure the ledger has, with when it was last recorded, in microseconds.
func (s *Store) ErasedPersons(ctx context.Context) (map[policy.PersonID]int64, error) {
	var rows []struct {
		PersonID []byte `db:"person_id"`
		At       int64  `db:"at"`
	}
	if err := s.read.SelectContext(ctx, &rows, "SELECT person_id, MAX(recorded_at) AS at FROM consents WHERE action = 'erased' GROUP BY person_id"); err != nil {
		return nil, fmt.Errorf("reading erasures: %w", err)
	}
	erased := make(map[policy.PersonID]int64, len(rows))
	for _, r := range rows {
		erased[policy.PersonID(r.PersonID)] = r.At
	}
	return erased, nil
}

// Wording is a text that people agreed to, and the SHA-256 under which it stands.
type Wording struct {
	Hash [sha256.Size]byte
	Text string
}

// Wordings reads every text, in the order of the hashes. It ends at the first error.
func (s *Store) Wordings(ctx context.Context) iter.Seq2[Wording, error] {
	return func(yield func(Wording, error) bool) {
		for after := []byte{}; ; {
			var rows []struct {
				Hash []byte `db:"hash"`
				Text string `db:"text"`
			}
			if err := s.read.SelectContext(ctx, &rows, "SELECT hash, text FROM wordings WHERE hash > $1 ORDER BY hash LIMIT $2", after, pageRows); err != nil {
				yield(Wording{}, fmt.Errorf("reading wordings: %w", err))
				return
			}
			for _, r := range rows {
				w := Wording{Text: r.Text}
				copy(w.Hash[:], r.Hash)
				if !yield(w, nil) {
					return
				}
			}
			if len(rows) < pageRows {
				return
			}
			after = rows[len(rows)-1].Hash
		}
	}
}

// TableGone reports whether the error says that a table is not in the database.
func TableGone(err error) bool {
	const undefinedTable = "42P01"
	if failure, ok := errors.AsType[*pq.Error](err); ok {
		return failure.Code == undefinedTable
	}
	failure, ok := errors.AsType[*sqlite.Error](err)
	return ok && strings.Contains(failure.Error(), "no such table")
}
