package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recarga/producer"
)

func newCallerCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "caller",
		Short: "Manage the callers: who places orders and is told of them",
		Long: `Manage the callers in the registry. Each has an API key, of which only a digest is kept, and a webhook
secret, which is kept encrypted; both are shown once. The caller named default is the one of
RECARGA_API_KEY, and is not in the registry. Needs the admin key.`,
		Example: "  recarga caller add shop --callback-url https://shop.example/recarga\n  recarga caller list",
	}
	cmd.AddCommand(newCallerAddCommand(p), newCallerListCommand(p), newCallerSetURLCommand(p), newCallerRotateSecretCommand(p),
		newCallerRotateKeyCommand(p), newCallerSwitchCommand(p, "disable", "Refuse a caller's key and tell it nothing", true),
		newCallerSwitchCommand(p, "enable", "Take a caller's orders again", false), newCallerEndpointCommand(p))
	return cmd
}

func newCallerAddCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "add NAME",
		Short:   "Add a caller; prints its API key and its webhook secret, once",
		Example: "  recarga caller add shop --callback-url https://shop.example/recarga",
		Args:    cobra.ExactArgs(1),
	}
	callback := cmd.Flags().String("callback-url", "", "where its events go (default: nowhere)")
	asJSON := jsonFlag(cmd)
	return adminCommand(p, cmd, func(cmd *cobra.Command, c *producer.Client, args []string) error {
		added, err := c.AddCaller(cmd.Context(), args[0], *callback)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(p.stdout, added)
		}
		if err := p.printCallers([]producer.Caller{added}); err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "\napi key:        %s\nwebhook secret: %s\n\nKeep them: they are not shown again.\n", printable(added.APIKey), printable(added.WebhookSecret))
		return err
	})
}

func newCallerListCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the callers", Example: "  recarga caller list", Args: cobra.NoArgs}
	asJSON := jsonFlag(cmd)
	return adminCommand(p, cmd, func(cmd *cobra.Command, c *producer.Client, _ []string) error {
		all, err := c.Callers(cmd.Context())
		if err != nil {
			return err
		}
		switch {
		case !*asJSON && len(all) == 0:
			_, err := fmt.Fprintln(p.stderr, "No callers in the registry; the one named default is that of RECARGA_API_KEY.")
			return err
		case !*asJSON:
			return p.printCallers(all)
		}
		for _, caller := range all {
			if err := printJSON(p.stdout, caller); err != nil {
				return err
			}
		}
		return nil
	})
}

func newCallerSetURLCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "set-url NAME URL",
		Short:   "Change where a caller's events go",
		Example: "  recarga caller set-url shop https://shop.example/webhooks/recarga",
		Args:    cobra.ExactArgs(2),
	}
	return p.callerChange(cmd, func(args []string) map[string]any { return map[string]any{"callback_url": args[1]} })
}

func newCallerSwitchCommand(p *program, use, short string, disabled bool) *cobra.Command {
	cmd := &cobra.Command{Use: use + " NAME", Short: short, Example: "  recarga caller " + use + " shop", Args: cobra.ExactArgs(1)}
	return p.callerChange(cmd, func([]string) map[string]any { return map[string]any{"disabled": disabled} })
}

func (p *program) callerChange(cmd *cobra.Command, change func(args []string) map[string]any) *cobra.Command {
	asJSON := jsonFlag(cmd)
	return adminCommand(p, cmd, func(cmd *cobra.Command, c *producer.Client, args []string) error {
		changed, err := c.ChangeCaller(cmd.Context(), args[0], change(args))
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(p.stdout, changed)
		}
		return p.printCallers([]producer.Caller{changed})
	})
}

func newCallerRotateSecretCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rotate-secret NAME",
		Short:   "Give a caller a new webhook secret; the former one signs as well for a while",
		Example: "  recarga caller rotate-secret shop\n  recarga caller rotate-secret shop --overlap 0s   # it leaked: the former one ends now",
		Args:    cobra.ExactArgs(1),
	}
	overlap := cmd.Flags().Duration("overlap", 24*time.Hour, "how long the former secret signs as well, at most 720h")
	return p.callerSecret(cmd, "webhook_secret", func(cmd *cobra.Command, c *producer.Client, name string) (string, error) {
		return c.RotateSecret(cmd.Context(), name, *overlap)
	})
}

func newCallerRotateKeyCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rotate-key NAME",
		Short:   "Give a caller a new API key; the former one ends",
		Example: "  recarga caller rotate-key shop",
		Args:    cobra.ExactArgs(1),
	}
	return p.callerSecret(cmd, "api_key", func(cmd *cobra.Command, c *producer.Client, name string) (string, error) {
		return c.RotateKey(cmd.Context(), name)
	})
}

// callerSecret makes a command that prints one new secret: alone, so that it can be put into a file.
func (p *program) callerSecret(cmd *cobra.Command, name string, renew func(*cobra.Command, *producer.Client, string) (string, error)) *cobra.Command {
	asJSON := jsonFlag(cmd)
	return adminCommand(p, cmd, func(cmd *cobra.Command, c *producer.Client, args []string) error {
		secret, err := renew(cmd, c, args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(p.stdout, map[string]string{name: secret})
		}
		_, err = fmt.Fprintln(p.stdout, printable(secret))
		return err
	})
}

func (p *program) printCallers(all []producer.Caller) error {
	var rows [][]string
	for _, c := range all {
		state := "enabled"
		if c.DisabledAt != nil {
			state = "disabled since " + local(*c.DisabledAt)
		}
		if len(c.Endpoints) == 0 {
			rows = append(rows, []string{c.Name, state, "-", "-", "-", "-"})
		}
		for _, e := range c.Endpoints {
			rows = append(rows, []string{c.Name, state, e.Name, printable(e.URL), typesOf(e), healthOf(e)})
		}
	}
	return p.terminal().table(p.stdout, []string{"NAME", "STATE", "ENDPOINT", "URL", "EVENTS", "HEALTH"}, rows)
}

func typesOf(e producer.Endpoint) string {
	if len(e.EventTypes) == 0 {
		return "all"
	}
	var types []string
	for _, t := range e.EventTypes {
		types = append(types, string(t))
	}
	return strings.Join(types, ",")
}

func healthOf(e producer.Endpoint) string {
	switch {
	case e.DisabledAt != nil && e.Reason != nil:
		return "disabled since " + local(*e.DisabledAt) + ": " + printable(*e.Reason)
	case e.FailingSince != nil:
		return "failing since " + local(*e.FailingSince)
	}
	return "good"
}
