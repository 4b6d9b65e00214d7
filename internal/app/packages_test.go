package app_test

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// moduleRoot is where go.mod is, seen from this package's directory.
const moduleRoot = "../.."

// maxLines of a Go file, tests included: what one reader keeps in mind at a sitting.
const maxLines = 500

// longFiles may pass maxLines, each for the reason given.
var longFiles = map[string]string{}

// emptyNames say nothing about what is behind them, in a function or in a directory.
var emptyNames = []string{"base", "common", "helper", "helpers", "misc", "models", "pkg", "shared", "types", "util", "utils"}

// commandLine is a line to type, in a text that people read.
var commandLine = regexp.MustCompile(`permesso (?:check|consent|contacts|demo|explain|halt|init|log|migrate|plan|report|resume|run|runs (?:approve|cancel|list|pause|resume|show)|sandbox|schema|serve|suppress|templates)\b(?:[^:]|$)`)

var commandPath = regexp.MustCompile(`^permesso( [a-z]+)+( --[a-z-]+)?$`)

// The top level is the product in its folders; the rest is in internal, docs and dot files.
var topLevel = []string{
	"cmd", "scheduler", "sender", "templates", "policy", "migrations", "config.yaml", "go.mod", "README.md",
	"internal", "docs", "deploy",
	"go.sum", "tools.mod", "tools.sum", "Makefile", "Dockerfile", "LICENSE", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md",
}

func TestEveryPackageSaysWhatItOwns(t *testing.T) {
	first := map[string]string{} // first sentence of the package comment, by directory
	names := map[string]string{}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(moduleRoot, file), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatalf("parsing %s: %v", file, err)
		}
		dir := path.Dir(file)
		names[dir] = parsed.Name.Name
		if text := strings.TrimSpace(parsed.Doc.Text()); text != "" {
			if before := first[dir]; before != "" {
				t.Errorf("%s has a second package comment in %s: go doc runs them together", dir, file)
			}
			first[dir] = new(doc.Package).Synopsis(text)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(names)) {
		start := "Package " + names[dir] + " "
		if names[dir] == "main" {
			start = "Command " + path.Base(dir) + " "
		}
		if !strings.HasPrefix(first[dir], start) || first[dir] == strings.TrimSpace(start) {
			t.Errorf("%s: its package comment must begin %q and say in one sentence what it owns; it begins %q", dir, start+"...", first[dir])
		}
	}
}

func TestFilesStayShort(t *testing.T) {
	long := map[string]bool{}
	for _, file := range goFiles(t) {
		source := readFile(t, file)
		lines := bytes.Count(source, []byte("\n"))
		if lines <= maxLines {
			continue
		}
		long[file] = true
		if longFiles[file] == "" {
			t.Errorf("%s has %d lines, more than %d: split it by what its parts are about, or list it in longFiles with the reason", file, lines, maxLines)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(longFiles)) {
		if !long[file] {
			t.Errorf("%s is listed in longFiles and is no longer long: take it off", file)
		}
	}
}

// A command in a sentence stands in backquotes, so that nobody types the words around it. Examples stand on indented lines.
func TestCommandsStandInBackquotes(t *testing.T) {
	quoted := 0
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, filepath.Join(moduleRoot, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("parsing %s: %v", file, err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if commandPath.MatchString(text) {
				return true // a name in a table, no sentence
			}
			for line := range strings.Lines(text) {
				for _, at := range commandLine.FindAllStringIndex(line, -1) {
					switch {
					case at[0] > 0 && line[at[0]-1] == '`':
						quoted++
					case !strings.HasPrefix(line, "  "):
						t.Errorf("%s:%d: put backquotes around the command in %q", file, set.Position(literal.Pos()).Line, strings.TrimSpace(line))
					}
				}
			}
			return true
		})
	}
	if quoted == 0 {
		t.Error("no sentence names a command: the test looks past them")
	}
}

func TestNamesSayWhatIsBehindThem(t *testing.T) {
	empty := func(name string) bool { return slices.Contains(emptyNames, strings.ToLower(name)) }
	dirs := map[string]bool{}
	for _, file := range goFiles(t) {
		dirs[path.Dir(file)] = true
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, filepath.Join(moduleRoot, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("parsing %s: %v", file, err)
		}
		for _, declared := range parsed.Decls {
			if f, ok := declared.(*ast.FuncDecl); ok && empty(f.Name.Name) {
				t.Errorf("%s:%d: func %s: name it after what it does", file, set.Position(f.Pos()).Line, f.Name.Name)
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		if empty(path.Base(dir)) {
			t.Errorf("%s: name the package after what it owns", dir)
		}
	}
}

func TestTopLevelIsTheAgreedOne(t *testing.T) {
	entries, err := os.ReadDir(moduleRoot)
	if err != nil {
		t.Fatal(err)
	}
	ignored := ignoredAtTop(t)
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") || slices.Contains(topLevel, name) {
			continue
		}
		matches := func(pattern string) bool { ok, err := path.Match(pattern, name); return err == nil && ok }
		if !slices.ContainsFunc(ignored, matches) {
			t.Errorf("%s is at the top level, outside the agreed layout: put it into internal/ or docs/, or into .gitignore if a run leaves it", name)
		}
	}
}

// ignoredAtTop returns the patterns of .gitignore that can name something at the top level.
func ignoredAtTop(t *testing.T) []string {
	t.Helper()
	var patterns []string
	lines := bufio.NewScanner(bytes.NewReader(readFile(t, ".gitignore")))
	for lines.Scan() {
		pattern := strings.Trim(strings.TrimSpace(lines.Text()), "/")
		if pattern != "" && !strings.HasPrefix(pattern, "#") && !strings.Contains(pattern, "/") {
			patterns = append(patterns, pattern)
		}
	}
	return patterns
}

// goFiles returns every Go file of the module that the go command would take, relative to its root, with slashes.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(moduleRoot), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("walking %s: %w", name, err)
		}
		base := path.Base(name)
		hidden := name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_"))
		switch {
		case entry.IsDir() && (hidden || base == "testdata"):
			return fs.SkipDir
		case !entry.IsDir() && !hidden && strings.HasSuffix(base, ".go"):
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(moduleRoot, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}
