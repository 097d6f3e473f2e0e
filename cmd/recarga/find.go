package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/terminal"
	"recarga/internal/view"
)

func newFindCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "find TEXT", Args: cobra.ExactArgs(1)}
	asJSON := command.JSONFlag(cmd)
	return command.Client(p, cmd, func(c command.Call) error {
		found, err := c.API.Find(c.Ctx, c.Args[0])
		if err != nil {
			return err
		}
		switch {
		case len(found) == 0:
			return fmt.Errorf("no order has the id, phone number, transaction id or reference %q", c.Args[0])
		case len(found) > 1 && !*asJSON:
			return view.Orders(p.Stdout.Screen(), found...)
		}
		for _, o := range found {
			d, err := c.API.Get(c.Ctx, o.ID)
			if err != nil {
				return err
			}
			if !*asJSON {
				return view.Details(p.Stdout.Screen(), d)
			}
			if err := terminal.PrintJSON(p.Stdout, d); err != nil {
				return err
			}
		}
		return nil
	})
}
