package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// testWritesTwice does each write two times: the second changes nothing.
func testWritesTwice(w *world) {
	people := w.people(5)
	l := w.launch("twice", "offers", people)
	w.must(w.store.Enqueue(w.ctx, l.run.ID, allowed(people)))
	w.must(w.store.Planned(w.ctx, l.run.ID, scheduler.Plan{Matched: 99}))
	if run, err := w.store.Run(w.ctx, l.run.ID); err != nil || run.Plan.Matched != 0 {
		w.Errorf("planned twice: %v, %v", run.Plan, err)
	}
	flights := w.pass(l, people)
	results := []sender.Result{taken, takenHeld, refused, notSent, ambiguous}
	states := []sender.State{sender.Accepted, sender.Held, sender.Failed, sender.Queued, sender.Unknown}
	for range 3 {
		for i, result := range results {
			w.record(result, flights[i])
		}
	}
	for i, state := range states {
		w.want(l.run.ID, state, "", people[i])
	}
	if line := w.lines(l.run.ID)[people[2].id]; !line.AcceptedAt.IsZero() || line.FailedAt.IsZero() || line.Error == nil {
		w.Errorf("what Meta refused was accepted %s, failed %s, error %+v", line.AcceptedAt, line.FailedAt, line.Error)
	}
	if line := w.lines(l.run.ID)[people[3].id]; line.Attempts != 1 {
		w.Errorf("an attempt recorded three times counts %d", line.Attempts)
	}
	body := sender.Inbox{
		BodyHash: [32]byte{1}, Body: []byte("{\"x\":\"\x00\xff\"}"), Statuses: []sender.Status{w.status(flights[0], sender.Read, time.Now())},
		Replies: []sender.Reply{{Identity: policy.Identity{Phone: people[0].phone}, MessageID: "wamid.reply", ContextWAMID: flights[0].wamid(), At: time.Now()}},
		Acts:    []policy.Act{stop(people[1], policy.ScopeAll, time.Now()), {Kind: policy.ActReview, Identity: policy.Identity{Phone: people[2].phone}, At: time.Now(), Text: "non so"}},
	}
	before := ""
	for range 3 {
		stopped, err := w.store.Store(w.ctx, []sender.Inbox{body, body})
		w.must(err)
		if !slices.Contains(stopped, people[1].id) {
			w.Error("a stop that is heard again must be waited for again")
		}
		line := w.lines(l.run.ID)[people[0].id]
		after := fmt.Sprint(line.State, line.ReadAt, line.RepliedAt, w.suppressed(people[1].phone))
		if before != "" && after != before {
			w.Errorf("the same body again changed %s to %s", before, after)
		}
		before = after
	}
}

// testRetries follows messages that are refused for the moment until they fail.
func testRetries(w *world) {
	people := w.people(3)
	l := w.launch("retries", "offers", people)
	try := func(result sender.Result, p person) sender.State {
		w.record(result, w.pass(l, []person{p})...)
		return w.lines(l.run.ID)[p.id].State
	}
	for n := 1; n <= sender.Attempts; n++ {
		before := time.Now()
		state, want := try(tryAgain, people[0]), sender.Queued
		if n == sender.Attempts {
			want = sender.Failed
		}
		line := w.lines(l.run.ID)[people[0].id]
		if state != want || line.Attempts != n || line.Error == nil || line.Error.Code != tryAgain.Err.Code {
			w.Fatalf("after attempt %d: %s, %d attempts, error %+v; want %s", n, state, line.Attempts, line.Error, want)
		}
		wait := line.DueAt.Sub(before)
		if want == sender.Queued && (wait < sender.Backoff(n)-time.Second || wait > sender.Backoff(n)+30*time.Second) {
			w.Errorf("after attempt %d the row waits %s, want about %s", n, wait, sender.Backoff(n))
		}
	}
	// Meta's wish to slow down, and a row that came too late to begin, burn no attempt.
	slow := sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 130429, Title: "Rate limit hit", Reaction: sender.SlowDown}}
	for range sender.Attempts + 2 {
		if state := try(slow, people[1]); state != sender.Queued {
			w.Fatalf("slow down: %s", state)
		}
		if state := try(late, people[2]); state != sender.Queued {
			w.Fatalf("late: %s", state)
		}
	}
	for _, p := range people[1:] {
		if n := w.lines(l.run.ID)[p.id].Attempts; n != 0 {
			w.Errorf("%d attempts were burnt", n)
		}
	}
}

