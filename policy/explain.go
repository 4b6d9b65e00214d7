package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Judgement is one rule's answer as of Now, with the fact that decided in a sentence of plain English.
// It never contains a phone number or the text of a message.
type Judgement struct {
	Rule string // also when the rule allows
	Decision
	Because string
}

// Explain asks every rule in order as of facts.Now, also those after the first refusal. The first that does not allow
// is the one that Decide names, unless it defers to a moment at which another rule refuses.
func Explain(rules Rules, facts Facts) []Judgement {
	q := ask(&rules, &facts, new(clock))
	judgements := make([]Judgement, 0, ruleCount)
	for r := range ruleCount {
		d := q.judge(r).tell(r)
		judgements = append(judgements, Judgement{Rule: r.String(), Decision: d, Because: q.because(r, d)})
	}
	return judgements
}

func (q *question) because(r rule, d Decision) string {
	switch r {
	case ruleContact, ruleAudience, ruleErased, ruleNumber:
		return q.becausePerson(r, d)
	case ruleSuppression:
		return q.becauseSuppression(d)
	case ruleTemplate, ruleApproved, ruleParameters:
		return q.becauseTemplate(r, d)
	case ruleMessagingLimit:
		return q.becauseMessagingLimit(d)
	}
	if q.facts.Ask.Test {
		return "Does not hold in a test run, which goes to the business's own test phones only."
	}
	switch r {
	case ruleReview, ruleReachable, ruleCooldown:
		return q.becauseMarketing(r, d)
	case ruleConsent:
		return q.becauseConsent(d)
	case ruleCountry:
		return q.becauseCountry(d)
	case ruleHoldout:
		return q.becauseHoldout()
	case ruleNotAfter:
		return q.becauseNotAfter(d)
	case ruleWindow:
		return q.becauseWindow(d)
	case ruleQuietHours:
		return q.becauseQuietHours(d)
	case ruleCaps:
		return q.becauseCaps(d)
	case ruleBudget:
		return q.becauseBudget(d)
	case ruleQualityGuard:
		return q.becauseQualityGuard(d)
	}
	return q.becauseMaxRecipients(d)
}

func (q *question) becausePerson(r rule, d Decision) string {
	yes, no := "", ""
	switch r {
	case ruleContact:
		yes, no = "A contact is on record.", "No contact is on record for this person."
	case ruleAudience:
		yes, no = "The campaign's audience includes this person.", "The campaign's audience filter does not match this person."
	case ruleErased:
		yes, no = "The contact has not been erased.", "The contact was erased; nothing is sent to people who asked to be forgotten."
	case ruleNumber:
		yes, no = "There is a phone number or a user id to send to.", "There is neither a valid phone number nor a user id to send to."
	}
	if d.Verdict == Allow {
		return yes
	}
	return no
}

func (q *question) becauseSuppression(d Decision) string {
	if d.Verdict == Allow {
		return "No stop that covers this message is in force."
	}
	i, stopped := q.stop()
	if !stopped {
		return "The suppression list was not read, and without it nothing is sent."
	}
	s := &q.facts.Person.Suppressions[i]
	sentence := fmt.Sprintf("A stop of scope %s (%s) is in force since %s", s.Scope, s.Origin, q.local(s.At))
	switch {
	case !q.listed:
		return sentence + fmt.Sprintf("; category %q is not configured, so that every stop counts.", q.category.ID)
	case !s.Scope.Covers(q.category):
		return sentence + "; Meta classes the template as marketing."
	}
	return sentence + "."
}

func (q *question) becauseTemplate(r rule, d Decision) string {
	m := &q.facts.Message
	switch {
	case r == ruleTemplate && d.Verdict == Allow:
		return "The template exists in a language of this person."
	case r == ruleTemplate:
		return "The template does not exist in any language of the campaign."
	case r == ruleApproved && d.Verdict == Allow:
		return "Meta's status of the template is APPROVED."
	case r == ruleApproved && m.TemplateStatus == "":
		return "Meta's status of the template is not known; only APPROVED ones are sent."
	case r == ruleApproved:
		return fmt.Sprintf("Meta's status of the template is %s; only APPROVED ones are sent.", m.TemplateStatus)
	case d.Verdict == Allow:
		return "Every parameter of the template has a value."
	}
	return fmt.Sprintf("The contact has no value for %s, and the campaign gives no default.", m.MissingParameter)
}

