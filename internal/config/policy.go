package config

import (
	"fmt"

	"github.com/permesso/permesso/policy"
)

func (l *loader) readPolicy(root object) {
	v, found := root.get("policy")
	if !found {
		return
	}
	o, ok := v.object(policyKeys)
	if !ok {
		return
	}
	if v, found := o.get("caps"); found {
		l.readCaps(v)
	}
	if v, found := o.get("quiet_hours"); found {
		if o, ok := v.object(quietKeys); ok {
			l.readQuietHours(o)
		}
	}
	if v, found := o.get("recipient_timezone"); found {
		word, _ := v.oneOf(zonesWords...)
		l.cfg.Rules.LooseZones = word == "loose"
	}
	if v, found := o.get("countries"); found {
		l.readCountries(v)
	}
	if v, found := o.get("holidays"); found {
		l.readHolidays(v)
	}
	if v, found := o.get("universal_holdout"); found {
		l.cfg.Rules.UniversalHoldout = v.holdout("marketing")
	}
}

// scopedCap is a cap with its place, for comparing it with the others.
type scopedCap struct {
	policy.Cap
	place value
}

func (l *loader) readCaps(v value) {
	values, ok := v.list("a list of caps, each with max and per")
	if !ok {
		return
	}
	var caps []scopedCap
	for _, v := range values {
		o, ok := v.object(capKeys)
		if !ok {
			continue
		}
		if c, ok := l.readCap(o); ok {
			caps = append(caps, scopedCap{c, v})
			l.cfg.Rules.Caps = append(l.cfg.Rules.Caps, c)
		}
	}
	compareCaps(caps)
}

func (l *loader) readCap(o object) (policy.Cap, bool) {
	var c policy.Cap
	ok := true
	if v, found := o.require("max", "write how many messages a person may get; 0 is never"); found {
		const want = "a whole number, 0 (never) or more"
		c.Max, ok = v.whole(want)
		if ok && c.Max < 0 {
			v.fail("max must be %s, not %d", want, c.Max)
			ok = false
		}
	}
	if v, found := o.require("per", "write a span such as 24h or 7d"); found {
		per, valid := v.duration()
		c.Per, ok = per, ok && valid
	}
	if v, found := o.get("kind"); found {
		kind, valid := v.messageKind()
		c.Kind, ok = kind, ok && valid
	}
	if v, found := o.get("category"); found {
		id, valid := v.knownCategory()
		c.Category, ok = id, ok && valid
		if kind := l.cfg.Rules.Categories[id].Kind; valid && kind != "" && c.Kind != "" && kind != c.Kind {
			v.fail("this cap holds nothing: the category %s is of kind %s, not %s", id, kind, c.Kind)
			ok = false
		}
	}
	if v, found := o.get("campaign"); found {
		id, valid := v.text("one of the campaigns")
		c.Campaign, ok = id, ok && valid
		if valid {
			l.campaignCaps = append(l.campaignCaps, v)
		}
	}
	return c, ok && o.has("max") && o.has("per")
}

// compareCaps refuses two caps over the same thing and span, and warns of one that another always reaches first.
func compareCaps(caps []scopedCap) {
	for i, c := range caps {
		for j, other := range caps {
			same := c.Kind == other.Kind && c.Category == other.Category && c.Campaign == other.Campaign
			switch {
			case !same || i == j:
			case c.Per == other.Per && j < i:
				c.place.fail("this cap and the one on %s hold the same messages over the same span: keep one of them", other.place.where(c.place))
			case c.Max >= other.Max && c.Per < other.Per:
				c.place.warn("this cap never holds anything: the one on %s allows %d in a longer span", other.place.where(c.place), other.Max)
			}
		}
	}
}

func (l *loader) checkCampaignCaps() {
	if l.campaignsUnread {
		return
	}
	for _, v := range l.campaignCaps {
		id := v.node.Value
		if text, err := l.expand(id, nil); err == nil {
			id = text
		}
		if _, known := l.campaigns[id]; !known {
			v.fail("unknown campaign %q%s", id, suggest(id, keysOf(l.campaigns)))
		}
	}
}

func (l *loader) readQuietHours(o object) {
	from, to, ok := o.span()
	var kind policy.Kind
	if v, found := o.get("kind"); found {
		read, valid := v.messageKind()
		kind, ok = read, ok && valid
	}
	if !ok {
		return
	}
	if from == 0 && to == midnight {
		o.fail("quiet hours from 00:00 to 24:00 leave no time to send")
		return
	}
	l.quietHours = &policy.QuietHours{From: from, To: to, Kind: kind}
	l.cfg.Rules.QuietHours = l.quietHours
}

func (l *loader) readCountries(v value) {
	entries, ok := v.entries("a mapping from kinds to allow or deny, such as {marketing: {deny: [US]}}")
	if !ok {
		return
	}
	l.cfg.Rules.Countries = map[policy.Kind]policy.CountryRule{}
	for _, e := range entries {
		kind := policy.Kind(e.key)
		if !kind.Valid() {
			e.name.fail("unknown kind %q%s", e.key, suggest(e.key, []string{"marketing", "utility", "authentication"}))
			continue
		}
		o, ok := e.val.object(countryKeys)
		if !ok {
			continue
		}
		if o.has("allow") == o.has("deny") {
			o.fail("%s needs either allow or deny", o.path)
			continue
		}
		var rule policy.CountryRule
		if v, found := o.get("allow"); found {
			rule.Allow = v.countries()
		}
		if v, found := o.get("deny"); found {
			rule.Deny = v.countries()
		}
		l.cfg.Rules.Countries[kind] = rule
	}
}

// countries returns a list that is not empty: an empty allow would mean everyone or no one, and nobody knows which.
func (v value) countries() []string {
	values, ok := v.list("a list of countries, such as [US, CA]")
	if !ok {
		return nil
	}
	if len(values) == 0 {
		v.fail("%s is an empty list: name countries or remove the key", v.name())
	}
	var codes []string
	seen := map[string]bool{}
	for _, v := range values {
		code, ok := v.country()
		if !ok {
			continue
		}
		if seen[code] {
			v.fail("%s is written twice", code)
		}
		seen[code] = true
		codes = append(codes, code)
	}
	return codes
}

// neverOpens says why a window of the recipient's own time can never let a message of kind go; "" when it can.
func (l *loader) neverOpens(w policy.Window, kind policy.Kind) string {
	quiet := l.quietHours
	if quiet == nil || w.In != "recipient" || quiet.Kind != "" && quiet.Kind != kind {
		return ""
	}
	for t := policy.TimeOfDay(0); t < midnight; t++ {
		if covers(w.From, w.To, t) && !covers(quiet.From, quiet.To, t) {
			return ""
		}
	}
	return fmt.Sprintf("this window never opens: %s to %s lies inside the quiet hours, %s to %s",
		clockText(w.From), clockText(w.To), clockText(quiet.From), clockText(quiet.To))
}
