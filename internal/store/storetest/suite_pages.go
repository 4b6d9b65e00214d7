package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

// choose does what a person chose on their page.
func (w *world) choose(p person, on bool, category string) {
	w.Helper()
	w.must(w.store.Choose(w.ctx, report.Choice{Person: p.id, On: on, Category: category, Event: policy.ConsentEvent{
		Source: "web_form", Wording: "Yes, offers of Libreria Aurora", Business: "Libreria Aurora", Language: "en", IP: "203.0.113.7", Agent: "Phone/1", Evidence: "the person's own page",
	}}, w.rules.Categories))
}

// allowedNow are the categories in which a person may be written to, in order.
func (w *world) allowedNow(p person) (open []string) {
	w.Helper()
	found, known, err := w.store.Personal(w.ctx, p.id)
	w.must(err)
	if !known {
		w.Fatal("nobody is on record")
	}
	for id, category := range w.rules.Categories {
		covered := slices.ContainsFunc(w.suppressed(p.phone), func(s policy.Suppression) bool { return s.Active() && s.Scope.Covers(category) })
		if found.Standing[id].Given() && !covered {
			open = append(open, id)
		}
	}
	slices.Sort(open)
	return open
}

func (w *world) wantAllowed(when string, p person, want ...string) {
	w.Helper()
	if got := w.allowedNow(p); !slices.Equal(got, want) {
		w.Errorf("%s: %v are allowed, want %v", when, got, want)
	}
}

func (w *world) events(p person) int {
	w.Helper()
	found, _, err := w.store.Personal(w.ctx, p.id)
	w.must(err)
	return len(found.Consents)
}

// testChoices goes through what a person can choose, one thing after the other, and looks each time at what is allowed.
func testChoices(w *world) {
	all := []string{"news", "offers", "orders"}
	p := w.people(1)[0]
	w.wantAllowed("at first", p, all...)
	l := w.launch("page", "offers", []person{p})
	token, _ := l.rows[p.id].Fields.Field(templates.PageField)
	if reader, err := w.store.PageLinks().Read(token, time.Now().Add(policy.PageLinkLife-time.Minute)); err != nil || reader != p.id {
		w.Errorf("what a message's button ends with opens the page of %s, %v", reader, err)
	}
	w.choose(p, false, "offers")
	w.wantAllowed("offers off", p, "news", "orders")
	w.want(l.run.ID, sender.Skipped, policy.Suppressed, p)
	before := w.events(p)
	w.choose(p, false, "offers")
	if after := w.events(p); after != before {
		w.Errorf("off twice has %d events, and had %d", after, before)
	}
	w.choose(p, true, "offers")
	w.wantAllowed("offers on again", p, all...)
	before = w.events(p)
	w.choose(p, true, "offers")
	if after := w.events(p); after != before {
		w.Errorf("on twice has %d events, and had %d", after, before)
	}
	w.choose(p, false, "")
	w.wantAllowed("everything off", p)
	w.choose(p, true, "orders")
	w.wantAllowed("orders on, of everything off", p, "orders")
	w.choose(p, true, "news")
	w.wantAllowed("news on too", p, "news", "orders")

	// A bare STOP leaves the consents alone, and the page lifts it for what the person names and nothing else.
	p = w.people(1)[0]
	w.act(stop(p, policy.ScopeAll, time.Now()))
	w.wantAllowed("after STOP", p)
	w.choose(p, true, "offers")
	w.wantAllowed("offers on after STOP", p, "offers")
	w.act(stop(p, policy.ScopeKind(policy.Marketing), time.Now().Add(time.Second)))
	w.wantAllowed("after the stop button", p)
	w.choose(p, true, "news")
	w.wantAllowed("news on after the stop button", p, "news")
	w.act(policy.Act{Kind: policy.ActStart, Scope: policy.ScopeAll, Identity: policy.Identity{Phone: p.phone}, At: time.Now().Add(time.Minute)})
	w.wantAllowed("after START", p, all...)

	// What others stopped only they give back.
	p = w.people(1)[0]
	_, err := w.store.Suppress(w.ctx, p.phone, policy.ScopeAll, "asked by letter", "ada")
	w.must(err)
	meta := stop(p, policy.ScopeKind(policy.Marketing), time.Now())
	meta.Origin = policy.OriginMetaStop
	w.act(meta)
	w.choose(p, true, "offers")
	w.wantAllowed("on, and stopped by an operator and by Meta", p)

	found, known, err := w.store.Personal(w.ctx, p.id)
	if err != nil || !known || found.Number != p.phone || found.Language != "it" || len(found.Stops) != 2 || !slices.Contains(found.Held, "name") {
		w.Errorf("what is on record: %v %t %+v", err, known, found)
	}
	nobody := report.Choice{Person: policy.PersonID{1, 2, 3}, On: true, Category: "offers"}
	if err := w.store.Choose(w.ctx, nobody, w.rules.Categories); !errors.Is(err, store.ErrNobody) {
		w.Errorf("a choice of nobody: %v", err)
	}
	if _, known, err := w.store.Personal(w.ctx, nobody.Person); known || err != nil {
		w.Errorf("nobody is on record: %t, %v", known, err)
	}
	if err := w.store.Choose(w.ctx, report.Choice{Person: p.id, Category: "parties"}, w.rules.Categories); !errors.Is(err, store.ErrNoCategory) {
		w.Errorf("a category that is not there: %v", err)
	}
}

