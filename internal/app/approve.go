package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/scheduler"
)

// Errors of an approval that is not given.
var (
	// ErrSamePerson says that a second person is wanted, and the first one came.
	ErrSamePerson = errcode.With(errors.New("a run is approved by somebody else than who made it"), errcode.SamePerson)
	// ErrNobody says that it is not known who approves.
	ErrNobody = errcode.With(errors.New("an approval is a named person's, and the environment variable USER names nobody"), errcode.NobodyNamed)
	// ErrDrifted says that a run is no longer what was to be approved. The error around it says how.
	ErrDrifted = errcode.With(errors.New("the run is no longer what was to be approved"), errcode.RunDrifted)
)

// Awaits is how a run that waits for approval ends for whoever made it: ErrIncomplete, and who may do what.
func Awaits(run scheduler.Run) error {
	other := "somebody"
	if run.CreatedBy != "" {
		other = "somebody other than " + run.CreatedBy
	}
	return errcode.With(fmt.Errorf("%w: %s; %s lets it go with `permesso runs approve %s --hash %s`", ErrIncomplete, run.Why, other, run.ID, run.Approval.Hash), errcode.RunAwaitsApproval)
}

// Configured names a campaign as it is configured now: the hash of what a run of it would keep, "" when there is none of that id.
func (a *App) Configured(campaign string) string {
	cfg := a.config()
	c, ok := cfg.Campaign(campaign)
	if !ok {
		return ""
	}
	hash, err := freeze(cfg, c).Hash()
	if err != nil {
		return ""
	}
	return hash
}

// MayApprove says whether a person may approve the run at all: it waits, they have a name, and somebody else made it.
func MayApprove(run scheduler.Run, by string) error {
	switch {
	case run.State != scheduler.Waiting:
		return fmt.Errorf("run %s: %w", run.ID, &store.StateError{Why: fmt.Sprintf("it is %s and does not wait for approval", run.State)})
	case by == "":
		return ErrNobody
	case run.Manual && run.CreatedBy == "":
		return fmt.Errorf("run %s: %w: it is not on record who made it", run.ID, ErrSamePerson)
	case run.Manual && run.CreatedBy == by:
		return fmt.Errorf("run %s: %w: %s did", run.ID, ErrSamePerson, by)
	}
	return nil
}

// Approve lets a run that waits go on, in the name of a second person who was shown the plan of that hash. Everybody is counted
// again: when the run drifted from what was shown it waits on, for an approval of what it is now, and the error is ErrDrifted.
func (a *App) Approve(ctx context.Context, id, hash, by string) (scheduler.Run, error) {
	run, err := a.Store.Run(ctx, id)
	if err != nil {
		return run, err
	}
	if err := MayApprove(run, by); err != nil {
		return run, err
	}
	if run.Approval.Hash != hash {
		return run, fmt.Errorf("run %s: %w: its plan is %s, and not %s", id, ErrDrifted, run.Approval.Hash, hash)
	}
	catalogue, err := a.Catalogue(ctx)
	if err != nil {
		return run, err
	}
	counted, err := a.count(ctx, run, catalogue, time.Now())
	if err != nil {
		return run, err
	}
	if drift := run.Approval.Drift(counted.Approval); drift != "" {
		why := "it waits for a second person: since its plan was made " + drift
		if err := a.Store.Await(ctx, id, counted.Kind, counted.Plan, counted.Approval, why); err != nil {
			return run, err
		}
		return run, fmt.Errorf("run %s: %w: %s. Its plan is %s now: look at it with `permesso runs show %s`", id, ErrDrifted, drift, counted.Plan.Hash, id)
	}
	if err := a.Store.Approve(ctx, id, hash, by); err != nil {
		return run, err
	}
	return a.Store.Run(ctx, id)
}
