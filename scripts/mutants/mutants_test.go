package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// TestMutantsCanBeMade: each stands for one place of today's code, and is still a program, as far as a parser sees. So
// the list cannot rot while nobody runs it.
func TestMutantsCanBeMade(t *testing.T) {
	all, err := mutants(root)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range all {
		if names[m.name] {
			t.Errorf("two mutants are called %s", m.name)
		}
		names[m.name] = true
		if m.broken() == m.text {
			t.Errorf("%s: it breaks nothing", m.name)
		}
		if trials := m.trials(); len(trials) == 0 {
			t.Errorf("%s: no test is to catch it", m.name)
		}
	}
	if len(all) < 100 {
		t.Errorf("only %d mutants", len(all))
	}
	o, err := newOverlay(root, all)
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range o {
		if filepath.Ext(file) == ".go" {
			if _, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution); err != nil {
				t.Error(err)
			}
		}
	}
	for name := range by {
		if !names[name] {
			t.Errorf("something catches %q, which is no mutant", name)
		}
	}
}

// TestWhatCatchesIsThere: the test that is known to catch a mutant is one of its suites.
func TestWhatCatchesIsThere(t *testing.T) {
	all, err := mutants(root)
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]string{} // of the tests, by their packages
	for _, m := range all {
		s := m.trials()[0]
		if functions[s.pkg] == "" {
			files, err := filepath.Glob(filepath.Join(root, s.pkg, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				functions[s.pkg] += string(text)
			}
		}
		test, its := strings.CutPrefix(m.by, s.pkg+".")
		test, _, _ = strings.Cut(test, "/")
		if !its || !strings.Contains(functions[s.pkg], "\nfunc "+test+"(t *testing.T)") {
			t.Errorf("%q is no test that catches the mutant %s: caught.txt is to have its line, as make mutants finds it",
				m.by, m.name)
		}
	}
}
