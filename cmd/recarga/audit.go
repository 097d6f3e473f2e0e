package main

import (
	"encoding/csv"
	"errors"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/csvsafe"
	"recarga/internal/params"
	"recarga/internal/view"
	"recarga/topup/desk"
)

func newAuditCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Args: cobra.NoArgs}
	flags := cmd.Flags()
	var f desk.ActFilter
	flags.StringVar(&f.By, "by", "", "what this operator or caller did")
	flags.StringVar(&f.Action, "action", "", "actions of this name, as in resolveTopup")
	flags.StringVar(&f.On, "on", "", "what was done to this order, event, caller or control")
	flags.StringVar(&f.Via, "via", "", "what was done with this: api, console, cli or local")
	flags.StringVar(&f.ID, "act", "", "each thing that the action with this id changed")
	since := flags.String("since", "",
		"at or after this time: RFC 3339, a date, today, yesterday, or how long ago (1h, 2d)")
	until := flags.String("until", "", "before this time, as in --since")
	flags.IntVar(&f.Limit, "limit", 50, "actions of a page, 1 to 200")
	all := flags.Bool("all", false, "all pages")
	asCSV := flags.Bool("csv", false, "print CSV, all pages")
	asJSON := command.JSONFlag(cmd)
	command.Completes(cmd, "via", desk.Vias()...)
	return command.Client(p, cmd, func(c command.Call) error {
		given, now := params.Reader{Values: url.Values{"since": {*since}, "until": {*until}}}, time.Now()
		f.Since = params.Read(&given, "since", params.Moment("since", now))
		f.Until = params.Read(&given, "until", params.Moment("until", now))
		err := given.Err()
		if *asCSV && *asJSON {
			err = errors.Join(err, errors.New("--csv and --json exclude each other"))
		}
		if err != nil {
			return command.Usage(err)
		}
		if *asCSV {
			return auditCSV(p, c, f)
		}
		return auditPages(p, c, f, *all, *asJSON)
	})
}

func auditPages(p *command.Program, c command.Call, f desk.ActFilter, all, asJSON bool) error {
	for {
		acts, next, err := c.API.Audit(c.Ctx, f)
		if err != nil {
			return wrongFilter(err)
		}
		if err := command.PrintList(p, acts, asJSON, "No actions.", view.Acts); err != nil {
			return err
		}
		if next == "" || !all {
			return more(p, next, asJSON)
		}
		f.Cursor = next
	}
}

// auditCSV writes all pages.
func auditCSV(p *command.Program, c command.Call, f desk.ActFilter) error {
	to := csv.NewWriter(p.Stdout.Exact())
	if err := to.Write(desk.ActColumns()); err != nil {
		return err
	}
	for {
		acts, next, err := c.API.Audit(c.Ctx, f)
		if err != nil {
			return wrongFilter(err)
		}
		for _, a := range acts {
			if err := to.Write(csvsafe.Row(a.Columns())); err != nil {
				return err
			}
		}
		if f.Cursor = next; next == "" {
			to.Flush()
			return to.Error()
		}
	}
}
