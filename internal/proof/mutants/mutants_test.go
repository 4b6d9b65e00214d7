package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

// Each mutant changes what it says it does: its text stands once in its file, so that a change of the program that moves it is
// noticed here and not by a mutant that is none.
func TestMutantsFit(t *testing.T) {
	t.Parallel()
	scenarios, err := os.ReadFile(filepath.Join(root, "internal/proof/scenarios_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	invariants, err := os.ReadFile(filepath.Join(root, "internal/proof/audit.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range mutants {
		if names[m.name] || m.what == "" || len(m.edits) == 0 || len(m.breaks) == 0 || m.database != "sqlite" && m.database != "postgres" {
			t.Errorf("%s is there twice, or says too little: %+v", m.name, m)
		}
		names[m.name] = true
		if !strings.Contains(string(scenarios), `{"`+m.scenario+`", `) {
			t.Errorf("%s: there is no scenario %s", m.name, m.scenario)
		}
		for _, invariant := range m.breaks {
			if !strings.Contains(string(invariants), `= "`+invariant+`"`) {
				t.Errorf("%s: there is no invariant %s", m.name, invariant)
			}
		}
		for _, e := range m.edits {
			source, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), e.old); n != 1 || e.old == e.mutated {
				t.Errorf("%s: its text stands %d times in %s, want 1", m.name, n, e.file)
			}
		}
	}
	if len(mutants) < 25 {
		t.Errorf("%d mutants, want 25 or more", len(mutants))
	}
}
