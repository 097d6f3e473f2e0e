package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"recarga/internal/access"
	"recarga/internal/command"
	"recarga/internal/terminal"
	"recarga/internal/view"
	"recarga/producer"
)

func newOperatorCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "operator"}
	const none = "No operators in the registry; the one named admin is that of RECARGA_ADMIN_KEY."
	cmd.AddCommand(newOperatorAddCommand(p), newListingCommand(p, (*producer.Client).Operators, view.Operators, none),
		newOperatorSetRoleCommand(p), newSwitchCommand(p, "disable", operatorSwitch),
		newSwitchCommand(p, "enable", operatorSwitch), newOperatorRotateKeyCommand(p))
	return cmd
}

func newOperatorAddCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "add NAME", Args: cobra.ExactArgs(1)}
	var role string
	command.Choice(cmd, &role, "role", "viewer, operator or admin", roles()...)
	_ = cmd.MarkFlagRequired("role") // fails only for a flag that there is not
	expires := expiryFlag(cmd)
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (producer.CreatedOperator, error) {
		return c.API.AddOperator(c.Ctx, c.Args[0], role, expires())
	}, func(s terminal.Screen, added producer.CreatedOperator) error {
		if err := view.Operators(s, added.Operator); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s, "\nkey: %s\n\nKeep it: it is not shown again.\n", terminal.Printable(added.Key))
		return err
	})
}

// roles are those that an operator may have.
func roles() (all []string) {
	for _, r := range access.Roles() {
		all = append(all, r.String())
	}
	return all
}

func newOperatorSetRoleCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "set-role NAME viewer|operator|admin",
		Args: cobra.MatchAll(cobra.ExactArgs(2), func(_ *cobra.Command, args []string) error {
			_, err := access.ParseRole(args[1])
			return err
		}),
	}
	return operatorChange(p, cmd, func(args []string) producer.OperatorChange {
		return producer.OperatorChange{Role: &args[1]}
	})
}

func operatorChange(
	p *command.Program, cmd *cobra.Command, change func(args []string) producer.OperatorChange,
) *cobra.Command {
	version := versionFlag(cmd, "operator")
	return changeCommand(p, cmd, func(c command.Call) (producer.Operator, error) {
		to := change(c.Args)
		to.Version = *version
		return c.API.ChangeOperator(c.Ctx, c.Args[0], to)
	}, view.Operators)
}

func operatorSwitch(p *command.Program, cmd *cobra.Command, disabled bool) *cobra.Command {
	return operatorChange(p, cmd, func([]string) producer.OperatorChange {
		return producer.OperatorChange{Disabled: &disabled}
	})
}

func newOperatorRotateKeyCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "rotate-key NAME", Args: cobra.ExactArgs(1)}
	overlap := cmd.Flags().Duration("overlap", 0, "how long the former key is good as well, at most 720h")
	return secretCommand(p, cmd, "key", func(c command.Call) (string, error) {
		o, err := c.API.RotateOperatorKey(c.Ctx, c.Args[0], *overlap)
		return o.Key, err
	})
}
