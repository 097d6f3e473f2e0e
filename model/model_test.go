// Package model_test compares the model with the code.
package model_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"recarga/topup"
)

func source(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("order.pml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEveryTransition: the model moves an order exactly as the table allows.
func TestEveryTransition(t *testing.T) {
	type change struct{ from, to, by string }
	modelled, allowed := map[change]bool{}, map[change]bool{}
	for _, m := range regexp.MustCompile(`move\((\w+), (\w+), (\w+)\)`).FindAllStringSubmatch(source(t), -1) {
		if m[1] != "from" { // the definition itself
			modelled[change{strings.TrimPrefix(m[1], "new"), m[2], strings.ReplaceAll(m[3], "_", " ")}] = true
		}
	}
	for _, tr := range topup.Transitions() {
		allowed[change{string(tr.From), string(tr.To), string(tr.By)}] = true
	}
	for c := range allowed {
		if !modelled[c] {
			t.Errorf("%+v is not in the model", c)
		}
	}
	for c := range modelled {
		if !allowed[c] {
			t.Errorf("%+v is in the model, and not in topup.Transitions", c)
		}
	}
}

// TestMirrors: every function that a step says it mirrors is there.
func TestMirrors(t *testing.T) {
	names := regexp.MustCompile(`([a-z/]+\.go):(\w+)`).FindAllStringSubmatch(source(t), -1)
	if len(names) < 40 {
		t.Errorf("only %d functions are named: are they read?", len(names))
	}
	for _, m := range names {
		if !functions(t, m[1])[m[2]] {
			t.Errorf("there is no %s in %s", m[2], m[1])
		}
	}
}

func functions(t *testing.T, file string) map[string]bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			found[f.Name.Name] = true
		}
	}
	return found
}
