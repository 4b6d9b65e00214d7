package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

// applyNews does what webhooks said of the account. What is older than the last end of the breaker, or of a lift than its
// beginning, was told twice, or late.
func (s *Store) applyNews(ctx context.Context, tx *sqlx.Tx, now instant, news []sender.AccountNews) error {
	for _, n := range news {
		b := n.Breaker()
		if n.Lifted {
			late, err := openedAfter(ctx, tx, b, at(n.At))
			if err != nil {
				return err
			}
			if late {
				continue
			}
			if err := s.closeBreaker(ctx, tx, now, b, n.Why); err != nil {
				return fmt.Errorf("applying what Meta said of the account: %w", err)
			}
			continue
		}
		stale, err := closedSince(ctx, tx, b, at(n.At))
		if err != nil {
			return err
		}
		if stale {
			continue
		}
		if err := s.openBreaker(ctx, tx, now, b); err != nil {
			return fmt.Errorf("applying what Meta said of the account: %w", err)
		}
		if b.NextAt.IsZero() {
			continue
		}
		// One that a refusal opened a moment before does not know yet how long it lasts.
		if _, err := tx.ExecContext(ctx, "UPDATE breakers SET why = $3, healing = $4, next_at = $5 WHERE kind = $1 AND subject = $2 AND closed_at IS NULL",
			string(b.Kind), b.Subject, storable(b.Why), string(b.Healing), at(b.NextAt)); err != nil {
			return fmt.Errorf("applying what Meta said of the account: %w", err)
		}
	}
	return nil
}

// closedSince reports whether the breaker is closed, and was at a moment or after it.
func closedSince(ctx context.Context, tx *sqlx.Tx, b sender.Breaker, moment instant) (bool, error) {
	return breakerIs(ctx, tx, "closed_at >= $3", b, moment)
}

// openedAfter reports whether the breaker is open, and was not at the moment.
func openedAfter(ctx context.Context, tx *sqlx.Tx, b sender.Breaker, moment instant) (bool, error) {
	return breakerIs(ctx, tx, "closed_at IS NULL AND since > $3", b, moment)
}

func breakerIs(ctx context.Context, tx *sqlx.Tx, condition string, b sender.Breaker, moment instant) (is bool, err error) {
	err = tx.GetContext(ctx, &is, "SELECT EXISTS (SELECT 1 FROM breakers WHERE kind = $1 AND subject = $2 AND "+condition+")", string(b.Kind), b.Subject, moment)
	if err != nil {
		return false, fmt.Errorf("reading a breaker: %w", err)
	}
	return is, nil
}

