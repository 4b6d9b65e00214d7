package proof

import (
	"slices"
	"strings"
	"time"
)

// ranks order the states that Meta's word leads to; the higher wins, whichever came first (docs/ARCHITECTURE.md, "Statuses").
var ranks = map[string]int{"sending": 0, "unknown": 0, "accepted": 1, "held": 1, "sent": 2, "failed": 3, "delivered": 4, "read": 5}

// ended are the states that a refusal leads to.
var ended = []string{"skipped", "expired", "cancelled"}

// reasons are those of rows (CONTRACT §4).
var reasons = []string{
	"unknown_contact", "erased", "invalid_number", "suppressed", "opt_out_review", "no_consent", "consent_revoked", "consent_expired", "country",
	"unreachable", "meta_cooldown", "holdout", "no_template", "template_not_approved", "missing_parameter", "not_after", "window", "quiet_hours",
	"frequency_cap", "max_recipients", "budget", "messaging_limit", "quality_guard", "run_cancelled",
}

// states: each row is in one legal state, with what belongs to it and nothing else.
func (a *auditor) states() {
	for _, r := range a.Rows {
		_, out := ranks[r.State]
		refused := slices.Contains(ended, r.State)
		switch {
		case !out && !refused && r.State != "queued":
			a.find(State, "person %s is %q", short(r.Person), r.State)
		case refused && !slices.Contains(reasons, r.Reason):
			a.find(State, "person %s is %s for the reason %q", short(r.Person), r.State, r.Reason)
		case out && r.Reason != "" && (r.State != "unknown" || r.Reason != "unproven"):
			a.find(State, "person %s is %s and has the reason %q", short(r.Person), r.State, r.Reason)
		case out && r.State == "failed" && r.ErrorTitle == "internal" && r.ErrorCode == 0 && r.Sending == 0:
			// It was set aside before its gate (F31).
		case out && (r.Attempt == "" || r.Sending == 0 || r.Attempts < 1):
			a.find(State, "person %s is %s and never passed the gate", short(r.Person), r.State)
		case ranks[r.State] > 0 && r.State != "failed" && r.Accepted == 0:
			a.find(State, "person %s is %s and was never accepted", short(r.Person), r.State)
		}
	}
}

// reported: each message stands where all that Meta said of it leads, its answer and every status.
func (a *auditor) reported() {
	took := map[string]Post{}
	for _, p := range a.Posts {
		if p.WAMID != "" {
			took[p.attempt()] = p
		}
	}
	for i := range a.Rows {
		r := &a.Rows[i]
		if r.Attempt == "" || a.later(took[r.Attempt]) {
			continue
		}
		a.reportedRow(r, took[r.Attempt], a.reports[r.Attempt])
	}
}

func (a *auditor) reportedRow(r *Row, p Post, statuses []string) {
	if p.WAMID == "" && len(statuses) == 0 {
		if ranks[r.State] > 0 && r.State != "failed" {
			a.find(Lattice, "person %s is %s, and Meta never took their message", short(r.Person), r.State)
		}
		return
	}
	if len(statuses) == 0 && (!a.law.Told || strings.HasSuffix(p.To, neverReported)) {
		return // Meta has it, and its echo may still settle it, or there is none
	}
	want := "accepted"
	for _, s := range statuses {
		if ranks[s] > ranks[want] {
			want = s
		}
	}
	at, out := ranks[r.State]
	switch {
	case !out, at == 0:
		a.find(Settled, "person %s is %s; Meta took their message at %s and was heard saying %v", short(r.Person), r.State, clock(p.Begin), statuses)
	case at < ranks[want], a.law.Told && at > ranks[want]:
		a.find(Lattice, "person %s is %s; the statuses %v were acknowledged, which is %s", short(r.Person), r.State, statuses, want)
	case r.WAMID != "" && p.WAMID != "" && r.WAMID != p.WAMID:
		a.find(Lattice, "person %s has another message id than Meta gave", short(r.Person))
	default:
		for _, s := range statuses {
			if r.reached(s) == 0 {
				a.find(Lattice, "person %s was %s, which was acknowledged, and the row has no time of it", short(r.Person), s)
				return
			}
		}
	}
}

