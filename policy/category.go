package policy

import (
	"fmt"
	"strings"
	"time"
)

// Kind is Meta's class of a message: what it costs and which rules it falls under
// (Meta, "Template categorization", read 2026-09-11).
type Kind string

// The three kinds of template that Meta knows.
const (
	Marketing      Kind = "marketing"
	Utility        Kind = "utility"
	Authentication Kind = "authentication"
)

// Valid reports whether k is one of the three kinds.
func (k Kind) Valid() bool { return k == Marketing || k == Utility || k == Authentication }

// EffectiveKind is the class that a message falls under for stops, caps, quiet hours and countries, and under which a
// Send is recorded: the category's own, or marketing when Meta's current word on the template is marketing, which decides
// over the campaign's author (Meta, "Template categorization", read 2026-09-11). A kind that cannot be read is marketing.
func EffectiveKind(category, template Kind) Kind {
	if !category.Valid() || !template.Valid() || template == Marketing {
		return Marketing
	}
	return category
}

// Category is what people consent to, in the business's own words.
type Category struct {
	ID   string
	Kind Kind
	// Title names the category per BCP 47 language.
	Title map[string]string
	// ConsentExpiresAfter is how long a granted consent holds; 0 is for ever.
	ConsentExpiresAfter time.Duration
}

// Scope says what a suppression stops: "all", "kind:marketing" or "category:offers".
type Scope string

// ScopeAll stops everything from the business.
const ScopeAll Scope = "all"

// ScopeKind stops every category of one kind.
func ScopeKind(k Kind) Scope { return Scope("kind:" + string(k)) }

// ScopeCategory stops one category.
func ScopeCategory(id string) Scope { return Scope("category:" + id) }

// ParseScope reads a scope as people write it; an empty text is ScopeAll.
func ParseScope(text string) (Scope, error) {
	text = strings.TrimSpace(text)
	switch kind, rest, _ := strings.Cut(text, ":"); {
	case text == "" || text == string(ScopeAll):
		return ScopeAll, nil
	case kind == "kind" && Kind(rest).Valid():
		return Scope(text), nil
	case kind == "category" && rest != "":
		return Scope(text), nil
	}
	return "", fmt.Errorf("scope %q: write all, kind:marketing, kind:utility, kind:authentication or category:ID", text)
}

// Covers reports whether the scope stops messages of category c. A scope it cannot read covers everything.
func (s Scope) Covers(c Category) bool {
	switch kind, rest, _ := strings.Cut(string(s), ":"); kind {
	case "kind":
		return Kind(rest) == c.Kind || !Kind(rest).Valid()
	case "category":
		return rest == c.ID
	}
	return true
}
