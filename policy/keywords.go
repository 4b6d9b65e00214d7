package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// MatchAction is what an inbound text asks for.
type MatchAction int

// The actions. A near match only resembles an opt-out: the person's marketing is held until somebody has read it.
const (
	MatchNone MatchAction = iota
	MatchStop
	MatchStart
	MatchNear
)

// String returns none, stop, start or near.
func (a MatchAction) String() string {
	switch a {
	case MatchStop:
		return "stop"
	case MatchStart:
		return "start"
	case MatchNear:
		return "near"
	}
	return "none"
}

// Match is what Keywords made of an inbound text.
type Match struct {
	Action MatchAction
	// Word is the keyword as it stands in its list, never the person's own text; "" when nothing matched.
	Word string
	// Language is the list's BCP 47 language; "" when several languages share the word.
	Language string
	// Category is the id of the category that the person named after the word ("STOP OFFERS"); "" is everything.
	Category string
}

// The longest message that is looked at, and the longest that may be a near match once the politeness is gone.
const (
	maxMessageBytes = 200  // of a keyword
	maxTextBytes    = 8192 // of a message: what is beyond is not read
	maxFoldedBytes  = 512  // and without what is invisible
	maxMessageWords = 64
	maxExtraWords   = 16
	maxNameWords    = 6 // of a category's title
)

// Keywords knows the words by which people stop and start messages. It is safe for concurrent use; the zero value
// knows the built-in ones.
type Keywords struct {
	words         map[string]keyword  // by folded text
	skeletons     map[string]string   // stop words by what their letters look like
	categories    map[string]Category // by folded id or title
	categoryWords map[string]bool     // the first words of those
	extras        map[string]bool     // the first words of the business's own stop words that are one word
	polite        map[string]bool
	answers       map[string]bool
}

type keyword struct {
	word, language string
	action         MatchAction
	whole          bool // only as the entire message
	phrase         bool // of the longer, built-in kind: a category's title after a stop word goes first
}

