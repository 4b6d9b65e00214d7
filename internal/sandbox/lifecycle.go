package sandbox

import (
	"context"
	"sync"
	"time"
)

// message is an accepted send on its way through its script.
type message struct {
	number         *number
	wamid          string
	waID, userID   string
	viaUser        bool // addressed by user id
	callback       string
	category       string // of pricing: marketing, marketing_lite, utility, …
	payload, label string // of the stop button; label "" = the template has none
	script         []step
	next           int
	priced         stepKind      // delivered or read, whichever came first; sent before that
	told           chan struct{} // closed when a webhook about it got its 200; nil = nobody waits
}

// newMessage copies what outlives the request and chooses the script.
func (s *Server) newMessage(p *send, mem *scratch) *message {
	m := &message{
		number: p.number, wamid: p.wamid, waID: p.to.waID, userID: p.to.userID, viaUser: p.to.waID == "",
		callback: string(p.request.callback), category: "service", script: usualScript,
	}
	if p.suffix != nil {
		if p.suffix.reply == replyAfterFirstWebhook {
			m.told = make(chan struct{})
		}
		if p.suffix.script != nil {
			m.script = p.suffix.script
		}
	}
	if p.template == nil {
		if !s.people.windowOpen(m.userID, p.at) {
			m.script = failsWith(131047)
		}
		return m
	}
	m.category = pricingCategory(p)
	if i := p.template.stopButton(); i >= 0 {
		m.label = p.template.parts.buttons[i].label
		m.payload = m.label
		if sent := mem.filling.payloads[i]; sent != nil {
			m.payload = string(sent)
		}
	}
	if p.template.category != "MARKETING" {
		return m
	}
	switch {
	case s.people.stopped(m.userID):
		m.script = failsWith(131050)
	case p.suffix == nil && isUnitedStates(p.to.dialed):
		m.script = failsWith(131049)
	}
	return m
}

// pricingCategory is the category a status names: marketing_lite when the
// message went through marketing_messages (graph-api.md §1.6).
func pricingCategory(p *send) string {
	switch {
	case p.endpoint.marketing:
		return "marketing_lite"
	case p.template.category == "MARKETING":
		return "marketing"
	case p.template.category == "AUTHENTICATION":
		return "authentication"
	}
	return "utility"
}

// update is one thing to tell by webhook: a step of a message, or a whole
// entry made elsewhere.
type update struct {
	message *message
	step    step
	priced  bool // carries pricing
	at      time.Time
	entry   []byte
}

// event is an update that is due at a moment.
type event struct {
	due     int64 // Unix ns
	order   uint64
	message *message
	entry   []byte
}

func (e event) before(o event) bool { return e.due < o.due || e.due == o.due && e.order < o.order }

// queue holds what is to be told, soonest first.
type queue struct {
	wake chan struct{}

	mu        sync.Mutex
	heap      []event
	order     uint64
	flying    int // webhook POSTs taken and not yet done
	delivered int // people reached, for OptOutEvery
	idle      []chan struct{}
}

// schedule starts a message's script.
func (s *Server) schedule(m *message) {
	if len(m.script) == 0 {
		return
	}
	s.queue.mu.Lock()
	s.queue.push(event{due: s.due(time.Now().UnixNano(), m), message: m})
	s.queue.mu.Unlock()
	s.queue.ring()
}

func (s *Server) due(from int64, m *message) int64 {
	return from + int64(m.script[m.next].after)*int64(s.opts.StatusDelay)
}

// announce queues a complete webhook entry.
func (s *Server) announce(entry []byte) {
	if s.opts.WebhookURL == "" {
		return
	}
	s.queue.mu.Lock()
	s.queue.push(event{due: time.Now().UnixNano(), entry: entry})
	s.queue.mu.Unlock()
	s.queue.ring()
}

func (q *queue) ring() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// push must be called with mu held.
func (q *queue) push(e event) {
	q.order++
	e.order = q.order
	q.heap = append(q.heap, e)
	for i := len(q.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.heap[i].before(q.heap[parent]) {
			return
		}
		q.heap[i], q.heap[parent] = q.heap[parent], q.heap[i]
		i = parent
	}
}

// pop must be called with mu held and at least one event queued.
func (q *queue) pop() event {
	first, last := q.heap[0], len(q.heap)-1
	q.heap[0], q.heap[last] = q.heap[last], event{}
	q.heap = q.heap[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if q.heap[child].before(q.heap[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		q.heap[i], q.heap[least] = q.heap[least], q.heap[i]
		i = least
	}
}

// next tells how many events wait (an upper bound of those due) and when the
// first is due.
func (q *queue) next() (waiting int, due time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.heap) == 0 {
		return 0, time.Time{}
	}
	return len(q.heap), time.Unix(0, q.heap[0].due)
}

// take removes up to limit due events, puts each message's next step in the
// queue, and counts one POST as flying if there was any.
func (s *Server) take(now time.Time, limit int) []update {
	q := &s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	var taken []update
	for len(taken) < limit && len(q.heap) > 0 && q.heap[0].due <= now.UnixNano() {
		e := q.pop()
		u := update{at: time.Unix(0, e.due), entry: e.entry, message: e.message}
		if m := e.message; m != nil {
			u.step = m.script[m.next]
			m.next++
			u.priced = m.priceable(u.step.kind)
			if u.step.kind == stepDelivered {
				q.delivered++
				if n := s.opts.OptOutEvery; n > 0 && q.delivered%n == 0 {
					rest := append([]step(nil), m.script[m.next:]...)
					m.script, m.next = append(rest, step{1, stepAnswersStop, 0}), 0
				}
			}
			if m.next < len(m.script) {
				q.push(event{due: s.due(e.due, m), message: m})
			}
		}
		taken = append(taken, u)
	}
	if len(taken) > 0 {
		q.flying++
	}
	return taken
}

// priceable tells whether a status carries pricing: sent does, and one of
// delivered and read (graph-api.md §4.5).
func (m *message) priceable(kind stepKind) bool {
	if m.priced == stepSent && (kind == stepDelivered || kind == stepRead) {
		m.priced = kind
	}
	return kind == stepSent || kind == m.priced
}

// landed ends one flying POST.
func (q *queue) landed() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.flying--
	if q.flying > 0 || len(q.heap) > 0 {
		return
	}
	for _, c := range q.idle {
		close(c)
	}
	q.idle = nil
}

// Idle waits until every status and event of the messages accepted so far has
// been taken by the webhook receiver. It needs Run to be running.
func (s *Server) Idle(ctx context.Context) error {
	q := &s.queue
	q.mu.Lock()
	if q.flying == 0 && len(q.heap) == 0 {
		q.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	q.idle = append(q.idle, done)
	q.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// people is what WhatsApp knows about the users, by user id.
type people struct {
	mu       sync.RWMutex
	stops    map[string]bool      // native marketing stop
	lastWord map[string]time.Time // when they last wrote
}

func (p *people) stopped(userID string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.stops[userID]
}

func (p *people) setStop(userID string, stop bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stops == nil {
		p.stops = map[string]bool{}
	}
	p.stops[userID] = stop
}

func (p *people) wrote(userID string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lastWord == nil {
		p.lastWord = map[string]time.Time{}
	}
	p.lastWord[userID] = at
}

// windowOpen tells whether free text may go to the person: 24 hours after they
// last wrote.
func (p *people) windowOpen(userID string, now time.Time) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	last, ok := p.lastWord[userID]
	return ok && now.Sub(last) < 24*time.Hour
}
