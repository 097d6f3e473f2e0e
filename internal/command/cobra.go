package command

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"recarga/internal/config"
)

// FlagError says what a flag may be and, where there is no such flag, how to give an argument that begins as a flag
// does: an order's id may.
func FlagError(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		err = invalidFlag(invalid)
	} else if _, arguments, _ := strings.Cut(cmd.Use, " "); arguments != "" {
		err = fmt.Errorf("%w (write -- before what begins with - and is no flag)", err)
	}
	return Usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
}

// AddGroup adds commands under a title of the help.
func AddGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title + ":"})
	for _, cmd := range commands {
		cmd.GroupID = title
	}
	root.AddCommand(commands...)
}

// Finish has a command and all below it end with the exit status of a mistake of usage where that is
// what the arguments are: cobra calls it a failure or, below the root, shows its help and succeeds.
func Finish(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		Finish(sub)
	}
	switch {
	case cmd.Name() == "help":
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			group, rest, _ := cmd.Root().Find(args) // what it does not find is the rest
			return unknownCommand(group, rest)
		}
	case cmd.Runnable():
		offerNoFiles(cmd)
		cmd.Args = usageArgs(cmd.Args)
		if cmd.ValidArgsFunction == nil && cmd.ValidArgs == nil { // only reconcile's argument is a file
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
	default:
		cmd.Args = unknownCommand
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
}

// unknownCommand refuses what is no command of a group.
func unknownCommand(group *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	const typos = 2
	group.SuggestionsMinimumDistance = typos
	meant := ""
	if near := group.SuggestionsFor(args[0]); len(near) > 0 {
		meant = "did you mean " + strings.Join(near, " or ") + "? "
	}
	return Usage(fmt.Errorf("unknown command %q; %ssee %s --help", args[0], meant, group.CommandPath()))
}

// usageArgs makes a wrong number of arguments a mistake of usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	if check == nil {
		check = cobra.NoArgs
	}
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			if strings.Contains(cmd.Use, " ") {
				err = fmt.Errorf("%w: the form is %s", err, strings.TrimSuffix(cmd.UseLine(), " [flags]"))
			}
			return Usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
		}
		return nil
	}
}

// Help is what a command says of itself.
type Help struct {
	Short   string // what it does, in a line
	Long    string // more of it; empty: Short is all
	Example string // how it is used, a line each
}

// Describe gives a command and all below it their help, by their paths. Help for a command that there is not is a
// mistake in this program, which every start finds.
func Describe(root *cobra.Command, help map[string]Help) {
	left := maps.Clone(help)
	describe(root, left)
	if len(left) > 0 {
		panic(fmt.Sprintf("help for no command: %q", slices.Sorted(maps.Keys(left))))
	}
}

func describe(cmd *cobra.Command, left map[string]Help) {
	path := cmd.CommandPath()
	help := left[path]
	delete(left, path)
	cmd.Short, cmd.Long = cmp.Or(help.Short, cmd.Short), cmp.Or(help.Long, cmd.Long)
	if help.Example != "" {
		cmd.Example = "  " + strings.ReplaceAll(help.Example, "\n", "\n  ")
	}
	for _, sub := range cmd.Commands() {
		describe(sub, left)
	}
}

// Completes has the shell offer the values of a flag.
func Completes[T ~string](cmd *cobra.Command, flag string, values ...T) {
	choices := make([]cobra.Completion, len(values))
	for i, value := range values {
		choices[i] = string(value)
	}
	if err := cmd.RegisterFlagCompletionFunc(flag,
		cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // there is no such flag: a mistake in this program, which every start finds
	}
}

// offerNoFiles has the shell offer files for those flags only that name one.
func offerNoFiles(cmd *cobra.Command) {
	files := []string{"file", "catalog", "output", "report", "csv", "json"}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if _, has := cmd.GetFlagCompletionFunc(f.Name); !has && !slices.Contains(files, f.Name) {
			Completes[string](cmd, f.Name)
		}
	})
}

// CompletesProducts has the shell offer for --product the products that the environment's RECARGA_CATALOG has.
func (p *Program) CompletesProducts(cmd *cobra.Command) {
	offer := func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		c, err := config.Settings{CatalogFile: p.Getenv(config.Prefix + "CATALOG")}.Catalog()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var ids []cobra.Completion
		for _, product := range c.Products() {
			ids = append(ids, product.ID)
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
	if err := cmd.RegisterFlagCompletionFunc("product", offer); err != nil {
		panic(err) // as in Completes
	}
}
