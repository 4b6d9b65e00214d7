package app

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/templates"
)

// warnNoStop warns of a marketing campaign whose template tells nobody how to stop: it has no stop button, and no line of its text has a
// word that stops. The warning has the place of the one that the file alone gets.
func (o *Online) warnNoStop(cfg *config.Config, c scheduler.Campaign, template templates.Template) {
	for _, button := range c.Message.Parameters.Buttons {
		if button.Payload != nil && *button.Payload == templates.OptOutPayload {
			return
		}
	}
	if saysStop(template, cfg.Keywords) {
		return
	}
	o.Warnings = append(o.Warnings, fmt.Sprintf("%scampaign %s: template %s (%s) has neither a stop button nor a line with a word that stops, such as \"Reply STOP to stop\": who cannot say stop easily blocks the number",
		placeOf(cfg, c.ID), c.ID, template.Name, template.Language))
}

// saysStop reports whether a template has a button or a line that says how to stop.
func saysStop(template templates.Template, words policy.Keywords) bool {
	stops := func(text string) bool { return words.MatchLabel(text).Action == policy.MatchStop }
	for _, button := range template.Buttons {
		if button.Type == "QUICK_REPLY" && stops(button.Text) {
			return true
		}
	}
	between := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }
	return slices.ContainsFunc(strings.FieldsFunc(template.Body.Text+"\n"+template.Footer, between), stops)
}

// placeOf is where the configuration was warned that the campaign has no stop button, as file:line:column; "" when it was not.
func placeOf(cfg *config.Config, campaign string) string {
	i := slices.IndexFunc(cfg.Campaigns, func(c scheduler.Campaign) bool { return c.ID == campaign })
	path := fmt.Sprintf("campaigns[%d]", i)
	for _, w := range cfg.Warnings {
		if w.Code == errcode.NoStopButton && (w.Path == path || strings.HasPrefix(w.Path, path+".")) {
			return fmt.Sprintf("%s:%d:%d: ", w.File, w.Line, w.Column)
		}
	}
	return ""
}
