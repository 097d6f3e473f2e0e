package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/webhooktest"
)

func newWebhookListenCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "listen",
		Short: "Receive webhooks, verify and show them, and pass them on to a local server",
		Long: `Receive webhooks until interrupted, verify them and print one line each. What does not verify is
answered with 4xx, as webhook.Handler does, and goes no further.

With --forward-to, what verifies is sent on with its body and headers unchanged, so that the local
server can verify it too. Its answer is what the sender gets, so that retries can be tried out; one
that cannot be reached, or does not answer in 30 s, makes a 502. Redirects are not followed. A URL
that leads back to --addr is refused.

Without a secret, one is made for as long as the command runs, and shown.`,
		Example: `  recarga webhook listen
  recarga webhook listen --forward-to http://localhost:3000/recarga
  recarga webhook listen --addr 127.0.0.1:0 --json | jq '.body | fromjson'`,
	}
	addr := cmd.Flags().String("addr", "127.0.0.1:4242", "where to listen; port 0: any that is free")
	secret := secretFlag(cmd)
	forwardTo := cmd.Flags().String("forward-to", "", "URL to send on to what verifies, whatever the path it came to")
	asJSON := cmd.Flags().Bool("json", false, "print one JSON object a line, with headers and body")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.Settings(cmd, nil)
		if err != nil {
			return err
		}
		key, err := webhookSecret(*secret, s)
		if err != nil {
			return err
		}
		if *forwardTo != "" {
			if err := checkURLFlag("--forward-to", *forwardTo); err != nil {
				return err
			}
		}
		l, err := webhooktest.Listen(cmd.Context(), webhooktest.Config{
			Addr: *addr, Secret: key, ForwardTo: *forwardTo, AsJSON: *asJSON, Out: p.Stdout, Err: p.Stderr,
		})
		if err != nil {
			return command.Usage(err)
		}
		return l.Serve(cmd.Context())
	}
	return cmd
}
