package policy

import (
	"slices"
	"strings"
	"time"
)

// approved is the only template status that Meta sends (Meta, "Template status", read 2026-09-11).
const approved = "APPROVED"

// expiredAt reports whether the offer is over at t.
func (f *Facts) expiredAt(t time.Time) bool {
	return !f.Ask.NotAfter.IsZero() && !t.Before(f.Ask.NotAfter)
}

func (q *question) suppression() answer {
	_, stopped := q.stop()
	return refuse(stopped || !q.facts.Person.SuppressionsRead, Suppressed)
}

// stop returns the place of the first standing stop that covers the message, as the category is configured
// or as what Meta made of its template. Of a category that nobody knows, every stop may be meant.
func (q *question) stop() (int, bool) {
	as := q.category
	as.Kind = Marketing
	for i := range q.facts.Person.Suppressions {
		s := &q.facts.Person.Suppressions[i]
		if !s.Active() {
			continue
		}
		if !q.listed || s.Scope.Covers(q.category) || (q.marketing && s.Scope.Covers(as)) {
			return i, true
		}
	}
	return 0, false
}

func (q *question) consent() answer {
	if !q.facts.Person.ConsentsRead || !q.listed {
		return refuse(true, NoConsent)
	}
	c := q.facts.Person.Consents[q.category.ID]
	switch c.Action {
	case Granted, Confirmed:
		expires := q.category.ConsentExpiresAfter
		return refuse(expires > 0 && !q.now.Before(c.At.Add(expires)), ConsentExpired)
	case Revoked:
		return refuse(true, ConsentRevoked)
	case Expired:
		return refuse(true, ConsentExpired)
	}
	return refuse(true, NoConsent)
}

func (q *question) country() answer {
	_, refused := q.countryKind()
	return refuse(refused, Country)
}

// countryKind returns the kind whose rule refuses the recipient's country.
func (q *question) countryKind() (Kind, bool) {
	if len(q.rules.Countries) == 0 {
		return "", false
	}
	for i, kind := range [...]Kind{q.category.Kind, Marketing} {
		if i > 0 && (!q.marketing || kind == q.category.Kind) {
			break
		}
		if c, found := q.rules.Countries[kind]; found && !c.admits(q.facts.Person.Country) {
			return kind, true
		}
	}
	return "", false
}

// admits reports whether the rule lets messages to a country pass; one that is not known never passes.
func (c CountryRule) admits(country string) bool {
	same := func(listed string) bool { return strings.EqualFold(listed, country) }
	if country == "" || slices.ContainsFunc(c.Deny, same) {
		return false
	}
	return len(c.Allow) == 0 || slices.ContainsFunc(c.Allow, same)
}

// cooldown holds marketing until Meta takes it again (Meta, "Error codes", 131049, read 2026-09-11). It waits only
// when this run still has time for the person afterwards.
func (q *question) cooldown() answer {
	until := q.facts.Person.CooldownUntil
	if !q.marketing || !until.After(q.now) {
		return refuse(false, "")
	}
	if s := q.personWindow(); s.known && until.Before(time.Unix(s.end, 0)) {
		return wait(until, MetaCooldown)
	}
	return refuse(true, MetaCooldown)
}

func (q *question) window() answer {
	if q.facts.Ask.Window == nil {
		return refuse(false, "")
	}
	s, now := q.personWindow(), q.now.Unix()
	if !s.known || now >= s.end {
		return refuse(true, OutsideWindow)
	}
	from := max(now, s.start)
	if !s.steady {
		inside, ok := q.everywhere(q.windowZones(), q.facts.Ask.Window.hours(), from)
		if !ok || inside >= s.end {
			return refuse(true, OutsideWindow)
		}
		from = inside
	}
	if from > now {
		return wait(time.Unix(from, 0), OutsideWindow)
	}
	return refuse(false, "")
}

// quietApply reports whether there are quiet hours for this message; those of a kind that cannot be read are for every kind.
func (q *question) quietApply() bool {
	quiet := q.rules.QuietHours
	return quiet != nil && (!quiet.Kind.Valid() || q.counts(quiet.Kind))
}

// quietHours makes the message wait for the end of quiet hours and of holidays, as far as the person's window goes.
func (q *question) quietHours() answer {
	if !q.quietApply() && !q.holidaysApply() {
		return refuse(false, "")
	}
	now := q.now.Unix()
	open, ok := q.open(q.recipientZones(), now)
	switch {
	case !ok:
		return refuse(true, InQuietHours)
	case open == now:
		return refuse(false, "")
	case q.facts.Ask.Window != nil:
		if s := q.personWindow(); !s.known || open >= s.end {
			return refuse(true, InQuietHours)
		}
	}
	return wait(time.Unix(open, 0), InQuietHours)
}

// caps waits for room only inside the person's window of this run: a run without a window is not kept open for days.
func (q *question) caps() answer {
	var room time.Time
	for i := range q.rules.Caps {
		c := &q.rules.Caps[i]
		if !q.held(c) {
			continue
		}
		if c.Max <= 0 || c.Per <= 0 || !q.facts.Person.SendsRead {
			return refuse(true, FrequencyCap)
		}
		if next, full := q.room(c); full && next.After(room) {
			room = next
		}
	}
	if room.IsZero() {
		return refuse(false, "")
	}
	if s := q.personWindow(); s.known && s.start <= room.Unix() && room.Unix() < s.end {
		return wait(room, FrequencyCap)
	}
	return refuse(true, FrequencyCap)
}

// held reports whether the cap holds for this message.
func (q *question) held(c *Cap) bool {
	if c.unnamed() {
		return q.marketing
	}
	return (c.Kind == "" || q.counts(c.Kind)) &&
		(c.Category == "" || c.Category == q.category.ID) &&
		(c.Campaign == "" || c.Campaign == q.facts.Ask.Campaign)
}

// room returns when the cap next has room, if it is full now: when the Max-th latest send leaves its span.
func (q *question) room(c *Cap) (next time.Time, full bool) {
	since := q.now.Add(-c.Per)
	if q.sent(c, since) < c.Max {
		return time.Time{}, false
	}
	for i := range q.facts.Person.Sends {
		s := &q.facts.Person.Sends[i]
		if !c.counts(s) || !s.At.After(since) || q.sent(c, s.At) >= c.Max {
			continue
		}
		if leaves := s.At.Add(c.Per); next.IsZero() || leaves.Before(next) {
			next = leaves
		}
	}
	return next, true
}

// sent counts the sends after a moment that the cap counts.
func (q *question) sent(c *Cap, after time.Time) int {
	n := 0
	for i := range q.facts.Person.Sends {
		if s := &q.facts.Person.Sends[i]; s.At.After(after) && c.counts(s) {
			n++
		}
	}
	return n
}

// Counts reports whether the cap counts a send of this kind, category and campaign.
func (c Cap) Counts(s Send) bool { return c.counts(&s) }

func (c *Cap) unnamed() bool { return c.Kind == "" && c.Category == "" && c.Campaign == "" }

// counts reports whether the cap counts a send. One whose kind is not on record may be of any.
func (c *Cap) counts(s *Send) bool {
	kind := c.Kind
	if c.unnamed() {
		kind = Marketing
	}
	return (kind == "" || kind == s.Kind || !s.Kind.Valid()) &&
		(c.Category == "" || c.Category == s.Category) &&
		(c.Campaign == "" || c.Campaign == s.Campaign)
}
