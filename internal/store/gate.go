package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// Gate is the last judgement before the wire: in one transaction it takes the lock of each person, reads what may have
// changed since the plan, decides, and moves every row. A row is answered Sending only when this attempt may be posted.
// When a batch fails on data it is tried row by row, so that one bad row stops nobody else: its own answer says why it failed.
func (s *Store) Gate(ctx context.Context, run sender.Run, rows []sender.GateRow) ([]sender.GateAnswer, time.Time, error) {
	readAt := time.Now()
	answers, err := s.gate(ctx, run, rows, believe)
	if errors.Is(err, errNotQueued) {
		readAt = time.Now()
		answers, err = s.gate(ctx, run, rows, look)
	}
	if err == nil || ctx.Err() != nil || s.dialect.retryable(err) {
		return answers, readAt, err
	}
	readAt, err = time.Now(), nil
	answers = make([]sender.GateAnswer, len(rows))
	for i := range rows {
		one, failure := s.gate(ctx, run, rows[i:i+1], look)
		switch {
		case failure == nil:
			answers[i] = one[0]
		case ownFailure(failure):
			// Queued: nothing was written, nobody posts it.
			answers[i] = sender.GateAnswer{State: sender.Queued, Refused: failure}
		default:
			answers[i] = sender.GateAnswer{State: sender.Queued}
			err = failure
		}
	}
	return answers, readAt, err
}

// trust is how the gate learns where its rows stand.
type trust bool

const (
	// believe takes the rows to be queued, as they were when they were read ahead; a row that is not shows when it does
	// not move, and then nothing of the transaction holds.
	believe trust = true
	// look reads first where they stand.
	look trust = false
)

// errNotQueued says that a row was not where the gate believed it to be.
var errNotQueued = errors.New("a row moved before its gate")

func (s *Store) gate(ctx context.Context, run sender.Run, rows []sender.GateRow, t trust) ([]sender.GateAnswer, error) {
	var answers []sender.GateAnswer
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		facts, err := s.gateFacts(ctx, tx, run, rows, t)
		if err != nil {
			return err
		}
		var prices []listed
		answers, prices = judge(run, rows, facts)
		if limit := s.limitAt(facts.told); limit >= 0 {
			if err := s.keepLimit(ctx, tx, run, rows, answers, facts, limit); err != nil {
				return err
			}
		}
		return s.moveGated(ctx, tx, run, rows, answers, prices, facts)
	})
	if err != nil {
		return nil, fmt.Errorf("gate of run %s: %w", run.ID, err)
	}
	s.deeds.Add(1)
	return answers, nil
}

// gateFacts is what one gate transaction read.
type gateFacts struct {
	now      instant
	open     bool // the run is planning or running, nothing is halted, and this is the database that the process knows
	wavesAt  []time.Time
	told     sql.NullInt64 // the messaging limit that Meta told
	status   map[string]templateFact
	people   map[policy.PersonID]*policy.Person
	standing map[policy.PersonID]standing
	// spent is what a run with a budget has spent, when it was read.
	spent     policy.Micros
	spentRead bool
}

type templateFact struct {
	status string
	kind   policy.Kind
}

// standing is where a row stood when the gate read it.
type standing struct {
	state   sender.State
	attempt sender.AttemptID
	had     bool
}

func (s *Store) gateFacts(ctx context.Context, tx *sqlx.Tx, run sender.Run, rows []sender.GateRow, t trust) (gateFacts, error) {
	b := s.dialect.newBatch()
	f := gateFacts{people: make(map[policy.PersonID]*policy.Person, len(rows)), standing: make(map[policy.PersonID]standing, len(rows))}
	for i := range rows {
		b.row().bytes(rows[i].PersonID[:])
		person := rows[i].Person
		person.ID = rows[i].PersonID
		person.Suppressions, person.Consents, person.Sends = nil, map[string]policy.Consent{}, nil
		person.SuppressionsRead, person.ConsentsRead, person.SendsRead = false, false, false
		f.people[rows[i].PersonID] = &person
	}
	var err error
	if f.now, err = s.dialect.now(ctx, tx); err != nil {
		return f, fmt.Errorf("reading the clock: %w", err)
	}
	for _, read := range []func() error{
		func() error { return s.lockPeople(ctx, tx, &b, &f) },
		func() error { return s.readRun(ctx, tx, run, &f) },
		func() error { return s.readStanding(ctx, tx, run, rows, t, &f) },
		func() error { return s.readSpent(ctx, tx, run, t, &f) },
		func() error { return s.readSuppressions(ctx, tx, &b, f.people) },
		func() error { return s.readConsents(ctx, tx, &b, run.Ask.Category, f.people) },
		func() error { return s.readSends(ctx, tx, &b, f.now.time().Add(-longestCap(run.Rules)), f.people) },
	} {
		if err := read(); err != nil {
			return f, err
		}
	}
	return f, nil
}

