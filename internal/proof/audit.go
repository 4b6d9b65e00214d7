package proof

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Invariant names one of the things that must hold.
type Invariant string

// The invariants (CONTRACT §6; docs/ARCHITECTURE.md, "The states of a delivery").
const (
	Once      Invariant = "once"       // a person gets a run at most once
	AfterStop Invariant = "after_stop" // no message begins after the 200 of the person's stop
	StopKept  Invariant = "stop_kept"  // a stop that was acknowledged is on record and holds
	State     Invariant = "state"      // one legal state, one reason where refused, the times that belong to it
	Cap       Invariant = "cap"        // caps hold over campaigns and numbers, unknown messages count
	Consented Invariant = "consented"  // nobody without consent
	OnRecord  Invariant = "on_record"  // what Meta took has a row
	Settled   Invariant = "settled"    // what Meta took, or reported, is accepted or later
	Lattice   Invariant = "lattice"    // the state is the join of all that was reported, each time is kept
	OneRun    Invariant = "one_run"    // as many runs of a campaign as it has slots
	NoneLost  Invariant = "none_lost"  // as many rows as people, none left behind in a run that is done
	Unknown   Invariant = "unknown"    // no more unknown messages than the faults account for
	Pace      Invariant = "pace"       // no second with more messages than the number may send
	Counted   Invariant = "counted"    // a report that comes twice counts once
)

// neverReported ends the sandbox's number of whom Meta takes messages and never says a word.
const neverReported = "990005"

// Law is what a scenario adds to the invariants that always hold.
type Law struct {
	Audience   map[string]int // campaign to how many people each of its runs has
	Runs       map[string]int // campaign to how many runs it has; one that is not there is not counted
	Caps       []Limit
	PerSecond  float64 // of each number; 0 asks nothing
	MaxUnknown int     // how many unknown rows the faults account for
	RevokedBy  int64   // when the import of revocations said that it was done, µs since 1970
	Done       bool    // every run is over
	Told       bool    // every status that there will be was acknowledged
}

// Limit is a frequency cap: so many messages of any marketing per person and span.
type Limit struct {
	Max int
	Per time.Duration
}

// Finding is one breach.
type Finding struct {
	Invariant Invariant
	Sentence  string
}

// Verdict is the outcome of an audit.
type Verdict struct {
	Findings                                         []Finding
	People, Posts, Doubles, AfterStop, Unknown, Acks int
}

// of counts the findings of one invariant.
func (v Verdict) of(i Invariant) int {
	n := 0
	for _, f := range v.Findings {
		if f.Invariant == i {
			n++
		}
	}
	return n
}

// Audit judges the evidence. It believes nobody: what the database says of a message is held against what Meta saw of it.
func (e Evidence) Audit(law Law) Verdict {
	a := newAuditor(e, law)
	for _, check := range []func(){a.once, a.afterStop, a.stopKept, a.states, a.caps, a.consents, a.reported, a.oneRun, a.noneLost, a.unknown, a.pace, a.counted} {
		check()
	}
	v := a.verdict
	v.Posts, v.Acks = len(e.Posts), len(e.Acks)
	v.Doubles, v.AfterStop = v.of(Once), v.of(AfterStop)
	people := map[string]bool{}
	for _, r := range e.Rows {
		people[r.Person] = true
	}
	v.People = len(people)
	return v
}

// auditor has the evidence in order.
type auditor struct {
	Evidence
	law       Law
	verdict   Verdict
	runs      map[string]Run
	byAttempt map[string]*Row
	persons   map[string]string   // a phone in the form of personOf, or a user id, to the person
	reports   map[string][]string // attempt to the statuses that were acknowledged
}

