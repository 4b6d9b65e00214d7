package app_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/permesso/permesso"

// room is one package and what its non-test files may do.
type room struct {
	imports []string // packages of this module, relative to its root; anyRoom for all
	forbids []string // packages of others, each with everything below it
	noClock bool     // may not read the time: now is an argument
}

const anyRoom = "*"

// All SQL is in the store; migrations only carries the files.
var sqlPackages = []string{"database/sql", "github.com/jmoiron/sqlx", "github.com/lib/pq", "modernc.org/sqlite", "github.com/pressly/goose"}

// The domain is what it decides, whatever the database and the wire.
var sqlAndHTTP = slices.Concat(sqlPackages, []string{"net/http"})

// A code belongs to an error where it arises, in every room. internal/errcode is words alone and imports nothing of ours.
const leaf = "internal/errcode"

// The holidays of countries are data that policy alone reads.
const calendars = "policy/holidays"

// What a misspelt word was meant to be is asked wherever people write words.
const spelling = "internal/spelling"

// The form of the consent ledger: the store writes it, state_dir keeps its checkpoints outside, and neither knows the other.
const chained = "internal/ledger"

// The line of the domain. Each may import those before it.
var domain = []string{leaf, "internal/phone", "policy", "templates", "sender", "scheduler"}

// rooms is docs/ARCHITECTURE.md's import rule. A new package, or a new arrow between two, is a change of design: it is
// made here, in the open.
var rooms = map[string]room{
	leaf:             {forbids: sqlAndHTTP, noClock: true},
	spelling:         {forbids: sqlAndHTTP, noClock: true},
	calendars:        {forbids: sqlAndHTTP, noClock: true},
	"internal/phone": {imports: domain[:1], forbids: sqlAndHTTP, noClock: true},
	chained:          {imports: domain[:3], forbids: sqlAndHTTP, noClock: true},
	"policy":         {imports: with(domain[:2], calendars), forbids: sqlAndHTTP, noClock: true},
	"templates":      {imports: domain[:3], forbids: sqlAndHTTP, noClock: true},
	"sender":         {imports: domain[:4], forbids: sqlAndHTTP},
	"scheduler":      {imports: with(domain[:5], spelling), forbids: sqlAndHTTP},

	// Adapters know the domain and not each other; what two of them share belongs to the domain. The report is the
	// exception: the store fills its numbers, the console shows them, notify carries them out.
	"internal/config":  {imports: with(domain, spelling), forbids: sqlAndHTTP},
	"internal/graph":   {imports: domain, forbids: sqlPackages},
	"internal/webhook": {imports: domain, forbids: sqlPackages},
	"internal/report":  {imports: domain, forbids: sqlAndHTTP},
	"internal/metrics": {imports: domain, forbids: sqlPackages},
	"internal/notify":  {imports: with(domain, "internal/report"), forbids: sqlPackages},
	"internal/console": {imports: with(domain, "internal/report"), forbids: sqlPackages},
	"internal/page":    {imports: with(domain, "internal/report"), forbids: sqlPackages},
	"internal/imports": {imports: domain, forbids: sqlAndHTTP},
	// What a program sends is judged by the rules of files, which stand once.
	"internal/api": {imports: with(domain, spelling, "internal/imports", "internal/report"), forbids: sqlPackages},
	// state_dir is not the database: what crosses between the two goes through the domain.
	"internal/statedir": {imports: with(domain[:3], chained), forbids: sqlAndHTTP},
	"internal/ical":     {imports: domain, forbids: sqlAndHTTP, noClock: true},
	"internal/store":    {imports: with(domain, chained, "internal/report", "migrations"), forbids: []string{"net/http"}},
	"migrations":        {},

	// The fake shares nothing with the client that it is there to catch out.
	"internal/sandbox": {forbids: sqlPackages},

	"internal/store/storetest": {imports: with(domain, "internal/report", "internal/store", "migrations"), forbids: []string{"net/http"}},

	// Those who put the parts together.
	"internal/app":   {imports: []string{anyRoom}, forbids: sqlPackages},
	"internal/bench": {imports: []string{anyRoom}},
	"internal/e2e":   {imports: []string{"internal/store/storetest"}}, // from outside: of ours only databases

	// Tests of pages share their browser.
	"internal/chromium": {},

	// What judges the program shares nothing with it.
	"internal/proof":         {},
	"internal/proof/mutants": {imports: []string{"internal/proof/reliability"}}, // where what came of them is noted
	// The page of the promises names tests of all rooms and imports none.
	"internal/proof/reliability": {},
	// Tests alone, which see every part from inside.
	"internal/simulation": {},

	"cmd/permesso": {imports: []string{anyRoom}, forbids: sqlPackages},
}

