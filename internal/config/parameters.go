package config

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/spelling"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/templates"
)

const optOutPayload = templates.OptOutPayload

const (
	wantText  = "text, or {field: name, default: …}"
	wantField = "name, external_id, language, country, timezone or attributes.x"
	wantLink  = "an address such as https://aurora.example/libri.jpg"
)

func (o object) parameters() templates.Parameters {
	var p templates.Parameters
	if v, found := o.get("header"); found {
		v.header(&p)
	}
	if v, found := o.get("body"); found {
		v.body(&p)
	}
	if v, found := o.get("buttons"); found {
		p.Buttons = v.buttons()
	}
	return p
}

// header reads the text of a text header, or the picture, video or document of a media header.
func (v value) header(p *templates.Parameters) {
	if v.node.Kind == yaml.ScalarNode && !v.isEmpty() {
		if text, ok := v.fixed(); ok {
			p.HeaderText = &text
		}
		return
	}
	o, ok := v.object(headerKeys)
	if !ok {
		return
	}
	var given []string
	for _, key := range []string{"text", "field", "image", "video", "document"} {
		if o.has(key) {
			given = append(given, key)
		}
	}
	if len(given) != 1 {
		o.exactlyOne("text", "field", "image", "video", "document")
		return
	}
	media, _ := o.get(given[0])
	if given[0] == "text" || given[0] == "field" {
		if media.node.Kind == yaml.MappingNode && given[0] == "text" {
			if def, found := o.get("default"); found {
				def.fail(errcode.DefaultWithoutField, "default belongs to a field: write it beside the field")
				return
			}
			o, ok = media.object(valueKeys)
		}
		if !ok {
			return
		}
		if text, ok := o.templateValue(); ok {
			p.HeaderText = &text
		}
		return
	}
	if def, found := o.get("default"); found {
		def.fail(errcode.DefaultWithoutField, "default belongs to a field: a %s has none; remove it", given[0])
	}
	p.HeaderMedia = media.media(given[0])
}

func (v value) media(format string) *templates.Media {
	known := pictureKeys
	if format == "document" {
		known = documentKeys
	}
	o, ok := v.object(known)
	if !ok {
		return nil
	}
	if o.has("link") == o.has("id") {
		o.exactlyOne("link", "id")
		return nil
	}
	media := &templates.Media{Format: format}
	if v, found := o.get("link"); found {
		if media.Link, ok = v.text(wantLink); ok && !mediaLink.MatchString(media.Link) {
			v.fail(errcode.InvalidAddress, "link must be %s, not %q", wantLink, media.Link)
		}
	}
	if v, found := o.get("id"); found {
		media.ID, _ = v.metaID()
	}
	if v, found := o.get("filename"); found {
		media.Filename, _ = v.text("the name that the document is shown with")
	}
	return media
}

var (
	mediaLink      = regexp.MustCompile(`^https?://[^\s/?#]+\.[^\s]+$`)
	parameterName  = regexp.MustCompile(`^[a-z0-9_]+$`) // Meta, "Message templates: parameter formats", read 2026-09-11
	contactFields  = []string{"name", "external_id", "language", "country", "timezone"}
	buttonPlace    = regexp.MustCompile(`^[0-9]$`) // Meta, "Template components": at most ten buttons, read 2026-09-11
	attributeField = regexp.MustCompile(`^attributes\.[^\s.]+$`)
)

func (v value) body(p *templates.Parameters) {
	switch v.node.Kind {
	case yaml.SequenceNode:
		values, _ := v.list("")
		p.Body = make([]templates.Value, len(values))
		for i, v := range values {
			p.Body[i], _ = v.templateValue(valueKeys)
		}
	case yaml.MappingNode:
		entries, _ := v.entries("")
		p.Named = make(map[string]templates.Value, len(entries))
		for _, e := range entries {
			if !parameterName.MatchString(e.key) {
				e.name.fail(errcode.InvalidName, "the parameter %q must be named as in the template, with small letters, digits and _", e.key)
			}
			p.Named[e.key], _ = e.val.templateValue(valueKeys)
		}
	default:
		v.wrongType("a list of values, or a group of them by name when the template's parameters have names")
	}
}

