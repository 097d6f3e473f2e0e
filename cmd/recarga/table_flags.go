package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"recarga/internal/reconcile/statement"
	"recarga/internal/table"
)

// tableValues are the flags that say how a table is written. They are those of every command that reads one.
type tableValues struct {
	columns, ignored, delimiter, decimal *string
	noHeader                             *bool
}

func tableFlagNames() []string {
	return []string{"columns", "ignore-columns", "delimiter", "decimal", "no-header"}
}

func tableFlags(cmd *cobra.Command) tableValues {
	flags := cmd.Flags()
	v := tableValues{
		columns: flags.String("columns", "",
			"columns that are not found by their headers: COLUMN=HEADER,… or COLUMN=NUMBER,…, from 1"),
		ignored: flags.String("ignore-columns", "", "columns that say nothing: headers or numbers, as in Region,8-11"),
		delimiter: flags.String("delimiter", "",
			"comma, semicolon, tab, pipe, or the character itself (default: found out)"),
		decimal: flags.String("decimal", "", "decimal mark of amounts: point or comma (default: found out of each)"),
		noHeader: flags.Bool("no-header", false,
			"the first line is a row: columns are named by their numbers (default: found out)"),
	}
	completes(cmd, "delimiter", "comma", "semicolon", "tab", "pipe")
	completes(cmd, "decimal", statement.DecimalPoint, statement.DecimalComma)
	return v
}

// given reports whether any of the flags is set.
func (v tableValues) given(cmd *cobra.Command) bool {
	return slices.ContainsFunc(tableFlagNames(), cmd.Flags().Changed)
}

// options reads the flags for a table of these columns; the error names every flag that is wrong.
func (v tableValues) options(columns []table.Column) (o tableOptions, err error) {
	var errs [4]error
	o.Named, errs[0] = table.ParseNamed(*v.columns, columns)
	o.Ignored, errs[1] = table.ParseIgnored(*v.ignored)
	o.Delimiter, errs[2] = table.ParseDelimiter(*v.delimiter)
	o.decimal, errs[3] = table.ParseDecimal(*v.decimal)
	o.NoHeader = *v.noHeader
	for i, e := range errs {
		var f *table.FileError
		if errors.As(e, &f) {
			f.Part = "--" + strings.ReplaceAll(f.Part, "_", "-")
			errs[i] = f
		}
	}
	return o, errors.Join(errs[:]...)
}