func (q *question) becauseMarketing(r rule, d Decision) string {
	until := q.facts.Person.CooldownUntil
	switch {
	case !q.marketing:
		return "Holds marketing only, and this message is not."
	case r == ruleReview && d.Verdict == Allow:
		return "No inbound text waits for somebody to read it as a possible opt-out."
	case r == ruleReview:
		return "An inbound text looked like an opt-out and waits for somebody to read it; marketing is held until then."
	case r == ruleReachable && d.Verdict == Allow:
		return "Earlier campaigns did not find this person unreachable."
	case r == ruleReachable:
		return "Messages of several earlier campaigns could not be delivered; marketing is held."
	case d.Verdict == Allow && until.IsZero():
		return "Meta has not asked to wait with marketing to this person."
	case d.Verdict == Allow:
		return fmt.Sprintf("Meta asked to wait until %s, which has passed.", q.local(until))
	case d.Verdict == Defer:
		return fmt.Sprintf("Meta declined marketing to this person (131049); it waits until %s.", q.local(until))
	}
	return fmt.Sprintf("Meta declined marketing to this person (131049): not before %s, when this run has no time left for them.", q.local(until))
}

func (q *question) becauseConsent(d Decision) string {
	c := q.facts.Person.Consents[q.category.ID]
	how := ""
	if slices.Contains(sources, c.Source) {
		how = " (" + c.Source + ")"
	}
	switch {
	case !q.facts.Person.ConsentsRead:
		return "The consent ledger was not read, and without it nothing is sent."
	case !q.listed:
		return fmt.Sprintf("Category %q is not configured, so that nobody can have consented to it.", q.category.ID)
	case d.Verdict == Allow && q.category.ConsentExpiresAfter > 0:
		return fmt.Sprintf("Consent to %s was %s on %s%s and holds until %s.", q.category.ID, c.Action, q.local(c.At), how,
			q.local(c.At.Add(q.category.ConsentExpiresAfter)))
	case d.Verdict == Allow:
		return fmt.Sprintf("Consent to %s was %s on %s%s.", q.category.ID, c.Action, q.local(c.At), how)
	case d.Reason == ConsentRevoked:
		return fmt.Sprintf("Consent to %s was revoked on %s%s.", q.category.ID, q.local(c.At), how)
	case c.Action == Expired:
		return fmt.Sprintf("Consent to %s expired on %s%s.", q.category.ID, q.local(c.At), how)
	case d.Reason == ConsentExpired:
		return fmt.Sprintf("Consent to %s was %s on %s%s and expired on %s.", q.category.ID, c.Action, q.local(c.At), how,
			q.local(c.At.Add(q.category.ConsentExpiresAfter)))
	case c.Action == Pending:
		return fmt.Sprintf("Consent to %s was asked for on %s%s and waits for the person's confirmation.", q.category.ID, q.local(c.At), how)
	}
	return fmt.Sprintf("No consent to %s is on record.", q.category.ID)
}

func (q *question) becauseCountry(d Decision) string {
	country := q.facts.Person.Country
	kind, _ := q.countryKind()
	switch {
	case d.Verdict == Allow && country == "":
		return "No rule on countries holds for this message."
	case d.Verdict == Allow:
		return fmt.Sprintf("No rule on countries excludes %s.", country)
	case country == "":
		return fmt.Sprintf("The recipient's country is not known, and there is a rule on countries for %s.", kind)
	}
	return fmt.Sprintf("The rule on countries for %s excludes %s.", kind, country)
}

func (q *question) becauseNotAfter(d Decision) string {
	end := q.facts.Ask.NotAfter
	switch {
	case q.now.IsZero():
		return "The time is not known."
	case end.IsZero():
		return "The offer has no end."
	case d.Verdict == Allow:
		return fmt.Sprintf("The offer lasts until %s.", q.local(end))
	}
	return fmt.Sprintf("The offer ended at %s.", q.local(end))
}

func (q *question) becauseWindow(d Decision) string {
	window := q.facts.Ask.Window
	if window == nil {
		return "The campaign has no window."
	}
	z, s := q.windowZones(), q.personWindow()
	if !s.known {
		return "The window cannot be placed: " + q.unplaced(z, *window)
	}
	span := fmt.Sprintf("The window %s %s of this run is from %s to %s", window.hours(), q.where(z),
		q.local(time.Unix(s.start, 0)), q.local(time.Unix(s.end, 0)))
	switch d.Verdict {
	case Allow:
		return span + ", and is open."
	case Defer:
		return span + fmt.Sprintf("; the message waits until %s.", q.local(d.Until))
	}
	return span + ", and is over."
}

