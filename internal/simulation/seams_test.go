package simulation

import (
	"context"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// What follows are the store's methods as a process has them, each with the bug that a test planted there.

func (p *process) Marks(ctx context.Context) (marks map[string]scheduler.Mark, err error) {
	err = p.read(func() error { marks, err = p.w.db.Marks(ctx); return err })
	return marks, err
}

func (p *process) MoveMark(ctx context.Context, campaign string, from, to scheduler.Mark) (moved bool, err error) {
	err = p.pass(atMoveMark, func() error { moved, err = p.w.db.MoveMark(ctx, campaign, from, to); return err })
	return moved, err
}

func (p *process) CreateRun(ctx context.Context, run scheduler.Run) (made scheduler.Run, created bool, err error) {
	if p.w.bug.create != nil && !p.w.bug.create(&run) {
		return run, false, nil
	}
	err = p.pass(atCreateRun, func() error { made, created, err = p.w.db.CreateRun(ctx, run); return err })
	return made, created, err
}

func (p *process) Former(ctx context.Context, campaign, occurrence string) (former scheduler.Former, err error) {
	err = p.read(func() error { former, err = p.w.db.Former(ctx, campaign, occurrence); return err })
	return former, err
}

func (p *process) Now(ctx context.Context) (now time.Time, err error) {
	err = p.read(func() error { now, err = p.w.db.Now(ctx); return err })
	return now, err
}

func (p *process) OpenRuns(ctx context.Context, campaign string) (runs []scheduler.Run, err error) {
	err = p.read(func() error { runs, err = p.w.db.OpenRuns(ctx, campaign); return err })
	return runs, err
}

func (p *process) Places(ctx context.Context) (places scheduler.Places, err error) {
	err = p.read(func() error { places, err = p.w.db.Places(ctx); return err })
	return places, err
}

func (p *process) Range(ctx context.Context, after policy.PersonID, limit int, want scheduler.Want) (stretch scheduler.Stretch, err error) {
	// Small pages, so that a process can die between two.
	err = p.read(func() error { stretch, err = p.w.db.Range(ctx, after, min(limit, planPage), want); return err })
	return stretch, err
}

func (p *process) Enqueue(ctx context.Context, run string, rows []scheduler.Row) error {
	return p.pass(atEnqueue, func() error {
		p.w.planned(run, rows)
		return p.w.db.Enqueue(ctx, run, rows)
	})
}

func (p *process) Counted(ctx context.Context, run string, kind policy.Kind, plan scheduler.Plan) error {
	return p.read(func() error { return p.w.db.Counted(ctx, run, kind, plan) })
}

func (p *process) Planned(ctx context.Context, run string, plan scheduler.Plan) error {
	return p.pass(atPlanned, func() error { return p.w.db.Planned(ctx, run, plan) })
}

func (p *process) Await(ctx context.Context, run string, kind policy.Kind, plan scheduler.Plan, ask scheduler.Approval, why string) error {
	return p.read(func() error { return p.w.db.Await(ctx, run, kind, plan, ask, why) })
}

func (p *process) Miss(ctx context.Context, run, why string) error {
	return p.read(func() error { return p.w.db.Miss(ctx, run, why) })
}

func (p *process) MoveRun(ctx context.Context, run string, to scheduler.RunState, why string) error {
	return p.read(func() error { return p.w.db.MoveRun(ctx, run, to, why) })
}

func (p *process) Hold(ctx context.Context, key, holder string, span time.Duration) (held, taken bool, err error) {
	err = p.read(func() error { held, taken, err = p.w.db.Hold(ctx, key, holder, span); return err })
	if taken {
		p.w.leased(key, holder)
	}
	return held, taken, err
}

func (p *process) Release(ctx context.Context, key, holder string) error {
	return p.read(func() error { return p.w.db.Release(ctx, key, holder) })
}

func (p *process) Settle(ctx context.Context, number string, age time.Duration) (n int, err error) {
	err = p.pass(atSettle, func() error { n, err = p.w.db.Settle(ctx, number, age); return err })
	if n > 0 {
		p.w.tell("%s settles %d as unknown", p.name, n)
	}
	return n, err
}

func (p *process) Active(ctx context.Context, number string) (runs []sender.Run, err error) {
	err = p.read(func() error { runs, err = p.w.db.Active(ctx, number); return err })
	if p.w.bug.stale {
		runs = p.remember(number, runs)
	}
	return runs, err
}

func (p *process) Finish(ctx context.Context, run string) (done bool, nextDue time.Time, err error) {
	err = p.pass(atFinish, func() error { done, nextDue, err = p.w.db.Finish(ctx, run); return err })
	return done, nextDue, err
}

func (p *process) OpenBreaker(ctx context.Context, b sender.Breaker) error {
	p.w.tell("%s opens the breaker %s", p.name, b.Key())
	return p.read(func() error { return p.w.db.OpenBreaker(ctx, b) })
}

func (p *process) Queued(ctx context.Context, page sender.Page) (rows []sender.Row, err error) {
	err = p.read(func() error { rows, err = p.w.db.Queued(ctx, page); return err })
	if p.w.bug.queued != nil {
		rows = p.w.bug.queued(p.w, page.RunID, rows)
	}
	return rows, err
}

func (p *process) Gate(ctx context.Context, run sender.Run, rows []sender.GateRow) (answers []sender.GateAnswer, readAt time.Time, err error) {
	readAt = time.Now()
	p.w.attempted(p, run, rows)
	err = p.pass(atGate, func() error {
		answers, readAt, err = p.w.db.Gate(ctx, run, rows)
		p.w.judged(run, rows, answers)
		return err
	})
	if err != nil {
		// The gate may have committed, and its process does not know it.
		p.w.blame(rows)
		return nil, readAt, err
	}
	if p.w.bug.answers != nil {
		p.w.bug.answers(answers)
	}
	return answers, readAt, nil
}

func (p *process) Record(ctx context.Context, outcomes []sender.Outcome) error {
	if p.w.bug.record != nil {
		outcomes = p.w.bug.record(outcomes)
	}
	return p.pass(atRecord, func() error { return p.w.db.Record(ctx, outcomes) })
}

func (p *process) Store(ctx context.Context, bodies []sender.Inbox) (stopped []policy.PersonID, err error) {
	if p.w.bug.bodies != nil {
		bodies = p.w.bug.bodies(bodies)
	}
	err = p.pass(atWebhook, func() error { stopped, err = p.w.db.Store(ctx, bodies); return err })
	return stopped, err
}

func (p *process) InFlight(ctx context.Context, people []policy.PersonID) (flying bool, err error) {
	err = p.read(func() error { flying, err = p.w.db.InFlight(ctx, people); return err })
	if flying {
		p.w.seen.note("stop while sending")
	}
	if p.w.bug.impatient {
		return false, nil
	}
	return flying, err
}
