package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/topup"
)

func newResolveCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "resolve ID --as succeeded|failed|resend --reason TEXT", Args: cobra.ExactArgs(1)}
	flags := cmd.Flags()
	var r topup.Resolution
	command.Choice(cmd, &r.Outcome, "as", "what happened: succeeded, failed or resend", topup.ResolvedSucceeded,
		topup.ResolvedFailed, topup.ResolvedResend)
	flags.StringVar(&r.Reason, "reason", "", "why this is known")
	command.ByFlag(flags, &r.By)
	flags.BoolVar(&r.Forced, "force", false, "also while the attempt's answer may still be on the way")
	flags.IntVar(&r.Attempt, "attempt", 0, "the attempt that the decision is about; refused if the order was sent "+
		"again meanwhile (default: the latest)")
	command.ReceiptFlags(flags, &r.TransactionID, &r.Reference, &r.AuthCode)
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (topup.Order, error) {
		if err := command.CheckDecision(p, cmd, &r.By, func() error { return r.Check() }); err != nil {
			return topup.Order{}, err
		}
		return c.API.Resolve(c.Ctx, topup.ID(c.Args[0]), r)
	}, printOrder)
}
