package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/orderfile"
	"recarga/internal/table"
)

// tableFlagNames are the flags that say how a table is written. They are those of every command that reads one.
func tableFlagNames() []string {
	return []string{"columns", "ignore-columns", "delimiter", "decimal", "no-header"}
}

func tableFlags(cmd *cobra.Command) *orderfile.Format {
	var f orderfile.Format
	flags := cmd.Flags()
	flags.StringVar(&f.Columns, "columns", "",
		"columns that are not found by their headers: COLUMN=HEADER,… or COLUMN=NUMBER,…, from 1")
	flags.StringVar(&f.Ignored, "ignore-columns", "", "columns that say nothing: headers or numbers, as in Region,8-11")
	flags.StringVar(&f.Delimiter, "delimiter", "",
		"comma, semicolon, tab, pipe, or the character itself (default: found out)")
	command.Choice(cmd, &f.Decimal, "decimal", "decimal mark of amounts: point or comma (default: found out of each)",
		table.DecimalPoint, table.DecimalComma)
	flags.BoolVar(&f.NoHeader, "no-header", false,
		"the first line is a row: columns are named by their numbers (default: found out)")
	command.Completes(cmd, "delimiter", "comma", "semicolon", "tab", "pipe")
	return &f
}
