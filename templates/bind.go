package templates

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DriftError says in what a campaign's parameters and the template that Meta approved differ, one sentence each.
type DriftError struct {
	Template    string
	Language    string
	Differences []string
}

// Error lists all differences in one line.
func (e *DriftError) Error() string {
	return fmt.Sprintf("template %s (%s) has other parameters: %s", e.Template, e.Language, strings.Join(e.Differences, "; "))
}

// Bind fits parameters to a template. Everything that does not depend on the recipient is checked here, before anything
// is sent: count and names of variables, the header's format, buttons by index and type. stopPayload is what the stop
// button sends back. The error is a *DriftError with all that is wrong.
func Bind(t Template, p Parameters, stopPayload string) (Bound, error) {
	b := binder{t: t}
	b.json = append(b.json, `{"name":`...)
	b.json = appendQuoted(b.json, t.Name)
	b.json = append(b.json, `,"language":{"code":`...)
	b.json = appendQuoted(b.json, t.Language)
	b.json = append(b.json, '}')
	b.bound.template = t
	for _, kind := range t.Unsupported {
		b.differ("this version cannot fill its %s", kind)
	}
	b.header(p)
	b.body(p)
	b.buttons(p, stopPayload)
	if b.components > 0 {
		b.json = append(b.json, ']')
	}
	b.json = append(b.json, '}')
	b.bound.tail = string(b.json)
	if b.bound.fixed > maxBody {
		b.differ("the body is longer than %d characters before any field is filled in", maxBody)
	}
	if len(b.differences) > 0 {
		return Bound{}, &DriftError{Template: t.Name, Language: t.Language, Differences: b.differences}
	}
	return b.bound, nil
}

// binder writes the JSON up to the next value that depends on the recipient.
type binder struct {
	t           Template
	bound       Bound
	json        []byte
	components  int
	differences []string
}

func (b *binder) differ(format string, args ...any) {
	b.differences = append(b.differences, fmt.Sprintf(format, args...))
}

// open starts a component and its parameters; head holds what comes before them.
func (b *binder) open(head string) {
	if b.components == 0 {
		b.json = append(b.json, `,"components":[`...)
	} else {
		b.json = append(b.json, ',')
	}
	b.components++
	b.json = append(append(b.json, head...), `,"parameters":[`...)
}

func (b *binder) close() { b.json = append(b.json, "]}"...) }

// put writes the value of a source: at once when it is fixed, else as a part to be filled per recipient.
func (b *binder) put(s source, p part) {
	if s.field == "" {
		b.json = appendQuoted(b.json, s.text)
		return
	}
	p.source, p.before = s, string(b.json)
	b.bound.parts = append(b.bound.parts, p)
	b.json = b.json[:0]
}

func (b *binder) header(p Parameters) {
	h := b.t.Header
	if h.media() {
		b.mediaHeader(p)
		return
	}
	if p.HeaderMedia != nil {
		b.differ("the campaign gives the header media of format %s, the template has none there", strings.ToLower(p.HeaderMedia.Format))
	}
	if p.HeaderText != nil && len(h.Variables) == 0 {
		b.differ("the header takes no parameter, the campaign gives it a text")
		return
	}
	if len(h.Variables) == 0 {
		return
	}
	if p.HeaderText == nil {
		b.differ("the header takes a text for {{%s}}, the campaign gives it none", h.Variables[0])
		return
	}
	s, ok := b.source("the header", *p.HeaderText)
	if !ok {
		return
	}
	b.bound.header = s
	b.open(`{"type":"header"`)
	b.text(s, h.Variables[0], part{})
	b.close()
}

