package page

import (
	"bufio"
	"embed"
	"fmt"
	"html"
	"html/template"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/permesso/permesso/policy"
)

//go:embed words/*.txt
var wordFiles embed.FS

// tongues are the languages that the pages are in; the first is spoken where nothing says otherwise.
var tongues = []string{"en", "it", "es", "pt", "fr", "de", "nl", "pl", "id", "ru", "he", "ar", "hi", "tr"}

// texts are the words of a language by their key.
type texts map[string]string

// spoken are the words of every language, and what picks one.
var spoken, matcher = readWords()

func readWords() (map[string]texts, language.Matcher) {
	all := map[string]texts{}
	tags := make([]language.Tag, len(tongues))
	for i, tongue := range tongues {
		tags[i] = language.MustParse(tongue)
		file, err := wordFiles.Open("words/" + tongue + ".txt")
		if err != nil {
			panic(fmt.Sprintf("page: %v", err)) // it is part of the program
		}
		words := texts{}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			if key, text, found := strings.Cut(lines.Text(), ": "); found {
				words[key] = text
			}
		}
		all[tongue] = words
	}
	return all, language.NewMatcher(tags)
}

// tongueOf is the first of the wanted languages that the pages have; "" when they have none.
func tongueOf(wanted ...string) string {
	for _, want := range wanted {
		tags, _, err := language.ParseAcceptLanguage(want)
		if err != nil || len(tags) == 0 {
			continue
		}
		if _, at, confidence := matcher.Match(tags...); confidence >= language.Low {
			return tongues[at]
		}
	}
	return ""
}

// insert is what stands in the place of a name in braces, and its language when that is not the page's.
type insert struct{ text, lang string }

// voice says the words of one language, with names in their places.
type voice struct {
	Lang    string
	words   texts
	inserts map[string]insert
}

func newVoice(tongue, business string) voice {
	return voice{Lang: tongue, words: spoken[tongue], inserts: map[string]insert{"business": {text: business}}}
}

// with is the voice with one more name.
func (v voice) with(name string, value insert) voice {
	v.inserts = maps.Clone(v.inserts)
	v.inserts[name] = value
	return v
}

// about is the voice with a category, by its title in the voice's language, else in the business's, else in another, else its id.
func (v voice) about(c policy.Category, business []string) voice {
	wanted := append([]string{v.Lang}, business...)
	for _, want := range append(wanted, "en") {
		for _, tag := range slices.Sorted(maps.Keys(c.Title)) {
			if languageOnly(tag) == languageOnly(want) {
				return v.with("category", v.foreign(c.Title[tag], tag))
			}
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(c.Title)) {
		return v.with("category", v.foreign(c.Title[tag], tag))
	}
	return v.with("category", insert{text: c.ID})
}

func (v voice) foreign(text, tag string) insert {
	if languageOnly(tag) == v.Lang {
		tag = ""
	}
	return insert{text, tag}
}

func languageOnly(tag string) string {
	tag, _, _ = strings.Cut(strings.ToLower(tag), "-")
	return tag
}

// Dir is the direction in which the language is written.
func (v voice) Dir() string { return v.words["dir"] }

// Plain is a text with the names in their places.
func (v voice) Plain(key string) string {
	return v.fill(v.words[key], func(i insert) string { return i.text })
}

// Say is Plain for a page: each name keeps its own direction, whatever stands around it.
func (v voice) Say(key string) template.HTML {
	return template.HTML(v.fill(html.EscapeString(v.words[key]), markup)) //nolint:gosec // text and names are escaped
}

func markup(i insert) string {
	if i.lang == "" {
		return "<bdi>" + html.EscapeString(i.text) + "</bdi>"
	}
	return `<bdi lang="` + html.EscapeString(i.lang) + `">` + html.EscapeString(i.text) + "</bdi>"
}

// fill puts names in the place of those in braces.
func (v voice) fill(text string, as func(insert) string) string {
	var out strings.Builder
	for {
		before, rest, open := strings.Cut(text, "{")
		out.WriteString(before)
		name, after, closed := strings.Cut(rest, "}")
		if !open || !closed {
			return out.String()
		}
		out.WriteString(as(v.inserts[name]))
		text = after
	}
}

// Business is the name of who writes.
func (v voice) Business() string { return v.inserts["business"].text }
