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

func newDoctorCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "doctor"}
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
