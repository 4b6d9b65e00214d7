package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/permesso/permesso/sender"
)

// Role is one part of the service.
type Role string

// The roles of serve.
const (
	RoleScheduler Role = "scheduler"
	RoleSender    Role = "sender"
	RoleWebhook   Role = "webhook"
	RoleConsole   Role = "console"
)

// Roles lists all roles.
func Roles() []Role { return []Role{RoleScheduler, RoleSender, RoleWebhook, RoleConsole} }

// ParseRoles reads "scheduler,sender"; "" is all.
func ParseRoles(text string) ([]Role, error) {
	if text == "" {
		return Roles(), nil
	}
	var roles []Role
	for _, name := range strings.Split(text, ",") {
		role := Role(strings.TrimSpace(name))
		if !slices.Contains(Roles(), role) {
			return nil, fmt.Errorf("--only %s: there is no role %q: choose among scheduler, sender, webhook, console", text, role)
		}
		roles = append(roles, role)
	}
	return roles, nil
}

// Serve runs the roles until ctx is done, then stops: first what starts runs, then the senders, which wait for the answers
// on their way, and last the listeners. ready, when not nil, is called once everything listens.
func (a *App) Serve(ctx context.Context, roles []Role, ready func()) (err error) {
	if path := a.sqlitePath(); path != "" {
		release, err := lockFile(path)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, release()) }()
	}
	if err := a.Enter(ctx); err != nil {
		return err
	}
	listening, err := a.listenFor(roles)
	if err != nil {
		return err
	}
	if ready != nil {
		ready()
	}

	outer, stopOuter := context.WithCancel(context.WithoutCancel(ctx))
	defer stopOuter()
	inner, stopInner := context.WithCancel(ctx)
	defer stopInner()
	var outerParts, innerParts group
	for _, part := range listening {
		outerParts.start(outer, stopInner, part)
	}
	// It outlives the senders, whose last outcomes it notes, and the listeners whose stops it keeps trying to journal.
	outerParts.start(outer, stopInner, part{"state folder", a.tend(a.standingMoved)})
	innerParts.start(inner, stopInner, part{"workers", func(ctx context.Context) error { return a.supervise(ctx, roles) }})
	if a.source != nil {
		innerParts.start(inner, stopInner, part{"configuration", a.followSource})
	}
	<-inner.Done()
	innerErr := innerParts.wait()
	stopOuter()
	return errors.Join(innerErr, outerParts.wait())
}

// part is something that runs until its context ends.
type part struct {
	name string
	run  func(context.Context) error
}

// listenFor takes the addresses of the roles, all or none.
func (a *App) listenFor(roles []Role) (parts []part, err error) {
	var taken []*listener
	defer func() {
		if err == nil {
			return
		}
		for _, l := range taken {
			err = errors.Join(err, l.socket.Close())
		}
	}()
	if slices.Contains(roles, RoleWebhook) {
		l, receiver, err := a.webhookListener()
		if err != nil {
			return nil, err
		}
		taken = append(taken, l)
		parts = append(parts, part{"webhook receiver", receiver.Run})
	}
	if slices.Contains(roles, RoleConsole) {
		l, err := a.consoleListener()
		if err != nil {
			return nil, err
		}
		taken = append(taken, l)
	}
	l, err := a.metricsListener()
	if err != nil {
		return nil, err
	}
	taken = append(taken, l)
	for _, l := range taken {
		a.Log.Info("listening", "for", l.name, "address", l.socket.Addr().String())
		parts = append(parts, part{l.name, l.run})
	}
	return parts, nil
}

// workers are what works as the configuration has it now. A worker's name tells all that it was made of.
func (a *App) workers(roles []Role) []part {
	cfg := a.config()
	parts := []part{{"housekeeping", a.housekeep}}
	if cfg.DryRun || a.Quarantine() != nil {
		return parts
	}
	parts = append(parts, part{"breakers", func(ctx context.Context) error { return a.watchBreakers(ctx, time.Time{}) }})
	if slices.Contains(roles, RoleScheduler) {
		s := a.scheduler()
		// Begun anew with each configuration: a schedule that is new there must be seen before its first slot, not after a sleep.
		parts = append(parts, part{"scheduler of configuration " + cfg.Hash()[:8], s.Run}, part{"planner", a.planner().Run})
		if cfg.Notify.URL != "" {
			parts = append(parts, part{"notices", a.courier().Run})
		}
		if cfg.Replies.URL != "" {
			parts = append(parts, part{"replies", a.replyCourier().Run})
		}
		if cfg.Retention.Any() {
			parts = append(parts, part{"retention", a.forgetting})
		}
	}
	if slices.Contains(roles, RoleSender) {
		for _, n := range cfg.Numbers {
			parts = append(parts, part{fmt.Sprintf("sender of %s at %g a second", n.ID, n.MessagesPerSecond), a.sender(n).Run})
		}
	}
	return parts
}

