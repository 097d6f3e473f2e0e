package main

import (
	"context"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/terminal"
	"recarga/internal/view"
	"recarga/producer"
	"recarga/topup"
	"recarga/topup/desk"
)

func newQueueCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "queue"}
	const none = "Nothing is paused, and the limits are those of the settings."
	cmd.AddCommand(newListingCommand(p, (*producer.Client).Controls, view.Controls, none),
		newPauseCommand(p, "pause", (*producer.Client).Pause), newPauseCommand(p, "resume", (*producer.Client).Resume),
		newLimitCommand(p))
	return cmd
}

// controlling sends a control to the API, which answers with all that is set.
type controlling func(*producer.Client, context.Context, desk.Control) ([]desk.ControlStanding, error)

// newPauseCommand makes the command pause, or resume.
func newPauseCommand(p *command.Program, use string, do controlling) *cobra.Command {
	cmd := &cobra.Command{Use: use + " purchases|webhooks|caller NAME|product ID|operator NAME --reason TEXT",
		Args: cobra.RangeArgs(1, 2)}
	for _, kind := range desk.Pauses() {
		cmd.ValidArgs = append(cmd.ValidArgs, string(kind))
	}
	return controlCommand(p, cmd, do, func(args []string, c *desk.Control) error {
		if c.Kind = desk.ControlKind(args[0]); len(args) > 1 {
			c.Name = topup.NullString(args[1])
		}
		_, err := topup.OneOf("KIND", args[0], desk.Pauses())
		if err == nil {
			err = c.CheckEnd()
		}
		return err
	})
}

func newLimitCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "limit rate COUNT/s|none|default, or limit concurrency N|default --reason TEXT",
		Args: cobra.ExactArgs(2), ValidArgs: []cobra.Completion{"rate", "concurrency"}}
	return controlCommand(p, cmd, (*producer.Client).Limit, func(args []string, c *desk.Control) error {
		c.Kind, c.Value = desk.ControlKind(args[0]), topup.NullString(args[1])
		_, err := topup.OneOf("KIND", args[0], desk.Limits())
		switch {
		case err != nil:
		case c.Value == "default":
			err = c.CheckEnd()
		default:
			err = c.Check()
		}
		return err
	})
}

// controlCommand makes a command of one that changes a control, which its arguments say.
func controlCommand(
	p *command.Program, cmd *cobra.Command, do controlling, read func(args []string, c *desk.Control) error,
) *cobra.Command {
	var set desk.Control
	cmd.Flags().StringVar((*string)(&set.Reason), "reason", "", "why")
	command.ByFlag(cmd.Flags(), &set.By)
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) ([]desk.ControlStanding, error) {
		err := command.CheckDecision(p, cmd, &set.By, func() error { return read(c.Args, &set) })
		if err != nil {
			return nil, err
		}
		return do(c.API, c.Ctx, set)
	}, func(s terminal.Screen, all []desk.ControlStanding) error { return view.Controls(s, all...) })
}
