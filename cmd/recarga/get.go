package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/view"
	"recarga/topup"
)

func newGetCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "get ID", Args: cobra.ExactArgs(1)}
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (topup.Details, error) {
		return c.API.Get(c.Ctx, topup.ID(c.Args[0]))
	}, view.Details)
}
