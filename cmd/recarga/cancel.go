package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/topup"
)

func newCancelCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "cancel ID", Args: cobra.ExactArgs(1)}
	return command.Show(p, cmd, command.CallerKey,
		func(c command.Call) (topup.Order, error) {
			return c.API.Cancel(c.Ctx, topup.ID(c.Args[0]))
		}, printOrder)
}
