package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/view"
	"recarga/producer"
	"recarga/topup"
)

func newGetCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "get ID", Args: cobra.ExactArgs(1)}
	wait := cmd.Flags().Duration("wait", 0, "wait so long for the order to be final, or held as unknown")
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (topup.Details, error) {
		id := topup.ID(c.Args[0])
		if *wait <= 0 {
			return c.API.Get(c.Ctx, id)
		}
		return await(c.Ctx, c.API, id, *wait)
	}, view.Details)
}

// await is the order as it is when the wait ends, whatever it is then.
func await(ctx context.Context, api *producer.Client, id topup.ID, wait time.Duration) (topup.Details, error) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	d, err := api.Wait(waiting, id)
	if d.ID != "" && errors.Is(err, context.DeadlineExceeded) {
		err = ctx.Err()
	}
	return d, err
}
