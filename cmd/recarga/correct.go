package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/topup"
)

func newCorrectCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "correct ID --as succeeded|failed --reason TEXT",
		Short: "Change a final state that was wrong",
		Long: `Change a final state that was wrong: of a failed or canceled order that was charged after all, or of a
succeeded one that was not. Who, when and why are kept with the order, its dispute ends, and its caller gets
topup.corrected. Needs the admin key.`,
		Example: `  recarga correct MY-TXN-001 --as succeeded --reason "line 7 of the statement of 22 November" --transaction-id TXN-9
  recarga correct MY-TXN-001 --as failed --reason "the distributor's support, ticket 4711"`,
		Args: cobra.ExactArgs(1),
	}
	var correction topup.Correction
	cmd.Flags().StringVar((*string)(&correction.Outcome), "as", "", "what happened: succeeded or failed")
	cmd.Flags().StringVar(&correction.Reason, "reason", "", "why this is known")
	command.ByFlag(cmd.Flags(), &correction.By)
	command.ReceiptFlags(cmd.Flags(), &correction.TransactionID, &correction.Reference, &correction.AuthCode)
	command.Completes(cmd, "as", topup.ResolvedSucceeded, topup.ResolvedFailed)
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (topup.Order, error) {
		if err := command.CheckDecision(p, cmd, &correction.By, func() error { return correction.Check() }); err != nil {
			return topup.Order{}, err
		}
		return c.API.Correct(c.Ctx, topup.ID(c.Args[0]), correction)
	}, printOrder)
}

func newDisputeCommand(p *command.Program) *cobra.Command {
	dispute := &cobra.Command{
		Use:     "dispute",
		Short:   "End the disputes of final orders that later evidence contradicts",
		Example: `  recarga dispute end MY-TXN-001 --as upheld --reason "the statement of 22 November was cut off"`,
	}
	cmd := &cobra.Command{
		Use:   "end ID --as upheld --reason TEXT",
		Short: "Say that a disputed order's state is right",
		Long: `Say that a disputed order's state is right, whatever the evidence against it. Where the state is wrong,
recarga correct puts it right, which ends the dispute as well. recarga list --disputed has the orders, and recarga get
the evidence. Needs the admin key.`,
		Example: `  recarga dispute end MY-TXN-001 --as upheld --reason "the statement of 22 November was cut off"`,
		Args:    cobra.ExactArgs(1),
	}
	var u topup.Upholding
	cmd.Flags().StringVar((*string)(&u.Outcome), "as", "", "how it ends: upheld")
	cmd.Flags().StringVar(&u.Reason, "reason", "", "why this is known")
	command.ByFlag(cmd.Flags(), &u.By)
	command.Completes(cmd, "as", topup.DisputeUpheld)
	dispute.AddCommand(command.Show(p, cmd, command.AdminKey,
		func(c command.Call) (topup.Order, error) {
			if err := command.CheckDecision(p, cmd, &u.By, func() error { return u.Check() }); err != nil {
				return topup.Order{}, err
			}
			return c.API.Uphold(c.Ctx, topup.ID(c.Args[0]), u)
		}, printOrder))
	return dispute
}
