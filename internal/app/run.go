package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

// Errors of a run that does not start, or does not end.
var (
	// ErrNoCampaign says that the configuration has no campaign of that id.
	ErrNoCampaign = errcode.With(errors.New("there is no such campaign in the configuration"), errcode.NoSuchCampaign)
	// ErrHalted says that everything is halted.
	ErrHalted = errcode.With(errors.New("everything is halted: `permesso resume` takes that back"), errcode.Halted)
	// ErrIncomplete says that a run ended, for this process, before all of it was sent. The error around it has the code.
	ErrIncomplete = errors.New("the run is not complete")
	// ErrDryRun says that the configuration allows no sending.
	ErrDryRun = errcode.With(errors.New("dry_run is true in the configuration: nothing was sent"), errcode.DryRun)
	// ErrNoTestPhones says that a test has nobody to go to.
	ErrNoTestPhones = errcode.With(errors.New("--test sends to test_phones, and the configuration has none"), errcode.NoTestPhones)
)

// RunOptions say how a campaign is run by hand.
type RunOptions struct {
	At   time.Time // its start; zero is now
	Test bool      // only test_phones get it
	// By is who makes it; somebody else has to approve a large one.
	By string
}

// Plan counts what a run of the campaign at a time would do, changing nothing. It asks nobody but the store.
func (a *App) Plan(ctx context.Context, campaign string, when time.Time) (scheduler.Plan, error) {
	catalogue, err := a.Catalogue(ctx)
	if err != nil {
		return scheduler.Plan{}, err
	}
	run, err := a.newRun(campaign, RunOptions{At: when})
	if err != nil {
		return scheduler.Plan{}, err
	}
	run, err = a.count(ctx, run, catalogue, run.FireAt)
	return run.Plan, err
}

// Refusal says why a run of the campaign would be refused for its template, as of the last sync: a *templates.RefusedError,
// or several joined. It is nil when the template can be sent, and when no sync ever was: then nothing is known of it.
func (a *App) Refusal(ctx context.Context, campaign string) (refusal, err error) {
	list, synced, err := a.Store.Templates(ctx)
	if err != nil || synced.IsZero() {
		return nil, err
	}
	c, ok := a.config().Campaign(campaign)
	if !ok {
		return nil, fmt.Errorf("%w: %q; it has %s", ErrNoCampaign, campaign, a.campaignIDs())
	}
	return templates.Check(templates.NewCatalogue(list), c.Message), nil
}

// count is the first pass over everybody: it fills the run's plan, what of it would have to be approved, and the kind as which
// its messages count.
func (a *App) count(ctx context.Context, run scheduler.Run, catalogue templates.Catalogue, now time.Time) (scheduler.Run, error) {
	draft, err := scheduler.NewDraft(run, catalogue, a.Rate(run.NumberID))
	if err != nil {
		return run, err
	}
	if err := a.within(ctx, draft); err != nil {
		return run, err
	}
	plans, err := scheduler.MakePlans(ctx, a.Store, nil, []*scheduler.Draft{draft}, now)
	if err != nil {
		return run, err
	}
	run.Kind, run.Plan = draft.Run.Kind, plans[0]
	run.Approval = draft.Ask(run.Plan, a.Configured(run.CampaignID))
	return run, nil
}

func (a *App) newRun(campaign string, o RunOptions) (scheduler.Run, error) {
	c, ok := a.config().Campaign(campaign)
	if !ok {
		return scheduler.Run{}, fmt.Errorf("%w: %q; it has %s", ErrNoCampaign, campaign, a.campaignIDs())
	}
	frozen := a.Freeze(c)
	if o.Test {
		if len(a.config().TestPhones) == 0 {
			return scheduler.Run{}, ErrNoTestPhones
		}
		for _, p := range a.config().TestPhones {
			frozen.TestPhones = append(frozen.TestPhones, string(p.Canonical()))
		}
	}
	when := o.At
	if when.IsZero() {
		when = time.Now()
	}
	run, err := scheduler.NewRun(frozen, when)
	run.Manual, run.Test, run.CreatedBy = true, o.Test, o.By
	return run, err
}

func (a *App) campaignIDs() string {
	if len(a.config().Campaigns) == 0 {
		return "none"
	}
	text := ""
	for i, c := range a.config().Campaigns {
		if i > 0 {
			text += ", "
		}
		text += c.ID
	}
	return text
}

