package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/config"
	"recarga/internal/terminal"
	"recarga/producer"
)

// Call is one run of a command that talks to the HTTP API.
type Call struct {
	// Ctx ends with the program.
	Ctx context.Context
	// API is the one of RECARGA_API_URL, with the command's key.
	API *producer.Client
	// Args are the arguments that are no flags.
	Args []string
}

// Key is what a command is let in with.
type Key struct {
	Value   string // of the setting
	Setting string // API_KEY or ADMIN_KEY
}

// KeyOf is the key that a command uses. There is one rule: a command that places a caller's orders, or withdraws them,
// takes RECARGA_API_KEY; every other takes RECARGA_ADMIN_KEY, which sees all orders. Where that one is not set, it takes
// the other.
func KeyOf(s config.Settings, asCaller bool) Key {
	api, admin := Key{s.APIKey, "API_KEY"}, Key{s.AdminKey, "ADMIN_KEY"}
	if asCaller && api.Value != "" || admin.Value == "" {
		return api
	}
	return admin
}

// CallerKey is the key of a command that acts for a caller.
func CallerKey(s config.Settings) Key { return KeyOf(s, true) }

// AdminKey is the key of every other command.
func AdminKey(s config.Settings) Key { return KeyOf(s, false) }

// ForCaller makes a command of one that acts for a caller.
func ForCaller(p *Program, cmd *cobra.Command, run func(Call) error) *cobra.Command {
	return apiCommand(p, cmd, CallerKey, run)
}

// Client makes a command of any other that talks to the API.
func Client(p *Program, cmd *cobra.Command, run func(Call) error) *cobra.Command {
	return apiCommand(p, cmd, AdminKey, run)
}

// Show makes a command of a call whose answer is shown: as JSON with --json, and otherwise by show.
func Show[T any](
	p *Program, cmd *cobra.Command, keyOf func(config.Settings) Key, ask func(Call) (T, error),
	show func(terminal.Screen, T) error,
) *cobra.Command {
	asJSON := JSONFlag(cmd)
	return apiCommand(p, cmd, keyOf, func(c Call) error {
		answer, err := ask(c)
		if err != nil {
			return err
		}
		return p.Show(*asJSON, answer, func(s terminal.Screen) error { return show(s, answer) })
	})
}

// Show prints a value as JSON or, for people, by print.
func (p *Program) Show(asJSON bool, v any, print func(terminal.Screen) error) error {
	if asJSON {
		return terminal.PrintJSON(p.Stdout, v)
	}
	return print(p.Stdout.Screen())
}

// PrintList prints one JSON object a line, or a table; of an empty table it says none on standard error.
func PrintList[T any](
	p *Program, list []T, asJSON bool, none string, show func(terminal.Screen, ...T) error,
) error {
	switch {
	case !asJSON && len(list) == 0:
		_, err := fmt.Fprintln(p.Stderr, none)
		return err
	case !asJSON:
		return show(p.Stdout.Screen(), list...)
	}
	for _, one := range list {
		if err := terminal.PrintJSON(p.Stdout, one); err != nil {
			return err
		}
	}
	return nil
}

func apiCommand(
	p *Program, cmd *cobra.Command, keyOf func(config.Settings) Key, run func(Call) error,
) *cobra.Command {
	config.AddFlags(cmd.Flags(), "API_URL", "API_KEY", "ADMIN_KEY")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := p.Settings(cmd, nil)
		if err != nil {
			return err
		}
		key := keyOf(s)
		if key.Value == "" {
			return Usage(fmt.Errorf("neither RECARGA_API_KEY nor RECARGA_ADMIN_KEY is set; must be a key of the API at %s",
				s.APIURL))
		}
		explain := func(err error) error {
			return whoseKey(whereAPI(err, s.APIURL), cmp.Or(config.Origin(cmd.Flags(), p.Environ, key.Setting), key.Setting))
		}
		api, err := producer.NewClient(s.APIURL, key.Value, producer.WithRetryNotify(func(err error, wait time.Duration) {
			p.ReportRetry(explain(err), wait)
		}))
		if err != nil {
			return Usage(err)
		}
		defer func() { _ = api.Close() }()
		return explain(run(Call{cmd.Context(), api, args}))
	}
	return cmd
}

// whereAPI says of an error that may be due to a wrong address which address that is.
func whereAPI(err error, apiURL string) error {
	var network *net.OpError
	var problem *producer.Problem
	switch {
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Errorf("no API at %s (RECARGA_API_URL); does recarga serve run there? %w", apiURL, err)
	case errors.As(err, &problem) && problem.Status == http.StatusNotFound && problem.Detail == "":
		return fmt.Errorf("%w; is this Recarga's API? RECARGA_API_URL is %s", err, apiURL)
	}
	return err
}

// whoseKey says of an error that may be due to a wrong key where that comes from.
func whoseKey(err error, from string) error {
	var problem *producer.Problem
	if errors.As(err, &problem) && (problem.Status == http.StatusUnauthorized || problem.Status == http.StatusForbidden) {
		return fmt.Errorf("%w; the key is from %s", err, from)
	}
	return err
}

// ReportRetry says on standard error why the command waits.
func (p *Program) ReportRetry(err error, wait time.Duration) {
	_, _ = fmt.Fprintf(p.Stderr, "%s; trying again in %s\n", terminal.Printable(err.Error()),
		wait.Round(100*time.Millisecond))
}

// JSONHelp is what --json does.
const JSONHelp = "print JSON"

// JSONFlag gives a command --json.
func JSONFlag(cmd *cobra.Command) *bool { return cmd.Flags().Bool("json", false, JSONHelp) }

// Every calls step at once and then again and again, until it is done or ctx ends, which is no error.
// Once it has worked, an API that does not answer is waited for: it may be starting anew.
func (p *Program) Every(ctx context.Context, interval time.Duration, step func() (done bool, err error)) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	worked, waiting := false, false
	for {
		done, err := step()
		switch {
		case ctx.Err() != nil:
			return nil
		case done, err != nil && (!worked || !passing(err)):
			return err
		case err == nil:
			worked, waiting = true, false
		case !waiting:
			p.ReportRetry(err, interval) // once
			waiting = true
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// passing reports whether the API was not reached, or may answer later.
func passing(err error) bool {
	var problem *producer.Problem
	var network *url.Error
	return errors.As(err, &problem) && problem.Temporary() || errors.As(err, &network)
}
