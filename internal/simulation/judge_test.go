package simulation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// stop is one opt-out that was acknowledged and that nothing took back.
type stop struct {
	scope policy.Scope
	by    string
	at    time.Time
}

// person is somebody of the address book, as the judge knows them.
type person struct {
	phone phone.Number
	never map[string]bool // categories that they did not consent to, or that they stopped before all began
	stops []stop
	due   chan struct{} // closed when a message to them is about to begin
	once  sync.Once
}

// stopped notes an acknowledgement; the lock is held.
func (p *person) stopped(w *world, scope policy.Scope, by string) {
	w.note("%s: stop acknowledged (%s)", p.phone, by)
	p.stops = append(p.stops, stop{scope, by, time.Now()})
}

// hold is an operator's word that something stands still: a pause, a halt, a cancellation.
type hold struct {
	run    string // "" is everything
	what   string
	at     time.Time
	lifted bool
}

// beginsWithin is how long after its gate a message may begin.
const beginsWithin = time.Second

// judgeBegin is asked at the first byte of every message; the lock is held.
func (w *world) judgeBegin(a *attempt, now time.Time, body []byte) {
	run, who := w.nameOf(a.run.ID), a.person.phone
	category := w.rules.Categories[a.run.Ask.Category]
	for _, earlier := range w.sends[key{a.run.ID, who}] {
		if earlier.fate.mayExist() {
			w.wrong("%s got %s twice: the attempt before may have reached Meta", who, run)
		}
	}
	for _, s := range a.person.stops {
		if s.scope.Covers(category) {
			w.wrong("%s: %s begins %s after their stop (%s) was acknowledged", who, run, now.Sub(s.at), s.by)
		}
	}
	if a.person.never[category.ID] {
		w.wrong("%s: %s begins without a consent, or against a stop from before", who, run)
	}
	for _, h := range w.holds {
		if !h.lifted && (h.run == "" || h.run == a.run.ID) && now.Sub(h.at) > beginsWithin {
			w.wrong("%s: %s begins %s after %s", who, run, now.Sub(h.at), h.what)
		}
	}
	if end := a.run.Ask.NotAfter; !end.IsZero() && now.Sub(end) > beginsWithin {
		w.wrong("%s: %s begins %s after its not_after", who, run, now.Sub(end))
	}
	text := edition(body)
	if w.editions[a.run.ID] == "" {
		w.editions[a.run.ID] = text
	}
	if w.editions[a.run.ID] != text {
		w.wrong("%s: a message of %s has the text of another configuration", who, run)
	}
}

// planned, attempted, judged, blame, answered and leased are told by the seams what goes through them.

func (w *world) planned(run string, rows []scheduler.Row) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, row := range rows {
		if p := w.byID[row.PersonID]; p != nil && row.Decision.Verdict == policy.Allow {
			w.allowed[key{run, p.phone}] = true
		}
		if row.Decision.Verdict == policy.Defer {
			w.seen.note("deferred")
		}
	}
}

func (w *world) attempted(p *process, run sender.Run, rows []sender.GateRow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, row := range rows {
		w.attempts[row.AttemptID] = &attempt{id: row.AttemptID, run: run, person: w.byID[row.PersonID], process: p}
	}
}

func (w *world) judged(run sender.Run, rows []sender.GateRow, answers []sender.GateAnswer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, answer := range answers {
		who := w.byID[rows[i].PersonID]
		if answer.Decision.Reason == policy.FrequencyCap && w.allowed[key{run.ID, who.phone}] {
			w.seen.note("cap at the gate")
		}
		if answer.State != sender.Sending {
			w.note("gate: %s of %s is %s (%s %s)", who.phone, w.nameOf(run.ID), answer.State, answer.Decision.Verdict, answer.Decision.Reason)
		}
	}
}

func (w *world) blame(rows []sender.GateRow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, row := range rows {
		w.attempts[row.AttemptID].blame = true
	}
	w.seen.note("gate whose answer was lost")
}

// answered is told when Meta's answer is with the process, or lost with it.
func (w *world) answered(a *attempt, lost bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.answered = true
	a.blame = a.blame || lost && a.begun
}

