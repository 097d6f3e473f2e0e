package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

// TestSigns keeps README's tables, docs/architecture.md and docs/performance.md equal to the code and to the last
// benchmark.
func TestSigns(t *testing.T) {
	documents, err := documents(root)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range documents {
		got, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is out of date: run go generate ./scripts/signs (-want +got):\n%s", path, diff)
		}
	}
}

// TestEveryRoomHasARule: depguard bounds every package that is neither a program nor only tests; its rule allows what
// the package imports, and nothing of this module besides.
func TestEveryRoomHasARule(t *testing.T) {
	rooms, err := readRooms(root)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := readRules(filepath.Join(root, ".golangci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, r := range rooms {
		known[r.Path] = true
		rule, ruled := rules[r.Path]
		switch {
		case r.Name == "main" || r.OnlyTests:
			continue
		case !ruled:
			t.Errorf("%s has no rule in .golangci.yml", r.Path)
			continue
		}
		slices.Sort(r.Imports)
		if diff := cmp.Diff(r.Imports, rule.ours()); diff != "" {
			t.Errorf("the rule of %s (-imported +allowed):\n%s", r.Path, diff)
		}
	}
	for folder := range rules {
		if !known[folder] {
			t.Errorf("a rule is about %s, which is no package", folder)
		}
	}
	if len(rooms) < 40 {
		t.Errorf("only %d packages: is the list read?", len(rooms))
	}
}

// TestPackagesSayWhatTheyAre: README shows the first sentence of each, so each begins with its own name.
func TestPackagesSayWhatTheyAre(t *testing.T) {
	rooms, err := readRooms(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rooms {
		if r.Name != "main" && !r.OnlyTests && !strings.HasPrefix(r.Doc, "Package "+r.Name+" ") {
			t.Errorf("the comment of %s begins with %.30q", r.Path, r.Doc)
		}
		if len(r.sentence()) > 170 {
			t.Errorf("the first sentence of %s is too long for a table: %s", r.Path, r.sentence())
		}
	}
}

// TestBothReadmesShowTheSame: every block of commands of README.md stands in README.es.md too, in the same order, but
// for comments; and each links to the other.
func TestBothReadmesShowTheSame(t *testing.T) {
	english, spanish := readme(t, "README.md"), readme(t, "README.es.md")
	if diff := cmp.Diff(blocks(english), blocks(spanish)); diff != "" {
		t.Errorf("the blocks differ (-README.md +README.es.md):\n%s", diff)
	}
	if len(blocks(english)) < 5 {
		t.Error("README.md has hardly a block: is it read?")
	}
	if e, s := heading.FindAllString(english, -1), heading.FindAllString(spanish, -1); len(e) != len(s) {
		t.Errorf("README.md has %d headings, README.es.md %d", len(e), len(s))
	}
	if !strings.Contains(english, "(README.es.md)") || !strings.Contains(spanish, "(README.md)") {
		t.Error("the two do not link to each other")
	}
	settings := regexp.MustCompile(`RECARGA_[A-Z_]+|docs/[a-z-]+\.md`)
	for _, name := range settings.FindAllString(english, -1) {
		if !strings.Contains(spanish, name) {
			t.Errorf("README.es.md does not mention %s", name)
		}
	}
}

func readme(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	block   = regexp.MustCompile("(?s)```[a-z]*\n(.*?)```")
	heading = regexp.MustCompile(`(?m)^#+ (\S+ )*\S+$`)
	comment = regexp.MustCompile(`(?m)\s+# .*$`)
)

func blocks(text string) (list []string) {
	for _, b := range block.FindAllStringSubmatch(text, -1) {
		list = append(list, comment.ReplaceAllString(b[1], ""))
	}
	return list
}