// ask asks for offers on the opt-in page and returns the code.
func (w *world) ask(number phone.Number) string {
	w.Helper()
	code := policy.NewJoinCode()
	w.must(w.store.AskToJoin(w.ctx, report.JoinRequest{Number: number, Code: code, Category: "offers", Event: policy.ConsentEvent{
		Source: "landing_page", Wording: "Yes, offers of Libreria Aurora", Business: "Libreria Aurora", Language: "it", IP: "203.0.113.7", Agent: "Phone/1",
	}}))
	return code
}

func (w *world) sendCode(code string, from policy.Identity, at time.Time) {
	w.Helper()
	_, err := w.store.Store(w.ctx, []sender.Inbox{{Codes: []sender.JoinCode{{Code: code, Identity: from, MessageID: "wamid.code", At: at, Categories: w.rules.Categories}}}})
	w.must(err)
}

// testJoins sends codes from the right number and from others, in time and late.
func testJoins(w *world) {
	const number, other = phone.Number("+393479990001"), phone.Number("+393479990002")
	action := func(n phone.Number) policy.Action {
		found, _, err := w.store.Personal(w.ctx, w.find(n))
		w.must(err)
		return found.Standing["offers"].Action
	}
	code := w.ask(number)
	w.sendCode(code, policy.Identity{Phone: other}, time.Now())
	w.sendCode("K7QF-2MXD", policy.Identity{Phone: number}, time.Now())
	w.sendCode(code, policy.Identity{Phone: number}, time.Now().Add(-time.Hour)) // written before it was asked for
	if got := action(number); got != policy.Pending {
		w.Fatalf("what was asked for is %q, want pending", got)
	}
	if _, known, err := w.store.Contact(w.ctx, number); known || err != nil {
		w.Errorf("a number that somebody typed is a contact: %t, %v", known, err)
	}
	for range 2 { // Meta repeats itself
		w.sendCode(code, policy.Identity{Phone: number}, time.Now())
	}
	if got := action(number); got != policy.Confirmed {
		w.Fatalf("what was confirmed is %q", got)
	}
	p := person{number, w.find(number)}
	found, _, err := w.store.Personal(w.ctx, p.id)
	w.must(err)
	if len(found.Consents) != 2 {
		w.Errorf("there are %d events, want pending and confirmed", len(found.Consents))
	}
	last := found.Consents[len(found.Consents)-1]
	if last.Wording != "Yes, offers of Libreria Aurora" || last.Source != "landing_page" || last.Evidence != "code "+code+", sent in wamid.code" || last.Actor != "person" {
		w.Errorf("the proof of it is %+v", last)
	}
	contact, known, err := w.store.Contact(w.ctx, number)
	if err != nil || !known || contact.Language != "it" || contact.Country != "IT" {
		w.Errorf("who confirmed is a contact: %t, %v, %+v", known, err, contact)
	}
	subject, _, err := w.store.Subject(w.ctx, number, scheduler.Want{Categories: []string{"offers"}})
	w.must(err)
	if !subject.Person.Consents["offers"].Given() {
		w.Error("the gate does not know of the consent")
	}

	// It lifts their own stop of the category; one that they wrote after the code holds.
	said := time.Now()
	w.act(stop(p, policy.ScopeCategory("offers"), said))
	w.wantAllowed("stopped", p)
	w.sendCode(w.ask(number), policy.Identity{Phone: number}, said.Add(time.Second))
	w.wantAllowed("stopped a moment before", p, "offers")
	code = w.ask(number)
	w.act(stop(p, policy.ScopeAll, time.Now().Add(time.Minute)))
	w.sendCode(code, policy.Identity{Phone: number}, time.Now())
	w.wantAllowed("stopped after the code was written", p)

	// Whoever types a number too often is told so, whether the number is known or not.
	for range 2 {
		w.ask(number)
	}
	if err := w.store.AskToJoin(w.ctx, report.JoinRequest{Number: number, Code: policy.NewJoinCode(), Category: "offers"}); !errors.Is(err, store.ErrAskedTooOften) {
		w.Errorf("the sixth time: %v", err)
	}
}
