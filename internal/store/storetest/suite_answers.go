package storetest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// written is a message of a person's to the first number, which opens the window; change makes more of it.
func (w *world) written(p person, ago time.Duration, change ...func(*sender.Inbox, *sender.Wish)) sender.Inbox {
	when := time.Now().Add(-ago)
	id := fmt.Sprintf("wamid.in%d", w.attempts.Add(1))
	identity := policy.Identity{Phone: p.phone}
	wish := sender.Wish{Identity: identity, MessageID: id, NumberID: numberID, At: when}
	box := sender.Inbox{Replies: []sender.Reply{{Identity: identity, MessageID: id, NumberID: numberID, At: when, Opens: true}}}
	for _, c := range change {
		c(&box, &wish)
	}
	if wish.Kind != "" {
		box.Wishes = append(box.Wishes, wish)
	}
	return box
}

// stops makes a message a stop that is to be confirmed.
func stops(scope policy.Scope) func(*sender.Inbox, *sender.Wish) {
	return func(box *sender.Inbox, wish *sender.Wish) {
		box.Acts = append(box.Acts, policy.Act{Kind: policy.ActStop, Identity: wish.Identity, Scope: scope, Origin: policy.OriginKeyword, At: wish.At, MessageID: wish.MessageID})
		wish.Kind, wish.Scope = sender.Confirmation, scope
	}
}

func starts(box *sender.Inbox, wish *sender.Wish) {
	box.Acts = append(box.Acts, policy.Act{Kind: policy.ActStart, Identity: wish.Identity, Scope: policy.ScopeAll, Origin: policy.OriginKeyword, At: wish.At, MessageID: wish.MessageID})
}

func asks(kind sender.AnswerKind, scope policy.Scope) func(*sender.Inbox, *sender.Wish) {
	return func(_ *sender.Inbox, wish *sender.Wish) { wish.Kind, wish.Scope = kind, scope }
}

// shut leaves the window as it was.
func shut(box *sender.Inbox, _ *sender.Wish) { box.Replies[0].Opens = false }

func (w *world) receive(boxes ...sender.Inbox) {
	w.Helper()
	_, err := w.store.Store(w.ctx, boxes)
	w.must(err)
}

// answersFor waits until answers of these persons are due, as many as there are persons, and gives them words.
func (w *world) answersFor(people ...person) []sender.Answer {
	w.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		answers := w.due()
		if len(answers) == len(people) {
			return answers
		}
		if len(answers) > len(people) || time.Now().After(deadline) {
			w.Fatalf("%d answers are due, want %d", len(answers), len(people))
		}
	}
}

// due are the answers that are due now, with words.
func (w *world) due() []sender.Answer {
	w.Helper()
	answers, err := w.store.DueAnswers(w.ctx, numberID)
	w.must(err)
	for i := range answers {
		answers[i].Text = "Fatto."
		if answers[i].Kind == sender.Question {
			answers[i].Text, answers[i].Category, answers[i].Business = "Vuoi le offerte?", w.rules.Categories["offers"], "Libreria Aurora"
		}
	}
	return answers
}

func (w *world) admits(a sender.Answer) bool {
	w.Helper()
	before := time.Now()
	admitted, readAt, err := w.store.AdmitAnswer(w.ctx, a)
	w.must(err)
	if readAt.Before(before) || readAt.After(time.Now()) {
		w.Error("readAt is not the moment of the judgement")
	}
	return admitted
}

// nothingMore checks that nothing comes due any more, now or by what waits.
func (w *world) nothingMore(when string) {
	w.Helper()
	time.Sleep(10 * time.Millisecond)
	if answers := w.due(); len(answers) > 0 {
		w.Errorf("%s: %d answers are due", when, len(answers))
	}
}

