package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/terminal"
)

func newVersionCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "version", Args: cobra.NoArgs}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		if *asJSON {
			return terminal.PrintJSON(p.Stdout, map[string]string{
				"version": p.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
			})
		}
		_, err := fmt.Fprintf(p.Stdout, "recarga version %s, %s, %s/%s\n",
			p.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return err
	}
	return cmd
}
