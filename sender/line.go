package sender

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/policy"
)

// line is a number's sending while its lease is held: feeds in, posts out, outcomes recorded.
type line struct {
	*Sender
	stopping func() error // not nil once the process stops, and not for a lost lease
	pace     *pace
	feeds    map[string]*feed
	order    []*feed

	gates   chan struct{} // one element for each gate under way
	gating  sync.WaitGroup
	failed  chan error // of a gate; the next step reports it, and begins no gate before
	jobs    chan job
	ended   chan ended
	posters atomic.Int64 // posters running
	flying  atomic.Int64 // rows past the gate whose outcome is not recorded yet
	working sync.WaitGroup
	// answering are free-form answers on the wire.
	answering sync.WaitGroup

	refreshAt time.Time
	refresh   atomic.Bool
	trouble   trouble
	refusals  refusals
	careful   atomic.Bool // a breaker opened: one message at a time, until one is taken
	mu        sync.Mutex  // guards pace's figures, which gates and outcomes tell
}

// job is one row past the gate.
type job struct {
	feed    *feed
	run     Run
	person  policy.PersonID
	attempt AttemptID
	body    []byte
	beginBy time.Time
}

type ended struct {
	feed    *feed
	run     Run
	outcome Outcome
	took    time.Duration
}

const (
	minPosters = 16
	maxPosters = 512
	// refreshEvery is how soon a new, paused or cancelled run is seen; the gate sees it at once anyway.
	refreshEvery = 100 * time.Millisecond
)

func newLine(s *Sender, stopping func() error) *line {
	gates := gatesAtOnce(s.o.PerSecond)
	return &line{
		Sender: s, stopping: stopping, pace: newPace(s.o.PerSecond, time.Now()), feeds: map[string]*feed{}, gates: make(chan struct{}, gates), failed: make(chan error, gates+1),
		jobs: make(chan job, (gates+2)*maxBatch), ended: make(chan ended, 4*maxBatch), refusals: newRefusals(),
	}
}

// run sends until ctx is done, then lets the posts on their way end and records them.
func (l *line) run(ctx context.Context) {
	recorded := make(chan struct{})
	go func() { defer close(recorded); l.record(context.WithoutCancel(ctx)) }()
	for ctx.Err() == nil {
		if err := l.step(ctx); err != nil && ctx.Err() == nil {
			l.log.Error("sending waits", told(err)...)
			l.resetFeeds()
			Sleep(ctx, time.Second)
		}
	}
	l.gating.Wait()
	close(l.jobs)
	if !within(drainFor, l.working.Wait) {
		l.log.Warn("answers on their way were not waited for; their messages will be unknown", "count", l.flying.Load())
		go func() { l.working.Wait(); close(l.ended) }() // what still comes is recorded while the process lives
		return
	}
	close(l.ended)
	if !within(keepFor, func() { <-recorded }) {
		l.log.Warn("outcomes wait for the database; if this process ends before it is back, their messages will be unknown", "count", l.flying.Load())
	}
}

