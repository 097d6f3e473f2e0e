package main

import (
	"context"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/producer"
	"recarga/topup"
)

func newHoldCommand(p *command.Program) *cobra.Command {
	return holding(p, "hold", (*producer.Client).Hold)
}

func newReleaseCommand(p *command.Program) *cobra.Command {
	return holding(p, "release", (*producer.Client).Release)
}

// holding is a command that holds an order back, or releases it.
func holding(
	p *command.Program, name string,
	do func(*producer.Client, context.Context, topup.ID, string, string) (topup.Order, error),
) *cobra.Command {
	cmd := &cobra.Command{Use: name + " ID --reason TEXT", Args: cobra.ExactArgs(1)}
	var by string
	reason := cmd.Flags().String("reason", "", "why")
	command.ByFlag(cmd.Flags(), &by)
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (topup.Order, error) {
		why := topup.Resolution{Outcome: topup.ResolvedFailed, Reason: *reason}
		check := func() error { why.By = by; return why.Check() }
		if err := command.CheckDecision(p, cmd, &by, check); err != nil {
			return topup.Order{}, err
		}
		return do(c.API, c.Ctx, topup.ID(c.Args[0]), *reason, by)
	}, printOrder)
}
