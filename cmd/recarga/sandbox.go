package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"recarga/internal/app"
	"recarga/internal/command"
	"recarga/internal/config"
)

func newSandboxCommand(p *command.Program) *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use: "sandbox",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, _, err := p.ServerSettings(cmd, nil)
			if err != nil {
				return err
			}
			log, stop := p.StartLog(cmd, s)
			defer stop()
			vendor, err := app.NewSandbox(cmd.Context(), s, addr, log)
			if err != nil {
				return command.Usage(err)
			}
			_, _ = fmt.Fprintf(p.Stdout, "The distributor, simulated: RECARGA_DISTRIBUTOR_URL=%s/api/distributor\n", vendor.URL)
			return vendor.Serve(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8081", "where to listen")
	config.AddFlags(cmd.Flags(), append([]string{"DISTRIBUTOR_CUSTOMER_ID", "DISTRIBUTOR_SECRET_KEY", "CATALOG"},
		logSettings...)...)
	return cmd
}
