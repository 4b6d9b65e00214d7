package storetest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// everything is an age that all of a test has by the time that it is asked for.
var everything = store.Ages{Deliveries: time.Microsecond, Webhooks: time.Microsecond, ReviewTexts: time.Microsecond}

// forget deletes, and holds that it deletes what was said before.
func (w *world) forget(ages store.Ages) report.Forgotten {
	w.Helper()
	said, err := w.store.Forgettable(w.ctx, ages)
	w.must(err)
	gone, err := w.store.Forget(w.ctx, ages, func(time.Duration) error { return nil })
	w.must(err)
	if gone != said {
		w.Errorf("%+v went, and %+v was said to", gone, said)
	}
	again, err := w.store.Forgettable(w.ctx, ages)
	w.must(err)
	if again != (report.Forgotten{}) {
		w.Errorf("%+v is left", again)
	}
	return gone
}

// over is a run that is done, with messages that ended in every way.
func (w *world) over(campaign string, people []person, change ...func(*scheduler.Run)) (*launch, []flight) {
	w.Helper()
	l := w.launch(campaign, "offers", people, change...)
	w.act(policy.Act{Kind: policy.ActReview, Identity: policy.Identity{Phone: people[0].phone}, At: time.Now(), Text: "non-stop?"})
	flights := w.gate(l, people)
	for i, f := range flights[1:] {
		w.record([]sender.Result{taken, ambiguous, refused}[i%3], f)
		if i%3 == 0 {
			w.hear(w.status(f, []sender.State{sender.Delivered, sender.Sent}[i/3%2], time.Now()))
		}
	}
	done, _, err := w.store.Finish(w.ctx, l.run.ID)
	w.must(err)
	if !done {
		w.Fatal("the run is not over")
	}
	return l, flights
}

func testRetention(w *world) {
	people := w.people(9)
	l, flights := w.over("old", people, priced(unlimited))
	tested := w.launch("tested", "offers", people[:1], func(r *scheduler.Run) { r.Test = true })
	before, err := w.store.Summary(w.ctx, l.run.ID)
	w.must(err)
	activity := func() [2]bool {
		subject, _, err := w.store.Subject(w.ctx, people[1].phone, scheduler.Want{SendsSince: time.Now(), Now: time.Now(), Activity: true})
		w.must(err)
		return [2]bool{!subject.Contact.SentAt.IsZero(), !subject.Contact.DeliveredAt.IsZero()}
	}
	if got := activity(); got != [2]bool{true, true} {
		w.Fatalf("sent and delivered: %v", got)
	}
	w.must1(w.store.Store(w.ctx, []sender.Inbox{{Body: []byte(`{"field":"new"}`), BodyHash: [32]byte{1}}}))

	if gone := w.forget(store.Ages{}); gone != (report.Forgotten{}) {
		w.Errorf("without ages %+v went", gone)
	}
	if gone := w.forget(store.Ages{Deliveries: time.Hour, Webhooks: time.Hour, ReviewTexts: time.Hour}); gone != (report.Forgotten{}) {
		w.Errorf("of what is young %+v went", gone)
	}
	time.Sleep(time.Millisecond) // longer than the age
	if gone, want := w.forget(everything), (report.Forgotten{Deliveries: 9, Runs: 1, Webhooks: 1, ReviewTexts: 1}); gone != want {
		w.Errorf("%+v went, want %+v", gone, want)
	}

	// What happened is still told, in numbers.
	after, err := w.store.Summary(w.ctx, l.run.ID)
	w.must(err)
	if after.DeletedAt.IsZero() {
		w.Error("nobody is told that the deliveries are gone")
	}
	after.DeletedAt = report.Time{}
	was, err := json.Marshal(before)
	w.must(err)
	is, err := json.Marshal(after)
	w.must(err)
	if string(was) != string(is) {
		w.Errorf("the report was\n%s\nand is\n%s", was, is)
	}
	progress, err := w.store.Progress(w.ctx, l.run.ID)
	w.must(err)
	if diff := cmp.Diff(before.States, progress.States); diff != "" || len(w.lines(l.run.ID)) != 0 {
		w.Errorf("%d lines are left, states (-want +got):\n%s", len(w.lines(l.run.ID)), diff)
	}
	if got := activity(); got != [2]bool{true, true} {
		w.Errorf("sent and delivered once the deliveries are gone: %v", got)
	}
	// The person whose text is gone is still held back, and an open run is whole.
	w.want(tested.run.ID, sender.Queued, "", people[0])
	next := w.launch("next", "offers", people[:1])
	w.gate(next, people[:1])
	w.want(next.run.ID, sender.Skipped, policy.OptOutReview, people[0])

	// Nobody of it is sent anything again, and its slot stays taken.
	for _, to := range []scheduler.RunState{scheduler.Running, scheduler.Planning} {
		if err := w.store.MoveRun(w.ctx, l.run.ID, to, ""); !errors.Is(err, store.ErrState) {
			w.Errorf("it is resumed: %v", err)
		}
	}
	if _, created, err := w.store.CreateRun(w.ctx, l.run); err != nil || created {
		w.Errorf("its slot has another run: %t, %v", created, err)
	}
	w.must(w.store.Enqueue(w.ctx, l.run.ID, allowed(people)))
	if _, err := w.store.CreateResend(w.ctx, w.draft("old", "offers", func(r *scheduler.Run) { r.Resends = l.run.ID })); !errors.Is(err, store.ErrState) {
		w.Errorf("it is sent again: %v", err)
	}
	for _, f := range flights[1:] {
		w.hear(w.status(f, sender.Read, time.Now()))
		w.record(taken, f)
		w.record(notSent, f)
	}
	if lines := w.lines(l.run.ID); len(lines) != 0 {
		w.Errorf("%d of its deliveries are back", len(lines))
	}
}

