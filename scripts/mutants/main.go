// Command mutants breaks the path of the money in many ways, one at a time, and says which of them the fast tests do
// not catch. No file is changed: the compiler gets others in their place (go test -overlay). It also takes fixes of
// former faults out again, which the simulator must find alone; -stories keeps how it shows them.
//
// It exits with 1 if a mutant survives, and if one cannot be made any more, because the code has moved.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

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
	stories := flags.String("stories", "", "a folder for the lives of the simulator that show a fault")
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
	chosen := slices.DeleteFunc(all, func(m mutant) bool { return !wanted.MatchString(m.name) })
	if *list {
		for _, m := range chosen {
			if _, err := fmt.Fprintln(out, m.name); err != nil {
				return err
			}
		}
		return nil
	}
	survived, err := testAll(ctx, out, chosen, *atOnce, *stories)
	switch {
	case err != nil:
		return err
	case survived > 0:
		return fmt.Errorf("%d of %d mutants survived: no test sees what they break", survived, len(chosen))
	}
	_, err = fmt.Fprintf(out, "proven: %d mutants, all caught\n", len(chosen))
	return err
}

// testAll writes a line of the table for each mutant, and counts those that survived.
func testAll(
	ctx context.Context, out io.Writer, chosen []mutant, atOnce int, stories string,
) (survived int, err error) {
	folder, err := os.MkdirTemp("", "recarga-mutants-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	b := bench{folder: folder, stories: stories, all: map[string][]mutant{}}
	for _, m := range chosen {
		b.all[m.dir] = append(b.all[m.dir], m)
	}
	var mu sync.Mutex
	var all errgroup.Group
	all.SetLimit(atOnce)
	if _, err := fmt.Fprintln(out, "| Mutant | Caught by | Seconds |\n|---|---|---|"); err != nil {
		return 0, err
	}
	for _, m := range chosen {
		all.Go(func() error {
			began := time.Now()
			by, err := b.caughtBy(ctx, m)
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if by == "" {
				by = "SURVIVED"
				survived++
			}
			_, err = fmt.Fprintf(out, "| %s | %s | %.0f |\n", m.name, by, time.Since(began).Seconds())
			return err
		})
	}
	return survived, all.Wait()
}
