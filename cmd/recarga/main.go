// Command recarga buys mobile top-ups for checkouts. See `recarga --help`.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"recarga/internal/command"
	"recarga/internal/queue"
	"recarga/internal/terminal"
)

// version is set when the program is built.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default is back: a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	queue.Silence()
	p := &command.Program{Version: version, Environ: os.Environ(), Stdin: os.Stdin}
	colours := p.Getenv("NO_COLOR") == "" && p.Getenv("TERM") != "dumb"
	p.Stdout, p.Stderr = terminal.NewOutput(os.Stdout, colours), terminal.NewOutput(os.Stderr, colours)
	log.SetOutput(p.Stderr) // where net/http says what it thinks of its clients
	os.Exit(p.Run(ctx, newRoot(p), os.Args[1:]))
}
