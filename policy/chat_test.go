package policy_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/policy"
)

// languages are those in which people are asked.
var languages = []string{"en", "it", "es", "pt", "fr", "de", "nl", "pl", "id", "ru", "he", "ar", "hi", "tr"}

func shopCategories() map[string]policy.Category {
	return map[string]policy.Category{
		"offers": {ID: "offers", Kind: policy.Marketing, Title: map[string]string{"en": "Offers", "it": "Offerte", "de": "Angebote der Woche"}},
		"orders": {ID: "orders", Kind: policy.Utility, Title: map[string]string{"it": "Ordini"}},
	}
}

func shopChat(t testing.TB, help bool, join map[string][]string) policy.Chat {
	t.Helper()
	keywords, err := policy.NewKeywords(nil, shopCategories())
	if err != nil {
		t.Fatal(err)
	}
	chat, err := policy.NewChat(help, join, keywords)
	if err != nil {
		t.Fatal(err)
	}
	return chat
}

func TestChatMatches(t *testing.T) {
	chat := shopChat(t, true, map[string][]string{"it": {"voglio"}})
	for text, want := range map[string]policy.ChatMatch{
		"HELP":                             {Action: policy.ChatHelp, Language: ""}, // Dutch has it too
		"Aiuto!":                           {Action: policy.ChatHelp, Language: "it"},
		"ayuda, por favor":                 {Action: policy.ChatHelp, Language: "es"},
		"ajuda":                            {Action: policy.ChatHelp, Language: "pt"},
		"aide":                             {Action: policy.ChatHelp, Language: "fr"},
		"Hilfe":                            {Action: policy.ChatHelp, Language: "de"},
		"hulp":                             {Action: policy.ChatHelp, Language: "nl"},
		"pomoc":                            {Action: policy.ChatHelp, Language: "pl"},
		"bantuan":                          {Action: policy.ChatHelp, Language: "id"},
		"Помощь":                           {Action: policy.ChatHelp, Language: "ru"},
		"עזרה":                             {Action: policy.ChatHelp, Language: "he"},
		"مُساعدة":                          {Action: policy.ChatHelp, Language: "ar"},
		"मदद":                              {Action: policy.ChatHelp, Language: "hi"},
		"YARDIM":                           {Action: policy.ChatHelp, Language: "tr"},
		"help me":                          {},
		"info on the order":                {},
		"JOIN offers":                      {Action: policy.ChatJoin, Language: "en", Category: "offers"},
		"join Offerte":                     {Action: policy.ChatJoin, Language: "en", Category: "offers"},
		"Iscrivimi ordini, grazie":         {Action: policy.ChatJoin, Language: "it", Category: "orders"},
		"ALTA OFFERS":                      {Action: policy.ChatJoin, Language: "es", Category: "offers"},
		"Anmelden: Angebote der Woche!":    {Action: policy.ChatJoin, Language: "de", Category: "offers"},
		"kayıt ol offers":                  {Action: policy.ChatJoin, Language: "tr", Category: "offers"},
		"voglio offerte":                   {Action: policy.ChatJoin, Language: "it", Category: "offers"},
		"join":                             {},
		"offers":                           {},
		"join the offers":                  {},
		"don't join offers":                {},
		"can I join offers tomorrow":       {},
		"Sì":                               {Action: policy.ChatYes, Language: ""}, // Spanish folds alike
		"oui":                              {Action: policy.ChatYes, Language: "fr"},
		"No, grazie":                       {Action: policy.ChatNo, Language: "it"},
		"yes, but later":                   {},
		"yes no":                           {},
		"":                                 {},
		strings.Repeat("join offers ", 40): {},
	} {
		if got := chat.Match(text); got != want {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
	}
	for _, text := range []string{"HELP", "JOIN offers", "yes"} {
		if got := (policy.Chat{}).Match(text); got != (policy.ChatMatch{}) {
			t.Errorf("nobody is answered, and %q is %+v", text, got)
		}
		if got := shopChat(t, true, nil).Match(text); (got.Action != policy.ChatNone) != (text == "HELP") {
			t.Errorf("only help is given, and %q is %+v", text, got)
		}
	}
}

func TestJoinWordsThatCannotBe(t *testing.T) {
	for _, word := range []string{"stop", "Basta!", "...", "stop please", strings.Repeat("a ", 30)} {
		if _, err := policy.NewChat(false, map[string][]string{"en": {word}}, policy.Keywords{}); err == nil {
			t.Errorf("%q is taken", word)
		}
	}
}

// Every question names the business and the category, says how to stop by a word that stops, and fits WhatsApp's limits.
func TestQuestions(t *testing.T) {
	category := shopCategories()["offers"]
	seen := map[string]bool{}
	chat := shopChat(t, true, map[string][]string{})
	for _, language := range languages {
		q := policy.AskAbout("Libreria Aurora", category, language)
		if q.Language != language || seen[q.Text] {
			t.Errorf("%s is asked in %s: %s", language, q.Language, q.Text)
		}
		seen[q.Text] = true
		title := category.Title[language]
		if title == "" {
			title = "Angebote der Woche" // the first by language
		}
		if !strings.Contains(q.Text, "Libreria Aurora") || !strings.Contains(q.Text, title) || strings.ContainsAny(q.Text, "{}") || utf8.RuneCountInString(q.Text) > 600 {
			t.Errorf("%s: %s", language, q.Text)
		}
		if q.Yes == q.No || utf8.RuneCountInString(q.Yes) > 20 || utf8.RuneCountInString(q.No) > 20 {
			t.Errorf("%s: the buttons are %s and %s", language, q.Yes, q.No)
		}
		if chat.Match(q.Yes).Action != policy.ChatYes || chat.Match(q.No).Action != policy.ChatNo {
			t.Errorf("%s: who writes %s or %s is not understood", language, q.Yes, q.No)
		}
		stops := false
		for word := range strings.FieldsFuncSeq(q.Text, func(r rune) bool { return strings.ContainsRune(" .،।,", r) }) {
			stops = stops || (policy.Keywords{}).Match(word).Action == policy.MatchStop
		}
		if !stops {
			t.Errorf("%s names no word that stops: %s", language, q.Text)
		}
	}
	for _, c := range []struct {
		wants []string
		want  string
	}{{[]string{"pt-BR"}, "pt"}, {[]string{"", "sw", "it-IT"}, "it"}, {[]string{"sw"}, "en"}, {nil, "en"}, {[]string{"DE"}, "de"}} {
		if q := policy.AskAbout("Aurora", policy.Category{ID: "news"}, c.wants...); q.Language != c.want || !strings.Contains(q.Text, "news") {
			t.Errorf("%v are asked in %s: %s", c.wants, q.Language, q.Text)
		}
	}
}

func TestQuestionPayloads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, yes := rapid.StringMatching(`[0-9a-f]{32}`).Draw(t, "id"), rapid.Bool().Draw(t, "yes")
		payload := policy.QuestionPayload(id, yes)
		if gotID, gotYes, ok := policy.ParseQuestionPayload(payload); !ok || gotID != id || gotYes != yes || len(payload) > 256 {
			t.Errorf("%s reads as %s, %t, %t", payload, gotID, gotYes, ok)
		}
		if _, _, ok := policy.ParseQuestionPayload(payload[:len(payload)-1]); ok {
			t.Errorf("half of %s is read", payload)
		}
	})
	for _, payload := range []string{"", "yes", "permesso:stop:v1:x", "permesso:join:v1::yes", "permesso:join:v2:00:yes", "permesso:join:v1:00:maybe"} {
		if _, _, ok := policy.ParseQuestionPayload(payload); ok {
			t.Errorf("%q is read", payload)
		}
	}
}