// CreateRun makes a run by hand: templates fresh from Meta, checked before anything else; everybody counted; then the run stored, in planning.
func (a *App) CreateRun(ctx context.Context, campaign string, o RunOptions) (scheduler.Run, error) {
	run, catalogue, err := a.startable(ctx, campaign, o)
	if err != nil {
		return run, err
	}
	if err := a.FirstLimit(ctx); err != nil {
		a.Log.Warn("Meta's messaging limit was never read, and cannot be read now", "error", err)
	}
	if run, err = a.count(ctx, run, catalogue, run.FireAt); err != nil {
		return run, err
	}
	if a.config().DryRun {
		return run, ErrDryRun
	}
	if missing := len(run.Frozen.TestPhones) - run.Plan.Matched; run.Test && missing > 0 {
		a.Log.Warn("some test_phones are no contacts and get nothing: import them", "missing", missing, "of", len(run.Frozen.TestPhones))
	}
	open, err := a.Store.OpenRuns(ctx, campaign)
	if err != nil {
		return run, err
	}
	for _, earlier := range open {
		if !earlier.Test && !o.Test {
			a.Log.Warn("an earlier run of this campaign is not over and goes on beside this one: `permesso runs cancel` ends it", "run", earlier.ID, "state", string(earlier.State))
		}
	}
	ask := run.Approval
	run.Approval = scheduler.Approval{} // nobody is asked, unless it is to wait
	if why := run.Hold(ask); why != "" {
		run.State, run.Why, run.Approval = scheduler.Waiting, why, ask
	}
	run, _, err = a.Store.CreateRun(ctx, run)
	return run, err
}

// Progress is how far a run is.
type Progress struct {
	report.Progress
	Run scheduler.Run
	// HealsAt is when a run that a breaker paused may go on by itself; zero when nobody can tell.
	HealsAt time.Time
	// DueAt is when the next row is due, when all that is left waits for a time.
	DueAt time.Time
}

const (
	watchEvery = 20 * time.Millisecond
	countEvery = 500 * time.Millisecond
	// countShare is how many times as long as a count took the next one waits.
	countShare = 50
	// waitAtMost is how long a foreground run waits for a window to open before it leaves the rest to serve (CONTRACT §4).
	waitAtMost = 2 * time.Minute
	// healingTakes is how long after its time a breaker may still be open while this process looks after it.
	healingTakes = 5 * time.Second
)

