package main

import (
	"github.com/spf13/cobra"

	"recarga/producer"
)

func newProductsCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "products",
		Short:   "Show the catalogue",
		Example: "  recarga products",
	}
	asJSON := jsonFlag(cmd)
	return clientCommand(p, cmd, func(cmd *cobra.Command, c *producer.Client, _ []string) error {
		products, err := c.Products(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(p.stdout, products)
		}
		rows := make([][]string, len(products))
		for i, product := range products {
			rows[i] = []string{product.ID, product.Description, product.Operator, product.Min.String(), product.Max.String()}
		}
		return p.terminal().table(p.stdout, []string{"PRODUCT", "DESCRIPTION", "OPERATOR", "MIN MXN", "MAX MXN"}, rows)
	})
}
