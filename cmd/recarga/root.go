package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"recarga/internal/config"
	"recarga/topup"
)

// flagError also says how to give an argument that begins as a flag does: an order's id may.
func flagError(cmd *cobra.Command, err error) error {
	if _, arguments, _ := strings.Cut(cmd.Use, " "); arguments != "" {
		err = fmt.Errorf("%w (write -- before what begins with - and is no flag)", err)
	}
	return usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
}

func newRoot(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "recarga",
		Short: "Buy mobile top-ups in Mexico: once, with proof, and notify the checkout",
		Long: `Recarga takes orders for mobile top-ups, buys each from the distributor exactly once,
and notifies whoever ordered it by signed webhook.

Settings come from flags, RECARGA_… environment variables, --config recarga.yaml and defaults, in
this order. Exit status: 0 done, 1 failed, 2 wrong usage or settings.`,
		Example: "  recarga demo\n  recarga serve --config recarga.yaml\n  recarga enqueue --id MY-TXN-001 --phone " +
			"5537686660 --product MOVISTAR_TAE --amount 10",
		Version:       version,
		SilenceErrors: true, SilenceUsage: true,
		DisableAutoGenTag: true,
	}
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.PersistentFlags().String("config", "", "YAML file of settings (RECARGA_CONFIG)")
	root.SetFlagErrorFunc(flagError)
	addGroup(root, "Try it out", newDemoCommand(p), newSandboxCommand(p))
	addGroup(root, "Run it", newServeCommand(p), newAPICommand(p), newWorkerCommand(p), newDoctorCommand(p),
		newHealthcheckCommand(p), newArchiveCommand(p), newRekeyCommand(p), newKeyCommand(p), newBenchCommand(p))
	addGroup(root, "Orders", newEnqueueCommand(p), newGetCommand(p), newFindCommand(p), newListCommand(p),
		newWatchCommand(p), newCancelCommand(p),
		newResolveCommand(p), newCorrectCommand(p), newDisputeCommand(p), newReconcileCommand(p), newExportCommand(p))
	addGroup(root, "Callers, operators and the distributor", newCallerCommand(p), newOperatorCommand(p),
		newWebhookCommand(p), newBalanceCommand(p), newProductsCommand(p))
	root.InitDefaultHelpCmd()
	addCompletion(root)
	finish(root)
	return root
}

// addGroup adds commands under a title of the help.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title + ":"})
	for _, cmd := range commands {
		cmd.GroupID = title
	}
	root.AddCommand(commands...)
}

// finish has a command and all below it end with the exit status of a mistake of usage where that is
// what the arguments are: cobra calls it a failure or, below the root, shows its help and succeeds.
func finish(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		finish(sub)
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
	return usage(fmt.Errorf("unknown command %q; %ssee %s --help", args[0], meant, group.CommandPath()))
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
			return usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
		}
		return nil
	}
}

// Which settings have flags on which commands.
var (
	clientSettings = []string{"API_URL", "API_KEY", "ADMIN_KEY"}
	logSettings    = []string{"LOG_LEVEL", "LOG_FORMAT"}
)

// serverSettings are settings, with the catalogue that they name. The error joins the mistakes of both.
func (p *program) serverSettings(
	cmd *cobra.Command, required config.Required,
) (config.Settings, topup.Catalog, error) {
	s, err := p.settings(cmd, required)
	c, catalogErr := s.Catalog()
	return s, c, usage(errors.Join(err, catalogErr))
}

// settings are a command's, from all sources. The error joins all mistakes, a line each.
func (p *program) settings(cmd *cobra.Command, required config.Required) (config.Settings, error) {
	s, err := config.Read(cmd.Flags(), p.environ, required)
	return s, usage(err)
}
