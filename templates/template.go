package templates

import (
	"slices"
	"strconv"
	"strings"

	"github.com/permesso/permesso/policy"
)

// Limits of what is sent (Meta, "Template components", copy of 2025-12-15).
const (
	maxBody = 1024 // characters, after substitution; beyond it Meta answers 132005
	maxURL  = 2000 // characters, after substitution
)

// Template is one language of a template as Meta stores it. It is made by Parse.
type Template struct {
	Name     string
	Language string // with _, as in it or en_US
	Status   string // Meta's word in upper case; only APPROVED is sent
	// Kind is Meta's category of today. It decides price and rules, whatever the campaign's author chose
	// (Meta, "Template categorization", read 2026-09-11).
	Kind    policy.Kind
	Named   bool // the body's variables have names, not positions
	Header  Header
	Body    Text
	Footer  string
	Buttons []Button
	// Unsupported are the components, headers and buttons that this version cannot fill, in Meta's words.
	Unsupported []string
}

// Header is what stands above the body. Format is "" when there is none, else TEXT, IMAGE, VIDEO, DOCUMENT or
// another word of Meta's.
type Header struct {
	Format    string
	Text      string
	Variables []string
}

// Text is a text with its variables, each named once: "1", "2" … in order of number, or names in order of appearance.
type Text struct {
	Text      string
	Variables []string
}

// Button is one button. Variable says that the URL ends in a variable.
type Button struct {
	Type     string // QUICK_REPLY, URL, PHONE_NUMBER or another word of Meta's
	Text     string
	URL      string
	Variable bool
}

// Approved reports whether Meta sends it at all (Meta, "Templates", read 2026-09-11: only APPROVED can be sent).
func (t Template) Approved() bool { return t.Status == "APPROVED" }

// media reports whether the header is one that a Media fills.
func (h Header) media() bool {
	return h.Format == "IMAGE" || h.Format == "VIDEO" || h.Format == "DOCUMENT"
}

// segment is fixed text and the variable after it; the last segment of a text has none.
type segment struct {
	fixed, variable string
}

// split cuts a template's text at its variables: {{1}}, {{first_name}}. Braces around anything else are text.
func split(text string) []segment {
	var out []segment
	from, at := 0, 0
	for {
		open := strings.Index(text[at:], "{{")
		if open < 0 {
			return append(out, segment{fixed: text[from:]})
		}
		open += at
		end := strings.Index(text[open:], "}}")
		if end < 0 {
			return append(out, segment{fixed: text[from:]})
		}
		end += open
		name := strings.TrimSpace(text[open+2 : end])
		if !isVariable(name) {
			at = open + 1
			continue
		}
		out = append(out, segment{fixed: text[from:open], variable: name})
		from = end + 2
		at = from
	}
}

func isVariable(name string) bool {
	for _, c := range []byte(name) {
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return name != ""
}

// variables lists the variables of a text, each once.
func variables(text string) []string {
	var names []string
	for _, s := range split(text) {
		if s.variable != "" && !slices.Contains(names, s.variable) {
			names = append(names, s.variable)
		}
	}
	return names
}

// ordinal is the number of a positional variable, 0 when it is none.
func ordinal(name string) int {
	n, err := strconv.Atoi(name)
	if err != nil || n < 1 || strconv.Itoa(n) != name {
		return 0
	}
	return n
}
