package imports

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
)

func TestEveryReasonHasACodeOfItsOwn(t *testing.T) {
	reasons := []string{reasonSource(), reasonCategory(nil), reasonCategory(map[string]policy.Category{"offers": {}})}
	for _, err := range phone.Errors() {
		reasons = append(reasons, err.Reason)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "reasons.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "reason") || len(spec.Values) != 1 {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		reasons = append(reasons, text)
		return true
	})
	if len(reasons) < 38 {
		t.Fatalf("only %d reasons found", len(reasons))
	}
	for _, reason := range reasons {
		code := Code(reason)
		if entry, ok := errcode.Find(code); code == errcode.Internal || !ok || entry.Area != errcode.AreaRows && entry.Area != errcode.AreaPhones {
			t.Errorf("%q has the code %q: give it one in reasonCodes and in internal/errcode/rows.go", reason, code)
		}
	}
	if Code("it rains") != errcode.Internal {
		t.Error("a text that is no reason has a code")
	}
}
