package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"recarga/producer"
)

func newFindCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "find TEXT",
		Short: "Find an order by id, phone, transaction id or reference, and show its story",
		Long: `Find orders by what somebody has at hand: the id, the phone number, or the distributor's transaction id
or reference. One order is shown whole, as by recarga get; several are listed, the newest first.

Exit status: 0 when there is one or more, 1 otherwise.`,
		Example: "  recarga find 5537686660\n  recarga find TXN-1700000000000-abc",
		Args:    cobra.ExactArgs(1),
	}
	asJSON := jsonFlag(cmd)
	return clientCommand(p, cmd, func(cmd *cobra.Command, c *producer.Client, args []string) error {
		found, err := c.Find(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		switch {
		case len(found) == 0:
			return fmt.Errorf("no order has the id, phone number, transaction id or reference %q", args[0])
		case len(found) > 1 && !*asJSON:
			return p.terminal().orders(p.stdout, found...)
		}
		for _, o := range found {
			d, err := c.Get(cmd.Context(), o.ID)
			if err != nil {
				return err
			}
			if !*asJSON {
				return p.terminal().details(p.stdout, d)
			}
			if err := printJSON(p.stdout, d); err != nil {
				return err
			}
		}
		return nil
	})
}
