package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// ErrNoReview says that no text of a number's person waits to be read.
var ErrNoReview = errcode.With(errors.New("no text of this number waits to be read: `permesso reviews list` shows those that do"), errcode.NoReview)

// sourceReview is the source of a stop that somebody read out of a person's own words.
const sourceReview = "review"

// askReview holds marketing to persons until somebody has read their text. Of several texts the latest is kept, and the time
// of the first; one that was judged already, or overtaken by a plain stop or start, asks for nothing.
func askReview(ctx context.Context, tx *sqlx.Tx, act policy.Act, people []policy.PersonID) error {
	for _, person := range people {
		if _, err := tx.ExecContext(ctx, `UPDATE persons SET
			review_text = CASE WHEN review_at IS NULL OR review_last_at IS NULL OR review_last_at <= $2 THEN $3 ELSE review_text END,
			review_last_at = CASE WHEN review_at IS NULL OR review_last_at IS NULL OR review_last_at <= $2 THEN $2 ELSE review_last_at END,
			review_at = CASE WHEN review_at IS NULL OR review_at > $2 THEN $2 ELSE review_at END
			WHERE person_id = $1 AND review_closed_at < $2`, person[:], at(act.At), act.Text); err != nil {
			return fmt.Errorf("asking for a review: %w", err)
		}
	}
	return nil
}

// settleReview closes the reviews that a plain word of the persons answers: texts up to then wait for nobody. A stop or a start
// of one category says nothing about the rest of marketing, which stays held.
func settleReview(ctx context.Context, tx *sqlx.Tx, act policy.Act, people []policy.PersonID) error {
	if act.Scope != policy.ScopeAll && (act.Kind != policy.ActStop || act.Scope != policy.ScopeKind(policy.Marketing)) {
		return nil
	}
	for _, person := range people {
		if err := closeReview(ctx, tx, person, at(act.At)); err != nil {
			return err
		}
	}
	return nil
}

// closeReview judges a person's texts up to an instant; later ones wait on.
func closeReview(ctx context.Context, tx *sqlx.Tx, person policy.PersonID, until instant) error {
	if _, err := tx.ExecContext(ctx, `UPDATE persons SET review_closed_at = $2,
		review_text = CASE WHEN review_last_at <= $2 THEN NULL ELSE review_text END,
		review_at = CASE WHEN review_last_at <= $2 THEN NULL WHEN review_at <= $2 THEN review_last_at ELSE review_at END,
		review_last_at = CASE WHEN review_last_at <= $2 THEN NULL ELSE review_last_at END
		WHERE person_id = $1 AND review_closed_at < $2`, person[:], until); err != nil {
		return fmt.Errorf("closing a review: %w", err)
	}
	return nil
}

type reviewRow struct {
	PersonID []byte  `db:"person_id"`
	At       instant `db:"review_at"`
	LastAt   instant `db:"last_at"`
	Text     string  `db:"review_text"`
	Language string  `db:"language"`
	Campaign string  `db:"campaign"`
}

// Reviews lists the texts that wait to be read, those that have waited longest first. It reads page by page and ends at the first error.
func (s *Store) Reviews(ctx context.Context) iter.Seq2[report.Review, error] {
	return func(yield func(report.Review, error) bool) {
		after, person := instant(-1), []byte{}
		for {
			var rows []reviewRow
			if err := s.read.SelectContext(ctx, &rows, `SELECT p.person_id, p.review_at, COALESCE(p.review_last_at, p.review_at) AS last_at, COALESCE(p.review_text, '') AS review_text,
				COALESCE(c.language, '') AS language, COALESCE((SELECT r.campaign_id FROM deliveries d JOIN runs r ON r.run_id = d.run_id
					WHERE d.person_id = p.person_id AND d.sending_at <= p.review_last_at ORDER BY d.sending_at DESC LIMIT 1), '') AS campaign
				FROM persons p LEFT JOIN contacts c ON c.person_id = p.person_id
				WHERE p.review_at IS NOT NULL AND (p.review_at, p.person_id) > ($1, $2) ORDER BY p.review_at, p.person_id LIMIT $3`, after, person, pageRows); err != nil {
				yield(report.Review{}, fmt.Errorf("reading reviews: %w", err))
				return
			}
			lines, err := s.reviewLines(ctx, rows)
			if err != nil {
				yield(report.Review{}, err)
				return
			}
			for _, line := range lines {
				if !yield(line, nil) {
					return
				}
			}
			if len(rows) < pageRows {
				return
			}
			after, person = rows[len(rows)-1].At, rows[len(rows)-1].PersonID
		}
	}
}

