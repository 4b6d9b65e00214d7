package policy_test

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/policy"
)

func bookshop() map[string]policy.Category {
	return map[string]policy.Category{
		"offers": {ID: "offers", Kind: policy.Marketing, Title: map[string]string{"it": "Offerte", "en": "Offers", "es": "Ofertas", "de": "Angebote"}},
		"news":   {ID: "news", Kind: policy.Marketing, Title: map[string]string{"en": "New Books", "it": "Novità in libreria"}},
		"orders": {ID: "orders", Kind: policy.Utility, Title: map[string]string{"it": "Ordini", "en": "Orders"}},
	}
}

func keywords(t testing.TB) policy.Keywords {
	t.Helper()
	k, err := policy.NewKeywords(map[string][]string{"it": {"lasciami in pace"}}, bookshop())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type corpusRow struct{ language, action, category, text string }

func corpus(t testing.TB) []corpusRow {
	t.Helper()
	file, err := os.Open("testdata/keywords.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rows []corpusRow
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		if strings.HasPrefix(scanner.Text(), "#") {
			continue
		}
		fields := strings.Split(scanner.Text(), "\t")
		if len(fields) != 5 {
			t.Fatalf("corpus row %q: want five columns", scanner.Text())
		}
		text, err := strconv.Unquote(fields[3])
		if err != nil {
			t.Fatalf("corpus row %q: %v", scanner.Text(), err)
		}
		rows = append(rows, corpusRow{fields[0], fields[1], fields[2], text})
	}
	return rows
}

func TestMatchCorpus(t *testing.T) {
	k := keywords(t)
	rows := corpus(t)
	misses := 0
	for _, row := range rows {
		if row.action != "stop" && row.action != "start" {
			misses++
		}
		got := k.Match(row.text)
		if got.Action.String() != row.action || got.Category != row.category {
			t.Errorf("Match(%q) = %v %q (word %q), want %s %q", row.text, got.Action, got.Category, got.Word, row.action, row.category)
		}
		if (got.Action == policy.MatchNone) != (got.Word == "") {
			t.Errorf("Match(%q) = %v with word %q", row.text, got.Action, got.Word)
		}
	}
	languages := map[string]int{}
	for _, row := range rows {
		languages[row.language]++
	}
	for _, language := range strings.Fields("en it es pt fr de nl pl id ru he ar hi tr") {
		if languages[language] < 8 {
			t.Errorf("the corpus has %d rows in %s", languages[language], language)
		}
	}
	if len(rows) < 400 || misses*2 < len(rows) {
		t.Errorf("the corpus has %d rows, %d of them no stop: want 400, and half", len(rows), misses)
	}
}

func TestMatchLanguage(t *testing.T) {
	k := keywords(t)
	for text, want := range map[string]string{
		"stop": "", "opt me out": "en", "basta": "it", "smettetela": "it", "baja": "es", "parar": "", "sair": "pt", "arrêt": "fr", "abmelden": "de",
		"стоп": "ru", "lasciami in pace": "it", "START": "en", "iniciar": "",
	} {
		if got := k.Match(text); got.Language != want || got.Action == policy.MatchNone {
			t.Errorf("Match(%q) = %+v, want language %q", text, got, want)
		}
	}
}

func TestMatchWordIsTheListsOwn(t *testing.T) {
	k := keywords(t)
	for text, want := range map[string]string{"¡BÁJA, por favor!": "baja", "arretez": "arrêtez", "ايقاف": "إيقاف", "Lasciami  IN pace": "lasciami in pace"} {
		if got := k.Match(text).Word; got != want {
			t.Errorf("Match(%q).Word = %q, want %q", text, got, want)
		}
	}
}

func TestMatchNeverStartsOnYes(t *testing.T) {
	k := keywords(t)
	for _, text := range []string{"yes", "Yes please", "sì", "si", "SI", "sí", "sim", "oui", "ja", "да", "כן", "نعم", "ok", "OK", "👍", "s t a r t", "STАRT"} {
		if got := k.Match(text); got.Action != policy.MatchNone {
			t.Errorf("Match(%q) = %v", text, got.Action)
		}
	}
}

func TestCategoryNamesGoBeforePhrases(t *testing.T) {
	k, err := policy.NewKeywords(nil, map[string]policy.Category{"deals": {ID: "deals", Kind: policy.Marketing, Title: map[string]string{"it": "Promozioni"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := k.Match("Stop promozioni!"); got.Action != policy.MatchStop || got.Category != "deals" {
		t.Errorf("the category's own title after a stop word gives %+v", got)
	}
	if got := k.Match("stop pubblicità"); got.Action != policy.MatchStop || got.Category != "" {
		t.Errorf("a phrase that names no category gives %+v", got)
	}
}

func TestZeroKeywordsKnowTheBuiltInWords(t *testing.T) {
	if got := (policy.Keywords{}).Match("Stop, please"); got.Action != policy.MatchStop {
		t.Errorf("zero Keywords answer %v to a stop", got.Action)
	}
}

func TestLongTextsAreConversations(t *testing.T) {
	k := keywords(t)
	for _, text := range []string{
		"STOP " + strings.Repeat("x", 9000), strings.Repeat("a ", 17) + "stop", strings.Repeat("\u0300", 5000) + "stop",
		strings.Repeat("x", 4<<20), strings.Repeat("word ", 1<<20) + "stop",
	} {
		if got := k.Match(text); got.Action == policy.MatchStop || got.Action == policy.MatchStart {
			t.Errorf("a text of %d bytes gives %v", len(text), got.Action)
		}
	}
	for text, want := range map[string]policy.MatchAction{
		strings.Repeat("stop ", 60):                                          policy.MatchStop,
		strings.Repeat("please ", 20) + "stop":                               policy.MatchStop,
		"unsubscribe me " + strings.Repeat("and tell me why you write ", 60): policy.MatchNear,
		"s" + strings.Repeat("\u200b", 500) + "top":                          policy.MatchStop,
	} {
		if got := k.Match(text); got.Action != want {
			t.Errorf("a text of %d bytes gives %v, want %v", len(text), got.Action, want)
		}
	}
	if got := k.Match(strings.Repeat("\n", 500) + "stop" + strings.Repeat(" ", 500)); got.Action != policy.MatchStop {
		t.Errorf("blanks around a stop give %v", got.Action)
	}
}

func TestNewKeywordsRefuses(t *testing.T) {
	titled := func(id, title string) map[string]policy.Category {
		return map[string]policy.Category{id: {ID: id, Kind: policy.Marketing, Title: map[string]string{"en": title}}, "news": {ID: "news", Kind: policy.Marketing}}
	}
	for name, c := range map[string]struct {
		extra      map[string][]string
		categories map[string]policy.Category
		want       string
	}{
		"a start word":      {extra: map[string][]string{"en": {"Start!"}}, want: "start messages again"},
		"signs only":        {extra: map[string][]string{"en": {"🛑"}}, want: "no letters"},
		"politeness":        {extra: map[string][]string{"it": {"Grazie"}}, want: "politeness"},
		"no language":       {extra: map[string][]string{"": {"enough"}}, want: "language"},
		"too long":          {extra: map[string][]string{"en": {strings.Repeat("word ", 30)}}, want: "at most"},
		"a stop of all":     {categories: titled("everything", "All"), want: "stops everything"},
		"two of one name":   {categories: titled("offers", "News"), want: "also names"},
		"all of them: both": {extra: map[string][]string{"en": {"start", "🛑"}}, want: "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.NewKeywords(c.extra, c.categories)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestPolitenessNeverHidesAStop(t *testing.T) {
	k := keywords(t)
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"stop", "unsubscribe", "basta", "baja", "sair", "abmelden", "arrêt", "стоп", "no molesten"}).Draw(t, "word")
		before := rapid.SampledFrom([]string{"", "hi ", "Ciao, ", "please ", "¡Hola! ", "👋 "}).Draw(t, "before")
		after := rapid.SampledFrom([]string{"", ".", "!!!", " please", ", grazie", " por favor", " 🙏", "\nthanks", "…"}).Draw(t, "after")
		if rapid.Bool().Draw(t, "upper") {
			word = strings.ToUpper(word)
		}
		if got := k.Match(before + word + after); got.Action != policy.MatchStop {
			t.Fatalf("%q gives %v", before+word+after, got.Action)
		}
	})
}

func TestStopButton(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.String().Draw(t, "campaign")
		if got, ok := policy.ParseStopButton(policy.StopButtonPayload(id)); !ok || got != id {
			t.Fatalf("campaign %q came back as %q, %v", id, got, ok)
		}
	})
	for payload, want := range map[string]struct {
		campaign string
		ok       bool
	}{
		"permesso:stop:v1:weekend-offer": {"weekend-offer", true},
		"permesso:stop:v1:a:b":           {"a:b", true},
		"permesso:stop:v1:":              {"", true},
		"permesso:stop:v9:something":     {"", true},
		"permesso:stop:":                 {"", true},
		"permesso:stop":                  {"", false},
		"opt_out":                        {"", false},
		"Cancel reservation":             {"", false},
		"":                               {"", false},
	} {
		if campaign, ok := policy.ParseStopButton(payload); campaign != want.campaign || ok != want.ok {
			t.Errorf("ParseStopButton(%q) = %q, %v", payload, campaign, ok)
		}
	}
}

// What a keyboard, a filter or a joke does to a text never changes whether it stops.
func TestDisguisesNeverHideAStop(t *testing.T) {
	k := keywords(t)
	var stops []string
	for _, row := range corpus(t) {
		if row.action == "stop" && row.category == "" {
			stops = append(stops, row.text)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom(stops).Draw(t, "text")
		told := text
		switch rapid.SampledFrom([]string{"nfc", "nfd", "nfkd", "invisible", "bidi", "lines", "blanks"}).Draw(t, "disguise") {
		case "nfc":
			told = norm.NFC.String(text)
		case "nfd":
			told = norm.NFD.String(text)
		case "nfkd":
			told = norm.NFKD.String(text)
		case "invisible":
			told = ""
			for _, r := range text {
				told += string(r) + "\u200b"
			}
		case "bidi":
			told = "\u202e" + text + "\u202c\u200f"
		case "lines":
			told = "\n\n" + text + "\n"
		case "blanks":
			told = strings.ReplaceAll(text, " ", " \u00a0 ")
		}
		if got := k.Match(told); got.Action != policy.MatchStop {
			t.Fatalf("%q gives %v, and %q stops", told, got.Action, text)
		}
	})
}

func TestMatchLabel(t *testing.T) {
	k := keywords(t)
	for label, want := range map[string]policy.MatchAction{
		"Stop promotions": policy.MatchStop, "Unsubscribe": policy.MatchStop, "STOP": policy.MatchStop, "Stop offers": policy.MatchStop,
		"Cancel": policy.MatchNone, "Cancel reservation": policy.MatchNone, "Cancelar": policy.MatchNone, "End": policy.MatchNone, "Start": policy.MatchNone,
		"Not interested": policy.MatchNone, "Do not send me any more today": policy.MatchNone, "": policy.MatchNone, "Löschen": policy.MatchNone,
	} {
		if got := k.MatchLabel(label); got.Action != want {
			t.Errorf("MatchLabel(%q) = %v, want %v", label, got.Action, want)
		}
	}
}

func FuzzMatch(f *testing.F) {
	for _, row := range corpus(f) {
		f.Add(row.text)
	}
	f.Add("\xff\xfestop")
	f.Add("ﷺ stop ᾳ ǰ ŉ İı")
	k := keywords(f)
	f.Fuzz(func(t *testing.T, text string) {
		got := k.Match(text)
		if got.Action < policy.MatchNone || got.Action > policy.MatchNear {
			t.Fatalf("%q gives action %d", text, got.Action)
		}
		if (got.Action == policy.MatchNone) != (got == policy.Match{}) {
			t.Fatalf("%q gives %+v", text, got)
		}
		if got != k.Match(text) {
			t.Fatalf("%q gives two answers", text)
		}
		// What stands around a message never changes it.
		if padded := " \t" + text + "\n "; utf8.ValidString(text) && len(strings.TrimSpace(text)) <= 200 && k.Match(padded) != got {
			t.Fatalf("%q gives %+v, and %+v with blanks around it", text, got, k.Match(padded))
		}
		// A word that is recognised is recognised in its own spelling too.
		if got.Action == policy.MatchStop && got.Category == "" && k.Match(got.Word).Action != policy.MatchStop {
			t.Fatalf("%q gives the word %q, which is not one", text, got.Word)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	k := keywords(b)
	for name, text := range map[string]string{
		"stop": "STOP", "polite": "Hola, ¡BAJA! porfa 🙏", "conversation": "Is the second part out in paperback yet?",
		"near": "please stop sending this", "unicode": "сколько стоит доставка до Твери?", "long": strings.Repeat("Nel mezzo del cammin di nostra vita ", 100),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				k.Match(text)
			}
		})
	}
	b.Run("corpus", func(b *testing.B) {
		rows := corpus(b)
		i := 0
		for b.Loop() {
			k.Match(rows[i%len(rows)].text)
			i++
		}
	})
}
