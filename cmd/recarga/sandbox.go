package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"recarga/internal/app"
	"recarga/internal/command"
	"recarga/internal/config"
	"recarga/internal/listen"
	"recarga/internal/sandbox"
	"recarga/internal/tracing"
)

func newSandboxCommand(p *command.Program) *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run the distributor's API, simulated",
		Long: `Run the distributor's API as its document describes it. Magic phone numbers choose the fate of an
order: 550000 followed by 0051 is declined with code 51, by 0502 charged and then cut off, and so
on; GET / lists them all. GET /sandbox/purchases is what it really charged. It accepts
RECARGA_DISTRIBUTOR_CUSTOMER_ID and RECARGA_DISTRIBUTOR_SECRET_KEY where set, else demo and demo, and sells what
RECARGA_CATALOG has, else the products of the document.`,
		Example: "  recarga sandbox\n  recarga sandbox --addr 127.0.0.1:0",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, _, err := p.ServerSettings(cmd, nil)
			if err != nil {
				return err
			}
			log, stop := p.StartLog(cmd, s)
			defer stop()
			return serveSandbox(p, cmd.Context(), s, addr, log)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8081", "where to listen")
	config.AddFlags(cmd.Flags(), append([]string{"DISTRIBUTOR_CUSTOMER_ID", "DISTRIBUTOR_SECRET_KEY", "CATALOG"},
		logSettings...)...)
	return cmd
}

func readProducts(path string) (sandbox.Products, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return sandbox.ReadProducts(file)
}

func serveSandbox(p *command.Program, ctx context.Context, s config.Settings, addr string, log *slog.Logger) error {
	cfg := sandbox.DefaultConfig()
	if s.DistributorCustomerID != "" {
		cfg.CustomerID = s.DistributorCustomerID
	}
	if s.DistributorSecretKey != "" {
		cfg.SecretKey = s.DistributorSecretKey
	}
	var options []sandbox.Option
	if s.CatalogFile != "" {
		products, err := readProducts(s.CatalogFile)
		if err != nil {
			return command.Usage(fmt.Errorf("RECARGA_CATALOG: %w", err))
		}
		options = append(options, sandbox.Selling(products))
	}
	vendor := sandbox.New(cfg, log, options...)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return command.Usage(fmt.Errorf("--addr: %w", err))
	}
	probes := app.NewHealth([]string{"sandbox"})
	mux := http.NewServeMux()
	mux.Handle("/", tracing.Handler(vendor, "/api/distributor/"))
	probes.Mount(mux)
	probes.Enter(app.PhaseRunning)
	server := listen.New(listen.Config{
		Handler: mux, MaxConnections: listen.LocalConnections, Share: listen.LocalConnections, Log: log,
	})
	_, _ = fmt.Fprintf(p.Stdout, "The distributor, simulated: RECARGA_DISTRIBUTOR_URL=http://%s/api/distributor\n",
		listener.Addr())
	return server.ServeUntil(ctx, listener, app.RequestsEnd, func() {
		probes.Enter(app.PhaseStopping)
		vendor.Close()
	})
}
