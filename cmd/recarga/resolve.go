package main

import (
	"cmp"
	"fmt"
	"os/user"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"recarga/internal/access"
	"recarga/internal/command"
	"recarga/topup"
)

func newResolveCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resolve ID --as succeeded|failed|resend --reason TEXT",
		Short: "Settle an order that is held as unknown",
		Long: `Settle an order that is held as unknown, once it is known what happened: from the distributor's
statement, its support, or the customer. Who, when and why are kept with the order; its caller is notified.

  succeeded  it was charged
  failed     it was not charged, and is not tried again
  resend     send it again; if it was charged after all, that charges twice

failed and resend are refused while a worker may still work on the order's attempt, or while its answer
may be on the way. --force allows them nevertheless. Needs the admin key.`,
		Example: `  recarga resolve MY-TXN-001 --as succeeded --reason "in the statement of 22 November" --transaction-id TXN-9
  recarga resolve MY-TXN-001 --as failed --reason "not in the statement of 22 November"`,
		Args: cobra.ExactArgs(1),
	}
	flags := cmd.Flags()
	var r topup.Resolution
	flags.StringVar((*string)(&r.Outcome), "as", "", "what happened: succeeded, failed or resend")
	flags.StringVar(&r.Reason, "reason", "", "why this is known")
	byFlag(flags, &r.By)
	flags.BoolVar(&r.Forced, "force", false, "also while the attempt's answer may still be on the way")
	flags.IntVar(&r.Attempt, "attempt", 0, "the attempt that the decision is about; refused if the order was sent "+
		"again meanwhile (default: the latest)")
	receiptFlags(flags, &r.TransactionID, &r.Reference, &r.AuthCode)
	command.Completes(cmd, "as", topup.ResolvedSucceeded, topup.ResolvedFailed, topup.ResolvedResend)
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (topup.Order, error) {
		if err := checkDecision(p, cmd, &r.By, func() error { return r.Check() }); err != nil {
			return topup.Order{}, err
		}
		return c.API.Resolve(c.Ctx, topup.ID(c.Args[0]), r)
	}, printOrder)
}

const byDefault = " (default: the name of the user who runs this; with an operator's own key, always its name)"

// byFlag is who decides.
func byFlag(flags *pflag.FlagSet, by *string) { flags.StringVar(by, "by", "", "who decides"+byDefault) }

// checkDecision fills in who decides, where the flag does not say, and checks the decision before it is sent. With an
// operator's own key nothing is sent: the server knows whose it is.
func checkDecision(p *command.Program, cmd *cobra.Command, by *string, check func() error) error {
	given := *by
	*by = cmp.Or(given, userName())
	err := check()
	if hasOwnKey(p, cmd) {
		*by = given
	}
	if err != nil {
		return command.Usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
	}
	return nil
}

func userName() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// hasOwnKey reports whether an operator's command uses the key of one operator, not the admin key.
func hasOwnKey(p *command.Program, cmd *cobra.Command) bool {
	s, err := p.Settings(cmd, nil)
	return err == nil && access.IsOperatorKey(command.AdminKey(s))
}

func receiptFlags(flags *pflag.FlagSet, transactionID, reference, authCode *topup.NullString) {
	flags.StringVar((*string)(transactionID), "transaction-id", "",
		"the distributor's id of the purchase, where it succeeded")
	flags.StringVar((*string)(reference), "reference", "", "the carrier's reference, where it succeeded")
	flags.StringVar((*string)(authCode), "auth-code", "", "the carrier's authorization, where it succeeded")
}
