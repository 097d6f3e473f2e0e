package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/topup"
)

func newCancelCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cancel ID",
		Short:   "Withdraw an order that no attempt can have bought",
		Example: "  recarga cancel MY-TXN-001",
		Args:    cobra.ExactArgs(1),
	}
	return command.Show(p, cmd, command.CallerKey,
		func(c command.Call) (topup.Order, error) {
			return c.API.Cancel(c.Ctx, topup.ID(c.Args[0]))
		}, printOrder)
}
