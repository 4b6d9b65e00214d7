package config

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/policy"
)

var idShape = regexp.MustCompile(`^[a-z0-9_-]+$`)

const wantID = "small letters, digits, - and _"

func (l *loader) readCategories(root object) {
	v, found := root.require("categories", "people consent to categories, so nothing can be sent without one")
	if !found {
		return
	}
	entries, ok := v.entries("a group of categories, such as offers: {kind: marketing}")
	if !ok {
		return
	}
	l.categories = map[string]value{}
	l.cfg.Rules.Categories = map[string]policy.Category{}
	for _, e := range entries {
		l.categories[e.key] = e.val
		if !idShape.MatchString(e.key) {
			e.name.fail(errcode.InvalidName, "the category %q must be named with %s", e.key, wantID)
		}
		if o, ok := e.val.object(categoryKeys); ok {
			l.cfg.Rules.Categories[e.key] = o.category(e)
		}
	}
	if len(entries) == 0 {
		l.categories = nil
		v.fail(errcode.EmptyValue, "categories is empty: name at least one, such as offers: {kind: marketing}")
	}
}

func (o object) category(named entry) policy.Category {
	category := policy.Category{ID: named.key}
	if v, found := o.require("kind", "write marketing, utility or authentication"); found {
		category.Kind, _ = v.messageKind()
	}
	named.name.stopsBy(category, named.key)
	if v, found := o.get("title"); found {
		if entries, ok := v.entries("titles by language, such as {en: Offers}"); ok {
			category.Title = map[string]string{}
			for _, e := range entries {
				if e.isLanguage() {
					category.Title[e.key], _ = e.val.text("the category's title in this language")
					e.val.stopsBy(category, category.Title[e.key])
				}
			}
		}
	}
	if v, found := o.get("consent_expires_after"); found {
		category.ConsentExpiresAfter, _ = v.duration()
	}
	return category
}

// stopsBy has people stop a category by a name of it, which stands at v.
func (v value) stopsBy(category policy.Category, name string) {
	if err := v.l.cfg.Keywords.AddName(category, name); err != nil {
		v.fail(errcode.InvalidKeyword, "%v", err)
	}
}

func (v value) messageKind() (policy.Kind, bool) {
	text, ok := v.oneOf(kindWords...)
	return policy.Kind(text), ok
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

// isLanguage checks a key that is a BCP 47 tag.
func (e entry) isLanguage() bool {
	if languageTag.MatchString(e.key) {
		if _, err := language.Parse(e.key); err == nil {
			return true
		}
	}
	if dashed := strings.ReplaceAll(e.key, "_", "-"); dashed != e.key && languageTag.MatchString(dashed) {
		e.name.fail(errcode.UnknownLanguage, "unknown language %q; did you mean %q?", e.key, dashed)
	} else {
		e.name.fail(errcode.UnknownLanguage, "unknown language %q: write its code, such as it or pt-BR", e.key)
	}
	return false
}

// knownCategory returns the id of a category that the file names.
func (v value) knownCategory() (string, bool) {
	id, ok := v.text("one of the categories")
	if !ok {
		return "", false
	}
	if _, known := v.l.categories[id]; !known && v.l.categories != nil {
		v.fail(errcode.UndeclaredCategory, "unknown category %q%s", id, suggest(id, keysOf(v.l.categories)))
		return "", false
	}
	return id, true
}

func keysOf(places map[string]value) []string {
	keys := make([]string, 0, len(places))
	for key := range places {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
