package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
// most likely first. The stories of the reference are the same each time; PostgreSQL gets a tenth of the steps.
var suites = map[string][]suite{
	"topup":       {{"topup", nil, ""}},
	"worker":      {{"worker", []string{"-test.skip=TestRandomLives"}, ""}}, // which takes a minute
	"distributor": {{"distributor", nil, ""}},
	"producer":    {{"producer", nil, ""}},
	"webhook":     {{"webhook", nil, ""}},
	"internal/journal": {
		{"internal/sim/reference", []string{"-test.run=Other/sqlite$", "-seed=7", "-steps=6000"}, ".sqlite"},
		{"internal/journal", []string{"-test.run=SQLite$|Statements|Columns|Another|Former|Archive"}, ".sqlite"},
		{"internal/sim/reference", []string{"-test.run=Other/postgres$", "-seed=7", "-steps=30000"}, ".postgres"},
		{"internal/journal", []string{"-test.run=Lives"}, ""},
		{"internal/journal", []string{"-test.run=Postgres$"}, ".postgres"},
		{"internal/journal", []string{"-test.run=LostCommit|EveryWrite"}, ""},
	},
	"internal/admission":    {{"internal/admission", nil, ""}, {"worker", []string{"-test.skip=TestRandomLives"}, ""}},
	"internal/coordination": {{"internal/coordination", nil, ""}},
	"internal/reconcile":    {{"internal/reconcile", []string{"-test.skip=NeverWrong|WholeSettlesAll"}, ""}},
	"internal/bulk":         {{"internal/bulk", nil, ""}},
	"internal/httpclient":   {{"internal/httpclient", nil, ""}},
	"internal/api":          {{"internal/api", []string{"-test.skip=Page|Asset|Browser|OpenAPI|Hostile"}, ""}},
}

// lives is what must find a fix that was taken out. The fault of a statement of SQLite is seen in its lives alone.
func lives(m mutant) []suite {
	args := []string{"-test.run=^TestLives$", "-seeds=5000"}
	if m.dir == journal {
		args = append(args, "-sqlite=1")
	}
	return []suite{{"internal/sim", args, ""}}
}

// bench builds and runs tests.
type bench struct {
	folder string // for what is built
	// stories is the folder for the simulator's; empty: they are not kept.
	stories string
	all     map[string][]mutant // by their packages
	built   sync.Map            // the programs, by their packages and those of the tests: func() (string, error)
	sound   sync.Map            // whether a test passes with nothing broken, by its name: func() error
}

// caughtBy is the test that fails with a mutant; empty when none does. What also fails with nothing broken catches
// nothing: it is an error.
func (b *bench) caughtBy(ctx context.Context, m mutant) (by string, err error) {
	for _, t := range m.trials() {
		program, err := b.program(ctx, m.dir, t.pkg)
		if err != nil {
			return "", err
		}
		failed, said := runTests(ctx, program, t, m.id)
		switch life := story.FindString(said); {
		case failed == "":
		case m.fix && life == "":
			return "it breaks off without a story", b.keep(m, said)
		case m.fix:
			return life, b.keep(m, said)
		default:
			return t.pkg + "." + failed, b.check(ctx, program, t, failed)
		}
	}
	return "", nil
}

// story is the life of the simulator that shows a fault.
var story = regexp.MustCompile(`seed \d+: .*`)

// keep writes the story that shows a fault into the folder of stories.
func (b *bench) keep(m mutant, said string) error {
	if b.stories == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(b.stories, m.id+".txt"), []byte(m.name+"\n"+said), 0o600)
}

// program is the test program of a package with all mutants of another, which is built once.
func (b *bench) program(ctx context.Context, dir, pkg string) (string, error) {
	once, _ := b.built.LoadOrStore(dir+" "+pkg, sync.OnceValues(func() (string, error) {
		folder, err := os.MkdirTemp(b.folder, "")
		if err != nil {
			return "", err
		}
		o, err := newOverlay(".", b.all[dir])
		if err != nil {
			return "", err
		}
		list, err := o.write(folder)
		if err != nil {
			return "", err
		}
		program := filepath.Join(folder, "test")
		build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", list, "-o", program, "./"+pkg)
		if said, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("the mutants of %s are no program: %w\n%s", dir, err, said)
		}
		return program, nil
	}))
	return once.(func() (string, error))()
}

// trials are what is run to catch a mutant: the test that is known to, and all the others.
func (m mutant) trials() (all []suite) {
	if m.fix {
		return lives(m)
	}
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
func (b *bench) check(ctx context.Context, program string, s suite, test string) error {
	if strings.HasPrefix(test, "Test") {
		s = s.alone(test)
	}
	once, _ := b.sound.LoadOrStore(s.pkg+"."+test, sync.OnceValue(func() error {
		if failed, said := runTests(ctx, program, s, ""); failed != "" {
			return fmt.Errorf("%s.%s fails with nothing broken:\n%s", s.pkg, failed, said)
		}
		return nil
	}))
	return once.(func() error)()
}

// failure is the line of a test that failed.
var failure = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// runTests runs tests with a mutant until one fails, and names it, or the part of it that fails; empty: all pass.
func runTests(ctx context.Context, program string, s suite, mutant string) (failed, said string) {
	args := append([]string{"-test.failfast", "-test.timeout=10m"}, s.args...)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = s.pkg, append(os.Environ(), chosenBy+"="+mutant, "RECARGA_PROVE=") // the fast tests
	output, err := cmd.CombinedOutput()
	if said = string(output); err == nil {
		return "", said
	}
	for _, found := range failure.FindAllStringSubmatch(said, -1) {
		// A part of a part need not pass alone, where the part looks at all of them.
		if parts := strings.Split(found[1], "/"); strings.HasPrefix(found[1], failed) {
			failed = strings.Join(parts[:min(len(parts), 2)], "/")
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