func (w *world) leased(key, holder string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before := w.holders[key]; before != "" && before != holder {
		w.seen.note("lease taken over")
	}
	w.holders[key] = holder
	w.note("%s has the lease %s", holder, key)
}

// audit looks at the database when everything is at rest.
func (w *world) audit() error {
	ctx := context.Background()
	runs, err := w.db.Runs(ctx, "", 0)
	if err != nil {
		return err
	}
	rows := map[key]report.Line{}
	for line, err := range w.db.Log(ctx, report.Filter{}) {
		if err != nil {
			return err
		}
		rows[key{line.Run, phone.Number(line.Phone)}] = line
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for k, row := range rows {
		w.note("the row of %s in %s is %s (%s)", k.phone, w.nameOf(k.run), row.State, row.Reason)
	}
	w.auditFires(runs)
	for _, run := range runs {
		w.auditRun(run, rows)
	}
	w.auditCaps(rows)
	return nil
}

// auditFires compares the runs of schedules with the slots that there were.
func (w *world) auditFires(runs []scheduler.Run) {
	for _, c := range w.campaigns {
		slots, err := c.Between(w.began, w.slots.Add(time.Nanosecond))
		if err != nil {
			w.wrong("%v", err)
		}
		made := map[string]int{}
		for _, run := range runs {
			if run.CampaignID != c.ID || run.Manual {
				continue
			}
			made[run.Occurrence]++
			if late := run.CreatedAt.Sub(run.FireAt); run.State == scheduler.Missed {
				w.seen.note("missed slot")
				if run.Why == "" {
					w.wrong("the slot %s of %s is missed without a reason", run.Occurrence, c.ID)
				}
			} else if c.Schedule.Overlap != scheduler.OverlapQueue && late > max(scheduler.Grace, c.Schedule.CatchUpWithin)+time.Second {
				w.wrong("the slot %s of %s started %s late", run.Occurrence, c.ID, late)
			}
		}
		for _, slot := range slots {
			if n := made[string(slot.Local)]; n != 1 {
				w.wrong("the slot %s of %s has %d runs", slot.Local, c.ID, n)
			}
			delete(made, string(slot.Local))
		}
		for occurrence := range made {
			w.wrong("%s ran at %s, which is no slot", c.ID, occurrence)
		}
	}
}

func (w *world) auditRun(run scheduler.Run, rows map[key]report.Line) {
	if run.State.Open() {
		w.wrong("%s is %s at the end", w.nameOf(run.ID), run.State)
	}
	for _, p := range w.people {
		row, ok := rows[key{run.ID, p.phone}]
		if !ok {
			if run.State == scheduler.Done {
				w.wrong("%s has no row in %s", p.phone, w.nameOf(run.ID))
			}
			continue
		}
		if fault := w.auditRow(row, w.sends[key{run.ID, p.phone}]); fault != "" {
			w.wrong("%s in %s is %s (%s): %s", p.phone, w.nameOf(run.ID), row.State, row.Reason, fault)
		}
	}
}

// auditRow says what is wrong with a row, given the attempts at it that began.
func (w *world) auditRow(row report.Line, sends []*attempt) string {
	var message *attempt // the one that may exist
	retries := 0
	for _, a := range sends {
		if a.fate.mayExist() {
			message = a
		}
		if a.fate.code == 131016 {
			retries++
		}
	}
	if retries > sender.Attempts {
		return fmt.Sprintf("refused for the moment %d times", retries)
	}
	if message != nil && message.fate.taken() {
		return w.auditTaken(row, message)
	}
	switch row.State {
	case sender.Unknown:
		w.seen.note("unknown")
		if message == nil && !w.blamed(row, sends) {
			return "nothing of it was ever in doubt"
		}
	case sender.Skipped:
		if row.Reason == "" || row.Reason.Expires() || message != nil {
			return "skipped for no reason that skips"
		}
	case sender.Expired:
		w.seen.note("expired")
		if !row.Reason.Expires() || message != nil {
			return "expired for no reason of time"
		}
	case sender.Cancelled:
		w.seen.note("cancelled")
		if row.Reason != policy.RunCancelled || message != nil {
			return "cancelled by nobody"
		}
	case sender.Failed:
		if row.Error == nil || len(sends) == 0 {
			return "failed without an error of Meta's"
		}
	default:
		return "and Meta never had it"
	}
	return ""
}

// blamed reports whether some process lost track of an attempt at the row, so that nobody can know.
func (w *world) blamed(row report.Line, sends []*attempt) bool {
	for _, a := range sends {
		if a.blame || a.process.dead.Load() {
			return true
		}
	}
	for _, a := range w.attempts {
		if a.run.ID == row.Run && string(a.person.phone) == row.Phone && (a.blame || a.process.dead.Load()) {
			return true
		}
	}
	return false
}

// auditTaken compares the row of a message that Meta has with all that Meta said of it.
func (w *world) auditTaken(row report.Line, message *attempt) string {
	var heard []sender.State
	echo := false
	for _, s := range message.statuses {
		if !s.acked {
			return "a report was never acknowledged"
		}
		heard, echo = append(heard, s.state), echo || s.echo
	}
	if row.WAMID == "" && !echo {
		if row.State != sender.Unknown {
			return "nothing told of it, and it is not unknown"
		}
		w.seen.note("unknown")
		return ""
	}
	if row.WAMID != message.wamid() {
		return "it has another message's id"
	}
	if message.fate.lost || message.blame {
		w.seen.note("unknown, settled by its echo")
	}
	want := sender.Accepted
	if message.fate.held {
		want = sender.Held
	}
	for _, rank := range []sender.State{sender.Sent, sender.Failed, sender.Delivered, sender.Read} {
		if slices.Contains(heard, rank) {
			want = rank
		}
	}
	if row.State != want {
		return fmt.Sprintf("Meta said %v, which makes %s", heard, want)
	}
	return ""
}

// auditCaps counts, by the rows and by what Meta took, each person's messages in every span.
func (w *world) auditCaps(rows map[key]report.Line) {
	for _, c := range w.rules.Caps {
		for _, p := range w.people {
			var counted, had []time.Time
			for k, row := range rows {
				if k.phone != p.phone || !c.Counts(w.sendOf(row)) {
					continue
				}
				sends := w.sends[k]
				if slices.ContainsFunc(sends, (*attempt).saidToFail) {
					continue // it gave its slot back; that it arrived after all nobody could know
				}
				if counts(row.State) {
					counted = append(counted, row.SendingAt.Time)
				}
				for _, a := range sends {
					if a.fate.mayExist() {
						had = append(had, a.begunAt)
					}
				}
			}
			for _, list := range [][]time.Time{counted, had} {
				if over(list, c.Max, c.Per-2*beginsWithin) {
					w.wrong("%s has more than %d messages within %s: %s", p.phone, c.Max, c.Per, times(list, w.began))
				}
			}
		}
	}
}

// saidToFail reports whether Meta ever said that the message failed.
func (a *attempt) saidToFail() bool {
	return slices.ContainsFunc(a.statuses, func(s *status) bool { return s.state == sender.Failed })
}

func (w *world) sendOf(row report.Line) policy.Send {
	return policy.Send{Kind: w.rules.Categories[row.Category].Kind, Category: row.Category, Campaign: row.Campaign}
}

// counts reports whether a row in this state counts in the caps.
func counts(s sender.State) bool {
	switch s {
	case sender.Sending, sender.Unknown, sender.Accepted, sender.Held, sender.Sent, sender.Delivered, sender.Read:
		return true
	}
	return false
}

func over(list []time.Time, most int, per time.Duration) bool {
	slices.SortFunc(list, time.Time.Compare)
	for i := range list {
		if i+most < len(list) && list[i+most].Sub(list[i]) < per {
			return true
		}
	}
	return false
}

func times(list []time.Time, from time.Time) string {
	var texts []string
	for _, t := range list {
		texts = append(texts, t.Sub(from).String())
	}
	return strings.Join(texts, ", ")
}
