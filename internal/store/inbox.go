package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// Store stores everything that the bodies say in one transaction, the stops first. stopped are the persons to whom
// something may no longer be sent, also when that was so before: a duplicate must wait for what is in flight as the first did.
func (s *Store) Store(ctx context.Context, bodies []sender.Inbox) (stopped []policy.PersonID, err error) {
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		var acts []policy.Act
		for _, body := range bodies {
			acts = append(acts, body.Acts...)
		}
		if stopped, err = s.applyActs(ctx, tx, now, acts); err != nil {
			return err
		}
		var statuses []sender.Status
		var replies []sender.Reply
		var wishes []sender.Wish
		var nods []sender.Nod
		for _, body := range bodies {
			statuses, replies = append(statuses, body.Statuses...), append(replies, body.Replies...)
			wishes, nods = append(wishes, body.Wishes...), append(nods, body.Nods...)
			if err := s.updateTemplates(ctx, tx, now, body.Templates); err != nil {
				return err
			}
			if err := s.applyNews(ctx, tx, now, body.Account); err != nil {
				return err
			}
			if body.Limit != nil {
				if err := tellLimit(ctx, tx, *body.Limit); err != nil {
					return err
				}
			}
			if err := s.keepBody(ctx, tx, now, body); err != nil {
				return err
			}
			if err := s.applyCodes(ctx, tx, now, body.Codes); err != nil {
				return err
			}
		}
		if err := s.applyReplies(ctx, tx, now, replies); err != nil {
			return err
		}
		if err := s.applyNods(ctx, tx, now, nods); err != nil {
			return err
		}
		if err := s.applyWishes(ctx, tx, now, wishes); err != nil {
			return err
		}
		people, err := s.applyStatuses(ctx, tx, now, statuses)
		stopped = append(stopped, people...)
		if err != nil {
			return err
		}
		return s.hear(ctx, tx, now)
	})
	if err != nil {
		return nil, fmt.Errorf("storing %d webhook bodies: %w", len(bodies), err)
	}
	return stopped, nil
}

func (s *Store) keepBody(ctx context.Context, tx *sqlx.Tx, now instant, body sender.Inbox) error {
	if body.Body == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO webhooks (body_hash, received_at, body) VALUES ($1, $2, $3) ON CONFLICT (body_hash) DO NOTHING",
		body.BodyHash[:], now, string(bytes.ToValidUTF8(bytes.ReplaceAll(body.Body, []byte{0}, nil), []byte("\uFFFD"))))
	if err != nil {
		return fmt.Errorf("keeping a webhook body: %w", err)
	}
	return nil
}

func (s *Store) applyStatuses(ctx context.Context, tx *sqlx.Tx, now instant, statuses []sender.Status) (stopped []policy.PersonID, err error) {
	if statuses, err = s.answerStatuses(ctx, tx, statuses); err != nil || len(statuses) == 0 {
		return nil, err
	}
	reports := make([]heard, len(statuses))
	for i, status := range statuses {
		reports[i] = s.heardStatus(status, now)
	}
	strangers, stopped, err := s.applyHeard(ctx, tx, now, reports)
	if err != nil {
		return nil, err
	}
	if err := s.noteOrphans(ctx, tx, now, strangers); err != nil {
		return nil, err
	}
	return stopped, s.keepEarly(ctx, tx, now, strangers)
}

// applyActs does what people asked for and returns those who are now suppressed.
func (s *Store) applyActs(ctx context.Context, tx *sqlx.Tx, now instant, acts []policy.Act) ([]policy.PersonID, error) {
	people := make([][]policy.PersonID, len(acts))
	if len(acts) == 0 {
		return nil, nil
	}
	if _, err := s.nextChange(ctx, tx); err != nil {
		return nil, err
	}
	var all []policy.PersonID
	for i, act := range acts {
		var err error
		if people[i], err = s.peopleOf(ctx, tx, now, act.Identity, act.ContextWAMID); err != nil {
			return nil, err
		}
		all = append(all, people[i]...)
	}
	// All of them at once and in key order, as the gate does: two transactions never hold what the other waits for.
	if err := s.lockPersons(ctx, tx, now, distinct(all)); err != nil {
		return nil, err
	}
	if err := s.keepEarlyActs(ctx, tx, now, acts); err != nil {
		return nil, err
	}
	var stopped []policy.PersonID
	for i, act := range acts {
		people := people[i]
		switch act.Kind {
		case policy.ActStop:
			if err := s.suppressPersons(ctx, tx, now, act, people, s.identifiers(act.Identity)); err != nil {
				return nil, err
			}
			if err := settleReview(ctx, tx, act, people); err != nil {
				return nil, err
			}
			stopped = append(stopped, people...)
		case policy.ActStart, policy.ActResume:
			people, err := s.speaker(ctx, tx, act, people)
			if err != nil {
				return nil, err
			}
			if err := s.lift(ctx, tx, act, people); err != nil {
				return nil, err
			}
			if err := settleReview(ctx, tx, act, people); err != nil {
				return nil, err
			}
		case policy.ActReview:
			if err := askReview(ctx, tx, act, people); err != nil {
				return nil, err
			}
			stopped = append(stopped, people...)
		}
	}
	return stopped, nil
}

