package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ChatAction is what an inbound text asks for that is neither a stop nor a start.
type ChatAction int

// The actions. None of them is a consent.
const (
	ChatNone ChatAction = iota
	ChatHelp            // HELP
	ChatJoin            // JOIN OFFERS: to be asked whether they want a category
	ChatYes             // counts only in answer to a question
	ChatNo
)

// ChatMatch is what Chat made of an inbound text.
type ChatMatch struct {
	Action ChatAction
	// Language is that of the list whose word it was, BCP 47; "" when several share the word.
	Language string
	// Category is the id of the category that the person named; "" but for ChatJoin.
	Category string
}

// Chat knows the words by which people ask for help, or for a category. It is safe for concurrent use; the zero value knows none.
type Chat struct {
	keywords Keywords
	help     map[string]string // languages by folded text
	join     map[string]string
	yes, no  map[string]string
}

// chatWords are what people of one language write.
type chatWords struct{ language, help, join, yes, no string }

// chatVocabularies returns the built-in lists. HELP and INFO are answered by every platform (Twilio's list of words, read
// 2026-09-11); a yes is one only in answer to a question.
func chatVocabularies() []chatWords {
	return []chatWords{
		{"en", "help, info", "join", "yes, yes please, i agree", "no, no thanks"},
		{"it", "aiuto, info, informazioni", "iscrivimi, iscrivermi, partecipa", "sì, si, accetto", "no, no grazie"},
		{"es", "ayuda, info", "alta, unirme, apuntarme", "sí, si, acepto", "no, no gracias"},
		{"pt", "ajuda, info", "participar, inscrever, inscrever-me", "sim, aceito", "não, nao, não obrigado, não obrigada"},
		{"fr", "aide, info, infos", "rejoindre, inscription, inscrire", "oui, j'accepte", "non, non merci"},
		{"de", "hilfe, info", "anmelden, mitmachen", "ja, ja bitte", "nein, nein danke"},
		{"nl", "hulp, help, info", "aanmelden, meedoen", "ja, ja graag", "nee, nee bedankt"},
		{"pl", "pomoc, info", "dołącz, zapisz, zapisz mnie", "tak, zgadzam się", "nie, nie dziękuję"},
		{"id", "bantuan, info", "gabung, daftar, ikut", "ya, setuju", "tidak"},
		{"ru", "помощь, справка, инфо", "вступить, присоединиться, подписаться", "да, согласен, согласна", "нет"},
		{"he", "עזרה, מידע", "הצטרף, הצטרפות, הצטרפי", "כן", "לא, לא תודה"},
		{"ar", "مساعدة, معلومات", "انضم, انضمام, اشترك", "نعم, موافق", "لا, لا شكرا"},
		{"hi", "मदद, सहायता, madad", "जुड़ें, शामिल, judo", "हाँ, हां, haan", "नहीं, nahi"},
		{"tr", "yardım, bilgi", "katıl, kayıt ol, abone ol", "evet, kabul ediyorum", "hayır"},
	}
}

// NewChat returns the words that are answered: those that ask for help if help is true, and, if join is not nil, those that ask for
// a category: the built-in ones and those of join, by BCP 47 language. categories are what may be named. It returns every mistake at
// once.
func NewChat(help bool, join map[string][]string, keywords Keywords) (Chat, error) {
	if keywords.words == nil {
		keywords = builtIn()
	}
	c := Chat{keywords: keywords}
	if help {
		c.help = map[string]string{}
	}
	if join != nil {
		c.join, c.yes, c.no = map[string]string{}, map[string]string{}, map[string]string{}
	}
	for _, v := range chatVocabularies() {
		for _, list := range []struct {
			into  map[string]string
			words string
		}{{c.help, v.help}, {c.join, v.join}, {c.yes, v.yes}, {c.no, v.no}} {
			addWords(list.into, v.language, listed(list.words))
		}
	}
	var problems []error
	for _, language := range slices.Sorted(maps.Keys(join)) {
		for _, word := range join[language] {
			if err := c.checkJoin(word); err != nil {
				problems = append(problems, err)
				continue
			}
			addWords(c.join, language, []string{word})
		}
	}
	return c, errors.Join(problems...)
}

// addWords lists words; one that two languages share is of neither.
func addWords(into map[string]string, language string, words []string) {
	if into == nil {
		return
	}
	for _, word := range words {
		folded := key(word)
		if before, twice := into[folded]; twice && before != language {
			into[folded] = ""
			continue
		}
		into[folded] = language
	}
}

func (c Chat) checkJoin(word string) error {
	folded := key(word)
	switch {
	case folded == "":
		return fmt.Errorf("opt-in keyword %q: it has no letters or digits to recognise", word)
	case len(word) > maxMessageBytes || strings.Count(folded, " ") >= maxExtraWords-maxNameWords:
		return fmt.Errorf("opt-in keyword %q: it is longer than anybody writes", word)
	case c.keywords.words[folded].action == MatchStop || c.keywords.words[c.keywords.bare(word)].action == MatchStop:
		return fmt.Errorf("opt-in keyword %q: it is a word by which people stop messages; take another", word)
	}
	return nil
}

// Match says what an inbound text asks for: the whole message must be a word of a list, or one with the id or a title of a category
// behind it, apart from case, accents, punctuation and politeness. Whether it is a stop is for Keywords, which goes first.
func (c Chat) Match(text string) ChatMatch {
	text = strings.TrimSpace(text)
	if c.help == nil && c.join == nil || len(text) > maxMessageBytes {
		return ChatMatch{}
	}
	m, more := read(fold(nil, text))
	if more || m.count() == 0 {
		return ChatMatch{}
	}
	if found := c.exact(&m); found.Action != ChatNone {
		return found
	}
	if c.keywords.trim(&m); m.count() == 0 {
		return ChatMatch{}
	}
	return c.exact(&m)
}

func (c Chat) exact(m *message) ChatMatch {
	for _, list := range []struct {
		words  map[string]string
		action ChatAction
	}{{c.help, ChatHelp}, {c.yes, ChatYes}, {c.no, ChatNo}} {
		if language, found := list.words[string(m.all())]; found {
			return ChatMatch{Action: list.action, Language: language}
		}
	}
	for at := m.first + 1; at < m.last; at++ {
		language, found := c.join[string(m.words(m.first, at))]
		if !found {
			continue
		}
		if category, named := c.keywords.categories[string(m.words(at, m.last))]; named {
			return ChatMatch{Action: ChatJoin, Language: language, Category: category.ID}
		}
	}
	return ChatMatch{}
}
