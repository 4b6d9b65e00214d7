package app

import (
	"cmp"
	"context"
	"fmt"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/scheduler"
)

// MoveRun pauses, resumes or cancels a run by an operator's hand, and notes who did it and why. It returns the run as it is then.
func (a *App) MoveRun(ctx context.Context, id string, to scheduler.RunState, actor, why string) (scheduler.Run, error) {
	run, err := a.Store.Run(ctx, id)
	if err != nil {
		return run, err
	}
	if to == scheduler.Running && run.State != scheduler.Paused {
		// A run that waits for approval is not let loose by resuming it.
		return run, fmt.Errorf("run %s: %w", id, &store.StateError{Why: fmt.Sprintf("it is %s, and only a paused run is resumed", run.State)})
	}
	if err := a.Store.MoveRunBy(ctx, id, to, whyMoved(to, actor, why), actor); err != nil {
		return run, err
	}
	if err := a.Store.Audit(ctx, actor, "run."+string(to), id, why); err != nil {
		return run, err
	}
	return a.Store.Run(ctx, id)
}

func whyMoved(to scheduler.RunState, actor, why string) string {
	if to == scheduler.Running {
		return "" // a run that goes on has no reason why it stands
	}
	return cmp.Or(why, fmt.Sprintf("%s by %s", to, actor))
}

// Halt stops all sending in every process and returns how many runs that holds. Without a reason that of a halt which is on
// stays.
func (a *App) Halt(ctx context.Context, actor, why string) (held int, err error) {
	if why == "" {
		_, before, err := a.Store.Halted(ctx)
		if err != nil {
			return 0, err
		}
		why = cmp.Or(before, "halted by "+actor)
	}
	if held, err = a.Store.Halt(ctx, why); err != nil {
		return held, err
	}
	return held, a.Store.Audit(ctx, actor, "halt", "", why)
}

// Resume takes a halt back. was tells whether there was one, free how many runs may go on.
func (a *App) Resume(ctx context.Context, actor string) (was bool, free int, err error) {
	if was, err = a.Store.Unhalt(ctx); err != nil {
		return was, 0, err
	}
	open, err := a.Store.OpenRuns(ctx, "")
	if err != nil {
		return was, 0, err
	}
	for _, run := range open {
		if run.State == scheduler.Planning || run.State == scheduler.Running {
			free++
		}
	}
	if !was {
		return was, free, nil
	}
	return was, free, a.Store.Audit(ctx, actor, "resume", "", "")
}
