package store

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

const (
	// confirmAfter is how long after its stop a confirmation leaves: the webhook has had its 200 by then, and nothing else to the
	// person can begin any more.
	confirmAfter = 1500 * time.Millisecond
	// againAfter is how soon the same wish is granted again: two programs that answer each other must not go on for ever.
	againAfter = time.Minute
	// answersPage bounds how many answers are read at once.
	answersPage = 50
	// answerTries is how often an answer that Meta refused for the moment is posted.
	answerTries = 4
	// answerSettled is when an answer whose outcome nobody kept counts as unknown: longer than any outcome is kept trying.
	answerSettled = 2 * time.Minute
	// answersKept outlasts all that Meta says of a message, and all that anybody may say to a question.
	answersKept = 35 * 24 * time.Hour
)

// openWindows notes until when free-form text may be sent to who wrote. An end only grows.
func (s *Store) openWindows(ctx context.Context, tx *sqlx.Tx, open map[windowKey]instant) error {
	if len(open) == 0 {
		return nil
	}
	keys := make([]windowKey, 0, len(open))
	for key := range open {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b windowKey) int {
		return cmp.Or(comparePersons(a.person, b.person), strings.Compare(a.number, b.number))
	})
	b := s.dialect.newBatch()
	for _, key := range keys {
		b.row().bytes(key.person[:]).str(key.number).num(int64(open[key]))
	}
	if _, err := s.queries.openWindows.exec(ctx, tx, &b); err != nil {
		return fmt.Errorf("noting open windows: %w", err)
	}
	return nil
}

type windowKey struct {
	person policy.PersonID
	number string
}

// messageKey names an inbound message for one purpose: Meta's own id has the person's number in it.
func (s *Store) messageKey(purpose, message string) []byte {
	mac := hmac.New(sha256.New, s.hashKey)
	mac.Write([]byte(purpose + "\x00" + message))
	return mac.Sum(nil)[:16]
}

// answerPast is an answer that was asked for before.
type answerPast struct {
	PersonID []byte            `db:"person_id"`
	Kind     sender.AnswerKind `db:"kind"`
	Scope    policy.Scope      `db:"scope"`
	State    string            `db:"state"`
	AskedAt  instant           `db:"asked_at"`
}

// applyWishes has the messages answered that ask for it, in the transaction that stores them. The acts of the same bodies are in
// force by now.
func (s *Store) applyWishes(ctx context.Context, tx *sqlx.Tx, now instant, wishes []sender.Wish) error {
	if len(wishes) == 0 {
		return nil
	}
	names := make([]identifier, len(wishes))
	var known []identifier
	for i, w := range wishes {
		if ids := s.identifiers(w.Identity); len(ids) > 0 && w.NumberID != "" && w.MessageID != "" {
			names[i] = ids[0]
			known = append(known, ids[0])
		}
	}
	owned, err := s.owners(ctx, tx, known)
	if err != nil {
		return err
	}
	var people []policy.PersonID
	for _, person := range owned {
		people = append(people, person)
	}
	people = distinct(people)
	stops, err := s.stopsOf(ctx, tx, people)
	if err != nil {
		return err
	}
	var past []answerPast
	if err := s.queries.answersPast.read(ctx, tx, &past, s.batchOf(people), now-instant(answersKept.Microseconds())); err != nil {
		return fmt.Errorf("reading earlier answers: %w", err)
	}
	b := s.dialect.newBatch()
	for i, w := range wishes {
		person, found := owned[key16(names[i].hash)]
		asked := min(at(w.At), now)
		late := sender.Answer{Kind: w.Kind, AskedAt: asked.time()}.Late(now.time())
		if !found || late || !grants(w, person, asked, stops, past) {
			continue
		}
		due := now
		if w.Kind == sender.Confirmation {
			due += instant(confirmAfter.Microseconds())
		}
		id := sender.NewAnswerID(now.time())
		b.row().bytes(id[:]).bytes(s.messageKey("answer "+string(w.Kind), w.MessageID)).bytes(person[:]).bytes(names[i].hash).str(w.NumberID).
			str(string(w.Kind)).str(string(w.Scope)).str(w.Language).str(w.MessageID).num(int64(asked)).num(int64(due))
		past = append(past, answerPast{PersonID: person[:], Kind: w.Kind, Scope: w.Scope, State: "queued", AskedAt: asked})
	}
	if b.rows == 0 {
		return nil
	}
	if _, err := s.queries.addAnswers.exec(ctx, tx, &b); err != nil {
		return fmt.Errorf("noting what is to be answered: %w", err)
	}
	return nil
}

