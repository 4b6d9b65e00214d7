package sandbox

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

const (
	maxTitle  = 60   // characters of a text header, values included
	maxURL    = 2000 // characters of a button's URL, suffix included
	maxCoupon = 15   // Meta's pages disagree between 15 and 20 (graph-api.md §1.3)
)

// checkHeader judges the header: texts like a body's, media by its format.
func (f *filling) checkHeader(c component, p *parts, card string) *fault {
	at := card + "header"
	if p.header == "" || p.header == "TEXT" {
		length, err := f.checkTexts(at, c.parameters, &p.title, p.named)
		if err == nil && length > maxTitle {
			return refuse(132005, "%s: %d characters with its value, at most %d are possible", at, length, maxTitle)
		}
		return err
	}
	got, err := f.only(at, c.parameters)
	if err != nil {
		return err
	}
	if !is(got.kind, p.header) && !(p.header == "GIF" && is(got.kind, "video")) {
		return refuse(132012, "%s: Format mismatch, expected %s, received %s", at, p.header, strings.ToUpper(string(got.kind)))
	}
	if !got.media.isObject() {
		return refuse(131008, "%s: Parameter of type %s is missing its value", at, got.kind)
	}
	switch p.header {
	case "LOCATION":
		return checkKeys(at, got.media, []string{"latitude", "longitude"}, []string{"name", "address"})
	case "PRODUCT":
		return checkKeys(at, got.media, []string{"product_retailer_id", "catalog_id"}, nil)
	}
	return checkMedia(at, got.media)
}

// only returns the single parameter that a component must have.
func (f *filling) only(at string, parameters value) (parameter, *fault) {
	var p parameter
	count := 0
	if parameters != nil {
		err := parameters.elements(func(_ int, v value) (err *fault) {
			count++
			p, err = readParameter(at, v)
			return err
		})
		if err != nil {
			return p, err
		}
	}
	if count != 1 {
		return p, countMismatch(at, count, 1)
	}
	return p, nil
}

// checkKeys wants every required key, allows the optional ones, and no other.
func checkKeys(at string, v value, required, optional []string) *fault {
	missing := append([]string(nil), required...)
	err := v.members(func(key []byte, m value) *fault {
		for i, k := range missing {
			if k == string(key) && m.present() && string(m) != `""` {
				missing = append(missing[:i:i], missing[i+1:]...)
				return nil
			}
		}
		for _, k := range optional {
			if k == string(key) {
				return nil
			}
		}
		return refuse(100, "%s: Unexpected or empty key %q", at, key)
	})
	if err == nil && len(missing) > 0 {
		return refuse(131008, "%s: %s is required", at, missing[0])
	}
	return err
}

// checkMedia wants exactly one of an uploaded id and an https (or http) link.
func checkMedia(at string, v value) *fault {
	var id, link []byte
	err := v.members(func(key []byte, m value) *fault {
		switch string(key) {
		case "id":
			return wantField(at, "id", m, &id)
		case "link":
			return wantField(at, "link", m, &link)
		case "filename", "caption", "provider":
			return nil
		}
		return refuse(100, "%s: Unexpected key %q", at, key)
	})
	switch {
	case err != nil:
		return err
	case len(id) == 0 && len(link) == 0:
		return refuse(131008, "%s: one of id and link is required", at)
	case len(id) > 0 && len(link) > 0:
		return refuse(131009, "%s: id and link are both given", at)
	case len(link) > 0 && !bytes.HasPrefix(link, []byte("https://")) && !bytes.HasPrefix(link, []byte("http://")):
		return refuse(131009, "%s: link is not a web address", at)
	}
	return nil
}

// buttonKinds gives, per sub_type, the stored button type and the type of its
// one parameter.
var buttonKinds = map[string]struct{ stored, parameter string }{
	"quick_reply": {"QUICK_REPLY", "payload"},
	"url":         {"URL", "text"},
	"copy_code":   {"COPY_CODE", "coupon_code"},
	"flow":        {"FLOW", "action"},
	"catalog":     {"CATALOG", "action"},
	"mpm":         {"MPM", "action"},
	"spm":         {"SPM", "action"},
	"voice_call":  {"VOICE_CALL", "payload"},
}

