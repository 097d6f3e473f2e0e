package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/view"
	"recarga/topup"
)

func newGetCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Show an order with its attempts and its events",
		Long: "Show an order with its attempts and its events. The admin key, which is used where both keys are set,\n" +
			"also shows the evidence.",
		Example: "  recarga get MY-TXN-001\n  recarga get MY-TXN-001 --json",
		Args:    cobra.ExactArgs(1),
	}
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (topup.Details, error) {
		return c.API.Get(c.Ctx, topup.ID(c.Args[0]))
	}, view.Details)
}
