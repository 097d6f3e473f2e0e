package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/story"
	"recarga/internal/terminal"
	"recarga/producer"
	"recarga/topup"
)

func newBulkCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "bulk"}
	cmd.AddCommand(newBulkListCommand(p), newBulkShowCommand(p), newBulkStopCommand(p),
		newBulkOrdersCommand(p, topup.BulkResolve), newBulkOrdersCommand(p, topup.BulkCancel), newBulkEventsCommand(p))
	return cmd
}

// bulkFlags are those of every command that begins an action.
type bulkFlags struct {
	request producer.BulkRequest
	json    *bool
}

func (f *bulkFlags) add(cmd *cobra.Command, kind topup.BulkKind) {
	f.request.Action = kind
	cmd.Flags().StringVar(&f.request.Reason, "reason", "", "why")
	command.ByFlag(cmd.Flags(), &f.request.By)
	cmd.Flags().StringVar(&f.request.Confirm, "confirm", "", "do it: what the same command without it printed")
	f.json = command.JSONFlag(cmd)
}

// run shows what would be done, or has it done.
func (f *bulkFlags) run(p *command.Program, c command.Call) error {
	answer, err := c.API.Bulk(c.Ctx, f.request)
	switch {
	case err != nil:
		return wrongFilter(err)
	case *f.json:
		return terminal.PrintJSON(p.Stdout, answer)
	case answer.Started != nil:
		return printBulks(p.Stdout.Screen(), *answer.Started)
	}
	what := terminal.CountOf(answer.Count, "event", "events")
	if f.request.Action != topup.BulkRedeliver {
		what = terminal.CountOf(answer.Count, "order", "orders") + " of " + answer.Amount.String() + " MXN"
	}
	var of []string
	for _, caller := range answer.Callers {
		of = append(of, fmt.Sprintf("%s %d", terminal.Printable(caller.Caller), caller.Count))
	}
	if answer.Count == 0 {
		_, err = fmt.Fprintln(p.Stdout, "None match: there is nothing to do.")
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "Would %s %s (%s). Nothing was done.\nTo do it to exactly these: the same command "+
		"with --confirm %s\n", f.request.Action, what, strings.Join(of, ", "), terminal.Printable(answer.Confirm))
	return err
}

func newBulkOrdersCommand(p *command.Program, kind topup.BulkKind) *cobra.Command {
	cmd := &cobra.Command{Use: string(kind)}
	var f bulkFlags
	f.add(cmd, kind)
	// --reason is why it is done: such orders have not failed, for whatever reason.
	filters := slices.DeleteFunc(listFilters(), func(f filterFlag) bool { return f.flag == "reason" })
	addFilters(p, cmd, filters)
	if kind == topup.BulkResolve {
		cmd.Flags().StringVar((*string)(&f.request.Outcome), "as", "", "what happened: succeeded, failed or resend")
		cmd.Flags().BoolVar(&f.request.Force, "force", false, "also while a worker may still be acting on them")
		command.Completes(cmd, "as", topup.ResolvedSucceeded, topup.ResolvedFailed, topup.ResolvedResend)
	}
	return command.Client(p, cmd, func(c command.Call) error {
		o, err := readFilters(cmd, filters)
		if err != nil {
			return err
		}
		f.request.Filter = o.Query()
		return f.run(p, c)
	})
}

func newBulkEventsCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: string(topup.BulkRedeliver)}
	var f bulkFlags
	f.add(cmd, topup.BulkRedeliver)
	filter := eventFlags(cmd)
	return command.Client(p, cmd, func(c command.Call) error {
		chosen, err := filter()
		if err != nil {
			return err
		}
		f.request.Filter = producer.EventQuery(chosen)
		return f.run(p, c)
	})
}

func newBulkListCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "list"}
	all := cmd.Flags().Bool("all", false, "all pages")
	asJSON := command.JSONFlag(cmd)
	return command.Client(p, cmd, func(c command.Call) error {
		for cursor := ""; ; {
			page, next, err := c.API.BulkActions(c.Ctx, cursor)
			if err == nil {
				err = command.PrintList(p, page, *asJSON, "No bulk actions.", printBulks)
			}
			if err != nil || next == "" || !*all {
				return errorOr(err, func() error { return more(p, next, *asJSON) })
			}
			cursor = next
		}
	})
}

func errorOr(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

func newBulkShowCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "show ID", Args: cobra.ExactArgs(1)}
	wait := cmd.Flags().Bool("wait", false, "until it is done or has stopped")
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (topup.BulkAction, error) {
		for {
			a, err := c.API.BulkAction(c.Ctx, c.Args[0])
			if err != nil || !*wait || a.EndedAt != nil {
				return a, err
			}
			select {
			case <-c.Ctx.Done():
				return a, c.Ctx.Err()
			case <-time.After(time.Second):
			}
		}
	}, printBulk)
}

func newBulkStopCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "stop ID", Args: cobra.ExactArgs(1)}
	var by string
	command.ByFlag(cmd.Flags(), &by)
	return command.Show(p, cmd, command.AdminKey, func(c command.Call) (topup.BulkAction, error) {
		return c.API.StopBulk(c.Ctx, c.Args[0], by)
	}, printBulk)
}

func printBulk(s terminal.Screen, a topup.BulkAction) error {
	if err := printBulks(s, a); err != nil || len(a.Refusals) == 0 {
		return err
	}
	var rows [][]string
	for _, r := range a.Refusals {
		rows = append(rows, []string{r.ID, r.Why})
	}
	return s.Table([]string{"REFUSED", "WHY"}, rows)
}

func printBulks(s terminal.Screen, all ...topup.BulkAction) error {
	var rows [][]string
	for _, a := range all {
		action := string(a.Action)
		if a.Outcome != "" {
			action += " as " + string(a.Outcome)
		}
		rows = append(rows, []string{a.ID, action, string(a.State), fmt.Sprint(a.Count), fmt.Sprint(a.Done),
			fmt.Sprint(a.Refused), a.By, a.Reason, story.Clock(a.CreatedAt)})
	}
	return s.Table([]string{"ID", "ACTION", "STATE", "CHOSEN", "DONE", "REFUSED", "BY", "WHY", "BEGUN"}, rows)
}