// A text that stops is never one that asks for a category, or says yes: stops go first, and nothing here undoes one.
func FuzzChat(f *testing.F) {
	for _, seed := range []string{"join offers", "JOIN offerte please", "stop offers", "help", "sì", "no, stop", "iscrivimi offerte", "\x00join offers", "join offers"} {
		f.Add(seed)
	}
	keywords, err := policy.NewKeywords(nil, shopCategories())
	if err != nil {
		f.Fatal(err)
	}
	chat := shopChat(f, true, map[string][]string{"en": {"sign me up"}})
	f.Fuzz(func(t *testing.T, text string) {
		heard := chat.Match(text)
		if again := chat.Match(strings.ToUpper(text)); heard.Action == policy.ChatJoin && strings.EqualFold(strings.ToUpper(text), text) && again.Action != policy.ChatJoin {
			t.Errorf("%q asks for a category, and not in capitals", text)
		}
		if (heard.Category != "") != (heard.Action == policy.ChatJoin) {
			t.Errorf("%q is %+v", text, heard)
		}
		if stop := keywords.Match(text).Action; stop == policy.MatchStop && (heard.Action == policy.ChatYes || heard.Action == policy.ChatJoin) {
			t.Errorf("%q stops and is %+v", text, heard)
		}
	})
}