// testConfirmations: a stop is confirmed once, after it is in force, however often it is written and repeated; and again only after the
// person came back.
func testConfirmations(w *world) {
	people := w.people(4)
	p, cut, other, gone := people[0], people[1], people[2], people[3]
	first := w.written(p, 0, stops(policy.ScopeAll))
	w.receive(first)
	w.nothingMore("before the 200 of the stop can have been given")
	a := w.answersFor(p)[0]
	if a.Kind != sender.Confirmation || a.PersonID != p.id || a.To.Phone != p.phone || a.Reads != "it" || a.Scope != policy.ScopeAll {
		w.Errorf("the answer is %+v", a)
	}
	if !w.admits(a) || w.admits(a) {
		w.Error("it is not admitted once")
	}
	w.must(w.store.AnswerEnded(w.ctx, a.ID, sender.Result{Fate: sender.Taken, WAMID: "wamid.answer"}))
	w.receive(first, w.written(p, 0, stops(policy.ScopeAll)))
	w.receive(w.written(p, 0, stops(policy.ScopeAll)), w.written(p, 0, stops(policy.ScopeCategory("offers"))), first)

	// One whose answer is lost is never sent again; one that did not leave is.
	w.receive(w.written(cut, 0, stops(policy.ScopeKind(policy.Marketing))), w.written(other, 0, stops(policy.ScopeAll)), w.written(other, 0, stops(policy.ScopeAll)))
	for _, a := range w.answersFor(cut, other) {
		if a.PersonID == p.id || !w.admits(a) {
			w.Errorf("%s is due, or not admitted", a.PersonID)
		}
		result := ambiguous
		if a.PersonID == other.id {
			result = notSent
		}
		w.must(w.store.AnswerEnded(w.ctx, a.ID, result))
	}
	w.receive(w.written(cut, 0, stops(policy.ScopeKind(policy.Marketing))))
	again := w.answersFor(other)[0]
	if again.PersonID != other.id || !w.admits(again) {
		w.Error("what did not leave does not leave later")
	}
	w.must(w.store.AnswerEnded(w.ctx, again.ID, refused))

	// Who came back may stop once more, and who came back meanwhile is told nothing.
	w.receive(w.written(p, -time.Second, starts))
	w.receive(w.written(p, -2*time.Second, stops(policy.ScopeAll)), w.written(gone, 0, stops(policy.ScopeAll)))
	w.receive(w.written(gone, -time.Second, starts))
	for _, a := range w.answersFor(p, gone) {
		if admitted := w.admits(a); admitted != (a.PersonID == p.id) {
			w.Errorf("admitted: %t, for %s", admitted, a.PersonID)
		}
	}
	w.nothingMore("in the end")
}

