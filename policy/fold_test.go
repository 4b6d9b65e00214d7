package policy

import (
	"slices"
	"strings"
	"testing"
)

// FuzzFold looks inside, because folding twice must change nothing for keywords and messages to meet.
func FuzzFold(f *testing.F) {
	for _, seed := range []string{"STOP", "¡BÁJA!", "Straße", "ẞ", "SAİR", "ΣΊΣΥΦΟΣ", "إِيقَاف", "हिन्दी बंद", "ﷺ", "ᾳ ǰ ŉ", "\u0345", "한글", "ﬆop", "\xff", "a\u0301\u00b4b", "Ⅷ ½ ①", "ϴ ϓ ſ K"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := string(fold(nil, text))
		if twice := string(fold(nil, once)); twice != once {
			t.Fatalf("%q folds to %q, which folds to %q", text, once, twice)
		}
		if strings.TrimFunc(once, func(r rune) bool { return r == soft || r == hard }) != once {
			t.Fatalf("%q folds to %q, with blanks around it", text, once)
		}
		if again := string(fold([]byte("x"), text)); !strings.HasPrefix(again, "x") {
			t.Fatalf("folding %q loses what was there before: %q", text, again)
		}
	})
}

func TestEveryBuiltInWordIsRecognised(t *testing.T) {
	k := builtIn()
	for _, v := range vocabularies() {
		for action, words := range map[MatchAction][]string{
			MatchStop:  slices.Concat(listed(v.stop), listed(v.leave), listed(v.whole), listed(v.phrases)),
			MatchStart: listed(v.start),
		} {
			for _, word := range words {
				for _, text := range []string{word, strings.ToUpper(word), "Please, " + word + "!", word + " 🙏"} {
					if got := k.Match(text); got.Action != action {
						t.Errorf("%s: Match(%q) = %v, want %v", v.language, text, got.Action, action)
					}
				}
				if folded := key(word); k.polite[folded] || k.answers[folded] {
					t.Errorf("%s: %q is a keyword and also polite or an answer", v.language, word)
				}
			}
		}
	}
}
