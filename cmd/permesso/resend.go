package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/scheduler"
)

// resent is what runs resend prints as JSON.
type resent struct {
	Run     string `json:"run"`
	Resends string `json:"resends"`
	People  int    `json:"people"`
}

// runsResendVerb sends unproven messages again, which the program never does by itself.
func (s *session) runsResendVerb() *cobra.Command {
	var unproven, yes, detach bool
	cmd := s.verb(&cobra.Command{
		Use: "resend RUN --unproven [--yes] [--detach]", Short: "send messages again of which nobody knows whether they arrived", Args: exactly("RUN"),
		Long: "Makes a run that writes again to those people of RUN whose message is unproven: its answer was lost, and WhatsApp has said\n" +
			"nothing of it for a day although nearly all that was sent with it was heard of. Some of them may have it: they get it\n" +
			"twice. Consent, stops, caps and hours are asked anew, and the unproven message counts in the caps.",
	}, func(cmd *cobra.Command, args []string) error {
		if !unproven {
			return misuse(errcode.MissingFlag, "say what to send again: --unproven, the messages of which nobody knows whether they arrived")
		}
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			if !yes {
				return s.askBeforeResend(ctx, a, args[0])
			}
			run, err := a.ResendUnproven(ctx, args[0], s.actor())
			if err != nil {
				return err
			}
			carried, err := a.Carried(ctx, run.NumberID)
			if err != nil {
				return err
			}
			if detach || carried {
				return s.tellResent(run)
			}
			return s.carryOn(ctx, a, run)
		})
	})
	cmd.Flags().BoolVar(&unproven, "unproven", false, "the messages whose answer was lost and of which WhatsApp says nothing")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it: some of these people may get the message twice")
	cmd.Flags().BoolVar(&detach, "detach", false, "leave it to a serve, also when none is running")
	return cmd
}

func (s *session) tellResent(run scheduler.Run) error {
	if s.json {
		return s.object(resent{run.ID, run.Resends, run.Plan.Matched})
	}
	return s.say("%s sends %s of %s again; a running `permesso serve` sends it.", run.ID, count(run.Plan.Matched, "unproven message"), run.Resends)
}

func (s *session) askBeforeResend(ctx context.Context, a *app.App, runID string) error {
	n, err := a.Unproven(ctx, runID)
	if err != nil {
		return err
	}
	if n == 0 {
		return s.say("No message of %s is unproven, or all were sent again already.", runID)
	}
	return misuse(errcode.ResendUnconfirmed, "%s of %s: their answers were lost and WhatsApp says nothing of them. Whoever has theirs all the same would get it twice. Repeat with --yes to send them again",
		count(n, "unproven message"), runID)
}