// tripByStatus opens what a failure that came by webhook is the first sign of.
func (s *Store) tripByStatus(ctx context.Context, tx *sqlx.Tx, now instant, changes []*change) error {
	seen := map[string]bool{}
	for _, c := range changes {
		if c.err == nil || !c.err.Reaction.Pauses() || c.failed == 0 || c.state != sender.Failed || c.was == sender.Failed || seen[c.key.run+" "+string(c.err.Reaction)] {
			continue
		}
		seen[c.key.run+" "+string(c.err.Reaction)] = true
		runs, err := runsIn(ctx, tx, "WHERE run_id = $1", c.key.run)
		if err != nil {
			return err
		}
		for _, run := range runs {
			b, ok := sender.Tripped(run.ForSender(), c.err)
			if !ok {
				continue
			}
			stale, err := closedSince(ctx, tx, b, c.failed)
			if err != nil {
				return err
			}
			if stale {
				continue
			}
			if err := s.openBreaker(ctx, tx, now, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// silentFor is how long a message may go without any status, silentOf how many of them in a row mean that nobody hears (CONTRACT §6, 7).
const (
	silentFor = 5 * time.Minute
	silentOf  = 50
)

// Silent reports whether none of the last 50 messages that Meta took over five minutes ago has any status. Messages from before
// since do not count, nor those from before deafness last ended, nor those that Meta holds back by itself.
func (s *Store) Silent(ctx context.Context, since time.Time) (bool, error) {
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return false, fmt.Errorf("reading the clock: %w", err)
	}
	var healed sql.NullInt64
	if err := s.read.GetContext(ctx, &healed, "SELECT MAX(closed_at) FROM breakers WHERE kind = 'deaf'"); err != nil {
		return false, fmt.Errorf("reading the breakers: %w", err)
	}
	if last := whenever(healed); last.After(since) {
		since = last
	}
	from, to := sender.MadeBefore(since), sender.MadeBefore(now.time().Add(-silentFor))
	var states []sender.State
	if err := s.read.SelectContext(ctx, &states, silence, from[:], to[:]); err != nil {
		return false, fmt.Errorf("looking for messages without a status: %w", err)
	}
	for _, state := range states {
		if state != sender.Accepted {
			return false, nil
		}
	}
	return len(states) >= silentOf, nil
}

// silence reads attempts from the newest down, by their index: ids begin with the time. However many were refused or are held, it
// reads no more than 5,000 of them.
const silence = `SELECT x.state FROM (SELECT d.attempt_id, d.state, d.accepted_at FROM deliveries d
	WHERE d.attempt_id >= $1 AND d.attempt_id < $2 ORDER BY d.attempt_id DESC LIMIT 5000) AS x
	WHERE x.accepted_at IS NOT NULL AND x.state IN ('accepted', 'sent', 'delivered', 'read', 'failed') ORDER BY x.attempt_id DESC LIMIT 50`

// hear ends deafness: a webhook was stored.
func (s *Store) hear(ctx context.Context, tx *sqlx.Tx, now instant) error {
	var deaf bool
	if err := tx.GetContext(ctx, &deaf, "SELECT EXISTS (SELECT 1 FROM breakers WHERE kind = 'deaf' AND closed_at IS NULL)"); err != nil {
		return fmt.Errorf("reading the breakers: %w", err)
	}
	if !deaf {
		return nil
	}
	return s.closeBreaker(ctx, tx, now, sender.Breaker{Kind: sender.BreakDeaf}, "a webhook was stored")
}

// unsendable lists the languages in which Meta would not send the message, none when it is approved in all of them.
func unsendable(c templates.Catalogue, message templates.Message) []string {
	return slices.DeleteFunc(slices.Clone(message.Languages), func(language string) bool {
		t, found := c.Find(message.Template, language)
		return found && t.Approved()
	})
}

// unfit is the breaker of a template that the catalogue does not have approved in a language.
func unfit(c templates.Catalogue, name, language string) sender.Breaker {
	t, _ := c.Find(name, language)
	return sender.TemplateUnfit(name, language, fmt.Sprintf("template %s in %s is %s at Meta", name, language, cmp.Or(t.Status, "gone")))
}

// templateOf is the name of a template's breaker's template.
func templateOf(b sender.Breaker) string {
	name, _, _ := strings.Cut(b.Subject, " ")
	return name
}

// judgeTemplates opens the breakers of templates that runs under way need and Meta no longer sends, in the transaction that
// learns it: people keep waiting instead of being skipped. It closes those of templates that are approved again: of all after
// the whole list was read, else of those that are named.
func (s *Store) judgeTemplates(ctx context.Context, tx *sqlx.Tx, now instant, whole bool, named map[string]bool) error {
	list, _, err := templatesIn(ctx, tx)
	if err != nil {
		return err
	}
	catalogue := templates.NewCatalogue(list)
	runs, err := runsIn(ctx, tx, "WHERE state IN ('planning', 'running')")
	if err != nil {
		return err
	}
	for _, run := range runs {
		message := run.Frozen.Campaign.Message
		for _, language := range unsendable(catalogue, message) {
			if err := s.openBreaker(ctx, tx, now, unfit(catalogue, message.Template, language)); err != nil {
				return err
			}
		}
	}
	open, err := openBreakers(ctx, tx)
	if err != nil {
		return err
	}
	for _, b := range open {
		// Meta's own word heals at once; its list, which a refusal may have contradicted, when the wait is over.
		if b.Kind != sender.BreakTemplate || !named[templateOf(b)] && (!whole || b.NextAt.After(now.time())) {
			continue
		}
		approved, err := approvedAgain(ctx, tx, catalogue, b)
		if err != nil {
			return err
		}
		if !approved {
			continue
		}
		if err := s.closeBreaker(ctx, tx, now, b, "Meta has the template approved"); err != nil {
			return err
		}
	}
	return nil
}

// approvedAgain reports whether Meta sends what a template's breaker is about: its language, or all that its runs need.
func approvedAgain(ctx context.Context, tx *sqlx.Tx, catalogue templates.Catalogue, b sender.Breaker) (bool, error) {
	name, language, one := strings.Cut(b.Subject, " ")
	if one {
		return len(unsendable(catalogue, templates.Message{Template: name, Languages: []string{language}})) == 0, nil
	}
	runs, err := runsIn(ctx, tx, "WHERE state = 'paused' AND paused_by = $1", b.Key())
	if err != nil {
		return false, err
	}
	for _, run := range runs {
		if len(unsendable(catalogue, run.Frozen.Campaign.Message)) > 0 {
			return false, nil
		}
	}
	return len(catalogue.Languages(name)) > 0, nil
}
