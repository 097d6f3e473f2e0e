package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"recarga/producer"
)

func newBalanceCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "balance",
		Short:   "Ask the distributor for the balance",
		Example: "  recarga balance --json",
	}
	asJSON := jsonFlag(cmd)
	return clientCommand(p, cmd, func(cmd *cobra.Command, c *producer.Client, _ []string) error {
		b, err := c.Balance(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(p.stdout, b)
		}
		_, err = fmt.Fprintf(p.stdout, "%s %s (asked for %s s ago; the distributor's own word may be older)\n", b.Balance, b.Currency, b.AgeSeconds)
		return err
	})
}
