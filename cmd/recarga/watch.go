package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recarga/producer"
	"recarga/topup"
)

// watchEvery is the time between two requests.
const watchEvery = 500 * time.Millisecond

func newWatchCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch [ID]",
		Short: "Show orders as they change",
		Long: `Without an id, show the newest orders until interrupted. With one, print each change of its state
and end when it is final. An order held as unknown is not: it waits for a late answer or a person.
When the API stops answering, the command asks it again.`,
		Example: "  recarga watch MY-TXN-001\n  recarga watch",
		Args:    cobra.MaximumNArgs(1),
	}
	asJSON := jsonFlag(cmd)
	return clientCommand(p, cmd, func(cmd *cobra.Command, c *producer.Client, args []string) error {
		if len(args) == 1 {
			return p.watchOne(cmd.Context(), c, topup.ID(args[0]), *asJSON)
		}
		return p.watchAll(cmd.Context(), c, *asJSON)
	})
}

func (p *program) watchOne(ctx context.Context, c *producer.Client, id topup.ID, asJSON bool) error {
	shown := ""
	return p.every(ctx, watchEvery, func() (done bool, err error) {
		d, err := c.Get(ctx, id)
		if err != nil {
			return false, err
		}
		if now := fmt.Sprint(d.State, d.AttemptCount); now != shown {
			shown = now
			if err := p.printChange(d.Order, asJSON); err != nil {
				return false, err
			}
		}
		return d.State.Final(), nil
	})
}

func (p *program) printChange(o topup.Order, asJSON bool) error {
	if asJSON {
		return printJSON(p.stdout, o)
	}
	_, err := fmt.Fprintf(p.stdout, "%s  %s  %s  attempts %d  %s\n", local(o.UpdatedAt), printable(string(o.ID)),
		p.terminal().state(stateOf(o), printable(stateOf(o))), o.AttemptCount, printable(string(o.ResponseCode)))
	return err
}

// watchAll redraws the newest orders on a terminal, and elsewhere prints those that changed.
func (p *program) watchAll(ctx context.Context, c *producer.Client, asJSON bool) error {
	seen := map[topup.ID]time.Time{}
	return p.every(ctx, watchEvery, func() (bool, error) {
		orders, _, err := c.List(ctx, url.Values{"limit": {"20"}})
		if err != nil {
			return false, err
		}
		if isTerminal(p.stdout) && !asJSON {
			return false, p.redraw(orders)
		}
		for i := len(orders) - 1; i >= 0; i-- {
			o := orders[i]
			if seen[o.ID].Equal(o.UpdatedAt) {
				continue
			}
			if err := p.printChange(o, asJSON); err != nil {
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

func (p *program) redraw(orders []topup.Order) error {
	var b strings.Builder
	t := p.terminal()
	fmt.Fprintf(&b, "The newest orders at %s; Ctrl-C ends.\n\n", time.Now().Format(time.TimeOnly))
	if len(orders) == 0 {
		b.WriteString("None yet.\n")
	} else if err := t.orders(&b, orders...); err != nil {
		return err
	}
	lines := strings.SplitAfter(b.String(), "\n")
	if t.height > 0 { // a line more would scroll the head away
		lines = lines[:min(len(lines), t.height-1)]
	}
	// Each line is drawn over the former one, and the rest of the screen is cleared: clearing all of it first
	// would flicker.
	_, err := fmt.Fprint(p.stdout, t.control("[H")+strings.ReplaceAll(strings.Join(lines, ""), "\n",
		t.control("[K")+"\n")+t.control("[J"))
	return err
}

// every calls step at once and then again and again, until it is done or ctx ends, which is no error.
// Once it has worked, an API that does not answer is waited for: it may be starting anew.
func (p *program) every(ctx context.Context, interval time.Duration, step func() (done bool, err error)) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	worked, waiting := false, false
	for {
		done, err := step()
		switch {
		case ctx.Err() != nil:
			return nil
		case done, err != nil && (!worked || !passing(err)):
			return err
		case err == nil:
			worked, waiting = true, false
		case !waiting:
			p.reportRetry(err, interval) // once
			waiting = true
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// passing reports whether the API was not reached, or may answer later.
func passing(err error) bool {
	var problem *producer.Problem
	var network *url.Error
	return errors.As(err, &problem) && problem.Temporary() || errors.As(err, &network)
}
