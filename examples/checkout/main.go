// Command checkout is an example of a shop that sells top-ups through Recarga: a form places an order,
// and a page shows what becomes of it, as it happens.
//
// A real shop takes the customer's money before it places the order, and gives it back when the order is
// failed or canceled, never while it is unknown. This one takes none: keep it on your own machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"recarga/producer"
	"recarga/webhook"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var errUsage = errors.New("not started")

// settings are what the shop must know. The secrets come from the environment only: everybody on the
// machine can read a command line.
type settings struct {
	addr, apiURL, apiKey, secret string
	poll                         time.Duration
}

func parse(args []string, getenv func(string) string) (settings, error) {
	s := settings{apiKey: getenv("RECARGA_API_KEY"), secret: getenv("RECARGA_WEBHOOK_SECRET")}
	apiURL := getenv("RECARGA_API_URL")
	if apiURL == "" {
		apiURL = "http://127.0.0.1:8080"
	}
	flags := flag.NewFlagSet("checkout", flag.ContinueOnError)
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8090", "listen here; port 0 takes any free one")
	flags.StringVar(&s.apiURL, "api-url", apiURL, "Recarga's API (RECARGA_API_URL)")
	flags.DurationVar(&s.poll, "poll", 5*time.Second, "ask for an order so often, in case its webhook is late")
	if err := flags.Parse(args); err != nil {
		return s, errors.Join(errUsage, err)
	}
	var wrong []error
	if s.apiKey == "" {
		wrong = append(wrong, errors.New("RECARGA_API_KEY is not set"))
	}
	if err := webhook.ParseSecret(s.secret); err != nil {
		wrong = append(wrong, fmt.Errorf("RECARGA_WEBHOOK_SECRET: %w", err))
	}
	if s.poll <= 0 {
		wrong = append(wrong, errors.New("-poll must be a positive duration, as in 5s"))
	}
	if len(wrong) > 0 {
		return s, errors.Join(append([]error{errUsage}, wrong...)...)
	}
	return s, nil
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	s, err := parse(args, getenv)
	if err != nil {
		return err
	}
	client, err := producer.NewClient(s.apiURL, s.apiKey)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.addr)
	if err != nil {
		return err
	}
	shop := newShop(client, s.poll)
	server := &http.Server{
		Handler: shop.routes(s.secret), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: writeTimeout, MaxHeaderBytes: 16 << 10,
	}
	server.RegisterOnShutdown(func() { close(shop.closing) })
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	_, _ = fmt.Fprintf(stdout, "listening on http://%s, webhooks at http://%[1]s/recarga\n", listener.Addr())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	return server.Shutdown(ending)
}