func (b *binder) mediaHeader(p Parameters) {
	want := strings.ToLower(b.t.Header.Format)
	if p.HeaderText != nil {
		b.differ("the header's format is %s, the campaign gives it a text", want)
	}
	m := p.HeaderMedia
	if m == nil {
		b.differ("the header's format is %s, the campaign gives it no media", want)
		return
	}
	if got := strings.ToLower(m.Format); got != want {
		b.differ("the header's format is %s, the campaign gives it %s", want, got)
		return
	}
	if (m.Link == "") == (m.ID == "") {
		b.differ("the header's %s needs either a link or an id", want)
		return
	}
	if u, err := url.Parse(m.Link); m.Link != "" && (err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "") {
		b.differ("the header's link %q is no web address", m.Link)
		return
	}
	if m.Filename != "" && want != "document" {
		b.differ("a file name is for documents, the header's format is %s", want)
		return
	}
	b.open(`{"type":"header"`)
	b.json = fmt.Appendf(b.json, `{"type":"%s","%s":{`, want, want)
	if m.Link != "" {
		b.json = appendQuoted(append(b.json, `"link":`...), m.Link)
	} else {
		b.json = appendQuoted(append(b.json, `"id":`...), m.ID)
	}
	if name := clean(m.Filename); name != "" {
		b.json = appendQuoted(append(b.json, `,"filename":`...), name)
	}
	b.json = append(b.json, "}}"...)
	b.close()
	b.bound.media = *m
}

// text writes one text parameter of the header or the body.
func (b *binder) text(s source, variable string, p part) {
	b.json = append(b.json, `{"type":"text"`...)
	if b.t.Named {
		b.json = appendQuoted(append(b.json, `,"parameter_name":`...), variable)
	}
	b.json = append(b.json, `,"text":`...)
	b.put(s, p)
	b.json = append(b.json, '}')
}

func (b *binder) body(p Parameters) {
	values, ok := b.bodyValues(p)
	if !ok {
		return
	}
	sources := make(map[string]source, len(values))
	for _, name := range b.t.Body.Variables {
		s, ok := b.source("the body's {{"+name+"}}", values[name])
		if !ok {
			return
		}
		sources[name] = s
	}
	times := map[string]int{}
	for _, s := range split(b.t.Body.Text) {
		b.bound.fixed += utf8.RuneCountInString(s.fixed)
		if s.variable == "" {
			continue
		}
		times[s.variable]++
		b.bound.fixed += utf8.RuneCountInString(sources[s.variable].text)
	}
	b.bound.body = sources
	if len(b.t.Body.Variables) == 0 {
		return
	}
	b.open(`{"type":"body"`)
	for i, name := range b.t.Body.Variables {
		if i > 0 {
			b.json = append(b.json, ',')
		}
		b.text(sources[name], name, part{times: times[name]})
	}
	b.close()
}

