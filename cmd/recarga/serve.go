package main

import (
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"recarga/internal/app"
	"recarga/internal/command"
	"recarga/internal/config"
)

// nodeCommand makes a command of one that runs a node with its roles until a signal stops it.
func nodeCommand(p *command.Program, r app.Roles, cmd *cobra.Command) *cobra.Command {
	config.AddFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, catalog, err := p.ServerSettings(cmd, config.NeedsDistributor)
		if err == nil {
			err = command.Usage(r.Refuse(s))
		}
		if err != nil {
			return err
		}
		// Whoever reads the log may go away. The default would end the process at its next line.
		signal.Ignore(syscall.SIGPIPE)
		log, stop := p.StartLog(cmd, s)
		defer stop()
		if s.OperatorOff != nil {
			log.Warn("the operator's endpoint is off", "error", s.OperatorOff)
		}
		for _, what := range s.Unsafe() {
			log.Warn("unsafe setting; recarga doctor says how to fix it", "what", what)
		}
		n, err := app.Start(cmd.Context(), s, catalog, r, version, log)
		switch {
		case err != nil && cmd.Context().Err() != nil:
			return nil // stopped while it waited
		case err != nil:
			return command.Usage(err)
		}
		return n.Wait(cmd.Context())
	}
	return cmd
}

func newServeCommand(p *command.Program) *cobra.Command {
	return nodeCommand(p, app.Roles{API: true, Worker: true}, &cobra.Command{Use: "serve"})
}

func newAPICommand(p *command.Program) *cobra.Command {
	return nodeCommand(p, app.Roles{API: true}, &cobra.Command{Use: "api"})
}

func newWorkerCommand(p *command.Program) *cobra.Command {
	return nodeCommand(p, app.Roles{Worker: true}, &cobra.Command{Use: "worker"})
}
