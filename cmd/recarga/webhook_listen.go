package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/webhooktest"
)

func newWebhookListenCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "listen"}
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
		former := s.FormerWebhookSecrets
		if *secret != "" {
			former = nil // those of the settings' own secret
		}
		if *forwardTo != "" {
			if err := checkURLFlag("--forward-to", *forwardTo); err != nil {
				return err
			}
		}
		l, err := webhooktest.Listen(cmd.Context(), webhooktest.Config{
			Addr: *addr, Secret: key, Former: former, ForwardTo: *forwardTo, AsJSON: *asJSON, Out: p.Stdout, Err: p.Stderr,
		})
		if err != nil {
			return command.Usage(err)
		}
		return l.Serve(cmd.Context())
	}
	return cmd
}