// lockPeople takes the lock rows first: from here on no stop and no other gate of these people can commit before this one.
func (s *Store) lockPeople(ctx context.Context, tx *sqlx.Tx, people *batch, f *gateFacts) error {
	var locked []personRow
	if err := s.queries.lock.read(ctx, tx, &locked, people, f.now); err != nil {
		return fmt.Errorf("locking persons: %w", err)
	}
	for _, r := range locked {
		if person := f.people[policy.PersonID(r.PersonID)]; person != nil {
			r.tell(person)
		}
	}
	return nil
}

// personRow is what persons holds that a decision needs.
type personRow struct {
	PersonID      []byte        `db:"person_id"`
	ReviewAt      sql.NullInt64 `db:"review_at"`
	CooldownUntil sql.NullInt64 `db:"cooldown_until"`
	Strikes       int           `db:"strikes"`
}

// strikesUnreachable is how many undeliverable messages make a person unreachable (graph-api §2.4, 131026: 2 to 3 in separate campaigns).
const strikesUnreachable = 3

func (r personRow) tell(person *policy.Person) {
	person.OptOutReview = r.ReviewAt.Valid
	person.CooldownUntil = whenever(r.CooldownUntil)
	person.Unreachable = r.Strikes >= strikesUnreachable
}

func (s *Store) readRun(ctx context.Context, tx *sqlx.Tx, run sender.Run, f *gateFacts) error {
	var rows []struct {
		State       scheduler.RunState `db:"state"`
		Kind        policy.Kind        `db:"kind"`
		Halted      sql.NullInt64      `db:"halted_at"`
		Quarantined sql.NullInt64      `db:"quarantined_at"`
		Seq         sql.NullInt64      `db:"seq"`
		Breaker     sender.BreakerKind `db:"breaker"`
		Subject     string             `db:"subject"`
		Told        sql.NullInt64      `db:"messaging_limit"`
		Wave        int                `db:"wave"`
		WaveOverAt  sql.NullInt64      `db:"wave_over_at"`
	}
	home := s.attached()
	err := tx.SelectContext(ctx, &rows, `SELECT r.state, r.kind, i.halted_at, i.quarantined_at, h.seq, COALESCE(b.kind, '') AS breaker, COALESCE(b.subject, '') AS subject,
		i.messaging_limit, r.wave, r.wave_over_at
		FROM runs r CROSS JOIN instance i LEFT JOIN homes h ON h.home_id = $2 LEFT JOIN breakers b ON b.closed_at IS NULL WHERE r.run_id = $1`, run.ID, home.id)
	if err != nil {
		return fmt.Errorf("reading the run: %w", err)
	}
	f.open = len(rows) > 0 // one for each open breaker, or one
	if f.open {
		f.told = rows[0].Told
		if waves := len(run.Ask.Waves); waves > 0 {
			f.wavesAt = policy.WavesAt(waves, rows[0].Wave, whenever(rows[0].WaveOverAt), f.now.time())
		}
	}
	for _, row := range rows {
		run.Kind = row.Kind
		stopped := row.Breaker != "" && sender.Breaker{Kind: row.Breaker, Subject: row.Subject}.Stops(run)
		f.open = f.open && !stopped && !row.Halted.Valid && !row.Quarantined.Valid && home.stands(row.Seq) &&
			(row.State == scheduler.Running || row.State == scheduler.Planning)
	}
	f.status, err = s.templateFacts(ctx, tx, run.Message.Template)
	return err
}

func (s *Store) readStanding(ctx context.Context, tx *sqlx.Tx, run sender.Run, gates []sender.GateRow, t trust, f *gateFacts) error {
	if t == believe && f.open {
		for i := range gates {
			f.standing[gates[i].PersonID] = standing{state: sender.Queued}
		}
		return nil
	}
	var rows []struct {
		PersonID  []byte       `db:"person_id"`
		State     sender.State `db:"state"`
		AttemptID []byte       `db:"attempt_id"`
	}
	b := s.dialect.newBatch()
	for i := range gates {
		b.row().str(run.ID).bytes(gates[i].PersonID[:])
	}
	if err := s.queries.gateRows.read(ctx, tx, &rows, &b); err != nil {
		return fmt.Errorf("reading deliveries: %w", err)
	}
	for _, r := range rows {
		at := standing{state: r.State}
		if len(r.AttemptID) == len(at.attempt) {
			at.attempt, at.had = sender.AttemptID(r.AttemptID), true
		}
		f.standing[policy.PersonID(r.PersonID)] = at
	}
	return nil
}

// longestCap is how far back sends still matter.
func longestCap(rules policy.Rules) time.Duration {
	longest := time.Duration(0)
	for _, c := range rules.Caps {
		longest = max(longest, c.Per)
	}
	return longest
}

