// Package command has what the commands have in common: what they are given of the world outside, their settings, exit
// status and output, and how they talk to the HTTP API.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"recarga/internal/config"
	"recarga/internal/terminal"
	"recarga/internal/tracing"
	"recarga/topup"
)

// Program is everything that the commands have of the world outside.
type Program struct {
	// Version is the build's.
	Version string
	// Environ is the environment, as os.Environ has it.
	Environ []string
	Stdin   io.Reader // standard input
	// Stdout and Stderr are standard output and standard error.
	Stdout, Stderr *terminal.Output
}

// Getenv is a variable of the environment; empty where it is not set.
func (p *Program) Getenv(name string) string { return config.Getenv(p.Environ, name) }

// The exit statuses.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2
	// ExitPending is that of `recarga migrate --check` where migrations are pending.
	ExitPending = 3
)

// statusError is one with an exit status of its own.
type statusError struct {
	error
	status int
}

func (e statusError) Unwrap() error { return e.error }

// Usage marks an error as a mistake of whoever started the program: wrong flags or settings, or a database or
// Redis that cannot be used.
func Usage(err error) error { return WithStatus(err, ExitUsage) }

// WithStatus gives an error the exit status of a program that ends with it.
func WithStatus(err error, status int) error {
	if err == nil {
		return nil
	}
	return statusError{err, status}
}

// Run runs the command that the arguments name, and returns the exit status.
func (p *Program) Run(ctx context.Context, root *cobra.Command, args []string) int {
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	for _, line := range terminal.ErrorLines(err) {
		_, _ = fmt.Fprintf(p.Stderr, "recarga: %s\n", line)
	}
	var own statusError
	if errors.As(err, &own) {
		return own.status
	}
	return ExitFailed
}

// ServerSettings are settings, with the catalogue that they name. The error joins the mistakes of both.
func (p *Program) ServerSettings(
	cmd *cobra.Command, required config.Required,
) (config.Settings, topup.Catalog, error) {
	s, err := p.Settings(cmd, required)
	c, catalogErr := s.Catalog()
	return s, c, Usage(errors.Join(err, catalogErr))
}

// Settings are a command's, from all sources. The error joins all mistakes, a line each.
func (p *Program) Settings(cmd *cobra.Command, required config.Required) (config.Settings, error) {
	s, err := config.Read(cmd.Flags(), p.Environ, required)
	return s, Usage(err)
}

// NewLogger writes a log as the settings say.
func NewLogger(s config.Settings, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.LogLevel}
	if s.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(terminal.JSON(w), options))
}

// StartLog returns a process's logger, and switches tracing on where OTEL_… says so (docs/tracing.md). Call stop when
// nothing runs any more.
func (p *Program) StartLog(cmd *cobra.Command, s config.Settings) (log *slog.Logger, stop func()) {
	return tracing.Start(cmd.Context(), tracing.Config{
		Getenv: p.Getenv, Service: "recarga-" + cmd.Name(), Version: p.Version, Console: terminal.JSON(p.Stdout),
		Log: NewLogger(s, p.Stderr),
	})
}

// Open opens a file, or standard input. A size of -1 is not known.
func (p *Program) Open(name string) (in io.ReadCloser, size int64, err error) {
	if name == "-" {
		return io.NopCloser(p.Stdin), -1, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory; must be a file", name)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}
