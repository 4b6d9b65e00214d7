package reliability

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/RELIABILITY.md anew, after folding the results of "+EnvResults+" into docs/reliability.json")

const root = "../../.."

func tree(t *testing.T) Tree {
	t.Helper()
	tree, err := ReadTree(root)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func figures(t *testing.T, path string) Figures {
	t.Helper()
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && *update {
		return Figures{}
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The page says what the tables and the figures say, and the figures are of tests that there are.
func TestPage(t *testing.T) {
	data, page := filepath.Join(root, "docs/reliability.json"), filepath.Join(root, "docs/RELIABILITY.md")
	f := figures(t, data)
	if results := os.Getenv(EnvResults); *update && results != "" {
		lines, err := os.Open(results)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = lines.Close() }()
		if f, err = f.Fold(lines); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		f = f.Known(tree(t))
	}
	raw, err := f.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{data: string(raw), page: Page(f, tree(t))} {
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, string(have)); diff != "" {
			t.Errorf("%s is not what its generator writes: run `go test ./internal/proof/reliability -update`\n(-generated +there):\n%s", filepath.Base(path), diff)
		}
	}
}

// Every promise and every failure is there, and what they name exists.
func TestEverythingNamedExists(t *testing.T) {
	t.Parallel()
	have := tree(t)
	if len(Promises) != 7 {
		t.Errorf("%d promises, want 7", len(Promises))
	}
	var ids []string
	named := map[string]bool{}
	look := func(what string, all []Shown) {
		if len(all) == 0 {
			t.Errorf("%s: nothing shows it", what)
		}
		for i, s := range all {
			named[s.scenario] = true
			if !have.has(s) {
				t.Errorf("%s names what is not there: %+v", what, s)
			}
			if s.path != "" && !have.texts[simulationRoom][s.path] {
				t.Errorf("%s: the simulation has no path %q", what, s.path)
			}
			if slices.Contains(all[:i], s) {
				t.Errorf("%s names twice: %+v", what, s)
			}
		}
	}
	for _, f := range Failures() {
		ids = append(ids, f.ID)
		look(f.ID, f.Shown)
		if f.Title == "" || f.Fails == "" || f.Holds == "" {
			t.Errorf("%s says too little: %+v", f.ID, f)
		}
	}
	var want []string
	for i := range 34 {
		want = append(want, fmt.Sprintf("F%d", i+1))
	}
	if !slices.Equal(ids, want) {
		t.Errorf("the failures are %v, want %v", ids, want)
	}
	for _, promise := range Promises {
		look(promise.Title, promise.Shown)
		for _, id := range promise.Played {
			if !slices.Contains(ids, id) {
				t.Errorf("%s: there is no %s", promise.Title, id)
			}
		}
	}
	for scenario := range have.scenarios {
		if !named[scenario] {
			t.Errorf("nothing on the page is shown by the scenario %s", scenario)
		}
	}
	if len(have.scenarios) == 0 {
		t.Error("no scenario was found")
	}
}

// What the figures are about is there too: nothing on the page is of a scenario, a test or a mutant that is gone.
func TestFiguresAreOfWhatThereIs(t *testing.T) {
	t.Parallel()
	have, f := tree(t), figures(t, filepath.Join(root, "docs/reliability.json"))
	if diff := gocmp.Diff(f.Known(have), f); diff != "" && !*update {
		t.Errorf("docs/reliability.json has figures of what is gone: run `go test ./internal/proof/reliability -update`\n%s", diff)
	}
	gone := Figures{
		Scenarios:  []Plays{{Scenario: "kill"}, {Scenario: "gone"}},
		Simulation: []Lifetime{{"", Lived{Test: "TestGone"}}, {"", Lived{Test: "TestSimulation"}}},
		Mutants:    []Search{{"", Searched{Mutant: "gone"}}, {"", Searched{Mutant: "last-write-wins"}}},
	}
	left := Figures{Scenarios: gone.Scenarios[:1], Simulation: gone.Simulation[1:], Mutants: gone.Mutants[1:]}
	if diff := gocmp.Diff(left, gone.Known(have)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNoticesWhatIsNotThere(t *testing.T) {
	t.Parallel()
	have := tree(t)
	for _, s := range slices.Concat(played("kill"), kept("a lost commit answer"), by(proofRoom, "TestScenarios"), by("sender", "TestStateMachine")) {
		if !have.has(s) {
			t.Errorf("%+v is not found", s)
		}
	}
	for _, s := range slices.Concat(played("kil", ""), kept("a lost commit"), by(proofRoom, "TestScenario"), by("nowhere", "TestScenarios")) {
		if have.has(s) {
			t.Errorf("%+v is found", s)
		}
	}
}

// A scenario without anything of its own is written without it.
var noneIsEmpty = gocmp.Transformer("met", func(met map[string]int) string { return times(met) })

func TestFold(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "results.ndjson")
	before := Figures{
		Scenarios: []Plays{
			{Scenario: "kill", Database: "postgres", Day: "2026-01-01", Runs: 7, Seeds: "1-7"},
			{Scenario: "kill", Database: "sqlite", Day: "2026-01-01", Runs: 9, Seeds: "1-9", Tally: Tally{Posts: 4}},
		},
		Simulation: []Lifetime{{"2026-01-01", Lived{Test: "TestSimulation", First: 1, Seeds: 8}}},
		Mutants:    []Search{{"2026-01-01", Searched{Mutant: "b"}}, {"2026-01-01", Searched{Mutant: "d", By: "once"}}},
	}
	lines := `{"day":"2026-11-22","played":{"scenario":"kill","database":"sqlite","seed":2,"posts":10,"unknown":3,"settled":3,"met":{"answers that were lost":3},"most":{"MiB":7}}}
{"day":"2026-11-23","played":{"scenario":"kill","database":"sqlite","seed":1,"posts":20,"doubles":1,"failed":true,"met":{"answers that were lost":2},"most":{"MiB":9}}}
{"day":"2026-11-22","played":{"scenario":"kill","database":"sqlite","seed":9,"long":true,"posts":5}}
{"day":"2026-11-22","lived":{"test":"TestClockJumps","first":1,"seeds":200,"failed":1,"met":{"missed":4}}}
{"day":"2026-11-22","planted":{"found":16,"of":17}}
{"day":"2026-11-22","searched":{"mutant":"c","seed":0}}
{"day":"2026-11-22","searched":{"mutant":"b","by":"once","seed":1}}
`
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	got, err := before.Fold(file)
	if err != nil {
		t.Fatal(err)
	}
	want := Figures{
		Scenarios: []Plays{
			{Scenario: "kill", Database: "sqlite", Day: "2026-11-23", Runs: 2, Failed: 1, Seeds: "1-2", Tally: Tally{Posts: 30, Doubles: 1, Unknown: 3, Settled: 3}, Met: map[string]int{"answers that were lost": 5}, Most: map[string]int{"MiB": 9}},
			{Scenario: "kill", Database: "sqlite", Long: true, Day: "2026-11-22", Runs: 1, Seeds: "9", Tally: Tally{Posts: 5}},
			before.Scenarios[0],
		},
		Simulation: []Lifetime{{"2026-11-22", Lived{Test: "TestClockJumps", First: 1, Seeds: 200, Failed: 1, Met: map[string]int{"missed": 4}}}, before.Simulation[0]},
		Planted:    &Trial{"2026-11-22", Planted{Found: 16, Of: 17}},
		Mutants: []Search{
			{"2026-11-22", Searched{Mutant: "b", By: "once", Seed: 1}}, {"2026-11-22", Searched{Mutant: "c"}}, before.Mutants[1],
		},
	}
	if diff := gocmp.Diff(want, got, noneIsEmpty); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	raw, err := got.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Read(raw)
	if diff := gocmp.Diff(got, again, noneIsEmpty); err != nil || diff != "" {
		t.Errorf("read again: %v\n%s", err, diff)
	}
	text := Page(got, tree(t))
	for _, part := range []string{"**1 failed**", "answers that were lost 5. At most: MiB 9", "seeds 1-2", "2 of 3 were caught", "16 of 17 bugs", "**nothing**"} {
		if !strings.Contains(text, part) {
			t.Errorf("the page does not say %q", part)
		}
	}
}

func TestFoldRefuses(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string]string{
		"torn":    `{"day":"2026-11-22","played":{"scen`,
		"no day":  `{"played":{"scenario":"kill"}}`,
		"nothing": `{"day":"2026-11-22"}`,
	} {
		if f, err := (Figures{}).Fold(strings.NewReader(lines)); err == nil {
			t.Errorf("%s: %+v, want an error", name, f)
		}
	}
	if f, err := Read([]byte(`{"scenarios":[],"others":1}`)); err == nil {
		t.Errorf("figures with a field of nobody's: %+v, want an error", f)
	}
}

// Without the variable nothing is written; with it each result is a line.
func TestAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.ndjson")
	t.Setenv(EnvResults, "")
	if err := Append(Result{Day: "2026-11-22", Planted: &Planted{1, 2}}); err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvResults, path)
	for seed := range uint64(3) {
		if err := Append(Result{Day: "2026-11-22", Played: &Played{Scenario: "kill", Database: "sqlite", Seed: seed, Tally: Tally{Posts: 2}}}); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	f, err := Figures{}.Fold(file)
	if err != nil || f.Planted != nil || len(f.Scenarios) != 1 || f.Scenarios[0].Seeds != "0-2" || f.Scenarios[0].Posts != 6 {
		t.Errorf("%+v, %v", f, err)
	}
	t.Setenv(EnvResults, t.TempDir())
	if err := Append(Result{}); err == nil {
		t.Error("a folder is written to")
	}
}

// The commands play what is named, and nothing that is not.
func TestCommands(t *testing.T) {
	t.Parallel()
	got := commands(slices.Concat(played("kill", "chaos"), kept("a lost commit answer"), by("sender", "TestAfter"), by("internal/e2e", "TestMainJob", "TestPace"),
		lived("unknown", "lost answer")), tree(t))
	want := []string{
		"PERMESSO_PROOF_SEED=1 .ci/with-postgres go test ./internal/proof -v -run '^TestScenarios$/^(kill|chaos)$'",
		"go test ./sender -run '^TestAfter$'",
		".ci/with-postgres go test ./internal/e2e -run '^(TestMainJob|TestPace)$'",
		"go test ./internal/simulation -run '^TestSimulation$' -sim.runs=200",
		".ci/with-postgres go test ./internal/store -run '^TestConformance$/./^a_lost_commit_answer$'",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, f := range Failures() {
		for _, s := range f.Shown {
			if strings.ContainsAny(s.part+s.scenario, `'"/$\`) {
				t.Errorf("%s: %q does not go into a shell's quotes", f.ID, s.part)
			}
		}
	}
}
