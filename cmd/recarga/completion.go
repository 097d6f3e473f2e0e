package main

import (
	"github.com/spf13/cobra"
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
		"bash":       "  source <(recarga completion bash)\n  recarga completion bash > /etc/bash_completion.d/recarga",
		"zsh":        "  source <(recarga completion zsh)\n  recarga completion zsh > \"${fpath[1]}/_recarga\"",
		"fish":       "  recarga completion fish | source\n  recarga completion fish > ~/.config/fish/completions/recarga.fish",
		"powershell": "  recarga completion powershell | Out-String | Invoke-Expression",
	} {
		if cmd, _, err := completion.Find([]string{shell}); err == nil {
			cmd.Example = example
		}
	}
}
