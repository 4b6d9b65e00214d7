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

	"github.com/permesso/permesso/scheduler"
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
	same, err := noteInstance(a.Config.StateDir, a.Store.Instance())
	if err != nil {
		return err
	}
	if !same {
		a.Log.Warn("state_dir belongs to another database: if this one was restored or cloned, stops that came since may be missing in it", "state_dir", a.Config.StateDir)
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
	if cfg.DryRun {
		return parts
	}
	parts = append(parts, part{"breakers", func(ctx context.Context) error { return a.watchBreakers(ctx, time.Time{}) }})
	if slices.Contains(roles, RoleScheduler) {
		s := &scheduler.Scheduler{
			Slots: a.Store, Formers: a.Store, Clock: a.Store.Now, Logger: a.Log, Campaigns: func() []scheduler.Campaign { return cfg.Campaigns },
			Freeze: func(c scheduler.Campaign) scheduler.Frozen { return freeze(cfg, c) },
		}
		// Begun anew with each configuration: a schedule that is new there must be seen before its first slot, not after a sleep.
		parts = append(parts, part{"scheduler of configuration " + cfg.Hash()[:8], s.Run}, part{"planner", a.planner().Run})
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

const (
	tidyEvery = 5 * time.Second
	// syncEvery keeps far below Meta's 200 management calls an hour (Meta, "About the platform", read 2026-03-12).
	syncEvery = 10 * time.Minute
)

// housekeep applies statuses that passed their message by, and keeps the templates fresh.
func (a *App) housekeep(ctx context.Context) error {
	syncAt := time.Now()
	for ctx.Err() == nil {
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
		}
		sender.Sleep(ctx, tidyEvery)
	}
	return nil
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
