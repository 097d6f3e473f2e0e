package main

import (
	"fmt"
	"os/user"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"recarga/producer"
	"recarga/topup"
)

func newResolveCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resolve ID --as succeeded|failed|resend --reason TEXT",
		Short: "Settle an order that is held as unknown",
		Long: `Settle an order that is held as unknown, once it is known what happened: from the distributor's
statement, its support, or the customer. Who, when and why are kept with the order; its caller is told.

  succeeded  it was charged
  failed     it was not charged, and is given up
  resend     send it again; if it was charged after all, that charges twice

failed and resend are refused while a worker may still be acting on the order's attempt, or its answer
may be on the way; --force does it nevertheless. Needs the admin key.`,
		Example: `  recarga resolve MY-TXN-001 --as succeeded --reason "in the statement of 22 November" --transaction-id TXN-9 --reference RRN-9
  recarga resolve MY-TXN-001 --as failed --reason "not in the statement of 22 November"`,
		Args: cobra.ExactArgs(1),
	}
	flags := cmd.Flags()
	var r topup.Resolution
	flags.StringVar((*string)(&r.Outcome), "as", "", "what happened: succeeded, failed or resend")
	flags.StringVar(&r.Reason, "reason", "", "why this is known")
	byFlag(flags, &r.By)
	flags.BoolVar(&r.Forced, "force", false, "also while the attempt's answer may still be on the way")
	flags.IntVar(&r.Attempt, "attempt", 0, "the attempt that the decision looked at; refused if the order has been sent again meanwhile (default: the latest)")
	receiptFlags(flags, &r.TransactionID, &r.Reference, &r.AuthCode)
	completes(cmd, "as", topup.VerdictSucceeded, topup.VerdictFailed, topup.VerdictResend)
	asJSON := jsonFlag(cmd)
	return adminCommand(p, cmd, func(cmd *cobra.Command, c *producer.Client, args []string) error {
		r.By = decider(r.By)
		if err := r.Check(); err != nil {
			return usage(fmt.Errorf("%w; see recarga resolve --help", err))
		}
		o, err := c.Resolve(cmd.Context(), topup.ID(args[0]), r)
		if err != nil {
			return err
		}
		return p.printOrders([]topup.Order{o}, *asJSON)
	})
}

// byFlag is who decides, and decider is who it is without the flag.
func byFlag(flags *pflag.FlagSet, by *string) {
	flags.StringVar(by, "by", "", "who decides (default: the name of the user who runs this)")
}

func decider(by string) string {
	if u, err := user.Current(); err == nil && by == "" {
		return u.Username
	}
	return by
}

func receiptFlags(flags *pflag.FlagSet, transactionID, reference, authCode *topup.NullString) {
	flags.StringVar((*string)(transactionID), "transaction-id", "", "the distributor's id of the purchase, where it succeeded")
	flags.StringVar((*string)(reference), "reference", "", "the carrier's reference, where it succeeded")
	flags.StringVar((*string)(authCode), "auth-code", "", "the carrier's authorization, where it succeeded")
}
