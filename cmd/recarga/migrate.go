package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"recarga/internal/app"
	"recarga/internal/command"
	"recarga/internal/config"
	"recarga/internal/journal"
	"recarga/internal/terminal"
)

// migrations are what `recarga migrate` did or found, by name, as --json prints them.
type migrations struct {
	Done    []string `json:"done"`
	Pending []string `json:"pending"`
}

func newMigrateCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "migrate", Args: cobra.NoArgs}
	check := cmd.Flags().Bool("check", false, "only list the pending migrations; exit status 3 if there are any")
	asJSON := command.JSONFlag(cmd)
	config.AddFlags(cmd.Flags(), "DATABASE_URL")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.Settings(cmd, nil)
		if err != nil {
			return err
		}
		say := func(what, name string) {
			if !*asJSON {
				_, _ = fmt.Fprintf(p.Stdout, "%s: %s\n", what, name) // what is done is done, whoever reads of it
			}
		}
		found := migrations{Done: []string{}, Pending: []string{}}
		if *check {
			err = found.check(cmd.Context(), s, say)
		} else {
			err = found.migrate(command.Acting(cmd.Context(), cmd.Name()), s, say)
		}
		if err != nil {
			return fmt.Errorf("RECARGA_DATABASE_URL: %w", err)
		}
		return found.show(p, *asJSON)
	}
	return cmd
}

func (f *migrations) check(ctx context.Context, s config.Settings, say func(what, name string)) error {
	pending, err := app.PendingMigrations(ctx, s)
	for _, m := range pending {
		f.Pending = append(f.Pending, m.Name)
		say("pending", m.Name)
	}
	return err
}

// migrate says each migration when it is done.
func (f *migrations) migrate(ctx context.Context, s config.Settings, say func(what, name string)) error {
	return journal.Migrate(ctx, s.DatabaseURL, func(m journal.Migration) {
		f.Done = append(f.Done, m.Name)
		say("done", m.Name)
	})
}

// show ends what was said. It fails where migrations are pending.
func (f *migrations) show(p *command.Program, asJSON bool) (err error) {
	switch {
	case asJSON:
		err = terminal.PrintJSON(p.Stdout, f)
	case len(f.Done)+len(f.Pending) == 0:
		_, err = fmt.Fprintln(p.Stdout, "nothing to do: the tables are up to date")
	}
	if err != nil || len(f.Pending) == 0 {
		return err
	}
	return command.WithStatus(fmt.Errorf("%s pending; recarga migrate does what is pending",
		terminal.CountOf(len(f.Pending), "migration is", "migrations are")), command.ExitPending)
}
