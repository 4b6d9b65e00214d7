package templates

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/policy"
)

// Catalogue is what Meta has: templates by name and language. The zero Catalogue is empty. It does not change and may be shared.
type Catalogue struct {
	byName map[string]map[string]Template
}

// NewCatalogue makes a catalogue; of two templates with the same name and language the later one is kept.
func NewCatalogue(list []Template) Catalogue {
	c := Catalogue{byName: map[string]map[string]Template{}}
	for _, t := range list {
		if c.byName[t.Name] == nil {
			c.byName[t.Name] = map[string]Template{}
		}
		c.byName[t.Name][normalLanguage(t.Language)] = t
	}
	return c
}

// Find returns a template; en-US and en_US are the same language, en is another: Meta has no fallback.
func (c Catalogue) Find(name, language string) (Template, bool) {
	t, ok := c.byName[name][normalLanguage(language)]
	return t, ok
}

// Languages lists a template's languages in order of their codes, nil when Meta does not have it.
func (c Catalogue) Languages(name string) []string {
	return slices.Sorted(maps.Keys(c.byName[name]))
}

// All lists every template in order of name and language.
func (c Catalogue) All() []Template {
	var list []Template
	for _, languages := range c.byName {
		list = slices.AppendSeq(list, maps.Values(languages))
	}
	slices.SortFunc(list, func(a, b Template) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Language, b.Language))
	})
	return list
}

// RefusedError says why a template cannot be sent in one language.
type RefusedError struct {
	Template string
	Language string // "" when it holds for all
	// Reason is NoTemplate, TemplateNotApproved, or MissingParameter when the parameters do not fit.
	Reason policy.Reason
	Why    string
}

// Error is one sentence: which template, which language, what is wrong and what to do.
func (e *RefusedError) Error() string {
	if e.Language == "" {
		return fmt.Sprintf("template %s: %s", e.Template, e.Why)
	}
	return fmt.Sprintf("template %s (%s): %s", e.Template, e.Language, e.Why)
}

// ErrorCode returns the code of the reason.
func (e *RefusedError) ErrorCode() errcode.Code {
	switch e.Reason {
	case policy.NoTemplate:
		return errcode.NoTemplate
	case policy.TemplateNotApproved:
		return errcode.TemplateNotApproved
	}
	return errcode.TemplateParameters
}

// Check reports whether a message can be sent in every one of its languages: Meta has it, it is APPROVED, and its
// parameters fit. The error is a *RefusedError, or several joined.
func Check(c Catalogue, m Message) error {
	have := c.Languages(m.Template)
	if len(have) == 0 {
		return &RefusedError{Template: m.Template, Reason: policy.NoTemplate,
			Why: "Meta does not have a template of this name; create it there, then run `permesso templates sync`"}
	}
	if len(m.Languages) == 0 {
		return &RefusedError{Template: m.Template, Reason: policy.NoTemplate,
			Why: "the campaign names no language; it exists in " + strings.Join(have, ", ")}
	}
	var refused []error
	for _, language := range m.Languages {
		if err := check(c, m, language); err != nil {
			refused = append(refused, err)
		}
	}
	if len(refused) == 1 {
		return refused[0]
	}
	return errors.Join(refused...)
}

func check(c Catalogue, m Message, language string) error {
	refuse := func(reason policy.Reason, why string) error {
		return &RefusedError{Template: m.Template, Language: language, Reason: reason, Why: why}
	}
	t, ok := c.Find(m.Template, language)
	if !ok {
		return refuse(policy.NoTemplate, "Meta has it, but not in this language; it exists in "+strings.Join(c.Languages(m.Template), ", "))
	}
	if !t.Approved() {
		return refuse(policy.TemplateNotApproved, fmt.Sprintf("its status is %s, and only APPROVED is sent", cmp.Or(t.Status, "unknown")))
	}
	// The real payload of the stop button is made per run; which one it is does not change whether the parameters fit.
	if _, err := Bind(t, m.Parameters, OptOutPayload); err != nil {
		if drift, ok := errors.AsType[*DriftError](err); ok {
			return refuse(policy.MissingParameter, "it has other parameters than the campaign: "+strings.Join(drift.Differences, "; "))
		}
		return refuse(policy.MissingParameter, err.Error())
	}
	return nil
}
