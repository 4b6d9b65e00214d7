package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/templates"
)

// until sleeps until so long after the beginning.
func (w *world) until(at time.Duration) { time.Sleep(time.Until(w.began.Add(at))) }

// moment draws an instant, most of them while the first run is under way.
func (w *world) moment(r *rand.Rand) time.Duration {
	if r.Float64() < 0.75 {
		return 3500*time.Millisecond + time.Duration(r.IntN(5000))*time.Millisecond
	}
	return time.Duration(r.Int64N(int64(w.ends)))
}

// act is what a person does at an instant: a stop, by word or button or in WhatsApp itself, and sometimes a start later.
func (w *world) act(p *person) {
	r := w.draw("person", p.phone)
	if r.Float64() > 0.4 {
		return
	}
	if r.Float64() < 0.5 {
		p.waits(w)
		time.Sleep(time.Duration(r.IntN(150)) * time.Millisecond)
	} else {
		w.until(w.moment(r))
	}
	ways := []struct {
		by    string
		scope policy.Scope
		value map[string]any
	}{
		{"keyword", policy.ScopeAll, inbound(p, map[string]any{"type": "text", "text": map[string]any{"body": "STOP"}})},
		{"button", policy.ScopeKind(policy.Marketing), inbound(p, map[string]any{"type": "button", "button": map[string]any{"payload": policy.StopButtonPayload("offer"), "text": "Basta"}})},
		{"meta_stop", policy.ScopeKind(policy.Marketing), map[string]any{"user_preferences": []any{map[string]any{
			"wa_id": p.waID(), "category": "marketing_messages", "value": "stop", "timestamp": fmt.Sprint(time.Now().Unix())}}}},
	}
	way := ways[r.IntN(len(ways))]
	body := envelope(way.value)
	w.tell("%s says stop (%s)", p.phone, way.by)
	w.deliver(body, func() { p.stopped(w, way.scope, way.by) })
	w.seen.note("stop")
	if r.Float64() < 0.3 {
		w.players.Go(func() { w.deliver(body, func() {}) }) // Meta sends it again
	}
	if way.by != "keyword" || r.Float64() > 0.3 {
		return
	}
	time.Sleep(3 * time.Second)
	w.mu.Lock()
	p.stops = nil // from the first try on: it may be in force before its answer is here
	w.note("%s says start", p.phone)
	w.mu.Unlock()
	w.deliver(envelope(inbound(p, map[string]any{"type": "text", "text": map[string]any{"body": "START"}})), func() {})
	w.seen.note("start after stop")
}

// waits returns when a message to the person is just about to begin, or when all trouble ends without one.
func (p *person) waits(w *world) {
	select {
	case <-p.due:
	case <-time.After(time.Until(w.began.Add(w.ends))):
	}
}

func (p *person) waID() string { return strings.TrimPrefix(string(p.phone), "+") }

func inbound(p *person, message map[string]any) map[string]any {
	now := time.Now()
	message["from"], message["id"], message["timestamp"] = p.waID(), fmt.Sprintf("wamid.in.%s.%d", p.waID(), now.UnixNano()), fmt.Sprint(now.Unix())
	return map[string]any{"contacts": []any{map[string]any{"wa_id": p.waID()}}, "messages": []any{message}}
}

