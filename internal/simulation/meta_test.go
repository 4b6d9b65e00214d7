package simulation

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/graph"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// fate is what the seed has in store for one attempt.
type fate struct {
	dial    time.Duration // from the call to the first byte
	unsent  bool
	code    int // Meta's refusal; 0 for none
	held    bool
	lost    bool // no answer comes back
	vanish  bool // and Meta never had it
	latency time.Duration
}

// mayExist reports whether the message may be on its way to the person.
func (f fate) mayExist() bool { return !f.unsent && f.code == 0 }

// taken reports whether Meta has it.
func (f fate) taken() bool { return f.mayExist() && !f.vanish }

// attempt is one row that came to the gate, and what became of it.
type attempt struct {
	id       sender.AttemptID
	run      sender.Run
	person   *person
	process  *process
	blame    bool // the process could not know, or not record, what became of it
	begun    bool
	answered bool
	begunAt  time.Time
	fate     fate
	statuses []*status
}

// status is one report of Meta's on a message.
type status struct {
	state  sender.State
	code   int
	echo   bool // with the callback
	after  time.Duration
	late   bool // weeks later
	copies int
	acked  bool
}

// Send is WhatsApp: it takes, holds, refuses, loses, or never gets a message.
func (p *process) Send(_ context.Context, post sender.Post) (result sender.Result) {
	w := p.w
	a := w.attemptOf(post.Body)
	if a == nil {
		w.wrongs("a message with no attempt behind it was posted")
		return sender.Result{Fate: sender.NotSent, Cause: errors.New("no attempt")}
	}
	result = sender.Result{Fate: sender.NotSent, Cause: errDead}
	err := p.pass(atSend, func() error {
		f := w.fateOf(a)
		a.person.once.Do(func() { close(a.person.due) })
		time.Sleep(f.dial)
		if !p.awake() {
			return errDead
		}
		var begun bool
		if result, begun = w.begin(a, f, post); !begun {
			return nil
		}
		if f.taken() {
			w.report(a)
		}
		time.Sleep(f.latency)
		return nil
	})
	w.answered(a, err != nil)
	return result
}

var errReset = errors.New("connection reset")

// begin is the first byte. Everything that must not be true at that instant is looked at here, under the lock under which
// acknowledgements are noted.
func (w *world) begin(a *attempt, f fate, post sender.Post) (sender.Result, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if now.After(post.BeginBy) && !w.bug.dawdles {
		w.seen.note("too late to begin")
		return sender.Result{Fate: sender.NotSent, Late: true}, false
	}
	if f.unsent {
		w.seen.note("not sent")
		w.note("%s to %s of %s does not leave", a.process.name, a.person.phone, w.nameOf(a.run.ID))
		return sender.Result{Fate: sender.NotSent, Cause: errors.New("connection refused")}, false
	}
	w.judgeBegin(a, now, post.Body)
	a.begun, a.begunAt, a.fate = true, now, f
	key := key{a.run.ID, a.person.phone}
	w.sends[key] = append(w.sends[key], a)
	w.note("%s to %s of %s begins: code %d held %t lost %t vanishes %t, %s", a.process.name, a.person.phone, w.nameOf(a.run.ID), f.code, f.held, f.lost, f.vanish, f.latency)
	wamid := a.wamid()
	switch {
	case f.code != 0:
		reaction := graph.Classify(f.code, 0, 400, false)
		w.seen.note(string(reaction))
		return sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: f.code, Title: "refused", Reaction: reaction}}, true
	case f.lost:
		w.seen.note("lost answer")
		return sender.Result{Fate: sender.Ambiguous, Cause: errReset}, true
	case f.held:
		return sender.Result{Fate: sender.TakenHeld, WAMID: wamid}, true
	}
	return sender.Result{Fate: sender.Taken, WAMID: wamid}, true
}

func (a *attempt) wamid() string { return fmt.Sprintf("wamid.%x", a.id) }

