package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/app"
	"recarga/internal/config"
	"recarga/internal/listen"
	"recarga/internal/sandbox"
	"recarga/internal/tracing"
)

// localConnections bounds those to a server that stands in for somebody else on a developer's machine: all of them are
// of one address, and may be as many as RECARGA_DISTRIBUTOR_CONCURRENCY.
const localConnections = 16_384

func newSandboxCommand(p *program) *cobra.Command {
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
			s, _, err := p.serverSettings(cmd, nil)
			if err != nil {
				return err
			}
			log, stop := p.startLog(cmd, s)
			defer stop()
			return p.serveSandbox(cmd.Context(), s, addr, log)
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

func (p *program) serveSandbox(ctx context.Context, s config.Settings, addr string, log *slog.Logger) error {
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
			return usage(fmt.Errorf("RECARGA_CATALOG: %w", err))
		}
		options = append(options, sandbox.Selling(products))
	}
	vendor := sandbox.New(cfg, log, options...)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return usage(fmt.Errorf("--addr: %w", err))
	}
	probes := app.NewHealth([]string{"sandbox"})
	mux := http.NewServeMux()
	mux.Handle("/", tracing.Handler(vendor, "/api/distributor/"))
	probes.Mount(mux)
	probes.Enter(app.PhaseRunning)
	server := listen.New(listen.Config{Handler: mux, MaxConnections: localConnections, Share: localConnections, Log: log})
	_, _ = fmt.Fprintf(p.stdout, "The distributor, simulated: RECARGA_DISTRIBUTOR_URL=http://%s/api/distributor\n",
		listener.Addr())
	return serveUntil(ctx, server, listener, app.RequestsEnd, func() {
		probes.Enter(app.PhaseStopping)
		vendor.Close()
	})
}

// serveUntil serves until ctx ends. Then it calls stopping, and waits for the requests under way, but not longer than
// wait; those that take longer are cut off, and an error that is context.DeadlineExceeded.
func serveUntil(
	ctx context.Context, server *listen.Server, on net.Listener, wait time.Duration, stopping func(),
) error {
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(on) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stopping()
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	err := server.Shutdown(waiting)
	_ = server.Close()
	if ended := <-ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
