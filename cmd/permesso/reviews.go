package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/policy"
)

func (s *session) reviewsVerb() *cobra.Command {
	return s.group(&cobra.Command{Use: "reviews", Short: "texts that looked like an opt-out and wait to be read"}, s.reviewsListVerb(), s.reviewsCloseVerb())
}

func (s *session) reviewsListVerb() *cobra.Command {
	var limit int
	cmd := s.verb(&cobra.Command{
		Use:   "list [flags]",
		Short: "list the texts that wait, the oldest first",
		Long:  "Lists the people whose text looked like an opt-out. Nothing of kind marketing is sent to them until `permesso reviews close`\nsays what the text means, or they write a plain stop or start.",
		Args:  exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		if err := checkLimit(limit); err != nil {
			return err
		}
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			t, n := s.table("PHONE", "SINCE", "CAMPAIGN", "LANGUAGE", "TEXT"), 0
			for review, err := range a.Store.Reviews(ctx) {
				if err != nil {
					return err
				}
				if s.json {
					if err := s.object(review); err != nil {
						return err
					}
				} else {
					t.row(orUser(review.Phone, review.UserID), clock(review.At.Time, zoneOf(a.Config)), review.Campaign, review.Language, strings.Join(strings.Fields(review.Text), " "))
				}
				if n++; n == limit {
					break
				}
			}
			switch {
			case s.json:
				return nil
			case n == 0:
				return s.say("No text waits to be read.")
			}
			return t.flush()
		})
	})
	cmd.Flags().IntVar(&limit, "limit", 0, "at most `N` lines")
	return cmd
}

// judged is what `reviews close` prints as JSON.
type judged struct {
	Phone string       `json:"phone"`
	Stop  bool         `json:"stop"`
	Scope policy.Scope `json:"scope,omitempty"`
}

func (s *session) reviewsCloseVerb() *cobra.Command {
	var stop, notAStop bool
	var scopeText, reason string
	cmd := s.verb(&cobra.Command{
		Use:     "close PHONE --stop|--not-a-stop --reason TEXT",
		Short:   "say what a text means",
		Long:    "Says what the text of a person means. With --stop it is their own opt-out, which only they can take back; with --not-a-stop\nmarketing may be sent to them again.",
		Example: "  permesso reviews close +393471234567 --stop --reason \"wants no more messages\"\n  permesso reviews close +393471234567 --not-a-stop --reason \"asked about the bus stop\"",
		Args:    exactly("PHONE"),
	}, func(cmd *cobra.Command, args []string) error {
		switch {
		case stop == notAStop:
			return misuse(errcode.MissingFlag, "say either --stop or --not-a-stop: what the text means is for whoever read it to say")
		case notAStop && cmd.Flags().Changed("scope"):
			return misuse(errcode.MissingFlag, "--scope belongs to --stop: what is no stop has no scope")
		case strings.TrimSpace(reason) == "":
			return misuse(errcode.MissingFlag, "--reason is missing: a text is judged only with a reason, for the record")
		}
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			phone, _, err := anyNumber(a.Config, args[0])
			if err != nil {
				return err
			}
			what := policy.Scope("")
			if stop {
				if what, err = scope(a.Config, scopeText); err != nil {
					return err
				}
			}
			people, err := a.Store.CloseReview(ctx, phone, what, reason, s.actor())
			if err != nil {
				return err
			}
			if !stop {
				return s.done(judged{Phone: string(phone)}, "%s is held no longer: the text was no stop.", phone)
			}
			a.StopAndWait(ctx, people)
			return s.done(judged{string(phone), true, what}, "%s is suppressed: scope %s. Nothing that it covers is sent from now on.", phone, what)
		})
	})
	cmd.Flags().BoolVar(&stop, "stop", false, "the text is an opt-out")
	cmd.Flags().BoolVar(&notAStop, "not-a-stop", false, "the text is no opt-out")
	cmd.Flags().StringVar(&scopeText, "scope", "all", "the `SCOPE` of the stop: all, kind:marketing, kind:utility or category:ID")
	cmd.Flags().StringVar(&reason, "reason", "", "`WHY`, for the record")
	return cmd
}
