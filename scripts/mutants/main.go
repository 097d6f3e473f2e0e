// Command mutants breaks the path of the money in many ways, one at a time, and says which of them the fast tests do
// not catch. No file is changed: the compiler gets the broken one beside the others (go test -overlay).
//
// There are named mutants (named.go), each with the place and the text that it replaces, and generated ones
// (generated.go): every condition of the functions that decide about money. It exits with 1 if one survives, and if
// one cannot be made any more, because the code has moved.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// mutant is one way in which the program is broken.
type mutant struct {
	dir  string // of the package, from the root
	name string // where, and what is broken
	file string // that is replaced, from the root
	code []byte // of the broken file
}

// suite are the tests that must catch a package's mutants: the fast ones of it, and of whoever knows best what it must
// do, the most likely first.
type suite struct {
	pkg    string
	args   []string // of go test
	engine string   // whose statements it runs; empty: those of all
}

// meets reports whether a suite can catch a mutant.
func (s suite) meets(m mutant) bool {
	engine := filepath.Ext(strings.TrimSuffix(m.file, ".sql"))
	return s.engine == "" || engine == "" || engine == s.engine || filepath.Ext(m.file) != ".sql"
}

var suites = map[string][]suite{
	"internal/journal": {
		// The same stories each time. PostgreSQL is told a tenth of them.
		{"./internal/sim/reference", []string{"-run=Other/sqlite", "-seed=7", "-steps=6000"}, ".sqlite"},
		{"./internal/sim/reference", []string{"-run=Other/postgres", "-seed=7", "-steps=30000"}, ".postgres"},
		{"./internal/journal/...", nil, ""},
	},
	"worker":      {{"./worker", []string{"-skip=TestRandomLives"}, ""}}, // which takes a minute
	"distributor": {{"./distributor", nil, ""}},
	"producer":    {{"./producer", nil, ""}},
	"webhook":     {{"./webhook", nil, ""}},
}

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	only := flags.String("only", "", "the mutants whose names match, by a regular expression")
	list := flags.Bool("list", false, "only list them")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	all, err := everyMutant(".")
	if err != nil {
		return err
	}
	made, survived := 0, 0
	for _, m := range all {
		if !chosen.MatchString(m.name) {
			continue
		}
		made++
		if *list {
			fmt.Fprintln(out, m.name)
			continue
		}
		began := time.Now()
		by, err := caughtBy(ctx, m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if by == "" {
			by = "SURVIVED"
			survived++
		}
		fmt.Fprintf(out, "| %s | %s | %.0f s |\n", m.name, by, time.Since(began).Seconds())
	}
	fmt.Fprintf(out, "%d mutants, %d not caught\n", made, survived)
	if survived > 0 {
		return errors.New("the tests do not notice what is broken above")
	}
	return nil
}

// everyMutant are the named ones and the generated ones.
func everyMutant(root string) ([]mutant, error) {
	sources, err := readSources(root)
	if err != nil {
		return nil, err
	}
	all, wrong := namedMutants(sources)
	more, wrongToo := generatedMutants(sources)
	return append(all, more...), errors.Join(wrong, wrongToo)
}

var failure = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// caughtBy is the test that fails with a mutant; empty when none does.
func caughtBy(ctx context.Context, m mutant) (string, error) {
	folder, err := os.MkdirTemp("", "recarga-mutant-")
	if err != nil {
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
	for _, s := range suites[m.dir] {
		if !s.meets(m) {
			continue
		}
		args := append([]string{"test", "-overlay", overlay, "-vet=off", "-count=1", "-failfast", "-timeout=3m", s.pkg}, s.args...)
		said, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
		if err == nil {
			continue
		}
		if strings.Contains(string(said), "[build failed]") || strings.Contains(string(said), "[setup failed]") {
			return "", fmt.Errorf("it is no program:\n%s", said)
		}
		if found := failure.FindSubmatch(said); found != nil {
			return fmt.Sprintf("%s.%s", strings.TrimPrefix(s.pkg, "./"), found[1]), nil
		}
		return s.pkg + ", which hangs or ends", nil
	}
	return "", nil
}
