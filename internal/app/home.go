package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/statedir"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// ErrQuarantined says that nothing is sent from this database.
var ErrQuarantined = errcode.With(errors.New("nothing is sent, for the database is in quarantine"), errcode.Quarantined)

// Kinds of quarantine that bind the processes of one state_dir alone: another, which the database knows, goes on.
const (
	otherDatabase store.QuarantineKind = "other_database" // state_dir belongs to another installation
	newHere       store.QuarantineKind = "new_here"       // the database works with others, and does not know this state_dir
	damaged       store.QuarantineKind = "damaged"        // the journal in state_dir cannot be read
)

const (
	// tendEvery is how soon a quarantine, or its end, is noticed, and how often what was done is noted in state_dir.
	tendEvery = time.Second
	// watchOthers is how long a new state_dir looks for others at work: each says so every second.
	watchOthers = 3 * time.Second
	// placeEvery is how often the server is asked where the database is.
	placeEvery = 30 * time.Second
	// sayEvery is how often a failure that lasts is logged.
	sayEvery = time.Minute
	// replayChunk is how many stops of the journal are brought back in one transaction.
	replayChunk = 1000
)

// home is state_dir as this process works from it.
type home struct {
	dir     *statedir.Dir
	journal *statedir.Journal

	mu       sync.Mutex // of whoever looks, notes or changes
	replayed bool       // the journal was brought back into this database
	restored int        // how many stops that brought
	through  int64      // up to which change of stops the journal was seen whole
	deeds    int64      // of this process, as last noted
	placeAt  time.Time
	place    string

	checkpointAt time.Time // when a checkpoint of the consent ledger was last tried
	unchecked    bool      // the last one failed; it is said once

	appended   atomic.Int64 // how often this process had appended to the consent ledger at its last checkpoint
	quarantine atomic.Pointer[store.Quarantine]
	unkept     atomic.Bool // the journal could not be written; it is said once
	stale      atomic.Bool // what was done could not be noted in state_dir; likewise
}

func newHome(stateDir, instance string) *home {
	dir := statedir.At(stateDir)
	return &home{dir: dir, journal: dir.Journal(instance), through: -1}
}

// Quarantine is why this process sends nothing; nil when it may, as far as it has looked.
func (a *App) Quarantine() *store.Quarantine { return a.home.quarantine.Load() }

// Enter has this process work from its state_dir: it makes the folder known to a new database, and looks whether the database is
// the one that the folder remembers. Quarantine tells what it found. Until it was called nothing passes the gate.
func (a *App) Enter(ctx context.Context) error {
	h := a.home
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, err := h.dir.Claim(ctx, a.Store.Instance()); err != nil {
		return err
	}
	if err := a.look(ctx); err != nil {
		return err
	}
	if err := a.joinOthers(ctx); err != nil {
		return err
	}
	if a.Quarantine() != nil {
		return nil
	}
	if err := a.Store.ForgetPastAttempts(ctx, time.Now()); err != nil {
		return err
	}
	return a.note(ctx)
}

// joinOthers makes a new state_dir one of the database's when another process is seen at work with the same database: then it is the
// live one, and no clone of it, and this is a second worker. It is seen at work when its mark moves while we look, whatever the
// clocks say. A clone has nobody at work in it until somebody accepts it.
func (a *App) joinOthers(ctx context.Context) error {
	q := a.Quarantine()
	if q == nil || q.Kind != newHere || a.home.through > 0 {
		return nil
	}
	file, found, err := a.home.dir.Instance()
	if err != nil || !found || file.Instance != a.Store.Instance() || file.Seq > 0 {
		return err
	}
	known, err := a.Store.Installation(ctx, file.Home)
	if err != nil || known.Place != a.home.place {
		return err
	}
	first, err := a.Store.LastBeat(ctx)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(watchOthers); time.Now().Before(deadline) && sender.Sleep(ctx, watchOthers/20); {
		last, err := a.Store.LastBeat(ctx)
		if err != nil {
			return err
		}
		if !last.After(first) {
			continue
		}
		if file.Seq, err = a.Store.Accept(ctx, file.Home, file.Seq, a.home.place, "permesso"); err != nil {
			return err
		}
		if err := a.home.dir.Keep(ctx, file); err != nil {
			return err
		}
		a.Log.Info("this state_dir joins the others of the database, for one is at work with it now", "state_dir", a.home.dir.Path())
		return a.look(ctx)
	}
	return nil
}

// Admit is Enter, and an ErrQuarantined when nothing may be sent.
func (a *App) Admit(ctx context.Context) error {
	if err := a.Enter(ctx); err != nil {
		return err
	}
	if q := a.Quarantine(); q != nil {
		return refusal(*q)
	}
	return nil
}

// Refusal is the error of a quarantine; nil when there is none.
func Refusal(q *store.Quarantine) error {
	if q == nil {
		return nil
	}
	return refusal(*q)
}

func refusal(q store.Quarantine) error {
	return fmt.Errorf("%w: %s. %s", ErrQuarantined, q.Why, waysOut(q.Kind))
}

