package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// places is what this process knows of the messaging limit.
type places struct {
	named   atomic.Int64 // the limit of the configuration and 1; 0 is none
	counted atomic.Bool  // people were counted by this process since its limit was last set

	mu        sync.Mutex
	fullUntil instant // until then nothing becomes free, or it is not worth looking
	fullAt    int     // the limit that was full
	waiting   scheduler.Places
}

const (
	// countAnew is how long what was counted may stand: messages of a process without a limit are in no grant.
	countAnew = 10 * time.Minute
	// lookAnew is how soon a limit that is full is counted again: a refused message gives its place back.
	lookAnew = 10 * time.Second
	// clocksApart is how far the clock of a process that makes attempts may be from the database's.
	clocksApart = time.Hour
)

// NameLimit sets the messaging limit that the configuration names; nil is none, and then what Meta told holds.
func (s *Store) NameLimit(people *int) {
	named := int64(0)
	if people != nil {
		named = int64(*people) + 1
	}
	if s.places.named.Swap(named) != named {
		s.places.counted.Store(false)
	}
}

// TellLimit keeps the messaging limit that Meta told; sender.AnyNumber is no limit.
func (s *Store) TellLimit(ctx context.Context, people int) error {
	err := s.inTx(ctx, func(tx *sqlx.Tx) error { return tellLimit(ctx, tx, people) })
	if err != nil {
		return fmt.Errorf("keeping the messaging limit: %w", err)
	}
	return nil
}

func tellLimit(ctx context.Context, tx *sqlx.Tx, people int) error {
	moved, err := changed(tx.ExecContext(ctx, "UPDATE instance SET messaging_limit = $1 WHERE COALESCE(messaging_limit, -2) <> $1", people))
	if err != nil || !moved {
		return err
	}
	// Where there was no limit nothing was granted.
	_, err = tx.ExecContext(ctx, "UPDATE portfolio SET counted_at = 0")
	return err
}

// ToldLimit returns the messaging limit that Meta told last; known is false when it never did.
func (s *Store) ToldLimit(ctx context.Context) (people int, known bool, err error) {
	var told sql.NullInt64
	if err := s.read.GetContext(ctx, &told, "SELECT messaging_limit FROM instance LIMIT 1"); err != nil {
		return 0, false, fmt.Errorf("reading the messaging limit: %w", err)
	}
	return int(told.Int64), told.Valid, nil
}

// limitAt is the limit that holds, below 0 when none does: the configuration's, else Meta's.
func (s *Store) limitAt(told sql.NullInt64) int {
	if named := s.places.named.Load(); named > 0 {
		return int(named - 1)
	}
	if told.Valid {
		return int(told.Int64)
	}
	return sender.AnyNumber
}

// Places returns the places of the messaging limit as they are now.
func (s *Store) Places(ctx context.Context) (scheduler.Places, error) {
	people, known, err := s.ToldLimit(ctx)
	if err != nil {
		return scheduler.Places{}, err
	}
	limit := s.limitAt(sql.NullInt64{Int64: int64(people), Valid: known})
	if limit < 0 {
		return scheduler.Places{}, nil
	}
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return scheduler.Places{}, fmt.Errorf("reading the clock: %w", err)
	}
	return s.countPlaces(ctx, s.read, now, limit)
}

// countPlaces counts whom the messages of the last 24 hours went to, by the index of attempts, whose ids begin with their time.
func (s *Store) countPlaces(ctx context.Context, q sqlx.QueryerContext, now instant, limit int) (scheduler.Places, error) {
	since := now.time().Add(-scheduler.PlaceHeld)
	from := sender.MadeBefore(since.Add(-clocksApart))
	var rows []struct {
		Minute int64 `db:"minute"`
		People int   `db:"people"`
	}
	if err := sqlx.SelectContext(ctx, q, &rows, `SELECT x.minute, count(*) AS people FROM (SELECT d.person_id, MAX(d.sending_at) / 60000000 AS minute FROM deliveries d
		WHERE d.attempt_id >= $1 AND d.sending_at > $2 AND `+written+` GROUP BY d.person_id) AS x GROUP BY x.minute ORDER BY x.minute`, from[:], at(since)); err != nil {
		return scheduler.Places{}, fmt.Errorf("counting the people of the last 24 hours: %w", err)
	}
	frees := make([]scheduler.Freed, len(rows))
	for i, r := range rows {
		frees[i] = scheduler.Freed{At: scheduler.FreedAt(instant(r.Minute * time.Minute.Microseconds()).time()), People: r.People}
	}
	return scheduler.NewPlaces(limit, frees), nil
}

