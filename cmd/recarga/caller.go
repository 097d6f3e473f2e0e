package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/terminal"
	"recarga/internal/view"
	"recarga/producer"
)

func newCallerCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "caller",
		Short: "Manage the callers: who places orders and gets their webhooks",
		Long: `Manage the callers in the registry. Each has an API key, of which only a digest is kept, and a webhook
secret, which is kept encrypted; both are shown once. The caller named default is the one of
RECARGA_API_KEY, and is not in the registry. Needs the admin key.`,
		Example: "  recarga caller add shop --callback-url https://shop.example/recarga\n  recarga caller list",
	}
	cmd.AddCommand(newCallerAddCommand(p), newCallerListCommand(p), newCallerSetURLCommand(p), newCallerLimitCommand(p),
		newCallerRotateSecretCommand(p), newCallerRotateKeyCommand(p),
		newCallerSwitchCommand(p, "disable", "Refuse a caller's key and send it no webhooks", true),
		newCallerSwitchCommand(p, "enable", "Accept a caller's orders again", false), newCallerEndpointCommand(p))
	return cmd
}

func newCallerAddCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "add NAME",
		Short:   "Add a caller; prints its API key and its webhook secret, once",
		Example: "  recarga caller add shop --callback-url https://shop.example/recarga",
		Args:    cobra.ExactArgs(1),
	}
	callback := cmd.Flags().String("callback-url", "", "where its events go (default: nowhere)")
	limits := limitFlags(cmd)
	expires := expiryFlag(cmd)
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (producer.CreatedCaller, error) {
		more := limits()
		if at := expires(); at != nil {
			more["key_expires_at"] = at
		}
		return c.API.AddCaller(c.Ctx, c.Args[0], *callback, more)
	}, func(s terminal.Screen, added producer.CreatedCaller) error {
		if err := view.Callers(s, added.Caller); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s, "\napi key:        %s\nwebhook secret: %s\n\nKeep them: they are not shown again.\n",
			terminal.Printable(added.APIKey), terminal.Printable(added.WebhookSecret))
		return err
	})
}

func newCallerListCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the callers", Example: "  recarga caller list", Args: cobra.NoArgs}
	asJSON := command.JSONFlag(cmd)
	return command.Admin(p, cmd, func(c command.Call) error {
		all, err := c.API.Callers(c.Ctx)
		if err != nil {
			return err
		}
		const none = "No callers in the registry; the one named default is that of RECARGA_API_KEY."
		return command.PrintList(p, all, *asJSON, none, view.Callers)
	})
}

func newCallerSetURLCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "set-url NAME URL",
		Short:   "Change where a caller's events go",
		Example: "  recarga caller set-url shop https://shop.example/webhooks/recarga",
		Args:    cobra.ExactArgs(2),
	}
	return callerChange(p, cmd, func(args []string) map[string]any { return map[string]any{"callback_url": args[1]} })
}

func newCallerSwitchCommand(p *command.Program, use, short string, disabled bool) *cobra.Command {
	cmd := &cobra.Command{Use: use + " NAME", Short: short, Example: "  recarga caller " + use + " shop",
		Args: cobra.ExactArgs(1)}
	return callerChange(p, cmd, func([]string) map[string]any { return map[string]any{"disabled": disabled} })
}

func newCallerLimitCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "limit NAME",
		Short: "Give a caller a prefix for its orders' ids, or quotas",
		Long: `Give a caller a prefix or quotas. From then on the ids of its orders must begin with the prefix, and nobody
else's may. The quotas are how many of its orders may be open (accepted, and not final), and how many it may place in
a time. An order beyond a quota is answered 429; the repeat of a placed order never is. An empty prefix, an empty
rate and 0 remove a limit. The caller named default may have limits too.`,
		Example: "  recarga caller limit shop --id-prefix S-\n  recarga caller limit shop --max-open 1000 --rate 5/s",
		Args:    cobra.ExactArgs(1),
	}
	limits := limitFlags(cmd)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if len(limits()) == 0 {
			return command.Usage(errors.New("name a limit: --id-prefix, --max-open or --rate; see recarga caller limit --help"))
		}
		return nil
	}
	return callerChange(p, cmd, func([]string) map[string]any { return limits() })
}

