package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"recarga/internal/catalog"
	"recarga/internal/command"
	"recarga/internal/config"
	"recarga/internal/terminal"
	"recarga/topup"
)

func newProductsCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:  "products [FILE]",
		Args: cobra.MaximumNArgs(1),
		// The argument is a file.
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	check := cmd.Flags().Bool("check", false, "check a file of products")
	document := cmd.Flags().Bool("default", false, "write the file of the distributor's document")
	asJSON := command.JSONFlag(cmd)
	fromAPI := command.Client(p, cmd, func(c command.Call) error {
		products, err := c.API.Products(c.Ctx)
		if err != nil {
			return err
		}
		return showProducts(p, products, *asJSON)
	}).RunE
	config.AddFlags(cmd.Flags(), "CATALOG")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case *check && *document:
			return command.Usage(errors.New("--check and --default exclude each other"))
		case *check:
			return checkProducts(p, cmd, args, *asJSON)
		case len(args) > 0:
			return command.Usage(errors.New("a file needs --check"))
		case *document:
			_, err := io.WriteString(p.Stdout, catalog.Default)
			return err
		default:
			return fromAPI(cmd, args)
		}
	}
	return cmd
}

// checkProducts shows a file's products, or is the error of all its mistakes.
func checkProducts(p *command.Program, cmd *cobra.Command, args []string, asJSON bool) error {
	s, err := p.Settings(cmd, nil)
	if err != nil {
		return err
	}
	path := cmp.Or(append(args, s.CatalogFile)...)
	if path == "" {
		return command.Usage(errors.New("there is no file to check: name it, or set RECARGA_CATALOG"))
	}
	c, err := catalog.ReadFile(path)
	if err != nil {
		return err
	}
	if err := showProducts(p, c.Products(), asJSON); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stderr, "%s: %s, no mistakes\n", path, terminal.CountOf(len(c.Products()), "product",
		"products"))
	return err
}

func showProducts(p *command.Program, products []topup.Product, asJSON bool) error {
	if asJSON {
		return terminal.PrintJSON(p.Stdout, products)
	}
	rows := make([][]string, len(products))
	for i, product := range products {
		rows[i] = []string{product.ID, product.Description, product.Operator, product.Min.String(), product.Max.String()}
	}
	return p.Stdout.Screen().Table([]string{"PRODUCT", "DESCRIPTION", "OPERATOR", "MIN MXN", "MAX MXN"}, rows)
}
