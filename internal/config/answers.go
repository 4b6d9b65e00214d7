package config

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/policy"
)

// Wording is a text in a language. The first of several is for those whose language is not among them.
type Wording struct {
	Language string // BCP 47
	Text     string // the business's name is in its place
}

// OptIn is how people ask for a category.
type OptIn struct {
	// Keywords are added to the built-in lists, per BCP 47 language. They are nil when nobody is asked, and may be empty.
	Keywords map[string][]string
	// Pages are the categories that have an opt-in page.
	Pages []string
}

// businessPlace is where a wording has the business's name.
const businessPlace = "{{business}}"

// longestWording is how long a text message may be, in characters (Meta, "Text messages", read 2026-09-11).
const longestWording = 4096

// wordingShape is text in which {{business}} alone stands in double braces.
var wordingShape = regexp.MustCompile(`^(?:\{\{business\}\}|\{?[^{])*\{?$`)

const wantWording = "text, in which {{business}} becomes the business's name"

// wordings reads texts by language.
func (v value) wordings(want string) (list []Wording) {
	entries, ok := v.entries(want)
	if !ok {
		return nil
	}
	for _, e := range entries {
		text, ok := e.val.text("a text in this language")
		if !ok || !e.isLanguage() {
			continue
		}
		switch written := strings.ReplaceAll(text, businessPlace, v.l.cfg.Business.Name); {
		case !wordingShape.MatchString(text):
			e.val.fail(errcode.InvalidWording, "this text has braces {{…}} of which only %s is known", businessPlace)
		case utf8.RuneCountInString(written) > longestWording:
			e.val.fail(errcode.InvalidWording, "this text is %d characters long, and WhatsApp takes at most %d", utf8.RuneCountInString(written), longestWording)
		default:
			list = append(list, Wording{e.key, written})
		}
	}
	return list
}

func (l *loader) readOptIn(root object) {
	v, found := root.get("opt_in")
	if !found {
		return
	}
	o, ok := v.object(optInKeys)
	if !ok {
		return
	}
	if v, found := o.get("pages"); found {
		l.cfg.OptIn.Pages = v.joinPages()
	}
	if v, found := o.get("keywords"); found {
		l.cfg.OptIn.Keywords = v.joinWords()
	}
}

// readChat makes the words that are answered of what opt_out and opt_in say.
func (l *loader) readChat(root object) {
	var err error
	if l.cfg.Chat, err = policy.NewChat(len(l.cfg.OptOutHelp) > 0, l.cfg.OptIn.Keywords, l.cfg.Keywords); err != nil {
		v, _ := root.get("opt_in") // each of its words was looked at by itself
		v.fail(errcode.InvalidKeyword, "%v", err)
	}
}

// joinPages reads which categories have a page where people ask for them.
func (v value) joinPages() (ids []string) {
	values, ok := v.list("a list of categories, such as [offers]")
	if !ok {
		return nil
	}
	seen := map[string]value{}
	for _, v := range values {
		id, ok := v.knownCategory()
		if !ok {
			continue
		}
		if first, twice := seen[id]; twice {
			v.fail(errcode.DuplicateEntry, "the category %s is written twice; the first is on %s", id, first.where(v))
		}
		seen[id], ids = v, append(ids, id)
	}
	if v.l.cfg.ReplyNumber() == "" {
		v.fail(errcode.MissingKey, "people confirm what they ask for on a page with a message to the business's number: write it as phone in numbers")
	}
	return ids
}

// joinWords reads words that ask for a category, by language.
func (v value) joinWords() map[string][]string {
	entries, ok := v.entries("lists of words by language, such as {en: [join]}")
	if !ok {
		return nil
	}
	words := map[string][]string{}
	for _, e := range entries {
		values, ok := e.val.list("a list of words that ask for a category")
		if !ok || !e.isLanguage() {
			continue
		}
		for _, v := range values {
			word, ok := v.text("a word that asks for a category")
			if !ok {
				continue
			}
			if _, err := policy.NewChat(false, map[string][]string{e.key: {word}}, v.l.cfg.Keywords); err != nil {
				v.fail(errcode.InvalidKeyword, "%v", err)
				continue
			}
			words[e.key] = append(words[e.key], word)
		}
	}
	return words
}
