package journal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEveryStatementIsUsed: a section of a file that no Go code asks for is one that somebody will still change.
func TestEveryStatementIsUsed(t *testing.T) {
	asked := map[string]int{}
	packages, err := parser.ParseDir(token.NewFileSet(), ".", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(packages["journal"], func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		by, _ := call.Fun.(*ast.Ident)
		name, _ := call.Args[0].(*ast.BasicLit)
		if by == nil || name == nil {
			return true
		}
		text, _ := strconv.Unquote(name.Value)
		switch by.Name {
		case "statement":
			asked[text]++
		case "eachEngine":
			asked["sqlite/"+text]++
			asked["postgres/"+text]++
		}
		return true
	})
	if diff := cmp.Diff(slices.Sorted(maps.Keys(statements)), slices.Sorted(maps.Keys(asked))); diff != "" {
		t.Errorf("what stands in the files and what the code asks for (-files +code):\n%s", diff)
	}
	for name, times := range asked {
		if times > 1 {
			t.Errorf("%s has %d names in the code", name, times)
		}
	}
}