// within reports whether wait came back in time.
func within(span time.Duration, wait func()) bool {
	done := make(chan struct{})
	go func() { defer close(done); wait() }()
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// step takes one batch from the feed with the highest priority that has rows, through tokens, gate and wire.
func (l *line) step(ctx context.Context) error {
	select {
	case err := <-l.failed:
		return err
	default:
	}
	if err := l.refreshFeeds(ctx); err != nil {
		return err
	}
	if wait := l.trouble.wait(time.Now()); wait > 0 {
		Sleep(ctx, min(wait, refreshEvery))
		return nil
	}
	f, err := l.nextFeed(ctx)
	if err != nil {
		return err
	}
	if f == nil {
		Sleep(ctx, pollPlanning/2)
		return nil
	}
	l.mu.Lock()
	l.pace.recover(time.Now())
	n := l.pace.batch()
	l.mu.Unlock()
	if !l.room(ctx, n) {
		return nil
	}
	if l.trouble.probing() || l.careful.Load() {
		if l.flying.Load() > 0 || len(l.gates) > 0 {
			// The last probe is not back: a network that swallows bytes takes long to say so.
			Sleep(ctx, pollPlanning)
			return nil
		}
		n = 1
	}
	// A place at the gate comes before the tokens: those of a batch that waits for one would leave with the next second's.
	l.gates <- struct{}{}
	rows := f.take(n)
	l.mu.Lock()
	tokens := l.pace.spend(time.Now(), len(rows))
	l.mu.Unlock()
	if err := l.pace.take(ctx, tokens); err != nil {
		<-l.gates
		return nil // stopping: the rows carry no claim, they stay queued
	}
	run := f.run
	f.flying.Add(int64(len(rows)))
	l.gating.Go(func() {
		defer func() { <-l.gates }()
		if err := l.pass(ctx, f, run, rows); err != nil {
			l.failed <- err
		}
	})
	return nil
}

// pass takes rows through the gate and hands those that may leave to the posters.
func (l *line) pass(ctx context.Context, f *feed, run Run, rows []prepared) error {
	gates := make([]GateRow, len(rows))
	began := time.Now()
	ids := newAttempts(len(rows), began)
	for i := range rows {
		rows[i].gate.AttemptID = ids[i]
		gates[i] = rows[i].gate
	}
	answers, readAt, err := l.o.Ledger.Gate(ctx, run, gates)
	if l.o.Observer != nil {
		l.o.Observer.Gated(l.o.NumberID, answers, time.Since(began))
	}
	allowed := 0
	for i, answer := range answers {
		f.broken.judged(gates[i].PersonID, answer.Refused)
		switch {
		case answer.Refused != nil: // it comes again with the feed's next reading from the first row
		case answer.State == Sending && answer.Decision.Verdict == policy.Allow:
			allowed++
			l.flying.Add(1)
			l.jobs <- job{feed: f, run: run, person: gates[i].PersonID, attempt: ids[i], body: rows[i].post(run, l.o.Instance, ids[i]), beginBy: readAt.Add(BeginWithin)}
		case answer.State == Queued && answer.Decision.Verdict != policy.Defer:
			// The run is paused, or the row could not be judged: read again later, lose nothing.
			f.again.Store(true)
			l.refresh.Store(true)
		}
	}
	back := 0
	if err != nil {
		back = l.takeBack(f, run, gates, answers, err)
	}
	f.flying.Add(int64(allowed + back - len(rows)))
	l.mu.Lock()
	l.pace.giveBack(len(rows) - allowed)
	l.mu.Unlock()
	l.morePosters()
	return err
}

// takeBack undoes what a gate that failed may have written all the same: it may be the answer to its commit that was lost. Nobody
// posts these rows, and without this they would stand in sending until they are unknown, which they would stay for good. It
// returns how many it took back; the outcome is fenced by the attempt and changes nothing in a row that did not move.
func (l *line) takeBack(f *feed, run Run, gates []GateRow, answers []GateAnswer, cause error) int {
	back := 0
	for i, row := range gates {
		if i < len(answers) && (answers[i].State != Queued || answers[i].Decision.Verdict == policy.Defer) {
			continue // the gate's word on this row is known
		}
		l.flying.Add(1)
		select {
		case l.ended <- ended{feed: f, run: run, outcome: Outcome{RunID: run.ID, PersonID: row.PersonID, AttemptID: row.AttemptID, Result: Result{Fate: NotSent, Late: true, Cause: cause}}}:
			back++
		default:
			// The database has been away for long, and more wait to be recorded than there is room for.
			l.flying.Add(-1)
		}
	}
	return back
}

// room waits until the posters can begin another batch of n rows in time: no more than a batch may wait for them.
func (l *line) room(ctx context.Context, n int) bool {
	for l.flying.Load() > 3*maxBatch || len(l.jobs) > n {
		if !Sleep(ctx, time.Millisecond) {
			return false
		}
	}
	return true
}

// wanted is how many posters the rate needs, by Little's law.
func (l *line) wanted() int64 {
	l.mu.Lock()
	shortest := l.pace.answers.latency()
	l.mu.Unlock()
	if shortest == 0 {
		// No answer yet: enough for half a second of them, within reason.
		return min(int64(l.o.PerSecond/2)+minPosters, 4*minPosters)
	}
	rate := min(l.o.PerSecond, 20000)
	need := int64(rate*shortest.Seconds()*1.5) + minPosters
	return min(need, maxPosters)
}

func (l *line) morePosters() {
	for wanted := min(l.wanted(), l.flying.Load()); l.posters.Load() < wanted; {
		l.posters.Add(1)
		l.working.Go(l.poster)
	}
}

func (l *line) poster() {
	for j := range l.jobs {
		began := time.Now()
		// A stop must not cut an answer off: the client has its own bound.
		result := l.send(j)
		took := time.Since(began)
		if l.o.Observer != nil {
			l.o.Observer.Attempted(l.o.NumberID, result, took)
		}
		l.ended <- ended{j.feed, j.run, Outcome{RunID: j.run.ID, PersonID: j.person, AttemptID: j.attempt, Result: result}, took}
	}
}

// send posts one message. After a panic nobody knows whether it left.
func (l *line) send(j job) (result Result) {
	defer func() {
		if met := recover(); met != nil {
			err := Caught(met)
			l.log.Error("a message met a mistake of permesso's own while it was posted", told(err, "run", j.run.ID, "person", j.person.String())...)
			result = Result{Fate: Ambiguous, Cause: err}
		}
	}()
	return l.o.Client.Send(context.Background(), Post{NumberID: j.run.NumberID, Edge: j.run.Edge, Body: j.body, BeginBy: j.beginBy})
}

func (l *line) resetFeeds() {
	for _, f := range l.order {
		f.reset()
	}
}

// nextFeed fills feeds in order of priority and returns the first that has rows.
func (l *line) nextFeed(ctx context.Context) (*feed, error) {
	now := time.Now()
	for _, f := range l.order {
		if err := f.fill(ctx, l.o.Ledger, now); err != nil {
			return nil, err
		}
		if !f.empty() {
			return f, nil
		}
	}
	return nil, nil
}

// refreshFeeds looks which runs there are, and closes those that are over.
func (l *line) refreshFeeds(ctx context.Context) error {
	now := time.Now()
	if now.Before(l.refreshAt) && !l.refresh.Swap(false) {
		return nil
	}
	l.refreshAt = now.Add(refreshEvery)
	runs, err := l.o.Runs.Active(ctx, l.o.NumberID)
	if err != nil {
		return err
	}
	known := l.feeds
	l.feeds, l.order = make(map[string]*feed, len(runs)), l.order[:0]
	for _, run := range runs {
		f := known[run.ID]
		if f == nil {
			if f, err = l.open(ctx, run); err != nil {
				return err
			}
			if f == nil {
				continue
			}
		}
		f.run = run
		l.feeds[run.ID] = f
		l.order = append(l.order, f)
		if err := l.setAside(ctx, f); err != nil {
			return err
		}
		if err := l.finish(ctx, f, now); err != nil {
			return err
		}
	}
	return nil
}

// finish closes a run of which nothing is left. What is left and waits for no time was missed by the feed: it reads again.
func (l *line) finish(ctx context.Context, f *feed, now time.Time) error {
	if !f.keysDone || !f.empty() || f.flying.Load() > 0 || now.Before(f.finishAt) {
		return nil
	}
	done, nextDue, err := l.o.Runs.Finish(ctx, f.run.ID)
	if err != nil || done {
		return err
	}
	f.finishAt = now.Add(2 * time.Second)
	if nextDue.IsZero() {
		f.reset()
	} else if nextDue.After(f.finishAt) {
		f.finishAt = nextDue
	}
	return nil
}

// open starts a run's feed; a run whose template no longer fits is paused instead.
func (l *line) open(ctx context.Context, run Run) (*feed, error) {
	binding, err := l.o.Bind(ctx, run)
	if err == nil {
		return &feed{run: run, binding: binding}, nil
	}
	if !errors.Is(err, ErrNoBinding) {
		return nil, err
	}
	l.log.Error("a run pauses: its template does not fit", "run", run.ID, "error", err)
	return nil, l.o.Runs.OpenBreaker(ctx, TemplateUnfit(run.Message.Template, "", err.Error()))
}
