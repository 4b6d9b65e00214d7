package main

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	iofs "io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/report"
)

var update = flag.Bool("update", false, "write docs/ERRORS.md anew")

const moduleRoot = "../.."

func TestErrorsPageIsMadeFromTheProgram(t *testing.T) {
	path := filepath.Join(moduleRoot, "docs", "ERRORS.md")
	want := errcode.Markdown(explainedCodes())
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != want {
		t.Error("docs/ERRORS.md is not what the program says: `go test ./cmd/permesso -run ErrorsPage -update` writes it")
	}
	for _, e := range explainedCodes() {
		if strings.Count(want, "\n## "+string(e.Code)+"\n") != 1 {
			t.Errorf("%s has not one section", e.Code)
		}
	}
}

func TestHelpError(t *testing.T) {
	ask := func(args ...string) answer {
		var out, errs strings.Builder
		code := run(t.Context(), append([]string{"help"}, args...), strings.NewReader(""), &out, &errs, func(string) (string, bool) { return "", false })
		return answer{code, out.String(), errs.String()}
	}
	t.Chdir(t.TempDir()) // without any configuration
	for _, word := range []string{"database_locked", "[database_locked]", "DATABASE_LOCKED"} {
		if a := ask("error", word); a.code != 0 || !strings.HasPrefix(a.out, "database_locked: Another program has the SQLite file locked\nexit code 1\n") || !strings.Contains(a.out, "What to do: Close the other program") {
			t.Errorf("%s: exit %d\n%s%s", word, a.code, a.out, a.err)
		}
	}
	if a := ask("error", "131049"); a.code != 0 || !strings.HasPrefix(a.out, "meta_131049: ") || !strings.Contains(a.out, "leave them alone") {
		t.Errorf("a number of Meta's: exit %d\n%s%s", a.code, a.out, a.err)
	}
	if a := ask("error", "databse_locked"); a.code != 2 || !strings.Contains(a.err, `did you mean "database_locked"?`) {
		t.Errorf("a slip: exit %d\n%s%s", a.code, a.out, a.err)
	}
	all := ask("error")
	lines := objects(t, ask("error", "--json").out)
	if all.code != 0 || len(lines) != len(explainedCodes()) || strings.Count(all.out, "\n") != len(lines)+1 {
		t.Errorf("the list: exit %d, %d lines of text, %d of JSON, for %d codes", all.code, strings.Count(all.out, "\n"), len(lines), len(explainedCodes()))
	}
	one := objects(t, ask("error", "halted", "--json").out)
	if len(one) != 1 || one[0]["code"] != "halted" || one[0]["do"] == "" || one[0]["area"] != "Runs and the service" {
		t.Errorf("one as JSON: %v", one)
	}
	for _, line := range []string{all.out, ask("error", "no_such_campaign").out} {
		for text := range strings.Lines(line) {
			if len([]rune(text)) > 140 {
				t.Errorf("a long line: %s", text)
			}
		}
	}
}

func TestHelpOfVerbsStaysAsItWas(t *testing.T) {
	ask := func(args ...string) answer {
		var out strings.Builder
		code := run(t.Context(), args, strings.NewReader(""), &out, io.Discard, func(string) (string, bool) { return "", false })
		return answer{code: code, out: out.String()}
	}
	for _, verb := range [][]string{{"plan"}, {"runs", "resume"}, {"contacts"}, {"help"}, {"help", "error"}, nil} {
		help, flag := ask(append([]string{"help"}, verb...)...), ask(append(verb, "--help")...)
		if len(verb) == 2 && verb[1] == "error" {
			help = ask("help", "help", "error")
		}
		if help.code != 0 || help.out != flag.out || help.out == "" {
			t.Errorf("help %v: exit %d\n%s\nbut --help says\n%s", verb, help.code, help.out, flag.out)
		}
	}
}

