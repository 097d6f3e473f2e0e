package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"recarga/internal/catalog"
	"recarga/internal/config"
	"recarga/producer"
	"recarga/topup"
)

func newProductsCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "products [FILE]",
		Short: "Show the catalogue, or check a file of products",
		Long: `Show what the API at RECARGA_API_URL sells. With --check it checks a file of products instead, without
any API: FILE, or else that of RECARGA_CATALOG. Every mistake is named by its line, product and field. A file without
mistakes is shown. --default writes the file of the distributor's document, to begin with. See docs/products.md.

Exit status with --check: 0 when the file can be used, 1 when it cannot.`,
		Example: "  recarga products\n  recarga products --default > products.yaml\n" +
			"  recarga products --check products.yaml",
		Args: cobra.MaximumNArgs(1),
		// The argument is a file.
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	check := cmd.Flags().Bool("check", false, "check a file of products")
	document := cmd.Flags().Bool("default", false, "write the file of the distributor's document")
	asJSON := jsonFlag(cmd)
	fromAPI := clientCommand(p, cmd, func(cmd *cobra.Command, c *producer.Client, _ []string) error {
		products, err := c.Products(cmd.Context())
		if err != nil {
			return err
		}
		return p.showProducts(products, *asJSON)
	}).RunE
	config.AddFlags(cmd.Flags(), "CATALOG")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case *check && *document:
			return usage(errors.New("--check and --default exclude each other"))
		case *check:
			return p.checkProducts(cmd, args, *asJSON)
		case len(args) > 0:
			return usage(errors.New("a file needs --check"))
		case *document:
			_, err := io.WriteString(p.stdout, catalog.Default)
			return err
		default:
			return fromAPI(cmd, args)
		}
	}
	return cmd
}

// checkProducts shows a file's products, or is the error of all its mistakes.
func (p *program) checkProducts(cmd *cobra.Command, args []string, asJSON bool) error {
	s, err := p.settings(cmd, nil)
	if err != nil {
		return err
	}
	path := cmp.Or(append(args, s.CatalogFile)...)
	if path == "" {
		return usage(errors.New("there is no file to check: name it, or set RECARGA_CATALOG"))
	}
	c, err := catalog.ReadFile(path)
	if err != nil {
		return err
	}
	if err := p.showProducts(c.Products(), asJSON); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stderr, "%s: %s, no mistakes\n", path, countOf(len(c.Products()), "product", "products"))
	return err
}

func (p *program) showProducts(products []topup.Product, asJSON bool) error {
	if asJSON {
		return printJSON(p.stdout, products)
	}
	rows := make([][]string, len(products))
	for i, product := range products {
		rows[i] = []string{product.ID, product.Description, product.Operator, product.Min.String(), product.Max.String()}
	}
	return p.terminal().table(p.stdout, []string{"PRODUCT", "DESCRIPTION", "OPERATOR", "MIN MXN", "MAX MXN"}, rows)
}