// NewKeywords returns the built-in words, those of extra (by BCP 47 language), which stop too, and the ids and titles of
// the categories, which may follow a stop or start word. It returns every mistake at once.
func NewKeywords(extra map[string][]string, categories map[string]Category) (Keywords, error) {
	k := BuiltInKeywords()
	var problems []error
	for _, language := range slices.Sorted(maps.Keys(extra)) {
		for _, word := range extra[language] {
			if err := k.AddStop(language, word); err != nil {
				problems = append(problems, err)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(categories)) {
		category := Category{ID: id, Kind: categories[id].Kind}
		for _, name := range append([]string{id}, slices.Sorted(maps.Values(categories[id].Title))...) {
			if err := k.AddName(category, name); err != nil {
				problems = append(problems, err)
			}
		}
	}
	if len(problems) > 0 {
		return Keywords{}, errors.Join(problems...)
	}
	return k, nil
}

// BuiltInKeywords returns the built-in words alone, to which a business adds its own: first words that stop, then categories' names.
func BuiltInKeywords() Keywords {
	k := builtIn()
	k.words, k.skeletons = maps.Clone(k.words), maps.Clone(k.skeletons)
	k.categories, k.categoryWords, k.extras = map[string]Category{}, map[string]bool{}, map[string]bool{}
	return k
}

// builtIn knows the built-in lists alone.
var builtIn = sync.OnceValue(func() Keywords {
	const words = 2600 // about as many as there are
	k := Keywords{words: make(map[string]keyword, words), skeletons: make(map[string]string, words), polite: set(politeness), answers: set(answers)}
	for _, v := range vocabularies() {
		for _, list := range []struct {
			words         string
			action        MatchAction
			whole, phrase bool
		}{
			{v.stop, MatchStop, false, false}, {v.leave, MatchStop, false, false}, {v.whole, MatchStop, true, false},
			{v.phrases, MatchStop, false, true}, {v.start, MatchStart, false, false},
		} {
			for _, word := range listed(list.words) {
				k.add(keyword{word: word, language: v.language, action: list.action, whole: list.whole, phrase: list.phrase})
			}
		}
	}
	return k
})

func set(words string) map[string]bool {
	s := map[string]bool{}
	for _, word := range listed(words) {
		s[key(word)] = true
	}
	return s
}

// key is the folded text by which words are found.
func key(text string) string { return keyOf(fold(nil, text)) }

func keyOf(folded []byte) string {
	return strings.ReplaceAll(string(folded), string(rune(hard)), string(rune(soft)))
}

// add lists a word, as it is and without the politeness around it, which messages lose too. A word that two lists share
// is of neither's language, and stops wherever one of them says so.
func (k *Keywords) add(word keyword) {
	text := fold(nil, word.word)
	folded := keyOf(text)
	bare := k.bareOf(text)
	if word.phrase && !strings.Contains(bare, " ") {
		bare = folded // what is left of a phrase without its politeness may be any word
	}
	for _, found := range slices.Compact([]string{folded, bare}) {
		listed, twice := k.words[found]
		if !twice {
			k.words[found] = word
			if plain, _ := latin(nil, []byte(found)); word.action == MatchStop {
				k.skeletons[string(plain)] = found
			}
			continue
		}
		if word.action == MatchStop && listed.action != MatchStop {
			word.language, listed = listed.language, word
		}
		if listed.language != word.language {
			listed.language = ""
		}
		listed.whole = listed.whole && word.whole
		listed.phrase = listed.phrase && word.phrase
		k.words[found] = listed
	}
}

// bare is the key of a word without the politeness around it; "" when nothing else is left.
func (k *Keywords) bare(word string) string { return k.bareOf(fold(nil, word)) }

// bareOf is bare of a folded text, which it overwrites.
func (k *Keywords) bareOf(folded []byte) string {
	m, more := read(folded)
	if more || m.count() == 0 {
		return ""
	}
	if k.trim(&m); m.count() == 0 {
		return ""
	}
	return string(m.all())
}

// AddStop lists a word of the business's own, of a BCP 47 language, that stops; the error says why it cannot be one.
func (k *Keywords) AddStop(language, word string) error {
	folded := key(word)
	switch {
	case language == "":
		return fmt.Errorf("opt-out keyword %q: name its language", word)
	case folded == "":
		return fmt.Errorf("opt-out keyword %q: it has no letters or digits to recognise", word)
	case len(word) > maxMessageBytes || strings.Count(folded, " ") >= maxExtraWords:
		return fmt.Errorf("opt-out keyword %q: at most %d words and %d bytes are recognised", word, maxExtraWords, maxMessageBytes)
	case k.words[folded].action == MatchStart || k.words[k.bare(word)].action == MatchStart:
		return fmt.Errorf("opt-out keyword %q: it is a word by which people start messages again; take another", word)
	case k.bare(word) == "" || k.answers[folded]:
		return fmt.Errorf("opt-out keyword %q: people say it out of politeness or in answer to other questions; take a longer phrase", word)
	}
	k.add(keyword{word: word, language: language, action: MatchStop})
	k.extras[folded] = true
	return nil
}

// AddName lists an id or title of a category, which may follow a stop or start word; the error says why it cannot be one.
func (k *Keywords) AddName(category Category, name string) error {
	folded := key(name)
	if folded == "" || strings.Count(folded, " ") >= maxNameWords {
		return nil // nobody writes that after a stop word; the page and the button are there
	}
	if other, found := k.categories[folded]; found && other.ID != category.ID {
		return fmt.Errorf("category %q: %q also names category %q, so that nobody could stop one of them by name; rename one", category.ID, name, other.ID)
	}
	everything := ""
	for stop := range k.words {
		if whole, found := k.words[stop+" "+folded]; found && !whole.phrase && (everything == "" || whole.word < everything) {
			everything = whole.word
		}
	}
	if everything != "" {
		return fmt.Errorf("category %q: %q stops everything, so that nobody could stop this category by its name %q; rename it", category.ID, everything, name)
	}
	k.categories[folded] = category
	first, _, _ := strings.Cut(folded, " ")
	k.categoryWords[first] = true
	return nil
}

// Match says what an inbound text asks for. It stops when the whole message is a keyword, apart from case, accents,
// punctuation, emoji, look-alike letters and politeness around it, or is made of nothing but words by which people ask to
// be left alone ("do not send me any more messages"). What has such words among others, a complaint, a question how to
// leave and a misspelled word are near. A word that has another meaning where it stands ("stop by"), or is denied
// ("don't stop"), is neither. Only a whole keyword starts. Buttons are for ParseStopButton and MatchLabel.
func (k Keywords) Match(text string) Match {
	if k.words == nil {
		k = builtIn()
	}
	text = strings.TrimSpace(text)
	if len(text) > maxTextBytes {
		text = text[:maxTextBytes]
	}
	var buffer [2 * maxFoldedBytes]byte
	folded, cut := short(fold(buffer[:0], text))
	m, more := read(folded)
	if m.count() == 0 {
		folded, cut = short(fold(buffer[:0], unflagged(text)))
		if m, more = read(folded); m.count() == 0 {
			return Match{}
		}
	}
	question := strings.ContainsAny(text[max(0, len(text)-8):], "?؟？;")
	if cut || more {
		found := k.composed(&m, question)
		if found.Action == MatchStop {
			found.Action = MatchNear
		}
		return found
	}
	if found := k.short(&m); found.Action != MatchNone {
		return found
	}
	if found := k.composed(&m, question); found.Action != MatchNone {
		return found
	}
	return k.unclear(&m, text, question)
}

// MatchLabel says what the label of a button asks for that is not ours: only a plain stop counts, never a word with other
// meanings and nothing that merely sounds like one ("Cancel reservation").
func (k Keywords) MatchLabel(label string) Match {
	if k.words == nil {
		k = builtIn()
	}
	if len(label) > maxMessageBytes {
		return Match{}
	}
	m, more := read(fold(nil, label))
	if more || m.count() == 0 {
		return Match{}
	}
	if word, found := k.words[string(m.all())]; found && word.whole {
		return Match{}
	}
	if found := k.exact(m.all()); found.Action == MatchStop {
		return found
	}
	return Match{}
}

// short looks for the whole message on the lists.
func (k Keywords) short(m *message) Match {
	if found := k.exact(m.all()); found.Action != MatchNone {
		return found
	}
	all := *m
	k.trim(m)
	if m.count() == 0 {
		*m = all
		return Match{}
	}
	if found := k.exact(m.all()); found.Action != MatchNone {
		return found
	}
	if found := k.repeated(m); found.Action != MatchNone {
		return found
	}
	return k.disguised(m.all())
}

// unclear reads once more what made no sense: with look-alike letters as Latin ones, with letters written once that were
// written many times, and with slips of the thumb.
func (k Keywords) unclear(m *message, text string, question bool) Match {
	var buffer [2 * maxFoldedBytes]byte
	if plain, other := latin(buffer[:0], m.all()); other {
		if again, more := read(plain); !more {
			if found := k.composed(&again, question); found.Action != MatchNone {
				return found
			}
		}
	}
	if calmed, excited := calm(buffer[:0], m.all()); excited {
		if again, more := read(calmed); !more {
			found := k.short(&again)
			if found.Action != MatchStop {
				found = k.composed(&again, question)
			}
			if found.Action != MatchNone && found.Action != MatchStart {
				found.Action = MatchNear
				return found
			}
		}
	}
	if strings.ContainsAny(text, "$@€!|") {
		if again, more := read(fold(buffer[:0], unleet(text))); !more && again.count() > 0 && again.count() <= maxShortSentence {
			if found := k.short(&again); found.Action == MatchStop {
				return found
			}
		}
	}
	if m.count() > maxShortSentence {
		return Match{}
	}
	for i := m.first; i < m.last; i++ {
		if word := lexicons().misspelled(string(m.words(i, i+1))); word != "" && k.words[word].action == MatchStop {
			return Match{Action: MatchNear, Word: k.words[word].word, Language: k.words[word].language}
		}
	}
	return Match{}
}

// exact looks the whole text up, as a word, as a word and a category, and as a phrase.
func (k Keywords) exact(folded []byte) Match {
	word, found := k.words[string(folded)]
	if found && !word.phrase {
		return Match{Action: word.action, Word: word.word, Language: word.language}
	}
	if named := k.named(folded); named.Action != MatchNone {
		return named
	}
	if found {
		return Match{Action: word.action, Word: word.word, Language: word.language}
	}
	return Match{}
}

// named looks for a word followed by a category. After a word with other meanings it is near when the category is
// marketing ("cancel offers"), and nothing when it is not ("cancel orders").
func (k Keywords) named(folded []byte) Match {
	for i, c := range folded {
		if c != soft {
			continue
		}
		word, found := k.words[string(folded[:i])]
		if !found || word.phrase {
			continue
		}
		category, found := k.categories[string(folded[i+1:])]
		if !found {
			continue
		}
		action := word.action
		if word.whole && category.Kind != Marketing {
			continue
		}
		if word.whole {
			action = MatchNear
		}
		return Match{Action: action, Word: word.word, Language: word.language, Category: category.ID}
	}
	return Match{}
}

// repeated finds messages of nothing but stop words: "stop stop stop", "basta, stop".
func (k Keywords) repeated(m *message) Match {
	first := keyword{}
	for i := m.first; i < m.last; i++ {
		word, found := k.words[string(m.words(i, i+1))]
		if !found || word.action != MatchStop || word.whole {
			return Match{}
		}
		if i == m.first {
			first = word
		}
	}
	return Match{Action: MatchStop, Word: first.word, Language: first.language}
}

// disguised finds stop words spelled out or written with look-alike letters, which phones, jokes and filters produce.
func (k Keywords) disguised(folded []byte) Match {
	var buffer, second [2 * maxMessageBytes]byte
	plain, other := latin(buffer[:0], folded)
	for _, text := range [...][]byte{folded, plain} {
		if joined, ok := spelled(second[:0], text); ok {
			if word := k.words[string(joined)]; word.action == MatchStop {
				return Match{Action: MatchStop, Word: word.word, Language: word.language}
			}
		}
	}
	if other {
		if found := k.exact(plain); found.Action == MatchStop {
			return found
		}
		if word, found := k.skeletons[string(plain)]; found {
			return Match{Action: MatchStop, Word: k.words[word].word, Language: k.words[word].language}
		}
	}
	return Match{}
}

// trim takes politeness off both ends, and an answer before a comma.
func (k Keywords) trim(m *message) {
	for m.count() > 0 {
		front, back := k.politeFront(m), k.politeBack(m)
		if front+back == 0 {
			return
		}
		m.first = min(m.first+front, m.last)
		m.last = max(m.last-back, m.first)
	}
}

const maxPoliteWords = 4

func (k Keywords) politeFront(m *message) int {
	if m.count() > 1 && m.ended[m.first+1] && k.answers[string(m.words(m.first, m.first+1))] {
		return 1
	}
	for n := min(maxPoliteWords, m.count()); n > 0; n-- {
		if k.polite[string(m.words(m.first, m.first+n))] {
			return n
		}
	}
	return 0
}

func (k Keywords) politeBack(m *message) int {
	for n := min(maxPoliteWords, m.count()); n > 0; n-- {
		if k.polite[string(m.words(m.last-n, m.last))] {
			return n
		}
	}
	return 0
}
