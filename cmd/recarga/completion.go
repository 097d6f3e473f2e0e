package main

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"recarga/internal/config"
	"recarga/topup"
)

// addCompletion adds cobra's own commands, with examples.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	completion, _, err := root.Find([]string{"completion"})
	if err != nil {
		return // it was just added
	}
	completion.Example = "  source <(recarga completion bash)"
	for shell, example := range map[string]string{
		"bash": "  source <(recarga completion bash)\n  recarga completion bash > /etc/bash_completion.d/recarga",
		"zsh":  "  source <(recarga completion zsh)\n  recarga completion zsh > \"${fpath[1]}/_recarga\"",
		"fish": "  recarga completion fish | source\n  recarga completion fish > " +
			"~/.config/fish/completions/recarga.fish",
		"powershell": "  recarga completion powershell | Out-String | Invoke-Expression",
	} {
		if cmd, _, err := completion.Find([]string{shell}); err == nil {
			cmd.Example = example
		}
	}
}

// completes has the shell offer the values of a flag.
func completes[T ~string](cmd *cobra.Command, flag string, values ...T) {
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
			completes[string](cmd, f.Name)
		}
	})
}

// states are all that an order may be in.
func states() (all []topup.State) {
	for _, f := range topup.StateTable() {
		all = append(all, f.State)
	}
	return all
}

// completesProducts has the shell offer the products that the environment's RECARGA_CATALOG has.
func (p *program) completesProducts(cmd *cobra.Command) {
	offer := func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		c, err := config.Settings{CatalogFile: p.getenv(config.Prefix + "CATALOG")}.Catalog()
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
		panic(err) // as in completes
	}
}
