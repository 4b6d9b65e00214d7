package config_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/permesso/permesso/internal/config"
)

// What no schema of one file can see, and Load alone refuses: what refers to another place (an unknown category, number,
// campaign, segment or attribute; two things of one id that are not alike; caps that contradict; a window inside the quiet
// hours; a number that must be named among several; an end before the beginning), what needs knowledge of the world (zones,
// countries, dates and phone numbers that do not exist, the ranges of cron's fields, the grammar of filters, other files,
// the environment), what YAML loses before a schema comes to see it (keys written twice, tags, merges, aliases, 1.0 for 1),
// and what is no YAML at all, which an editor says by itself.

// fault is one kind of mistake that an editor shows without the program: it changes a value, or what is around it.
type fault struct {
	kind string
	at   string   // regular expression over the path of the key, such as policy.caps[].per
	to   []string // what the value becomes; see change for what is no value
}

// Instead of a value, to may say what happens to the key.
const (
	remove = "(remove)" // the key goes
	repeat = "(repeat)" // the last item of the list stands there twice
	rename = "(rename) "
	insert = "(insert) " // into the mapping
)

func faults() []fault {
	anyOf := func(paths []string) string {
		pattern := strings.NewReplacer(`\*`, `[^.]+`).Replace(regexp.QuoteMeta(strings.Join(paths, "\n")))
		return "^(" + strings.ReplaceAll(pattern, "\n", "|") + ")$"
	}
	return []fault{
		{"unknown key", `^(business|listen|graph|numbers\[\]|policy|policy\.caps\[\]|policy\.quiet_hours|categories\.[^.]+|campaigns\[\]|.*\.(schedule|window|parameters|image)|opt_out|)$`,
			[]string{insert + "wibble: 1", insert + "Name: x"}},
		{"missing key", anyOf(config.RequiredKeys()), []string{remove}},
		{"misspelt key", anyOf(config.RequiredKeys()), []string{rename + "wibble"}},
		{"mapping for a value", `\.(name|country|timezone|id|max|per|kind|from|to|cron|audience|priority|template|category)$|^(database|dry_run|version)$`, []string{"{a: b}", "[a]"}},
		{"text for a mapping", `^(business|listen|graph|policy|categories|opt_out|attributes)$|\.(schedule|window|parameters|title|image|countries|buttons)$`, []string{"wibble", "[]", "7"}},
		{"text for a list", `^(numbers|test_phones|campaigns|include)$|\.(caps|languages|deny|allow|body|holidays)$`, []string{"wibble", "7", "true"}},
		{"no value", `^[a-z_]+$|^(campaigns\[\]|policy|graph)\.[a-z_]+$`, []string{"", "~"}},
		{"wrong word", `\.(kind|endpoint|catch_up|overlap|in|recipient_timezone)$|^attributes\.`, []string{"wibble", "Marketing", `""`, "3"}},
		{"no quotes", `(^numbers\[\]\.id|account_id|campaigns\[\]\.number)$`, []string{"111222333444"}},
		{"phone without quotes", `^test_phones\[\]$`, []string{"+393471234567", "393471234567"}},
		{"no phone", `^test_phones\[\]$`, []string{"call me", `"+39 ask Ada"`, "true"}},
		{"bad id", `(^numbers\[\]\.id|account_id|campaigns\[\]\.number)$`, []string{`"12 34"`, `"+39347"`, `""`}},
		{"bad duration", `\.(per|consent_expires_after|catch_up_within|deliveries|webhooks|review_texts)$`, []string{"24", "1w", "0d", "-1h", "1 day", `""`, "h", "1h30"}},
		{"bad time", `\.(from|to)$`, []string{`"25:00"`, `"8:00"`, `"20.00"`, `"20:60"`, `"24:30"`, "noon", "20"}},
		{"end of the day as beginning", `\.from$`, []string{`"24:00"`}},
		{"negative", `\.(max|max_recipients|messages_per_second)$`, []string{"-1", "-500"}},
		{"no whole number", `\.(max|max_recipients|priority)$`, []string{"1.5", `"3"`, "many", "9999999999"}},
		{"rate", `messages_per_second$`, []string{"0", `"80"`, "fast"}},
		{"twice", `^(numbers|campaigns|test_phones|policy\.caps|policy\.holidays)$|\.(languages|deny|allow)$`, []string{repeat}},
		{"empty", `^(numbers|test_phones\[\]|categories)$|\.(languages|deny|allow|holidays)$`, []string{"[]", "{}"}},
		{"secret in the clear", `^(graph\.(access_token|app_secret|verify_token)|notify\.secret|replies\.secret)$`, []string{"EAABsbCS1234ZBrQ", "Bearer ${WHATSAPP_ACCESS_TOKEN}", "$WHATSAPP_ACCESS_TOKEN", `["a"]`}},
		{"both", `\.schedule$`, []string{`{cron: "0 18 * * FRI", at: 2027-01-01T10:00:00Z}`, "{timezone: Europe/Rome}"}},
		{"both media", `\.image$`, []string{insert + `id: "1"`, "{}"}},
		{"both lists", `countries\.[a-z]+$`, []string{"{allow: [IT], deny: [US]}", "{}", "{deny: []}"}},
		{"both values", `\.(body|buttons)(\[\]|\.[^.]+)$`, []string{"{text: a, field: name}", "{default: a}", "{text: a, default: b}", "{}", "7"}},
		{"both headers", `\.header$`, []string{`{text: a, image: {id: "1"}}`, `{image: {id: "1"}, default: a}`, "{text: {field: name}, default: a}", "{}"}},
		{"bad name", `^(campaigns\[\]\.id|campaigns\[\]\.template)$`, []string{"Weekend Offer", "Ferien!", "7"}},
		{"bad language", `\.languages\[\]$`, []string{"en-US", "Italian", "IT", "7"}},
		{"bad category name", `^categories\.[^.]+$`, []string{rename + "Offers!", rename + "my offers"}},
		{"bad title language", `\.title\.[a-z]+$`, []string{rename + "en_US", rename + "english language"}},
		{"column that is known", `^attributes\.[a-z]+$`, []string{rename + "phone", rename + "tags"}},
		{"bad segment name", `^segments\.[a-z]+$`, []string{rename + "very-rich"}},
		{"unknown kind", `^policy\.countries\.[a-z]+$`, []string{rename + "promo"}},
		{"bad button place", `\.buttons\.[0-9]$`, []string{rename + "first", rename + "10"}},
		{"stop button that stops nothing", `\.buttons\.[0-9]$`, []string{"{payload: OptOut}", "{payload: opt-out}"}},
		{"country by name", `(^business\.country|\.(deny|allow)\[\])$`, []string{"Italy", "it", "39"}},
		{"no zone", `timezone$`, []string{"Rome, Italy", "europe/rome", "+01:00"}},
		{"no address", `^listen\.`, []string{"127.0.0.1", `"127.0.0.1:99999"`, "8080", "http://127.0.0.1:8080"}},
		{"no web address", `(public_url|base_url|notify\.url|replies\.url)$`, []string{"ftp://a.example", "wa.aurora.example", "http://wa.aurora.example", "https://a.example/?x=1", "https://ada:pw@a.example"}},
		{"no database", `^database$`, []string{"mysql://db/p", "permesso.db", `"sqlite::memory:"`, "postgres://u:hunter2@db/p?sslmode=require", "postgres://u@db/p"}},
		{"no link", `\.link$`, []string{"libri.jpg", "ftp://a.example/b.jpg"}},
		{"no moment", `\.(not_after|starts_at|ends_at)$`, []string{"2026-12-31", "2026-12-24T18:00:00", "tomorrow", "7"}},
		{"no cron", `\.cron$`, []string{`"0 18 * *"`, `"0 0 18 * * FRI"`, "every friday at six", `"@every 1h"`, `"TZ=UTC 0 18 * * FRI"`}},
		{"no budget", `\.budget$`, []string{"500", "500€", "EUR 500", "-1 EUR", "1e3 EUR", `""`}},
		{"no rates", `^rates$`, []string{"rates.xlsx", "7", `""`}},
		{"no field", `\.field$`, []string{"nome", "attributes", "attributes.", "country code"}},
		{"blank", `\.(audience|name)$|^segments\.`, []string{`""`, `"  "`}},
		{"no share", `holdout$`, []string{"5", "0.05", "five%", "101%", "-1%", "1.23456%", "5 %", `""`}},
		{"no holiday", `^policy\.holidays\[\]$`, []string{"it", "Italy", "ZZ", "closed-days.txt", "7", `""`}},
		{"no truth", `^dry_run$`, []string{`"true"`, "1", "on please"}},
		{"keyword of nothing", `^opt_(out|in)\.keywords\.it$`, []string{`["..."]`, `[""]`, "basta"}},
		{"wording", `^opt_out\.(confirmation|help)\.it$`, []string{`"Fatto, {{name}}."`, `""`, "[Fatto]", "7"}},
		{"another version", `^version$`, []string{"2", `"1"`, "one"}},
		{"graph version", `^graph\.version$`, []string{"25.0", "v25", "latest"}},
	}
}