// must1 is must for what answers too.
func (w *world) must1(_ []policy.PersonID, err error) {
	w.Helper()
	w.must(err)
}

// testRetentionKeeps looks at what is old and still needed.
func testRetentionKeeps(w *world) {
	w.rules.Caps = []policy.Cap{{Max: 1, Per: 24 * time.Hour, Kind: policy.Marketing}}
	people := w.people(30)
	w.over("counted", people[:4])
	open := w.launch("open", "offers", people[:4])
	if gone := w.forget(everything); gone.Runs != 0 {
		w.Errorf("%+v went, which the cap of an open run counts", gone)
	}
	for _, f := range w.gate(open, people[:4]) {
		w.record(refused, f)
	}
	w.want(open.run.ID, sender.Skipped, policy.FrequencyCap, people[1:3]...)
	w.must(w.store.MoveRun(w.ctx, open.run.ID, scheduler.RunCancelled, "a test"))

	// A run goes before the one that sent its unproven messages again, and not without it being over.
	w.rules.Caps = nil
	l := w.launch("lost", "orders", people[5:])
	flights := w.pass(l, people[5:])
	w.record(taken, flights[:24]...)
	w.record(ambiguous, flights[24])
	for _, f := range flights[:24] {
		w.hear(w.status(f, sender.Delivered, time.Now()))
	}
	if n, err := w.store.MarkUnproven(w.ctx, 0); err != nil || n != 2 { // one of the run before
		w.Fatalf("%d are unproven, %v", n, err)
	}
	again, err := w.store.CreateResend(w.ctx, w.draft("lost", "orders", func(r *scheduler.Run) { r.Resends = l.run.ID }))
	w.must(err)
	w.must(w.store.MoveRun(w.ctx, again.ID, scheduler.RunCancelled, "a test"))
	if gone := w.forget(everything); gone.Runs != 2 {
		w.Errorf("%+v went, want the two runs that are over", gone)
	}
	if unproven, err := w.store.Unproven(w.ctx, l.run.ID); err != nil || len(unproven) != 0 || len(w.lines(again.ID)) != 1 {
		w.Errorf("%d would be sent a third message, %v", len(unproven), err)
	}
	done, _, err := w.store.Finish(w.ctx, l.run.ID)
	w.must(err)
	if gone := w.forget(everything); !done || gone.Runs != 2 || gone.Deliveries != 26 {
		w.Errorf("%+v went, want both runs", gone)
	}
}

// testRetentionCutOff ends the deletion after each of its transactions, and has it go on.
func testRetentionCutOff(w *world) {
	people := w.people(5)
	l, _ := w.over("cut", people)
	before, err := w.store.Summary(w.ctx, l.run.ID)
	w.must(err)
	cut := errors.New("cut off")
	total, steps := 0, 0
	for ; steps < 50; steps++ {
		gone, err := w.store.Forget(w.ctx, everything, func(time.Duration) error { return cut })
		total += gone.Deliveries
		if !errors.Is(err, cut) && err != nil {
			w.Fatal(err)
		}
		summary, failure := w.store.Summary(w.ctx, l.run.ID)
		w.must(failure)
		if diff := cmp.Diff(before.States, summary.States); diff != "" {
			w.Fatalf("after %d transactions the report has (-want +got):\n%s", steps, diff)
		}
		if left, err := w.store.Forgettable(w.ctx, everything); err == nil && left == (report.Forgotten{}) {
			break
		}
	}
	if total != len(people) || steps < 2 {
		w.Errorf("%d deliveries went in %d goes, want %d", total, steps, len(people))
	}
}

// testRetentionReports tells of messages after their deliveries are gone: that is no proof of another database, and what comes
// later still is.
func testRetentionReports(w *world) {
	people := w.people(2)
	l := w.launch("reported", "offers", people)
	attempt := func(at time.Time, tail byte) (id sender.AttemptID) {
		var stamp [8]byte
		binary.BigEndian.PutUint64(stamp[:], uint64(at.UnixMilli()))
		copy(id[:6], stamp[2:])
		id[15] = tail
		return id
	}
	report := func(id sender.AttemptID) {
		w.Helper()
		w.hear(sender.Status{WAMID: fmt.Sprintf("wamid.%x", id), Callback: sender.Callback(w.store.Instance(), id), State: sender.Delivered, At: time.Now()})
	}
	now := time.Now()
	mine := attempt(now.Add(time.Hour), 1) // after the installation was made, so that it must be on record
	answers, _, err := w.store.Gate(w.ctx, l.send, []sender.GateRow{{PersonID: people[0].id, AttemptID: mine, Language: language, Person: l.rows[people[0].id].Person}})
	w.must(err)
	if answers[0].State != sender.Sending {
		w.Fatalf("the gate answers %+v", answers[0])
	}
	w.must(w.store.Record(w.ctx, []sender.Outcome{{RunID: l.run.ID, PersonID: people[0].id, AttemptID: mine, Result: sender.Result{Fate: sender.Taken, WAMID: fmt.Sprintf("wamid.%x", mine)}}}))
	w.must(w.store.MoveRun(w.ctx, l.run.ID, scheduler.RunCancelled, "a test"))
	if gone := w.forget(everything); gone.Deliveries != 2 {
		w.Fatalf("%+v went", gone)
	}
	report(mine)
	quarantined := func() bool {
		q, err := w.store.Quarantined(w.ctx)
		w.must(err)
		return q.Kind != ""
	}
	if quarantined() {
		w.Error("a report about what was deleted by its age is taken for proof of another database")
	}
	report(attempt(now.Add(2*time.Hour), 2))
	if !quarantined() {
		w.Error("a report about a message that nobody sent is taken for an old one")
	}
}