// grants reports whether a wish is one more, and not the same again: a stop is confirmed once until the person took it back, and none
// is confirmed below one of everything.
func grants(w sender.Wish, person policy.PersonID, asked instant, stops []stopRow, past []answerPast) bool {
	if w.Kind == sender.Confirmation {
		held, _ := ownStop(stops, person, w.Scope)
		return held && !slices.ContainsFunc(past, func(p answerPast) bool {
			_, lifted := ownStop(stops, person, p.Scope)
			return policy.PersonID(p.PersonID) == person && p.Kind == w.Kind && p.State != "dropped" && p.AskedAt > lifted && (p.Scope == w.Scope || p.Scope == policy.ScopeAll)
		})
	}
	return !slices.ContainsFunc(past, func(p answerPast) bool {
		return p.is(w, person) && asked.time().Sub(p.AskedAt.time()).Abs() < againAfter
	})
}

// ownStop reports whether a stop of the person's own of that scope holds, and when it was last taken back.
func ownStop(stops []stopRow, person policy.PersonID, scope policy.Scope) (held bool, lifted instant) {
	for _, stop := range stops {
		if policy.PersonID(stop.PersonID) == person && stop.Scope == scope && stop.Origin.LiftedByPerson() {
			held, lifted = held || stop.active(), max(lifted, stop.LiftedAt)
		}
	}
	return held, lifted
}

func (p answerPast) is(w sender.Wish, person policy.PersonID) bool {
	return policy.PersonID(p.PersonID) == person && p.Kind == w.Kind && p.Scope == w.Scope && p.State != "dropped"
}

// DueAnswers returns what a number is to answer now, the oldest first, without words.
func (s *Store) DueAnswers(ctx context.Context, numberID string) ([]sender.Answer, error) {
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return nil, fmt.Errorf("reading the clock: %w", err)
	}
	var rows []struct {
		ID       []byte            `db:"answer_id"`
		PersonID []byte            `db:"person_id"`
		Kind     sender.AnswerKind `db:"kind"`
		Scope    policy.Scope      `db:"scope"`
		Language string            `db:"language"`
		AskedAt  instant           `db:"asked_at"`
		NameKind string            `db:"name_kind"`
		Name     string            `db:"name"`
		Reads    string            `db:"reads"`
	}
	if err := s.read.SelectContext(ctx, &rows, `SELECT a.answer_id, a.person_id, a.kind, a.scope, a.language, a.asked_at,
		COALESCE(i.kind, '') AS name_kind, COALESCE(i.value, '') AS name, COALESCE(c.language, '') AS reads
		FROM answers a LEFT JOIN identifiers i ON i.hash = a.to_hash LEFT JOIN contacts c ON c.person_id = a.person_id
		WHERE a.number_id = $1 AND a.state = 'queued' AND a.due_at <= $2 ORDER BY a.due_at, a.answer_id LIMIT $3`, numberID, now, answersPage); err != nil {
		return nil, fmt.Errorf("reading what is to be answered: %w", err)
	}
	answers := make([]sender.Answer, len(rows))
	for i, r := range rows {
		answers[i] = sender.Answer{
			ID: sender.AnswerID(r.ID), Kind: r.Kind, PersonID: policy.PersonID(r.PersonID), NumberID: numberID, Scope: r.Scope, Language: r.Language,
			Reads: r.Reads, AskedAt: r.AskedAt.time(),
		}
		switch identifierKind(r.NameKind) {
		case kindPhone:
			answers[i].To.Phone = phone.Number(r.Name)
		case kindUserID, kindParentUserID:
			answers[i].To.UserID = r.Name
		}
	}
	return answers, nil
}

// AdmitAnswer is the gate of an answer: under the lock of its person it reads what may have changed, and moves the answer to sending,
// drops it, or leaves it while sending is held back. Nobody is admitted twice.
func (s *Store) AdmitAnswer(ctx context.Context, a sender.Answer) (admitted bool, readAt time.Time, err error) {
	readAt = time.Now()
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		admitted = false
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		facts, err := s.answerFacts(ctx, tx, now, a)
		if err != nil {
			return err
		}
		if why := a.Refusal(facts); why != "" {
			return dropAnswer(ctx, tx, a.ID, why)
		}
		held, err := s.heldBackNow(ctx, tx, a.NumberID)
		if err != nil {
			return err
		}
		if held {
			_, err := tx.ExecContext(ctx, "UPDATE answers SET due_at = $2 WHERE answer_id = $1 AND state = 'queued'", a.ID[:], now+instant(2*time.Second/time.Microsecond))
			return err
		}
		asked := "" // what was asked is what a yes is a consent to
		if a.Kind == sender.Question {
			asked = storable(a.Text)
		}
		admitted, err = changed(tx.ExecContext(ctx, `UPDATE answers SET state = 'sending', sending_at = $2, attempts = attempts + 1, text = $3, business = $4, language = $5
			WHERE answer_id = $1 AND state = 'queued'`, a.ID[:], now, asked, storable(a.Business), storable(a.Language)))
		if err != nil || !admitted || a.Kind != sender.Question {
			return err
		}
		return s.notePending(ctx, tx, now, a)
	})
	if err != nil {
		return false, readAt, fmt.Errorf("judging answer %s: %w", a.ID, err)
	}
	if admitted {
		s.deeds.Add(1)
	}
	return admitted, readAt, nil
}

