package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/config"
	"recarga/producer"
	"recarga/topup"
)

// clientRun is a command that talks to the HTTP API.
type clientRun func(cmd *cobra.Command, c *producer.Client, args []string) error

// clientCommand makes a command of one that any caller may use.
func clientCommand(p *program, cmd *cobra.Command, run clientRun) *cobra.Command {
	return apiCommand(p, cmd, keyOfCaller, run)
}

func keyOfCaller(s config.Settings) string { return cmp.Or(s.APIKey, s.AdminKey) }

// adminCommand makes a command of one for the operator: where both keys are set, it uses the admin's.
func adminCommand(p *program, cmd *cobra.Command, run clientRun) *cobra.Command {
	return apiCommand(p, cmd, adminKey, run)
}

func adminKey(s config.Settings) string { return cmp.Or(s.AdminKey, s.APIKey) }

// apiCall gets something from the API.
type apiCall[T any] func(cmd *cobra.Command, c *producer.Client, args []string) (T, error)

// showCommand makes a command of a call whose answer is shown: as JSON with --json, and otherwise by show.
func showCommand[T any](
	p *program, cmd *cobra.Command, keyOf func(config.Settings) string, call apiCall[T], show func(T) error,
) *cobra.Command {
	asJSON := jsonFlag(cmd)
	return apiCommand(p, cmd, keyOf, func(cmd *cobra.Command, c *producer.Client, args []string) error {
		answer, err := call(cmd, c, args)
		switch {
		case err != nil:
			return err
		case *asJSON:
			return printJSON(p.stdout, answer)
		}
		return show(answer)
	})
}

// printList prints one JSON object a line, or a table; of an empty table it says none on standard error.
func printList[T any](p *program, list []T, asJSON bool, none string, show func([]T) error) error {
	switch {
	case !asJSON && len(list) == 0:
		_, err := fmt.Fprintln(p.stderr, none)
		return err
	case !asJSON:
		return show(list)
	}
	for _, one := range list {
		if err := printJSON(p.stdout, one); err != nil {
			return err
		}
	}
	return nil
}

func apiCommand(p *program, cmd *cobra.Command, keyOf func(config.Settings) string, run clientRun) *cobra.Command {
	config.AddFlags(cmd.Flags(), clientSettings...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := p.settings(cmd, nil)
		if err != nil {
			return err
		}
		key := keyOf(s)
		if key == "" {
			return usage(fmt.Errorf("neither RECARGA_API_KEY nor RECARGA_ADMIN_KEY is set; must be a key of the API at %s",
				s.APIURL))
		}
		return whereAPI(run(cmd, producer.NewClient(s.APIURL, key, producer.WithRetryNotify(p.reportRetry)), args), s.APIURL)
	}
	return cmd
}

// whereAPI says of an error that may be due to a wrong address which address that is.
func whereAPI(err error, apiURL string) error {
	var network *net.OpError
	var problem *producer.Problem
	switch {
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Errorf("%w; does recarga serve run there? RECARGA_API_URL is %s", err, apiURL)
	case errors.As(err, &problem) && problem.Status == http.StatusNotFound && problem.Detail == "":
		return fmt.Errorf("%w; is this Recarga's API? RECARGA_API_URL is %s", err, apiURL)
	}
	return err
}

// reportRetry says why the command waits.
func (p *program) reportRetry(err error, wait time.Duration) {
	_, _ = fmt.Fprintf(p.stderr, "%s; trying again in %s\n", printable(err.Error()), wait.Round(100*time.Millisecond))
}

// jsonFlag gives a command --json.
func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}

func printJSON(w io.Writer, v any) error { return json.NewEncoder(jsonOutput{w}).Encode(v) }

// countOf counts things: "1 row was", "2 rows were".
func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// printOrder prints a table of one order.
func (p *program) printOrder(o topup.Order) error { return p.terminal().orders(p.stdout, o) }

// orders writes a table of orders.
func (t terminal) orders(w io.Writer, orders ...topup.Order) error {
	rows := make([][]string, len(orders))
	for i, o := range orders {
		rows[i] = orderRow(o)
	}
	return t.table(w, []string{"ORDER", "STATE", "PHONE", "PRODUCT", "AMOUNT", "ATTEMPTS", "CODE", "UPDATED"}, rows,
		"ATTEMPTS", "PRODUCT", "UPDATED", "CODE", "AMOUNT")
}

func orderRow(o topup.Order) []string {
	return []string{
		string(o.ID), stateOf(o), o.Phone.Digits(), o.Product, o.Amount.String(), fmt.Sprint(o.AttemptCount),
		string(o.ResponseCode), local(o.UpdatedAt),
	}
}

// stateOf is the state with the reason of a failure.
func stateOf(o topup.Order) string {
	if o.Reason != "" {
		return string(o.State) + "/" + string(o.Reason)
	}
	return string(o.State)
}

// local is a time as people at the terminal read it.
func local(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }
