package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recarga/producer"
	"recarga/topup"
)

func newBalanceCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "balance",
		Short: "Ask the distributor for the balance, and show its trend",
		Long: `Ask the distributor for the balance, and show what the workers recorded: its trend of the last 24 hours, and
of a week the deposits and the drifts (falls that no order of ours explains). See docs/balance.md.`,
		Example: "  recarga balance\n  recarga balance --json",
	}
	return showCommand(p, cmd, adminKey, func(
		cmd *cobra.Command, c *producer.Client, _ []string,
	) (producer.Balance, error) {
		return c.Balance(cmd.Context())
	}, func(b producer.Balance) error { return printBalance(p.stdout, b) })
}

func printBalance(w io.Writer, b producer.Balance) error {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s (asked for %s s ago; the distributor's own word may be older)\n", b.Balance,
		printable(b.Currency), b.AgeSeconds)
	if b.Low {
		out.WriteString("It is below RECARGA_BALANCE_LOW.\n")
	}
	if n := len(b.History); n > 1 {
		from, to := b.History[0], b.History[n-1]
		fmt.Fprintf(&out, "%s  %s at %s to %s at %s\n", sparkline(b.History), from.Balance,
			from.At.Local().Format(time.DateTime), to.Balance, to.At.Local().Format(time.DateTime))
	}
	for _, c := range b.Changes {
		sign := map[topup.BalanceChangeKind]string{topup.BalanceDeposit: "+", topup.BalanceDrift: "-"}[c.Kind]
		fmt.Fprintf(&out, "%s  %-7s  %s%s\n", c.At.Local().Format(time.DateTime), printable(string(c.Kind)), sign, c.Amount)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

const (
	sparks      = "▁▂▃▄▅▆▇█"
	sparkPoints = 48
)

// sparkline draws up to 48 of the points, the lowest as the lowest bar.
func sparkline(points []producer.BalancePoint) string {
	bars := []rune(sparks)
	least, most := points[0].Balance, points[0].Balance
	for _, p := range points {
		least, most = min(least, p.Balance), max(most, p.Balance)
	}
	n := min(len(points), sparkPoints)
	line := make([]rune, n)
	for i := range n {
		p := points[i*(len(points)-1)/max(n-1, 1)]
		line[i] = bars[int64(p.Balance-least)*int64(len(bars)-1)/max(int64(most-least), 1)]
	}
	return string(line)
}