// spot is one value in a tree; holder is the mapping or list that it stands in.
type spot struct {
	path   string
	holder *yaml.Node
	index  int // of the value in the holder's Content
}

func (s spot) value() *yaml.Node { return s.holder.Content[s.index] }

// spots lists every value; the names in paths are those of Keys, but for names that people choose.
func spots(holder *yaml.Node, index int, path string) []spot {
	all := []spot{{path, holder, index}}
	node := holder.Content[index]
	switch node.Kind {
	case yaml.SequenceNode:
		for i := range node.Content {
			all = append(all, spots(node, i, path+"[]")...)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			all = append(all, spots(node, i+1, strings.TrimPrefix(path+"."+node.Content[i].Value, "."))...)
		}
	}
	return all
}

// change makes one fault at the spot; it reports whether it could.
func (s spot) change(t *testing.T, to string) bool {
	t.Helper()
	node := s.value()
	inMapping := s.holder.Kind == yaml.MappingNode
	switch name, renamed := strings.CutPrefix(to, rename); {
	case to == remove && inMapping:
		s.holder.Content = slices.Delete(s.holder.Content, s.index-1, s.index+1)
	case renamed && inMapping:
		s.holder.Content[s.index-1] = snippet(t, strconv.Quote(name))
	case to == repeat && node.Kind == yaml.SequenceNode && len(node.Content) > 0:
		node.Content = append(node.Content, node.Content[len(node.Content)-1])
	case strings.HasPrefix(to, insert) && node.Kind == yaml.MappingNode:
		node.Content = append(node.Content, snippet(t, strings.TrimPrefix(to, insert)).Content...)
	case strings.HasPrefix(to, "("):
		return false
	default:
		s.holder.Content[s.index] = snippet(t, to)
	}
	return true
}

