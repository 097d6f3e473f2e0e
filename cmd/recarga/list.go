package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/params"
	"recarga/internal/terminal"
	"recarga/internal/view"
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
		{"code", "code", "the distributor's last response code, as in 91"},
		{"reason", "reason", "why it failed: declined, retries_exhausted, expired, invalid or resolved"},
		{"metadata", "metadata", "a part of its metadata, as in cart=62"},
		{"waits-for", "waits_for", "why it waits: turn, pace, outage, balance, login or operator"},
		{"since", "since", "created at or after this time: RFC 3339, a date, today, yesterday, or how long ago (1h, 2d)"},
		{"until", "until", "created before this time, as in --since"},
		{"caller", "caller", "caller; with the admin key only"},
	}
}

// addFilters gives a command the flags of filters.
func addFilters(p *command.Program, cmd *cobra.Command, filters []filterFlag) {
	for _, f := range filters {
		if f.flag == "state" {
			command.Choice(cmd, new(string), f.flag, f.help, states()...)
			continue
		}
		cmd.Flags().String(f.flag, "", f.help)
	}
	command.Completes(cmd, "code", topup.Codes()...)
	command.Completes(cmd, "waits-for", topup.Waits()...)
	p.CompletesProducts(cmd)
}

// readFilters reads the flags of filters. The error joins a *topup.FieldError for each that is wrong.
func readFilters(cmd *cobra.Command, filters []filterFlag) (o producer.ExportOptions, err error) {
	q, now := params.Reader{Values: url.Values{}}, time.Now()
	for _, f := range filters {
		q.Values.Set(f.parameter, cmd.Flag(f.flag).Value.String())
	}
	o.OrderFilter = producer.OrderFilter{
		State: params.Read(&q, "state", topup.ParseState), Caller: params.Read(&q, "caller", params.AsIs),
		Phone: params.Read(&q, "phone_number", topup.ParsePhone), Product: params.Read(&q, "product_id", params.AsIs),
		TransactionID: params.Read(&q, "transaction_id", params.AsIs),
		Code:          params.Read(&q, "code", topup.ParseCode),
		Reason:        params.Read(&q, "reason", topup.ParseReason),
		Metadata:      params.Read(&q, "metadata", params.AsIs),
		WaitsFor:      params.Read(&q, "waits_for", topup.ParseWait),
		Since:         params.Read(&q, "since", params.Moment("since", now)),
		Until:         params.Read(&q, "until", params.Moment("until", now)),
	}
	o.FinishedSince = params.Read(&q, "finished_since", params.Moment("finished_since", now))
	o.FinishedUntil = params.Read(&q, "finished_until", params.Moment("finished_until", now))
	if err := q.Err(); err != nil {
		return o, command.Usage(command.OfFlags(err))
	}
	return o, nil
}

func newListCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "list"}
	addFilters(p, cmd, listFilters())
	command.Completes(cmd, "reason", topup.Reasons()...)
	disputed := cmd.Flags().Bool("disputed", false, "only orders whose final state later evidence contradicts")
	limit := cmd.Flags().Int("limit", 50, "orders of a page, 1 to 200")
	all := cmd.Flags().Bool("all", false, "all pages")
	asJSON := command.JSONFlag(cmd)
	return command.Client(p, cmd, func(c command.Call) error {
		o, err := readFilters(cmd, listFilters())
		if err != nil {
			return err
		}
		o.Disputed, o.Limit = *disputed, *limit
		for {
			orders, next, err := c.API.List(c.Ctx, o.OrderFilter)
			if err != nil {
				return wrongFilter(err)
			}
			if err := printOrders(p, orders, *asJSON); err != nil {
				return err
			}
			if next == "" || !*all {
				return more(p, next, *asJSON)
			}
			o.Cursor = next
		}
	})
}

// wrongFilter makes a filter that the API refuses a mistake of usage.
func wrongFilter(err error) error {
	var problem *producer.Problem
	if errors.As(err, &problem) && problem.Status == http.StatusUnprocessableEntity {
		return command.Usage(err)
	}
	return err
}

// printOrders prints a page: one JSON object a line, or a table.
func printOrders(p *command.Program, orders []topup.Order, asJSON bool) error {
	return command.PrintList(p, orders, asJSON, "No orders.", view.Orders)
}

func printOrder(s terminal.Screen, o topup.Order) error { return view.Orders(s, o) }

func more(p *command.Program, next string, asJSON bool) error {
	if next == "" || asJSON {
		return nil
	}
	_, err := fmt.Fprintln(p.Stderr, "There are more; --all shows them.")
	return err
}

// states are all that an order may be in.
func states() (all []topup.State) {
	for _, f := range topup.StateTable() {
		all = append(all, f.State)
	}
	return all
}
