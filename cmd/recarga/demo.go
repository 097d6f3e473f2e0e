package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/demo"
)

func newDemoCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "demo", Args: cobra.NoArgs}
	once := cmd.Flags().Bool("once", false, "exit when all orders have ended: 0 if as expected, 1 otherwise")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return demo.Run(cmd.Context(), p.Stdout, !*once, version)
	}
	return cmd
}
