package main

import (
	"bufio"
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/report"
)

func (s *session) runsApproveVerb() *cobra.Command {
	var hash string
	cmd := s.verb(&cobra.Command{
		Use:   "approve RUN [--hash HASH]",
		Short: "let a run go that waits for a second person",
		Long: "Approves the plan of a run that is larger than approvals.above; somebody else than who made it has to. Without --hash it\n" +
			"shows the plan and asks. The run waits again, for its new plan, when meanwhile its campaign, a rule or its template was\n" +
			"changed, or its people became more than 5 % more or fewer.",
		Example: "  permesso runs show 20261121-1700-k3f9xa\n  permesso runs approve 20261121-1700-k3f9xa --hash 5d41402abc4b2a76b9719d911017c592",
		Args:    exactly("RUN"),
	}, func(cmd *cobra.Command, args []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			return s.approve(ctx, a, args[0], hash)
		})
	})
	cmd.Flags().StringVar(&hash, "hash", "", "the plan's `HASH`, as `runs show` prints it: approve that plan, and no other, without asking")
	return cmd
}

var errNotApproved = errcode.With(errors.New("it was not approved, and waits on"), errcode.NotApproved)

func (s *session) approve(ctx context.Context, a *app.App, id, hash string) error {
	by, _ := s.env("USER")
	if hash == "" {
		run, err := a.Store.Run(ctx, id)
		if err != nil {
			return err
		}
		if err := app.MayApprove(run, by); err != nil {
			return err
		}
		if s.json || !s.answers {
			return misuse(errcode.MissingFlag, "there is no terminal to ask on: look at `permesso runs show %s`, then name its plan with --hash", id)
		}
		if err := errors.Join(s.tellRun(a, run, report.RunOf(run)), s.print(""), s.tellPlan(a.Config, run.Plan), s.print("")); err != nil {
			return err
		}
		answer, err := s.ask(ctx, bufio.NewReader(s.in), "Approve it, as "+by+"? Write yes: ")
		if err != nil {
			return err
		}
		if !strings.EqualFold(strings.TrimSpace(answer), "yes") {
			return errNotApproved
		}
		hash = run.Approval.Hash
	}
	run, err := a.Approve(ctx, id, hash, by)
	if err != nil {
		return err
	}
	return s.done(runMoved{run.ID, run.State}, "%s is approved by %s; a running `permesso serve` sends it, or `permesso runs resume %s` does.", run.ID, by, run.ID)
}
