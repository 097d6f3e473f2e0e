package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/terminal"
	"recarga/internal/view"
	"recarga/producer"
)

func newOperatorCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "operator",
		Short: "Manage the operators: who sees and decides what, with a key of their own",
		Long: `Manage the operators' keys. Each has a name, which is recorded with everything done with it, and a role:

  viewer    sees every caller's orders, the console and the queues
  operator  also acts: resolve, cancel, redeliver, pause, reconcile
  admin     also manages callers and operators, and corrects final states

A key is shown once. It opens the console, and client commands take it as RECARGA_ADMIN_KEY. The operator admin is
the one of the server's RECARGA_ADMIN_KEY, and is not in the registry. Needs an admin's key.`,
		Example: "  recarga operator add ana --role operator --expires-in 2160h\n  recarga operator list",
	}
	cmd.AddCommand(newOperatorAddCommand(p), newOperatorListCommand(p), newOperatorSetRoleCommand(p),
		newOperatorSwitchCommand(p, "disable", "Refuse an operator's keys, and end the sessions that they began", true),
		newOperatorSwitchCommand(p, "enable", "Accept an operator's keys again", false), newOperatorRotateKeyCommand(p))
	return cmd
}

func newOperatorAddCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "add NAME",
		Short:   "Add an operator; prints its key, once",
		Example: "  recarga operator add ana --role operator",
		Args:    cobra.ExactArgs(1),
	}
	role := cmd.Flags().String("role", "", "viewer, operator or admin")
	_ = cmd.MarkFlagRequired("role") // fails only for a flag that there is not
	expires := expiryFlag(cmd)
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (producer.CreatedOperator, error) {
		return c.API.AddOperator(c.Ctx, c.Args[0], *role, expires())
	}, func(s terminal.Screen, added producer.CreatedOperator) error {
		if err := view.Operators(s, added.Operator); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s, "\nkey: %s\n\nKeep it: it is not shown again.\n", terminal.Printable(added.Key))
		return err
	})
}

func newOperatorListCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List the operators", Example: "  recarga operator list", Args: cobra.NoArgs,
	}
	asJSON := command.JSONFlag(cmd)
	return command.Admin(p, cmd, func(c command.Call) error {
		all, err := c.API.Operators(c.Ctx)
		if err != nil {
			return err
		}
		const none = "No operators in the registry; the one named admin is that of RECARGA_ADMIN_KEY."
		return command.PrintList(p, all, *asJSON, none, view.Operators)
	})
}

func newOperatorSetRoleCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "set-role NAME viewer|operator|admin",
		Short:   "Change what an operator may do",
		Example: "  recarga operator set-role ana viewer",
		Args:    cobra.ExactArgs(2),
	}
	return operatorChange(p, cmd, func(args []string) map[string]any { return map[string]any{"role": args[1]} })
}

func newOperatorSwitchCommand(p *command.Program, use, short string, disabled bool) *cobra.Command {
	cmd := &cobra.Command{
		Use: use + " NAME", Short: short, Example: "  recarga operator " + use + " ana", Args: cobra.ExactArgs(1),
	}
	return operatorChange(p, cmd, func([]string) map[string]any { return map[string]any{"disabled": disabled} })
}

func operatorChange(p *command.Program, cmd *cobra.Command, change func(args []string) map[string]any) *cobra.Command {
	return changeCommand(p, cmd, "operator", change, (*producer.Client).ChangeOperator, view.Operators)
}

func newOperatorRotateKeyCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rotate-key NAME",
		Short:   "Give an operator a new key; the former one ends, at once or after a while",
		Example: "  recarga operator rotate-key ana\n  recarga operator rotate-key ana --overlap 1h",
		Args:    cobra.ExactArgs(1),
	}
	overlap := cmd.Flags().Duration("overlap", 0, "how long the former key is good as well, at most 720h")
	return callerSecret(p, cmd, "key", func(c command.Call) (string, error) {
		o, err := c.API.RotateOperatorKey(c.Ctx, c.Args[0], *overlap)
		return o.Key, err
	})
}
