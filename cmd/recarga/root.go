package main

import (
	_ "embed" // the help

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/yamlfile"
)

//go:embed help.yaml
var helpFile []byte

// help is that of all commands, by their paths.
var help = yamlfile.Read[map[string]command.Help](helpFile)

func newRoot(p *command.Program) *cobra.Command {
	root := &cobra.Command{
		Use: "recarga", Version: p.Version, SilenceErrors: true, SilenceUsage: true, DisableAutoGenTag: true,
	}
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.PersistentFlags().String("config", "", "YAML file of settings (RECARGA_CONFIG)")
	root.SetFlagErrorFunc(command.FlagError)
	command.AddGroup(root, "Try it out", newDemoCommand(p), newSandboxCommand(p))
	command.AddGroup(root, "Run it", newServeCommand(p), newAPICommand(p), newWorkerCommand(p), newDoctorCommand(p),
		newHealthcheckCommand(p), newMigrateCommand(p), newArchiveCommand(p), newRekeyCommand(p), newKeyCommand(p),
		newBenchCommand(p), newVersionCommand(p))
	command.AddGroup(root, "Orders", newEnqueueCommand(p), newGetCommand(p), newFindCommand(p), newListCommand(p),
		newWatchCommand(p), newCancelCommand(p), newHoldCommand(p), newReleaseCommand(p), newBulkCommand(p),
		newResolveCommand(p), newCorrectCommand(p), newDisputeCommand(p), newReconcileCommand(p),
		newRestoreCheckCommand(p), newExportCommand(p))
	command.AddGroup(root, "Callers, operators and the distributor", newCallerCommand(p), newOperatorCommand(p),
		newWebhookCommand(p), newQueueCommand(p), newAuditCommand(p), newBalanceCommand(p), newProductsCommand(p))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	command.Describe(root, help)
	command.Finish(root)
	return root
}

// logSettings are those of the log, which have flags where one is written.
var logSettings = []string{"LOG_LEVEL", "LOG_FORMAT"}
