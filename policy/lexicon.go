package policy

import (
	"bytes"
	"strings"
	"sync"
)

// role is what a word, or a few of them, can be in a message that asks to be left alone.
type role uint32

const (
	roleStop     role = 1 << iota // stop, basta
	roleLeave                     // unsubscribe
	roleWhole                     // cancel
	roleNot                       // don't, no
	roleWrite                     // to write to somebody
	roleSend                      // to send something
	roleGet                       // to receive it
	roleMessages                  // messages
	roleAds                       // advertising
	roleMore                      // any more
	roleWant                      // I want
	roleRemove                    // delete
	roleMe                        // me
	roleList                      // list, number
	roleSmall                     // of, the; politeness
	roleThese                     // this, everything
	roleNow                       // at once
	roleAsk                       // can you
	roleHow                       // how do I
	roleWhy                       // when does
	roleNear                      // a complaint
	roleOrdinary                  // has another meaning here
)

// telling are the roles without which a message is ordinary, whatever else it says.
const telling = roleStop | roleLeave | roleWhole | roleWrite | roleSend | roleAds | roleMessages | roleRemove | roleNear | roleNot

const (
	maxLanguages     = 16
	maxPhraseWords   = 6
	polite           = roleSmall
	allLanguages     = 1<<maxLanguages - 1
	minTypoLetters   = 7
	maxShortSentence = 4
)

// meaning is what one word or phrase is, by language.
type meaning struct {
	roles  [maxLanguages]role
	longer uint16 // the languages in which a longer phrase begins with it
	known  uint16 // the languages that give it a role
	word   string // as it stands in its list, when it stops by itself
	verb   bool   // it asks for another verb: "smettete di"
}

// lexicon is what the built-in lists say. It is read-only once built.
type lexicon struct {
	means     map[string]*meaning
	languages []string
	models    []string            // the first phrase of each language, which names what was put together
	typos     map[string][]string // words that may be misspelled, by what they are without one letter
}

// lexicons builds the lists once: they are the same for everybody.
var lexicons = sync.OnceValue(newLexicon)

func newLexicon() *lexicon {
	l := &lexicon{means: map[string]*meaning{}, typos: map[string][]string{}}
	for i, v := range vocabularies() {
		l.languages = append(l.languages, v.language)
		model := v.stop
		if v.phrases != "" {
			model = v.phrases
		}
		l.models = append(l.models, listed(model)[0])
		for _, list := range []struct {
			words string
			role  role
		}{
			{v.stop, roleStop}, {v.leave, roleLeave}, {v.whole, roleWhole}, {v.near, roleNear}, {v.ordinary, roleOrdinary},
			{v.not, roleNot}, {v.write, roleWrite}, {v.writeMe, roleWrite | roleMe}, {v.send, roleSend}, {v.sendMe, roleSend | roleMe},
			{v.get, roleGet}, {v.messages, roleMessages}, {v.ads, roleAds}, {v.more, roleMore}, {v.want, roleWant},
			{v.remove, roleRemove}, {v.removeMe, roleRemove | roleMe}, {v.me, roleMe}, {v.list, roleList}, {v.small, roleSmall},
			{v.these, roleThese}, {v.now, roleNow}, {v.ask, roleAsk}, {v.how, roleHow}, {v.why, roleWhy},
			{v.dontWant, roleNot | roleWant}, {v.dontWrite, roleNot | roleWrite}, {v.dontSend, roleNot | roleSend},
		} {
			for _, word := range listed(list.words) {
				l.add(word, list.role, 1<<i)
			}
		}
		for _, word := range listed(v.more) {
			for _, part := range strings.Fields(key(word)) {
				if strings.Contains(key(word), " ") && l.at(part).roles[i]&roleNot != 0 {
					l.add(word, roleNot, 1<<i) // never again
				}
			}
		}
		for _, word := range listed(v.leave) {
			l.addTypos(key(word))
		}
	}
	for _, words := range []string{politeness, said} {
		for _, word := range listed(words) {
			l.add(word, polite, allLanguages)
		}
	}
	return l
}

func (l *lexicon) add(word string, as role, languages uint16) {
	folded := key(word)
	if folded == "" {
		return
	}
	m := l.at(folded)
	for i := range maxLanguages {
		if languages&(1<<i) != 0 {
			m.roles[i] |= as
		}
	}
	m.known |= languages
	m.verb = m.verb || as == roleNot && takesVerb(folded)
	if as&(roleStop|roleLeave) != 0 && m.word == "" {
		m.word = word
	}
	for i := range len(folded) {
		if folded[i] == soft {
			l.at(folded[:i]).longer |= languages
		}
	}
}

// takesVerb reports whether a negation ends as those do that ask to cease something.
func takesVerb(folded string) bool {
	switch folded[strings.LastIndexByte(folded, soft)+1:] {
	case "di", "de", "d", "met", "mit", "عن":
		return folded != "nada de" && folded != "chega de" && folded != "plus de"
	}
	return false
}

func (l *lexicon) at(folded string) *meaning {
	m := l.means[folded]
	if m == nil {
		m = &meaning{}
		l.means[folded] = m
	}
	return m
}

// addTypos lists a word by everything that it is without one of its letters.
func (l *lexicon) addTypos(folded string) {
	letters := []rune(folded)
	if len(letters) < minTypoLetters || bytes.IndexByte([]byte(folded), soft) >= 0 {
		return
	}
	l.typos[folded] = append(l.typos[folded], folded)
	for i := range letters {
		less := without(letters, i)
		l.typos[less] = append(l.typos[less], folded)
	}
}

func without(letters []rune, i int) string {
	return string(letters[:i]) + string(letters[i+1:])
}

// misspelled returns the unmistakable word that a text is one letter away from; "" when there is none, or when the text is
// a word itself.
func (l *lexicon) misspelled(text string) string {
	for _, slip := range [...]string{"stpo", "sotp", "tsop", "sttop", "sstop", "syop", "dtop", "stoip", "stopo", "sotop"} {
		if text == slip {
			return "stop"
		}
	}
	letters := []rune(text)
	if len(letters) < minTypoLetters-1 || len(letters) > 24 {
		return ""
	}
	if m := l.means[text]; m != nil && m.known != 0 || antonym(text) {
		return ""
	}
	for _, word := range l.typos[text] {
		return word
	}
	for i := range letters {
		for _, word := range l.typos[without(letters, i)] {
			if other := []rune(word); len(other) == len(letters) && !swapped(letters, other) && letters[0] != other[0] {
				continue // the first letter is seldom mistaken, and makes other words: anmelden, abmelden
			}
			return word
		}
	}
	return ""
}

// antonym are the words next to those of the lists that mean the contrary: to sign up.
func antonym(text string) bool {
	switch text {
	case "anmelden", "anmeldung", "anmeldungen", "aanmelden", "subscribe", "subscribed", "abmeldungen", "inscribirme", "reabonner", "abonnement", "wypisane", "ummelden", "ummeldung":
		return true
	}
	return false
}

// swapped reports whether two words differ by two neighbours that changed places.
func swapped(a, b []rune) bool {
	for i := range len(a) - 1 {
		if a[i] != b[i] {
			return a[i] == b[i+1] && a[i+1] == b[i] && string(a[i+2:]) == string(b[i+2:])
		}
	}
	return false
}
