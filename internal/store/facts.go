package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/templates"
)

// The readers below take the rows of a gate's batch, or of a planner's key range, and tell the persons they are about.
// Each marks everybody as read only after the whole answer was read: an error leaves the fact missing, and a missing fact refuses.

type suppressionRow struct {
	PersonID []byte        `db:"person_id"`
	Scope    policy.Scope  `db:"scope"`
	Origin   policy.Origin `db:"origin"`
	At       instant       `db:"at"`
	LiftedAt instant       `db:"lifted_at"`
}

func (s *Store) readSuppressions(ctx context.Context, q sqlx.QueryerContext, ids *batch, people map[policy.PersonID]*policy.Person) error {
	return tellSuppressions(ctx, q, people, s.queries.gateSuppressions.text, s.queries.gateSuppressions.args(ids)...)
}

func tellSuppressions(ctx context.Context, q sqlx.QueryerContext, people map[policy.PersonID]*policy.Person, query string, args ...any) error {
	var rows []suppressionRow
	if err := sqlx.SelectContext(ctx, q, &rows, query, args...); err != nil {
		return fmt.Errorf("reading suppressions: %w", err)
	}
	for _, r := range rows {
		if person := people[policy.PersonID(r.PersonID)]; person != nil {
			person.Suppressions = append(person.Suppressions, policy.Suppression{Scope: r.Scope, Origin: r.Origin, At: r.At.time(), LiftedAt: r.LiftedAt.time()})
		}
	}
	for _, person := range people {
		person.SuppressionsRead = true
	}
	return nil
}

func (s *Store) readConsents(ctx context.Context, q sqlx.QueryerContext, ids *batch, category string, people map[policy.PersonID]*policy.Person) error {
	return tellConsents(ctx, q, people, s.queries.gateConsents.text, s.queries.gateConsents.args(ids, category)...)
}

func tellConsents(ctx context.Context, q sqlx.QueryerContext, people map[policy.PersonID]*policy.Person, query string, args ...any) error {
	rows, err := q.QueryxContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("reading consents: %w", err)
	}
	defer func() { _ = rows.Close() }() // the error that counts is rows.Err
	var (
		id               []byte
		category, source string
		action           policy.Action
		when             instant
		event            policy.EventID
	)
	for rows.Next() {
		if err := rows.Scan(&id, &category, &action, &when, &source, &event); err != nil {
			return fmt.Errorf("reading consents: %w", err)
		}
		person := people[policy.PersonID(id)]
		if person == nil {
			continue
		}
		if person.Consents == nil {
			person.Consents = make(map[string]policy.Consent, 1)
		}
		person.Consents[category] = person.Consents[category].After(policy.Consent{Action: action, At: when.time(), Source: source, Event: event})
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading consents: %w", err)
	}
	for _, person := range people {
		person.ConsentsRead = true
	}
	return nil
}

type sendRow struct {
	PersonID  []byte      `db:"person_id"`
	SendingAt instant     `db:"sending_at"`
	Campaign  string      `db:"campaign_id"`
	Category  string      `db:"category"`
	Kind      policy.Kind `db:"kind"`
}

func (s *Store) readSends(ctx context.Context, q sqlx.QueryerContext, ids *batch, since time.Time, people map[policy.PersonID]*policy.Person) error {
	return tellSends(ctx, q, people, s.queries.gateSends.text, s.queries.gateSends.args(ids, at(since))...)
}

func tellSends(ctx context.Context, q sqlx.QueryerContext, people map[policy.PersonID]*policy.Person, query string, args ...any) error {
	var rows []sendRow
	if err := sqlx.SelectContext(ctx, q, &rows, query, args...); err != nil {
		return fmt.Errorf("reading earlier sends: %w", err)
	}
	for _, r := range rows {
		if person := people[policy.PersonID(r.PersonID)]; person != nil {
			person.Sends = append(person.Sends, policy.Send{At: r.SendingAt.time(), Campaign: r.Campaign, Category: r.Category, Kind: r.Kind})
		}
	}
	for _, person := range people {
		person.SendsRead = true
	}
	return nil
}