// Foreground carries a stored run to its end in this process: it plans it, sends when no other process holds the number, and
// takes webhooks when nobody else listens. show is called a few times a second. listened tells that the webhooks were taken here,
// and are taken by nobody now. The error is nil when the run is done, ErrIncomplete with the reason when it was paused,
// cancelled, interrupted, or waits for more than two minutes. When ctx ends the run is paused.
func (a *App) Foreground(ctx context.Context, run scheduler.Run, show func(Progress)) (listened bool, err error) {
	if err := a.Admit(ctx); err != nil {
		return false, err
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	listening, stopListening := context.WithCancel(context.WithoutCancel(ctx))
	var parts, ears group
	if listened, err = a.startForeground(work, listening, stop, run, &parts, &ears); err != nil {
		stop()
		stopListening()
		return listened, errors.Join(err, parts.wait(), ears.wait())
	}
	err = a.watch(ctx, work, run.ID, show)
	if err == nil && ctx.Err() == nil {
		a.linger(ctx, run.ID, show)
	}
	if ctx.Err() != nil {
		err = errors.Join(err, a.interrupt(context.WithoutCancel(ctx), run.ID))
	}
	stop()
	err = errors.Join(err, parts.wait())
	if show != nil {
		if last, failure := a.progress(context.WithoutCancel(ctx), run.ID); failure == nil {
			show(last)
		}
	}
	stopListening()
	err = errors.Join(err, ears.wait())
	a.FlushNotices(context.WithoutCancel(ctx))
	return listened, err
}

func (a *App) startForeground(work, listening context.Context, stop func(), run scheduler.Run, parts, ears *group) (listened bool, err error) {
	l, receiver, err := a.webhookListener()
	switch {
	case errors.Is(err, errInUse):
		a.Log.Info("webhooks are taken by another process", "address", a.Config.Listen.Webhook)
	case err != nil:
		return false, err
	default:
		listened, a.listenedAt = true, time.Now()
		ears.start(listening, stop, part{"webhook", l.run})
		ears.start(listening, stop, part{"webhook receiver", receiver.Run})
	}
	number := slices.IndexFunc(a.config().Numbers, func(n config.Number) bool { return n.ID == run.NumberID })
	if number < 0 {
		return listened, errcode.With(fmt.Errorf("run %s is of number %s, which is not configured any more", run.ID, run.NumberID), errcode.NumberNotConfigured)
	}
	ears.start(listening, stop, part{"state folder", a.tend(func() {})})
	parts.start(work, stop, part{"planner", a.planner().Run})
	parts.start(work, stop, part{"sender", a.sender(a.config().Numbers[number]).Run})
	parts.start(work, stop, part{"early statuses", a.replayEarly})
	parts.start(work, stop, part{"breakers", func(ctx context.Context) error { return a.watchBreakers(ctx, a.listenedAt) }})
	if a.config().Notify.URL != "" {
		parts.start(work, stop, part{"notices", a.courier().Run})
	}
	if a.config().Replies.URL != "" {
		parts.start(work, stop, part{"replies", a.replyCourier().Run})
	}
	return listened, nil
}

func (a *App) replayEarly(ctx context.Context) error {
	for sender.Sleep(ctx, tidyEvery) {
		if err := a.Store.ReplayEarly(ctx); err != nil && ctx.Err() == nil {
			a.Log.Error("early statuses cannot be applied", "error", err)
		}
	}
	return nil
}

// interrupt pauses the run that a person stopped with Ctrl-C.
func (a *App) interrupt(ctx context.Context, id string) error {
	run, err := a.Store.Run(ctx, id)
	if err != nil || !run.State.Open() || run.State == scheduler.Paused {
		return err
	}
	if err := a.Store.MoveRun(ctx, id, scheduler.Paused, "interrupted in the foreground"); err != nil {
		return err
	}
	return errcode.With(fmt.Errorf("%w: it was interrupted and is paused; `permesso runs resume %s` goes on", ErrIncomplete, id), errcode.RunInterrupted)
}

func (a *App) watch(ctx, work context.Context, id string, show func(Progress)) error {
	countAt := time.Now()
	for sender.Sleep(ctx, watchEvery) {
		if work.Err() != nil {
			return errcode.With(fmt.Errorf("%w: a part of the program failed", ErrIncomplete), errcode.RunIncomplete)
		}
		run, err := a.Store.Run(ctx, id)
		if err != nil {
			a.complain(ctx, err)
			continue
		}
		// Counting a large run takes a while: while it goes on, it is done rarely enough not to slow it down.
		if moving := run.State == scheduler.Running || run.State == scheduler.Planning; moving && time.Now().Before(countAt) {
			continue
		}
		asked := time.Now()
		p, err := a.progress(ctx, id)
		countAt = time.Now().Add(max(countEvery, countShare*time.Since(asked)))
		if err != nil {
			a.complain(ctx, err)
			continue
		}
		if show != nil {
			show(p)
		}
		if over, err := a.verdict(p, time.Now()); over {
			return err
		}
		if q := a.Quarantine(); q != nil {
			return fmt.Errorf("%w: %w", ErrIncomplete, refusal(*q))
		}
		halted, why, err := a.Store.Halted(ctx)
		if err == nil && !halted.IsZero() {
			return fmt.Errorf("%w: %w (%s)", ErrIncomplete, ErrHalted, why)
		}
	}
	return nil
}

func (a *App) complain(ctx context.Context, err error) {
	if ctx.Err() == nil {
		a.Log.Error("progress cannot be read", "error", err)
	}
}

const (
	// lingerQuiet is how long a foreground run that hears reports waits for the next one before it closes its ears.
	lingerQuiet = 1500 * time.Millisecond
	lingerMost  = 10 * time.Second
)

// linger keeps the webhook open after the last message while reports of the run are still coming in: they would otherwise
// wait for Meta's next try. A run of which nothing was reported yet is not waited for.
func (a *App) linger(ctx context.Context, id string, show func(Progress)) {
	began := time.Now()
	quiet, last := began, -1
	for time.Since(began) < lingerMost && time.Since(quiet) < lingerQuiet {
		p, err := a.progress(ctx, id)
		if err != nil {
			return
		}
		if show != nil {
			show(p)
		}
		// Each report moves the sum on: a message counts more the further it got.
		reported := p.States[sender.Sent] + 2*p.States[sender.Delivered] + 3*p.States[sender.Read]
		if reported == 0 || p.States[sender.Accepted]+p.States[sender.Held]+p.States[sender.Sent]+p.States[sender.Delivered] == 0 {
			return
		}
		if reported != last {
			quiet, last = time.Now(), reported
		}
		if !sender.Sleep(ctx, countEvery) {
			return
		}
	}
}

// verdict says whether the foreground may leave the run, and with what.
func (a *App) verdict(p Progress, now time.Time) (over bool, err error) {
	switch p.Run.State {
	case scheduler.Done:
		return true, nil
	case scheduler.RunCancelled:
		return true, errcode.With(fmt.Errorf("%w: it is %s: %s", ErrIncomplete, p.Run.State, p.Run.Why), errcode.RunCancelled)
	case scheduler.Paused:
		if wait := p.HealsAt.Sub(now); wait > -healingTakes && wait <= waitAtMost {
			return false, nil
		}
		return true, errcode.With(fmt.Errorf("%w: it is %s: %s; when that is mended, `permesso runs resume %s` goes on", ErrIncomplete, p.Run.State, p.Run.Why, p.Run.ID), errcode.RunPaused)
	case scheduler.Waiting:
		return true, Awaits(p.Run)
	case scheduler.Missed:
		return true, errcode.With(fmt.Errorf("%w: it is %s: %s", ErrIncomplete, p.Run.State, p.Run.Why), errcode.RunMissed)
	}
	if !p.DueAt.IsZero() && p.DueAt.Sub(now) > waitAtMost {
		return true, errcode.With(fmt.Errorf("%w: the %d people left wait until %s; a running `permesso serve` sends to them then",
			ErrIncomplete, p.Progress.Waiting(), p.DueAt.In(a.zone()).Format(time.RFC3339)), errcode.RunWaits)
	}
	return false, nil
}

func (a *App) progress(ctx context.Context, id string) (Progress, error) {
	run, err := a.Store.Run(ctx, id)
	if err != nil {
		return Progress{}, err
	}
	states, err := a.Store.Progress(ctx, id)
	if err != nil {
		return Progress{}, err
	}
	p := Progress{Progress: states, Run: run}
	if run.State == scheduler.Paused && run.PausedBy != "" {
		if p.HealsAt, err = a.healsAt(ctx, run.PausedBy); err != nil {
			return Progress{}, err
		}
	}
	if run.State == scheduler.Running && p.States[sender.Queued] > 0 && p.States[sender.Sending] == 0 {
		if p.DueAt, err = a.Store.NextDue(ctx, id); err != nil {
			return Progress{}, err
		}
	}
	return p, nil
}

// Carried reports whether a living process sends for the number: one that holds its lease and renews it. A dead
// process's lease ends by itself within seconds, and is waited for.
func (a *App) Carried(ctx context.Context, numberID string) (bool, error) {
	first, err := a.Store.LeaseUntil(ctx, numberID)
	if err != nil || first.IsZero() {
		return false, err
	}
	for sender.Sleep(ctx, 250*time.Millisecond) {
		until, err := a.Store.LeaseUntil(ctx, numberID)
		if err != nil || until.IsZero() || until.After(first) {
			return err == nil && until.After(first), err
		}
	}
	return false, ctx.Err()
}

// Goes reports whether the run may be carried on as it is: it was left behind by a process that died.
func Goes(state scheduler.RunState) bool {
	return state == scheduler.Planning || state == scheduler.Running
}

// StopAndWait suppresses by an operator's hand and waits, as the webhook does, until nothing for these people is on its way.
func (a *App) StopAndWait(ctx context.Context, people []policy.PersonID) {
	deadline := time.Now().Add(1200 * time.Millisecond)
	for time.Now().Before(deadline) {
		flying, err := a.Store.InFlight(ctx, people)
		if err == nil && !flying {
			return
		}
		if !sender.Sleep(ctx, 10*time.Millisecond) {
			return
		}
	}
}
