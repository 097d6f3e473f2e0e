package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"recarga/internal/access"
	"recarga/internal/command"
	"recarga/internal/terminal"
)

func newKeyCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "key", Args: cobra.NoArgs}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		key := access.NewKey()
		if *asJSON {
			return terminal.PrintJSON(p.Stdout, map[string]string{"key": key})
		}
		_, err := fmt.Fprintln(p.Stdout, key)
		return err
	}
	return cmd
}
