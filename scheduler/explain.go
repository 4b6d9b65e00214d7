package scheduler

import (
	"slices"
	"time"

	"github.com/permesso/permesso/policy"
)

// Wants says what must be read beside a contact to judge them for this run.
func (d *Draft) Wants(now time.Time) Want {
	want, needs := wantOf([]*Draft{d}, now), d.audience.Needs()
	want.Activity = needs.Sent || needs.Delivered || needs.Replied
	return want
}

// Explain judges one person as the planner does, and says what every rule answers. Of somebody who is no contact the zero
// Subject is the right one: nothing is known of them.
func (d *Draft) Explain(subject Subject, now time.Time) (policy.Decision, []policy.Judgement) {
	d.wavesAt = d.openings(laterOf(now, d.Run.FireAt), nil)
	matches := d.addresses(&subject, d.reach().Has(subject, now))
	facts := d.facts(&subject, now)
	facts.Message.InAudience = matches
	if decision := policy.Decide(d.Run.Frozen.Rules, facts); decision.Verdict != policy.Deny && d.limited() {
		d.fill(&facts, laterOf(facts.Now, decision.Until))
	}
	return policy.Decide(d.Run.Frozen.Rules, facts), policy.Explain(d.Run.Frozen.Rules, facts)
}

// fill says of somebody who would leave at a time whether there is a place for them. Whoever is explained takes none.
func (d *Draft) fill(facts *policy.Facts, leaves time.Time) {
	if _, has := d.written(*facts); has {
		return
	}
	places := *d.places
	places.Frees = slices.Clone(places.Frees)
	at, ok := places.Take(leaves)
	facts.Message.Full, facts.Message.PlaceAt = !ok || at.After(leaves), at
}

// facts is everything that is known of one person and this run, for whoever asks policy.
func (d *Draft) facts(subject *Subject, now time.Time) policy.Facts {
	ask := d.Run.Ask()
	ask.WavesAt, ask.Stopped = d.wavesAt, d.stopped
	return policy.Facts{Now: laterOf(now, d.Run.FireAt), Ask: ask, Person: subject.Person, Message: d.message(subject)}
}
