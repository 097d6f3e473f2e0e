package main

import "github.com/spf13/cobra"

func newWebhookCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "webhook",
		Short:   "Replay webhooks",
		Example: "  recarga webhook redeliver --state exhausted",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWebhookRedeliverCommand(p))
	for _, sub := range cmd.Commands() {
		sub.Args = usageArgs(sub.Args)
	}
	return cmd
}
