package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/scheduler"
)

func (s *session) runVerb() *cobra.Command {
	var at string
	var detach, test bool
	cmd := s.verb(&cobra.Command{
		Use:   "run CAMPAIGN [--at TIME] [--detach] [--test]",
		Short: "send a campaign once, now",
		Long: "Makes one run of the campaign and sees it through: it sends by itself unless another process does, and takes webhooks\n" +
			"unless another process listens. What waits for more than two minutes is left to serve (exit 4). Ctrl-C pauses the run.",
		Example: "  permesso run weekend-offer --test\n  permesso run weekend-offer --detach",
		Args:    exactly("CAMPAIGN"),
	}, func(cmd *cobra.Command, args []string) error {
		cfg, start, err := s.campaignAt(args[0], at)
		if err != nil {
			return err
		}
		return s.withConfig(cmd, cfg, logProblems, func(ctx context.Context, a *app.App) error {
			return s.runCampaign(ctx, a, args[0], app.RunOptions{At: start, Test: test, By: s.actor()}, detach)
		})
	})
	cmd.Flags().StringVar(&at, "at", "", "the run's start, a `TIME`; absent is now")
	cmd.Flags().BoolVar(&detach, "detach", false, "leave it to a running serve, and print its id")
	cmd.Flags().BoolVar(&test, "test", false, "only to test_phones: suppression holds; consent, caps and windows do not")
	return cmd
}

func (s *session) runCampaign(ctx context.Context, a *app.App, id string, o app.RunOptions, detach bool) error {
	run, err := a.CreateRun(ctx, id, o)
	if errors.Is(err, app.ErrDryRun) && !s.json {
		return errors.Join(err, s.tellPlan(a.Config, run.Plan))
	}
	if err != nil {
		return err
	}
	if err := a.Store.Audit(ctx, s.actor(), "run.create", run.ID, "by hand"); err != nil {
		a.Log.Error("the audit log was not written", "error", err)
	}
	if detach {
		if run.State == scheduler.Waiting {
			a.Log.Warn("the run waits: " + run.Why + "; `permesso runs approve " + run.ID + " --hash " + run.Approval.Hash + "` by somebody else lets it go")
		}
		if s.json {
			return s.object(map[string]string{"run": run.ID})
		}
		return s.print("%s", run.ID)
	}
	if !s.json && !s.quiet {
		if err := errors.Join(s.tellPlan(a.Config, run.Plan), s.print("")); err != nil {
			return err
		}
	}
	if run.State == scheduler.Waiting {
		a.FlushNotices(ctx)
		return errors.Join(s.tellWaiting(ctx, a, run), app.Awaits(run))
	}
	return s.carryOn(ctx, a, run)
}

// tellWaiting tells scripts which run waits; people read it in the error.
func (s *session) tellWaiting(ctx context.Context, a *app.App, run scheduler.Run) error {
	if !s.json {
		return nil
	}
	summary, err := a.Store.Summary(ctx, run.ID)
	if err != nil {
		return err
	}
	return s.object(summary)
}

// carryOn sees a run through in this process and says what became of it; unless quiet, when the exit code says it.
func (s *session) carryOn(ctx context.Context, a *app.App, run scheduler.Run) error {
	bar := s.newBar(int64(max(run.Plan.Matched, 1)), "planning")
	listened, ended := a.Foreground(ctx, run, bar.run(run.Plan.Matched, zoneOf(a.Config)))
	bar.finish()
	if s.quiet && !s.json {
		return ended
	}
	// The summary is owed however the run ended, also after Ctrl-C.
	summary, err := a.Store.Summary(context.WithoutCancel(ctx), run.ID)
	switch {
	case err != nil:
	case s.json:
		err = s.object(summary)
	default:
		err = errors.Join(summary.WriteText(s.out, zoneOf(a.Config)), s.tellDeaf(summary, listened))
	}
	return errors.Join(ended, err)
}

// tellDeaf says that reports are missing, and stops may come, while nobody listens any more.
func (s *session) tellDeaf(summary report.Summary, listened bool) error {
	missing := summary.Unreported()
	if !listened || missing == 0 {
		return nil
	}
	has := "have"
	if missing == 1 {
		has = "has"
	}
	return s.say("\n%s %s no report yet: start `permesso serve` to receive them, and the stops that come back.", count(missing, "message"), has)
}
