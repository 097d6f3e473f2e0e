// Command recarga buys mobile top-ups for checkouts. See `recarga --help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"recarga/internal/config"
	"recarga/internal/queue"
)

// version is set when the program is built.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default is back: a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	queue.Silence()
	p := &program{environ: os.Environ(), stdin: os.Stdin, stdout: newOutput(os.Stdout), stderr: newOutput(os.Stderr)}
	log.SetOutput(p.stderr) // where net/http says what it thinks of its clients
	os.Exit(p.run(ctx, os.Args[1:]))
}

// program is everything that the commands have of the world outside.
type program struct {
	environ        []string
	stdin          io.Reader
	stdout, stderr *output
}

func (p *program) getenv(name string) string { return config.Getenv(p.environ, name) }

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a mistake of whoever started the program: wrong flags or settings, or a database or
// Redis that cannot be used.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usage marks an error as the starter's.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// run runs one command and returns the exit status.
func (p *program) run(ctx context.Context, args []string) int {
	root := newRoot(p)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	for _, line := range errorLines(err) {
		_, _ = fmt.Fprintf(p.stderr, "recarga: %s\n", line)
	}
	var wrong usageError
	if errors.As(err, &wrong) {
		return exitUsage
	}
	return exitFailed
}
