package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

func (s *session) suppressVerb() *cobra.Command {
	return s.group(&cobra.Command{Use: "suppress", Short: "people who must not be written to"},
		s.suppressAddVerb(), s.suppressRemoveVerb(), s.suppressListVerb(),
		s.importVerb(imported{
			noun: "suppressions", read: imports.Suppressions,
			long: "Imports a CSV file with the columns phone, reason, at, source and scope. No import ever weakens a stop, and no scope is\neverything.",
		}))
}

// suppressed is what `suppress add` prints as JSON.
type suppressed struct {
	Phone  string       `json:"phone"`
	Scope  policy.Scope `json:"scope"`
	Reason string       `json:"reason"`
}

func (s *session) suppressAddVerb() *cobra.Command {
	var scopeText, reason string
	cmd := s.verb(&cobra.Command{
		Use:     "add PHONE [flags]",
		Short:   "stop writing to a person, from this moment on",
		Example: "  permesso suppress add +393471234567 --scope kind:marketing --reason \"asked in the shop\"",
		Args:    exactly("PHONE"),
	}, func(cmd *cobra.Command, args []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			phone, planned, err := anyNumber(a.Config, args[0])
			if err != nil {
				return err
			}
			stop, err := scope(a.Config, scopeText)
			if err != nil {
				return err
			}
			people, err := a.Store.Suppress(ctx, phone, stop, reason, s.actor())
			if err != nil {
				return err
			}
			a.StopAndWait(ctx, people)
			if !planned {
				if err := s.say("%s no numbering plan has this number: check its digits.", s.painted(yellow, "warning:")); err != nil {
					return err
				}
			}
			return s.done(suppressed{string(phone), stop, reason}, "%s is suppressed: scope %s. Nothing that it covers is sent from now on.", phone, stop)
		})
	})
	cmd.Flags().StringVar(&scopeText, "scope", "all", "the `SCOPE` of the stop: all, kind:marketing, kind:utility or category:ID")
	cmd.Flags().StringVar(&reason, "reason", "", "`WHY`, in your own words, for the record")
	return cmd
}

// unsuppressed is what `suppress remove` prints as JSON.
type unsuppressed struct {
	Phone     string               `json:"phone"`
	Lifted    int                  `json:"lifted"`
	Remaining []report.Suppression `json:"remaining"`
}

func (s *session) suppressRemoveVerb() *cobra.Command {
	var reason string
	cmd := s.verb(&cobra.Command{
		Use:   "remove PHONE --reason WHY",
		Short: "take back a stop that an operator or a file set",
		Long:  "Takes back the stops that an operator or a file set for a person. What the person said themselves only they can take back.",
		Args:  exactly("PHONE"),
	}, func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(reason) == "" {
			return misuse(errcode.MissingFlag, "--reason is missing: a stop is lifted only with a reason, for the record")
		}
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			phone, _, err := anyNumber(a.Config, args[0])
			if err != nil {
				return err
			}
			lifted, remaining, err := a.Store.Unsuppress(ctx, phone, reason, s.actor())
			if err != nil {
				return err
			}
			if s.json {
				err = s.object(unsuppressed{string(phone), lifted, append([]report.Suppression{}, remaining...)})
			} else if lifted > 0 {
				err = s.say("%s lifted.", count(lifted, "stop"))
			}
			return errors.Join(err, s.tellRemaining(lifted, remaining))
		})
	})
	cmd.Flags().StringVar(&reason, "reason", "", "`WHY`, for the record")
	return cmd
}

func (s *session) tellRemaining(lifted int, remaining []report.Suppression) error {
	var held []string
	for _, stop := range remaining {
		held = append(held, fmt.Sprintf("%s (%s)", stop.Scope, stop.Reason))
	}
	switch {
	case len(held) > 0 && lifted > 0:
		return s.say("What still holds came from the person, who alone can take it back: %s.", strings.Join(held, ", "))
	case len(held) > 0:
		return errcode.With(fmt.Errorf("nothing was lifted: what holds came from the person, who alone can take it back: %s", strings.Join(held, ", ")), errcode.PersonsOwnStop)
	case lifted == 0:
		return errcode.With(errors.New("nothing was lifted: no stop of an operator or a file holds for this number; `permesso suppress list` shows those that do"), errcode.NothingToLift)
	}
	return nil
}

func (s *session) suppressListVerb() *cobra.Command {
	var all bool
	var limit int
	cmd := s.verb(&cobra.Command{
		Use:   "list [flags]",
		Short: "list the stops that hold",
		Args:  exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		if err := checkLimit(limit); err != nil {
			return err
		}
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			t, n := s.table("PHONE", "SCOPE", "REASON", "SINCE", "SOURCE", "LIFTED"), 0
			for stop, err := range a.Store.Suppressions(ctx, !all) {
				if err != nil {
					return err
				}
				if s.json {
					if err := s.object(stop); err != nil {
						return err
					}
				} else {
					zone := zoneOf(a.Config)
					t.row(orUser(stop.Phone, stop.UserID), string(stop.Scope), string(stop.Reason), clock(stop.At.Time, zone), stop.Source, clock(stop.LiftedAt.Time, zone))
				}
				if n++; n == limit {
					break
				}
			}
			switch {
			case s.json:
				return nil
			case n == 0:
				return s.say("No stop holds.")
			}
			return t.flush()
		})
	})
	cmd.Flags().BoolVar(&all, "all", false, "also those that were lifted")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most `N` lines")
	return cmd
}

// orUser names a person by what is left of them.
func orUser(phone, userID string) string {
	switch {
	case phone != "":
		return phone
	case userID != "":
		return userID
	}
	return "(erased)"
}