// templateFacts reads the status and kind of a template in each of its languages.
func (s *Store) templateFacts(ctx context.Context, q sqlx.QueryerContext, name string) (map[string]templateFact, error) {
	var rows []struct {
		Language string `db:"language"`
		Status   string `db:"status"`
		Kind     string `db:"kind"`
	}
	if err := sqlx.SelectContext(ctx, q, &rows, "SELECT language, status, kind FROM templates WHERE name = $1", name); err != nil {
		return nil, fmt.Errorf("reading template %s: %w", name, err)
	}
	found := make(map[string]templateFact, len(rows))
	for _, r := range rows {
		found[languageKey(r.Language)] = templateFact{status: r.Status, kind: policy.Kind(r.Kind)}
	}
	return found, nil
}

// SaveTemplates replaces the catalogue with what Meta lists now, in one transaction. Templates that Meta no longer has are gone.
func (s *Store) SaveTemplates(ctx context.Context, entries []templates.Entry) error {
	err := s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM templates"); err != nil {
			return err
		}
		for _, e := range entries {
			if _, err := tx.ExecContext(ctx, `INSERT INTO templates (name, language, status, kind, entry, synced_at) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (name, language) DO UPDATE SET status = excluded.status, kind = excluded.kind, entry = excluded.entry`,
				e.Template.Name, languageKey(e.Template.Language), e.Template.Status, string(e.Template.Kind), string(e.Raw), now); err != nil {
				return err
			}
		}
		return s.judgeTemplates(ctx, tx, now, true, nil)
	})
	if err != nil {
		return fmt.Errorf("saving templates: %w", err)
	}
	return nil
}

// Templates returns the catalogue as last synced, and when that was; the zero time when it never was.
func (s *Store) Templates(ctx context.Context) ([]templates.Template, time.Time, error) {
	return templatesIn(ctx, s.read)
}

func templatesIn(ctx context.Context, q sqlx.QueryerContext) ([]templates.Template, time.Time, error) {
	var rows []struct {
		Entry    string  `db:"entry"`
		Status   string  `db:"status"`
		SyncedAt instant `db:"synced_at"`
	}
	if err := sqlx.SelectContext(ctx, q, &rows, "SELECT entry, status, synced_at FROM templates ORDER BY name, language"); err != nil {
		return nil, time.Time{}, fmt.Errorf("reading templates: %w", err)
	}
	var list []templates.Template
	var synced time.Time
	for _, r := range rows {
		t, err := templates.Parse([]byte(r.Entry))
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("reading a stored template: %w", err)
		}
		t.Status = r.Status // a webhook may have changed it since
		list = append(list, t)
		synced = r.SyncedAt.time()
	}
	return list, synced, nil
}

// updateTemplates applies what webhooks said of templates' states.
func (s *Store) updateTemplates(ctx context.Context, tx *sqlx.Tx, now instant, updates []templates.Update) error {
	if len(updates) == 0 {
		return nil
	}
	approved := map[string]bool{}
	for _, u := range updates {
		if u.Resync {
			if _, err := tx.ExecContext(ctx, "UPDATE templates SET resync = 1 WHERE name = $1 AND language = $2", u.Name, languageKey(u.Language)); err != nil {
				return fmt.Errorf("marking template %s: %w", u.Name, err)
			}
		}
		if u.Status == "" {
			continue
		}
		status := strings.ToUpper(u.Status)
		if status == "REINSTATED" || status == "UNARCHIVED" {
			status = "APPROVED"
		}
		if status == "APPROVED" {
			approved[u.Name] = true
		}
		if status == "FLAGGED" {
			continue // a warning: the template may still be sent
		}
		if _, err := tx.ExecContext(ctx, "UPDATE templates SET status = $3 WHERE name = $1 AND language = $2", u.Name, languageKey(u.Language), status); err != nil {
			return fmt.Errorf("updating template %s: %w", u.Name, err)
		}
	}
	return s.judgeTemplates(ctx, tx, now, false, approved)
}

// WantsTemplateSync reports whether a webhook said that a template's content or category changed.
func (s *Store) WantsTemplateSync(ctx context.Context) (bool, error) {
	var marked int
	if err := s.read.GetContext(ctx, &marked, "SELECT count(*) FROM templates WHERE resync = 1"); err != nil && err != sql.ErrNoRows {
		return false, fmt.Errorf("reading templates: %w", err)
	}
	return marked > 0, nil
}

// languageKey is how languages are keyed: webhooks write en-US where the API writes en_US (graph-api §4.8).
func languageKey(language string) string { return strings.ReplaceAll(language, "-", "_") }
