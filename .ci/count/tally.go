package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is one line of `go test -json` (go doc cmd/test2json); a build's lines carry ImportPath instead of Package.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Elapsed     float64 // seconds
	Output      string
	FailedBuild string
}

// counts of tests by how they ended.
type counts struct{ passed, failed, skipped int }

func (c *counts) add(o counts) {
	c.passed += o.passed
	c.failed += o.failed
	c.skipped += o.skipped
}

// testRun is one test or subtest. Ended is "" until its pass, fail or skip arrives.
type testRun struct {
	ended  string
	output []string
	parent bool // has subtests
}

// packageRun is what is known of one package until its own end arrives.
type packageRun struct {
	tests  map[string]*testRun
	order  []string
	output []string
}

// tally follows the events of a whole `go test`.
type tally struct {
	out      io.Writer
	packages map[string]*packageRun // those still running
	builds   map[string][]string    // compiler output by import path

	total            counts
	sqlite, postgres int // tests that ran, passed or not
	ended            int // packages
	failedPackages   int
	store            bool // internal/store took part
}

func (t *tally) add(e event) {
	switch {
	case e.Action == "build-output":
		if t.builds == nil {
			t.builds = map[string][]string{}
		}
		t.builds[e.ImportPath] = append(t.builds[e.ImportPath], e.Output)
	case e.Package == "":
		// build-fail: the package's own fail event follows and names this build.
	case e.Test != "":
		t.pkg(e.Package).addTest(e)
	case e.Action == "output":
		p := t.pkg(e.Package)
		p.output = append(p.output, e.Output)
	case e.Action == "pass", e.Action == "fail", e.Action == "skip":
		t.endPackage(e)
	}
}

func (t *tally) pkg(name string) *packageRun {
	p := t.packages[name]
	if p == nil {
		p = &packageRun{tests: map[string]*testRun{}}
		t.packages[name] = p
	}
	return p
}

func (p *packageRun) addTest(e event) {
	r := p.tests[e.Test]
	if r == nil {
		r = &testRun{}
		p.tests[e.Test] = r
		p.order = append(p.order, e.Test)
		for i := strings.LastIndexByte(e.Test, '/'); i > 0; i = strings.LastIndexByte(e.Test[:i], '/') {
			if above := p.tests[e.Test[:i]]; above != nil {
				above.parent = true
			}
		}
	}
	switch e.Action {
	case "output":
		if !isProgress(e.Output) {
			r.output = append(r.output, e.Output)
		}
	case "pass", "fail", "skip":
		r.ended = e.Action
		if e.Action == "pass" {
			r.output = nil // nobody reads it, and a chatty suite should not fill memory
		}
	}
}

// isProgress tells the testing package's own running commentary from a test's output.
func isProgress(line string) bool {
	for _, prefix := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME "} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

func (t *tally) endPackage(e event) {
	p := t.pkg(e.Package)
	delete(t.packages, e.Package)
	t.ended++
	t.store = t.store || strings.Contains(e.Package+"/", "/internal/store/")

	c := t.countTests(p, e.Action)
	if e.Action == "fail" && c.failed == 0 {
		c.failed = 1 // it did not build, or ended badly outside every test
	}
	t.total.add(c)

	switch {
	case e.Action == "fail":
		t.failedPackages++
		fmt.Fprintf(t.out, "FAIL  %s  %.1fs\n", e.Package, e.Elapsed)
		t.print(t.builds[e.FailedBuild])
		t.print(p.output)
	case len(p.tests) == 0:
		fmt.Fprintf(t.out, "-     %s  no tests\n", e.Package)
	default:
		fmt.Fprintf(t.out, "ok    %s  %.1fs  %d tests\n", e.Package, e.Elapsed, c.passed+c.failed)
	}
	for _, name := range p.order {
		if r := p.tests[name]; r.ended != "pass" && (len(r.output) > 0 || r.ended == "") {
			if r.ended == "" {
				fmt.Fprintf(t.out, "--- DID NOT END: %s\n", name)
			}
			t.print(r.output)
		}
	}
}

// countTests counts the leaves: a test with subtests is the sum of those, and one more only when it failed by itself.
// A test that never ended takes the package's fate.
func (t *tally) countTests(p *packageRun, packageEnd string) counts {
	var c counts
	failedBelow := map[string]bool{}
	// Children start after their parents, so backwards sees them first.
	for _, name := range slices.Backward(p.order) {
		r := p.tests[name]
		ended := r.ended
		if ended == "" {
			ended = packageEnd
		}
		ownFailure := ended == "fail" && !failedBelow[name]
		if ended == "fail" {
			if i := strings.LastIndexByte(name, '/'); i > 0 {
				failedBelow[name[:i]] = true
			}
		}
		if r.parent && !ownFailure {
			continue
		}
		switch ended {
		case "pass":
			c.passed++
		case "fail":
			c.failed++
		case "skip":
			c.skipped++
			continue
		}
		if r.parent {
			continue
		}
		elements := strings.Split(name, "/")
		if slices.Contains(elements, "sqlite") {
			t.sqlite++
		}
		if slices.Contains(elements, "postgres") {
			t.postgres++
		}
	}
	return c
}

// print writes pieces of output, which need not be whole lines, so that the next thing printed starts a line.
func (t *tally) print(pieces []string) {
	text := strings.Join(pieces, "")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	fmt.Fprint(t.out, text)
}

// finish prints the totals and reports whether the whole failed.
func (t *tally) finish() bool {
	// The go command was cut off: what had not ended has failed.
	for _, name := range slices.Sorted(maps.Keys(t.packages)) {
		t.endPackage(event{Action: "fail", Package: name})
	}

	failed := t.total.failed > 0 || t.failedPackages > 0
	if t.ended == 0 {
		fmt.Fprintln(t.out, "FAIL: go test reported no package")
		failed = true
	}
	if t.store && (t.sqlite == 0 || t.postgres == 0) {
		fmt.Fprintln(t.out, "FAIL: the store was tested, and one of its databases was not")
		failed = true
	}
	fmt.Fprintf(t.out, "tests on sqlite: %d, on postgres: %d\n", t.sqlite, t.postgres)
	fmt.Fprintf(t.out, "%d passed, %d failed, %d skipped\n", t.total.passed, t.total.failed, t.total.skipped)
	return failed
}
