package main

import (
	"github.com/spf13/cobra"

	"recarga/producer"
	"recarga/topup"
)

func newCancelCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cancel ID",
		Short:   "Withdraw an order that no attempt can have bought",
		Example: "  recarga cancel MY-TXN-001",
		Args:    cobra.ExactArgs(1),
	}
	return showCommand(p, cmd, keyOfCaller,
		func(cmd *cobra.Command, c *producer.Client, args []string) (topup.Order, error) {
			return c.Cancel(cmd.Context(), topup.ID(args[0]))
		}, p.printOrder)
}
