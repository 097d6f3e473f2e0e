package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// columns of the table, in order.
var columns = []struct {
	metric, head, format string
}{
	{Throughput, "orders/s", "%.0f"},
	{Accepted, "accepted/s", "%.0f"},
	{CPU, "CPU s/10k", "%.2f"},
	{CPUStore, "of it stores", "%.2f"},
	{CPULoad, "load CPU s/10k", "%.2f"},
	{Memory, "peak MiB", "%.0f"},
	{VendorP50, "vendor p50 ms", "%.1f"},
	{VendorP99, "p99", "%.1f"},
	{DeliveredP50, "webhook p50 ms", "%.1f"},
	{DeliveredP99, "p99", "%.1f"},
	{PlaceP50, "POST p50 ms", "%.1f"},
	{PlaceP99, "p99", "%.1f"},
	{PlaceRate, "at orders/s", "%.0f"},
	{LateP50, "late p50 ms", "%.1f"},
	{LateP99, "p99", "%.1f"},
	{InFlightRate, "in flight, %", "%.0f"},
	{InFlightKiB, "KiB each", "%.0f"},
	{IdleCPU, "idle %", "%.1f"},
	{DatabaseSize, "database B/order", "%.0f"},
	{RedisWritten, "AOF B/order", "%.0f"},
	{RedisMemory, "Redis B/order left", "%.0f"},
}

// Table prints medians with their spread and, for the first three metrics, the ratio to the plain worker.
func (r *Report) Table(w io.Writer) error {
	m := r.Machine
	_, err := fmt.Fprintf(w, "%d orders a round, %d rounds, %d cores, %s, %s, %s. Median (min to max); × is beside "+
		"%s.\n\n",
		r.Orders, r.Rounds, m.Cores, m.System, m.Disk, m.Go, Plain)
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := []string{""}
	for _, c := range r.Contenders {
		head = append(head, c.Name)
	}
	_, _ = fmt.Fprintln(tw, strings.Join(head, "\t")) // an error comes back from Flush
	for i, column := range columns {
		row := []string{column.head}
		any := false
		for _, c := range r.Contenders {
			s, ok := c.Metrics[column.metric]
			any = any || ok
			row = append(row, cell(s, ok, column.format))
			if ratio := c.Ratio[column.metric]; i < 3 && ratio > 0 && c.Name != Plain {
				row[len(row)-1] += fmt.Sprintf(" %.2f×", ratio)
			}
		}
		if any {
			_, _ = fmt.Fprintln(tw, strings.Join(row, "\t"))
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(r.Left)) {
		if _, err := fmt.Fprintf(w, "not measured: %s: %s\n", name, r.Left[name]); err != nil {
			return err
		}
	}
	return nil
}

func cell(s Summary, ok bool, format string) string {
	switch {
	case !ok:
		return "-"
	case s.Min == s.Max:
		return fmt.Sprintf(format, s.Median)
	default:
		return fmt.Sprintf(format+" ("+format+" to "+format+")", s.Median, s.Min, s.Max)
	}
}
