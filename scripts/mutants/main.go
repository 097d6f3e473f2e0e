// Command mutants breaks the path of the money in many ways, one at a time, and says which of them the fast tests do
// not catch. No file is changed: the compiler gets the broken one in the place of the other (go test -overlay).
//
// It exits with 1 if a mutant survives, and if one cannot be made any more, because the code has moved.
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
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// mutant is one way in which the program is broken.
type mutant struct {
	dir  string // of the package, from the root
	name string // where, and what is broken
	file string // that is replaced, from the root
	code []byte // of the broken file
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
	atOnce := flags.Int("at-once", 2, "how many are tested side by side")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	all, err := mutants(".")
	if err != nil {
		return err
	}
	var chosen []mutant
	for _, m := range all {
		if wanted.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	if *list {
		for _, m := range chosen {
			fmt.Fprintln(out, m.name)
		}
		return nil
	}
	if err := sound(ctx, chosen); err != nil {
		return err
	}
	survived, err := testAll(ctx, out, chosen, *atOnce)
	switch {
	case err != nil:
		return err
	case survived > 0:
		return fmt.Errorf("%d of %d mutants survived: no test notices what they break", survived, len(chosen))
	}
	fmt.Fprintf(out, "proven: %d mutants, all caught\n", len(chosen))
	return nil
}

// sound runs the tests of the mutants with nothing broken: what fails by itself catches nothing.
func sound(ctx context.Context, chosen []mutant) error {
	done := map[string]bool{}
	for _, m := range chosen {
		if done[m.dir] {
			continue
		}
		done[m.dir] = true
		for _, s := range suites[m.dir] {
			if by, said, err := s.run(ctx); err != nil || by != "" {
				return fmt.Errorf("%s fails with nothing broken: %w\n%s", by, err, said)
			}
		}
	}
	return nil
}

// testAll writes a line of the table for each mutant, and counts those that survived.
func testAll(ctx context.Context, out io.Writer, chosen []mutant, atOnce int) (survived int, err error) {
	var mu sync.Mutex
	var all errgroup.Group
	all.SetLimit(atOnce)
	fmt.Fprintln(out, "| Mutant | Caught by | Seconds |\n|---|---|---|")
	for _, m := range chosen {
		all.Go(func() error {
			began := time.Now()
			by, err := caughtBy(ctx, m)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			if by == "" {
				by = "SURVIVED"
				survived++
			}
			fmt.Fprintf(out, "| %s | %s | %.0f |\n", m.name, by, time.Since(began).Seconds())
			return nil
		})
	}
	return survived, all.Wait()
}

// caughtBy is the test that fails with a mutant; empty when none does.
func caughtBy(ctx context.Context, m mutant) (by string, err error) {
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
		if by, _, err = s.run(ctx, "-overlay", overlay); by != "" || err != nil {
			return by, err
		}
	}
	return "", nil
}

// failure is the line of a test that failed; the first is the innermost.
var failure = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// run runs a suite until a test fails, and names that; empty: all pass. The error is that of a program that cannot be
// built.
func (s suite) run(ctx context.Context, more ...string) (by string, said []byte, err error) {
	args := append([]string{"test", "-vet=off", "-count=1", "-failfast", "-timeout=3m"}, more...)
	args = append(append(args, s.pkg), s.args...)
	said, err = exec.CommandContext(ctx, "go", args...).CombinedOutput()
	switch text := string(said); {
	case err == nil:
		return "", said, nil
	case strings.Contains(text, "[build failed]"), strings.Contains(text, "[setup failed]"):
		return "", said, fmt.Errorf("it is no program: %w\n%s", err, said)
	case strings.Contains(text, "panic: test timed out"):
		return s.pkg + ", which does not end", said, nil
	}
	if found := failure.FindSubmatch(said); found != nil {
		return fmt.Sprintf("%s.%s", strings.TrimPrefix(s.pkg, "./"), found[1]), said, nil
	}
	return s.pkg + ", which breaks off", said, nil
}
