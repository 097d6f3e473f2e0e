package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func newRoot(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "recarga",
		Short: "Buy mobile top-ups in Mexico: once, with proof, and tell the checkout",
		Long: `Recarga takes orders for mobile top-ups, buys each from the distributor exactly as often as it
should be bought, and tells whoever ordered it by signed webhook.

Settings come from flags, RECARGA_… environment variables, --config recarga.yaml and defaults, in
this order. Exit status: 0 done, 1 failed, 2 wrong usage or settings.`,
		Version:       version,
		SilenceErrors: true, SilenceUsage: true,
		DisableAutoGenTag: true,
	}
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.PersistentFlags().String("config", "", "YAML file of settings (RECARGA_CONFIG)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
	})
	root.AddCommand(
		newDemoCommand(p), newServeCommand(p), newAPICommand(p), newWorkerCommand(p), newSandboxCommand(p),
		newEnqueueCommand(p), newGetCommand(p), newListCommand(p), newWatchCommand(p), newCancelCommand(p), newResolveCommand(p), newCallerCommand(p), newWebhookCommand(p),
		newBalanceCommand(p), newProductsCommand(p), newHealthcheckCommand(p), newDoctorCommand(p), newBenchCommand(p),
	)
	for _, cmd := range root.Commands() {
		cmd.Args = usageArgs(cmd.Args)
	}
	root.Args = unknownCommand
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return root
}

// unknownCommand refuses what is no command. Cobra does so by itself, but as a failure, not as a
// mistake of usage.
func unknownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	meant := ""
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		meant = "did you mean " + strings.Join(near, " or ") + "? "
	}
	return usage(fmt.Errorf("unknown command %q; %ssee recarga --help", args[0], meant))
}

// usageArgs makes a wrong number of arguments a mistake of usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	if check == nil {
		check = cobra.NoArgs
	}
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
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

// addSettingFlags gives a command a flag for each of the settings; none named means all but those of
// the client.
func addSettingFlags(cmd *cobra.Command, names ...string) {
	for _, row := range settingsTable(new(Settings)) {
		if len(names) == 0 && row.name == "API_URL" || len(names) > 0 && !slices.Contains(names, row.name) {
			continue
		}
		cmd.Flags().String(row.flag(), row.standard, fmt.Sprintf("%s (%s)", row.help, row.env()))
		if row.choice {
			cmd.Flags().Lookup(row.flag()).NoOptDefVal = "true"
		}
	}
	cmd.Flags().SortFlags = false
}

// settings are a command's, from all sources. The error joins all mistakes, a line each.
func (p *program) settings(cmd *cobra.Command, required needs) (Settings, error) {
	path, err := cmd.Flags().GetString("config")
	if err != nil {
		return Settings{}, err
	}
	file, fileErr := configFile(cmp.Or(path, p.getenv(configVariable)))
	s, err := loadSettings(required, flagSource(cmd.Flags()), environment(p.getenv), file)
	return s, usage(errors.Join(unknownVariables(p.environ), fileErr, err))
}
		f := cmd.Flags().Lookup(row.flag())
		f.Annotations = map[string][]string{settingFlag: {row.env()}}
