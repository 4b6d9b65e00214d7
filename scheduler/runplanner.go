package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

// PlanStore is what planning needs of the store beside people and rows.
type PlanStore interface {
	People
	Rows
	// Counted keeps what the first pass counted, before any row is written, and the kind as which the messages count.
	Counted(ctx context.Context, runID string, kind policy.Kind, plan Plan) error
	// Planned notes that a run's last row is written.
	Planned(ctx context.Context, runID string, plan Plan) error
	// Await keeps what the first pass counted as Counted does, and has the run wait until somebody approves it. It leaves alone a
	// run that is not in planning any more.
	Await(ctx context.Context, runID string, kind policy.Kind, plan Plan, ask Approval, why string) error
	// Miss ends a run that waits for approval and leaves alone any other.
	Miss(ctx context.Context, runID, why string) error
	// Places returns those of the messaging limit as they are now.
	Places(ctx context.Context) (Places, error)
}

// RunMover moves a run to another state, with a sentence that says why, or pauses it by a breaker, which may heal by itself.
type RunMover interface {
	MoveRun(ctx context.Context, id string, to RunState, why string) error
	OpenBreaker(ctx context.Context, b sender.Breaker) error
}

// PlanLeases lets one process at a time plan a run; two would only do the same work twice.
type PlanLeases interface {
	Hold(ctx context.Context, key, holder string, span time.Duration) (held, taken bool, err error)
	Release(ctx context.Context, key, holder string) error
}

// Planner writes the rows of runs that are in planning.
type Planner struct {
	Store     PlanStore
	Open      OpenRuns
	Move      RunMover
	Leases    PlanLeases
	Holder    string
	Catalogue func(ctx context.Context) (templates.Catalogue, error)
	// Rate is the messages per second of a number.
	Rate func(numberID string) float64
	// Configured names a campaign as it is configured now, "" when it is not: the hash of what a run of it would keep.
	Configured func(campaignID string) string
	Logger     *slog.Logger
}

// lookEvery is how soon a run that another process made is taken up.
const lookEvery = 500 * time.Millisecond

