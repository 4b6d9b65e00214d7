package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// testApproval asks, from every state, for an approval, gives it, and lets it come too late.
func testApproval(w *world) {
	ask := scheduler.Approval{Hash: "abc", People: 20_000, Configured: "c", Templates: "t", By: "nobody may smuggle this in"}
	want := ask
	want.By = ""
	plan := scheduler.Plan{Hash: "abc", Matched: 20_000, Allowed: 20_000}
	made := func(state scheduler.RunState) scheduler.Run {
		w.Helper()
		run, _, err := w.store.CreateRun(w.ctx, w.draft("approval", "offers", func(r *scheduler.Run) { r.State, r.CreatedBy = state, "ada" }))
		w.must(err)
		return run
	}
	for _, from := range runStates {
		run := made(from)
		w.must(w.store.Await(w.ctx, run.ID, policy.Marketing, plan, ask, "it is large"))
		after, err := w.store.Run(w.ctx, run.ID)
		w.must(err)
		waits := from == scheduler.Planning || from == scheduler.Waiting
		switch {
		case after.CreatedBy != "ada":
			w.Errorf("the run was made by %q", after.CreatedBy)
		case waits && (after.State != scheduler.Waiting || after.Why != "it is large" || after.Approval != want || after.Plan.Allowed != 20_000 || after.Kind != policy.Marketing):
			w.Errorf("asked of a run in %s: %s (%q), %+v", from, after.State, after.Why, after.Approval)
		case !waits && (after.State != from || after.Approval.Hash != ""):
			w.Errorf("asked of a run in %s, it is %s", from, after.State)
		}

		err = w.store.Approve(w.ctx, run.ID, "another", "grace")
		if !errors.Is(err, store.ErrState) {
			w.Errorf("from %s, another plan than the run's is approved: %v", from, err)
		}
		err = w.store.Approve(w.ctx, run.ID, "abc", "grace")
		after, failure := w.store.Run(w.ctx, run.ID)
		w.must(failure)
		switch {
		case waits && (err != nil || after.State != scheduler.Planning || after.Why != "" || after.Approval.By != "grace" || after.Approval.At.IsZero() || after.Approval.Hash != "abc"):
			w.Errorf("approved after %s: %s (%q), %+v, %v", from, after.State, after.Why, after.Approval, err)
		case !waits && (!errors.Is(err, store.ErrState) || after.State != from):
			w.Errorf("a run in %s is approved: %s, %v", from, after.State, err)
		}

		late := made(from)
		w.must(w.store.Miss(w.ctx, late.ID, "nobody came"))
		after, err = w.store.Run(w.ctx, late.ID)
		w.must(err)
		if wanted := map[bool]scheduler.RunState{true: scheduler.Missed, false: from}[from == scheduler.Waiting]; after.State != wanted || from == scheduler.Waiting && (after.FinishedAt.IsZero() || after.Why != "nobody came") {
			w.Errorf("a run in %s comes too late: %s (%q), finished %s", from, after.State, after.Why, after.FinishedAt)
		}
	}

	// An approval that dies is asked for anew, and what was queued does not leave meanwhile, nor ever when nobody approves again.
	p := w.people(1)
	run := made(scheduler.Planning)
	w.must(w.store.Enqueue(w.ctx, run.ID, allowed(p)))
	l := &launch{rows: map[policy.PersonID]sender.Row{}}
	w.reload(l, run.ID)
	for _, row := range w.queued(run.ID) {
		l.rows[row.PersonID] = row
	}
	w.must(w.store.Await(w.ctx, run.ID, policy.Marketing, plan, ask, "it grew"))
	if answer := w.gate(l, p)[0].answer; answer.State == sender.Sending {
		w.Error("a row of a run that waits passes the gate")
	}
	w.must(w.store.Miss(w.ctx, run.ID, "nobody came"))
	w.want(run.ID, sender.Expired, policy.NotAfter, p[0])

	entries, err := w.store.Audited(w.ctx, 0)
	w.must(err)
	for _, action := range []string{"run.waiting", "run.approve", "run.missed"} {
		if !slices.ContainsFunc(entries, func(e report.Audit) bool {
			return e.Action == action && e.Subject != "" && e.Details != "" && (e.Actor == "grace") == (action == "run.approve")
		}) {
			w.Errorf("the audit log has no %s", action)
		}
	}
}

// testApprovalRaces has many approve one run at once, while others cancel theirs: one approval counts, and a cancelled run stays so.
func testApprovalRaces(w *world) {
	for round := range 10 {
		run, _, err := w.store.CreateRun(w.ctx, w.draft("races", "offers", func(r *scheduler.Run) {
			r.State, r.Approval = scheduler.Waiting, scheduler.Approval{Hash: "abc", People: 9}
		}))
		w.must(err)
		var approved, cancelled atomic.Int32
		var working sync.WaitGroup
		for i := range 4 {
			working.Go(func() {
				switch err := w.store.Approve(w.ctx, run.ID, "abc", fmt.Sprint("person ", i)); {
				case err == nil:
					approved.Add(1)
				case !errors.Is(err, store.ErrState):
					w.Error(err)
				}
			})
		}
		if round%2 == 1 {
			working.Go(func() {
				switch err := w.store.MoveRun(w.ctx, run.ID, scheduler.RunCancelled, "a test"); {
				case err == nil:
					cancelled.Add(1)
				case !errors.Is(err, store.ErrState):
					w.Error(err)
				}
			})
		}
		working.Wait()
		after, err := w.store.Run(w.ctx, run.ID)
		w.must(err)
		switch {
		case cancelled.Load() == 1 && after.State != scheduler.RunCancelled:
			w.Errorf("a cancelled run is %s", after.State)
		case cancelled.Load() == 0 && (approved.Load() != 1 || after.State != scheduler.Planning || !strings.HasPrefix(after.Approval.By, "person ")):
			w.Errorf("%d approved it, by %q, and it is %s", approved.Load(), after.Approval.By, after.State)
		}
	}
}
