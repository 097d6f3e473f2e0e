package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	generateLine = regexp.MustCompile(
		`(?m)^//go:generate (?:env RECARGA_PROVE=1 )?go test (?:-timeout \w+ )?-run "?([^" ]+)"? \. -update$`)
	testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// TestGenerateWritesEveryDocument: a document that a test compares with the code is written by go generate, so the
// package of each such test has a go:generate line that runs it.
func TestGenerateWritesEveryDocument(t *testing.T) {
	found := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "\ttestkit.Generated(t, ") {
			return err
		}
		runs := generated(t, filepath.Dir(path))
		test := ""
		for line := range strings.Lines(string(text)) {
			if name := testFunction.FindStringSubmatch(line); name != nil {
				test = name[1]
			}
			if !strings.HasPrefix(line, "\ttestkit.Generated(t, ") {
				continue
			}
			found++
			if !runs(test) {
				t.Errorf("%s: no go:generate line of the package runs %s", path, test)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 7 {
		t.Errorf("only %d documents are compared with the code: are the tests read?", found)
	}
}

// generated reports whether a go:generate line of a folder runs a test.
func generated(t *testing.T, folder string) func(test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var patterns []*regexp.Regexp
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range generateLine.FindAllStringSubmatch(string(text), -1) {
			patterns = append(patterns, regexp.MustCompile(line[1]))
		}
	}
	return func(test string) bool {
		for _, p := range patterns {
			if p.MatchString(test) {
				return true
			}
		}
		return false
	}
}

// TestOnlyTheQueueKnowsItsKeys: another version of asynq may keep its tasks under other keys, which one package knows.
func TestOnlyTheQueueKnowsItsKeys(t *testing.T) {
	const key = `"asynq:`
	inside := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if n := strings.Count(string(text), key); strings.Contains(filepath.ToSlash(path), "/internal/queue/") {
			inside += n
		} else if n > 0 {
			t.Errorf("%s names a key of asynq's", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if inside == 0 {
		t.Error("internal/queue names none either: is it read?")
	}
}