// operate is the operators: they pause, halt, cancel, start runs by hand, and set going again what Meta's refusals paused.
func (w *world) operate() error {
	r := w.draw("operator")
	ctx := context.Background()
	if r.Float64() < 0.8 {
		// A run by hand for the same people, while the scheduled one is being sent.
		w.until(3800*time.Millisecond + time.Duration(r.IntN(1500))*time.Millisecond)
		if err := w.manual(ctx, []string{"news", "news", "offer", "order"}[r.IntN(4)]); err != nil {
			return err
		}
	}
	if r.Float64() < 0.25 {
		if err := w.manual(ctx, "order"); err != nil {
			return err
		}
	}
	for range 1 + r.IntN(2) {
		time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
		if err := w.operateOnce(ctx, r); err != nil {
			return err
		}
	}
	for time.Since(w.began) < w.ends {
		time.Sleep(3 * time.Second)
		if err := w.resumePaused(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) operateOnce(ctx context.Context, r *rand.Rand) error {
	pauses := time.Duration(1500+r.IntN(3000)) * time.Millisecond
	if r.Float64() < 0.3 {
		if _, err := w.db.Halt(ctx, "an operator halts"); err != nil {
			return err
		}
		lift := w.holdOn("", "everything was halted")
		w.seen.note("halted")
		time.Sleep(pauses)
		lift()
		_, err := w.db.Unhalt(ctx)
		return err
	}
	open, err := w.db.OpenRuns(ctx, "")
	if err != nil || len(open) == 0 {
		return err
	}
	run := open[r.IntN(len(open))]
	if r.Float64() < 0.25 {
		if moved, err := w.move(ctx, run.ID, scheduler.RunCancelled, "an operator cancels"); err != nil || !moved {
			return err
		}
		w.holdOn(run.ID, "its run was cancelled")
		return nil
	}
	if moved, err := w.move(ctx, run.ID, scheduler.Paused, "an operator pauses"); err != nil || !moved {
		return err
	}
	lift := w.holdOn(run.ID, "its run was paused")
	time.Sleep(pauses)
	lift()
	w.seen.note("paused and resumed")
	_, err = w.move(ctx, run.ID, scheduler.Running, "")
	return err
}

// holdOn notes that something stands still from now on; the function it returns takes that back.
func (w *world) holdOn(run, what string) (lift func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := &hold{run: run, what: what, at: time.Now()}
	w.holds = append(w.holds, h)
	w.note("an operator: %s %s", what, run)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		h.lifted = true
		w.note("an operator takes back that %s %s", what, run)
	}
}

// move moves a run; it reports false when the run was no longer where that is possible.
func (w *world) move(ctx context.Context, run string, to scheduler.RunState, why string) (bool, error) {
	err := w.db.MoveRun(ctx, run, to, why)
	if errors.Is(err, store.ErrState) {
		return false, nil
	}
	return err == nil, err
}

// resumePaused sets going again what Meta's refusals paused.
func (w *world) resumePaused(ctx context.Context) error {
	open, err := w.db.OpenRuns(ctx, "")
	if err != nil {
		return err
	}
	for _, run := range open {
		if run.State != scheduler.Paused {
			continue
		}
		w.seen.note("paused by Meta's refusals")
		if _, err := w.move(ctx, run.ID, scheduler.Running, ""); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) manual(ctx context.Context, campaign string) error {
	for _, c := range w.configured() {
		if c.ID != campaign {
			continue
		}
		c.Schedule, c.Window = nil, nil
		run, err := scheduler.NewRun(w.freeze(c), time.Now())
		if err != nil {
			return err
		}
		run.Manual = true
		_, _, err = w.db.CreateRun(ctx, run)
		w.tell("an operator starts %s by hand", campaign)
		return err
	}
	return nil
}

// edit changes the texts and the order of the campaigns while runs are under way.
func (w *world) edit() {
	r := w.draw("edit")
	for n := range 1 + r.IntN(3) {
		w.until(w.moment(r))
		w.mu.Lock()
		edited := slices.Clone(w.campaigns)
		for i := range edited {
			edited[i].Message.Parameters.Body = []templates.Value{{Text: new(fmt.Sprintf("edition-%d", n+1))}}
		}
		slices.Reverse(edited)
		w.campaigns = edited
		w.note("the configuration is edited")
		w.mu.Unlock()
		w.seen.note("configuration edited")
	}
}

// live keeps one process of a name alive: what dies is started again, a few times with another mishap in store, and
// what still lives when everybody is restarted is stopped as SIGTERM does.
func (w *world) live(name string, restart, stop <-chan struct{}) {
	for generation := 0; ; generation++ {
		r := w.draw("process", name, generation)
		p := w.start(fmt.Sprintf("%s.%d", name, generation), w.mishaps(r, generation), false)
		defer p.over.Wait()
		died := p.ended(restart, stop)
		if !died {
			p.terminate()
		}
		select {
		case <-stop:
			return
		case <-w.found:
			return
		case <-restart:
			restart = nil // once
		default:
		}
		if died && !sleepUnless(stop, time.Duration(200+r.IntN(4000))*time.Millisecond) {
			return
		}
	}
}

// ended waits until the process died, or is to stop.
func (p *process) ended(restart, stop <-chan struct{}) (died bool) {
	for !p.dead.Load() {
		select {
		case <-stop:
			return false
		case <-restart:
			return false
		case <-p.w.found:
			p.die("because the bug is found")
		case <-time.After(100 * time.Millisecond):
		}
	}
	return true
}

// terminate stops a process as SIGTERM does: what is under way ends first.
func (p *process) terminate() {
	p.stop()
	p.over.Wait()
	p.dead.Store(true)
}

func sleepUnless(stop <-chan struct{}, span time.Duration) bool {
	select {
	case <-stop:
		return false
	case <-time.After(span):
		return true
	}
}

func (w *world) mishaps(r *rand.Rand, generation int) (list []mishap) {
	if generation > 3 {
		return nil
	}
	draw := func() mishap {
		m := mishap{at: points[r.IntN(len(points))], nth: 1 + int64(r.IntN(6)), after: r.IntN(2) == 0}
		if m.at == atCreateRun || m.at == atMoveMark || m.at == atPlanned || m.at == atEnqueue {
			m.nth = 1 + int64(r.IntN(2))
		}
		return m
	}
	switch {
	case generation == 0 && w.seed%4 == 2: // whoever has the lease
		list = append(list, mishap{at: atGate, nth: 2 + int64(w.seed/4%3), after: true})
	case generation == 0 && w.seed%4 == 3:
		list = append(list, mishap{at: atRecord, nth: 2 + int64(w.seed/4%3)})
	case r.Float64() < 0.7:
		list = append(list, draw())
	}
	if r.Float64() < 0.4 {
		still := draw()
		still.span = time.Duration(500+r.IntN(8500)) * time.Millisecond
		list = append(list, still)
	}
	if r.Float64() < 0.2 {
		away := draw()
		away.span, away.away = time.Duration(200+r.IntN(2500))*time.Millisecond, true
		list = append(list, away)
	}
	return list
}
