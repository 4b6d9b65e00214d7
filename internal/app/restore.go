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

// ErrNotJoined says that a database was to be accepted as it is, and is an older copy.
var ErrNotJoined = errcode.With(errors.New("the database is an older copy and cannot be joined"), errcode.NotJoined)

// Restored is what became of a database that was accepted as an older copy.
type Restored struct {
	Stops       int // of the journal that the database did not have, now and when it was first noticed
	Ended       store.Unfinished
	Slots       int      // recorded as missed
	WithJournal bool     // there was one to bring back
	SetAside    []string // files of another installation in state_dir, renamed
}

// Join accepts the database as it is, from this state_dir: nothing was lost. It reports false when there was nothing to accept, and
// the files of another installation that it renamed. It is ErrNotJoined when the database is known to be an older copy.
func (a *App) Join(ctx context.Context, actor string) (joined bool, aside []string, err error) {
	if aside, err = a.settleIn(ctx); err != nil {
		return false, aside, err
	}
	q := a.Quarantine()
	switch {
	case q == nil:
		return len(aside) > 0, aside, nil
	case q.Kind == damaged:
		return false, aside, refusal(*q)
	case q.Kind != newHere && q.Kind != store.Moved:
		return false, aside, fmt.Errorf("%w: %s. %s", ErrNotJoined, q.Why, waysOut(q.Kind))
	}
	return true, aside, a.accept(ctx, actor, store.Moved)
}

// settleIn enters; files of another installation are set aside first.
func (a *App) settleIn(ctx context.Context) (aside []string, err error) {
	if err := a.Enter(ctx); err != nil {
		return nil, err
	}
	q := a.Quarantine()
	if q == nil || q.Kind != otherDatabase {
		return nil, nil
	}
	file, _, err := a.home.dir.Instance()
	if err != nil {
		return nil, err
	}
	if aside, err = a.home.dir.SetAside(ctx, file.Instance); err != nil {
		return aside, err
	}
	return aside, a.Enter(ctx)
}

// accept makes the database's present state the one from which this state_dir goes on.
func (a *App) accept(ctx context.Context, actor string, takesBack ...store.QuarantineKind) error {
	h := a.home
	h.mu.Lock()
	defer h.mu.Unlock()
	file, _, err := h.dir.Instance()
	if err != nil {
		return err
	}
	h.place = a.Store.Place(ctx)
	if file.Seq, err = a.Store.Accept(ctx, file.Home, file.Seq, h.place, actor, takesBack...); err != nil {
		return err
	}
	if err := h.dir.Keep(ctx, file); err != nil {
		return err
	}
	if err := a.look(ctx); err != nil {
		return err
	}
	a.journalStops(ctx)
	return nil
}

// Unfinished counts what AfterRestore would end.
func (a *App) Unfinished(ctx context.Context) (store.Unfinished, error) {
	return a.Store.Unfinished(ctx)
}

const whyMissed = "the database was restored from a backup: whether this slot was sent before is not known"

// AfterRestore accepts the database as an older copy of itself. The journal's stops are brought back; every run that is open in
// the copy ends, for nobody knows who got its message since; every slot up to now, and up to the last that state_dir saw
// judged, is recorded as missed if the copy has no run of it. Then the quarantine is taken back.
func (a *App) AfterRestore(ctx context.Context, actor string) (done Restored, err error) {
	if done.SetAside, err = a.settleIn(ctx); err != nil {
		return done, err
	}
	if q := a.Quarantine(); q != nil && q.Kind == damaged {
		return done, refusal(*q)
	}
	file, _, err := a.home.dir.Instance()
	if err != nil {
		return done, err
	}
	if done.Stops, done.WithJournal, err = a.replayAgain(ctx); err != nil {
		return done, err
	}
	if done.Ended, err = a.Store.EndUnfinished(ctx); err != nil {
		return done, err
	}
	now, err := a.Store.Now(ctx)
	if err != nil {
		return done, err
	}
	until := now
	if file.Judged.After(until) {
		until = file.Judged
	}
	if done.Slots, err = a.scheduler().Skip(ctx, now, until, whyMissed); err != nil {
		return done, err
	}
	if err := a.AcceptLedger(ctx, "restored from a backup, by "+actor); err != nil {
		return done, err
	}
	return done, a.accept(ctx, actor, store.Behind, store.Moved, store.Orphans)
}

func (a *App) replayAgain(ctx context.Context) (restored int, withJournal bool, err error) {
	h := a.home
	h.mu.Lock()
	defer h.mu.Unlock()
	through, err := h.journal.Through()
	if err != nil {
		return 0, false, err
	}
	again, err := a.replay(ctx)
	return h.restored + again, through >= 0, err
}

// scheduler starts runs of the campaigns as they are configured now.
func (a *App) scheduler() *scheduler.Scheduler {
	cfg := a.config()
	return &scheduler.Scheduler{
		Slots: a.Store, Formers: a.Store, Clock: a.Store.Now, Logger: a.Log, Campaigns: func() []scheduler.Campaign { return cfg.Campaigns },
		Freeze: func(c scheduler.Campaign) scheduler.Frozen { return freeze(cfg, c) },
	}
}

// LookOnly reports why nothing is sent, for a verb that only shows things: it makes and changes nothing.
func (a *App) LookOnly(ctx context.Context) (*store.Quarantine, error) {
	file, found, err := a.home.dir.Instance()
	if err != nil {
		return nil, err
	}
	if !found {
		file.Instance = a.Store.Instance() // as it would be made
	}
	db, err := a.Store.Installation(ctx, file.Home)
	if err != nil {
		return nil, err
	}
	through, err := a.home.journal.Through()
	if err != nil {
		return nil, err
	}
	v := sight{dir: a.home.dir.Path(), instance: a.Store.Instance(), file: file, through: through, db: db}.judge()
	if v.Kind == "" {
		return nil, nil
	}
	return &v.Quarantine, nil
}

// SayQuarantine is the one line that operators read about a quarantine.
func SayQuarantine(q store.Quarantine) string {
	since := ""
	if !q.Since.IsZero() {
		since = " since " + q.Since.UTC().Format(time.RFC3339)
	}
	return "Quarantine" + since + ", nothing is sent: " + q.Why + ". " + waysOut(q.Kind) + "."
}