// reached is when a status was reached, 0 for never.
func (r *Row) reached(status string) int64 {
	switch status {
	case "sent":
		return r.Sent
	case "delivered":
		return r.Delivered
	case "read":
		return r.Read
	case "failed":
		return r.Failed
	}
	return r.Accepted
}

// oneRun: however many looked at a slot, it has one run, late or in time, and none is missed.
func (a *auditor) oneRun() {
	count := map[string]int{}
	for _, run := range a.Runs {
		if run.State != "missed" {
			count[run.Campaign]++
		}
	}
	for campaign, want := range a.law.Runs {
		if count[campaign] != want {
			a.find(OneRun, "%s has %d runs for %d slots", campaign, count[campaign], want)
		}
	}
}

// noneLost: each run has a row for each of its people, and leaves none of them waiting when it is over.
func (a *auditor) noneLost() {
	count, waiting := map[string]int{}, map[string]int{}
	for _, r := range a.Rows {
		count[r.Run]++
		if r.State == "queued" || r.State == "sending" {
			waiting[r.Run]++
		}
	}
	suppressed := map[string]bool{}
	for _, s := range a.Suppressions {
		suppressed[a.persons[nameKey("phone", s.Value)]], suppressed[a.persons[s.Value]] = true, true
	}
	for _, r := range a.Rows {
		if r.Reason == "suppressed" && r.State == "skipped" && !suppressed[r.Person] {
			a.find(NoneLost, "person %s was skipped as suppressed, and no stop of theirs is on record", short(r.Person))
		}
	}
	for _, run := range a.Runs {
		if want, asked := a.law.Audience[run.Campaign]; asked && count[run.ID] != want {
			a.find(NoneLost, "run %s of %s has %d rows for %d people", short(run.ID), run.Campaign, count[run.ID], want)
		}
		over := run.State == "done" || run.State == "cancelled"
		if over && waiting[run.ID] > 0 {
			a.find(NoneLost, "run %s is %s with %d rows that wait", short(run.ID), run.State, waiting[run.ID])
		}
		if a.law.Done && !over {
			a.find(NoneLost, "run %s is %s and does not end: %d rows wait", short(run.ID), run.State, waiting[run.ID])
		}
	}
}

func (a *auditor) unknown() {
	for _, r := range a.Rows {
		if r.State == "unknown" {
			a.verdict.Unknown++
		}
	}
	if a.verdict.Unknown > a.law.MaxUnknown {
		a.find(Unknown, "%d messages are unknown, at most %d can be", a.verdict.Unknown, a.law.MaxUnknown)
	}
}

// slack is by how much a second may seem fuller at Meta's side than it was at ours: a machine with more to do than
// processors reads some of a second's messages late, beside those of the next.
const slack = 1.5

func (a *auditor) pace() {
	if a.law.PerSecond == 0 {
		return
	}
	begins := map[string][]int64{}
	for _, p := range a.Posts {
		begins[p.Number] = append(begins[p.Number], p.Begin)
	}
	for number, times := range begins {
		slices.Sort(times)
		busiest, at, first := 0, int64(0), 0
		for last := range times {
			for times[last]-times[first] >= time.Second.Microseconds() {
				first++
			}
			if n := last - first + 1; n > busiest {
				busiest, at = n, times[first]
			}
		}
		if float64(busiest) > slack*a.law.PerSecond+1 {
			a.find(Pace, "number %s sent %d messages in the second from %s, its limit is %v", short(number), busiest, clock(at), a.law.PerSecond)
		}
	}
}

// undeliverable is Meta's code for a message that cannot be delivered, which counts against the person.
const undeliverable = 131026

// counted: what is counted per person is counted once per message, however often it was reported.
func (a *auditor) counted() {
	failed := map[string]int{}
	for _, r := range a.Rows {
		if r.Failed != 0 && r.ErrorCode == undeliverable {
			failed[r.Person]++
		}
	}
	for person, strikes := range a.Strikes {
		if strikes > failed[person] {
			a.find(Counted, "person %s was undeliverable %d times on record and %d times in fact", short(person), strikes, failed[person])
		}
	}
}