func newAuditor(e Evidence, law Law) *auditor {
	a := &auditor{Evidence: e, law: law, runs: map[string]Run{}, byAttempt: map[string]*Row{}, persons: map[string]string{}, reports: map[string][]string{}}
	for _, r := range e.Runs {
		a.runs[r.ID] = r
	}
	for i, r := range e.Rows {
		if r.Attempt != "" {
			a.byAttempt[r.Attempt] = &e.Rows[i]
		}
	}
	for _, n := range e.Names {
		a.persons[nameKey(n.Kind, n.Value)] = n.Person
	}
	for _, ack := range e.Acks {
		for callback, status := range statusesOf(ack.Body) {
			attempt := Post{Callback: callback[0]}.attempt()
			a.reports[attempt] = append(a.reports[attempt], status)
		}
	}
	return a
}

func nameKey(kind, value string) string {
	if kind == "phone" {
		return personOf(value)
	}
	return value
}

// statusesOf reads the statuses of a body: callback and status to the status. A body that is no envelope has none.
func statusesOf(body []byte) map[[2]string]string {
	var whole envelope
	if json.Unmarshal(body, &whole) != nil {
		return nil
	}
	found := map[[2]string]string{}
	for _, e := range whole.Entry {
		for _, c := range e.Changes {
			var statuses []struct {
				Status   string `json:"status"`
				Callback string `json:"biz_opaque_callback_data"`
			}
			if json.Unmarshal(c.Value["statuses"], &statuses) != nil {
				continue
			}
			for _, s := range statuses {
				if s.Callback != "" {
					found[[2]string{s.Callback, s.Status}] = s.Status
				}
			}
		}
	}
	return found
}

func (a *auditor) find(i Invariant, format string, args ...any) {
	a.verdict.Findings = append(a.verdict.Findings, Finding{i, fmt.Sprintf(format, args...)})
}

// masked is a phone's end: what an auditor prints may be read by anybody.
func masked(phone string) string {
	if len(phone) > 4 {
		phone = phone[len(phone)-4:]
	}
	return "…" + phone
}

func short(id string) string {
	if len(id) > 8 {
		id = id[len(id)-8:]
	}
	return "…" + id
}

func clock(micros int64) string { return time.UnixMicro(micros).UTC().Format("15:04:05.000000") }

// once: of each person and run at most one POST may have led to a message. A POST whose attempt no row has any more was
// followed by another attempt, although nobody knew that it had failed.
func (a *auditor) once() {
	seen := map[string]Post{}
	perPerson := map[string]int{}
	for _, p := range a.Posts {
		if p.mayHaveLeft() && p.To != "" {
			perPerson[personOf(p.To)]++
		}
	}
	for _, p := range a.Posts {
		if !p.mayHaveLeft() || p.To == "" {
			continue
		}
		if before, twice := seen[p.attempt()]; twice {
			a.find(Once, "attempt %s to %s was posted at %s and at %s", short(p.attempt()), masked(p.To), clock(before.Begin), clock(p.Begin))
			continue
		}
		seen[p.attempt()] = p
		if a.byAttempt[p.attempt()] != nil || a.later(p) {
			continue
		}
		if perPerson[personOf(p.To)] > 1 {
			a.find(Once, "%s got a message at %s by attempt %s, of which no row knows, and another one", masked(p.To), clock(p.Begin), short(p.attempt()))
		} else if p.WAMID != "" {
			a.find(OnRecord, "Meta took a message to %s at %s by attempt %s, of which no row knows", masked(p.To), clock(p.Begin), short(p.attempt()))
		}
	}
}

// later reports whether a POST began when the database had been read.
func (a *auditor) later(p Post) bool { return a.At > 0 && p.Begin > a.At }

// covers reports whether a scope is about messages of a run.
func covers(scope string, r Run) bool {
	return scope == "all" || scope == "kind:"+r.Kind || scope == "category:"+r.Category
}

// coveredPost reports whether a scope is about a POST. One of which no row knows any more may be of any run.
func (a *auditor) coveredPost(scope string, p Post) bool {
	if row := a.byAttempt[p.attempt()]; row != nil {
		return covers(scope, a.runs[row.Run])
	}
	return slices.ContainsFunc(a.Runs, func(r Run) bool { return covers(scope, r) })
}