func (s *Store) answerFacts(ctx context.Context, tx *sqlx.Tx, now instant, a sender.Answer) (sender.AnswerFacts, error) {
	f := sender.AnswerFacts{Now: now.time()}
	people := []policy.PersonID{a.PersonID}
	var locked []personRow
	if err := s.queries.lock.read(ctx, tx, &locked, s.batchOf(people), now); err != nil {
		return f, fmt.Errorf("locking a person: %w", err)
	}
	for _, row := range locked {
		f.Review = row.ReviewAt.Valid
	}
	stops, err := s.stopsOf(ctx, tx, people)
	if err != nil {
		return f, err
	}
	lifted := instant(0)
	for _, stop := range stops {
		f.Stops = append(f.Stops, policy.Suppression{Scope: stop.Scope, Origin: stop.Origin, At: stop.At.time(), LiftedAt: whenever(sql.NullInt64{Int64: int64(stop.LiftedAt), Valid: stop.LiftedAt > 0})})
		if stop.Scope == a.Scope && stop.Origin.LiftedByPerson() {
			lifted = max(lifted, stop.LiftedAt)
		}
	}
	f.StopsRead = true
	var row struct {
		OpenUntil sql.NullInt64 `db:"open_until"`
		Confirmed int           `db:"confirmed"`
	}
	if err := tx.GetContext(ctx, &row, `SELECT (SELECT w.open_until FROM windows w WHERE w.person_id = $1 AND w.number_id = $2) AS open_until,
		(SELECT count(*) FROM answers o WHERE o.person_id = $1 AND o.asked_at > $3 AND o.kind = 'confirmation' AND o.scope = $4
			AND o.answer_id <> $5 AND o.state IN ('sending', 'sent', 'unknown')) AS confirmed`,
		a.PersonID[:], a.NumberID, lifted, string(a.Scope), a.ID[:]); err != nil {
		return f, fmt.Errorf("reading the window: %w", err)
	}
	f.OpenUntil, f.Confirmed = whenever(row.OpenUntil), row.Confirmed > 0
	return f, nil
}

// heldBackNow reports whether nothing may leave by the number: everything is halted, the database is in quarantine or not the one that
// the process knows, or a breaker of the token, the account or the number is open.
func (s *Store) heldBackNow(ctx context.Context, tx *sqlx.Tx, numberID string) (bool, error) {
	var rows []struct {
		Halted      sql.NullInt64      `db:"halted_at"`
		Quarantined sql.NullInt64      `db:"quarantined_at"`
		Seq         sql.NullInt64      `db:"seq"`
		Breaker     sender.BreakerKind `db:"breaker"`
		Subject     string             `db:"subject"`
	}
	home := s.attached()
	if err := tx.SelectContext(ctx, &rows, `SELECT i.halted_at, i.quarantined_at, h.seq, COALESCE(b.kind, '') AS breaker, COALESCE(b.subject, '') AS subject
		FROM instance i LEFT JOIN homes h ON h.home_id = $1 LEFT JOIN breakers b ON b.closed_at IS NULL`, home.id); err != nil {
		return true, fmt.Errorf("reading what holds sending back: %w", err)
	}
	for _, r := range rows {
		stopped := r.Breaker == sender.BreakToken || r.Breaker == sender.BreakAccount || r.Breaker == sender.BreakNumber && r.Subject == numberID
		if stopped || r.Halted.Valid || r.Quarantined.Valid || !home.stands(r.Seq) {
			return true, nil
		}
	}
	return len(rows) == 0, nil
}

func dropAnswer(ctx context.Context, q sqlx.ExecerContext, id sender.AnswerID, why string) error {
	_, err := q.ExecContext(ctx, "UPDATE answers SET state = 'dropped', reason = $2 WHERE answer_id = $1 AND state = 'queued'", id[:], why)
	return err
}

// DropAnswer ends an answer that nobody has words for.
func (s *Store) DropAnswer(ctx context.Context, id sender.AnswerID, why string) error {
	if err := dropAnswer(ctx, s.write, id, why); err != nil {
		return fmt.Errorf("dropping answer %s: %w", id, err)
	}
	return nil
}