// testAnswersRefused: nothing leaves outside the window, too late, to somebody who is suppressed but for a confirmation, or while
// sending is held back.
func testAnswersRefused(w *world) {
	people := w.people(8)
	old, closed, stopped, partly, reviewed, unworded, fine, elsewhere := people[0], people[1], people[2], people[3], people[4], people[5], people[6], people[7]
	w.receive(w.written(old, 6*time.Minute, stops(policy.ScopeAll)), w.written(old, 6*time.Minute, asks(sender.Help, "")), w.written(old, 25*time.Hour, asks(sender.Question, policy.ScopeCategory("offers"))))
	w.nothingMore("what was asked too long ago")

	w.act(stop(stopped, policy.ScopeAll, time.Now()), stop(partly, policy.ScopeCategory("offers"), time.Now()),
		policy.Act{Kind: policy.ActReview, Identity: policy.Identity{Phone: reviewed.phone}, Scope: policy.ScopeAll, At: time.Now(), Text: "stoooop"})
	w.receive(
		w.written(closed, 0, asks(sender.Help, ""), shut), w.written(elsewhere, 0, asks(sender.Help, ""), func(box *sender.Inbox, _ *sender.Wish) { box.Replies[0].NumberID = otherNumber }),
		w.written(stopped, 0, asks(sender.Help, "")), w.written(partly, 0, asks(sender.Help, "")), w.written(partly, 0, asks(sender.Question, policy.ScopeCategory("offers"))),
		w.written(reviewed, 0, asks(sender.Question, policy.ScopeCategory("offers"))), w.written(unworded, 0, asks(sender.Help, "")), w.written(fine, 0, asks(sender.Question, policy.ScopeCategory("offers"))),
		w.written(fine, 0, asks(sender.Question, policy.ScopeCategory("offers"))),
	)
	admitted := map[string]bool{}
	for _, a := range w.answersFor(people...) { // eight: partly has two, old has none
		if a.PersonID == unworded.id {
			a.Text = ""
		}
		admitted[fmt.Sprint(a.Kind, " ", a.PersonID)] = w.admits(a)
	}
	want := map[string]bool{
		fmt.Sprint("help ", closed.id): false, fmt.Sprint("help ", elsewhere.id): false, fmt.Sprint("help ", stopped.id): false, fmt.Sprint("help ", partly.id): true,
		fmt.Sprint("question ", partly.id): false, fmt.Sprint("question ", reviewed.id): false, fmt.Sprint("help ", unworded.id): false, fmt.Sprint("question ", fine.id): true,
	}
	if fmt.Sprint(admitted) != fmt.Sprint(want) {
		w.Errorf("admitted are %v, want %v", admitted, want)
	}

	held := w.people(2)
	w.receive(w.written(held[0], 0, asks(sender.Help, "")))
	a := w.answersFor(held[0])[0]
	_, err := w.store.Halt(w.ctx, "a test")
	w.must(err)
	if w.admits(a) {
		w.Error("it is admitted while everything is halted")
	}
	_, err = w.store.Unhalt(w.ctx)
	w.must(err)
	w.must(w.store.OpenBreaker(w.ctx, sender.Breaker{Kind: sender.BreakNumber, Subject: numberID, Why: "a test", Healing: sender.HealsByHand}))
	if a = w.answersFor(held[0])[0]; w.admits(a) {
		w.Error("it is admitted while its number's breaker is open")
	}
	w.must(w.store.CloseBreaker(w.ctx, sender.Breaker{Kind: sender.BreakNumber, Subject: numberID}, "a test"))
	if a = w.answersFor(held[0])[0]; !w.admits(a) {
		w.Error("it is not admitted once nothing holds it back")
	}
	w.must(w.store.DropAnswer(w.ctx, a.ID, sender.DropUnworded)) // too late: it is on its way
	w.nothingMore("in the end")
}

// testAnswerRaces has several processes judge the same answers while people come back: each answer is admitted by one of them at most,
// and nobody who came back first is told that they stopped.
func testAnswerRaces(w *world) {
	people := w.people(12)
	boxes := make([]sender.Inbox, len(people))
	for i, p := range people {
		boxes[i] = w.written(p, 0, stops(policy.ScopeAll))
	}
	w.receive(boxes...)
	answers := w.answersFor(people...)
	back := map[policy.PersonID]*atomic.Bool{}
	for _, p := range people {
		back[p.id] = &atomic.Bool{}
	}
	var admitted [12]atomic.Int32
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for i, a := range answers {
				came := back[a.PersonID].Load()
				ok, _, err := w.store.AdmitAnswer(w.ctx, a)
				if err != nil {
					w.Error(err)
				}
				if ok && came {
					w.Error("somebody who came back is told that they stopped")
				}
				if ok {
					admitted[i].Add(1)
				}
			}
		})
	}
	all.Go(func() {
		for _, p := range people[6:] {
			if _, err := w.store.Store(w.ctx, []sender.Inbox{w.written(p, -time.Second, starts)}); err != nil {
				w.Error(err)
			}
			back[p.id].Store(true)
		}
	})
	all.Wait()
	total := 0
	for i := range admitted {
		n := int(admitted[i].Load())
		if total += n; n > 1 {
			w.Errorf("an answer is admitted %d times", n)
		}
	}
	if total < 6 {
		w.Errorf("%d of those who stayed away are told, want 6", total)
	}
}

// asked has a person asked whether they want offers, and returns the question as it left.
func (w *world) asked(p person, result sender.Result) sender.Answer {
	w.Helper()
	w.receive(w.written(p, 0, asks(sender.Question, policy.ScopeCategory("offers"))))
	a := w.answersFor(p)[0]
	if !w.admits(a) {
		w.Fatal("the question is not admitted")
	}
	w.must(w.store.AnswerEnded(w.ctx, a.ID, result))
	return a
}

// stranger is somebody who is on no record but by what they wrote.
func (w *world) stranger() person {
	w.met++
	return person{phone: phone.Number(fmt.Sprintf("+39347%07d", w.met))}
}