// judge answers for each row; prices are those of the rows that it lets through, nil when the run has no price list.
func judge(run sender.Run, rows []sender.GateRow, f gateFacts) (answers []sender.GateAnswer, prices []listed) {
	answers = make([]sender.GateAnswer, len(rows))
	if run.Rules.Rates != nil {
		prices = make([]listed, len(rows))
	}
	run.Ask.WavesAt = f.wavesAt
	for i, row := range rows {
		at := f.standing[row.PersonID]
		switch {
		case at.state == sender.Sending && at.had && at.attempt == row.AttemptID:
			// This very gate committed before and its answer was lost.
			answers[i] = sender.GateAnswer{State: sender.Sending, Decision: policy.Decision{Verdict: policy.Allow}}
			continue
		case at.state == sender.Sending:
			// Another attempt's: to answer with the row's state would let it be posted twice.
			answers[i] = sender.GateAnswer{}
			continue
		case at.state != sender.Queued || !f.open:
			answers[i] = sender.GateAnswer{State: at.state}
			continue
		}
		facts := f.of(&run, row, policy.Message{})
		decision := policy.DecideWithin(run.Rules, facts, sender.BeginWithin)
		answers[i] = sender.GateAnswer{State: landing(decision), Decision: decision}
		if prices != nil && decision.Verdict == policy.Allow {
			price, known := policy.PriceOf(&run.Rules, &facts, facts.Now)
			prices[i] = listed{price, known, facts.Message.TemplateKind}
			f.spent += price
		}
	}
	return answers, prices
}

// of is what policy is asked about a queued row with. Of the message only what is known of the limit is told it.
func (f *gateFacts) of(run *sender.Run, row sender.GateRow, m policy.Message) policy.Facts {
	template, found := f.status[languageKey(row.Language)]
	m.InAudience, m.MissingParameter = true, row.Missing
	m.TemplateFound, m.TemplateStatus, m.TemplateKind = found, template.status, template.kind
	return policy.Facts{Now: f.now.time(), Ask: run.Ask, Person: *f.people[row.PersonID], Message: m}
}

// landing is the state that a decision leads a queued row to.
func landing(d policy.Decision) sender.State {
	switch {
	case d.Verdict == policy.Allow:
		return sender.Sending
	case d.Verdict == policy.Defer:
		return sender.Queued
	case d.Reason.Expires():
		return sender.Expired
	}
	return sender.Skipped
}

func (s *Store) moveGated(ctx context.Context, tx *sqlx.Tx, run sender.Run, rows []sender.GateRow, answers []sender.GateAnswer, prices []listed, f gateFacts) error {
	letThrough, leaving := s.queries.gateAllow, policy.Micros(0)
	if prices != nil {
		letThrough = s.queries.gateAllowPriced
	}
	allow, refuse, wait := s.dialect.newBatch(), s.dialect.newBatch(), s.dialect.newBatch()
	for i, row := range rows {
		at, answer := f.standing[row.PersonID], answers[i]
		if at.state != sender.Queued || !f.open {
			continue
		}
		switch {
		case answer.State == sender.Sending:
			allow.row().str(run.ID).bytes(row.PersonID[:]).str(string(sender.Queued)).bytes(row.AttemptID[:]).str(row.Language).
				when(instant(f.people[row.PersonID].Consents[run.Ask.Category].Event))
			if prices != nil {
				prices[i].add(&allow, run.Ask.Budget != nil && !run.Ask.Test)
				leaving += prices[i].price
			}
		case answer.State == sender.Queued:
			wait.row().str(run.ID).bytes(row.PersonID[:]).str(string(sender.Queued)).str(string(answer.Decision.Reason)).num(int64(soonest(answer.Decision.Until, f.now)))
		default:
			refuse.row().str(run.ID).bytes(row.PersonID[:]).str(string(sender.Queued)).str(string(answer.State)).str(string(answer.Decision.Reason))
		}
	}
	for _, move := range []struct {
		query statement
		rows  *batch
	}{{s.queries.gateRefuse, &refuse}, {s.queries.gateDefer, &wait}, {letThrough, &allow}} {
		if err := moveAll(ctx, tx, move.query, move.rows, f.now); err != nil {
			return err
		}
	}
	if allow.rows == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, "UPDATE runs SET started_at = $2 WHERE run_id = $1 AND started_at IS NULL", run.ID, f.now)
	if err != nil {
		return fmt.Errorf("noting the start: %w", err)
	}
	return spend(ctx, tx, run, leaving)
}

// moveAll moves every row of the batch, or none of the transaction.
func moveAll(ctx context.Context, tx *sqlx.Tx, query statement, rows *batch, now instant) error {
	if rows.rows == 0 {
		return nil
	}
	done, err := query.exec(ctx, tx, rows, now)
	if err != nil {
		return fmt.Errorf("moving rows: %w", err)
	}
	moved, err := done.RowsAffected()
	if err != nil {
		return fmt.Errorf("moving rows: %w", err)
	}
	if int(moved) != rows.rows {
		return fmt.Errorf("%w: %d of %d were still queued", errNotQueued, moved, rows.rows)
	}
	return nil
}

// soonest is the instant of a deferral's end, never before now: a row must not look due before it is.
func soonest(until time.Time, now instant) instant { return max(at(until), now+1) }