// testNewsTogether has a webhook tell several things of one person: each counts.
func testNewsTogether(w *world) {
	p := w.people(1)[0]
	var failures []sender.Status
	for n := range 3 {
		f := w.pass(w.launch(fmt.Sprint("campaign ", n), "offers", []person{p}), []person{p})[0]
		w.record(taken, f)
		status := w.status(f, sender.Failed, time.Now())
		status.Err = &sender.Error{Code: 131026, Title: "Message undeliverable", Reaction: sender.Undeliverable}
		failures = append(failures, status)
	}
	last := time.Now().Add(-time.Hour).Truncate(time.Second)
	wrote := func(at time.Time) sender.Inbox {
		return sender.Inbox{Replies: []sender.Reply{{Identity: policy.Identity{Phone: p.phone}, MessageID: fmt.Sprint("wamid.", at.Unix()), At: at}}}
	}
	early := wrote(last.Add(-time.Hour))
	early.Replies = append(early.Replies, wrote(last).Replies...)
	_, err := w.store.Store(w.ctx, []sender.Inbox{early, wrote(last.Add(-time.Minute)), {Statuses: failures}})
	w.must(err)
	subject, _, err := w.store.Subject(w.ctx, p.phone, scheduler.Want{SendsSince: time.Now(), Activity: true})
	w.must(err)
	if !subject.Person.Unreachable {
		w.Error("three undeliverable messages in one webhook do not make a person unreachable")
	}
	if !subject.Contact.RepliedAt.Equal(last) {
		w.Errorf("the person wrote last at %s, want %s", subject.Contact.RepliedAt, last)
	}
}

// testPagePlannedAgain writes a page of which a part is there, as a planner does that was cut off, and one of a run that is over.
func testPagePlannedAgain(w *world) {
	people := w.people(6)
	run, _, err := w.store.CreateRun(w.ctx, w.draft("again", "offers"))
	w.must(err)
	page := allowed(people)
	page[0].Decision = policy.Decision{Verdict: policy.Deny, Reason: policy.NoConsent}
	until := time.Now().Add(time.Hour).Truncate(time.Second)
	page[1].Decision = policy.Decision{Verdict: policy.Defer, Reason: policy.OutsideWindow, Until: until}
	w.must(w.store.Enqueue(w.ctx, run.ID, page[:3]))
	page[0].Decision, page[1].Decision = page[2].Decision, page[2].Decision
	page[4].Decision = policy.Decision{Verdict: policy.Deny, Reason: policy.Country}
	w.must(w.store.Enqueue(w.ctx, run.ID, append(page[:5:5], page[3])))
	w.want(run.ID, sender.Skipped, policy.NoConsent, people[0])
	w.want(run.ID, sender.Queued, policy.OutsideWindow, people[1])
	w.want(run.ID, sender.Queued, "", people[2], people[3])
	w.want(run.ID, sender.Skipped, policy.Country, people[4])
	if due := w.lines(run.ID)[people[1].id].DueAt; !due.Equal(until) {
		w.Errorf("due at %s, want %s", due, until)
	}
	w.must(w.store.MoveRun(w.ctx, run.ID, scheduler.RunCancelled, "enough"))
	w.must(w.store.Enqueue(w.ctx, run.ID, page[5:]))
	if n := len(w.lines(run.ID)); n != 5 {
		w.Errorf("a run that is cancelled has %d rows, want 5", n)
	}
}