// waysOut says what an operator can do about a quarantine.
func waysOut(kind store.QuarantineKind) string {
	const restored, joined = "`permesso resume --after-restore` accepts it as an older copy", "`permesso resume --join` accepts it as it is, when nothing was lost"
	switch kind {
	case store.Behind, store.Orphans:
		return restored + "; docs/RESTORE.md leads through it"
	case damaged:
		return "Put the journal back from a copy; docs/RESTORE.md leads through it"
	}
	return restored + ", " + joined + "; docs/RESTORE.md leads through it"
}

// look compares the database with what state_dir remembers. It is called with the lock held.
func (a *App) look(ctx context.Context) error {
	h := a.home
	file, _, err := h.dir.Instance()
	if err != nil {
		return err
	}
	through, failure := h.journal.Through()
	if failure != nil && !errors.Is(failure, statedir.ErrDamaged) {
		return failure
	}
	h.through = through
	if now := time.Now(); now.Sub(h.placeAt) > placeEvery {
		h.place, h.placeAt = a.Store.Place(ctx), now
	}
	db, err := a.Store.Installation(ctx, file.Home)
	if err != nil {
		return err
	}
	seen := sight{dir: h.dir.Path(), instance: a.Store.Instance(), file: file, through: through, db: db, place: h.place}
	if failure != nil {
		seen.damage = failure.Error()
	}
	verdict := seen.judge()
	if verdict.enrol {
		first, err := a.Store.Enrol(ctx, file.Home, h.place)
		if err != nil {
			return err
		}
		if seen.db, err = a.Store.Installation(ctx, file.Home); err != nil {
			return err
		}
		if first {
			a.Log.Info("this state_dir is the first that works with the database", "state_dir", h.dir.Path())
		}
		verdict = seen.judge()
	}
	a.metrics.Orphans(db.Orphans)
	return a.take(ctx, seen, verdict)
}

// take makes the verdict hold: here at once, and in the database when it is about the database.
func (a *App) take(ctx context.Context, seen sight, v verdict) error {
	h, before := a.home, a.Quarantine()
	a.metrics.Quarantined(v.Kind != "")
	if v.Kind == "" {
		h.quarantine.Store(nil)
		h.replayed, h.restored = false, 0
		a.Store.Attach(seen.file.Home, seen.db.Seq)
		if before != nil {
			a.Log.Warn("the quarantine is over")
		}
		return nil
	}
	a.Store.Attach("none", math.MaxInt64)
	h.quarantine.Store(&v.Quarantine)
	if before == nil || before.Kind != v.Kind {
		a.Log.Error("quarantine: nothing is sent, webhooks are received. "+v.Why+". "+waysOut(v.Kind), "kind", string(v.Kind))
	}
	if v.binds && seen.db.Quarantine.Kind == "" {
		if err := a.Store.Isolate(ctx, v.Kind, v.Why); err != nil {
			a.Log.Error("the quarantine cannot be written into the database; this process keeps to it", "error", err)
		}
	}
	if !v.older || h.replayed && seen.db.StopChanges >= seen.through {
		return nil
	}
	restored, err := a.replay(ctx)
	if err != nil {
		a.Log.Error("stops of the journal cannot be brought back; it is tried again", "error", err)
		return nil
	}
	h.replayed, h.restored = true, h.restored+restored
	a.Log.Warn("stops of the journal that the database did not have are in force again", "stops", restored)
	return nil
}

// replay brings the stops of the journal into the database, and then all that the database has into the journal: numbers of
// changes from before the database was put back tell no more which is missing where.
func (a *App) replay(ctx context.Context) (restored int, err error) {
	through, err := a.home.journal.Through()
	if err != nil {
		return 0, err
	}
	var chunk []policy.StopRecord
	put := func() error {
		n, err := a.Store.RestoreStops(ctx, chunk)
		restored += n
		chunk = chunk[:0]
		return err
	}
	for record, err := range a.home.journal.Records() {
		if err != nil {
			return restored, err
		}
		if chunk = append(chunk, record); len(chunk) == replayChunk {
			if err := put(); err != nil {
				return restored, err
			}
		}
	}
	if len(chunk) > 0 {
		if err := put(); err != nil {
			return restored, err
		}
	}
	if through < 0 {
		return restored, nil // there is no journal
	}
	if err := a.Store.RaiseStopChanges(ctx, through); err != nil {
		return restored, err
	}
	_, err = a.home.journal.CatchUp(ctx, a.Store, true)
	return restored, err
}

// note counts what this process did, in the database and then in state_dir, and has the gate want no less from now on.
func (a *App) note(ctx context.Context) error {
	h := a.home
	deeds := a.Store.Deeds()
	file, _, err := h.dir.Instance()
	if err != nil {
		return err
	}
	seq, ok, err := a.Store.Advance(ctx, file.Home, file.Seq)
	if err != nil {
		return err
	}
	if !ok {
		return a.look(ctx)
	}
	known, err := a.Store.Installation(ctx, file.Home)
	if err != nil {
		return err
	}
	file.Seq, file.Judged = seq, known.JudgedUntil
	if err := h.dir.Keep(ctx, file); err != nil {
		return err
	}
	h.deeds = deeds
	a.Store.Attach(file.Home, seq)
	return nil
}

