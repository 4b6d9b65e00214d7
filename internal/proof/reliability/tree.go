package reliability

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// databases is the package by which tests get a database of each kind.
const databases = "github.com/permesso/permesso/internal/store/storetest"

// Tree is what there is to be named: the tests of the module, and the texts in them.
type Tree struct {
	tests     map[string]map[string]bool // package to its tests
	texts     map[string]map[string]bool // package to the strings in its tests
	servers   map[string]bool            // packages that want a PostgreSQL server
	scenarios map[string]bool            // as internal/proof lists them
}

// ReadTree parses the tests below root, which is the module's folder.
func ReadTree(root string) (Tree, error) {
	t := Tree{map[string]map[string]bool{}, map[string]map[string]bool{}, map[string]bool{}, map[string]bool{}}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(rel))
		// The suite of both databases and the list of mutants are no tests by their names.
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".go") && (dir == suiteRoom || dir == mutantsRoom) {
			return t.read(path, dir)
		}
		return nil
	})
	if err != nil {
		return Tree{}, fmt.Errorf("reading the module's tests: %w", err)
	}
	return t, nil
}

var testName = regexp.MustCompile(`^(?:Test|Fuzz)[A-Z]`)

// read adds one file, of the package in dir.
func (t Tree) read(path, dir string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	if t.tests[dir] == nil {
		t.tests[dir], t.texts[dir] = map[string]bool{}, map[string]bool{}
	}
	for _, spec := range file.Imports {
		if spec.Path.Value == strconv.Quote(databases) {
			t.servers[dir] = true
		}
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && testName.MatchString(f.Name.Name) {
			t.tests[dir][f.Name.Name] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
				t.texts[dir][text] = true
			}
		case *ast.ValueSpec:
			if dir == proofRoom && len(n.Names) == 1 && n.Names[0].Name == "scenarios" {
				t.list(n)
			}
		}
		return true
	})
	return nil
}

// list notes the names of scenarios: the first text of each element.
func (t Tree) list(spec *ast.ValueSpec) {
	for _, value := range spec.Values {
		all, ok := value.(*ast.CompositeLit)
		if !ok {
			continue
		}
		for _, element := range all.Elts {
			one, ok := element.(*ast.CompositeLit)
			if !ok || len(one.Elts) == 0 {
				continue
			}
			if text, ok := one.Elts[0].(*ast.BasicLit); ok && text.Kind == token.STRING {
				if name, err := strconv.Unquote(text.Value); err == nil {
					t.scenarios[name] = true
				}
			}
		}
	}
}

// has reports whether what is named is there.
func (t Tree) has(s Shown) bool {
	switch {
	case s.scenario != "":
		return t.scenarios[s.scenario]
	case !t.tests[s.room][s.test]:
		return false
	case s.part != "":
		return t.texts[s.room][s.part] || t.servers[s.room] && t.texts[suiteRoom][s.part]
	}
	return true
}
