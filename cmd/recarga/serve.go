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
	return nodeCommand(p, app.Roles{API: true, Worker: true}, &cobra.Command{
		Use:   "serve",
		Short: "Run API, worker and queue UI in one process",
		Long: `Run everything in one process: the HTTP API with its documentation and the queue UI, the purchases,
the webhooks and the sweep. With no settings but the distributor's it keeps its orders in
recarga.db and its queue in memory; a restart enqueues every order that is not final.`,
		Example: `  RECARGA_DISTRIBUTOR_URL=http://127.0.0.1:8081/api/distributor \
  RECARGA_DISTRIBUTOR_CUSTOMER_ID=demo RECARGA_DISTRIBUTOR_SECRET_KEY=demo \
  RECARGA_API_KEY=dev-api-key recarga serve`,
	})
}

func newAPICommand(p *command.Program) *cobra.Command {
	return nodeCommand(p, app.Roles{API: true}, &cobra.Command{
		Use:     "api",
		Short:   "Run the HTTP API and the queue UI only",
		Long:    `Accept orders, record them and enqueue them; a "recarga worker" on the same database and Redis buys them.`,
		Example: `  recarga api --database-url postgres://recarga@db/recarga --redis-url redis://redis:6379/0`,
	})
}

func newWorkerCommand(p *command.Program) *cobra.Command {
	return nodeCommand(p, app.Roles{Worker: true}, &cobra.Command{
		Use:     "worker",
		Short:   "Run purchases, webhook delivery and the sweep only",
		Long:    `Buy the orders that the queue and the sweep bring, and deliver the webhooks. Any number may run.`,
		Example: `  recarga worker --database-url postgres://recarga@db/recarga --redis-url redis://redis:6379/0`,
	})
}
