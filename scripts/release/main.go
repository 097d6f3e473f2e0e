// Release builds what is given to people who run Recarga without building it: programs for Linux, macOS and Windows
// in archives, deb and rpm packages, a list of what each program is made of (an SBOM), and checksums. All of it comes
// from the commit that is checked out, never from what lies uncommitted beside it, and the same commit always gives
// the same bytes. `make release` runs it, with the tools that it needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	// Dist is the folder of the result. It is made anew.
	Dist string
	// SBOM and Packager are the programs cyclonedx-gomod and nfpm.
	SBOM, Packager string
	// Only are targets, as in linux/amd64. Empty: all.
	Only string
	// Twice builds a second time, from another folder and without the first build's cache, and compares.
	Twice bool
	// Hash is the commit's: what is committed while this runs is not part of it.
	Hash string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.StringVar(&o.Dist, "dist", "dist", "folder of the result; it is made anew")
	flags.StringVar(&o.SBOM, "sbom", "cyclonedx-gomod", "the program cyclonedx-gomod")
	flags.StringVar(&o.Packager, "nfpm", "nfpm", "the program nfpm")
	flags.StringVar(&o.Only, "only", "", "targets, as in linux/amd64,windows/arm64 (default: all)")
	flags.BoolVar(&o.Twice, "twice", false, "build a second time, elsewhere and without a cache, and compare")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(o.Only)
	if err != nil {
		return err
	}
	if o.Hash, err = head(ctx); err != nil {
		return err
	}
	first, err := release(ctx, o, chosen, o.Dist, "", out)
	if err != nil || !o.Twice {
		return err
	}
	return again(ctx, o, chosen, first, out)
}

// again builds a second time with nothing that the first build left, and compares the checksums.
func again(ctx context.Context, o options, chosen []target, first string, out io.Writer) error {
	elsewhere, err := os.MkdirTemp("", "recarga-release-again-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(elsewhere) }()
	_, _ = fmt.Fprintln(out, "again, elsewhere and without a cache")
	cache := filepath.Join(elsewhere, "cache")
	second, err := release(ctx, o, chosen, filepath.Join(elsewhere, "dist"), cache, io.Discard)
	if err != nil {
		return err
	}
	if differ := compare(first, second); len(differ) > 0 {
		return fmt.Errorf("two builds of one commit differ: %s", strings.Join(differ, ", "))
	}
	_, err = fmt.Fprintln(out, "both builds are the same, byte for byte")
	return err
}

// compare returns the names of the files whose checksums differ, or that only one of the lists has.
func compare(first, second string) (names []string) {
	a, b := strings.Split(first, "\n"), strings.Split(second, "\n")
	for _, line := range slices.Concat(a, b) {
		if slices.Contains(a, line) && slices.Contains(b, line) {
			continue
		}
		if _, name, _ := strings.Cut(line, "  "); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// release builds the chosen targets into dist, and returns the checksums. cache is Go's build cache; empty is the
// user's.
func release(
	ctx context.Context, o options, chosen []target, dist, cache string, out io.Writer,
) (sums string, err error) {
	work, err := os.MkdirTemp("", "recarga-release-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	c, err := checkOut(ctx, o.Hash, filepath.Join(work, "src"))
	if err != nil {
		return "", err
	}
	if runtime.Version() != c.Go {
		return "", fmt.Errorf("this runs by %s, whose archives may have other bytes than those by %s: use make release",
			runtime.Version(), c.Go)
	}
	b := builder{commit: c, options: o, work: work, cache: cache}
	if b.dist, err = filepath.Abs(dist); err != nil {
		return "", err
	}
	if err := os.RemoveAll(b.dist); err != nil {
		return "", err
	}
	if err := os.MkdirAll(b.dist, 0o755); err != nil {
		return "", err
	}
	for _, t := range chosen {
		_, _ = fmt.Fprintf(out, "%s %s\n", c.Version, t)
		if err := b.one(ctx, t); err != nil {
			return "", fmt.Errorf("%s: %w", t, err)
		}
	}
	if sums, err = checksums(b.dist); err != nil {
		return "", err
	}
	_, _ = fmt.Fprint(out, sums)
	return sums, os.WriteFile(filepath.Join(b.dist, "SHA256SUMS"), []byte(sums), 0o644)
}