// testNods: only the explicit yes of who was asked is a consent, to the words that they were asked; a no wins in any order.
func testNods(w *world) {
	nod := func(p person, a sender.Answer, yes bool, after time.Duration) sender.Inbox {
		return sender.Inbox{Nods: []sender.Nod{{Yes: yes, Question: a.ID.String(), Identity: policy.Identity{Phone: p.phone}, MessageID: fmt.Sprint("wamid.nod", w.attempts.Add(1)), At: time.Now().Add(after)}}}
	}
	given := func(p person) (said []string) {
		ledger, err := w.store.Consents(w.ctx, p.phone)
		w.must(err)
		for _, c := range ledger {
			if c.Action == policy.Pending {
				continue
			}
			said = append(said, string(c.Action))
			if c.Category != "offers" || c.Source != "whatsapp" || c.Wording != "Vuoi le offerte?" || c.Evidence == "" {
				w.Errorf("the consent is %+v", c)
			}
		}
		return said
	}
	wantSaid := func(what string, p person, want ...string) {
		w.Helper()
		if got := given(p); fmt.Sprint(got) != fmt.Sprint(want) {
			w.Errorf("%s: the ledger says %v, want %v", what, got, want)
		}
	}
	const yes = "confirmed"
	ada, ben, cleo, dora, eva := w.stranger(), w.stranger(), w.stranger(), w.stranger(), w.stranger()

	a := w.asked(ada, sender.Result{Fate: sender.Taken, WAMID: "wamid.question"})
	wantSaid("asking is no consent", ada)
	w.receive(w.written(ada, 0))
	wantSaid("writing is no consent", ada)
	w.receive(nod(ben, a, true, 0), nod(ada, a, true, -time.Hour), nod(ada, a, true, 25*time.Hour))
	w.receive(nod(ada, sender.Answer{ID: sender.NewAnswerID(time.Now())}, true, 0))
	// A clock ahead of ours is believed as far as ours is: the last of these is a yes now.
	wantSaid("a yes", ada, yes)
	w.receive(nod(ada, a, true, 0), nod(ada, a, true, 0))
	wantSaid("a yes said again", ada, yes)
	w.receive(nod(ada, a, false, time.Second))
	wantSaid("a no after a yes", ada, yes, "revoked")
	w.receive(nod(ada, a, true, 2*time.Second))
	wantSaid("a yes after the no", ada, yes, "revoked")

	quoted := sender.Nod{Yes: true, ContextWAMID: "wamid.cleo", Identity: policy.Identity{Phone: cleo.phone}, MessageID: "wamid.yes", At: time.Now()}
	w.asked(cleo, sender.Result{Fate: sender.Taken, WAMID: "wamid.cleo"})
	w.receive(sender.Inbox{Nods: []sender.Nod{quoted}})
	wantSaid("a yes that quotes the question", cleo, yes)

	a = w.asked(dora, ambiguous)
	w.receive(nod(dora, a, false, 0))
	w.receive(nod(dora, a, true, time.Second))
	wantSaid("a no first", dora)

	// A yes takes the person's own stop of that category back, and nothing broader.
	a = w.asked(eva, taken)
	w.act(stop(eva, policy.ScopeCategory("offers"), time.Now().Add(-time.Second)), stop(eva, policy.ScopeKind(policy.Marketing), time.Now().Add(-time.Second)))
	w.receive(nod(eva, a, true, 0))
	wantSaid("a yes after a stop", eva, yes)
	for _, s := range w.suppressed(eva.phone) {
		if s.Active() != (s.Scope == policy.ScopeKind(policy.Marketing)) {
			w.Errorf("the stop %s holds: %t", s.Scope, s.Active())
		}
	}
}

