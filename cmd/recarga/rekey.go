package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"recarga/internal/app"
	"recarga/internal/callers"
	"recarga/internal/command"
	"recarga/internal/config"
	"recarga/internal/seal"
	"recarga/internal/terminal"
)

func newRekeyCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "rekey", Args: cobra.NoArgs}
	dry := cmd.Flags().Bool("dry-run", false, "only count what would be sealed anew")
	asJSON := command.JSONFlag(cmd)
	config.AddFlags(cmd.Flags(), "DATABASE_URL", "ENCRYPTION_KEY", "ENCRYPTION_KEY_OLD", "ADMIN_KEY")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.Settings(cmd, nil)
		if err != nil {
			return err
		}
		if s.SealingKey() == "" {
			return command.Usage(callers.ErrNoKey)
		}
		j, err := app.OpenBook(cmd.Context(), s)
		if err != nil {
			return command.Usage(err)
		}
		done, err := callers.Rekey(command.Acting(cmd.Context(), cmd.Name()), j, seal.New(s.SealingKeys()...), *dry)
		return errors.Join(err, showRekeyed(p, done, *dry, *asJSON), j.Close())
	}
	return cmd
}

// showRekeyed says what was found, and fails where something cannot be opened.
func showRekeyed(p *command.Program, done callers.Rekeyed, dry, asJSON bool) (err error) {
	verb := "sealed anew"
	if dry {
		verb = "to be sealed anew"
	}
	if asJSON {
		err = terminal.PrintJSON(p.Stdout, done)
	} else {
		_, err = fmt.Fprintf(p.Stdout, "%d callers' secrets %s, %d sealed with the present key before\n",
			done.Former, verb, done.Current)
	}
	if len(done.Unreadable) > 0 {
		err = errors.Join(err, fmt.Errorf("no key opens the secrets of %s: set RECARGA_ENCRYPTION_KEY_OLD to the key that "+
			"sealed them, or rotate them (recarga caller rotate-secret)", strings.Join(done.Unreadable, ", ")))
	}
	return err
}
