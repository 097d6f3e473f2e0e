package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"recarga/producer"
	"recarga/topup"
)

// filterFlag is a flag of list, with the API's parameter.
type filterFlag struct{ flag, parameter, help string }

func listFilters() []filterFlag {
	return []filterFlag{
		{"state", "state", "queued, submitting, retrying, unknown, succeeded, failed or canceled"},
		{"phone", "phone_number", "phone number"},
		{"product", "product_id", "product"},
		{"transaction-id", "transaction_id", "the distributor's id of the purchase"},
		{"since", "since", "created at or after this time (RFC 3339)"},
		{"until", "until", "created before this time (RFC 3339)"},
		{"caller", "caller", "caller; with the admin key only"},
	}
}

// addFilters gives a command the flags of filters.
func (p *program) addFilters(cmd *cobra.Command, filters []filterFlag) {
	for _, f := range filters {
		cmd.Flags().String(f.flag, "", f.help)
	}
	completes(cmd, "state", states()...)
	p.completesProducts(cmd)
}

// setFilters adds the filters that are given to a query.
func setFilters(cmd *cobra.Command, query url.Values, filters []filterFlag) {
	for _, f := range filters {
		if value := cmd.Flag(f.flag).Value.String(); value != "" {
			query.Set(f.parameter, value)
		}
	}
}

func newListCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List orders, newest first",
		Example: "  recarga list --state unknown\n  recarga list --phone 5537686660 --json --all",
	}
	p.addFilters(cmd, listFilters())
	disputed := cmd.Flags().Bool("disputed", false, "only orders whose final state later evidence contradicts")
	limit := cmd.Flags().Int("limit", 50, "orders of a page, 1 to 200")
	all := cmd.Flags().Bool("all", false, "all pages")
	asJSON := jsonFlag(cmd)
	return clientCommand(p, cmd, func(cmd *cobra.Command, c *producer.Client, _ []string) error {
		query := url.Values{"limit": {strconv.Itoa(*limit)}}
		setFilters(cmd, query, listFilters())
		if *disputed {
			query.Set("disputed", "true")
		}
		for {
			orders, next, err := c.List(cmd.Context(), query)
			if err != nil {
				return wrongFilter(err)
			}
			if err := p.printOrders(orders, *asJSON); err != nil {
				return err
			}
			if next == "" || !*all {
				return p.more(next, *asJSON)
			}
			query.Set("cursor", next)
		}
	})
}

// wrongFilter makes a filter that the API refuses a mistake of usage.
func wrongFilter(err error) error {
	var problem *producer.Problem
	if errors.As(err, &problem) && problem.Status == http.StatusUnprocessableEntity {
		return usage(err)
	}
	return err
}

// printOrders prints a page: one JSON object a line, or a table.
func (p *program) printOrders(orders []topup.Order, asJSON bool) error {
	return printList(p, orders, asJSON, "No orders.", func(orders []topup.Order) error {
		return p.terminal().orders(p.stdout, orders...)
	})
}

func (p *program) more(next string, asJSON bool) error {
	if next == "" || asJSON {
		return nil
	}
	_, err := fmt.Fprintln(p.stderr, "There are more; --all shows them.")
	return err
}
