package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"recarga/internal/access"
)

func newKeyCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make a key that nobody can guess",
		Long: `Print a new key of 256 random bits, for RECARGA_ADMIN_KEY, RECARGA_API_KEY, RECARGA_ENCRYPTION_KEY or
RECARGA_TASK_KEY. It is kept nowhere.`,
		Example: "  recarga key > admin.key && chmod 600 admin.key   # RECARGA_ADMIN_KEY_FILE=admin.key",
		Args:    cobra.NoArgs,
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		key := access.NewKey()
		if *asJSON {
			return printJSON(p.stdout, map[string]string{"key": key})
		}
		_, err := fmt.Fprintln(p.stdout, key)
		return err
	}
	return cmd
}