// AnswerEnded keeps what became of an answer that was admitted. One that surely did not leave waits for another try; one whose answer
// was lost is never sent again.
func (s *Store) AnswerEnded(ctx context.Context, id sender.AnswerID, result sender.Result) error {
	const open = " WHERE answer_id = $1 AND state IN ('sending', 'unknown')"
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		switch wait, again := tryAgain(result); {
		case result.Fate == sender.Taken || result.Fate == sender.TakenHeld:
			_, err = tx.ExecContext(ctx, "UPDATE answers SET state = 'sent', wamid = COALESCE(NULLIF($2, ''), wamid)"+open, id[:], result.WAMID)
		case result.Fate == sender.NotSent:
			_, err = tx.ExecContext(ctx, "UPDATE answers SET state = 'queued', due_at = $2, attempts = attempts - 1"+open, id[:], now+instant(wait.Microseconds()))
		case result.Fate == sender.Refused:
			code := refusalCode(result)
			_, err = tx.ExecContext(ctx, `UPDATE answers SET state = CASE WHEN $3 = 1 AND attempts < $4 THEN 'queued' ELSE 'failed' END, due_at = $2, reason = $5`+open,
				id[:], now+instant(wait.Microseconds()), flag(again), answerTries, code)
		default:
			_, err = tx.ExecContext(ctx, "UPDATE answers SET state = 'unknown'"+open, id[:])
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping what became of answer %s: %w", id, err)
	}
	return nil
}

func refusalCode(result sender.Result) string {
	if result.Err == nil {
		return "refused"
	}
	return fmt.Sprintf("%d", result.Err.Code)
}

// tryAgain says how long an answer that Meta has not taken waits for another try, and whether there is to be one.
func tryAgain(result sender.Result) (wait time.Duration, again bool) {
	if result.Err == nil {
		return 2 * time.Second, true
	}
	switch reaction := result.Err.Reaction; {
	case reaction == sender.Retry, reaction == sender.SlowDown, reaction == sender.PairLimit:
		return max(result.Err.RetryAfter, 8*time.Second), true
	case reaction.Pauses():
		return 30 * time.Second, true
	}
	return 0, false
}

// answerStatuses applies what webhooks say of answers, and returns the statuses that are of others.
func (s *Store) answerStatuses(ctx context.Context, tx *sqlx.Tx, statuses []sender.Status) ([]sender.Status, error) {
	var others []sender.Status
	b, seen := s.dialect.newBatch(), map[sender.AnswerID]int{}
	type word struct {
		wamid           string
		arrived, failed bool
		code            string
	}
	var words []word
	for i, status := range statuses {
		id, ours := sender.ParseAnswerCallback(s.instance, status.Callback)
		if !ours {
			if others != nil {
				others = append(others, status)
			}
			continue
		}
		if others == nil {
			others = append(make([]sender.Status, 0, len(statuses)), statuses[:i]...)
		}
		at, twice := seen[id]
		if !twice {
			at = len(words)
			seen[id], words = at, append(words, word{})
		}
		w := &words[at]
		w.wamid = cmp.Or(w.wamid, status.WAMID)
		w.arrived = w.arrived || status.State == sender.Delivered || status.State == sender.Read
		w.failed = w.failed || status.State == sender.Failed
		if status.Err != nil {
			w.code = fmt.Sprintf("%d", status.Err.Code)
		}
	}
	if len(words) == 0 {
		return statuses, nil
	}
	ids := make([]sender.AnswerID, 0, len(words))
	for id := range seen {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b sender.AnswerID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range ids {
		w, went := words[seen[id]], int64(1)
		switch {
		case w.arrived:
			went = 2
		case w.failed:
			went = 0
		}
		b.row().bytes(id[:]).strOrNull(w.wamid).num(went).str(w.code)
	}
	if _, err := s.queries.answerStatuses.exec(ctx, tx, &b); err != nil {
		return nil, fmt.Errorf("noting what became of answers: %w", err)
	}
	return others, nil
}

// TidyAnswers calls unknown what nobody kept the outcome of, and lets go of old answers.
func (s *Store) TidyAnswers(ctx context.Context) error {
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return fmt.Errorf("reading the clock: %w", err)
	}
	for _, tidy := range []struct {
		find, do string
		before   time.Duration
	}{
		{"SELECT count(*) FROM answers WHERE state = 'sending' AND sending_at < $1", "UPDATE answers SET state = 'unknown' WHERE state = 'sending' AND sending_at < $1", answerSettled},
		{"SELECT count(*) FROM answers WHERE asked_at < $1", "DELETE FROM answers WHERE asked_at < $1", answersKept},
	} {
		var n int
		before := now - instant(tidy.before.Microseconds())
		if err := s.read.GetContext(ctx, &n, tidy.find, before); err != nil {
			return fmt.Errorf("looking for old answers: %w", err)
		}
		if n == 0 {
			continue // who only looks waits for no writer
		}
		if _, err := s.write.ExecContext(ctx, tidy.do, before); err != nil {
			return fmt.Errorf("tidying answers: %w", err)
		}
	}
	return nil
}