func (f *filling) checkButton(c component, p *parts, s *seen, card string) *fault {
	at := card + "buttons"
	switch {
	case len(c.subKind) == 0:
		return refuse(131008, "%s: sub_type is required", at)
	case !c.index.present():
		return refuse(131008, "%s: index is required", at)
	}
	i, ok := readIndex(c.index, maxButtons)
	if !ok {
		return refuse(131009, "%s: index must be 0 to %d", at, maxButtons-1)
	}
	kind, known := buttonKinds[strings.ToLower(string(c.subKind))]
	if !known {
		return refuse(131009, "%s: unknown sub_type %q", at, c.subKind)
	}
	if i >= len(p.buttons) {
		return refuse(132012, "%s: the template has no button at index %d", at, i)
	}
	b := &p.buttons[i]
	if b.kind != kind.stored && !(b.kind == "OTP" && kind.stored == "URL") {
		return refuse(132012, "%s: Button at index %d is of type %s, received %s", at, i, b.kind, kind.stored)
	}
	if s.buttons[i] {
		return refuse(132018, "%s: Button at index %d is given twice", at, i)
	}
	s.buttons[i] = true
	if b.kind == "URL" && len(b.url.variables) == 0 {
		return countMismatch(at, 1, 0)
	}
	got, err := f.only(at, c.parameters)
	if err != nil {
		return err
	}
	if !is(got.kind, kind.parameter) {
		return refuse(132012, "%s: Button at index %d takes a parameter of type %s, received %s", at, i, kind.parameter, got.kind)
	}
	return f.checkButtonValue(at, i, b, got, card == "")
}

func (f *filling) checkButtonValue(at string, i int, b *button, got parameter, keep bool) *fault {
	switch b.kind {
	case "URL", "OTP":
		if len(got.text) == 0 {
			return refuse(131008, "%s: Parameter of type text is missing text value", at)
		}
		if b.url.literal+utf8.RuneCount(got.text) > maxURL {
			return refuse(132005, "%s: the URL of the button at index %d is longer than %d characters", at, i, maxURL)
		}
		return checkWhitespace(at, got.text, f.version)
	case "QUICK_REPLY", "VOICE_CALL":
		payload, ok := got.media.text()
		if !ok || len(payload) == 0 {
			return refuse(131008, "%s: Parameter of type payload is missing payload value", at)
		}
		if keep {
			f.payloads[i] = payload
		}
	case "COPY_CODE":
		code, ok := got.media.text()
		if !ok || len(code) == 0 {
			return refuse(131008, "%s: coupon_code is required", at)
		}
		if utf8.RuneCount(code) > maxCoupon {
			return refuse(131009, "%s: coupon_code is longer than %d characters", at, maxCoupon)
		}
	default:
		if !got.media.isObject() {
			return refuse(131008, "%s: action is required", at)
		}
	}
	return nil
}

func (f *filling) checkCarousel(c component) *fault {
	cards := f.template.cards
	count := 0
	if c.cards != nil {
		_ = c.cards.elements(func(int, value) *fault { count++; return nil })
	}
	if count != len(cards) {
		return countMismatch("carousel", count, len(cards))
	}
	filled := make([]bool, len(cards))
	return c.cards.elements(func(_ int, v value) *fault {
		var index, components value
		if !v.isObject() {
			return refuse(100, "carousel: every card must be a JSON object")
		}
		err := v.members(func(key []byte, m value) *fault {
			switch string(key) {
			case "card_index":
				index = m
			case "components":
				components = m
			default:
				return refuse(100, "carousel: Unexpected key %q on a card", key)
			}
			return nil
		})
		if err != nil {
			return err
		}
		i, ok := readIndex(index, len(cards))
		if !ok || filled[i] {
			return refuse(131009, "carousel: card_index must name each of the %d cards once", len(cards))
		}
		filled[i] = true
		if components != nil && !components.isArray() {
			return refuse(100, "carousel: components of a card must be an array")
		}
		return f.checkSet(components, &cards[i], "card "+string('0'+rune(i))+", ")
	})
}

func (f *filling) checkOffer(c component) *fault {
	const at = "limited_time_offer"
	if !f.template.offer {
		return refuse(132012, "%s: the template has no limited-time offer", at)
	}
	got, err := f.only(at, c.parameters)
	if err != nil {
		return err
	}
	if !is(got.kind, at) || !got.media.isObject() {
		return refuse(132012, "%s: the parameter must be of type limited_time_offer", at)
	}
	var ends value
	_ = got.media.members(func(key []byte, m value) *fault {
		if string(key) == "expiration_time_ms" {
			ends = m
		}
		return nil
	})
	return offerEnds(ends, f.now)
}
