package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/templates"
)

// ErrTooMany says that so many people would get a message again that a second person would have to approve it.
var ErrTooMany = errcode.With(errors.New("more people than one person may write to alone"), errcode.TooManyToResend)

// Unproven counts the people of a run whose message is unproven and was not sent again yet.
func (a *App) Unproven(ctx context.Context, runID string) (int, error) {
	if _, err := a.Store.Run(ctx, runID); err != nil {
		return 0, err
	}
	people, err := a.Store.Unproven(ctx, runID)
	return len(people), err
}

// ResendUnproven makes a run that sends the unproven messages of a run again: some of the people may get theirs twice. It is a
// run of its own, by the configuration of now: the gate asks consent, stops, caps and hours of everybody anew, and the unproven
// message counts in the caps.
func (a *App) ResendUnproven(ctx context.Context, runID, actor string) (scheduler.Run, error) {
	former, err := a.Store.Run(ctx, runID)
	if err != nil {
		return former, err
	}
	if former.State.Open() {
		return former, fmt.Errorf("run %s: %w", runID, &store.StateError{Why: fmt.Sprintf("it is %s: its messages are sent again when it is over", former.State)})
	}
	run, catalogue, err := a.startable(ctx, former.CampaignID, RunOptions{By: actor})
	if err != nil {
		return run, err
	}
	if a.config().DryRun {
		return run, ErrDryRun
	}
	people, err := a.Store.Unproven(ctx, runID)
	if err != nil {
		return run, err
	}
	if above := run.Frozen.ApproveAbove; above != nil && len(people) > *above {
		return run, fmt.Errorf("%w: %d, and approvals.above is %d", ErrTooMany, len(people), *above)
	}
	draft, err := scheduler.NewDraft(run, catalogue, a.Rate(run.NumberID))
	if err != nil {
		return run, err
	}
	run.Kind, run.Resends, run.Plan = draft.Run.Kind, runID, scheduler.Plan{Campaign: run.CampaignID, At: run.FireAt, Filter: "unproven in " + runID}
	if run, err = a.Store.CreateResend(ctx, run); err != nil {
		return run, err
	}
	return run, a.Store.Audit(ctx, actor, "run.resend", run.ID, "unproven messages of "+runID)
}

// startable makes the run of a campaign that may start now: nothing is halted, and its template, fresh from Meta, fits.
func (a *App) startable(ctx context.Context, campaign string, o RunOptions) (scheduler.Run, templates.Catalogue, error) {
	if err := a.Admit(ctx); err != nil {
		return scheduler.Run{}, templates.Catalogue{}, err
	}
	halted, why, err := a.Store.Halted(ctx)
	if err != nil {
		return scheduler.Run{}, templates.Catalogue{}, err
	}
	if !halted.IsZero() {
		return scheduler.Run{}, templates.Catalogue{}, fmt.Errorf("%w (%s)", ErrHalted, why)
	}
	run, err := a.newRun(campaign, o)
	if err != nil {
		return run, templates.Catalogue{}, err
	}
	catalogue, err := a.freshTemplates(ctx)
	if err != nil {
		return run, catalogue, err
	}
	return run, catalogue, templates.Check(catalogue, run.Frozen.Campaign.Message)
}