func snippet(t *testing.T, text string) *yaml.Node {
	t.Helper()
	var document yaml.Node
	if err := yaml.Load([]byte("- "+text+"\n"), &document); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return document.Content[0].Content[0]
}

const mutations = 300

func TestSchemaAndLoaderRefuseWhatIsWrong(t *testing.T) {
	schema := openSchemas(t)
	all := rightFiles(t)
	bases := []string{all["config.yaml"], all["CONTRACT"], all["init"], all["demo"], all["README.md"]}
	for _, base := range bases {
		text, _ := mistaken(t, rand.New(rand.NewPCG(1, 1)), base, fault{"none", "^version$", []string{"1"}})
		mustLoad(t, text)
		if err := refusal(t, schema.config, text); err != nil {
			t.Fatalf("the way in which mistakes are made is one itself: %v", err)
		}
	}
	random := rand.New(rand.NewPCG(2026, 11))
	kinds, made, seen := faults(), map[string]int{}, map[string]bool{}
	for try := 0; len(seen) < mutations; try++ {
		if try > 20*mutations {
			t.Fatalf("only %d different mistakes after %d tries", len(seen), try)
		}
		f := kinds[try%len(kinds)]
		text, ok := mistaken(t, random, bases[random.IntN(len(bases))], f)
		if !ok || seen[text] {
			continue
		}
		seen[text] = true
		made[f.kind]++
		_, err := load(t, text)
		if _, wrong := errors.AsType[*config.Problems](err); !wrong {
			t.Errorf("%s: the loader says %v of\n%s", f.kind, err, text)
		}
		if refusal(t, schema.config, text) == nil {
			t.Errorf("%s: the schema takes\n%s", f.kind, text)
		}
	}
	for _, f := range kinds {
		if made[f.kind] == 0 {
			t.Errorf("no file has the mistake %q: nothing matches %s", f.kind, f.at)
		}
	}
}

// mistaken is a right file with one fault in it.
func mistaken(t *testing.T, random *rand.Rand, base string, f fault) (string, bool) {
	t.Helper()
	var document yaml.Node
	if err := yaml.Load([]byte(base), &document); err != nil {
		t.Fatal(err)
	}
	place := regexp.MustCompile(f.at)
	var fitting []spot
	for _, s := range spots(&document, 0, "") {
		if place.MatchString(s.path) {
			fitting = append(fitting, s)
		}
	}
	if len(fitting) == 0 || !fitting[random.IntN(len(fitting))].change(t, f.to[random.IntN(len(f.to))]) {
		return "", false
	}
	text, err := yaml.Dump(document.Content[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(text), true
}

// museumShown is how many of the museum's mistakes an editor showed at least, when this was last counted.
const museumShown = 74

func TestMuseumInTheSchema(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	schema := openSchemas(t)
	shown, hidden := 0, []string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if v, readable := instance(string(text)); readable && schema.config.Validate(v) != nil {
			shown++
		} else {
			hidden = append(hidden, strings.TrimSuffix(filepath.Base(file), ".yaml"))
		}
	}
	t.Logf("the schema shows %d of the museum's %d mistakes; not %s", shown, len(files), strings.Join(hidden, ", "))
	if shown < museumShown {
		t.Errorf("the schema shows %d of the museum's mistakes, fewer than %d", shown, museumShown)
	}
}
