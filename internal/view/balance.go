package view

import (
	"fmt"
	"io"
	"strings"

	"recarga/internal/story"
	"recarga/internal/terminal"
	"recarga/producer"
	"recarga/topup"
)

// Balance writes the distributor's balance, its trend, and the changes that no order of ours explains.
func Balance(s terminal.Screen, b producer.Balance) error {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s (asked for %s s ago; the distributor's own word may be older)\n", b.Balance,
		terminal.Printable(b.Currency), b.AgeSeconds)
	if b.Low {
		out.WriteString("It is below RECARGA_BALANCE_LOW.\n")
	}
	if n := len(b.History); n > 1 {
		from, to := b.History[0], b.History[n-1]
		fmt.Fprintf(&out, "%s  %s at %s to %s at %s\n", sparkline(b.History), from.Balance,
			story.Clock(from.At), to.Balance, story.Clock(to.At))
	}
	for _, c := range b.Changes {
		sign := map[topup.BalanceChangeKind]string{topup.BalanceDeposit: "+", topup.BalanceDrift: "-"}[c.Kind]
		fmt.Fprintf(&out, "%s  %-7s  %s%s\n", story.Clock(c.At), terminal.Printable(string(c.Kind)), sign, c.Amount)
	}
	_, err := io.WriteString(s, out.String())
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