// bodyValues gives each variable of the body its value, or says why that cannot be done.
func (b *binder) bodyValues(p Parameters) (map[string]Value, bool) {
	want := b.t.Body.Variables
	before := len(b.differences)
	switch {
	case len(p.Body) > 0 && len(p.Named) > 0:
		b.differ("the campaign gives the body parameters both by position and by name")
	case len(want) == 0 && len(p.Body)+len(p.Named) > 0:
		b.differ("the body takes no parameters, the campaign gives %d", len(p.Body)+len(p.Named))
	case b.t.Named && len(p.Body) > 0:
		b.differ("the body takes parameters by name (%s), the campaign gives %d by position", strings.Join(want, ", "), len(p.Body))
	case !b.t.Named && len(p.Named) > 0:
		b.differ("the body takes %d parameters by position, the campaign gives them by name", len(want))
	case !b.t.Named && len(p.Body) != len(want):
		b.differ("the body takes %d parameters, the campaign gives %d", len(want), len(p.Body))
	}
	if len(b.differences) > before {
		return nil, false
	}
	if !b.t.Named {
		values := make(map[string]Value, len(want))
		for i, name := range want {
			values[name] = p.Body[i]
		}
		return values, true
	}
	for _, name := range want {
		if _, ok := p.Named[name]; !ok {
			b.differ("the body takes {{%s}}, the campaign gives it none", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Named)) {
		if !slices.Contains(want, name) {
			b.differ("the campaign gives {{%s}}, the body has no such variable", name)
		}
	}
	return p.Named, len(b.differences) == before
}

func (b *binder) buttons(p Parameters, stopPayload string) {
	b.bound.buttons = make([]source, len(b.t.Buttons))
	for i, button := range b.t.Buttons {
		v, given := p.Buttons[i]
		switch {
		case button.Type == "QUICK_REPLY":
			if given {
				b.quickReply(i, v, stopPayload)
			}
		case button.Variable && given:
			b.urlButton(i, button, v)
		case button.Variable:
			b.differ("button %d takes the end of its link, the campaign gives it none", i)
		case given:
			b.differ("button %d (%s) takes no parameter, the campaign gives it one", i, button.Type)
		}
	}
	for _, i := range slices.Sorted(maps.Keys(p.Buttons)) {
		if i < 0 || i >= len(b.t.Buttons) {
			b.differ("the campaign gives button %d a parameter, the template has %d buttons, counted from 0", i, len(b.t.Buttons))
		}
	}
}

func (b *binder) quickReply(i int, v Value, stopPayload string) {
	if v.Payload == nil || v.Text != nil || v.Field != "" || v.Default != nil || v.Page != "" {
		b.differ("button %d is a quick reply: it takes a payload and nothing else", i)
		return
	}
	payload := *v.Payload
	if payload == OptOutPayload {
		payload = stopPayload
	}
	if strings.TrimSpace(payload) == "" {
		b.differ("button %d has an empty payload", i)
		return
	}
	b.open(`{"type":"button","sub_type":"quick_reply","index":"` + strconv.Itoa(i) + `"`)
	b.json = appendQuoted(append(b.json, `{"type":"payload","payload":`...), payload)
	b.json = append(b.json, '}')
	b.close()
}

func (b *binder) urlButton(i int, button Button, v Value) {
	s, ok := b.source(fmt.Sprintf("button %d", i), v)
	if !ok {
		return
	}
	if want := v.Page + "{{1}}"; v.Page != "" && button.URL != want {
		b.differ("button %d is to lead to the recipient's own page, so its link must be %s; at Meta it is %s", i, want, button.URL)
		return
	}
	room := maxURL
	for _, segment := range split(button.URL) {
		room -= utf8.RuneCountInString(segment.fixed)
	}
	if room < utf8.RuneCountInString(s.text) || room < 1 {
		b.differ("the link of button %d is longer than %d characters", i, maxURL)
		return
	}
	b.bound.buttons[i] = s
	b.open(`{"type":"button","sub_type":"url","index":"` + strconv.Itoa(i) + `"`)
	b.json = append(b.json, `{"type":"text","text":`...)
	b.put(s, part{room: room, button: i})
	b.json = append(b.json, '}')
	b.close()
}

// source reads a text value. where names it in the sentence that says what is wrong.
func (b *binder) source(where string, v Value) (source, bool) {
	before := len(b.differences)
	var s source
	switch {
	case v.Payload != nil:
		b.differ("%s takes a text or a field, not a payload", where)
	case v.Page != "" && (v.Text != nil || v.Field != "" || v.Default != nil):
		b.differ("%s takes a page and nothing else", where)
	case v.Page != "":
		s.field = PageField
	case (v.Text != nil) == (v.Field != ""):
		b.differ("%s needs either a text or a field", where)
	case v.Text != nil:
		if s.text = clean(*v.Text); s.text == "" {
			b.differ("%s has an empty text", where)
		}
		if v.Default != nil {
			b.differ("%s has a default beside a fixed text", where)
		}
	default:
		s.field = v.Field
		if v.Default == nil {
			break
		}
		if s.fallback = clean(*v.Default); s.fallback == "" {
			b.differ("%s has an empty default", where)
		}
	}
	return s, len(b.differences) == before
}
