package storetest

import (
	"time"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// testLedgerGate has the gate go by what the ledger says, and the message name the event that it relied on.
func testLedgerGate(w *world) {
	now := time.Now()
	act := func(action policy.Action, ago time.Duration) policy.ConsentEvent {
		return policy.ConsentEvent{Category: "offers", Action: action, At: now.Add(-ago), Source: "web_form", Wording: "Sì, scrivetemi", Actor: "form"}
	}
	var people []person
	cases := []struct {
		acts    []policy.ConsentEvent // after a consent of a day ago
		state   sender.State
		reason  policy.Reason
		reliesN int // which of a person's events the message relies on, from 0
	}{
		{nil, sender.Sending, "", 0},
		{[]policy.ConsentEvent{act(policy.Pending, time.Hour)}, sender.Sending, "", 0},
		{[]policy.ConsentEvent{act(policy.Confirmed, time.Hour)}, sender.Sending, "", 1},
		{[]policy.ConsentEvent{act(policy.Revoked, time.Hour)}, sender.Skipped, policy.ConsentRevoked, -1},
		{[]policy.ConsentEvent{act(policy.Revoked, 2*time.Hour), act(policy.Pending, time.Hour)}, sender.Skipped, policy.ConsentRevoked, -1},
		{[]policy.ConsentEvent{act(policy.Revoked, 2*time.Hour), act(policy.Pending, time.Hour), act(policy.Confirmed, time.Minute)}, sender.Sending, "", 3},
		{[]policy.ConsentEvent{act(policy.Confirmed, time.Hour), act(policy.Revoked, time.Hour)}, sender.Skipped, policy.ConsentRevoked, -1},
		{[]policy.ConsentEvent{act(policy.Expired, time.Hour)}, sender.Skipped, policy.ConsentExpired, -1},
	}
	for range cases {
		people = append(people, w.people(1)...)
	}
	for i, tt := range cases {
		for _, e := range tt.acts {
			added, err := w.store.RecordConsents(w.ctx, []policy.PersonConsent{{Person: people[i].id, Event: e}, {Person: people[i].id, Event: e}})
			w.must(err)
			if added != 1 {
				w.Errorf("%d: the same event twice was %d events", i, added)
			}
		}
	}
	l := w.launch("weekend", "offers", people)
	w.gate(l, people)
	for i, tt := range cases {
		w.want(l.run.ID, tt.state, tt.reason, people[i])
		relied, err := w.store.Relied(w.ctx, people[i].phone)
		w.must(err)
		if want := offers(w, people[i]).of(tt.reliesN); relied[l.run.ID] != want {
			w.Errorf("%d: it relied on %s, want %s", i, relied[l.run.ID], want)
		}
	}
}

// eventsOf are a person's events of one category, as they came.
type eventsOf []report.Consent

func offers(w *world, p person) (events eventsOf) {
	all, err := w.store.Consents(w.ctx, p.phone)
	w.must(err)
	for _, e := range all {
		if e.Category == "offers" {
			events = append(events, e)
		}
	}
	return events
}

func (e eventsOf) of(n int) policy.EventID {
	if n < 0 {
		return 0
	}
	return e[n].Event
}
