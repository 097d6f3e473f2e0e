package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"recarga/internal/app"
	"recarga/internal/command"
	"recarga/internal/config"
)

func newHealthcheckCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "healthcheck",
		Aliases: []string{"health"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.Settings(cmd, nil)
			if err != nil {
				return err
			}
			answer, err := app.AskReady(cmd.Context(), s.MetricsAddr)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(p.Stdout, answer)
			return err
		},
	}
	config.AddFlags(cmd.Flags(), "METRICS_ADDR")
	return cmd
}
