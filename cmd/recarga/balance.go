package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/view"
	"recarga/producer"
)

func newBalanceCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "balance"}
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (producer.Balance, error) {
		return c.API.Balance(c.Ctx)
	}, view.Balance)
}
