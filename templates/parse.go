package templates

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/permesso/permesso/policy"
)

// Parse reads one entry of GET message_templates (Meta, "Templates", read 2026-09-11). It takes numbers for texts and
// any case of Meta's words. It fails on an entry that is not an object, has no name, language or category that is
// known, or whose variables cannot be told; components that this version cannot fill are no error but in Unsupported.
func Parse(entry json.RawMessage) (Template, error) {
	var e struct {
		Name            word        `json:"name"`
		Language        word        `json:"language"`
		Status          word        `json:"status"`
		Category        word        `json:"category"`
		ParameterFormat word        `json:"parameter_format"`
		Components      []component `json:"components"`
	}
	if err := json.Unmarshal(entry, &e); err != nil {
		return Template{}, fmt.Errorf("reading a template: %w", err)
	}
	t := Template{
		Name:     strings.TrimSpace(string(e.Name)),
		Language: normalLanguage(string(e.Language)),
		Status:   e.Status.upper(),
		Kind:     policy.Kind(strings.ToLower(e.Category.upper())),
	}
	if t.Name == "" || t.Language == "" {
		return Template{}, fmt.Errorf("reading a template: it has no name or no language (name %q, language %q)", t.Name, t.Language)
	}
	if !t.Kind.Valid() {
		return Template{}, fmt.Errorf("template %s (%s): category %q is none of MARKETING, UTILITY, AUTHENTICATION", t.Name, t.Language, e.Category)
	}
	seen := map[string]int{}
	for _, c := range e.Components {
		seen[c.Type.upper()]++
		t.add(c)
	}
	for _, kind := range []string{"HEADER", "BODY", "FOOTER", "BUTTONS"} {
		if seen[kind] > 1 {
			return Template{}, fmt.Errorf("template %s (%s): it has %d components of type %s", t.Name, t.Language, seen[kind], kind)
		}
	}
	// Every template has a body: without one the entry was read without its components, and its variables are unknown.
	if seen["BODY"] == 0 {
		return Template{}, fmt.Errorf("template %s (%s): it has no BODY component; ask Meta for the field components", t.Name, t.Language)
	}
	if err := t.settle(e.ParameterFormat.upper()); err != nil {
		return Template{}, fmt.Errorf("template %s (%s): %w", t.Name, t.Language, err)
	}
	return t, nil
}

type component struct {
	Type    word `json:"type"`
	Format  word `json:"format"`
	Text    word `json:"text"`
	Buttons []struct {
		Type word `json:"type"`
		Text word `json:"text"`
		URL  word `json:"url"`
	} `json:"buttons"`
}

func (t *Template) add(c component) {
	switch kind := c.Type.upper(); kind {
	case "HEADER":
		t.Header.Format = cmp.Or(c.Format.upper(), "TEXT")
		switch {
		case t.Header.Format == "TEXT":
			t.Header.Text = string(c.Text)
			t.Header.Variables = variables(t.Header.Text)
		case !t.Header.media():
			t.Unsupported = append(t.Unsupported, t.Header.Format+" header")
		}
	case "BODY":
		t.Body = Text{Text: string(c.Text), Variables: variables(string(c.Text))}
		if strings.TrimSpace(t.Body.Text) == "" {
			t.Unsupported = append(t.Unsupported, "BODY without text")
		}
	case "FOOTER":
		t.Footer = string(c.Text)
	case "BUTTONS":
		for _, b := range c.Buttons {
			t.addButton(Button{Type: b.Type.upper(), Text: string(b.Text), URL: string(b.URL)})
		}
	default:
		t.Unsupported = append(t.Unsupported, cmp.Or(kind, "component without a type"))
	}
}

func (t *Template) addButton(b Button) {
	switch b.Type {
	case "URL":
		names := variables(b.URL)
		b.Variable = len(names) > 0
		if len(names) > 1 {
			t.Unsupported = append(t.Unsupported, "URL button with several variables")
		}
	case "QUICK_REPLY", "PHONE_NUMBER":
	default:
		t.Unsupported = append(t.Unsupported, cmp.Or(b.Type, "typeless")+" button")
	}
	t.Buttons = append(t.Buttons, b)
}

// settle decides between positions and names, and refuses what is neither.
func (t *Template) settle(format string) error {
	all := slices.Concat(t.Header.Variables, t.Body.Variables)
	positional := !slices.ContainsFunc(all, func(name string) bool { return ordinal(name) == 0 })
	switch format {
	case "NAMED":
		t.Named = true
	case "POSITIONAL", "":
		t.Named = format == "" && !positional
	default:
		return fmt.Errorf("parameter_format %q is neither POSITIONAL nor NAMED", format)
	}
	if len(t.Header.Variables) > 1 {
		t.Unsupported = append(t.Unsupported, "header with several variables")
	}
	if t.Named {
		return nil
	}
	if !positional {
		return fmt.Errorf("its parameter_format is POSITIONAL, yet it has variables with names: %s", strings.Join(all, ", "))
	}
	slices.SortFunc(t.Body.Variables, func(a, b string) int { return ordinal(a) - ordinal(b) })
	for i, name := range t.Body.Variables {
		if ordinal(name) != i+1 {
			return fmt.Errorf("its body has {{%s}} but not {{%d}}", name, i+1)
		}
	}
	return nil
}

// word is a text that Meta may also write as a number, a boolean or null: its pages disagree about types.
type word string

// UnmarshalJSON takes any JSON scalar.
func (w *word) UnmarshalJSON(raw []byte) error {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || string(raw) == "null":
		*w = ""
		return nil
	case raw[0] == '{' || raw[0] == '[':
		return fmt.Errorf("a text was expected, not %c…", raw[0])
	case raw[0] != '"':
		*w = word(raw)
		return nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("reading a text: %w", err)
	}
	*w = word(s)
	return nil
}

func (w word) upper() string { return strings.ToUpper(strings.TrimSpace(string(w))) }

// normalLanguage writes en-US as en_US: webhooks have used both for what GET calls en_US.
func normalLanguage(language string) string {
	return strings.ReplaceAll(strings.TrimSpace(language), "-", "_")
}
