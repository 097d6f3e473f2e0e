package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
	root.PersistentFlags().String("config", "", "YAML file of settings")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
	})
	root.AddCommand(
		newDemoCommand(p), newServeCommand(p), newAPICommand(p), newWorkerCommand(p), newSandboxCommand(p),
		newEnqueueCommand(p), newGetCommand(p), newListCommand(p), newWatchCommand(p), newCancelCommand(p),
		newBalanceCommand(p), newProductsCommand(p), newHealthcheckCommand(p),
	)
	for _, cmd := range root.Commands() {
		cmd.Args = usageArgs(cmd.Args)
	}
	return root
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
	for _, row := range settingsTable() {
		wanted := len(names) == 0 && row.name != "API_URL"
		for _, name := range names {
			wanted = wanted || name == row.name
		}
		if wanted {
			usage := fmt.Sprintf("%s (%s)", row.help, row.env())
			cmd.Flags().String(row.flag(), row.standard, usage)
		}
	}
	cmd.Flags().SortFlags = false
}

// flagSource are the settings given as flags.
func flagSource(flags *pflag.FlagSet) source {
	return source{name: "flag", get: func(row setting) (string, bool, error) {
		f := flags.Lookup(row.flag())
		if f == nil || !f.Changed {
			return "", false, nil
		}
		return f.Value.String(), true, nil
	}}
}

// settings are a command's, from all sources.
func (p *program) settings(cmd *cobra.Command, required needs) (Settings, error) {
	sources := []source{flagSource(cmd.Flags()), environment(p.getenv)}
	errs := []error{unknownVariables(p.environ)}
	path, err := cmd.Flags().GetString("config")
	if err == nil && path != "" {
		file, err := configFile(path)
		errs = append(errs, err)
		if file.get != nil {
			sources = append(sources, file)
		}
	}
	s, err := loadSettings(required, sources...)
	return s, usage(joinLines(append(errs, err)...))
}

// joinLines joins errors, one a line, each once.
func joinLines(errs ...error) error {
	var lines []string
	for _, err := range errs {
		if err != nil {
			lines = append(lines, err.Error())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(lines, "\n"))
}
