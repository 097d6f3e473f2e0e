package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/terminal"
	"recarga/internal/view"
	"recarga/producer"
	"recarga/topup"
)

func newCallerCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "caller"}
	const none = "No callers in the registry; the one named default is that of RECARGA_API_KEY."
	cmd.AddCommand(newCallerAddCommand(p), newListingCommand(p, (*producer.Client).Callers, view.Callers, none),
		newCallerSetURLCommand(p), newCallerLimitCommand(p), newCallerRotateSecretCommand(p), newCallerRotateKeyCommand(p),
		newSwitchCommand(p, "disable", callerSwitch), newSwitchCommand(p, "enable", callerSwitch),
		newCallerEndpointCommand(p))
	return cmd
}

func newCallerAddCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "add NAME", Args: cobra.ExactArgs(1)}
	callback := cmd.Flags().String("callback-url", "", "where its events go (default: nowhere)")
	limits := limitFlags(cmd)
	expires := expiryFlag(cmd)
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (producer.CreatedCaller, error) {
		l := limits()
		n := producer.NewCaller{Name: c.Args[0], CallbackURL: *callback, IDPrefix: deref(l.IDPrefix),
			MaxOpen: deref(l.MaxOpen), MaxRate: deref(l.MaxRate), KeyExpiresAt: deref(expires())}
		return c.API.AddCaller(c.Ctx, n)
	}, func(s terminal.Screen, added producer.CreatedCaller) error {
		if err := view.Callers(s, added.Caller); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s, "\napi key:        %s\nwebhook secret: %s\n\nKeep them: they are not shown again.\n",
			terminal.Printable(added.APIKey), terminal.Printable(added.WebhookSecret))
		if err == nil && added.CallbackURL != nil {
			_, err = fmt.Fprintf(s, "When the receiver has the secret: recarga webhook ping --caller %s\n",
				terminal.Printable(added.Name))
		}
		return err
	})
}

func newCallerSetURLCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "set-url NAME URL", Args: cobra.ExactArgs(2)}
	headers, ping, version := headerFlags(cmd), pingFlag(p, cmd), versionFlag(cmd, "caller")
	return changeCommand(p, cmd, func(c command.Call) (producer.Caller, error) {
		own, err := headers()
		if err != nil {
			return producer.Caller{}, err
		}
		to := producer.CallerChange{CallbackURL: &c.Args[1], CallbackHeaders: own, Version: *version}
		changed, err := c.API.ChangeCaller(c.Ctx, c.Args[0], to)
		if err == nil && changed.CallbackURL != nil {
			ping(c, c.Args[0], topup.DefaultEndpoint)
		}
		return changed, err
	}, view.Callers)
}

func newCallerLimitCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "limit NAME", Args: cobra.ExactArgs(1)}
	limits := limitFlags(cmd)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if l := limits(); l.IDPrefix == nil && l.MaxOpen == nil && l.MaxRate == nil {
			return command.Usage(errors.New("name a limit: --id-prefix, --max-open or --rate; see recarga caller limit --help"))
		}
		return nil
	}
	return callerChange(p, cmd, func([]string) producer.CallerChange { return limits() })
}

// limitFlags adds the flags of a caller's limits, and returns what those that are given say.
func limitFlags(cmd *cobra.Command) func() producer.CallerChange {
	flags := cmd.Flags()
	prefix := flags.String("id-prefix", "",
		"what the ids of its orders begin with, and nobody else's: 1 to 16 characters A-Za-z0-9._:-")
	open := flags.Int("max-open", 0, "how many of its orders may be open (0: any number)")
	rate := flags.String("rate", "",
		"how many orders it may place: COUNT/s, COUNT/m or COUNT/h, as in 5/s (empty: any number)")
	return func() (given producer.CallerChange) {
		if flags.Changed("id-prefix") {
			given.IDPrefix = prefix
		}
		if flags.Changed("max-open") {
			given.MaxOpen = open
		}
		if flags.Changed("rate") {
			given.MaxRate = rate
		}
		return given
	}
}

// deref is what a pointer leads to; nil leads to the zero value.
func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func callerChange(
	p *command.Program, cmd *cobra.Command, change func(args []string) producer.CallerChange,
) *cobra.Command {
	version := versionFlag(cmd, "caller")
	return changeCommand(p, cmd, func(c command.Call) (producer.Caller, error) {
		to := change(c.Args)
		to.Version = *version
		return c.API.ChangeCaller(c.Ctx, c.Args[0], to)
	}, view.Callers)
}

func callerSwitch(p *command.Program, cmd *cobra.Command, disabled bool) *cobra.Command {
	return callerChange(p, cmd, func([]string) producer.CallerChange {
		return producer.CallerChange{Disabled: &disabled}
	})
}

func newCallerRotateSecretCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "rotate-secret NAME", Args: cobra.ExactArgs(1)}
	overlap := cmd.Flags().Duration("overlap", 24*time.Hour, "how long the former secret signs as well, at most 720h")
	version := versionFlag(cmd, "caller")
	return secretCommand(p, cmd, "webhook_secret",
		func(c command.Call) (string, error) {
			return c.API.RotateSecret(c.Ctx, c.Args[0], producer.Rotation{Version: *version, Overlap: *overlap})
		})
}

func newCallerRotateKeyCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "rotate-key NAME", Args: cobra.ExactArgs(1)}
	overlap := cmd.Flags().Duration("overlap", 0, "how long the former key is good as well, at most 720h")
	expires := expiryFlag(cmd)
	version := versionFlag(cmd, "caller")
	return secretCommand(p, cmd, "api_key", func(c command.Call) (string, error) {
		how := producer.Rotation{Version: *version, Overlap: *overlap, ExpiresAt: expires()}
		return c.API.RotateKey(c.Ctx, c.Args[0], how)
	})
}
