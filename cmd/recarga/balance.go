package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/view"
	"recarga/producer"
)

func newBalanceCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "balance",
		Short: "Ask the distributor for the balance, and show its trend",
		Long: `Ask the distributor for the balance, and show what the workers recorded: its trend of the last 24 hours, and
of a week the deposits and the drifts (falls that no order of ours explains). See docs/balance.md.`,
		Example: "  recarga balance\n  recarga balance --json",
	}
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (producer.Balance, error) {
		return c.API.Balance(c.Ctx)
	}, view.Balance)
}
