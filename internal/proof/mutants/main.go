// Command mutants owns deliberate bugs: it builds permesso with each of them in turn and lets the proof's scenarios find it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/permesso/permesso/internal/proof/reliability"
)

// tries is how many seeds may look for one mutant: some lie in wait for a moment that not every run has.
const tries = 3

// together is how many are looked for at once; the scenarios wait more than they compute.
const together = 2

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := score(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// score looks for the mutants whose names are given, or for all, and prints how many were caught; the error says why it is not all.
func score(ctx context.Context, names []string) error {
	wanted := mutants
	if len(names) > 0 {
		wanted = slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return !slices.Contains(names, m.name) })
	}
	if len(wanted) == 0 || len(names) > len(wanted) {
		return fmt.Errorf("no such mutant among %v: their names are in internal/proof/mutants/list.go", names)
	}
	w, err := newWorkshop(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(w.dir) }()
	if err := w.controls(ctx, wanted); err != nil {
		return err
	}
	caught := 0
	var unwritten error
	var mu sync.Mutex
	each(wanted, func(m mutant) {
		began := time.Now()
		found := w.look(ctx, m)
		mu.Lock()
		defer mu.Unlock()
		if found.by != "" {
			caught++
		}
		fmt.Printf("%-28s %-9s %-8s %s (%s)\n", m.name, m.scenario, m.database, found.word(), time.Since(began).Round(time.Second))
		if ctx.Err() == nil {
			unwritten = errors.Join(unwritten, reliability.Append(reliability.Result{
				Day: time.Now().UTC().Format(time.DateOnly),
				Searched: &reliability.Searched{
					Mutant: m.name, What: m.what, Scenario: m.scenario, Database: m.database, By: found.by, Seed: found.seed,
				},
			}))
		}
	})
	fmt.Printf("%d of %d mutants caught\n", caught, len(wanted))
	if unwritten != nil {
		return unwritten
	}
	if caught < len(wanted) {
		return fmt.Errorf("%d mutants are alive: the proof would not notice these bugs", len(wanted)-caught)
	}
	return nil
}

// each calls do for every element, so many at once.
func each[T any](all []T, do func(T)) {
	slots := make(chan struct{}, together)
	var at sync.WaitGroup
	for _, one := range all {
		slots <- struct{}{}
		at.Go(func() {
			defer func() { <-slots }()
			do(one)
		})
	}
	at.Wait()
}

// workshop is where mutants are built and looked for.
type workshop struct {
	root, dir string
	judge     string // the scenarios, built once
	sound     string // the program without any mutant
}

func newWorkshop(ctx context.Context) (*workshop, error) {
	module, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return nil, fmt.Errorf("looking for the module: %w", err)
	}
	dir, err := os.MkdirTemp("", "permesso-mutants-")
	if err != nil {
		return nil, err
	}
	w := &workshop{root: filepath.Dir(strings.TrimSpace(string(module))), dir: dir, judge: filepath.Join(dir, "proof.test"), sound: filepath.Join(dir, "sound")}
	if err := errors.Join(w.goTool(ctx, "test", "-c", "-o", w.judge, "./internal/proof"), w.goTool(ctx, "build", "-o", w.sound, "./cmd/permesso")); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return w, nil
}

func (w *workshop) goTool(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = w.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// controls plays each scenario with the sound program: one that fails without a mutant proves nothing with it. A second seed is for
// the run that did not come to what it is about.
func (w *workshop) controls(ctx context.Context, wanted []mutant) error {
	type stage struct{ scenario, database string }
	var stages []stage
	for _, m := range wanted {
		if s := (stage{m.scenario, m.database}); !slices.Contains(stages, s) {
			stages = append(stages, s)
		}
	}
	failed := make([]error, len(stages))
	var index []int
	for i := range stages {
		index = append(index, i)
	}
	each(index, func(i int) {
		for seed := 1; seed <= 2; seed++ {
			out, passed := w.play(ctx, w.sound, stages[i].scenario, stages[i].database, seed)
			if passed {
				failed[i] = nil
				return
			}
			failed[i] = fmt.Errorf("%s on %s fails without any mutant:\n%s", stages[i].scenario, stages[i].database, tail(out))
			if strings.Contains(out, "audit: ") {
				return // no second chance for a breach
			}
		}
	})
	return errors.Join(failed...)
}

// play runs one scenario with a program, and reports what it said and whether it passed.
func (w *workshop) play(ctx context.Context, program, scenario, database string, seed int) (string, bool) {
	cmd := exec.CommandContext(ctx, w.judge, "-test.v", "-test.timeout=5m", "-test.run=^TestScenarios$/^"+scenario+"$/^seed[0-9]+$/^"+database+"$")
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "PERMESSO_PROOF_BINARY="+program, fmt.Sprintf("PERMESSO_PROOF_SEED=%d", seed), "PERMESSO_SOAK=", reliability.EnvResults+"=")
	out, err := cmd.CombinedOutput()
	played := regexp.MustCompile(`(?m)^ *--- (PASS|FAIL): TestScenarios/` + scenario + `/seed[0-9]+/` + database + ` `).Match(out)
	return string(out), err == nil && played
}

// search is what came of looking for a mutant.
type search struct {
	by   string // the invariant that caught it; "" when it is alive
	seed int
	said string // why it is alive
}

func (s search) word() string {
	switch {
	case s.by != "":
		return fmt.Sprintf("caught by %s, seed %d", s.by, s.seed)
	case s.said != "":
		return "alive: " + s.said
	}
	return "alive"
}

// look builds a mutant and plays its scenario until it is caught.
func (w *workshop) look(ctx context.Context, m mutant) search {
	program, err := w.build(ctx, m)
	if err != nil {
		return search{said: err.Error()}
	}
	defer func() { _ = os.Remove(program) }()
	said := ""
	for seed := 1; seed <= tries && ctx.Err() == nil; seed++ {
		out, passed := w.play(ctx, program, m.scenario, m.database, seed)
		for _, invariant := range m.breaks {
			if !passed && strings.Contains(out, "audit: "+invariant+": ") {
				return search{by: invariant, seed: seed}
			}
		}
		if !passed {
			said = tail(out)
		}
	}
	if said != "" {
		said = "its scenario fails, and for another reason\n" + said
	}
	return search{said: said}
}

// build builds the program with a mutant laid over the sources: no bug is ever written into the tree.
func (w *workshop) build(ctx context.Context, m mutant) (string, error) {
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for i, e := range m.edits {
		path := filepath.Join(w.root, e.file)
		source, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if n := strings.Count(string(source), e.old); n != 1 {
			return "", fmt.Errorf("%s has the text of %s %d times, want 1", e.file, m.name, n)
		}
		changed := filepath.Join(w.dir, fmt.Sprintf("%s-%d.go", m.name, i))
		if err := os.WriteFile(changed, []byte(strings.Replace(string(source), e.old, e.mutated, 1)), 0o600); err != nil {
			return "", err
		}
		overlay.Replace[path] = changed
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	file, program := filepath.Join(w.dir, m.name+".json"), filepath.Join(w.dir, m.name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", err
	}
	return program, w.goTool(ctx, "build", "-overlay", file, "-o", program, "./cmd/permesso")
}

// tail is the end of what a scenario said.
func tail(text string) string {
	const most = 2500
	if len(text) > most {
		text = "…" + text[len(text)-most:]
	}
	return text
}
