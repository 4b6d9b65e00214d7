package config

import (
	"github.com/permesso/permesso/internal/errcode"
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
	l.compareCaps(caps)
}

func (l *loader) readCap(o object) (policy.Cap, bool) {
	var c policy.Cap
	ok := true
	if v, found := o.require("max", "write how many messages a person may get; 0 is never"); found {
		const want = "a whole number, 0 (never) or more"
		c.Max, ok = v.whole(want)
		if ok && c.Max < 0 {
			v.fail(errcode.NumberOutOfRange, "max must be %s, not %d", want, c.Max)
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
			v.fail(errcode.CapWithoutEffect, "this cap holds nothing: the category %s is of kind %s, not %s", id, kind, c.Kind)
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

// compareCaps refuses two caps over the same thing and span, and warns of those that change nothing or stop everything.
func (l *loader) compareCaps(caps []scopedCap) {
	for i, c := range caps {
		if c.Max == 0 {
			c.place.warn(errcode.CapOfZero, "max: 0 means never: this cap stops %s; for no limit remove the cap", c.what())
		}
		for j, other := range caps {
			if i == j || !l.covers(other, c) {
				continue
			}
			same := c.Kind == other.Kind && c.Category == other.Category && c.Campaign == other.Campaign
			if same && c.Per == other.Per {
				if j < i {
					c.place.fail(errcode.CapTwice, "this cap and the one on %s hold the same messages over the same span: keep one of them", other.place.where(c.place))
				}
				continue
			}
			equal := c.Max == other.Max && c.Per == other.Per && l.covers(c, other)
			if other.Max <= c.Max && other.Per >= c.Per && (!equal || j < i) {
				c.place.warn(errcode.CapWithoutEffect, "this cap changes nothing: the one on %s allows no more than %d in a span at least as long", other.place.where(c.place), other.Max)
				break
			}
		}
	}
}

// what names the messages that a cap counts.
func (c scopedCap) what() string {
	switch {
	case c.Campaign != "":
		return "the campaign " + c.Campaign
	case c.Category != "":
		return "every message of the category " + c.Category
	case c.Kind != "":
		return "every " + string(c.Kind) + " message"
	}
	return "every message"
}

// covers reports whether wide counts every message that narrow counts, as far as can be told before the campaigns are read.
func (l *loader) covers(wide, narrow scopedCap) bool {
	kind := narrow.Kind
	if kind == "" {
		kind = l.cfg.Rules.Categories[narrow.Category].Kind
	}
	return (wide.Kind == "" || wide.Kind == kind) &&
		(wide.Category == "" || wide.Category == narrow.Category) &&
		(wide.Campaign == "" || wide.Campaign == narrow.Campaign)
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
			v.fail(errcode.UndeclaredCampaign, "unknown campaign %q%s", id, suggest(id, keysOf(l.campaigns)))
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
		o.fail(errcode.ImpossibleHours, "quiet hours from 00:00 to 24:00 leave no time to send: shorten them")
		return
	}
	l.quietHours = &policy.QuietHours{From: from, To: to, Kind: kind}
	l.cfg.Rules.QuietHours = l.quietHours
}

func (l *loader) readCountries(v value) {
	entries, ok := v.entries("a group of kinds with allow or deny, such as {marketing: {deny: [US]}}")
	if !ok {
		return
	}
	l.cfg.Rules.Countries = map[policy.Kind]policy.CountryRule{}
	for _, e := range entries {
		kind := policy.Kind(e.key)
		if !kind.Valid() {
			e.name.fail(errcode.UnknownWord, "unknown kind %q%s", e.key, suggest(e.key, []string{"marketing", "utility", "authentication"}))
			continue
		}
		o, ok := e.val.object(countryKeys)
		if !ok {
			continue
		}
		if o.has("allow") == o.has("deny") {
			o.exactlyOne("allow", "deny")
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
		v.fail(errcode.EmptyValue, "%s is an empty list: name countries or remove the key", v.name())
	}
	var codes []string
	seen := map[string]bool{}
	for _, v := range values {
		code, ok := v.country()
		if !ok {
			continue
		}
		if seen[code] {
			v.fail(errcode.DuplicateEntry, "%s is written twice", code)
		}
		seen[code] = true
		codes = append(codes, code)
	}
	return codes
}