// speaker is whose stops an act takes back: where its identifiers name several persons, the one whose number it came from. A stop of
// the others is not theirs to take back.
func (s *Store) speaker(ctx context.Context, tx *sqlx.Tx, act policy.Act, people []policy.PersonID) ([]policy.PersonID, error) {
	if len(people) < 2 {
		return people, nil
	}
	if act.Identity.Phone == "" {
		return nil, nil
	}
	name := s.phoneIdentifier(act.Identity.Phone)
	owned, err := s.owners(ctx, tx, []identifier{name})
	if err != nil {
		return nil, err
	}
	return []policy.PersonID{owned[key16(name.hash)]}, nil
}

// peopleOf finds, or makes, the persons whom an inbound message is from: by its identifiers, and by the message of ours that it answers.
func (s *Store) peopleOf(ctx context.Context, tx *sqlx.Tx, now instant, identity policy.Identity, answers string) ([]policy.PersonID, error) {
	var people []policy.PersonID
	if answers != "" {
		var ids [][]byte
		if err := tx.SelectContext(ctx, &ids, "SELECT DISTINCT person_id FROM messages WHERE wamid = $1", answers); err != nil {
			return nil, fmt.Errorf("finding the message that was answered: %w", err)
		}
		for _, id := range ids {
			people = append(people, policy.PersonID(id))
		}
	}
	if len(people) == 1 {
		// The message went to one person: a new identifier in the answer is theirs.
		names := s.identifiers(identity)
		wanted := make(map[key16]policy.PersonID, len(names))
		for _, n := range names {
			wanted[key16(n.hash)] = people[0]
		}
		owned, err := s.claim(ctx, tx, now, names, wanted)
		if err != nil {
			return nil, err
		}
		for _, person := range owned {
			people = append(people, person)
		}
	} else {
		resolved, err := s.resolve(ctx, tx, now, identity)
		if err != nil {
			return nil, err
		}
		people = append(people, resolved...)
	}
	return distinct(people), nil
}

// distinct sorts persons by key and drops repetitions.
func distinct(people []policy.PersonID) []policy.PersonID {
	slices.SortFunc(people, comparePersons)
	return slices.Compact(people)
}

// lockPersons takes the lock rows that the gate takes: a stop and a gate of one person follow one another.
func (s *Store) lockPersons(ctx context.Context, tx *sqlx.Tx, now instant, people []policy.PersonID) error {
	if len(people) == 0 {
		return nil
	}
	var locked []personRow
	if err := s.queries.lock.read(ctx, tx, &locked, s.batchOf(people), now); err != nil {
		return fmt.Errorf("locking persons: %w", err)
	}
	return nil
}

func (s *Store) batchOf(people []policy.PersonID) *batch {
	b := s.dialect.newBatch()
	for _, p := range people {
		b.row().bytes(p[:])
	}
	return &b
}

// suppressPersons writes a stop for every identifier of the persons and closes their queued deliveries that it covers.
func (s *Store) suppressPersons(ctx context.Context, tx *sqlx.Tx, now instant, act policy.Act, people []policy.PersonID, also []identifier) error {
	names := slices.Clone(also)
	if len(people) > 0 {
		known, err := s.identifiersOf(ctx, tx, people)
		if err != nil {
			return err
		}
		names = append(names, known...)
	}
	if len(names) == 0 {
		return nil
	}
	slices.SortFunc(names, func(a, b identifier) int { return bytes.Compare(a.hash, b.hash) })
	names = slices.CompactFunc(names, func(a, b identifier) bool { return bytes.Equal(a.hash, b.hash) })
	b := s.dialect.newBatch()
	for _, n := range names {
		b.row().bytes(n.hash).str(string(act.Scope)).str(string(act.Origin)).str(n.value).str(act.Text).str(act.MessageID).num(int64(at(act.At)))
	}
	change, err := s.nextChange(ctx, tx)
	if err != nil {
		return err
	}
	if _, err := s.queries.suppress.exec(ctx, tx, &b, now, change); err != nil {
		return fmt.Errorf("writing a suppression: %w", err)
	}
	stops, err := s.applyLifts(ctx, tx, people)
	if err != nil {
		return err
	}
	return s.closeWaiting(ctx, tx, now, act.Scope, heldBack(stops, act))
}

