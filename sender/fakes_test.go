package sender_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

const (
	number   = "111222333444"
	instance = "0a1b2c"
)

// house is what stands around one sender: a ledger, runs, a lease and a wire, all in memory and all by the bubble's clock.
type house struct {
	*testing.T
	mu     sync.Mutex
	runs   []*fakeRun
	posted []posted
	gated  []gated
	opened []openedBreaker
	leases []string // what became of the lease, in order

	// What a test may put in place of the usual, before it starts the sender. judge, gate and hold run one at a time; answer
	// runs at once for many, and is told which post it is for, counted from 1.
	judge  func(row sender.GateRow) sender.GateAnswer
	gate   func() error
	cut    func() bool          // the answer to a gate's commit is lost
	slow   func() time.Duration // how long a gate takes
	record func(outcomes []sender.Outcome) error
	answer func(ctx context.Context, n int) sender.Result
	hold   func() (held, taken bool, err error)
	// renewal is what the lease's question meets on its way.
	renewal func(ctx context.Context) error
	bind    func(run sender.Run) (sender.Binding, error)
	away    func() bool            // the database answers nothing
	onOpen  func(b sender.Breaker) // before the runs that it stops pause
	read    func(rows []sender.Row)
	aside   []string
	pauses  []pausedRun // by the shelf
	desk    *fakeDesk   // nil answers nobody
}

type fakeRun struct {
	sender.Run
	open  bool
	done  time.Time
	rows  []*fakeRow
	byKey map[policy.PersonID]*fakeRow
}

type fakeRow struct {
	id       policy.PersonID
	state    sender.State
	attempt  sender.AttemptID
	attempts int
	due      time.Time
}

type posted struct {
	at      time.Time
	beginBy time.Time
	attempt sender.AttemptID
}

type gated struct {
	at, readAt time.Time
	run        string
	rows       []sender.GateRow
	answers    []sender.GateAnswer
}

type openedBreaker struct {
	at time.Time
	sender.Breaker
}

func newHouse(t *testing.T) *house {
	return &house{T: t,
		judge: func(sender.GateRow) sender.GateAnswer {
			return sender.GateAnswer{State: sender.Sending, Decision: policy.Decision{Verdict: policy.Allow}}
		},
		gate:   func() error { return nil },
		cut:    func() bool { return false },
		record: func([]sender.Outcome) error { return nil },
		slow:   func() time.Duration { return 0 },
		away:   func() bool { return false },
		read:   func([]sender.Row) {},
		answer: func(context.Context, int) sender.Result {
			time.Sleep(80 * time.Millisecond)
			return sender.Result{Fate: sender.Taken, WAMID: "wamid.x"}
		},
		hold:    func() (bool, bool, error) { return true, false, nil },
		renewal: func(context.Context) error { return nil },
		onOpen:  func(sender.Breaker) {},
		bind:    func(run sender.Run) (sender.Binding, error) { return sender.Bind(run, catalogue(t)) },
	}
}

