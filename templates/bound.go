package templates

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bound is a template with its parameters fitted, ready to be filled per recipient. It is made by Bind, does not change
// and may be shared. The zero Bound misses everything.
type Bound struct {
	template Template
	parts    []part
	tail     string // the JSON after the last part
	fixed    int    // characters of the body that are the same for everyone

	header  source
	media   Media
	body    map[string]source
	buttons []source
}

// source is where a value comes from: a fixed text, or a field with a fallback.
type source struct {
	text, field, fallback string
}

// part is the JSON before a value that depends on the recipient, and that value's source.
type part struct {
	source
	before string
	times  int // how often the value stands in the body
	room   int // the most characters it may have, 0 for no limit of its own
	button int // the button whose link it ends, when room is set
}

// value is the source's cleaned value for r, "" when there is none.
func (s source) value(r Recipient) string {
	if s.field == "" {
		return s.text
	}
	if r != nil {
		if raw, ok := r.Field(s.field); ok {
			if value := clean(raw); value != "" {
				return value
			}
		}
	}
	return s.fallback
}

// Append appends the JSON of the "template" object of a message to r: {"name":…,"language":{"code":…},"components":[…]}.
// Values are cleaned as Meta demands: no newline, no tab, at most four spaces in a row, trimmed. missing is "" when all
// is well; else it is the first field that has neither a value nor a default, or a sentence about a text that grew
// too long, and out is dst unchanged.
func (b Bound) Append(dst []byte, r Recipient) (out []byte, missing string) {
	if b.tail == "" {
		return dst, "template"
	}
	start, length := len(dst), b.fixed
	for i := range b.parts {
		p := &b.parts[i]
		value := p.value(r)
		if value == "" {
			return dst[:start], p.field
		}
		if p.room > 0 && len(value) > p.room && utf8.RuneCountInString(value) > p.room {
			return dst[:start], fmt.Sprintf("link of button %d longer than %d characters", p.button, maxURL)
		}
		if p.times > 0 {
			length += p.times * utf8.RuneCountInString(value)
		}
		dst = append(dst, p.before...)
		dst = appendQuoted(dst, value)
	}
	if length > maxBody {
		return dst[:start], fmt.Sprintf("body longer than %d characters", maxBody)
	}
	return append(dst, b.tail...), ""
}

// Preview returns the text as r's phone shows it: header, body, footer and buttons, a line each. missing is as in Append.
func (b Bound) Preview(r Recipient) (text, missing string) {
	if _, missing := b.Append(nil, r); missing != "" {
		return "", missing
	}
	t := b.template
	var lines []string
	switch {
	case t.Header.media():
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("[%s] %s%s %s", strings.ToLower(t.Header.Format), b.media.Link, b.media.ID, b.media.Filename)))
	case t.Header.Text != "":
		lines = append(lines, fill(t.Header.Text, func(string) string { return b.header.value(r) }))
	}
	if t.Body.Text != "" {
		lines = append(lines, fill(t.Body.Text, func(name string) string { return b.body[name].value(r) }))
	}
	if t.Footer != "" {
		lines = append(lines, t.Footer)
	}
	for i, button := range t.Buttons {
		line := "[" + button.Text + "]"
		if button.URL != "" {
			line += " " + fill(button.URL, func(string) string { return b.buttons[i].value(r) })
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), ""
}

// fill puts values in the place of a text's variables.
func fill(text string, value func(variable string) string) string {
	var out strings.Builder
	for _, s := range split(text) {
		out.WriteString(s.fixed)
		if s.variable != "" {
			out.WriteString(value(s.variable))
		}
	}
	return out.String()
}
