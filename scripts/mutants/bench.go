package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// suite are the tests of a package that must catch a mutant.
type suite struct {
	pkg  string   // from the root
	args []string // of its test binary
	// engine is the one whose statements it runs; empty: all.
	engine string
}

// meets reports whether a suite can catch a mutant.
func (s suite) meets(m mutant) bool {
	engine := filepath.Ext(strings.TrimSuffix(m.file, ".sql"))
	return s.engine == "" || filepath.Ext(m.file) != ".sql" || engine == "" || engine == s.engine
}

// suites must catch the mutants of each package: the fast tests of it, and of whoever knows best what it must do, the
// most likely first. The stories of the reference are the same each time; PostgreSQL is told a tenth of the steps.
var suites = map[string][]suite{
	"topup":       {{"topup", nil, ""}},
	"worker":      {{"worker", []string{"-test.skip=TestRandomLives"}, ""}}, // which takes a minute
	"distributor": {{"distributor", nil, ""}},
	"producer":    {{"producer", nil, ""}},
	"webhook":     {{"webhook", nil, ""}},
	"internal/journal": {
		{"internal/sim/reference", []string{"-test.run=Other/sqlite$", "-seed=7", "-steps=6000"}, ".sqlite"},
		{"internal/sim/reference", []string{"-test.run=Other/postgres$", "-seed=7", "-steps=30000"}, ".postgres"},
		{"internal/journal", nil, ""},
	},
	"internal/admission":    {{"internal/admission", nil, ""}, {"worker", []string{"-test.skip=TestRandomLives"}, ""}},
	"internal/coordination": {{"internal/coordination", nil, ""}},
	"internal/reconcile":    {{"internal/reconcile", []string{"-test.skip=OverSQLite|WholeSettlesAll"}, ""}},
	"internal/bulk":         {{"internal/bulk", nil, ""}},
	"internal/api":          {{"internal/api", []string{"-test.skip=Page|Asset|Browser|OpenAPI|Hostile"}, ""}},
}

// bench builds and runs tests.
type bench struct {
	folder string   // for what is built
	sound  sync.Map // what catches (string): whether it passes with nothing broken (func() error)
}

// caughtBy is the test that fails with the n-th mutant; empty when none does. What also fails with nothing broken
// catches nothing: it is an error.
func (b *bench) caughtBy(ctx context.Context, n int, m mutant) (by string, err error) {
	folder := filepath.Join(b.folder, strconv.Itoa(n))
	if err := os.Mkdir(folder, 0o700); err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	broken, overlay := filepath.Join(folder, filepath.Base(m.file)), filepath.Join(folder, "overlay.json")
	whole, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{whole: broken}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(broken, m.code, 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return "", err
	}
	built := map[string]string{} // the programs by their packages
	for _, t := range m.trials() {
		if built[t.pkg] == "" {
			if built[t.pkg], err = build(ctx, folder, t.pkg, "-overlay", overlay); err != nil {
				return "", err
			}
		}
		if failed, _ := runTests(ctx, built[t.pkg], t); failed != "" {
			return t.pkg + "." + failed, b.check(ctx, t, failed)
		}
	}
	return "", nil
}

// trials are what is run to catch a mutant: the test that is known to, and all the others.
func (m mutant) trials() (all []suite) {
	for _, s := range suites[m.dir] {
		if !s.meets(m) {
			continue
		}
		if test, its := strings.CutPrefix(m.by, s.pkg+"."); its && len(all) == 0 {
			all = append(all, s.alone(test))
		}
	}
	for _, s := range suites[m.dir] {
		if s.meets(m) {
			all = append(all, s)
		}
	}
	return all
}

// alone is one test of a suite.
func (s suite) alone(test string) suite {
	parts := strings.Split(test, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	s.args = append(append([]string{}, s.args...), "-test.run="+strings.Join(parts, "/"))
	return s
}

// check runs a test that has failed with nothing broken, once.
func (b *bench) check(ctx context.Context, s suite, test string) error {
	if strings.HasPrefix(test, "Test") {
		s = s.alone(test)
	}
	once, _ := b.sound.LoadOrStore(s.pkg+"."+test, sync.OnceValue(func() error {
		folder, err := os.MkdirTemp(b.folder, "sound-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(folder) }()
		program, err := build(ctx, folder, s.pkg)
		if err != nil {
			return err
		}
		if failed, said := runTests(ctx, program, s); failed != "" {
			return fmt.Errorf("%s.%s fails with nothing broken:\n%s", s.pkg, failed, said)
		}
		return nil
	}))
	return once.(func() error)()
}

// build builds the test program of a package.
func build(ctx context.Context, folder, pkg string, more ...string) (program string, err error) {
	program = filepath.Join(folder, strings.ReplaceAll(pkg, "/", "-")+".test")
	args := append([]string{"test", "-c", "-vet=off", "-o", program}, more...)
	if said, err := exec.CommandContext(ctx, "go", append(args, "./"+pkg)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("it is no program: %w\n%s", err, said)
	}
	return program, nil
}

// failure is the line of a test that failed.
var failure = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// runTests runs tests until one fails, and names it, as exactly as it can; empty: all pass.
func runTests(ctx context.Context, program string, s suite) (failed, said string) {
	args := append([]string{"-test.failfast", "-test.timeout=5m"}, s.args...)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = s.pkg
	output, err := cmd.CombinedOutput()
	if said = string(output); err == nil {
		return "", said
	}
	for _, found := range failure.FindAllStringSubmatch(said, -1) {
		if strings.HasPrefix(found[1], failed) {
			failed = found[1]
		}
	}
	switch {
	case strings.Contains(said, "panic: test timed out"):
		failed = "it does not end"
	case failed == "":
		failed = "it breaks off"
	}
	return failed, said
}
