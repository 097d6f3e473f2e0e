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
	asJSON := jsonFlag(cmd)
	return clientCommand(p, cmd, func(cmd *cobra.Command, c *producer.Client, args []string) error {
		o, err := c.Cancel(cmd.Context(), topup.ID(args[0]))
		if err != nil {
			return err
		}
		return p.printOrders([]topup.Order{o}, *asJSON)
	})
}