func (s *Store) identifiersOf(ctx context.Context, tx *sqlx.Tx, people []policy.PersonID) ([]identifier, error) {
	var rows []struct {
		Hash  []byte         `db:"hash"`
		Kind  identifierKind `db:"kind"`
		Value string         `db:"value"`
	}
	if err := s.queries.identifiersOf.read(ctx, tx, &rows, s.batchOf(people)); err != nil {
		return nil, fmt.Errorf("reading identifiers: %w", err)
	}
	names := make([]identifier, len(rows))
	for i, r := range rows {
		names[i] = identifier{r.Kind, r.Value, r.Hash}
	}
	return names, nil
}

// applyReplies notes who wrote and until when they may be answered, marks the delivery that they answered, and keeps what the business
// is to read.
func (s *Store) applyReplies(ctx context.Context, tx *sqlx.Tx, now instant, replies []sender.Reply) error {
	latest, open := map[policy.PersonID]instant{}, map[windowKey]instant{}
	everybody := make([][]policy.PersonID, len(replies))
	for i, r := range replies {
		from, err := s.peopleOf(ctx, tx, now, r.Identity, r.ContextWAMID)
		if err != nil {
			return err
		}
		everybody[i] = from
		for _, person := range from {
			latest[person] = max(latest[person], at(r.At))
			if r.Opens && r.NumberID != "" {
				key := windowKey{person, r.NumberID}
				open[key] = max(open[key], min(at(r.At), now)+instant(sender.Window.Microseconds()))
			}
		}
		if err := markAnswered(ctx, tx, now, r, from); err != nil {
			return err
		}
	}
	if err := writePersons(ctx, tx, s.queries.markReplied, s.dialect.newBatch(), latest); err != nil {
		return fmt.Errorf("noting replies: %w", err)
	}
	if err := s.openWindows(ctx, tx, open); err != nil {
		return err
	}
	return s.keepReplies(ctx, tx, now, replies, everybody)
}

// answersWithin is how long after a message an inbound one that quotes nothing still counts as its answer.
const answersWithin = 7 * 24 * time.Hour

// markAnswered notes the reply on the delivery that it quotes, or else on the last message that the person was sent.
func markAnswered(ctx context.Context, tx *sqlx.Tx, now instant, r sender.Reply, from []policy.PersonID) error {
	const earlier = "(replied_at IS NULL OR replied_at > $2)"
	if r.ContextWAMID != "" {
		if _, err := tx.ExecContext(ctx, "UPDATE deliveries SET replied_at = $2, changed_at = $3 WHERE (run_id, person_id) IN (SELECT m.run_id, m.person_id FROM messages m WHERE m.wamid = $1) AND "+earlier, r.ContextWAMID, at(r.At), now); err != nil {
			return fmt.Errorf("noting a reply: %w", err)
		}
		return nil
	}
	for _, person := range from {
		var runs []string
		err := tx.SelectContext(ctx, &runs, "SELECT run_id FROM deliveries WHERE person_id = $1 AND sending_at > $2 AND sending_at <= $3 ORDER BY sending_at DESC LIMIT 1",
			person[:], at(r.At.Add(-answersWithin)), at(r.At.Add(time.Second)))
		if err != nil {
			return fmt.Errorf("finding what was answered: %w", err)
		}
		for _, run := range runs {
			if _, err := tx.ExecContext(ctx, "UPDATE deliveries SET replied_at = $2, changed_at = $4 WHERE run_id = $1 AND person_id = $3 AND "+earlier, run, at(r.At), person[:], now); err != nil {
				return fmt.Errorf("noting a reply: %w", err)
			}
		}
	}
	return nil
}

// inFlightFor is how far back a row in sending can still begin its POST: the gate's one second, and room for two clocks.
const inFlightFor = 10 * time.Second

// InFlight reports whether a delivery of any of these persons is between its gate and its outcome.
func (s *Store) InFlight(ctx context.Context, people []policy.PersonID) (bool, error) {
	if len(people) == 0 {
		return false, nil
	}
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return true, fmt.Errorf("reading the clock: %w", err)
	}
	var n int
	if err := s.read.GetContext(ctx, &n, s.queries.inFlight.text, s.queries.inFlight.args(s.batchOf(people), at(now.time().Add(-inFlightFor)))...); err != nil {
		return true, fmt.Errorf("reading deliveries in flight: %w", err)
	}
	return n > 0, nil
}
