package main

import (
	"github.com/spf13/cobra"

	"recarga/internal/command"
)

func newRoot(p *command.Program) *cobra.Command {
	root := &cobra.Command{
		Use:   "recarga",
		Short: "Buy mobile top-ups in Mexico: once, with proof, and notify the checkout",
		Long: `Recarga takes orders for mobile top-ups, buys each from the distributor exactly once,
and notifies whoever ordered it by signed webhook.

Settings come from flags, RECARGA_… environment variables, --config recarga.yaml and defaults, in
this order. Exit status: 0 done, 1 failed, 2 wrong usage or settings.`,
		Example: "  recarga demo\n  recarga serve --config recarga.yaml\n  recarga enqueue --id MY-TXN-001 --phone " +
			"5537686660 --product MOVISTAR_TAE --amount 10",
		Version:       p.Version,
		SilenceErrors: true, SilenceUsage: true,
		DisableAutoGenTag: true,
	}
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.PersistentFlags().String("config", "", "YAML file of settings (RECARGA_CONFIG)")
	root.SetFlagErrorFunc(command.FlagError)
	command.AddGroup(root, "Try it out", newDemoCommand(p), newSandboxCommand(p))
	command.AddGroup(root, "Run it", newServeCommand(p), newAPICommand(p), newWorkerCommand(p), newDoctorCommand(p),
		newHealthcheckCommand(p), newArchiveCommand(p), newRekeyCommand(p), newKeyCommand(p), newBenchCommand(p))
	command.AddGroup(root, "Orders", newEnqueueCommand(p), newGetCommand(p), newFindCommand(p), newListCommand(p),
		newWatchCommand(p), newCancelCommand(p),
		newResolveCommand(p), newCorrectCommand(p), newDisputeCommand(p), newReconcileCommand(p), newExportCommand(p))
	command.AddGroup(root, "Callers, operators and the distributor", newCallerCommand(p), newOperatorCommand(p),
		newWebhookCommand(p), newBalanceCommand(p), newProductsCommand(p))
	root.InitDefaultHelpCmd()
	command.AddCompletion(root)
	command.Finish(root)
	return root
}

// logSettings are those of the log, which have flags where one is written.
var logSettings = []string{"LOG_LEVEL", "LOG_FORMAT"}