func (a *auditor) afterStop() {
	stops := map[string][]Ack{}
	for _, ack := range a.Acks {
		if ack.Stop != nil {
			who := personOf(ack.Stop.Phone)
			stops[who] = append(stops[who], ack)
		}
	}
	for _, p := range a.Posts {
		for _, ack := range stops[personOf(p.To)] {
			if p.Begin > ack.At && a.coveredPost(ack.Stop.Scope, p) {
				a.find(AfterStop, "a POST to %s began at %s, %s after the 200 of their stop of %s", masked(p.To), clock(p.Begin),
					time.Duration(p.Begin-ack.At)*time.Microsecond, ack.Stop.Scope)
				break
			}
		}
	}
}

// stopKept: nobody plays a START here, so every stop that was acknowledged still holds.
func (a *auditor) stopKept() {
	held := map[string][]string{}
	for _, s := range a.Suppressions {
		if s.Lifted > s.At {
			continue
		}
		for _, key := range []string{nameKey("phone", s.Value), s.Value} {
			if person, ok := a.persons[key]; ok {
				held[person] = append(held[person], s.Scope)
				break
			}
		}
	}
	for _, ack := range a.Acks {
		if ack.Stop == nil {
			continue
		}
		scopes := held[a.persons[personOf(ack.Stop.Phone)]]
		if !slices.Contains(scopes, "all") && !slices.Contains(scopes, ack.Stop.Scope) {
			a.find(StopKept, "the stop of %s by %s was acknowledged at %s; on record is %v", ack.Stop.Scope, masked(ack.Stop.Phone), clock(ack.At), scopes)
		}
	}
}

// caps: a message counts from its gate on, in every campaign, and as long as nobody knows that it failed.
func (a *auditor) caps() {
	if len(a.law.Caps) == 0 {
		return
	}
	times := map[string][]int64{}
	for _, r := range a.Rows {
		if _, counts := ranks[r.State]; counts && r.State != "failed" && a.runs[r.Run].Kind == "marketing" {
			times[r.Person] = append(times[r.Person], r.Sending)
		}
	}
	for _, p := range a.Posts {
		if p.mayHaveLeft() && p.To != "" && a.byAttempt[p.attempt()] == nil {
			person := a.persons[personOf(p.To)]
			times[person] = append(times[person], p.Begin)
		}
	}
	for person, sent := range times {
		slices.Sort(sent)
		for _, limit := range a.law.Caps {
			for i := range len(sent) - limit.Max {
				if span := time.Duration(sent[i+limit.Max]-sent[i]) * time.Microsecond; span < limit.Per {
					a.find(Cap, "person %s has %d messages within %s, the cap is %d in %s", short(person), limit.Max+1, span, limit.Max, limit.Per)
					break
				}
			}
		}
	}
}

// consents: a revocation is in force when whoever brought it was told that it is on record. The time in its row is that of the
// transaction's beginning, before which a gate could not see it.
func (a *auditor) consents() {
	events := map[[2]string][]Consent{}
	for _, c := range a.Consents {
		key := [2]string{c.Person, c.Category}
		events[key] = append(events[key], c)
	}
	for _, list := range events {
		slices.SortFunc(list, func(x, y Consent) int {
			return cmp.Or(cmp.Compare(x.At, y.At), cmp.Compare(x.Action, y.Action)) // granted before revoked: of two at once the refusal wins
		})
	}
	for _, p := range a.Posts {
		row := a.byAttempt[p.attempt()]
		if row == nil {
			continue
		}
		holds, gate := false, row.Sending
		if gate == 0 {
			gate = p.Begin // it was refused for the moment and waits again
		}
		for _, c := range events[[2]string{row.Person, a.runs[row.Run].Category}] {
			if c.Action == "granted" && c.Recorded < gate || c.Action == "revoked" && max(c.Recorded, a.law.RevokedBy) < gate {
				holds = c.Action == "granted"
			}
		}
		if !holds {
			a.find(Consented, "a message to %s passed the gate at %s without consent on record", masked(p.To), clock(gate))
		}
	}
}
