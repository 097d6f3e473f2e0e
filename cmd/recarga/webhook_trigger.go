package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/config"
	"recarga/internal/webhooktest"
	"recarga/webhook"
)

func newWebhookTriggerCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "trigger [TYPE]",
		Long: fmt.Sprintf(`Send one signed event of a type (%s) of an order
that does not exist: its id starts with SAMPLE-, unless --id is given, and its metadata say
{"sample":"true"}. It is sent as a real one is, but only once, and private targets are allowed.
The start of the answer is shown. No server is needed; nothing is kept.

Exit status: 0 when every event was answered with 2xx, 1 otherwise.`, strings.Join(webhooktest.EventTypes(), ", ")),
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: webhooktest.EventTypes(),
	}
	flags := cmd.Flags()
	to := flags.String("to", "", "URL of the receiver")
	secret := secretFlag(cmd)
	all := flags.Bool("all", false, "send one event of each type, each of an order of its own")
	id := flags.String("id", "", "the order's id (default: a new one that starts with SAMPLE-)")
	sequence := flags.Int("sequence", 1, "the event's number among those of its order, to try out repeats and older news")
	asJSON := flags.Bool("json", false, "print one JSON object for each event, with the headers and the body that were "+
		"sent")
	config.AddFlags(cmd.Flags(), "WEBHOOK_TIMEOUT")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := p.Settings(cmd, nil)
		if err != nil {
			return err
		}
		key, err := webhookSecret(*secret, s)
		if err != nil {
			return err
		}
		if key == "" {
			return command.Usage(errors.New("neither --secret nor RECARGA_WEBHOOK_SECRET is set; must be the receiver's"))
		}
		if err := checkURLFlag("--to", *to); err != nil {
			return err
		}
		events, err := webhooktest.Samples(args, *all, *id, *sequence)
		if err != nil {
			return command.Usage(err)
		}
		to := webhook.Endpoint{URL: *to, Secrets: []string{key}}
		return webhooktest.Send(cmd.Context(), p.Stdout, events, to, s.WebhookTimeout, *asJSON)
	}
	return cmd
}