// Even who may import any room may not import these, save those listed with them.
var closedRooms = map[string][]string{
	"internal/app":               {"cmd/permesso", "internal/bench"},
	"internal/bench":             nil,
	"internal/chromium":          nil,
	"internal/e2e":               nil,
	"internal/proof":             nil,
	"internal/proof/mutants":     nil,
	"internal/proof/reliability": {"internal/proof/mutants"},
	"internal/store/storetest":   {"internal/e2e"},
	"cmd/permesso":               nil,
}

func with(names []string, more ...string) []string { return slices.Concat(names, more) }

// goPackage is what the rules look at: the non-test files of one directory, under every build constraint.
type goPackage struct {
	imports map[string]string // import path to a file that has it
	clock   []string          // file:line of each use of the machine's clock
}

func TestImportsRunOneWay(t *testing.T) {
	packages := readPackages(t)
	if len(packages) == 0 {
		t.Fatal("no Go package found in the module")
	}
	for _, sentence := range violations(rooms, packages) {
		t.Error(sentence)
	}
}

func TestEveryRuleOfImportsBites(t *testing.T) {
	table := map[string]room{
		"policy":       {imports: []string{"internal/phone"}, forbids: sqlAndHTTP, noClock: true},
		"cmd/permesso": {imports: []string{anyRoom}, forbids: sqlPackages},
	}
	imports := func(path string) goPackage { return goPackage{imports: map[string]string{path: "x.go"}} }
	for name, tt := range map[string]struct {
		packages map[string]goPackage
		want     string // part of the one sentence; "" for none
	}{
		"allowed arrow":       {map[string]goPackage{"policy": imports(modulePath + "/internal/phone")}, ""},
		"standard library":    {map[string]goPackage{"policy": imports("strings")}, ""},
		"new arrow":           {map[string]goPackage{"policy": imports(modulePath + "/sender")}, "policy imports sender (x.go)"},
		"unknown package":     {map[string]goPackage{"internal/misc": imports("strings")}, "internal/misc is not in the table"},
		"forbidden package":   {map[string]goPackage{"policy": imports("net/http")}, "policy imports net/http (x.go)"},
		"below forbidden":     {map[string]goPackage{"policy": imports("net/http/httptest")}, "policy imports net/http/httptest (x.go)"},
		"beside forbidden":    {map[string]goPackage{"policy": imports("net/url")}, ""},
		"major version":       {map[string]goPackage{"policy": imports("github.com/pressly/goose/v3")}, "policy imports github.com/pressly/goose/v3 (x.go)"},
		"any room":            {map[string]goPackage{"cmd/permesso": imports(modulePath + "/sender")}, ""},
		"app by cmd":          {map[string]goPackage{"cmd/permesso": imports(modulePath + "/internal/app")}, ""},
		"closed to everybody": {map[string]goPackage{"cmd/permesso": imports(modulePath + "/internal/bench")}, "cmd/permesso imports internal/bench (x.go)"},
		"SQL in cmd":          {map[string]goPackage{"cmd/permesso": imports("database/sql")}, "cmd/permesso imports database/sql (x.go)"},
		"clock":               {map[string]goPackage{"policy": {clock: []string{"x.go:7"}}}, "x.go:7 reads the clock"},
	} {
		t.Run(name, func(t *testing.T) {
			got := violations(table, tt.packages)
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("got %q, want nothing", got)
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)):
				t.Errorf("got %q, want one sentence with %q", got, tt.want)
			}
		})
	}
}

