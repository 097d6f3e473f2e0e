package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"recarga/internal/tracing"
)

// traced switches tracing on where OTEL_… says so (docs/tracing.md), and returns the logger to use. Call
// stop when nothing runs any more.
func (p *program) traced(ctx context.Context, cmd *cobra.Command, log *slog.Logger) (_ *slog.Logger, stop func()) {
	return tracing.Start(ctx, tracing.Config{
		Getenv: p.getenv, Service: "recarga-" + cmd.Name(), Version: version, Console: jsonOutput{p.stdout}, Log: log,
	})
}
