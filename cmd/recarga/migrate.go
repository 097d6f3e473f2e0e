package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"recarga/internal/app"
	"recarga/internal/command"
	"recarga/internal/config"
	"recarga/internal/journal"
	"recarga/internal/terminal"
)

func newMigrateCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "migrate", Args: cobra.NoArgs}
	check := cmd.Flags().Bool("check", false, "only list the migrations that are pending; exit status 3 if there are any")
	config.AddFlags(cmd.Flags(), "DATABASE_URL")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.Settings(cmd, nil)
		if err != nil {
			return err
		}
		work := migrateNow
		if *check {
			work = listPending
		}
		return work(p, cmd, s)
	}
	return cmd
}

// listPending fails with a status of its own where there are any.
func listPending(p *command.Program, cmd *cobra.Command, s config.Settings) error {
	pending, err := app.PendingMigrations(cmd.Context(), s)
	if err != nil {
		return fmt.Errorf("RECARGA_DATABASE_URL: %w", err)
	}
	if len(pending) == 0 {
		return upToDate(p)
	}
	for _, m := range pending {
		if _, err := fmt.Fprintln(p.Stdout, "pending:", m.Name); err != nil {
			return err
		}
	}
	return command.WithStatus(fmt.Errorf("%s pending; recarga migrate does what is pending",
		terminal.CountOf(len(pending), "migration is", "migrations are")), command.ExitPending)
}

// migrateNow prints each migration when it is done.
func migrateNow(p *command.Program, cmd *cobra.Command, s config.Settings) error {
	n := 0
	err := journal.Migrate(cmd.Context(), s.DatabaseURL, func(m journal.Migration) {
		n++
		_, _ = fmt.Fprintln(p.Stdout, "done:", m.Name) // what is done is done, whoever reads of it
	})
	switch {
	case err != nil:
		return fmt.Errorf("RECARGA_DATABASE_URL: %w", err)
	case n == 0:
		return upToDate(p)
	}
	return nil
}

func upToDate(p *command.Program) error {
	_, err := fmt.Fprintln(p.Stdout, "nothing to do: the database is up to date")
	return err
}
