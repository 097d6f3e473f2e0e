// Package docs_test holds the documents against the program.
package docs_test

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

// TestFailuresAreProven: every row of failures.md names a test that is there, and every hazard of the
// queue that has a test has a row.
func TestFailuresAreProven(t *testing.T) {
	text, err := os.ReadFile("failures.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	proof := regexp.MustCompile("`([a-z0-9/]+)\\.(Test[A-Za-z0-9]+)`")
	for i, line := range strings.Split(string(text), "\n") {
		proofs := proof.FindAllStringSubmatch(line, -1)
		row := strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| what dies")
		if row && len(proofs) == 0 {
			t.Errorf("line %d has no proof", i+1)
		}
		for _, p := range proofs {
			named[p[2]] = true
			if !tests(t, p[1])[p[2]] {
				t.Errorf("line %d: there is no test %s in %s", i+1, p[2], p[1])
			}
		}
	}
	for name := range tests(t, "internal/hazards") {
		if !named[name] && strings.HasPrefix(name, "TestHazard") {
			t.Errorf("%s has no row", name)
		}
	}
	if len(named) < 30 {
		t.Errorf("only %d tests are named: is the table read?", len(named))
	}
}

// TestTrustIsProven: every row of trust.md that says what somebody cannot do names tests that are there.
func TestTrustIsProven(t *testing.T) {
	text, err := os.ReadFile("trust.md")
	if err != nil {
		t.Fatal(err)
	}
	proof, rows := regexp.MustCompile("`([a-z0-9/]+)\\.(Test[A-Za-z0-9]+)`"), 0
	for i, line := range strings.Split(string(text), "\n") {
		proofs := proof.FindAllStringSubmatch(line, -1)
		if row := strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| they cannot"); row {
			rows++
			if len(proofs) == 0 {
				t.Errorf("line %d has no proof", i+1)
			}
		}
		for _, p := range proofs {
			if !tests(t, p[1])[p[2]] {
				t.Errorf("line %d: there is no test %s in %s", i+1, p[2], p[1])
			}
		}
	}
	if rows < 10 {
		t.Errorf("only %d rows: is the table read?", rows)
	}
}

// TestTrialsAreThere: every row of deploy.md's table of trials names a test that is there.
func TestTrialsAreThere(t *testing.T) {
	text, err := os.ReadFile("deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| trial | paused |")
	proof, rows := regexp.MustCompile("`([a-z0-9/]+)\\.(Test[A-Za-z0-9]+)` \\|$"), 0
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		rows++
		if p := proof.FindStringSubmatch(line); p == nil || !tests(t, p[1])[p[2]] {
			t.Errorf("no such test: %s", line)
		}
	}
	if rows < 10 {
		t.Errorf("only %d rows: is the table read?", rows)
	}
}

// tests are the names of a package's tests.
func tests(t *testing.T, pkg string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// TestEveryEventIsDescribed: webhooks.md names each type of event that a receiver can get.
func TestEveryEventIsDescribed(t *testing.T) {
	text, err := os.ReadFile("webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../topup/event.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, kind := range topup.EventTypes() {
		types = append(types, string(kind))
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(s.Names[0].Name, "Event") && len(s.Values) == 1 {
			if of, ok := s.Type.(*ast.Ident); ok && of.Name == "EventType" {
				types = append(types, strings.Trim(s.Values[0].(*ast.BasicLit).Value, `"`))
			}
		}
		return true
	})
	for _, kind := range types {
		if !strings.Contains(string(text), kind) {
			t.Errorf("webhooks.md does not name %s", kind)
		}
	}
	if len(types) < 8 {
		t.Errorf("only %d types: is the source read?", len(types))
	}
}