// attemptOf finds the attempt by the callback of a body.
func (w *world) attemptOf(body []byte) *attempt {
	var posted struct {
		To       string `json:"to"`
		Callback string `json:"biz_opaque_callback_data"`
	}
	if json.Unmarshal(body, &posted) != nil {
		return nil
	}
	raw, err := hex.DecodeString(posted.Callback[strings.LastIndexByte(posted.Callback, ':')+1:])
	if err != nil || len(raw) != len(sender.AttemptID{}) {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.attempts[sender.AttemptID(raw)]
	if a != nil && posted.To != string(a.person.phone) {
		w.wrong("a message for %s went to %s", a.person.phone, posted.To)
	}
	return a
}

// fateOf draws what happens to an attempt: by run, person and number of the attempt, whatever the order in which they come.
func (w *world) fateOf(a *attempt) fate {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := key{a.run.ID, a.person.phone}
	w.tries[key]++
	try := w.tries[key]
	r := w.draw("fate", w.nameOf(a.run.ID), a.person.phone, try)
	f := fate{latency: time.Duration(10+r.IntN(250)) * time.Millisecond}
	if w.calm.Load() {
		return f
	}
	now := time.Since(w.began)
	switch {
	case w.storm.has(now):
		f.code = 130429
	case w.outage.has(now):
		f.unsent = true
	default:
		w.mixed(r, &f, try)
	}
	if r.Float64() < 0.3 {
		f.dial = time.Duration(r.IntN(1100)) * time.Millisecond
	}
	if r.Float64() < 0.04 {
		f.latency = time.Duration(2000+r.IntN(9000)) * time.Millisecond
	}
	return f
}

func (w *world) mixed(r *rand.Rand, f *fate, try int) {
	roll := r.Float64()
	for _, choice := range []struct {
		share float64
		set   func()
	}{
		{0.04, func() { f.unsent = true }},
		{0.05, func() { f.code = 131016 }},
		{0.02, func() { f.code = 130429 }},
		{0.01, func() { f.code = 131056 }},
		{0.02, func() { f.code = 131026 }},
		{0.02, func() { f.code = 131009 }},
		{0.01, func() { f.code = 131049 }},
		{0.01, func() { f.code = 131050 }},
		{w.breaks, func() { f.code = 131048 }},
		{0.04, func() { f.lost = true }},
		{0.03, func() { f.lost, f.vanish = true, true }},
		{0.05, func() { f.held = true }},
	} {
		if roll -= choice.share; roll < 0 {
			choice.set()
			break
		}
	}
	if f.code == 131056 && try > 2 {
		f.code = 0
	}
}

// report plans what Meta says of a message that it took, and sends it off.
func (w *world) report(a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.draw("statuses", w.nameOf(a.run.ID), a.person.phone, len(w.sends[key{a.run.ID, a.person.phone}]))
	states := []sender.State{sender.Sent, sender.Delivered, sender.Read}[:r.IntN(4)]
	var plan []*status
	for _, state := range states {
		if r.Float64() < 0.9 {
			plan = append(plan, &status{state: state, echo: true})
		}
	}
	if r.Float64() < 0.12 {
		failed := &status{state: sender.Failed, code: []int{131026, 131049, 131000}[r.IntN(3)], echo: r.Float64() < 0.7}
		if len(states) < 2 && r.Float64() < 0.3 {
			failed.code, failed.echo = 131050, true
		}
		plan = append(plan, failed)
	}
	for _, s := range plan {
		s.after = time.Duration(r.IntN(12000)) * time.Millisecond
		if r.Float64() < 0.3 {
			s.after = time.Duration(r.IntN(30)) * time.Millisecond // before the answer
		}
		s.late = r.Float64() < 0.03
		s.copies = 1 + r.IntN(3)*r.IntN(2)
		w.players.Go(func() { w.play(a, s) })
	}
	a.statuses = plan
}

// play brings one status to a receiver, once or more often, until it is acknowledged.
func (w *world) play(a *attempt, s *status) {
	if s.late {
		<-w.settled
		time.Sleep(29 * 24 * time.Hour)
		w.seen.note("a month late")
	} else {
		time.Sleep(s.after)
	}
	body := w.statusBody(a, s, time.Now())
	for range s.copies {
		w.players.Go(func() {
			w.deliver(body, func() {
				s.acked = true
				if !a.answered {
					w.seen.note("early status")
				}
				if s.code == 131050 && s.echo {
					a.person.stopped(w, policy.ScopeKind(policy.Marketing), "status 131050")
				}
			})
		})
	}
	if s.copies > 1 {
		w.seen.note("duplicate webhook")
	}
}

func (w *world) statusBody(a *attempt, s *status, now time.Time) []byte {
	one := map[string]any{
		"id": a.wamid(), "status": string(s.state), "timestamp": fmt.Sprint(now.Unix()), "recipient_id": strings.TrimPrefix(string(a.person.phone), "+"),
	}
	if s.echo {
		one["biz_opaque_callback_data"] = sender.Callback(w.db.Instance(), a.id)
	}
	if s.code != 0 {
		one["errors"] = []any{map[string]any{"code": s.code, "title": "refused"}}
	}
	return envelope(map[string]any{"statuses": []any{one}})
}

func envelope(value map[string]any) []byte {
	value["messaging_product"] = "whatsapp"
	value["metadata"] = map[string]any{"phone_number_id": numbers[0]}
	body, err := json.Marshal(map[string]any{"object": "whatsapp_business_account", "entry": []any{map[string]any{
		"id": "500600700800", "changes": []any{map[string]any{"field": "messages", "value": value}},
	}}})
	if err != nil {
		panic(err) // of strings and maps alone
	}
	return body
}

// deliver brings a body to some process until one answers 200; acked is called under the lock, in the order of the answers.
func (w *world) deliver(body []byte, acked func()) {
	for try := 0; !w.over(); try++ {
		if p := w.receiver(); p != nil && p.hear(body) == 200 {
			w.mu.Lock()
			defer w.mu.Unlock()
			acked()
			return
		}
		w.seen.note("webhook not taken")
		time.Sleep(time.Duration(500+200*min(try, 10)) * time.Millisecond)
	}
}

// receiver is some process that is alive, nil when all are dead.
func (w *world) receiver() *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turn++
	for i := range w.processes {
		if p := w.processes[(w.turn+i)%len(w.processes)]; !p.dead.Load() {
			return p
		}
	}
	return nil
}
