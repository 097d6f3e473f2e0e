package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"recarga/internal/access"
	"recarga/internal/command"
	"recarga/internal/terminal"
)

func newKeyCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make a key that nobody can guess",
		Long: `Print a new key of 256 random bits, for RECARGA_ADMIN_KEY, RECARGA_API_KEY, RECARGA_ENCRYPTION_KEY or
RECARGA_TASK_KEY. It is kept nowhere.`,
		Example: "  recarga key > admin.key && chmod 600 admin.key   # RECARGA_ADMIN_KEY_FILE=admin.key",
		Args:    cobra.NoArgs,
	}
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