// testAnswerStatuses: Meta's word on an answer is of no delivery and no orphan. It tells the id of a question whose answer was lost.
func testAnswerStatuses(w *world) {
	p := w.stranger()
	a := w.asked(p, ambiguous)
	status := sender.Status{WAMID: "wamid.lost", Callback: sender.AnswerCallback(w.store.Instance(), a.ID), State: sender.Delivered, At: time.Now()}
	failed := status
	failed.State, failed.Err = sender.Failed, &sender.Error{Code: 131047, Title: "Service window closed", Reaction: sender.FailMessage}
	w.hear(status, failed)
	w.hear(failed)
	if known, err := w.store.Installation(w.ctx, "none"); err != nil || known.Orphans > 0 {
		w.Errorf("%d orphans, %v", known.Orphans, err)
	}
	w.receive(sender.Inbox{Nods: []sender.Nod{{Yes: true, ContextWAMID: "wamid.lost", Identity: policy.Identity{Phone: p.phone}, MessageID: "wamid.yes", At: time.Now()}}})
	ledger, err := w.store.Consents(w.ctx, p.phone)
	w.must(err)
	if n := len(ledger); n == 0 || ledger[n-1].Action != policy.Confirmed {
		w.Errorf("the yes to a question that was delivered is not on record: %+v", ledger)
	}
	w.must(w.store.TidyAnswers(w.ctx))
}

// testReplies: what people write waits for the business, once each and in each person's order; one that is not taken holds up nobody
// else; a text is gone once it is delivered or given up.
func testReplies(w *world) {
	people := w.people(2)
	p, q := people[0], people[1]
	l := w.launch("offers", "offers", []person{p})
	f := w.pass(l, []person{p})[0]
	w.record(taken, f)
	said := func(p person, text, answers string, ago time.Duration) sender.Inbox {
		box := w.written(p, ago)
		box.Replies[0].ContextWAMID = answers
		box.Replies[0].Forward = &sender.Forward{Type: "text", Text: text, From: string(p.phone[1:]), Raw: []byte(`{"type":"text","text":{"body":"` + text + `"}}`)}
		return box
	}
	box := w.store.Replies()
	next := func() report.Notice {
		w.Helper()
		out, err := box.Outbox(w.ctx)
		w.must(err)
		return out.First
	}
	end := func(n report.Notice, a report.Attempt) {
		w.Helper()
		if kept, err := box.NoticeTried(w.ctx, n, a); err != nil || !kept {
			w.Errorf("kept: %t, %v", kept, err)
		}
		if kept, err := box.NoticeTried(w.ctx, n, a); err != nil || kept {
			w.Errorf("the same attempt is kept twice: %t, %v", kept, err)
		}
	}
	if n := next(); n.ID != "" {
		w.Fatalf("%+v waits", n)
	}
	first, second := said(p, "one", f.wamid(), 2*time.Second), said(p, "two", "", time.Second)
	w.receive(second, first, first, said(q, "three", "", 0))
	w.receive(first)
	n := next()
	if text := string(n.Payload); !containsAll(text, `"text":"one"`, `"campaign":"offers"`, `"run":"`+l.run.ID+`"`, `"quoted":true`, `"message":{"type":"text"`, `"number":"`+numberID+`"`) {
		w.Errorf("the first is %s", text)
	}
	end(n, report.Attempt{State: report.NoticePending, Wait: time.Hour, Error: "the receiver answered 500"})
	m := next()
	if !containsAll(string(m.Payload), `"text":"three"`) || containsAll(string(m.Payload), `"answers"`) {
		w.Errorf("while the first waits, %s is next", m.Payload)
	}
	end(m, report.Attempt{State: report.NoticeDelivered})
	if n = next(); n.Attempts != 1 || !n.NextAt.After(time.Now().Add(time.Minute)) {
		w.Errorf("next is %+v", n)
	}
	end(n, report.Attempt{State: report.NoticeFailed, Error: "given up"})
	if n = next(); !containsAll(string(n.Payload), `"text":"two"`, `"quoted":false`) {
		w.Errorf("then comes %s", n.Payload)
	}
	w.receive(first) // Meta repeats it: it was given up, and is not begun again
	if lost, err := w.store.ForgetReplies(w.ctx, time.Hour); err != nil || lost > 0 {
		w.Errorf("%d are given up, %v", lost, err)
	}
	if lost, err := w.store.ForgetReplies(w.ctx, -time.Hour); err != nil || lost != 1 {
		w.Errorf("%d are given up, want 1; %v", lost, err)
	}
	if n := next(); n.ID != "" {
		w.Errorf("%+v still waits", n)
	}
}

func containsAll(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
