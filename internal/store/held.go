package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// Held reads what is on record of a number's person beside the contact, the consents, the stops and the deliveries; ErrUnknownPerson when
// nobody has the number.
func (s *Store) Held(ctx context.Context, number phone.Number) (report.Held, error) {
	people, err := s.peopleNamed(ctx, s.read, policy.Identity{Phone: number})
	if err != nil {
		return report.Held{}, err
	}
	held := report.Held{Person: people[0].String()}
	for _, read := range []func(context.Context, policy.PersonID, *report.Held) error{s.heldPerson, s.heldNames, s.heldTalk, s.heldImports} {
		if err := read(ctx, people[0], &held); err != nil {
			return report.Held{}, fmt.Errorf("reading what is held of a person: %w", err)
		}
	}
	return held, nil
}

func (s *Store) heldPerson(ctx context.Context, person policy.PersonID, held *report.Held) error {
	var row struct {
		Sent      sql.NullInt64  `db:"sent_at"`
		Delivered sql.NullInt64  `db:"delivered_at"`
		Replied   sql.NullInt64  `db:"replied_at"`
		ReviewAt  sql.NullInt64  `db:"review_at"`
		Text      sql.NullString `db:"review_text"`
	}
	if err := s.read.GetContext(ctx, &row, "SELECT sent_at, delivered_at, replied_at, review_at, review_text FROM persons WHERE person_id = $1", person[:]); err != nil {
		return err
	}
	held.SentAt, held.DeliveredAt, held.RepliedAt = report.Time{Time: whenever(row.Sent)}, report.Time{Time: whenever(row.Delivered)}, report.Time{Time: whenever(row.Replied)}
	if row.ReviewAt.Valid {
		held.Review = &report.HeldReview{At: report.Time{Time: whenever(row.ReviewAt)}, Text: row.Text.String}
	}
	return nil
}

func (s *Store) heldNames(ctx context.Context, person policy.PersonID, held *report.Held) error {
	var rows []struct {
		Kind  string  `db:"kind"`
		Value string  `db:"value"`
		Since instant `db:"created_at"`
	}
	if err := s.read.SelectContext(ctx, &rows, "SELECT kind, value, created_at FROM identifiers WHERE person_id = $1 ORDER BY created_at, kind, value", person[:]); err != nil {
		return err
	}
	held.Identifiers = make([]report.Identifier, len(rows))
	for i, r := range rows {
		held.Identifiers[i] = report.Identifier{Kind: r.Kind, Value: r.Value, Since: reached(r.Since)}
	}
	return nil
}

// heldTalk reads what is left of conversations.
func (s *Store) heldTalk(ctx context.Context, person policy.PersonID, held *report.Held) error {
	var windows []struct {
		Number string  `db:"number_id"`
		Until  instant `db:"open_until"`
	}
	if err := s.read.SelectContext(ctx, &windows, "SELECT number_id, open_until FROM windows WHERE person_id = $1 ORDER BY number_id", person[:]); err != nil {
		return err
	}
	held.Windows = make([]report.HeldWindow, len(windows))
	for i, w := range windows {
		held.Windows[i] = report.HeldWindow{Number: w.Number, Until: reached(w.Until)}
	}
	var answers []struct {
		Kind  string  `db:"kind"`
		Scope string  `db:"scope"`
		State string  `db:"state"`
		At    instant `db:"asked_at"`
		Text  string  `db:"text"`
		Said  string  `db:"said"`
	}
	if err := s.read.SelectContext(ctx, &answers, "SELECT kind, scope, state, asked_at, text, said FROM answers WHERE person_id = $1 ORDER BY asked_at, answer_id", person[:]); err != nil {
		return err
	}
	held.Answers = make([]report.HeldAnswer, len(answers))
	for i, a := range answers {
		held.Answers[i] = report.HeldAnswer{Kind: a.Kind, Scope: a.Scope, State: a.State, At: reached(a.At), Text: a.Text, Said: a.Said}
	}
	held.Replies = []string{}
	return s.read.SelectContext(ctx, &held.Replies, "SELECT data FROM replies WHERE person_id = $1 AND data <> '' ORDER BY at, received_at, place", person[:])
}

func (s *Store) heldImports(ctx context.Context, person policy.PersonID, held *report.Held) error {
	var rows []struct {
		ID     string `db:"import_id"`
		File   string `db:"file"`
		Fields string `db:"fields"`
	}
	if err := s.read.SelectContext(ctx, &rows, `SELECT i.import_id, i.file, COALESCE(c.fields, '') AS fields FROM imports i
		JOIN import_changes c ON c.import_id = i.import_id AND c.person_id = $1 ORDER BY i.import_id`, person[:]); err != nil {
		return err
	}
	held.Imports = make([]report.HeldImport, len(rows))
	for i, r := range rows {
		held.Imports[i] = report.HeldImport{ID: r.ID, File: r.File, Changed: r.Fields}
	}
	return nil
}
