package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/story"
	"recarga/internal/terminal"
	"recarga/producer"
	"recarga/topup"
)

func newWebhookPingCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "ping [ENDPOINT]", Args: cobra.MaximumNArgs(1)}
	caller := cmd.Flags().String("caller", "", "of this caller; needs the admin key")
	asJSON := command.JSONFlag(cmd)
	return command.Client(p, cmd, func(c command.Call) error {
		endpoint := topup.DefaultEndpoint
		if len(c.Args) > 0 {
			endpoint = c.Args[0]
		}
		pinged, err := c.API.Ping(c.Ctx, *caller, endpoint)
		if err != nil {
			return err
		}
		if err := p.Show(*asJSON, pinged, func(s terminal.Screen) error { return printPing(s, pinged) }); err != nil {
			return err
		}
		if !pinged.Delivered {
			return errors.New("the ping was not delivered")
		}
		return nil
	})
}

func printPing(to io.Writer, pinged producer.Pinged) error {
	text, more := story.Tried(pinged.Try)
	line := fmt.Sprintf("ping to %s of %s: %s in %d ms", pinged.Endpoint, pinged.Caller, text, pinged.Try.DurationMS)
	for _, words := range append([]string{line}, more...) {
		if _, err := fmt.Fprintln(to, terminal.Printable(words)); err != nil {
			return err
		}
	}
	return nil
}

// pingFlag gives a command that sets an endpoint --ping, and returns what pings it then: on standard error, since what
// was asked for is done.
func pingFlag(p *command.Program, cmd *cobra.Command) func(c command.Call, caller, endpoint string) {
	wanted := cmd.Flags().Bool("ping", true,
		"ping the endpoint when it is set, and show on standard error what it answered")
	return func(c command.Call, caller, endpoint string) {
		if !*wanted {
			return
		}
		pinged, err := c.API.Ping(c.Ctx, caller, endpoint)
		if err != nil {
			_, _ = fmt.Fprintln(p.Stderr, strings.Join(terminal.ErrorLines(err), "\n"))
			return
		}
		_ = printPing(p.Stderr, pinged)
	}
}
