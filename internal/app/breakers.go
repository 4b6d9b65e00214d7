package app

import (
	"context"
	"errors"
	"time"

	"github.com/permesso/permesso/internal/graph"
	"github.com/permesso/permesso/sender"
)

const (
	lookAtBreakers = time.Second
	// lookForSilence is how often messages without any status are looked for: seconds are nothing beside its five minutes.
	lookForSilence = 5 * time.Second
	// failedInARow is how many commits of webhooks may fail before nobody is taken to hear.
	failedInARow = 3
	// tryWithin bounds one question to Meta.
	tryWithin = 10 * time.Second
)

// watcher looks after the breakers in one process: it tells of them, finds deafness, and heals what heals by itself.
type watcher struct {
	*App
	open      map[string]sender.Breaker
	token     string // as it was at the last look: another one is tried at once
	silenceAt time.Time
	// since is from when on silence counts: a process that listens only while it runs has not heard what came before.
	since     time.Time
	numbersAt time.Time // when Meta is next asked about the numbers
}

// watchBreakers looks after the breakers until ctx is done. since is from when on messages count that nothing is heard of.
func (a *App) watchBreakers(ctx context.Context, since time.Time) error {
	w := watcher{App: a, open: map[string]sender.Breaker{}, token: a.config().Graph.AccessToken.Reveal(), since: since}
	for {
		if err := w.look(ctx, time.Now()); err != nil && ctx.Err() == nil {
			a.Log.Error("the breakers cannot be looked after", "error", err)
		}
		if !sender.Sleep(ctx, lookAtBreakers) {
			return nil
		}
	}
}

func (w *watcher) look(ctx context.Context, now time.Time) error {
	if err := w.listen(ctx, now); err != nil {
		return err
	}
	open, err := w.Store.Breakers(ctx)
	if err != nil {
		return err
	}
	w.tell(open)
	halted, _, err := w.Store.Halted(ctx)
	if err != nil || !halted.IsZero() {
		return err // nothing may leave, so that nothing has to heal
	}
	if err := errors.Join(w.readNumbers(ctx, now), w.watchRuns(ctx)); err != nil {
		return err
	}
	token := w.config().Graph.AccessToken.Reveal()
	changed := token != w.token
	w.token = token
	for _, b := range open {
		if err := w.try(ctx, b, changed && b.Kind == sender.BreakToken); err != nil {
			return err
		}
	}
	return nil
}

// listen opens the breaker of deafness when webhooks cannot be stored, or none come.
func (w *watcher) listen(ctx context.Context, now time.Time) error {
	if receiver := w.ears.Load(); receiver != nil && receiver.Failures() >= failedInARow {
		deaf := sender.Deaf("the last webhooks could not be stored")
		if err := w.Store.OpenBreaker(ctx, deaf); err != nil || receiver.Failures() > 0 {
			return err
		}
		return w.Store.CloseBreaker(ctx, deaf, "a webhook was stored meanwhile")
	}
	if _, known := w.open[string(sender.BreakDeaf)]; known || now.Before(w.silenceAt) {
		return nil
	}
	w.silenceAt = now.Add(lookForSilence)
	silent, err := w.Store.Silent(ctx, w.since)
	if err != nil || !silent {
		return err
	}
	return w.Store.OpenBreaker(ctx, sender.Deaf("no webhook told anything of the last 50 messages that Meta took over five minutes ago"))
}

// tell logs what opened and closed, in whichever process, and counts it.
func (w *watcher) tell(open []sender.Breaker) {
	now := make(map[string]sender.Breaker, len(open))
	counts := map[sender.BreakerKind]int{}
	for _, b := range open {
		now[b.Key()] = b
		counts[b.Kind]++
		if w.open[b.Key()].Since != b.Since {
			w.Log.Error("a breaker is open", "breaker", b.Key(), "code", b.Code, "why", b.Why)
		}
	}
	for key := range w.open {
		if _, still := now[key]; !still {
			w.Log.Info("a breaker closed: the runs that it paused go on", "breaker", key)
		}
	}
	w.open = now
	w.metrics.Breakers(counts)
}

// try heals a breaker when its time has come and nothing speaks against it. force does not wait for its time.
func (w *watcher) try(ctx context.Context, b sender.Breaker, force bool) error {
	if b.Healing != sender.HealsByProbe && b.Healing != sender.HealsByTime {
		return nil
	}
	mine, err := w.Store.ClaimTry(ctx, b, force)
	if err != nil || !mine {
		return err
	}
	if b.Healing == sender.HealsByTime {
		return w.Store.CloseBreaker(ctx, b, "its time is over")
	}
	ctx, cancel := context.WithTimeout(ctx, tryWithin)
	defer cancel()
	if !w.mended(ctx, b) {
		return nil
	}
	return w.Store.CloseBreaker(ctx, b, "Meta answers that it may send")
}

// mended asks Meta whether what opened the breaker is over. Whatever is not a clear yes is no.
func (w *watcher) mended(ctx context.Context, b sender.Breaker) bool {
	numbers := w.config().Numbers
	switch b.Kind {
	case sender.BreakToken:
		for _, n := range numbers {
			if _, err := w.Graph.Number(ctx, n.ID); err == nil {
				return true
			}
		}
		return false
	case sender.BreakNumber:
		id, _ := b.Number()
		n, err := w.Graph.Number(ctx, id)
		return err == nil && mendedNumber(n, b)
	case sender.BreakAccount:
		for _, n := range numbers {
			if n, err := w.Graph.Number(ctx, n.ID); err != nil || !maySend(n) {
				return false
			}
		}
		return len(numbers) > 0
	}
	return false
}

// maySend reports whether Meta says of a number that it, its account and its business may send (Meta, "Health status", graph-api §3.1).
func maySend(n graph.Number) bool { return n.Status == "CONNECTED" && n.CanSend == "AVAILABLE" }

// healsAt is when a run that a breaker paused may go on by itself, zero when nobody can tell: when the breaker's time is over, or,
// of one that this process may hear the end of, when it has listened for as long as a foreground run waits for anything.
func (a *App) healsAt(ctx context.Context, pausedBy string) (time.Time, error) {
	open, err := a.Store.Breakers(ctx)
	if err != nil {
		return time.Time{}, err
	}
	for _, b := range open {
		switch {
		case b.Key() != pausedBy:
		case b.Healing == sender.HealsByTime:
			return b.NextAt, nil
		case b.Kind == sender.BreakDeaf && !a.listenedAt.IsZero():
			return a.listenedAt.Add(waitAtMost), nil
		}
	}
	return time.Time{}, nil
}
