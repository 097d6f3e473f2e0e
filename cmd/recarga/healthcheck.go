package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/config"
	"recarga/internal/httpclient"
)

func newHealthcheckCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "healthcheck",
		Aliases: []string{"health"},
		Short:   "Ask a process on this machine whether it is ready",
		Long:    `Ask RECARGA_METRICS_ADDR/readyz; for the health checks of containers, whose image has no shell.`,
		Example: "  recarga healthcheck --metrics-addr 127.0.0.1:9464",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.Settings(cmd, nil)
			if err != nil {
				return err
			}
			return healthcheck(p, cmd.Context(), s.MetricsAddr)
		},
	}
	config.AddFlags(cmd.Flags(), "METRICS_ADDR")
	return cmd
}

func healthcheck(p *command.Program, ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return command.Usage(err)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1" // it listens on all addresses
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := httpclient.Guard{}.RoundTrip(req) // it has no redirects
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", strings.TrimSpace(string(answer)))
	}
	_, err = p.Stdout.Write(answer)
	return err
}