// What the sections tell people to type exists.
func TestErrorsNameRealVerbsAndFlags(t *testing.T) {
	root := newSession(strings.NewReader(""), io.Discard, io.Discard, os.LookupEnv).root()
	root.InitDefaultHelpCmd()
	root.InitDefaultHelpFlag()
	lines := 0
	for _, e := range explainedCodes() {
		for _, quoted := range regexp.MustCompile("`permesso ([^`]+)`").FindAllStringSubmatch(e.Means+" "+e.Do, -1) {
			lines++
			words := strings.Fields(quoted[1])
			cmd, _, err := root.Find(words)
			if err != nil || cmd == root && words[0] != "VERB" && !strings.HasPrefix(words[0], "--") {
				t.Errorf("%s: there is no `permesso %s`", e.Code, quoted[1])
				continue
			}
			for _, word := range words {
				name, isFlag := strings.CutPrefix(word, "--")
				if isFlag && name != "help" && cmd.Flags().Lookup(name) == nil && root.PersistentFlags().Lookup(name) == nil {
					t.Errorf("%s: `permesso %s` has no flag --%s", e.Code, quoted[1], name)
				}
			}
		}
	}
	if lines < 30 {
		t.Errorf("only %d commands found", lines)
	}
}

// source is the program's own code, file by file.
func source(t *testing.T, each func(path string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(moduleRoot, func(path string, entry iofs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() != ".." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err == nil {
			each(filepath.ToSlash(strings.TrimPrefix(path, moduleRoot+string(filepath.Separator))), file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// named reports whether e is from.name, and returns name.
func named(e ast.Expr, from string) (string, bool) {
	selector, ok := e.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	x, ok := selector.X.(*ast.Ident)
	return selector.Sel.Name, ok && x.Name == from
}

func TestEveryCodeIsUsedAndExplained(t *testing.T) {
	constants, used := map[string]errcode.Code{}, map[string]string{}
	source(t, func(path string, file *ast.File) {
		own := strings.HasPrefix(path, "internal/errcode/")
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if kind, ok := n.Type.(*ast.Ident); own && ok && kind.Name == "Code" {
					text, err := strconv.Unquote(n.Values[0].(*ast.BasicLit).Value)
					if err != nil {
						t.Fatal(err)
					}
					constants[n.Names[0].Name] = errcode.Code(text)
				}
			case *ast.SelectorExpr:
				if name, ok := named(n, "errcode"); ok {
					used[name] = path
				}
			case *ast.CallExpr:
				if name, ok := named(n.Fun, "errcode"); ok && name == "Code" && path != "internal/graph/classify.go" {
					t.Errorf("%s makes a code of a text: give it a constant in internal/errcode", path)
				}
				if name, ok := named(n.Fun, "errcode"); ok && name == "With" && len(n.Args) == 2 {
					if _, literal := n.Args[1].(*ast.BasicLit); literal {
						t.Errorf("%s gives a code without its constant", path)
					}
				}
			}
			return true
		})
	})
	if len(constants) < 100 {
		t.Fatalf("only %d codes found", len(constants))
	}
	inUse := map[errcode.Code]bool{}
	for name, code := range constants {
		entry, ok := entryOf(code)
		if !ok {
			t.Errorf("errcode.%s has no entry: say what it means and what to do", name)
		}
		if _, ok := used[name]; ok {
			inUse[code] = true
		} else if entry.Area != errcode.AreaReasons {
			t.Errorf("no error has errcode.%s: delete it", name)
		}
	}
	reasons := map[errcode.Code]bool{}
	for _, reason := range report.Reasons() {
		reasons[errcode.Code(reason)] = true
		if entry, _ := entryOf(errcode.Code(reason)); entry.Area != errcode.AreaReasons {
			t.Errorf("the reason %s is not explained", reason)
		}
	}
	for _, e := range errcode.All() {
		if !inUse[e.Code] && !reasons[e.Code] {
			t.Errorf("%s is explained and nothing says it", e.Code)
		}
		if e.Area == errcode.AreaReasons && !reasons[e.Code] {
			t.Errorf("%s is no reason", e.Code)
		}
	}
}

// notPrinted are errors without a code, and why none is missed: complain never meets them.
var notPrinted = map[string]string{
	"internal/app.ErrIncomplete":      "each error around it has a code; run_incomplete stands for the rest",
	"internal/config.errNoDocument":   "becomes a problem of the configuration",
	"internal/console.errPlace":       "becomes an answer of the console",
	"internal/graph.errForeign":       "fails one message",
	"internal/graph.errNoAnswer":      "fails one message; readers of lists wrap it as meta_unreachable",
	"internal/graph.errReplay":        "fails one message",
	"internal/graph.errTooLate":       "fails one message",
	"internal/ledger.errLine":         "a line of the checkpoints becomes a finding, or ErrCheckpoints",
	"internal/report.ErrOtherRequest": "becomes an answer of the API",
	"internal/statedir.errLine":       "a line that was torn is cut off; one in the middle is told as journal_damaged",
	"internal/store.ErrAlreadyUndone": "is told as a fact, not as a failure",
	"internal/store.ErrAskedTooOften": "becomes an answer of a page for people",
	"internal/store.ErrNoCategory":    "becomes an answer of a page for people",
	"internal/store.ErrNobody":        "becomes an answer of a page for people",
	"policy.ErrExpiredLink":           "becomes an answer of a page for people",
	"policy.ErrForgedLink":            "becomes an answer of a page for people",
	"internal/store.ErrState":         "a StateError around it has the sentence and the code",
	"internal/store.errNotQueued":     "sends the gate round again",
	"internal/webhook.errNoRoom":      "becomes an answer of the webhook",
	"scheduler.ErrRefused":            "becomes the reason why a run ended",
	"sender.ErrNoBinding":             "becomes the reason why a run pauses",
}

func TestEverySentinelHasACode(t *testing.T) {
	found := map[string]bool{}
	source(t, func(path string, file *ast.File) {
		room := filepath.ToSlash(filepath.Dir(path))
		for _, declaration := range file.Decls {
			general, ok := declaration.(*ast.GenDecl)
			if !ok || general.Tok != token.VAR {
				continue
			}
			for _, spec := range general.Specs {
				values := spec.(*ast.ValueSpec)
				for i, value := range values.Values {
					call, ok := value.(*ast.CallExpr)
					if !ok {
						continue
					}
					if name, ok := named(call.Fun, "errors"); ok && name == "New" {
						found[room+"."+values.Names[i].Name] = true
					}
				}
			}
		}
	})
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if _, known := notPrinted[name]; !known {
			t.Errorf("%s has no code: wrap it in errcode.With, or say in notPrinted why nobody sees it", name)
		}
	}
	for name := range notPrinted {
		if !found[name] {
			t.Errorf("%s is excused and does not exist", name)
		}
	}
}

// Of the command line every sentence of its own has a code, given where it is written.
func TestEveryErrorOfTheCommandLineHasACode(t *testing.T) {
	source(t, func(path string, file *ast.File) {
		if !strings.HasPrefix(path, "cmd/permesso/") {
			return
		}
		given := map[ast.Node]bool{}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if name, ok := named(call.Fun, "errcode"); ok && name == "With" {
				given[call.Args[0]] = true
			}
			if plain, ok := call.Fun.(*ast.Ident); ok && plain.Name == "wrongUse" && path != "cmd/permesso/errors.go" {
				t.Errorf("%s: wrongUse gives no code of its own: take misuse", path)
			}
			from, made := "", ""
			for _, room := range []string{"errors", "fmt"} {
				if name, ok := named(call.Fun, room); ok {
					from, made = room, name
				}
			}
			if made != "New" && made != "Errorf" || given[call] {
				return true
			}
			text, ok := call.Args[0].(*ast.BasicLit)
			if from == "errors" || ok && !strings.Contains(text.Value, "%w") {
				t.Errorf("%s: %s has no code", path, text.Value)
			}
			return true
		})
	})
}
