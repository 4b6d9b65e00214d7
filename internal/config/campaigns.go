package config

import (
	"regexp"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// readCampaigns reads the campaigns of config.yaml, then those of the included files.
func (l *loader) readCampaigns(root object) {
	l.campaigns = map[string]value{}
	if v, found := root.get("campaigns"); found {
		l.readCampaignList(v)
	}
	if v, found := root.get("include"); found {
		l.readIncludes(v)
	}
}

func (l *loader) readCampaignList(v value) {
	values, ok := v.list("a list of campaigns, each beginning with - id")
	if !ok {
		l.campaignsUnread = true
		return
	}
	for _, v := range values {
		if o, ok := v.object(campaignKeys); ok {
			l.campaignsInTurn = append(l.campaignsInTurn, v)
			l.cfg.Campaigns = append(l.cfg.Campaigns, l.readCampaign(o))
		}
	}
}

var templateName = regexp.MustCompile(`^[a-z0-9_]{1,512}$`) // Meta, "Template management", read 2026-09-11

func (l *loader) readCampaign(o object) scheduler.Campaign {
	c := scheduler.Campaign{Endpoint: scheduler.EndpointAuto, Zone: l.cfg.Business.Timezone}
	if v, found := o.require("id", "a campaign is known by it; a rename is a new campaign"); found {
		c.ID = l.readCampaignID(v)
	}
	if v, found := o.require("category", "people consent to categories"); found {
		c.Category, _ = v.knownCategory()
	}
	if v, found := o.require("template", "write the name of the template to send"); found {
		c.Message.Template, _ = v.shaped(templateName, errcode.InvalidName, "a template's name, of small letters, digits and _", joinedBy("_"))
	}
	if v, found := o.require("languages", "write the template's languages, such as [it, en_US]"); found {
		c.Message.Languages = v.templateLanguages()
	}
	c.Number = l.readCampaignNumber(o)
	if v, found := o.get("endpoint"); found {
		word, _ := v.oneOf(endpointWords...)
		c.Endpoint = scheduler.Endpoint(word)
	}
	if v, found := o.get("schedule"); found {
		if o, ok := v.object(scheduleKeys); ok {
			c.Schedule = l.readSchedule(o)
			c.Zone = c.Schedule.Zone
		}
	}
	if v, found := o.get("window"); found {
		c.Window = l.readWindow(v, c.Category)
	}
	if v, found := o.get("audience"); found {
		if filter, ok := v.text("an audience filter; leave the key out for everyone"); ok && v.checkAudience(filter) {
			c.Audience = filter
		}
	}
	if v, found := o.get("parameters"); found {
		if o, ok := v.object(parameterKeys); ok {
			c.Message.Parameters = o.parameters()
		}
	}
	l.readLimits(o, &c)
	if v, found := o.get("window"); found {
		v.checkFiring(c)
	}
	l.checkStopButton(o, c)
	return c
}

func (l *loader) readCampaignID(v value) string {
	id, ok := v.shaped(idShape, errcode.InvalidName, "a name of "+wantID, joinedBy("-"))
	if !ok {
		// It was named, if badly: a cap that refers to it is no second mistake.
		id = v.node.Value
	} else if first, twice := l.campaigns[id]; twice {
		v.fail(errcode.DuplicateCampaign, "the campaign %s is written twice; the first is on %s", id, first.where(v))
		return id
	}
	l.campaigns[id] = v
	return id
}

// languageCode is the shape of Meta's template languages: it, en_US, fil.
var languageCode = regexp.MustCompile(`^[a-z]{2,3}(_[A-Z]{2})?$`)

func (v value) templateLanguages() []string {
	values, ok := v.list("a list of languages, such as [it, en_US]")
	if !ok {
		return nil
	}
	if len(values) == 0 {
		v.fail(errcode.EmptyValue, "languages is an empty list: write at least one, such as [it]")
	}
	var codes []string
	seen := map[string]bool{}
	for _, v := range values {
		code, ok := v.word("a template's language, such as it or en_US")
		if !ok {
			continue
		}
		switch {
		case !languageCode.MatchString(code) || ownLanguage(code) != "":
			v.failLanguageCode(code)
			continue
		case seen[code]:
			v.fail(errcode.DuplicateEntry, "the language %s is written twice", code)
		}
		seen[code] = true
		codes = append(codes, code)
	}
	return codes
}

// ownLanguage returns Meta's code of a language that people name by its country, or by a code that no template has; ""
// for all others.
func ownLanguage(code string) string {
	switch strings.ToLower(code) {
	case "no", "nn":
		return "nb"
	case "jp":
		return "ja"
	case "cn":
		return "zh_CN"
	case "gr":
		return "el"
	case "cz":
		return "cs"
	case "dk":
		return "da"
	case "ua":
		return "uk"
	}
	return ""
}

var looseLanguageCode = regexp.MustCompile(`^([A-Za-z]{2,3})(?:[-_]([A-Za-z]{2}))?$`)

func (v value) failLanguageCode(code string) {
	if own := ownLanguage(code); own != "" {
		v.fail(errcode.UnknownLanguage, "unknown language %q; did you mean %q, as Meta writes it?", code, own)
		return
	}
	parts := looseLanguageCode.FindStringSubmatch(code)
	if parts == nil {
		v.fail(errcode.UnknownLanguage, "unknown language %q: write Meta's code, such as it, en_US or pt_BR", code)
		return
	}
	meant := strings.ToLower(parts[1])
	if parts[2] != "" {
		meant += "_" + strings.ToUpper(parts[2])
	}
	v.fail(errcode.UnknownLanguage, "unknown language %q; did you mean %q?", code, meant)
}

// readCampaignNumber returns the sending number; with exactly one configured the campaign need not name it.
func (l *loader) readCampaignNumber(o object) string {
	v, found := o.get("number")
	if !found {
		if len(l.cfg.Numbers) == 1 {
			return l.cfg.Numbers[0].ID
		}
		if len(l.cfg.Numbers) > 1 {
			o.missing("number", "there are several numbers, so name the one to send from")
		}
		return ""
	}
	id, ok := v.metaID()
	if !ok {
		return ""
	}
	if _, known := l.numbers[id]; !known && l.numbers != nil {
		v.fail(errcode.UndeclaredNumber, "unknown number %q%s", id, suggest(id, keysOf(l.numbers)))
		return ""
	}
	return id
}

// readLimits reads what orders a run and ends it: priority, max_recipients, not_after.
func (l *loader) readLimits(o object, c *scheduler.Campaign) {
	if v, found := o.get("priority"); found {
		c.Priority, _ = v.whole("a whole number, such as 10 (the higher one wins)")
	}
	if v, found := o.get("max_recipients"); found {
		const want = "a whole number, 0 (nobody) or more"
		limit, ok := v.whole(want)
		switch {
		case ok && limit < 0:
			v.fail(errcode.NumberOutOfRange, "max_recipients must be %s, not %d", want, limit)
		case ok:
			c.MaxRecipients = &limit
		}
	}
	if v, found := o.get("budget"); found {
		c.Budget = l.readBudget(v)
	}
	if v, found := o.get("holdout"); found {
		c.Holdout = v.holdout("this campaign")
		if kind := l.cfg.Rules.Categories[c.Category].Kind; c.Holdout > 0 && kind != "" && kind != policy.Marketing {
			v.warn(errcode.HoldoutOfServiceMessages, "%s of the people do not get these %s messages, and nothing tells them: a holdout is for marketing", c.Holdout, kind)
		}
	}
	l.readWaves(o, c)
	l.readGuard(o, c)
	v, found := o.get("not_after")
	if !found {
		return
	}
	end, ok := v.instant(c.Zone)
	if !ok {
		return
	}
	c.NotAfter = end
	if c.Schedule == nil {
		return
	}
	if at := c.Schedule.At; !at.IsZero() && !end.After(at) {
		v.fail(errcode.NothingIsSent, "nothing is ever sent: not_after is not later than the schedule's at")
	}
	if start := c.Schedule.StartsAt; !start.IsZero() && !end.After(start) {
		v.fail(errcode.NothingIsSent, "nothing is ever sent: not_after is not later than the schedule's starts_at")
	}
}

func (l *loader) checkStopButton(o object, c scheduler.Campaign) {
	if l.cfg.Rules.Categories[c.Category].Kind != policy.Marketing {
		return
	}
	for _, button := range c.Message.Parameters.Buttons {
		if button.Payload != nil && *button.Payload == optOutPayload {
			return
		}
	}
	at, found := o.get("parameters")
	if !found {
		at = o.value
	}
	at.warn(errcode.NoStopButton, "this marketing campaign has no stop button: people who cannot say stop easily block or report the number; give the template a quick reply and bind it, buttons: {0: {payload: opt_out}}")
}