// tend keeps state_dir up with the database, and notices a quarantine and its end, until ctx is done. moved is called at each of these.
func (a *App) tend(moved func()) func(context.Context) error {
	return func(ctx context.Context) error {
		var said time.Time
		for sender.Sleep(ctx, tendEvery) {
			before := a.Quarantine()
			if err := a.tendOnce(ctx); err != nil && ctx.Err() == nil && time.Since(said) > sayEvery {
				a.Log.Error("state_dir and the database cannot be kept in step; it is tried again every second", "error", err)
				said = time.Now()
			}
			if (before == nil) != (a.Quarantine() == nil) {
				moved()
			}
		}
		// What was done since the last look is noted, so that the next process meets a file that is up to date.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := a.tendOnce(last); err != nil {
			a.Log.Warn("state_dir was not brought up to date at the end; the next process does it", "error", err)
		}
		a.KeepLedger(last)
		return nil
	}
}

func (a *App) tendOnce(ctx context.Context) error {
	h := a.home
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := a.look(ctx); err != nil {
		return err
	}
	a.journalStops(ctx)
	a.tendLedger(ctx)
	if a.Quarantine() != nil {
		return nil
	}
	if a.Store.Deeds() == h.deeds {
		return a.beat(ctx)
	}
	err := a.note(ctx)
	h.stale.Store(err != nil)
	return err
}

// beat says that this state_dir has a process at work. note says it too.
func (a *App) beat(ctx context.Context) error {
	file, _, err := a.home.dir.Instance()
	if err != nil {
		return err
	}
	return a.Store.Beat(ctx, file.Home)
}

// journalStops appends to the journal what changed in stops. A stop is in force in the database already: when the journal cannot be
// written, that is said, shown by /readyz and the metrics, and tried again each second, and the webhook that brought the stop is
// answered as stored. What is at risk until then is only that a restored backup would not know the stop.
func (a *App) journalStops(ctx context.Context) {
	if q := a.Quarantine(); q != nil && (q.Kind == otherDatabase || q.Kind == damaged) {
		return // this journal is not to be written
	}
	_, err := a.home.journal.CatchUp(ctx, a.Store, false)
	if errors.Is(err, statedir.ErrAhead) {
		return // the next look finds the same, and brings the journal back
	}
	a.metrics.JournalKept(err == nil)
	switch {
	case err == nil && a.home.unkept.Swap(false):
		a.Log.Warn("the suppression journal is written again, and whole")
	case err != nil && ctx.Err() == nil && !a.home.unkept.Swap(true):
		a.Log.Error("the suppression journal cannot be written; stops hold in the database, and it is tried again", "error", err)
	}
}

// KeepStops has a verb that changed stops leave them in the journal, if this state_dir is one that the database knows. The others
// are brought up to date by their own processes.
func (a *App) KeepStops(ctx context.Context) {
	if a.Store.StopsChanged() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	h := a.home
	h.mu.Lock()
	defer h.mu.Unlock()
	file, found, err := h.dir.Instance()
	if err != nil {
		a.Log.Error("the suppression journal was not written; the stops hold in the database", "error", err)
		return
	}
	if !found || file.Home == "" {
		return
	}
	if err := a.look(ctx); err != nil {
		a.Log.Error("the suppression journal was not written; the stops hold in the database", "error", err)
		return
	}
	if q := a.Quarantine(); q == nil || q.Kind != newHere {
		a.journalStops(ctx)
	}
}

// keptSink is the store as the webhook's receiver sees it: stops are in the journal too before Meta hears that they are stored.
type keptSink struct {
	db   *store.Store
	keep func(context.Context)
}

// Store implements webhook.Sink.
func (s keptSink) Store(ctx context.Context, bodies []sender.Inbox) ([]policy.PersonID, error) {
	stopped, err := s.db.Store(ctx, bodies)
	if err != nil {
		return nil, err
	}
	acts := len(stopped)
	for _, body := range bodies {
		acts += len(body.Acts) + len(body.Nods) + len(body.Codes)
	}
	if acts > 0 {
		s.keep(ctx)
	}
	return stopped, nil
}

// InFlight implements webhook.Sink.
func (s keptSink) InFlight(ctx context.Context, persons []policy.PersonID) (bool, error) {
	return s.db.InFlight(ctx, persons)
}

// warning is what the console and /readyz say above all else, "" for nothing.
func (a *App) warning() string {
	if q := a.Quarantine(); q != nil {
		return SayQuarantine(*q)
	}
	if a.home.unkept.Load() {
		return "The suppression journal in state_dir cannot be written: stops hold, and a restored backup would not know them."
	}
	if a.home.stale.Load() {
		return "The instance file in state_dir cannot be written: a restored backup might not be noticed."
	}
	return ""
}
