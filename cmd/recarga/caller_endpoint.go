package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/terminal"
	"recarga/internal/view"
	"recarga/producer"
	"recarga/topup"
)

func newCallerEndpointCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "endpoint"}
	cmd.AddCommand(newEndpointSetCommand(p), newEndpointRemoveCommand(p),
		newEndpointSwitchCommand(p, "enable", (*producer.Client).EnableEndpoint),
		newEndpointSwitchCommand(p, "disable", (*producer.Client).DisableEndpoint))
	return cmd
}

func newEndpointSetCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "set CALLER ENDPOINT URL", Args: cobra.ExactArgs(3)}
	types := cmd.Flags().StringSlice("types", nil, "the types of events that it wants (default: every type)")
	command.Completes(cmd, "types", topup.EventTypes()...)
	version := versionFlag(cmd, "caller")
	headers, ping := headerFlags(cmd), pingFlag(p, cmd)
	return endpointChange(p, cmd, func(c command.Call) (producer.Caller, error) {
		own, err := headers()
		if err != nil {
			return producer.Caller{}, err
		}
		e := producer.Endpoint{Name: c.Args[1], URL: c.Args[2], Headers: own}
		for _, kind := range *types {
			if _, err := topup.OneOf("types", kind, topup.EventTypes()); err != nil {
				return producer.Caller{}, command.Usage(command.OfFlags(err))
			}
			e.EventTypes = append(e.EventTypes, topup.EventType(kind))
		}
		changed, err := c.API.SetEndpoint(c.Ctx, c.Args[0], *version, e)
		if err == nil {
			ping(c, c.Args[0], e.Name)
		}
		return changed, err
	})
}

func newEndpointRemoveCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "remove CALLER ENDPOINT", Args: cobra.ExactArgs(2)}
	version := versionFlag(cmd, "caller")
	return endpointChange(p, cmd, func(c command.Call) (producer.Caller, error) {
		return c.API.RemoveEndpoint(c.Ctx, c.Args[0], *version, c.Args[1])
	})
}

func endpointChange(p *command.Program, cmd *cobra.Command,
	change func(command.Call) (producer.Caller, error)) *cobra.Command {
	return command.Show(p, cmd, command.AdminKey, change, func(s terminal.Screen, changed producer.Caller) error {
		return view.Callers(s, changed)
	})
}

func newEndpointSwitchCommand(
	p *command.Program, use string, do func(*producer.Client, context.Context, string, string) error,
) *cobra.Command {
	cmd := &cobra.Command{Use: use + " CALLER ENDPOINT", Args: cobra.ExactArgs(2)}
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (map[string]any, error) {
		switched := map[string]any{"caller": c.Args[0], "endpoint": c.Args[1], "disabled": use == "disable"}
		return switched, do(c.API, c.Ctx, c.Args[0], c.Args[1])
	}, func(s terminal.Screen, switched map[string]any) error {
		_, err := fmt.Fprintf(s, "%s %s: %sd\n", terminal.Printable(fmt.Sprint(switched["caller"])),
			terminal.Printable(fmt.Sprint(switched["endpoint"])), use)
		return err
	})
}