// limitFlags adds the flags of a caller's limits, and returns what those that are given say.
func limitFlags(cmd *cobra.Command) func() map[string]any {
	flags := cmd.Flags()
	prefix := flags.String("id-prefix", "",
		"what the ids of its orders begin with, and nobody else's: 1 to 16 characters A-Za-z0-9._:-")
	open := flags.Int("max-open", 0, "how many of its orders may be open (0: any number)")
	rate := flags.String("rate", "",
		"how many orders it may place: COUNT/s, COUNT/m or COUNT/h, as in 5/s (empty: any number)")
	return func() map[string]any {
		given := map[string]any{}
		for name, limit := range map[string]struct {
			field string
			value any
		}{"id-prefix": {"id_prefix", *prefix}, "max-open": {"max_open", *open}, "rate": {"max_rate", *rate}} {
			if flags.Changed(name) {
				given[limit.field] = limit.value
			}
		}
		return given
	}
}

// expiryFlag adds the flag of a key's end, and returns when that is; nil where it has none.
func expiryFlag(cmd *cobra.Command) func() *time.Time {
	in := cmd.Flags().Duration("expires-in", 0, "after how long the new key ends, as in 2160h (default: never)")
	return func() *time.Time {
		if !cmd.Flags().Changed("expires-in") {
			return nil
		}
		at := time.Now().Add(*in).UTC().Truncate(time.Second)
		return &at
	}
}

// versionFlag adds the flag of the version that a change of a caller or an operator applies to.
func versionFlag(cmd *cobra.Command, what string) *int64 {
	return cmd.Flags().Int64("version", 0, fmt.Sprintf("the %[1]s's version, by recarga %[1]s list, that this changes; "+
		"refused if the %[1]s has another (default: any)", what))
}

func callerChange(p *command.Program, cmd *cobra.Command, change func(args []string) map[string]any) *cobra.Command {
	return changeCommand(p, cmd, "caller", change, (*producer.Client).ChangeCaller, view.Callers)
}

// changeCommand makes a command that changes fields of the caller or operator that is its first argument.
func changeCommand[T any](
	p *command.Program, cmd *cobra.Command, what string, change func(args []string) map[string]any,
	send func(c *producer.Client, ctx context.Context, name string, fields map[string]any) (T, error),
	show func(terminal.Screen, ...T) error,
) *cobra.Command {
	version := versionFlag(cmd, what)
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (T, error) {
		fields := change(c.Args)
		if *version != 0 {
			fields["version"] = *version
		}
		return send(c.API, c.Ctx, c.Args[0], fields)
	}, func(s terminal.Screen, changed T) error { return show(s, changed) })
}

func newCallerRotateSecretCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate-secret NAME",
		Short: "Give a caller a new webhook secret; the former one signs as well for a while",
		Example: "  recarga caller rotate-secret shop\n  recarga caller rotate-secret shop --overlap 0s   # it leaked: " +
			"the former one ends now",
		Args: cobra.ExactArgs(1),
	}
	overlap := cmd.Flags().Duration("overlap", 24*time.Hour, "how long the former secret signs as well, at most 720h")
	version := versionFlag(cmd, "caller")
	return callerSecret(p, cmd, "webhook_secret",
		func(c command.Call) (string, error) {
			return c.API.RotateSecret(c.Ctx, c.Args[0], producer.Rotation{Version: *version, Overlap: *overlap})
		})
}

func newCallerRotateKeyCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate-key NAME",
		Short: "Give a caller a new API key; the former one ends, at once or after a while",
		Example: "  recarga caller rotate-key shop\n" +
			"  recarga caller rotate-key shop --overlap 24h --expires-in 2160h   # both are good for a day",
		Args: cobra.ExactArgs(1),
	}
	overlap := cmd.Flags().Duration("overlap", 0, "how long the former key is good as well, at most 720h")
	expires := expiryFlag(cmd)
	version := versionFlag(cmd, "caller")
	return callerSecret(p, cmd, "api_key", func(c command.Call) (string, error) {
		how := producer.Rotation{Version: *version, Overlap: *overlap, ExpiresAt: expires()}
		return c.API.RotateKey(c.Ctx, c.Args[0], how)
	})
}

// callerSecret makes a command that prints one new secret: alone, so that it can be put into a file.
func callerSecret(p *command.Program, cmd *cobra.Command, name string,
	renew func(command.Call) (string, error)) *cobra.Command {
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (map[string]string, error) {
		secret, err := renew(c)
		return map[string]string{name: secret}, err
	}, func(s terminal.Screen, renewed map[string]string) error {
		_, err := fmt.Fprintln(s, terminal.Printable(renewed[name]))
		return err
	})
}
