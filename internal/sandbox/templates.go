package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// template is one message template as Meta stores it, with what a send needs
// worked out beforehand. It never changes: a new status is a new template.
type template struct {
	id, name, language, status, category string
	fields                               map[string]json.RawMessage
	parts                                parts
	cards                                []parts
	carousel, offer, offerExpires        bool
}

// parts are the components that a send may fill: of the template itself, or of
// one carousel card.
type parts struct {
	named     bool
	header    string // "" or TEXT, IMAGE, VIDEO, GIF, DOCUMENT, LOCATION, PRODUCT
	title     text
	body      text
	bodyLimit int // characters, values included
	buttons   []button
}

type button struct {
	kind  string // upper case, as stored
	label string
	url   text // of URL buttons
}

// text is a template text cut at its variables.
type text struct {
	literal   int      // characters outside variables
	variables []string // distinct, in order of first use; positional ones in numeric order
	uses      []int    // how often each is used
}

type templateKey struct{ name, language string }

// catalogue is an immutable list of templates; cursors of another generation
// have expired.
type catalogue struct {
	list       []*template
	byKey      map[templateKey]*template
	generation int
}

func newCatalogue(list []*template, generation int) (*catalogue, error) {
	c := &catalogue{list: list, byKey: make(map[templateKey]*template, len(list)), generation: generation}
	for _, t := range list {
		key := templateKey{t.name, t.language}
		if c.byKey[key] != nil {
			return nil, fmt.Errorf("template %s (%s) is given twice", t.name, t.language)
		}
		c.byKey[key] = t
	}
	return c, nil
}

// byID returns nil when no template has this id.
func (c *catalogue) byID(id string) *template {
	for _, t := range c.list {
		if t.id == id {
			return t
		}
	}
	return nil
}

type storedTemplate struct {
	ID, Name, Language, Status, Category string
	ParameterFormat                      string `json:"parameter_format"`
	Components                           []storedComponent
}

type storedComponent struct {
	Type, Format, Text string
	Buttons            []struct{ Type, Text, URL string }
	Cards              []struct{ Components []storedComponent }
	Offer              struct {
		HasExpiration bool `json:"has_expiration"`
	} `json:"limited_time_offer"`
}

// parseTemplate reads one element of GET message_templates (graph-api.md §5.1).
func parseTemplate(raw json.RawMessage) (*template, error) {
	var st storedTemplate
	t := &template{}
	if err := json.Unmarshal(raw, &st); err != nil {
		return nil, fmt.Errorf("reading a template: %w", err)
	}
	if err := json.Unmarshal(raw, &t.fields); err != nil {
		return nil, fmt.Errorf("reading a template: %w", err)
	}
	for field, v := range map[string]string{"id": st.ID, "name": st.Name, "language": st.Language, "status": st.Status, "category": st.Category} {
		if v == "" {
			return nil, fmt.Errorf("template %q has no %s", st.Name, field)
		}
	}
	t.id, t.name, t.language, t.status, t.category = st.ID, st.Name, st.Language, st.Status, st.Category
	named := strings.EqualFold(st.ParameterFormat, "NAMED")
	var err error
	if t.parts, err = parseParts(st.Components, named, 1024); err != nil {
		return nil, fmt.Errorf("template %s (%s): %w", t.name, t.language, err)
	}
	for _, c := range st.Components {
		switch strings.ToUpper(c.Type) {
		case "LIMITED_TIME_OFFER":
			t.offer, t.offerExpires = true, c.Offer.HasExpiration
			t.parts.bodyLimit = 600
		case "CAROUSEL":
			t.carousel = true
			for i, card := range c.Cards {
				p, err := parseParts(card.Components, named, 160)
				if err != nil {
					return nil, fmt.Errorf("template %s (%s), card %d: %w", t.name, t.language, i, err)
				}
				t.cards = append(t.cards, p)
			}
		}
	}
	return t, nil
}

func parseParts(components []storedComponent, named bool, bodyLimit int) (parts, error) {
	p := parts{named: named, bodyLimit: bodyLimit}
	for _, c := range components {
		switch strings.ToUpper(c.Type) {
		case "HEADER":
			p.header = strings.ToUpper(c.Format)
			p.title = cutText(c.Text, named)
		case "BODY":
			p.body = cutText(c.Text, named)
		case "BUTTONS":
			if len(c.Buttons) > maxButtons {
				return p, fmt.Errorf("%d buttons, at most %d are possible", len(c.Buttons), maxButtons)
			}
			for _, b := range c.Buttons {
				p.buttons = append(p.buttons, button{kind: strings.ToUpper(b.Type), label: b.Text, url: cutText(b.URL, false)})
			}
		case "FOOTER", "LIMITED_TIME_OFFER", "CAROUSEL":
		default:
			return p, fmt.Errorf("unknown component type %q", c.Type)
		}
	}
	return p, nil
}

// cutText finds {{1}} or {{first_name}} in s.
func cutText(s string, named bool) text {
	var t text
	for {
		before, rest, open := strings.Cut(s, "{{")
		name, after, closed := strings.Cut(rest, "}}")
		if !open || !closed {
			t.literal += utf8.RuneCountInString(s)
			break
		}
		t.literal += utf8.RuneCountInString(before)
		name = strings.TrimSpace(name)
		at := slices.Index(t.variables, name)
		if at < 0 {
			at = len(t.variables)
			t.variables, t.uses = append(t.variables, name), append(t.uses, 0)
		}
		t.uses[at]++
		s = after
	}
	if !named {
		t.sortPositions()
	}
	return t
}

func (t *text) sortPositions() {
	order := make([]int, len(t.variables))
	for i := range order {
		order[i] = i
	}
	position := func(i int) int { n, _ := strconv.Atoi(t.variables[i]); return n }
	slices.SortFunc(order, func(a, b int) int { return position(a) - position(b) })
	variables, uses := make([]string, len(order)), make([]int, len(order))
	for i, from := range order {
		variables[i], uses[i] = t.variables[from], t.uses[from]
	}
	t.variables, t.uses = variables, uses
}

// stopButton returns the index of the quick reply that a person would tap to
// stop: one whose label says so, else the last one; -1 when there is none.
func (t *template) stopButton() int {
	found := -1
	for i, b := range t.parts.buttons {
		if b.kind != "QUICK_REPLY" {
			continue
		}
		found = i
		label := strings.ToLower(b.label)
		if strings.Contains(label, "stop") || strings.Contains(label, "unsubscribe") {
			return i
		}
	}
	return found
}

// withStatus returns a copy of t in another status.
func (t *template) withStatus(status string) *template {
	c := *t
	c.status = status
	c.fields = make(map[string]json.RawMessage, len(t.fields))
	for k, v := range t.fields {
		c.fields[k] = v
	}
	c.fields["status"] = appendString(nil, status)
	return &c
}