// keepLimit gives places in the messaging limit to those whom the gate is to let pass, and has the others wait for one. All gates of
// all processes go through the one row of portfolio, which is held to the end of the transaction: so that nobody counts while
// others pass. Far from the limit that is one statement.
func (s *Store) keepLimit(ctx context.Context, tx *sqlx.Tx, run sender.Run, rows []sender.GateRow, answers []sender.GateAnswer, f gateFacts, limit int) error {
	var leaving []int
	for i := range rows {
		if f.open && answers[i].State == sender.Sending && f.standing[rows[i].PersonID].state == sender.Queued {
			leaving = append(leaving, i)
		}
	}
	if len(leaving) == 0 {
		return nil
	}
	fits, err := s.grant(ctx, tx, f.now, limit, len(leaving))
	if err != nil || fits {
		return err
	}
	if limit > 0 {
		if leaving, err = s.withoutPlace(ctx, tx, f.now, rows, leaving); err != nil {
			return err
		}
	}
	run.Ask.WavesAt = f.wavesAt
	free, err := s.freePlaces(ctx, tx, f.now, limit, len(leaving))
	if err != nil {
		return err
	}
	for _, i := range leaving[min(free, len(leaving)):] {
		m := policy.Message{Full: true}
		if limit > 0 {
			m.PlaceAt = s.places.promise(f.now.time())
		}
		decision := policy.DecideWithin(run.Rules, f.of(&run, rows[i], m), sender.BeginWithin)
		answers[i] = sender.GateAnswer{State: landing(decision), Decision: decision}
	}
	return nil
}

// grant takes so many places if what was counted, and what was granted since, leaves them.
func (s *Store) grant(ctx context.Context, tx *sqlx.Tx, now instant, limit, n int) (fits bool, err error) {
	var row struct {
		Held      int     `db:"held"`
		CountedAt instant `db:"counted_at"`
	}
	if err := tx.GetContext(ctx, &row, "UPDATE portfolio SET granted = granted + $1 RETURNING counted + granted AS held, counted_at", n); err != nil {
		return false, fmt.Errorf("taking places in the messaging limit: %w", err)
	}
	fresh := s.places.counted.Load() && now.time().Sub(row.CountedAt.time()) < countAnew
	if fresh && row.Held <= limit {
		return true, nil
	}
	if _, err := tx.ExecContext(ctx, "UPDATE portfolio SET granted = granted - $1", n); err != nil {
		return false, fmt.Errorf("giving places in the messaging limit back: %w", err)
	}
	return false, nil
}

// withoutPlace keeps those who had no message in the last 24 hours: the others have their place.
func (s *Store) withoutPlace(ctx context.Context, tx *sqlx.Tx, now instant, rows []sender.GateRow, leaving []int) ([]int, error) {
	b := s.dialect.newBatch()
	for _, i := range leaving {
		b.row().bytes(rows[i].PersonID[:])
	}
	var people [][]byte
	if err := s.queries.gateWritten.read(ctx, tx, &people, &b, at(now.time().Add(-scheduler.PlaceHeld))); err != nil {
		return nil, fmt.Errorf("reading who has a place in the messaging limit: %w", err)
	}
	have := make(map[policy.PersonID]bool, len(people))
	for _, id := range people {
		have[policy.PersonID(id)] = true
	}
	var without []int
	for _, i := range leaving {
		if !have[rows[i].PersonID] {
			without = append(without, i)
		}
	}
	return without, nil
}

// freePlaces takes up to n of the places that are free, by counting anew unless it is known that none is.
func (s *Store) freePlaces(ctx context.Context, tx *sqlx.Tx, now instant, limit, n int) (int, error) {
	if n == 0 || s.places.full(now, limit) {
		return 0, nil
	}
	p, err := s.countPlaces(ctx, tx, now, limit)
	if err != nil {
		return 0, err
	}
	taken := min(p.Free, n)
	counted := 0
	for _, f := range p.Frees {
		counted += f.People
	}
	if p.Free == 0 {
		counted = max(counted, limit)
	}
	if _, err := tx.ExecContext(ctx, "UPDATE portfolio SET counted = $1, counted_at = $2, granted = $3", counted, now, taken); err != nil {
		return 0, fmt.Errorf("taking places in the messaging limit: %w", err)
	}
	s.places.counted.Store(true)
	full := p.Free == 0 // before this gate: places of its own may come back at once
	for range taken {
		p.Take(now.time())
	}
	s.places.note(p, now, full)
	return taken, nil
}

// full reports whether the limit is known to have no place.
func (p *places) full(now instant, limit int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now < p.fullUntil && p.fullAt == limit
}

// note keeps what was counted, for those who have to wait.
func (p *places) note(counted scheduler.Places, now instant, full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting, p.fullAt, p.fullUntil = counted, counted.Limit, 0
	if !full {
		return
	}
	p.fullUntil = at(now.time().Add(lookAnew))
	if len(counted.Frees) > 0 {
		p.fullUntil = min(p.fullUntil, at(counted.Frees[0].At))
	}
}

// promise is when the next of those who wait is to have a place; each is promised another one.
func (p *places) promise(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	soon := now.Add(lookAnew)
	if at, ok := p.waiting.Take(now); ok && at.After(soon) {
		return at
	}
	return soon // also when what is known is of another limit
}
