package app

import (
	"context"
	"time"

	"github.com/permesso/permesso/internal/graph"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

const (
	// watchShare is how many times as long as a look at a run took it is left alone: counting a large one must not slow it down.
	watchShare = 20
	// readNumbersEvery is how often Meta is asked what it lets the numbers do, readNumbersAgain how soon after it did not answer.
	readNumbersEvery, readNumbersAgain = time.Hour, 5 * time.Minute
	// qualityAgain is how long a number of low quality is left alone after a person had its runs go on.
	qualityAgain = 24 * time.Hour
)

// watchRuns looks at the runs under way that have waves or a guard, each in one process at a time.
func (w *watcher) watchRuns(ctx context.Context) error {
	for {
		run, found, err := w.Store.ClaimWatched(ctx)
		if err != nil || !found {
			return err
		}
		began := time.Now()
		if err := w.watchRun(ctx, run); err != nil {
			return err
		}
		if err := w.Store.Watched(ctx, run.ID, max(lookAtBreakers, watchShare*time.Since(began))); err != nil {
			return err
		}
	}
}

// watchRun stops a run that its guard says no to, and else has its next wave begin when that may.
func (a *App) watchRun(ctx context.Context, run scheduler.Run) error {
	guard := run.Frozen.Campaign.Guard
	if guard != nil && !run.StartedAt.IsZero() {
		heard, err := a.Store.Heard(ctx, run, aside)
		if err != nil {
			return err
		}
		if why := guard.Judge(heard); why != "" {
			return a.Store.OpenBreaker(ctx, sender.Stopped(run.CampaignID, "run "+run.ID+": "+why))
		}
	}
	for range run.Frozen.Campaign.Waves {
		step, err := a.Store.AdvanceWave(ctx, run.ID)
		if err != nil || step != scheduler.WaveNext {
			return err
		}
		a.Log.Info("the next wave of a run begins", "run", run.ID)
	}
	return nil
}

// aside reports whether a failure with Meta's code says nothing of the message or of its person: breakers see to it.
func aside(code int) bool { return graph.Classify(code, 0, 0, false).Pauses() }

// readNumbers asks Meta, now and then, for the messaging limit, and for the quality of the numbers.
func (w *watcher) readNumbers(ctx context.Context, now time.Time) error {
	if now.Before(w.numbersAt) {
		return nil
	}
	w.numbersAt = now.Add(readNumbersEvery)
	numbers, err := w.askNumbers(ctx)
	if err != nil {
		w.numbersAt = now.Add(readNumbersAgain)
		w.Log.Warn("Meta cannot be asked for the messaging limit and the quality of the numbers; what it said last holds", "error", err)
		return nil
	}
	if !w.guarded() {
		return nil
	}
	for _, n := range numbers {
		if n.Quality != "RED" {
			continue
		}
		low := sender.LowQuality(n.ID)
		lately, err := w.Store.ClosedSince(ctx, low, now.Add(-qualityAgain))
		if err != nil {
			return err
		}
		if lately {
			continue
		}
		if err := w.Store.OpenBreaker(ctx, low); err != nil {
			return err
		}
	}
	return nil
}

// guarded reports whether a campaign has a guard: without one nothing is stopped for its quality.
func (a *App) guarded() bool {
	for _, c := range a.config().Campaigns {
		if c.Guard != nil {
			return true
		}
	}
	return false
}

// askNumbers reads the numbers from Meta and keeps the portfolio's messaging limit, the smallest that it names.
func (a *App) askNumbers(ctx context.Context) ([]graph.Number, error) {
	ctx, cancel := context.WithTimeout(ctx, tryWithin)
	defer cancel()
	var numbers []graph.Number
	limit, told := 0, false
	for _, n := range a.config().Numbers {
		number, err := a.Graph.Number(ctx, n.ID)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, number)
		people, known := number.Limit()
		switch {
		case !known || told && people == sender.AnyNumber:
		case !told || limit == sender.AnyNumber || people < limit:
			limit, told = people, true
		}
	}
	if !told {
		return numbers, nil
	}
	return numbers, a.Store.TellLimit(ctx, limit)
}

// FirstLimit reads the messaging limit from Meta when that was never done and the configuration names none.
func (a *App) FirstLimit(ctx context.Context) error {
	_, known, err := a.Store.ToldLimit(ctx)
	if err != nil || known || a.config().MessagingLimit() != nil {
		return err
	}
	_, err = a.askNumbers(ctx)
	return err
}

// within has a draft keep to the places of the messaging limit as they are now.
func (a *App) within(ctx context.Context, draft *scheduler.Draft) error {
	places, err := a.Store.Places(ctx)
	if err != nil {
		return err
	}
	draft.Within(&places)
	return nil
}

// stoppedBy is why the guard holds a campaign back, "" when it does not.
func (a *App) stoppedBy(ctx context.Context, run sender.Run) (string, error) {
	open, err := a.Store.Breakers(ctx)
	if err != nil {
		return "", err
	}
	for _, b := range open {
		_, quality := b.Number()
		if b.Stops(run) && (b.OfGuard() || b.Kind == sender.BreakNumber && quality) {
			return b.Why, nil
		}
	}
	return "", nil
}

// mendedNumber reports whether Meta says that what opened a number's breaker is over.
func mendedNumber(n graph.Number, b sender.Breaker) bool {
	if _, quality := b.Number(); quality {
		return n.Quality != "RED" && n.Quality != ""
	}
	return maySend(n)
}