// supervise runs the workers of the roles, and starts and stops them as another configuration asks for others.
func (a *App) supervise(ctx context.Context, roles []Role) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	type worker struct {
		stop func()
		over chan struct{}
	}
	running := map[string]worker{}
	var parts group
	told := false
	for {
		if dry := a.config().DryRun; dry != told {
			told = dry
			a.Log.Warn("dry_run is " + strconv.FormatBool(dry) + ": " + map[bool]string{true: "no run starts and nothing is sent", false: "runs start and are sent"}[dry])
		}
		wanted := map[string]part{}
		for _, p := range a.workers(roles) {
			wanted[p.name] = p
		}
		var ending []worker
		for name, w := range running {
			if _, stays := wanted[name]; !stays {
				w.stop()
				ending = append(ending, w)
				delete(running, name)
			}
		}
		for _, w := range ending {
			<-w.over // a number's sender gives its lease back before the next one takes it
		}
		for name, p := range wanted {
			if _, runs := running[name]; runs {
				continue
			}
			own, stopOwn := context.WithCancel(ctx)
			w := worker{stopOwn, make(chan struct{})}
			running[name] = w
			parts.start(own, stop, part{name, func(ctx context.Context) error { defer close(w.over); return p.run(ctx) }})
		}
		select {
		case <-ctx.Done():
			return parts.wait()
		case <-a.changed:
		}
	}
}

// standingMoved has supervise look again which workers there are to be.
func (a *App) standingMoved() {
	select {
	case a.changed <- struct{}{}:
	default: // it is known already
	}
}

const (
	tidyEvery = 5 * time.Second
	// proveEvery is how often it is asked which silence proves something; that takes a day to come about.
	proveEvery = 10 * time.Minute
	// syncEvery keeps far below Meta's 200 management calls an hour (Meta, "About the platform", read 2026-03-12).
	syncEvery = 10 * time.Minute
	// keepNotices is longer than any notice is tried for; what is older nobody wants to be told.
	keepNotices = 7 * 24 * time.Hour
)

// housekeep applies statuses that passed their message by, keeps the templates fresh, says which silence proves something, and
// lets go of old notices.
func (a *App) housekeep(ctx context.Context) error {
	syncAt, proveAt := time.Now(), time.Now()
	for ctx.Err() == nil {
		if now := time.Now(); !now.Before(proveAt) {
			proveAt = now.Add(proveEvery)
			a.markUnproven(ctx)
		}
		if err := a.Store.ReplayEarly(ctx); err != nil && ctx.Err() == nil {
			a.Log.Error("early statuses cannot be applied", "error", err)
		}
		wanted, err := a.Store.WantsTemplateSync(ctx)
		if err != nil && ctx.Err() == nil {
			a.Log.Error("templates cannot be read", "error", err)
		}
		if now := time.Now(); !now.Before(syncAt) || (wanted && syncAt.Sub(now) < syncEvery-time.Minute) {
			syncAt = now.Add(syncEvery)
			if _, err := a.SyncTemplates(ctx); err != nil && ctx.Err() == nil {
				a.Log.Error("templates cannot be synced", "error", err)
			}
			if _, err := a.Store.ForgetNotices(ctx, keepNotices); err != nil && ctx.Err() == nil {
				a.Log.Error("old notices cannot be let go", "error", err)
			}
			a.tidyAnswers(ctx)
			a.tidyRequests(ctx)
		}
		sender.Sleep(ctx, tidyEvery)
	}
	return nil
}

func (a *App) markUnproven(ctx context.Context) {
	n, err := a.Store.MarkUnproven(ctx, sender.SilentFor)
	if err != nil && ctx.Err() == nil {
		a.Log.Error("it cannot be told which lost messages are unproven", "error", err)
	}
	if n > 0 {
		a.Log.Warn("messages whose answer was lost are unproven: WhatsApp has said nothing of them, and nearly all that was sent with them was heard of", "count", n)
	}
}

// group runs parts and collects their errors; the first failure stops everything.
type group struct {
	parts    sync.WaitGroup
	mu       sync.Mutex
	failures []error
}

func (g *group) start(ctx context.Context, stop func(), p part) {
	g.parts.Go(func() {
		err := p.run(ctx)
		if err == nil || errors.Is(err, context.Canceled) {
			return
		}
		g.mu.Lock()
		g.failures = append(g.failures, fmt.Errorf("%s: %w", p.name, err))
		g.mu.Unlock()
		stop()
	})
}

func (g *group) wait() error {
	g.parts.Wait()
	return errors.Join(g.failures...)
}
