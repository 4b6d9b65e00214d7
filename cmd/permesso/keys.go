package main

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/api"
	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/report"
)

func (s *session) keysVerb() *cobra.Command {
	return s.group(&cobra.Command{Use: "keys", Short: "keys of /api/v1, for the business's own programs: create, revoke, list"},
		s.keysCreateVerb(), s.keysRevokeVerb(), s.keysListVerb())
}

// keyName is what a key may be called: the ledger and the audit log name it.
var keyName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// keyMade is what `keys create` prints as JSON.
type keyMade struct {
	report.Key
	Secret string `json:"key"`
}

func (s *session) keysCreateVerb() *cobra.Command {
	var scope, expires string
	cmd := s.verb(&cobra.Command{
		Use:   "create NAME [flags]",
		Short: "make a key and print it, this once",
		Long: "Makes a key for one program, and prints it. It is kept nowhere: who loses it revokes it and makes another. The consent ledger\n" +
			"says of what a program recorded that key:NAME did. It works with every process on the database at once.",
		Example: "  permesso keys create shop-form --expires 365d\n  permesso keys create crm --scope contacts,log,runs",
		Args:    exactly("NAME"),
	}, func(cmd *cobra.Command, args []string) error {
		key, err := newKey(args[0], scope, expires, time.Now())
		if err != nil {
			return err
		}
		key.CreatedBy = s.actor()
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			secret, hash := api.NewKey()
			made, err := a.Store.CreateKey(ctx, key, hash)
			if err != nil {
				return err
			}
			if s.json {
				return s.object(keyMade{made, secret})
			}
			if err := s.say("The key %s, for %s. It is shown this once:", made.Name, strings.Join(words(made.Scopes), ", ")); err != nil {
				return err
			}
			return s.print("%s", secret)
		})
	})
	cmd.Flags().StringVar(&scope, "scope", string(report.ScopeConsents), "what it opens, the `SCOPES` separated by commas: "+strings.Join(words(report.Scopes()), ", "))
	cmd.Flags().StringVar(&expires, "expires", "", "after which `SPAN` it opens nothing any more, such as 365d; absent is never")
	return cmd
}

// newKey is a key as the line asks for it.
func newKey(name, scopes, expires string, now time.Time) (report.Key, error) {
	key := report.Key{Name: name}
	if !keyName.MatchString(name) {
		return key, misuse(errcode.InvalidKeyName, "NAME %q cannot name a key: write up to 64 small letters, digits, dashes and underscores, such as shop-form", oneLine(name))
	}
	for text := range strings.SplitSeq(scopes, ",") {
		text = strings.TrimSpace(text)
		if all := words(report.Scopes()); !slices.Contains(all, text) {
			return key, misuse(errcode.NoSuchKeyScope, "--scope %q is none%s", oneLine(text), among(text, all))
		}
		if !key.May(report.Scope(text)) {
			key.Scopes = append(key.Scopes, report.Scope(text))
		}
	}
	if expires == "" {
		return key, nil
	}
	after, err := span(expires)
	if err != nil {
		return key, misuse(errcode.InvalidSpan, "--expires: %w", err)
	}
	key.ExpiresAt = report.Time{Time: now.Add(after)}
	return key, nil
}

func (s *session) keysRevokeVerb() *cobra.Command {
	return s.verb(&cobra.Command{
		Use: "revoke NAME", Short: "close a key for good, at once and for every process", Example: "  permesso keys revoke shop-form", Args: exactly("NAME"),
	}, func(cmd *cobra.Command, args []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			key, err := a.Store.RevokeKey(ctx, args[0], s.actor())
			if err != nil {
				return err
			}
			return s.done(key, "The key %s opens nothing any more, since %s.", key.Name, clock(key.RevokedAt.Time, zoneOf(a.Config)))
		})
	})
}

func (s *session) keysListVerb() *cobra.Command {
	return s.verb(&cobra.Command{Use: "list", Short: "list the keys, those that were revoked too", Args: exactly()}, func(cmd *cobra.Command, _ []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			keys, err := a.Store.Keys(ctx)
			if err != nil {
				return err
			}
			zone := zoneOf(a.Config)
			t := s.table("NAME", "SCOPES", "CREATED", "BY", "LAST USED", "EXPIRES", "REVOKED")
			for _, key := range keys {
				if s.json {
					if err := s.object(key); err != nil {
						return err
					}
					continue
				}
				t.row(key.Name, strings.Join(words(key.Scopes), ","), clock(key.CreatedAt.Time, zone), key.CreatedBy, cmp.Or(clock(key.LastUsed.Time, zone), "never"),
					cmp.Or(clock(key.ExpiresAt.Time, zone), "never"), cmp.Or(clock(key.RevokedAt.Time, zone), "-"))
			}
			switch {
			case s.json:
				return nil
			case len(keys) == 0:
				return s.say("There is no key; `permesso keys create` makes one.")
			}
			return t.flush()
		})
	})
}
