package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/terminal"
	"recarga/producer"
)

// This file has what the commands of callers and of operators have in common.

// newListingCommand makes a command that lists all of them; where there are none, it says so.
func newListingCommand[T any](
	p *command.Program, list func(*producer.Client, context.Context) ([]T, error),
	show func(terminal.Screen, ...T) error, none string,
) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Args: cobra.NoArgs}
	asJSON := command.JSONFlag(cmd)
	return command.Client(p, cmd, func(c command.Call) error {
		all, err := list(c.API, c.Ctx)
		if err != nil {
			return err
		}
		return command.PrintList(p, all, *asJSON, none, show)
	})
}

// newSwitchCommand makes the command disable, or enable.
func newSwitchCommand(
	p *command.Program, use string, change func(p *command.Program, cmd *cobra.Command, disabled bool) *cobra.Command,
) *cobra.Command {
	return change(p, &cobra.Command{Use: use + " NAME", Args: cobra.ExactArgs(1)}, use == "disable")
}

// changeCommand makes a command that changes the caller or operator that is its first argument, and shows it.
func changeCommand[T any](p *command.Program, cmd *cobra.Command, change func(command.Call) (T, error),
	show func(terminal.Screen, ...T) error) *cobra.Command {
	return command.Show(p, cmd, command.AdminKey, change, func(s terminal.Screen, changed T) error {
		return show(s, changed)
	})
}

// secretCommand makes a command that prints one new secret: alone, so that it can be put into a file.
func secretCommand(p *command.Program, cmd *cobra.Command, name string,
	renew func(command.Call) (string, error)) *cobra.Command {
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (map[string]string, error) {
		secret, err := renew(c)
		return map[string]string{name: secret}, err
	}, func(s terminal.Screen, renewed map[string]string) error {
		_, err := fmt.Fprintln(s, terminal.Printable(renewed[name]))
		return err
	})
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