// violations returns one sentence for each thing that the table does not allow.
func violations(table map[string]room, packages map[string]goPackage) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		rules, known := table[name]
		if !known {
			found = append(found, fmt.Sprintf("%s is not in the table of internal/app/imports_test.go: add it with what it may import, or put its code where it belongs", name))
			continue
		}
		p := packages[name]
		for _, imported := range slices.Sorted(maps.Keys(p.imports)) {
			file := p.imports[imported]
			own, isOwn := strings.CutPrefix(imported, modulePath+"/")
			switch {
			case isOwn && !rules.mayImport(name, own):
				found = append(found, fmt.Sprintf("%s imports %s (%s), a new arrow: declare the interface that %s needs on its own side, or change the table in internal/app/imports_test.go and say why", name, own, file, name))
			case !isOwn && rules.forbidden(imported):
				found = append(found, fmt.Sprintf("%s imports %s (%s), which the table in internal/app/imports_test.go keeps out of it", name, imported, file))
			}
		}
		if rules.noClock {
			for _, place := range p.clock {
				found = append(found, fmt.Sprintf("%s reads the clock: in %s now is an argument", place, name))
			}
		}
	}
	return found
}

func (r room) mayImport(importer, imported string) bool {
	if allowed, closed := closedRooms[imported]; closed && !slices.Contains(allowed, importer) {
		return false
	}
	return slices.Contains(r.imports, anyRoom) || slices.Contains(r.imports, imported)
}

func (r room) forbidden(imported string) bool {
	return slices.ContainsFunc(r.forbids, func(f string) bool {
		return imported == f || strings.HasPrefix(imported, f+"/")
	})
}

// readPackages parses every Go file of the module that is not a test, without building anything.
func readPackages(t *testing.T) map[string]goPackage {
	t.Helper()
	packages := map[string]goPackage{}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, filepath.Join(moduleRoot, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("parsing %s: %v", file, err)
		}
		name := path.Dir(file)
		p, ok := packages[name]
		if !ok {
			p = goPackage{imports: map[string]string{}}
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatalf("import %s in %s: %v", spec.Path.Value, file, err)
			}
			p.imports[imported] = file
		}
		for _, line := range clockReads(set, parsed) {
			p.clock = append(p.clock, fmt.Sprintf("%s:%d", file, line))
		}
		packages[name] = p
	}
	return packages
}

// clockReads returns the lines that use time.Now, or what is made of it.
func clockReads(set *token.FileSet, file *ast.File) []int {
	local := ""
	for _, spec := range file.Imports {
		if spec.Path.Value != `"time"` {
			continue
		}
		local = "time"
		if spec.Name != nil {
			local = spec.Name.Name
		}
	}
	if local == "" {
		return nil
	}
	var lines []int
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		from, ok := selector.X.(*ast.Ident)
		if ok && from.Name == local && slices.Contains([]string{"Now", "Since", "Until"}, selector.Sel.Name) {
			lines = append(lines, set.Position(selector.Pos()).Line)
		}
		return true
	})
	return lines
}

func TestClockReads(t *testing.T) {
	const source = `package policy

import clock "time"

func a() clock.Time { return clock.Now() }

var now = clock.Now

func b(t clock.Time) clock.Duration { return clock.Since(t) + clock.Hour }

func c(t clock.Time) clock.Time { return t.Add(clock.Minute) }
`
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "x.go", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := clockReads(set, file), []int{5, 7, 9}; !slices.Equal(got, want) {
		t.Errorf("clockReads = %v, want %v", got, want)
	}
}
