package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/terminal"
	"recarga/internal/view"
	"recarga/producer"
	"recarga/topup"
)

// watchEvery is the time between two requests.
const watchEvery = 500 * time.Millisecond

func newWatchCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "watch [ID]", Args: cobra.MaximumNArgs(1)}
	asJSON := command.JSONFlag(cmd)
	return command.Client(p, cmd, func(c command.Call) error {
		if len(c.Args) == 1 {
			return watchOne(p, c, topup.ID(c.Args[0]), *asJSON)
		}
		return watchAll(p, c, *asJSON)
	})
}

func watchOne(p *command.Program, c command.Call, id topup.ID, asJSON bool) error {
	shown := ""
	return p.Every(c.Ctx, watchEvery, func() (done bool, err error) {
		d, err := c.API.Get(c.Ctx, id)
		if err != nil {
			return false, err
		}
		if now := fmt.Sprint(d.State, d.AttemptCount); now != shown {
			shown = now
			if err := printChange(p, d.Order, asJSON); err != nil {
				return false, err
			}
		}
		return d.State.Final(), nil
	})
}

func printChange(p *command.Program, o topup.Order, asJSON bool) error {
	return p.Show(asJSON, o, func(s terminal.Screen) error { return view.Change(s, o) })
}

// watchAll redraws the newest orders on a terminal, and elsewhere prints those that changed.
func watchAll(p *command.Program, c command.Call, asJSON bool) error {
	seen := map[topup.ID]time.Time{}
	return p.Every(c.Ctx, watchEvery, func() (bool, error) {
		orders, _, err := c.API.List(c.Ctx, producer.OrderFilter{Limit: 20})
		if err != nil {
			return false, err
		}
		if p.Stdout.IsTerminal() && !asJSON {
			return false, redraw(p, orders)
		}
		for i := len(orders) - 1; i >= 0; i-- {
			o := orders[i]
			if seen[o.ID].Equal(o.UpdatedAt) {
				continue
			}
			if err := printChange(p, o, asJSON); err != nil {
				return false, err
			}
		}
		clear(seen) // what has left the page is not needed
		for _, o := range orders {
			seen[o.ID] = o.UpdatedAt
		}
		return false, nil
	})
}

func redraw(p *command.Program, orders []topup.Order) error {
	var b strings.Builder
	screen := p.Stdout.Screen()
	onto := screen
	onto.Writer = &b
	fmt.Fprintf(&b, "The newest orders at %s; Ctrl-C ends.\n\n", time.Now().Format(time.TimeOnly))
	if len(orders) == 0 {
		b.WriteString("None yet.\n")
	} else if err := view.Orders(onto, orders...); err != nil {
		return err
	}
	return screen.Redraw(b.String())
}
