package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/sender"
)

// Record stores how attempts ended, each fenced by its attempt: an outcome whose attempt the row no longer has changes nothing.
func (s *Store) Record(ctx context.Context, outcomes []sender.Outcome) error {
	outcomes = slices.SortedFunc(slices.Values(outcomes), func(a, b sender.Outcome) int {
		return cmp.Or(strings.Compare(a.RunID, b.RunID), comparePersons(a.PersonID, b.PersonID))
	})
	err := s.inTx(ctx, func(tx *sqlx.Tx) error { return s.record(ctx, tx, outcomes) })
	if err == nil || len(outcomes) == 1 || ctx.Err() != nil || s.dialect.retryable(err) {
		return wrapRecord(err)
	}
	// One outcome that cannot be stored must not lose the others.
	var failure error
	for i := range outcomes {
		if one := s.inTx(ctx, func(tx *sqlx.Tx) error { return s.record(ctx, tx, outcomes[i:i+1]) }); one != nil {
			failure = one
		}
	}
	return wrapRecord(failure)
}

func wrapRecord(err error) error {
	if err != nil {
		return fmt.Errorf("recording outcomes: %w", err)
	}
	return nil
}

func (s *Store) record(ctx context.Context, tx *sqlx.Tx, outcomes []sender.Outcome) error {
	now, err := s.dialect.now(ctx, tx)
	if err != nil {
		return err
	}
	counts, err := s.attemptCounts(ctx, tx, outcomes)
	if err != nil {
		return err
	}
	var taken, refused []heard
	unsent := s.dialect.newBatch()
	back, past, unknown, wamids, messages, answers := s.dialect.newBatch(), s.dialect.newBatch(), s.dialect.newBatch(), s.dialect.newBatch(), s.dialect.newBatch(), s.dialect.newBatch()
	for _, o := range outcomes {
		if returned, ok := sender.After(o.Result, counts[o.AttemptID]); ok && !returned.Ends {
			addBack(&back, o, returned)
			past.row().bytes(o.AttemptID[:])
			unsent.row().str(o.RunID).bytes(o.PersonID[:]).bytes(o.AttemptID[:])
			continue
		}
		switch o.Result.Fate {
		case sender.Taken, sender.TakenHeld:
			state := sender.Accepted
			if o.Result.Fate == sender.TakenHeld {
				state = sender.Held
			}
			taken = append(taken, heard{attempt: &o.AttemptID, heardAt: now, wamid: o.Result.WAMID, state: state, at: now})
			answers.row().str(o.RunID).bytes(o.PersonID[:]).str(string(sender.Sending)).str(string(state)).strOrNull(o.Result.WAMID).bytes(o.AttemptID[:])
		case sender.Refused:
			refused = append(refused, heard{attempt: &o.AttemptID, heardAt: now, state: sender.Failed, at: now, err: o.Result.Err})
		default:
			unknown.row().str(o.RunID).bytes(o.PersonID[:]).str(string(sender.Sending)).bytes(o.AttemptID[:])
		}
		if o.Result.WAMID != "" {
			wamids.row().str(o.Result.WAMID)
			messages.row().str(o.Result.WAMID).str(o.RunID).bytes(o.PersonID[:])
		}
	}
	if err := s.addMessages(ctx, tx, &messages); err != nil {
		return err
	}
	done, err := s.recordAnswers(ctx, tx, now, &answers)
	if err != nil {
		return err
	}
	if !done {
		// Some were overtaken by a webhook or settled as unknown: all go the long way, which changes nothing twice.
		refused = append(refused, taken...)
	}
	if _, _, err := s.applyHeard(ctx, tx, now, refused); err != nil {
		return err
	}
	if back.rows > 0 {
		if _, err := s.queries.recordBack.exec(ctx, tx, &back, now); err != nil {
			return fmt.Errorf("giving messages back: %w", err)
		}
		if _, err := s.queries.pastAttempts.exec(ctx, tx, &past, now); err != nil {
			return fmt.Errorf("noting attempts that were given back: %w", err)
		}
	}
	if unknown.rows > 0 {
		if _, err := s.queries.recordUnknown.exec(ctx, tx, &unknown, now); err != nil {
			return fmt.Errorf("marking unknown messages: %w", err)
		}
		if _, err := s.queries.addUnsettled.exec(ctx, tx, &unknown); err != nil {
			return fmt.Errorf("noting unknown messages: %w", err)
		}
	}
	if err := s.applyEarly(ctx, tx, now, &wamids); err != nil {
		return err
	}
	if unsent.rows == 0 {
		return nil
	}
	return s.unspend(ctx, tx, &unsent)
}

// recordAnswers writes Meta's yes to messages whose rows stand where the gate left them, nearly always all of them.
func (s *Store) recordAnswers(ctx context.Context, tx *sqlx.Tx, now instant, answers *batch) (all bool, err error) {
	if answers.rows == 0 {
		return true, nil
	}
	done, err := s.queries.recordAnswers.exec(ctx, tx, answers, now)
	if err != nil {
		return false, fmt.Errorf("recording answers: %w", err)
	}
	written, err := done.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("recording answers: %w", err)
	}
	return int(written) == answers.rows, nil
}

func addBack(back *batch, o sender.Outcome, returned sender.Return) {
	refund := int64(0)
	if returned.Refund {
		refund = 1
	}
	back.row().str(o.RunID).bytes(o.PersonID[:]).bytes(o.AttemptID[:]).num(returned.Wait.Microseconds()).num(refund)
	if e := o.Result.Err; e != nil {
		back.num(int64(e.Code)).str(e.Title).str(e.Details)
		return
	}
	back.null().null().null()
}

// attemptCounts reads how many attempts the deliveries have had, for those outcomes whose consequence depends on it.
func (s *Store) attemptCounts(ctx context.Context, tx *sqlx.Tx, outcomes []sender.Outcome) (map[sender.AttemptID]int, error) {
	if !slices.ContainsFunc(outcomes, func(o sender.Outcome) bool { _, ok := sender.After(o.Result, 1); return ok }) {
		return nil, nil
	}
	b := s.dialect.newBatch()
	for _, o := range outcomes {
		b.row().bytes(o.AttemptID[:])
	}
	var rows []deliveryRow
	if err := s.queries.statusByAttempt.read(ctx, tx, &rows, &b); err != nil {
		return nil, fmt.Errorf("counting attempts: %w", err)
	}
	counts := make(map[sender.AttemptID]int, len(rows))
	for _, r := range rows {
		counts[sender.AttemptID(r.AttemptID)] = r.Attempts
	}
	return counts, nil
}