func (v value) buttons() map[int]templates.Value {
	entries, ok := v.entries("values by the button's place, such as {0: {payload: opt_out}}")
	if !ok {
		return nil
	}
	buttons := make(map[int]templates.Value, len(entries))
	for _, e := range entries {
		if !buttonPlace.MatchString(e.key) {
			e.name.fail(errcode.InvalidButton, "a button is named by its place in the template, counted from 0 to 9, not %q", e.key)
			continue
		}
		index := int(e.key[0] - '0')
		if button, ok := e.val.templateValue(buttonKeys); ok {
			buttons[index] = button
			e.val.checkPayload(button)
		}
	}
	return buttons
}

// checkPayload refuses what looks like the stop button's payload and is not: the button would stop nothing.
func (v value) checkPayload(button templates.Value) {
	if button.Payload == nil || *button.Payload == optOutPayload {
		return
	}
	plain := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(*button.Payload))
	if plain == "optout" {
		v.fail(errcode.StopButtonPayload, "the payload %q stops nothing; did you mean %q?", *button.Payload, optOutPayload)
	}
}

// templateValue reads what fills one variable; text alone is a fixed text.
func (v value) templateValue(known section) (templates.Value, bool) {
	if v.node.Kind == yaml.ScalarNode {
		return v.fixed()
	}
	o, ok := v.object(known)
	if !ok {
		return templates.Value{}, false
	}
	return o.templateValue()
}

func (v value) fixed() (templates.Value, bool) {
	text, ok := v.text(wantText)
	return templates.Value{Text: &text}, ok
}

func (o object) templateValue() (templates.Value, bool) {
	text, hasText := o.get("text")
	field, hasField := o.get("field")
	payload, hasPayload := o.get("payload")
	page, hasPage := o.get("page")
	def, hasDefault := o.get("default")
	if count(hasText, hasField, hasPayload, hasPage) != 1 {
		choice := []string{"text", "field"}
		if strings.Contains(o.path, ".buttons.") {
			choice = append(choice, "payload", "page")
		}
		o.exactlyOne(choice...)
		return templates.Value{}, false
	}
	if hasDefault && !hasField {
		def.fail(errcode.DefaultWithoutField, "default belongs to a field: a fixed text needs none; remove it")
		return templates.Value{}, false
	}
	switch {
	case hasText:
		return text.fixed()
	case hasPage:
		return page.page()
	case hasPayload:
		written, ok := payload.text("the text that the button sends back, such as opt_out")
		return templates.Value{Payload: &written}, ok
	}
	name, ok := field.contactField()
	filled := templates.Value{Field: name}
	if hasDefault {
		// An empty default would send an empty variable, which Meta refuses.
		written, valid := def.text("the text for people without this field")
		filled.Default, ok = &written, ok && valid
	}
	return filled, ok
}

// page is the link to the recipient's own page, which all begin alike.
func (v value) page() (templates.Value, bool) {
	yes, ok := v.boolean()
	switch {
	case !ok:
		return templates.Value{}, false
	case !yes:
		v.fail(errcode.InvalidButton, "page is true or absent: remove it, or write what else the button's link ends with")
		return templates.Value{}, false
	case v.l.cfg.PublicURL == "":
		v.fail(errcode.MissingKey, "a link to a person's own page needs public_url, the address where it is reached from outside")
		return templates.Value{}, false
	}
	return templates.Value{Page: v.l.cfg.PublicURL + policy.PagePath}, true
}

func (v value) contactField() (string, bool) {
	name, ok := v.text(wantField)
	if !ok {
		return "", false
	}
	for _, known := range contactFields {
		if name == known {
			return name, true
		}
	}
	if attributeField.MatchString(name) {
		return name, true
	}
	near := spelling.Nearest(name, contactFields)
	if before, after, dotted := strings.Cut(name, "."); dotted && after != "" && spelling.Nearest(before, []string{"attributes"}) != "" {
		near = "attributes." + after
	}
	if _, declared := v.l.cfg.Attributes[name]; declared {
		near = "attributes." + name
	}
	if near != "" {
		v.fail(errcode.UnknownField, "unknown field %q; did you mean %q?", name, near)
	} else {
		v.fail(errcode.UnknownField, "unknown field %q: write %s", name, wantField)
	}
	return "", false
}

func count(all ...bool) int {
	n := 0
	for _, is := range all {
		if is {
			n++
		}
	}
	return n
}
