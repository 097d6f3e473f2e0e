package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/config"
	"recarga/internal/doctor"
	"recarga/internal/terminal"
	"recarga/internal/tracing"
	"recarga/internal/view"
)

const doctorLong = `Check the settings, the database, Redis and its queues, the distributor and the callback URL: one
line each, with the fix below it. docs/doctor.md lists the checks. It changes, buys and sends nothing;
at the distributor it logs in once. Give it the settings of the process that it is to check.

With --live it walks through the distributor's integration checklist at its real API instead: login,
renewal of the token, balance, every field as documented, clock and latency. It logs in twice, and
shares the new token with the running workers through RECARGA_REDIS_URL; where the distributor allows
one session and the queue is embedded, they have to log in again, which they do. With --purchase PHONE it
then buys one top-up of the smallest amount, after asking: an ordinary order at the recarga serve of
RECARGA_API_URL, which is in the book of record and never charged twice.

Exit status: 0 when no check failed, 1 when one did (with --strict: or warned), 2 when the settings
are wrong.`

func newDoctorCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check every dependency and unsafe setting, and say how to fix it",
		Long:  doctorLong,
		Example: `  recarga doctor
  recarga doctor --strict --json --timeout 10s
  recarga doctor --live
  recarga doctor --live --purchase 5537686660`,
	}
	timeout := cmd.Flags().Duration("timeout", doctor.DefaultTimeout,
		fmt.Sprintf("what each check may take (with --live: %s)", doctor.LiveTimeout))
	strict := cmd.Flags().Bool("strict", false, "count warnings as failures")
	asJSON := command.JSONFlag(cmd)
	live := newLiveRun(p, cmd)
	config.AddFlags(cmd.Flags())
	config.AddFlags(cmd.Flags(), "API_URL")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		show := func(found []doctor.Finding) error {
			return p.Show(*asJSON, found, func(s terminal.Screen) error { return view.Findings(s, found) })
		}
		if *timeout <= 0 {
			return command.Usage(fmt.Errorf("--timeout is %s; must be above zero", *timeout))
		}
		s, catalog, err := p.ServerSettings(cmd, config.NeedsDistributor)
		if err != nil {
			return errors.Join(show(doctor.OfSettings(err)), command.Usage(errors.New("the settings are wrong")))
		}
		live.settings, live.asJSON, live.timeout = s, *asJSON, doctor.LiveTimeout
		if cmd.Flags().Changed("timeout") {
			live.timeout = *timeout
		}
		if err := live.prepare(cmd, catalog, time.Now()); err != nil {
			return command.Usage(err)
		}
		if live.on {
			found, err := live.run(cmd.Context())
			if err == nil && *asJSON {
				err = show(found)
			}
			if err != nil {
				return err
			}
			return doctor.Diagnosis(found, *strict)
		}
		cfg := doctor.Config{Settings: s, Timeout: *timeout}
		cfg.TraceCollector, cfg.TracesOff = tracing.Collector(p.Getenv)
		found := doctor.Examine(cmd.Context(), cfg)
		if err := show(found); err != nil {
			return err
		}
		return doctor.Diagnosis(found, *strict)
	}
	return cmd
}
