package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"

	"recarga/internal/config"
	"recarga/internal/listen"
	"recarga/internal/sandbox"
	"recarga/internal/tracing"
)

// Sandbox is a process that is the distributor, simulated, with the probes of any other.
type Sandbox struct {
	// URL is where it listens, without a path.
	URL    string
	vendor *sandbox.Server
	on     net.Listener
	log    *slog.Logger
}

// NewSandbox begins to listen. It has the credentials and the catalogue of the settings, else its own.
func NewSandbox(ctx context.Context, s config.Settings, addr string, log *slog.Logger) (*Sandbox, error) {
	cfg := sandbox.DefaultConfig()
	cfg.CustomerID = cmp.Or(s.DistributorCustomerID, cfg.CustomerID)
	cfg.SecretKey = cmp.Or(s.DistributorSecretKey, cfg.SecretKey)
	var options []sandbox.Option
	if s.CatalogFile != "" {
		file, err := os.ReadFile(s.CatalogFile)
		if err != nil {
			return nil, fmt.Errorf("RECARGA_CATALOG: %w", err)
		}
		products, err := sandbox.ReadProducts(file)
		if err != nil {
			return nil, fmt.Errorf("RECARGA_CATALOG: %w", err)
		}
		options = append(options, sandbox.Selling(products))
	}
	on, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--addr: %w", err)
	}
	return &Sandbox{URL: urlOf(on), vendor: sandbox.New(cfg, log, options...), on: on, log: log}, nil
}

// Serve answers until ctx ends.
func (s *Sandbox) Serve(ctx context.Context) error {
	probes := NewHealth([]string{"sandbox"})
	mux := http.NewServeMux()
	mux.Handle("/", tracing.Handler(s.vendor, "/api/distributor/"))
	probes.Mount(mux)
	probes.Enter(PhaseRunning)
	server := listen.New(listen.Config{
		Handler: mux, MaxConnections: listen.LocalConnections, Share: listen.LocalConnections, Log: s.log,
	})
	return server.ServeUntil(ctx, s.on, RequestsEnd, func() {
		probes.Enter(PhaseStopping)
		s.vendor.Close()
	})
}
