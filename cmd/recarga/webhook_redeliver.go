package main

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/params"
	"recarga/internal/terminal"
	"recarga/topup"
)

func newWebhookRedeliverCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "redeliver [EVENT-ID…]", Args: cobra.ArbitraryArgs}
	filter := eventFlags(cmd)
	all := cmd.Flags().Bool("all", false, "every event there is")
	asJSON := command.JSONFlag(cmd)
	return command.Client(p, cmd, func(c command.Call) error {
		chosen, err := filter()
		if err != nil {
			return err
		}
		if given := chosen != (topup.EventFilter{}) || *all; given == (len(c.Args) > 0) {
			return command.Usage(errors.New("name events, or give a filter (--state, --caller, --endpoint, --type, --since, " +
				"--until), or --all; see recarga webhook redeliver --help"))
		}
		if len(c.Args) > 0 {
			return redeliver(p, c, *asJSON)
		}
		return redeliverAll(p, c, chosen, *asJSON)
	})
}

// eventFlags adds the flags of a filter of events, and returns what reads them.
func eventFlags(cmd *cobra.Command) func() (topup.EventFilter, error) {
	flags := cmd.Flags()
	var state, kind string
	redeliverable := []topup.EventState{topup.EventExhausted, topup.EventPending, topup.EventDelivered,
		topup.EventKept}
	command.Choice(cmd, &state, "state", "exhausted (not tried again), pending, delivered or kept (for the feed)",
		redeliverable...)
	command.Choice(cmd, &kind, "type", "of this type, as in topup.succeeded", topup.EventTypes()...)
	caller := flags.String("caller", "", "of this caller; needs the admin key")
	endpoint := flags.String("endpoint", "", "for this endpoint of the caller; default is its callback URL")
	since := flags.String("since", "",
		"made at this time or later: RFC 3339, a date, today, yesterday, or how long ago (1h, 2d)")
	until := flags.String("until", "", "made before this time, as in --since")
	return func() (topup.EventFilter, error) {
		q, now := params.Reader{Values: url.Values{}}, time.Now()
		for name, value := range map[string]string{"state": state, "caller": *caller, "type": kind, "endpoint": *endpoint,
			"since": *since, "until": *until} {
			switch {
			case value != "":
				q.Values.Set(name, value)
			case cmd.Flags().Changed(name): // as with a variable that is not set: it would mean everything
				err := fmt.Errorf("--%s: \"\" is not allowed; must be a value, or leave the flag out", name)
				return topup.EventFilter{}, command.Usage(err)
			}
		}
		filter := topup.EventFilter{
			State: topup.EventState(state), Type: topup.EventType(kind),
			Caller: *caller, Endpoint: *endpoint,
			Since: params.Read(&q, "since", params.Moment("since", now)),
			Until: params.Read(&q, "until", params.Moment("until", now)),
		}
		if err := q.Err(); err != nil {
			return filter, command.Usage(command.OfFlags(err))
		}
		return filter, nil
	}
}

// redeliver continues after an event that cannot be redelivered.
func redeliver(p *command.Program, c command.Call, asJSON bool) error {
	var failed error
	var rows [][]string
	for _, id := range c.Args {
		ev, err := c.API.Redeliver(c.Ctx, id)
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
		case asJSON:
			failed = errors.Join(failed, terminal.PrintJSON(p.Stdout, ev))
		default:
			rows = append(rows, []string{ev.ID, string(ev.Type), string(ev.OrderID), string(ev.State),
				fmt.Sprint(len(ev.Tries))})
		}
	}
	if len(rows) > 0 {
		failed = errors.Join(failed, p.Stdout.Screen().Table([]string{"EVENT", "TYPE", "ORDER", "STATE", "TRIES"},
			rows))
	}
	return failed
}

func redeliverAll(p *command.Program, c command.Call, filter topup.EventFilter, asJSON bool) error {
	said := time.Now()
	count, err := c.API.RedeliverAll(c.Ctx, filter, func(count int) {
		if time.Since(said) > time.Second {
			said = time.Now()
			_, _ = fmt.Fprintf(p.Stderr, "%s due again…\n", terminal.CountOf(count, "event is", "events are"))
		}
	})
	if err != nil {
		return fmt.Errorf("%w; %d events were redelivered before: run the same command to continue", err, count)
	}
	if asJSON {
		return terminal.PrintJSON(p.Stdout, map[string]int{"count": count})
	}
	_, err = fmt.Fprintf(p.Stdout, "%s due again.\n", terminal.CountOf(count, "event is", "events are"))
	return err
}
