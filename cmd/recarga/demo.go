package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/demo"
)

func newDemoCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole system in one process and place one order for each fate",
		Long: `Run sandbox distributor, embedded Redis, SQLite in a temporary folder, API, worker, webhook delivery
and a receiver that verifies the signatures, all in this process. One order for each fate is placed
and shown until it is final (or held); then the system stays up for your own orders.
Nothing survives the end of the demo.`,
		Example: "  recarga demo\n  recarga demo --once",
		Args:    cobra.NoArgs,
	}
	once := cmd.Flags().Bool("once", false, "exit when all orders have ended: 0 if as expected, 1 otherwise")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return demo.Run(cmd.Context(), p.Stdout, !*once, version)
	}
	return cmd
}
