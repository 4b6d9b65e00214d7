package reliability

import (
	"regexp"
	"slices"
	"strings"
)

// The rooms whose evidence has a form of its own.
const (
	proofRoom      = "internal/proof"
	simulationRoom = "internal/simulation"
	storeRoom      = "internal/store"
	suiteRoom      = "internal/store/storetest"
	mutantsRoom    = "internal/proof/mutants"
)

// Shown is one test that shows a thing to hold. The zero Shown names nothing.
type Shown struct {
	room, test string
	part       string // a subtest, "" for the whole
	scenario   string // of internal/proof; then nothing else is set
	path       string // of the simulation: what must be met for it to be shown
}

// by are tests of a package, which is named by its folder.
func by(room string, tests ...string) (all []Shown) {
	for _, test := range tests {
		all = append(all, Shown{room: room, test: test})
	}
	return all
}

// played are scenarios of internal/proof.
func played(names ...string) (all []Shown) {
	for _, name := range names {
		all = append(all, Shown{scenario: name})
	}
	return all
}

// kept are parts of the suite that both databases must pass.
func kept(parts ...string) (all []Shown) {
	for _, part := range parts {
		all = append(all, Shown{room: storeRoom, test: "TestConformance", part: part})
	}
	return all
}

// lived are paths of the simulation.
func lived(paths ...string) (all []Shown) {
	for _, path := range paths {
		all = append(all, Shown{room: simulationRoom, test: "TestSimulation", path: path})
	}
	return all
}

// commands are the lines that play what is named again, one for each package and kind.
func commands(all []Shown, t Tree) (lines []string) {
	var scenarios, parts, rooms []string
	tests := map[string][]string{}
	for _, s := range all {
		switch {
		case s.scenario != "":
			scenarios = append(scenarios, s.scenario)
		case s.part != "":
			parts = append(parts, subtest(s.part))
		default:
			if tests[s.room] == nil {
				rooms = append(rooms, s.room)
			}
			if !slices.Contains(tests[s.room], s.test) {
				tests[s.room] = append(tests[s.room], s.test)
			}
		}
	}
	if len(scenarios) > 0 {
		lines = append(lines, "PERMESSO_PROOF_SEED=1 .ci/with-postgres go test ./internal/proof -v -run '^TestScenarios$/"+anyOf(scenarios)+"'")
	}
	for _, room := range rooms {
		line := "go test ./" + room + " -run '" + anyOf(tests[room]) + "'"
		if t.servers[room] {
			line = ".ci/with-postgres " + line
		}
		if room == simulationRoom {
			line += " -sim.runs=200"
		}
		lines = append(lines, line)
	}
	if len(parts) > 0 {
		lines = append(lines, ".ci/with-postgres go test ./internal/store -run '^TestConformance$/./"+anyOf(parts)+"'")
	}
	return lines
}

// subtest is a subtest's name as -run has it.
func subtest(name string) string { return regexp.QuoteMeta(strings.ReplaceAll(name, " ", "_")) }

// anyOf is a pattern for one of the names and nothing else.
func anyOf(names []string) string {
	if len(names) == 1 {
		return "^" + names[0] + "$"
	}
	return "^(" + strings.Join(names, "|") + ")$"
}