// Run plans whatever waits for it until ctx is done.
func (p *Planner) Run(ctx context.Context) error {
	for {
		if err := p.Pass(ctx); err != nil && ctx.Err() == nil {
			p.Logger.Error("runs cannot be planned", "error", err)
		}
		timer := time.NewTimer(lookEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Pass plans, together, every run that waits for it and that no other process is planning, and ends those that nobody
// approved in time.
func (p *Planner) Pass(ctx context.Context) error {
	wanted, err := p.look(ctx)
	if err != nil || len(wanted) == 0 {
		return err
	}
	held := map[string]bool{}
	for _, run := range wanted {
		key := planLease(run)
		if _, asked := held[key]; asked {
			continue
		}
		if held[key], _, err = p.Leases.Hold(ctx, key, p.Holder, planSpan); err != nil {
			return err
		}
	}
	// Read again under the leases: another process may have planned some of them meanwhile.
	if wanted, err = p.gathered(ctx, held[scheduledLease]); err != nil {
		return err
	}
	mine := slices.DeleteFunc(wanted, func(run Run) bool { return !held[planLease(run)] })
	if len(mine) == 0 {
		p.release(context.WithoutCancel(ctx), held)
		return nil
	}
	return p.plan(ctx, mine, held)
}

// look returns the runs that wait to be planned, and ends those whose approval comes too late.
func (p *Planner) look(ctx context.Context) ([]Run, error) {
	open, err := p.Open.OpenRuns(ctx, "")
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for _, run := range open {
		why := run.Lapsed(now)
		if why == "" {
			continue
		}
		p.Logger.Warn("a run is missed: nobody approved it in time", "run", run.ID, "why", why)
		if err := p.Store.Miss(ctx, run.ID, why); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(open, func(run Run) bool { return run.State != Planning || !run.PlannedAt.IsZero() }), nil
}

const (
	// gatherEvery is longer than one run of a tick takes to be made after the one before.
	gatherEvery = 200 * time.Millisecond
	gatherMost  = 5 * time.Second
)

// gathered waits, when there are runs of schedules, until no more of them come: a tick makes its runs one after the other, and
// those that compete for a person's last slot must be planned together.
func (p *Planner) gathered(ctx context.Context, scheduled bool) ([]Run, error) {
	before := -1
	for waited := time.Duration(0); ; waited += gatherEvery {
		wanted, err := p.look(ctx)
		if err != nil || !scheduled {
			return wanted, err
		}
		n := 0
		for _, run := range wanted {
			if !run.Manual {
				n++
			}
		}
		if n == before || waited >= gatherMost || !sender.Sleep(ctx, gatherEvery) {
			return wanted, nil
		}
		before = n
	}
}

const (
	planSpan = 5 * time.Second
	// scheduledLease is one for the runs of all schedules, so that one planner has all that are due together.
	scheduledLease = "plan:schedules"
)

func planLease(run Run) string {
	if !run.Manual {
		return scheduledLease
	}
	return "plan:" + run.ID
}

// plan writes the rows of these runs, keeping the planning leases meanwhile. A run whose template Meta does not have, or has
// paused or changed, pauses before anything is sent; one that is too large waits for a second person.
func (p *Planner) plan(ctx context.Context, runs []Run, held map[string]bool) error {
	ctx, done := context.WithCancel(ctx)
	defer done()
	go p.renew(ctx, held)
	defer p.release(context.WithoutCancel(ctx), held)

	catalogue, err := p.Catalogue(ctx)
	if err != nil {
		return err
	}
	var drafts []*Draft
	for _, run := range runs {
		if err := templates.Check(catalogue, run.Frozen.Campaign.Message); err != nil {
			p.Logger.Error("a run pauses before its first message", "run", run.ID, "error", err)
			if err := p.pauseUnfit(ctx, run, err); err != nil {
				return err
			}
			continue
		}
		draft, err := NewDraft(run, catalogue, p.Rate(run.NumberID))
		if err != nil {
			p.Logger.Error("a run pauses: it cannot be planned", "run", run.ID, "error", err)
			if err := p.Move.MoveRun(ctx, run.ID, Paused, err.Error()); err != nil {
				return err
			}
			continue // the others are planned
		}
		drafts = append(drafts, draft)
	}
	if len(drafts) == 0 {
		return nil
	}
	if drafts, err = p.count(ctx, drafts); err != nil || len(drafts) == 0 {
		return err
	}
	if err := p.within(ctx, drafts); err != nil {
		return err
	}
	plans, err := MakePlans(ctx, p.Store, p.Store, drafts, time.Now())
	if err != nil {
		return err
	}
	for i, d := range drafts {
		for _, m := range d.panics {
			p.Logger.Error("a person cannot be planned and gets no message", "run", d.Run.ID, "person", m.person.String(), "error", m.panic, "stack", m.panic.Stack())
		}
		if err := p.Store.Planned(ctx, d.Run.ID, plans[i]); err != nil {
			return err
		}
	}
	return nil
}

// within has the drafts share the places of the messaging limit as they are now.
func (p *Planner) within(ctx context.Context, drafts []*Draft) error {
	places, err := p.Store.Places(ctx)
	if err != nil {
		return err
	}
	for _, d := range drafts {
		d.Within(&places)
	}
	return nil
}

// pauseUnfit pauses a run whose template cannot be sent. Meta may approve it yet, and the run then goes on by itself; other
// parameters than the run's wait for a person.
func (p *Planner) pauseUnfit(ctx context.Context, run Run, why error) error {
	refused, ok := errors.AsType[*templates.RefusedError](why)
	if !ok || refused.Reason == policy.MissingParameter {
		return p.Move.MoveRun(ctx, run.ID, Paused, why.Error())
	}
	return p.Move.OpenBreaker(ctx, sender.TemplateUnfit(refused.Template, refused.Language, refused.Error()))
}

// count is the first pass, for runs that nobody counted when they were made, those of a schedule, and for those that are large
// enough to want an approval: what was approved is what is there now, or nothing of it leaves. It returns the runs that go on.
func (p *Planner) count(ctx context.Context, drafts []*Draft) ([]*Draft, error) {
	if !slices.ContainsFunc(drafts, func(d *Draft) bool { return d.Run.Plan.Hash == "" || d.Run.approvable() }) {
		return drafts, nil
	}
	if err := p.within(ctx, drafts); err != nil {
		return nil, err
	}
	plans, err := MakePlans(ctx, p.Store, nil, drafts, time.Now())
	if err != nil {
		return nil, err
	}
	var goOn []*Draft
	for i, d := range drafts {
		ask := d.Ask(plans[i], p.Configured(d.Run.CampaignID))
		if why := d.Run.Hold(ask); why != "" {
			p.Logger.Warn("a run waits for approval", "run", d.Run.ID, "why", why)
			if err := p.Store.Await(ctx, d.Run.ID, d.Run.Kind, plans[i], ask, why); err != nil {
				return nil, err
			}
			continue
		}
		if err := p.Store.Counted(ctx, d.Run.ID, d.Run.Kind, plans[i]); err != nil {
			return nil, err
		}
		d.Run.Plan = plans[i]
		goOn = append(goOn, d)
	}
	return goOn, nil
}

// renew keeps the planning leases that are held until ctx is done.
func (p *Planner) renew(ctx context.Context, held map[string]bool) {
	for sender.Sleep(ctx, planSpan/5) {
		for key, mine := range held {
			if !mine {
				continue
			}
			if _, _, err := p.Leases.Hold(ctx, key, p.Holder, planSpan); err != nil && ctx.Err() == nil {
				p.Logger.Warn("a planning lease is not renewed", "lease", key, "error", err)
			}
		}
	}
}

func (p *Planner) release(ctx context.Context, held map[string]bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for key, mine := range held {
		if !mine {
			continue
		}
		if err := p.Leases.Release(ctx, key, p.Holder); err != nil {
			p.Logger.Warn("a planning lease is not released", "lease", key, "error", err)
		}
	}
}
