package sandbox

import (
	"bytes"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const maxButtons = 10

// filling checks the components of one send against its template.
type filling struct {
	template *template
	version  int
	now      time.Time
	payloads [maxButtons][]byte // quick-reply payloads by button index
}

// seen remembers which components a set has already filled.
type seen struct {
	header, body, carousel, offer bool
	buttons                       [maxButtons]bool
}

// component is one element of components[], unread.
type component struct {
	kind, subKind            []byte
	index, parameters, cards value
}

// check judges components (which may be absent) against the whole template.
func (f *filling) check(components value) *fault {
	return f.checkSet(components, &f.template.parts, "")
}

// checkSet judges one set of components: the template's own when card is "",
// else those of one carousel card.
func (f *filling) checkSet(components value, p *parts, card string) *fault {
	var s seen
	if components != nil {
		err := components.elements(func(at int, v value) *fault {
			c, err := readComponent(at, v)
			if err != nil {
				return err
			}
			return f.checkComponent(c, p, &s, card)
		})
		if err != nil {
			return err
		}
	}
	return f.checkAbsent(p, &s, card)
}

func readComponent(at int, v value) (component, *fault) {
	var c component
	if !v.isObject() {
		return c, refuse(100, "Param template['components'][%d] must be a JSON object", at)
	}
	err := v.members(func(key []byte, m value) *fault {
		switch string(key) {
		case "type":
			return wantText("template['components'][]['type']", m, &c.kind)
		case "sub_type":
			return wantText("template['components'][]['sub_type']", m, &c.subKind)
		case "index":
			c.index = m
		case "parameters":
			if !m.isArray() {
				return refuse(100, "Param template['components'][%d]['parameters'] must be an array", at)
			}
			c.parameters = m
		case "cards":
			if !m.isArray() {
				return refuse(100, "Param template['components'][%d]['cards'] must be an array", at)
			}
			c.cards = m
		default:
			return refuse(100, "Unexpected key %q on param template['components'][%d]", key, at)
		}
		return nil
	})
	if err == nil && len(c.kind) == 0 {
		err = refuse(131008, "template['components'][%d]['type'] is required", at)
	}
	return c, err
}

func is(b []byte, name string) bool { return bytes.EqualFold(b, []byte(name)) }

func (f *filling) checkComponent(c component, p *parts, s *seen, card string) *fault {
	switch {
	case is(c.kind, "body"):
		return once(&s.body, card+"body", func() *fault { return f.checkBody(c, p, card) })
	case is(c.kind, "header"):
		return once(&s.header, card+"header", func() *fault { return f.checkHeader(c, p, card) })
	case is(c.kind, "button"):
		return f.checkButton(c, p, s, card)
	case is(c.kind, "carousel") && card == "":
		return once(&s.carousel, "carousel", func() *fault { return f.checkCarousel(c) })
	case is(c.kind, "limited_time_offer") && card == "":
		return once(&s.offer, "limited_time_offer", func() *fault { return f.checkOffer(c) })
	}
	return refuse(100, "%stemplate['components'][]['type'] must be one of header, body, button, carousel, limited_time_offer, not %q", card, c.kind)
}

func once(done *bool, at string, check func() *fault) *fault {
	if *done {
		return refuse(132018, "%s: component is given twice", at)
	}
	*done = true
	return check()
}

// checkAbsent refuses what the template needs and the send left out.
func (f *filling) checkAbsent(p *parts, s *seen, card string) *fault {
	if n := len(p.body.variables); n > 0 && !s.body {
		return countMismatch(card+"body", 0, n)
	}
	if !s.header {
		if n := len(p.title.variables); n > 0 {
			return countMismatch(card+"header", 0, n)
		}
		if p.header != "" && p.header != "TEXT" {
			return refuse(132012, "%sheader: Format mismatch, expected %s, received UNKNOWN", card, p.header)
		}
	}
	for i, b := range p.buttons {
		if needs := b.kind == "COPY_CODE" || b.kind == "OTP" || len(b.url.variables) > 0; needs && !s.buttons[i] {
			return refuse(131008, "%sbuttons: Button at index %d of type %s requires a parameter", card, i, b.kind)
		}
	}
	if card == "" && f.template.carousel && !s.carousel {
		return countMismatch("carousel", 0, len(f.template.cards))
	}
	if card == "" && f.template.offerExpires && !s.offer {
		return refuse(131008, "limited_time_offer: component with expiration_time_ms is required")
	}
	return nil
}

func countMismatch(at string, got, want int) *fault {
	return refuse(132000, "%s: number of localizable_params (%d) does not match the expected number of params (%d)", at, got, want)
}

// parameter is one element of parameters[], unread beyond its own keys.
type parameter struct {
	kind, text, name []byte
	hasText          bool
	media            value // the member named like the type: image, payload, coupon_code, …
}

func readParameter(at string, v value) (parameter, *fault) {
	var p parameter
	if !v.isObject() {
		return p, refuse(100, "%s: every parameter must be a JSON object", at)
	}
	// The member that carries the value is named by type, which may come after it.
	err := v.members(func(key []byte, m value) *fault {
		if string(key) == "type" {
			return wantField(at, "type", m, &p.kind)
		}
		return nil
	})
	if err != nil {
		return p, err
	}
	if len(p.kind) == 0 {
		return p, refuse(131008, "%s: parameter type is required", at)
	}
	return p, v.members(func(key []byte, m value) *fault {
		switch {
		case string(key) == "type":
			return nil
		case string(key) == "parameter_name":
			return wantField(at, "parameter_name", m, &p.name)
		case !bytes.EqualFold(p.kind, key):
			return refuse(100, "%s: Unexpected key %q on a parameter of type %s", at, key, p.kind)
		case is(p.kind, "text"):
			p.hasText = true
			return wantField(at, "text", m, &p.text)
		}
		p.media = m
		return nil
	})
}

// checkTexts judges the text parameters of a body or of a text header and
// returns the characters of the text once filled.
func (f *filling) checkTexts(at string, parameters value, t *text, named bool) (int, *fault) {
	length := t.literal
	var filled [32]bool
	count := 0
	if parameters != nil {
		_ = parameters.elements(func(int, value) *fault { count++; return nil })
	}
	if count != len(t.variables) {
		return 0, countMismatch(at, count, len(t.variables))
	}
	if count == 0 {
		return length, nil
	}
	return length, parameters.elements(func(i int, v value) *fault {
		p, err := readParameter(at, v)
		if err != nil {
			return err
		}
		if named {
			if len(p.name) == 0 {
				return refuse(132012, "%s: parameter_name is missing or empty", at)
			}
			if i = slices.Index(t.variables, string(p.name)); i < 0 {
				return refuse(132012, "%s: the template has no parameter named %s", at, p.name)
			}
		} else if p.name != nil {
			return refuse(132012, "%s: parameter_name given, but the template's parameters are positional", at)
		}
		if i < len(filled) {
			if filled[i] {
				return refuse(132012, "%s: parameter %s is given twice", at, p.name)
			}
			filled[i] = true
		}
		shown, err := f.shownText(at, p)
		length += t.uses[i] * shown
		return err
	})
}

// shownText returns the characters that one text-like parameter will show.
func (f *filling) shownText(at string, p parameter) (int, *fault) {
	switch {
	case is(p.kind, "text"):
		if len(p.text) == 0 {
			return 0, refuse(131008, "%s: Parameter of type text is missing text value", at)
		}
		return utf8.RuneCount(p.text), checkWhitespace(at, p.text, f.version)
	case is(p.kind, "currency") || is(p.kind, "date_time"):
		var fallback []byte
		if !p.media.isObject() {
			return 0, refuse(131008, "%s: Parameter of type %s is missing its value", at, p.kind)
		}
		err := p.media.members(func(key []byte, m value) *fault {
			if string(key) == "fallback_value" {
				return wantField(at, "fallback_value", m, &fallback)
			}
			return nil
		})
		if err == nil && len(fallback) == 0 {
			err = refuse(131008, "%s: fallback_value is required", at)
		}
		return utf8.RuneCount(fallback), err
	}
	return 0, refuse(132012, "%s: Format mismatch, expected TEXT, received %s", at, strings.ToUpper(string(p.kind)))
}

func (f *filling) checkBody(c component, p *parts, card string) *fault {
	length, err := f.checkTexts(card+"body", c.parameters, &p.body, p.named)
	if err != nil {
		return err
	}
	if length > p.bodyLimit {
		return refuse(132005, "%sbody: %d characters with its values, at most %d are possible", card, length, p.bodyLimit)
	}
	return nil
}