func catalogue(t *testing.T) templates.Catalogue {
	t.Helper()
	parsed, err := templates.Parse(json.RawMessage(`{"name":"weekend_offer","language":"it","status":"APPROVED","category":"MARKETING",
		"components":[{"type":"BODY","text":"Ciao {{1}}, sconti in libreria"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return templates.NewCatalogue([]templates.Template{parsed})
}

// recipient is a person of a run: the n-th.
type recipient struct{ name string }

func (r recipient) Field(name string) (string, bool) { return r.name, name == "name" && r.name != "" }

func key(n int) (id policy.PersonID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// add puts a planned run with so many people into the ledger, whose keys begin after first.
func (h *house) add(id string, first, people, priority int) *fakeRun {
	run := &fakeRun{open: true, byKey: map[policy.PersonID]*fakeRow{}, Run: sender.Run{
		ID: id, NumberID: number, Kind: policy.Marketing, Edge: "messages", Priority: priority, Planned: true, Ask: policy.Ask{Campaign: id, Category: "offers"},
		Message: templates.Message{Template: "weekend_offer", Languages: []string{"it"}, Parameters: templates.Parameters{Body: []templates.Value{{Field: "name"}}}},
	}}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.runs = append(h.runs, run)
	h.fill(run, first, people)
	return run
}

func (h *house) fill(run *fakeRun, first, people int) {
	for n := first + 1; n <= first+people; n++ {
		row := &fakeRow{id: key(n), state: sender.Queued}
		run.rows = append(run.rows, row)
		run.byKey[row.id] = row
	}
}

func (h *house) find(id string) *fakeRun {
	for _, run := range h.runs {
		if run.ID == id {
			return run
		}
	}
	h.Errorf("nobody made run %s", id)
	return &fakeRun{byKey: map[policy.PersonID]*fakeRow{}}
}

func (h *house) Queued(_ context.Context, page sender.Page) ([]sender.Row, error) {
	if h.away() {
		return nil, errDown
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []*fakeRow
	for _, row := range h.find(page.RunID).rows {
		later := cmp.Or(row.due.Compare(page.DueAfter), bytes.Compare(row.id[:], page.After[:])) > 0
		switch {
		case row.state != sender.Queued || row.due.IsZero() == page.Due:
		case page.Due && (row.due.After(time.Now()) || !later):
		case !page.Due && bytes.Compare(row.id[:], page.After[:]) <= 0:
		default:
			found = append(found, row)
		}
	}
	slices.SortFunc(found, func(a, b *fakeRow) int { return cmp.Or(a.due.Compare(b.due), bytes.Compare(a.id[:], b.id[:])) })
	var rows []sender.Row
	for _, row := range found[:min(page.Limit, len(found))] {
		rows = append(rows, sender.Row{PersonID: row.id, To: sender.Recipient{Phone: phone.Number(fmt.Sprintf("+39347%07d", binary.BigEndian.Uint64(row.id[8:])))},
			Reads: "it", DueAt: row.due, Fields: recipient{"Ada"}, Person: policy.Person{Known: true}})
	}
	h.read(rows)
	return rows, nil
}

func (h *house) Gate(_ context.Context, run sender.Run, rows []sender.GateRow) ([]sender.GateAnswer, time.Time, error) {
	readAt := time.Now()
	h.mu.Lock()
	slow := h.slow()
	h.mu.Unlock()
	time.Sleep(slow)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away() {
		return nil, readAt, errDown
	}
	if err := h.gate(); err != nil {
		h.gated = append(h.gated, gated{at: readAt, readAt: readAt, run: run.ID, rows: slices.Clone(rows)})
		return nil, readAt, err
	}
	answers := make([]sender.GateAnswer, len(rows))
	for i, row := range rows {
		answers[i] = h.judge(row)
	}
	state := h.find(run.ID)
	for i, row := range rows {
		stored := state.byKey[row.PersonID]
		switch {
		case !state.open:
			answers[i] = sender.GateAnswer{State: sender.Queued}
		case stored == nil || stored.state == sender.Sending:
			answers[i] = sender.GateAnswer{}
		case stored.state != sender.Queued:
			answers[i] = sender.GateAnswer{State: stored.state}
		default:
			stored.state = answers[i].State
			if answers[i].State == sender.Sending {
				stored.attempt, stored.attempts = row.AttemptID, stored.attempts+1
			}
			if answers[i].Decision.Verdict == policy.Defer {
				stored.due = answers[i].Decision.Until
			}
		}
	}
	if h.cut() {
		h.gated = append(h.gated, gated{at: time.Now(), readAt: readAt, run: run.ID, rows: slices.Clone(rows)})
		return nil, readAt, errDown
	}
	h.gated = append(h.gated, gated{at: time.Now(), readAt: readAt, run: run.ID, rows: slices.Clone(rows), answers: slices.Clone(answers)})
	return answers, readAt, nil
}

func (h *house) Record(_ context.Context, outcomes []sender.Outcome) error {
	if h.away() {
		return errDown
	}
	if err := h.record(outcomes); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range outcomes {
		row := h.find(o.RunID).byKey[o.PersonID]
		if row.attempt != o.AttemptID || row.state != sender.Sending {
			if o.Result.Late {
				continue // a gate that failed is taken back, whether it wrote anything or not
			}
			h.Errorf("an outcome of an attempt that the row, %s, does not have", row.state)
			continue
		}
		if back, ok := sender.After(o.Result, row.attempts); ok && !back.Ends {
			row.state, row.due = sender.Queued, time.Now().Add(back.Wait)
			continue
		}
		row.state = map[sender.Fate]sender.State{sender.Taken: sender.Accepted, sender.TakenHeld: sender.Held, sender.Refused: sender.Failed, sender.Ambiguous: sender.Unknown}[o.Result.Fate]
	}
	return nil
}

func (h *house) Active(_ context.Context, numberID string) ([]sender.Run, error) {
	if h.away() {
		return nil, errDown
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var active []sender.Run
	for _, run := range h.runs {
		if run.open && numberID == number {
			active = append(active, run.Run)
		}
	}
	slices.SortStableFunc(active, func(a, b sender.Run) int { return b.Priority - a.Priority })
	return active, nil
}

func (h *house) Finish(_ context.Context, id string) (bool, time.Time, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	run := h.find(id)
	var next time.Time
	for _, row := range run.rows {
		if row.state == sender.Sending || row.state == sender.Queued && row.due.IsZero() {
			return false, time.Time{}, nil
		}
		if row.state == sender.Queued && (next.IsZero() || row.due.Before(next)) {
			next = row.due
		}
	}
	if !next.IsZero() {
		return false, next, nil
	}
	run.open, run.done = false, time.Now()
	return true, time.Time{}, nil
}

func (h *house) OpenBreaker(_ context.Context, b sender.Breaker) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opened = append(h.opened, openedBreaker{time.Now(), b})
	h.onOpen(b)
	for _, r := range h.runs {
		if b.Stops(r.Run) {
			r.open = false
		}
	}
	return nil
}

func (h *house) note(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leases = append(h.leases, what)
}

func (h *house) Hold(ctx context.Context, numberID, holder string, span time.Duration) (bool, bool, error) {
	if numberID != number || holder != "me" || span != 5*time.Second {
		h.Errorf("Hold(%s, %s, %s)", numberID, holder, span)
	}
	if err := h.renewal(ctx); err != nil {
		return false, false, err
	}
	if h.away() {
		return false, false, errDown
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hold()
}

func (h *house) Release(context.Context, string, string) error {
	h.note("released")
	return nil
}

func (h *house) Settle(_ context.Context, _ string, age time.Duration) (int, error) {
	h.note("settled " + age.String())
	return 0, nil
}

func (h *house) Send(ctx context.Context, post sender.Post) sender.Result {
	var body struct {
		To       string `json:"to"`
		Callback string `json:"biz_opaque_callback_data"`
		Template struct {
			Name string `json:"name"`
		} `json:"template"`
	}
	if err := json.Unmarshal(post.Body, &body); err != nil || body.Template.Name != "weekend_offer" || !strings.HasPrefix(body.To, "+39347") {
		h.Errorf("the body of a post cannot be read: %v", err)
	}
	raw, err := hex.DecodeString(strings.TrimPrefix(body.Callback, "1:"+instance+":"))
	if err != nil || len(raw) != 16 || post.NumberID != number || post.Edge != "messages" {
		h.Errorf("a post to %s/%s with callback %q", post.NumberID, post.Edge, body.Callback)
		return sender.Result{}
	}
	if time.Now().After(post.BeginBy) {
		return sender.Result{Fate: sender.NotSent, Late: true}
	}
	h.mu.Lock()
	h.posted = append(h.posted, posted{at: time.Now(), beginBy: post.BeginBy, attempt: sender.AttemptID(raw)})
	n := len(h.posted)
	h.mu.Unlock()
	return h.answer(ctx, n)
}

// start runs a sender until the returned function is called, which waits for its end and tells how long that took.
func (h *house) start(perSecond float64) (stop func() time.Duration) {
	ctx, cancel := context.WithCancel(h.Context())
	o := sender.Options{
		NumberID: number, PerSecond: perSecond, Holder: "me", Instance: instance, Client: h, Ledger: h, Runs: h, Leases: h, Shelf: h,
		Bind:   func(_ context.Context, run sender.Run) (sender.Binding, error) { return h.bind(run) },
		Logger: slog.New(slog.DiscardHandler),
	}
	if h.desk != nil {
		o.Desk, o.Client = h.desk, h.desk
	}
	s := sender.New(o)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() time.Duration {
		began := time.Now()
		cancel()
		if err := <-ended; err != nil {
			h.Errorf("Run = %v after a stop", err)
		}
		return time.Since(began)
	}
}

// until waits for a condition, at most for a span of the bubble's time.
func (h *house) until(span time.Duration, what string, done func() bool) {
	h.Helper()
	look := max(50*time.Millisecond, span/3600) // what may take an hour is not looked at each moment of it
	for end := time.Now().Add(span); !done(); time.Sleep(look) {
		if time.Now().After(end) {
			h.Fatalf("after %s: not yet: %s", span, what)
		}
	}
}

// over reports whether a run is closed: done, or paused.
func (h *house) over(run *fakeRun) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !run.open
}

// reopen is an operator's resume.
func (h *house) reopen(run *fakeRun) {
	h.mu.Lock()
	defer h.mu.Unlock()
	run.open = true
}

func (h *house) posts() []posted {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.posted)
}

func (h *house) breakers() []openedBreaker {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.opened)
}

func (h *house) count(run *fakeRun, states ...sender.State) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, row := range run.rows {
		if slices.Contains(states, row.state) {
			n++
		}
	}
	return n
}

// tried counts the rows that Meta took at their n-th attempt.
func (h *house) tried(run *fakeRun, n int) (rows int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, row := range run.rows {
		if row.attempts == n && row.state == sender.Accepted {
			rows++
		}
	}
	return rows
}

func (h *house) accepted(run *fakeRun, id policy.PersonID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return run.byKey[id].state == sender.Accepted
}

// audit looks over a whole test: nothing was posted that the gate did not answer Sending, nothing twice, and nothing later
// than a second after its gate's first read might begin.
func (h *house) audit() {
	h.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	allowed := map[sender.AttemptID]gated{}
	for _, g := range h.gated {
		for i, answer := range g.answers {
			if answer.State == sender.Sending {
				allowed[g.rows[i].AttemptID] = g
			}
		}
	}
	seen := map[sender.AttemptID]bool{}
	for _, p := range h.posted {
		g, ok := allowed[p.attempt]
		switch {
		case !ok:
			h.Fatal("something was posted that the gate did not let through")
		case seen[p.attempt]:
			h.Fatal("one attempt was posted twice")
		case p.at.Before(g.at):
			h.Fatal("a post began before its gate's answer")
		case !p.beginBy.Equal(g.readAt.Add(time.Second)):
			h.Fatalf("a post may begin until %s after its gate's first read, want one second", p.beginBy.Sub(g.readAt))
		}
		seen[p.attempt] = true
	}
}

var errDown = errors.New("the database is away")
