package main

import (
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"recarga/internal/config"
	"recarga/internal/tracing"
)

func newLogger(s config.Settings, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.LogLevel}
	if s.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(jsonOutput{w}, options))
}

// startLog returns a process's logger, and switches tracing on where OTEL_… says so (docs/tracing.md). Call stop
// when
// nothing runs any more.
func (p *program) startLog(cmd *cobra.Command, s config.Settings) (log *slog.Logger, stop func()) {
	return tracing.Start(cmd.Context(), tracing.Config{
		Getenv: p.getenv, Service: "recarga-" + cmd.Name(), Version: version, Console: jsonOutput{p.stdout},
		Log: newLogger(s, p.stderr),
	})
}
