package simulation

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/proof/reliability"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// bug is a deliberate fault in one of the seams. The zero bug is none.
type bug struct {
	found     string // part of the sentence by which the judge should find it
	record    func([]sender.Outcome) []sender.Outcome
	answers   func([]sender.GateAnswer)
	bodies    func([]sender.Inbox) []sender.Inbox
	queued    func(w *world, run string, rows []sender.Row) []sender.Row
	create    func(*scheduler.Run) bool // false: it is not made, and said to be there
	stale     bool                      // a run that was once active stays so to the sender
	impatient bool                      // a stop is acknowledged while its person's message is on the way
	dawdles   bool                      // a message may begin whenever it likes
}

// bugs are what the judge must find.
var bugs = []struct {
	name string
	from uint64 // the first seed that is tried: one that shows it, unless the interleaving is unlucky
	bug  bug
}{
	{"an ambiguous send is tried again", 1, bug{found: "twice", record: func(outcomes []sender.Outcome) []sender.Outcome {
		return changed(outcomes, func(r *sender.Result) {
			if r.Fate == sender.Ambiguous {
				*r = sender.Result{Fate: sender.NotSent, Cause: errors.New("timeout")}
			}
		})
	}}},
	{"an answer that was taken is a refusal for the moment", 1, bug{found: "twice", record: func(outcomes []sender.Outcome) []sender.Outcome {
		return changed(outcomes, func(r *sender.Result) {
			if r.Fate == sender.Taken {
				*r = sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 131016, Title: "again", Reaction: sender.Retry}}
			}
		})
	}}},
	{"the gate does not look at stops and refusals", 1, bug{found: "begins", answers: func(answers []sender.GateAnswer) {
		passing(answers, func(a sender.GateAnswer) bool {
			return a.State == sender.Skipped && a.Decision.Reason != policy.FrequencyCap
		})
	}}},
	{"the gate does not look at caps", 1, bug{found: "has more than", answers: func(answers []sender.GateAnswer) {
		passing(answers, func(a sender.GateAnswer) bool { return a.Decision.Reason == policy.FrequencyCap })
	}}},
	{"neither feeds nor the gate look at the run", 5, bug{found: "begins", stale: true, answers: func(answers []sender.GateAnswer) {
		passing(answers, func(a sender.GateAnswer) bool {
			return a.State == sender.Cancelled || a.State == sender.Queued && a.Decision.Verdict != policy.Defer
		})
	}}},
	{"a stop is acknowledged while its message is on the way", 1, bug{found: "was acknowledged", impatient: true}},
	{"a message begins long after its gate", 9, bug{found: "begins", dawdles: true}},
	{"a stop is acknowledged and not stored", 1, bug{found: "was acknowledged", bodies: func(bodies []sender.Inbox) []sender.Inbox {
		return emptied(bodies, func(b *sender.Inbox) { b.Acts = nil })
	}}},
	{"reports are acknowledged and not stored", 1, bug{found: "Meta said", bodies: func(bodies []sender.Inbox) []sender.Inbox {
		return emptied(bodies, func(b *sender.Inbox) { b.Statuses = nil })
	}}},
	{"a read is stored as a mere sent", 1, bug{found: "Meta said", bodies: func(bodies []sender.Inbox) []sender.Inbox {
		return emptied(bodies, func(b *sender.Inbox) {
			for i := range b.Statuses {
				if b.Statuses[i].State == sender.Read {
					b.Statuses[i].State = sender.Sent
				}
			}
		})
	}}},
	{"rows are a cursor: each is read once", 1, bug{found: "under way", queued: func(w *world, run string, rows []sender.Row) []sender.Row {
		return w.once(run, rows)
	}}},
	{"a slot makes a run each time that it is looked at", 1, bug{found: "runs", create: func(run *scheduler.Run) bool {
		if !run.Manual {
			run.Occurrence += time.Now().Format(":05.000")
		}
		return true
	}}},
	{"a slot is taken for made", 1, bug{found: "0 runs", create: func(run *scheduler.Run) bool { return run.Manual }}},
}

func changed(outcomes []sender.Outcome, change func(*sender.Result)) []sender.Outcome {
	list := make([]sender.Outcome, len(outcomes))
	for i, o := range outcomes {
		list[i] = o
		change(&list[i].Result)
	}
	return list
}

func passing(answers []sender.GateAnswer, which func(sender.GateAnswer) bool) {
	for i, a := range answers {
		if which(a) {
			answers[i] = sender.GateAnswer{State: sender.Sending, Decision: policy.Decision{Verdict: policy.Allow}}
		}
	}
}

func emptied(bodies []sender.Inbox, change func(*sender.Inbox)) []sender.Inbox {
	list := make([]sender.Inbox, len(bodies))
	for i, b := range bodies {
		list[i] = b
		change(&list[i])
	}
	return list
}

// remember adds to the runs of a number all that ever were active.
func (p *process) remember(number string, runs []sender.Run) []sender.Run {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[string][]sender.Run{}
	}
	for _, known := range p.known[number] {
		if !slices.ContainsFunc(runs, func(r sender.Run) bool { return r.ID == known.ID }) {
			runs = append(runs, known)
		}
	}
	p.known[number] = slices.Clone(runs)
	return runs
}

// once hands out each row of a run a single time.
func (w *world) once(run string, rows []sender.Row) (left []sender.Row) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, row := range rows {
		k := key{run, w.byID[row.PersonID].phone}
		if !w.handed[k] {
			left = append(left, row)
		}
		w.handed[k] = true
	}
	return left
}

// TestTheJudgeFindsBugs plants one bug after another; some seed among a few must show it, and in the way that it should.
func TestTheJudgeFindsBugs(t *testing.T) {
	const patience = 120 // nearly all are found by the first few; which goroutine of an instant comes first no seed decides
	var looked, found atomic.Int64
	t.Cleanup(func() {
		if err := reliability.Append(reliability.Result{
			Day: time.Now().UTC().Format(time.DateOnly), Planted: &reliability.Planted{Found: int(found.Load()), Of: int(looked.Load())},
		}); err != nil {
			t.Error(err)
		}
	})
	tried := bugs
	if racing {
		tried = bugs[:3]
	}
	for _, planted := range tried {
		t.Run(planted.name, func(t *testing.T) {
			t.Parallel()
			looked.Add(1)
			for seed := planted.from; seed < planted.from+patience; seed++ {
				for _, fault := range simulate(t, seed, &sometimes{}, planted.bug) {
					if strings.Contains(strings.SplitN(fault, "\n", 2)[0], planted.bug.found) {
						t.Logf("found by seed %d", seed)
						found.Add(1)
						return
					}
				}
			}
			t.Errorf("%d seeds did not show it", patience)
		})
	}
}