func (s *Store) reviewLines(ctx context.Context, rows []reviewRow) ([]report.Review, error) {
	var people []policy.PersonID
	for _, r := range rows {
		people = append(people, policy.PersonID(r.PersonID))
	}
	slices.SortFunc(people, comparePersons)
	if len(people) == 0 {
		return nil, nil
	}
	names, err := s.namesOf(ctx, people)
	if err != nil {
		return nil, err
	}
	lines := make([]report.Review, len(rows))
	for i, r := range rows {
		name := names[policy.PersonID(r.PersonID)]
		lines[i] = report.Review{
			Phone: name.phone, UserID: name.userID, At: reached(r.At), LastAt: reached(r.LastAt), Text: r.Text, Language: r.Language, Campaign: r.Campaign,
		}
	}
	return lines, nil
}

// CloseReview judges the text of a number's person. With a stop, its words are the person's own opt-out of that scope, from when
// they wrote, and only a later act of theirs lifts it; with "" the hold is released. people are those whom nothing may be
// sent to any more. It is ErrNoReview when nothing waits, and ErrNoReason without a reason.
func (s *Store) CloseReview(ctx context.Context, number phone.Number, stop policy.Scope, reason, actor string) (people []policy.PersonID, err error) {
	if reason = strings.TrimSpace(storable(reason)); reason == "" {
		return nil, ErrNoReason
	}
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		people = nil
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		found, err := s.find(ctx, tx, number)
		if err != nil {
			return err
		}
		if _, err := s.nextChange(ctx, tx); err != nil {
			return err
		}
		if err := s.lockPersons(ctx, tx, now, distinct(found)); err != nil {
			return err
		}
		closed := 0
		for _, person := range found {
			var last []instant
			if err := tx.SelectContext(ctx, &last, "SELECT COALESCE(review_last_at, review_at) FROM persons WHERE person_id = $1 AND review_at IS NOT NULL", person[:]); err != nil {
				return fmt.Errorf("reading a review: %w", err)
			}
			if len(last) == 0 {
				continue
			}
			closed++
			if err := s.judge(ctx, tx, now, person, number, last[0], stop, reason, actor); err != nil {
				return err
			}
			if stop != "" {
				people = append(people, person)
			}
		}
		if closed == 0 {
			return ErrNoReview
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("closing a review: %w", err)
	}
	return people, nil
}

func (s *Store) judge(ctx context.Context, tx *sqlx.Tx, now instant, person policy.PersonID, number phone.Number, last instant, stop policy.Scope, reason, actor string) error {
	entry := report.Audit{Actor: actor, Action: "review.not_a_stop", Subject: person.String(), Details: reason}
	if stop != "" {
		entry.Action, entry.Details = "review.stop", describe(stop, reason)
		act := policy.Act{Kind: policy.ActStop, Scope: stop, Origin: policy.OriginKeyword, At: last.time(), Text: reason, MessageID: sourceReview}
		if err := s.suppressPersons(ctx, tx, now, act, []policy.PersonID{person}, []identifier{s.phoneIdentifier(number)}); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE persons SET review_at = NULL, review_last_at = NULL, review_text = NULL, review_closed_at = $2 WHERE person_id = $1", person[:], last); err != nil {
		return fmt.Errorf("closing a review: %w", err)
	}
	return audit(ctx, tx, now, entry)
}
