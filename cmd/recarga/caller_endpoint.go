package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"recarga/producer"
	"recarga/topup"
)

func newCallerEndpointCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "endpoint",
		Short: "Add, change, remove, disable and enable a caller's endpoints",
		Long: `Webhooks go to a caller's callback URL, which is the endpoint named default, and to up to ten more
endpoints. Each may want only some types of events.`,
		Example: "  recarga caller endpoint set shop crm https://crm.example/recarga --types topup.failed,topup.unknown",
	}
	cmd.AddCommand(newEndpointSetCommand(p), newEndpointRemoveCommand(p),
		newEndpointSwitchCommand(p, "enable", "Send to an endpoint again, and clear the record of its failures",
			(*producer.Client).EnableEndpoint),
		newEndpointSwitchCommand(p, "disable", "Send nothing more to an endpoint", (*producer.Client).DisableEndpoint))
	return cmd
}

func newEndpointSetCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "set CALLER ENDPOINT URL",
		Short:   "Add an endpoint to a caller, or change the one of that name",
		Example: "  recarga caller endpoint set shop crm https://crm.example/recarga --types topup.failed,topup.unknown",
		Args:    cobra.ExactArgs(3),
	}
	types := cmd.Flags().StringSlice("types", nil, "the types of events that it wants (default: every type)")
	completes(cmd, "types", eventTypes()...)
	version := versionFlag(cmd, "caller")
	return p.endpointChange(cmd, func(cmd *cobra.Command, c *producer.Client, args []string) (producer.Caller, error) {
		e := producer.Endpoint{Name: args[1], URL: args[2]}
		for _, kind := range *types {
			e.EventTypes = append(e.EventTypes, topup.EventType(kind))
		}
		return c.SetEndpoint(cmd.Context(), args[0], *version, e)
	})
}

func newEndpointRemoveCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove CALLER ENDPOINT",
		Short:   "Take an endpoint away from a caller",
		Example: "  recarga caller endpoint remove shop crm",
		Args:    cobra.ExactArgs(2),
	}
	version := versionFlag(cmd, "caller")
	return p.endpointChange(cmd, func(cmd *cobra.Command, c *producer.Client, args []string) (producer.Caller, error) {
		return c.RemoveEndpoint(cmd.Context(), args[0], *version, args[1])
	})
}

func (p *program) endpointChange(cmd *cobra.Command, change apiCall[producer.Caller]) *cobra.Command {
	return showCommand(p, cmd, adminKey, change, func(changed producer.Caller) error {
		return p.printCallers([]producer.Caller{changed})
	})
}

func newEndpointSwitchCommand(
	p *program, use, short string, do func(*producer.Client, context.Context, string, string) error,
) *cobra.Command {
	cmd := &cobra.Command{
		Use: use + " CALLER ENDPOINT", Short: short, Args: cobra.ExactArgs(2),
		Example: "  recarga caller endpoint " + use + " shop default",
	}
	return showCommand(p, cmd, adminKey, func(
		cmd *cobra.Command, c *producer.Client, args []string,
	) (map[string]any, error) {
		switched := map[string]any{"caller": args[0], "endpoint": args[1], "disabled": use == "disable"}
		return switched, do(c, cmd.Context(), args[0], args[1])
	}, func(switched map[string]any) error {
		_, err := fmt.Fprintf(p.stdout, "%s %s: %sd\n", printable(fmt.Sprint(switched["caller"])),
			printable(fmt.Sprint(switched["endpoint"])), use)
		return err
	})
}
