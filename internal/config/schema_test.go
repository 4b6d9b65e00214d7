package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/permesso/permesso/internal/config"
)

const committedSchema = "../../docs/config.schema.json"

// schemas are the two doors of the schema, as an editor opens them.
type schemas struct{ config, included *jsonschema.Schema }

func openSchemas(t testing.TB) schemas {
	t.Helper()
	text, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7) // the file itself must say that it is of 2020-12
	if err := compiler.AddResource("config.schema.json", document); err != nil {
		t.Fatal(err)
	}
	compiled := func(door string) *jsonschema.Schema {
		schema, err := compiler.Compile("config.schema.json" + door)
		if err != nil {
			t.Fatalf("the schema does not compile: %v", err)
		}
		return schema
	}
	return schemas{compiled(""), compiled(config.SchemaIncluded)}
}

// instance is the text as an editor's YAML 1.2 parser sees it; ok is false where that has nothing to validate.
func instance(text string) (v any, ok bool) {
	var document yaml.Node
	if err := yaml.Load([]byte(text), &document); err != nil || document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		return nil, false
	}
	v, err := jsonOf(document.Content[0], 0)
	return v, err == nil
}

var errNotJSON = errors.New("JSON has nothing like it")

func jsonOf(node *yaml.Node, depth int) (any, error) {
	if depth > 40 {
		return nil, errNotJSON
	}
	switch node.Kind {
	case yaml.AliasNode:
		return jsonOf(node.Alias, depth+1)
	case yaml.SequenceNode:
		list := make([]any, 0, len(node.Content))
		for _, item := range node.Content {
			v, err := jsonOf(item, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		object := make(map[string]any, len(node.Content)/2)
		for i := 0; i+1 < len(node.Content); i += 2 {
			name := node.Content[i]
			if name.Kind != yaml.ScalarNode {
				return nil, errNotJSON
			}
			v, err := jsonOf(node.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			object[name.Value] = v
		}
		return object, nil
	}
	return scalarOf(node)
}

func scalarOf(node *yaml.Node) (any, error) {
	switch node.Tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		return strings.EqualFold(node.Value, "true"), nil
	case "!!int", "!!float":
		if number, err := strconv.ParseFloat(node.Value, 64); err == nil && !math.IsInf(number, 0) && !math.IsNaN(number) {
			return json.Number(strconv.FormatFloat(number, 'f', -1, 64)), nil
		}
		return nil, errNotJSON
	}
	return node.Value, nil
}

// refusal is why the schema refuses the text; nil when it takes it.
func refusal(t testing.TB, schema *jsonschema.Schema, text string) error {
	t.Helper()
	v, ok := instance(text)
	if !ok {
		t.Fatalf("this is no YAML that a schema can judge:\n%s", text)
	}
	return schema.Validate(v)
}

func TestTheCommittedSchemaIsWhatTheKeysSay(t *testing.T) {
	want, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(committedSchema, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(committedSchema)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run go test ./internal/config -run Schema -update (-keys +committed):\n%s", diff)
	}
	if !config.IsSchema(got) || config.IsSchema([]byte(`{"title": "Another program's"}`)) || config.IsSchema([]byte("no JSON")) {
		t.Error("IsSchema does not know its own")
	}
}

// walkSchema calls visit for every schema in a part of the document, with its place.
func walkSchema(v any, at string, visit func(at string, schema map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(at, v)
		for name, child := range v {
			walkSchema(child, at+"/"+name, visit)
		}
	case []any:
		for i, child := range v {
			walkSchema(child, fmt.Sprintf("%s/%d", at, i), visit)
		}
	}
}

// TestEditorsReadTheSchema holds the schema to the subset of its language that editors of an earlier draft know too.
func TestEditorsReadTheSchema(t *testing.T) {
	text, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	if document["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("$schema is %v", document["$schema"])
	}
	oneSentence := regexp.MustCompile(`^[A-Z/].*\.$`)
	// Of Go's regular expressions, what ECMAScript's read otherwise or not at all.
	onlyGo := regexp.MustCompile(`\\[AzZQEaCG]|\\p[^{]|\\P[^{]|\[\[:|\(\?[^:]|\\x\{|[*+?]\+`)
	keys, patterns := 0, 0
	walkSchema(document, "#", func(at string, schema map[string]any) {
		for _, late := range []string{"prefixItems", "dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$anchor", "$id"} {
			if _, used := schema[late]; used {
				t.Errorf("%s uses %s, which draft-07 does not know", at, late)
			}
		}
		if pattern, ok := schema["pattern"].(string); ok {
			patterns++
			if onlyGo.MatchString(pattern) {
				t.Errorf("%s: the pattern %s is not ECMAScript's", at, pattern)
			}
		}
		properties, _ := schema["properties"].(map[string]any)
		if strings.HasSuffix(at, "/properties/countries") {
			return // its keys are the words of kinds
		}
		for name, property := range properties {
			keys++
			row, _ := property.(map[string]any)
			if says, _ := row["description"].(string); !oneSentence.MatchString(says) || strings.Contains(says, ". ") {
				t.Errorf("%s/%s is described by %q, want one sentence", at, name, says)
			}
		}
		if properties != nil && schema["additionalProperties"] != false {
			t.Errorf("%s takes unknown keys", at)
		}
	})
	if keys < len(config.Keys()) || patterns < 30 {
		t.Errorf("found %d keys and %d patterns", keys, patterns)
	}
}

func TestEveryKeyIsInTheSchema(t *testing.T) {
	for _, key := range config.Keys() {
		if config.SchemaOf(key) == nil {
			t.Errorf("%s is not in the schema", key)
		}
	}
}

// rightFiles are complete configurations that Load takes.
func rightFiles(t *testing.T) map[string]string {
	t.Helper()
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var written bytes.Buffer
	if err := config.WriteInit(&written, config.InitOptions{}); err != nil {
		t.Fatal(err)
	}
	ports := 9000
	demo := regexp.MustCompile(`\{\{\.(\w+)\}\}`).ReplaceAllStringFunc(read("../app/demo/config.yaml"), func(field string) string {
		if field == "{{.Graph}}" {
			return "http://127.0.0.1:9999"
		}
		ports++
		return fmt.Sprintf("127.0.0.1:%d", ports)
	})
	demo = regexp.MustCompile(`\$\{file:[^}]*\}`).ReplaceAllString(demo, "$${WHATSAPP_APP_SECRET}")
	_, readme, found := strings.Cut(read("../../README.md"), "```yaml\ncampaigns:\n")
	readme, _, closed := strings.Cut(readme, "```")
	if !found || !closed {
		t.Fatal("README.md has no campaign any more")
	}
	files := map[string]string{
		"config.yaml": read("../../config.yaml"), "init": written.String(), "demo": demo,
		"README.md": head + "campaigns:\n" + readme, "CONTRACT": contractAlone(), "nothing but what must be": head,
	}
	for name, c := range keyCases() {
		files["without "+name], files["with "+name] = c.without, c.with
	}
	return files
}

// contractAlone is the contract's example without the files that it names.
func contractAlone() string {
	return strings.NewReplacer("include: [campaigns/*.yaml]\n", "", "rates: rates.csv\n", ratesKey).Replace(contractExample)
}

func TestSchemaAndLoaderTakeWhatIsRight(t *testing.T) {
	schema := openSchemas(t)
	for name, text := range rightFiles(t) {
		mustLoad(t, text)
		if err := refusal(t, schema.config, text); err != nil {
			t.Errorf("%s: the schema refuses what the loader takes: %v\n%s", name, err, text)
		}
	}
	list := strings.TrimPrefix(tail, "campaigns:\n")
	for _, text := range []string{tail, list, "campaigns: []\n", "[]\n"} {
		if err := refusal(t, schema.included, text); err != nil {
			t.Errorf("an included file is refused: %v\n%s", err, text)
		}
	}
	for _, text := range []string{head, "version: 1\n" + tail, strings.Replace(tail, "    template: weekend_offer\n", "", 1), "campaigns:\n", "text\n"} {
		if refusal(t, schema.included, text) == nil {
			t.Errorf("the schema takes this as a file of campaigns:\n%s", text)
		}
	}
	if refusal(t, schema.config, tail) == nil {
		t.Error("the schema takes a file of campaigns as config.yaml")
	}
}

// TestSchemaKnowsReferences holds that ${NAME} may stand wherever the loader takes it.
func TestSchemaKnowsReferences(t *testing.T) {
	env := map[string]string{
		"TEXT": "Aurora", "COUNTRY": "IT", "ZONE": "Europe/Rome", "DB": "sqlite:p.db", "URL": "https://a.example", "ADDRESS": "127.0.0.1:1", "VERSION": "v25.0",
		"ID": "111222333444", "RATE": "12.5", "ONE": "1", "TRUE": "true", "KIND": "marketing", "SPAN": "36h", "TYPE": "number", "FILTER": `country = "IT"`,
		"LOOSE": "loose", "TIME": "20:00", "CAMPAIGN": "weekend-offer", "CATEGORY": "offers", "PHONE": "+393471234567", "IT": "it", "TEMPLATE": "t",
		"AUTO": "auto", "CRON": "0 18 * * FRI", "SKIP": "skip", "AT": "2027-01-01T10:00:00Z", "END": "2028-01-01T10:00:00Z", "FIELD": "name", "LINK": "https://a.example/b.jpg", "WORDS": "basta", "RATES": strings.TrimSpace(strings.TrimPrefix(ratesKey, "rates: ")), "BUDGET": "5 EUR", "LONG": "395d", "SHARE": "2%",
	}
	text := `version: ${ONE}
business: {name: "${TEXT}", country: "${COUNTRY}", timezone: "${ZONE}"}
database: ${DB}
state_dir: ${TEXT}
public_url: ${URL}
listen: {webhook: "${ADDRESS}"}
graph: {base_url: "${URL}", version: "${VERSION}", account_id: "${ID}", access_token: "${TEXT}", app_secret: ["${TEXT}"], verify_token: "${TEXT}"}
numbers: [{id: "${ID}", messages_per_second: "${RATE}"}]
categories:
  offers: {kind: "${KIND}", title: {it: "${TEXT}"}, consent_expires_after: "${SPAN}"}
attributes: {points: "${TYPE}"}
segments: {italy: "${FILTER}"}
policy:
  caps: [{max: "${ONE}", per: "${SPAN}", kind: "${KIND}", category: "${CATEGORY}", campaign: "${CAMPAIGN}"}]
  quiet_hours: {from: "${TIME}", to: "09:00", kind: "${KIND}"}
  recipient_timezone: ${LOOSE}
  countries: {marketing: {allow: ["${COUNTRY}"]}}
  holidays: ["${COUNTRY}"]
  universal_holdout: ${SHARE}
opt_out: {keywords: {it: ["${WORDS}"]}, confirmation: {it: "${TEXT}"}, help: {it: "${TEXT}"}}
opt_in: {keywords: {it: ["${TEXT}"]}}
replies: {url: "${URL}", secret: "${TEXT}"}
approvals: {above: "${ONE}"}
notify: {url: "${URL}", secret: "${TEXT}"}
rates: ${RATES}
retention: {deliveries: "${LONG}", webhooks: "${LONG}", review_texts: "${SPAN}"}
test_phones: ["${PHONE}"]
dry_run: ${TRUE}
campaigns:
  - id: ${CAMPAIGN}
    category: ${CATEGORY}
    template: ${TEMPLATE}
    languages: ["${IT}"]
    number: ${ID}
    endpoint: ${AUTO}
    schedule: {cron: "${CRON}", timezone: "${ZONE}", catch_up: "${SKIP}", catch_up_within: "${SPAN}", overlap: "${SKIP}", starts_at: "${AT}"}
    window: {from: "18:00", to: "${TIME}", in: recipient}
    audience: ${FILTER}
    parameters:
      header: {image: {link: "${LINK}"}}
      body: [{field: "${FIELD}", default: "${TEXT}"}, "${TEXT}"]
      buttons: {0: {payload: "${TEXT}"}}
    priority: ${ONE}
    max_recipients: ${ONE}
    budget: ${BUDGET}
    holdout: ${SHARE}
    not_after: ${END}
`
	path := filepath.Join(t.TempDir(), "config.yaml")
	write(t, path, text)
	if _, err := config.Load(path, func(name string) (string, bool) { v, ok := env[name]; return v, ok }); err != nil {
		t.Fatal(err)
	}
	schema := openSchemas(t)
	if err := refusal(t, schema.config, text); err != nil {
		t.Errorf("the schema refuses references: %v", err)
	}
	for _, slip := range []string{"${LOOSE", "$LOOSE", "${}", "${my zones}", "${file:}"} {
		if refusal(t, schema.config, strings.Replace(text, "${LOOSE}", strconv.Quote(slip), 1)) == nil {
			t.Errorf("the schema takes %s for a reference", slip)
		}
	}
}

// FuzzSchemaTakesWhatLoadTakes holds that an editor never shows a mistake where there is none.
func FuzzSchemaTakesWhatLoadTakes(f *testing.F) {
	for _, text := range []string{head, head + tail, contractExample, "version: 1.0\n" + head, head + "database: sqlite:/\n"} {
		f.Add(text)
	}
	for _, c := range keyCases() {
		f.Add(c.with)
	}
	schema := openSchemas(f)
	path := filepath.Join(f.TempDir(), "config.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := instance(text)
		if !ok {
			return
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(path, secrets); err != nil {
			return
		}
		if err := schema.config.Validate(v); err != nil {
			t.Errorf("the schema refuses what the loader takes: %v\n%s", err, text)
		}
	})
}

// TestTheTableIsWhatTheLoaderDoes holds the table of keys to the loader where the two could part: what must be there, and
// what an absent key means.
func TestTheTableIsWhatTheLoaderDoes(t *testing.T) {
	full := mustLoad(t, allFallbacks(t))
	if bare := mustLoad(t, head+tail+"    schedule: {cron: \"0 18 * * FRI\"}\n    window: {from: \"18:00\", to: \"20:00\"}\n"); full.Hash() != bare.Hash() ||
		full.Listen != bare.Listen || filepath.Base(full.Database) != filepath.Base(bare.Database) || filepath.Base(full.StateDir) != filepath.Base(bare.StateDir) {
		t.Errorf("written out, the defaults are others: %+v, not %+v", full, bare)
	}
	for _, key := range config.RequiredKeys() {
		if !slices.ContainsFunc(problemsOf(t, without(t, key)), func(p config.Problem) bool {
			return strings.HasPrefix(p.Message, key[strings.LastIndexByte(key, '.')+1:]+" is missing")
		}) {
			t.Errorf("without %s the loader misses nothing", key)
		}
	}
}

// allFallbacks is a configuration that says what holds anyway.
func allFallbacks(t *testing.T) string {
	t.Helper()
	in := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(config.Fallbacks())) {
		value, err := json.Marshal(config.Fallbacks()[key])
		if err != nil {
			t.Fatal(err)
		}
		dot := strings.LastIndexByte(key, '.') + 1
		in[key[:dot]] = append(in[key[:dot]], key[dot:]+": "+string(value))
	}
	flow := func(section string) string { return strings.Join(in[section], ", ") }
	if len(in) != 7 {
		t.Fatalf("there are defaults in %d sections: write the new one here", len(in))
	}
	return strings.Replace(head, "graph:\n", "graph:\n  "+strings.Join(in["graph."], "\n  ")+"\n", 1) + strings.Join(in[""], "\n") +
		"\nlisten: {" + flow("listen.") + "}\npolicy: {" + flow("policy.") + "}\n" + tail +
		"    schedule: {cron: \"0 18 * * FRI\", " + flow("campaigns[].schedule.") + "}\n" +
		"    window: {from: \"18:00\", to: \"20:00\", " + flow("campaigns[].window.") + "}\n    " + strings.Join(in["campaigns[]."], "\n    ") + "\n"
}

// without is a right file that lacks a key.
func without(t *testing.T, key string) string {
	t.Helper()
	base := head + "policy: {caps: [{max: 1, per: 24h}], quiet_hours: {from: \"20:00\", to: \"09:00\"}}\napprovals: {above: 1}\nnotify: {url: https://a.example, secret: \"${NOTIFY_SECRET}\"}\nreplies: {url: https://a.example, secret: \"${REPLIES_SECRET}\"}\nopt_in: {keywords: {}}\n" + tail + "    window: {from: \"18:00\", to: \"20:00\"}\n"
	text, ok := mistaken(t, rand.New(rand.NewPCG(1, 1)), base, fault{"missing", "^" + strings.ReplaceAll(regexp.QuoteMeta(key), `\*`, "[^.]+") + "$", []string{remove}})
	if !ok {
		t.Fatalf("the file has no %s to take away", key)
	}
	return text
}
