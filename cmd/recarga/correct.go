package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/topup"
)

func newCorrectCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "correct ID --as succeeded|failed --reason TEXT", Args: cobra.ExactArgs(1)}
	var correction topup.Correction
	command.Choice(cmd, &correction.Outcome, "as", "what happened: succeeded or failed", topup.ResolvedSucceeded,
		topup.ResolvedFailed)
	cmd.Flags().StringVar(&correction.Reason, "reason", "", "why this is known")
	command.ByFlag(cmd.Flags(), &correction.By)
	command.ReceiptFlags(cmd.Flags(), &correction.TransactionID, &correction.Reference, &correction.AuthCode)
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (topup.Order, error) {
		if err := command.CheckDecision(p, cmd, &correction.By, func() error { return correction.Check() }); err != nil {
			return topup.Order{}, err
		}
		return c.API.Correct(c.Ctx, topup.ID(c.Args[0]), correction)
	}, printOrder)
}

func newDisputeCommand(p *command.Program) *cobra.Command {
	dispute := &cobra.Command{Use: "dispute"}
	cmd := &cobra.Command{Use: "end ID --as upheld --reason TEXT", Args: cobra.ExactArgs(1)}
	var u topup.Upholding
	command.Choice(cmd, &u.Outcome, "as", "how it ends: upheld; a state that was wrong is corrected instead",
		topup.DisputeUpheld)
	cmd.Flags().StringVar(&u.Reason, "reason", "", "why this is known")
	command.ByFlag(cmd.Flags(), &u.By)
	dispute.AddCommand(command.Show(p, cmd, command.AdminKey,
		func(c command.Call) (topup.Order, error) {
			if err := command.CheckDecision(p, cmd, &u.By, func() error { return u.Check() }); err != nil {
				return topup.Order{}, err
			}
			return c.API.Uphold(c.Ctx, topup.ID(c.Args[0]), u)
		}, printOrder))
	return dispute
}