// unplaced says why no window was found.
func (q *question) unplaced(z zones, w Window) string {
	for i := range z.len() {
		if _, ok := q.rules.Locations.Load(z.name(i)); !ok {
			return "a time zone cannot be read."
		}
	}
	switch {
	case q.facts.Ask.FireAt.IsZero():
		return "the start of the run is not known."
	case w.hours().empty():
		return fmt.Sprintf("%s is no span of a day.", w.hours())
	}
	return fmt.Sprintf("no moment of a day is within %s in all %d time zones of the number's prefix.", w.hours(), z.len())
}

func (q *question) becauseCaps(d Decision) string {
	held := 0
	for i := range q.rules.Caps {
		c := &q.rules.Caps[i]
		if !q.held(c) {
			continue
		}
		held++
		switch {
		case d.Verdict == Allow:
		case c.Max <= 0:
			return fmt.Sprintf("The cap %s lets nothing pass.", c)
		case c.Per <= 0:
			return fmt.Sprintf("The cap %s names no span of time.", c)
		case !q.facts.Person.SendsRead:
			return "Earlier messages to this person were not read, and without them no cap can be kept."
		}
	}
	if held == 0 {
		return "No cap holds for this message."
	}
	if d.Verdict == Allow {
		return fmt.Sprintf("There is room in each cap that holds for this message (%d).", held)
	}
	c, room := q.fullest()
	sentence := fmt.Sprintf("The cap %s is full: %d sent in its span; there is room at %s", c, q.sent(c, q.now.Add(-c.Per)), q.local(room))
	if d.Verdict == Defer {
		return sentence + "."
	}
	if q.facts.Ask.Window == nil {
		return sentence + ", and a campaign without a window does not wait."
	}
	return sentence + ", which is after this person's window of this run."
}

// fullest returns the cap that has room last.
func (q *question) fullest() (fullest *Cap, room time.Time) {
	for i := range q.rules.Caps {
		c := &q.rules.Caps[i]
		if !q.held(c) {
			continue
		}
		if next, full := q.room(c); full && (fullest == nil || next.After(room)) {
			fullest, room = c, next
		}
	}
	return fullest, room
}

func (q *question) becauseMaxRecipients(d Decision) string {
	limit, ahead := q.facts.Ask.MaxRecipients, q.facts.Message.Ahead
	switch {
	case limit == nil:
		return "The run has no limit on recipients."
	case d.Verdict == Allow:
		return fmt.Sprintf("%d of at most %d recipients of this run come before.", ahead, *limit)
	}
	return fmt.Sprintf("The run is limited to %d recipients, and %d come before.", *limit, ahead)
}

// local writes a moment in the first zone of the recipient that can be read, else in UTC.
func (q *question) local(t time.Time) string {
	zone, ok := q.rules.Locations.Load(q.recipientZones().name(0))
	if !ok {
		zone = time.UTC
	}
	return t.In(zone).Format("2006-01-02 15:04:05 -07:00")
}

// where names the zones that were read. A name that is no zone is not repeated: it came from an imported file.
func (q *question) where(z zones) string {
	names := make([]string, 0, z.len())
	for i := range z.len() {
		if _, ok := q.rules.Locations.Load(z.name(i)); ok {
			names = append(names, z.name(i))
		}
	}
	switch len(names) {
	case 0:
		return "in a time zone that cannot be read"
	case 1, 2, 3:
		return "in " + strings.Join(names, " and ")
	}
	return fmt.Sprintf("in %s and %d more", names[0], len(names)-1)
}

// String writes the hours as the configuration does.
func (h hours) String() string {
	return fmt.Sprintf("%02d:%02d–%02d:%02d", h.from/60, h.from%60, h.to/60, h.to%60)
}

// String writes the cap for people: "of 1 per 24h, kind marketing".
func (c Cap) String() string {
	text := fmt.Sprintf("of %d per %s", c.Max, spanOf(c.Per))
	for _, narrowed := range [...]struct{ name, value string }{{"kind", string(c.Kind)}, {"category", c.Category}, {"campaign", c.Campaign}} {
		if narrowed.value != "" {
			text += fmt.Sprintf(", %s %s", narrowed.name, narrowed.value)
		}
	}
	return text
}

// spanOf writes a duration as people write it in the configuration: 7d, 36h, 1h30m.
func spanOf(d time.Duration) string {
	if d > 24*time.Hour && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
