package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/journal"
	"recarga/internal/terminal"
)

// commit is the one that the program was built of, as Go records it where there is git; and whether it was changed.
func commit() string {
	info, _ := debug.ReadBuildInfo() // a program has it
	of, changed := "not known", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			of = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = ", changed"
		}
	}
	return of + changed
}

func newVersionCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "version", Args: cobra.NoArgs}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		if *asJSON {
			return terminal.PrintJSON(p.Stdout, map[string]string{
				"version": p.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
				"commit": commit(), "schema": strconv.FormatInt(journal.SchemaVersion(), 10),
			})
		}
		_, err := fmt.Fprintf(p.Stdout, "recarga version %s, commit %s, %s, %s/%s, database version %d\n",
			p.Version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH, journal.SchemaVersion())
		return err
	}
	return cmd
}
