package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"recarga/internal/bench"
	"recarga/internal/command"
	"recarga/internal/config"
	"recarga/internal/journal"
	"recarga/internal/journal/search"
	"recarga/internal/queue"
	"recarga/internal/terminal"
)

func newBenchCommand(p *command.Program) *cobra.Command {
	cfg := bench.Defaults()
	var asJSON string
	cmd := &cobra.Command{Use: "bench"}
	flags := cmd.Flags()
	flags.IntVar(&cfg.Orders, "orders", cfg.Orders, "orders of the standard job")
	flags.IntVar(&cfg.Connections, "connections", cfg.Connections, "connections that place them")
	flags.IntVar(&cfg.Rounds, "rounds", cfg.Rounds, "rounds of each contender")
	flags.IntVar(&cfg.Lone, "lone", cfg.Lone, "orders placed one by one; 0 leaves this out")
	flags.IntVar(&cfg.Rate, "rate", cfg.Rate, "orders a second while the API is timed; 0 leaves this out")
	flags.DurationVar(&cfg.For, "for", cfg.For, "how long they come in")
	flags.IntVar(&cfg.Scheduled, "scheduled", cfg.Scheduled, "orders that are due within --within, to see how late each "+
		"is; 0 leaves this out")
	flags.DurationVar(&cfg.Within, "within", cfg.Within, "when the last of them is due")
	flags.IntVar(&cfg.InFlight, "in-flight", cfg.InFlight, "purchases at once, at a vendor that takes --slow; 0 leaves "+
		"this out")
	flags.DurationVar(&cfg.Slow, "slow", cfg.Slow, "how long that vendor takes to answer a purchase")
	flags.DurationVar(&cfg.Idle, "idle", cfg.Idle, "how long a waiting program is watched; 0 leaves this out")
	flags.StringSliceVar(&cfg.Only, "only", nil, "contenders to measure, by name (plain asynq, embedded, …)")
	flags.StringVar(&asJSON, "json", "", "write the results as JSON to this file (- is standard output, instead of the "+
		"table)")
	config.AddFlags(cmd.Flags(), append([]string{"DATABASE_URL", "REDIS_URL"}, logSettings...)...)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.Settings(cmd, nil)
		if err != nil {
			return err
		}
		return runBench(p, cmd.Context(), cfg, s, asJSON)
	}
	cmd.AddCommand(newRivalCommand(p))
	return cmd
}

func newRivalCommand(p *command.Program) *cobra.Command {
	var r bench.Rival
	cmd := &cobra.Command{
		Use: "rival KIND", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Kind = args[0]
			return r.Serve(cmd.Context(), p.Stdin, p.Stdout)
		},
	}
	cmd.Flags().StringVar(&r.RedisAddr, "redis", "", "host:port")
	cmd.Flags().StringVar(&r.VendorURL, "vendor", "", "the vendor's URL")
	cmd.Flags().StringVar(&r.HookURL, "hook", "", "the receiver's URL")
	return cmd
}

// runBench measures, and says what it has got even when it is cut short.
func runBench(p *command.Program, ctx context.Context, cfg bench.Config, s config.Settings,
	asJSON string) (err error) {
	if cfg.Folder, err = os.MkdirTemp("", "recarga-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(cfg.Folder) }()
	if cfg.Program, err = os.Executable(); err != nil {
		return err
	}
	cfg.Log = command.NewLogger(s, p.Stderr)
	for _, entry := range p.Environ {
		if !strings.HasPrefix(entry, config.Prefix) {
			cfg.Environ = append(cfg.Environ, entry)
		}
	}
	if err := cmp.Or(given(ctx, &cfg, s), cfg.Validate()); err != nil {
		return command.Usage(err)
	}
	report, err := bench.Run(ctx, cfg)
	if asJSON != "" {
		err = errors.Join(err, writeReport(p, report, asJSON))
	}
	if asJSON != "-" {
		err = errors.Join(err, report.Table(p.Stdout))
	}
	return err
}

func writeReport(p *command.Program, report *bench.Report, path string) error {
	if path == "-" {
		return terminal.PrintJSON(p.Stdout, report)
	}
	f, err := os.Create(path)
	if err != nil {
		return command.Usage(fmt.Errorf("--json: %w", err))
	}
	return errors.Join(terminal.PrintJSON(f, report), f.Close())
}

// given notes which database and Redis are to be measured, where these are not the defaults, and refuses
// those that somebody needs.
func given(ctx context.Context, cfg *bench.Config, s config.Settings) error {
	standard, err := config.Load(nil)
	if err != nil {
		return err
	}
	if s.DatabaseURL != standard.DatabaseURL {
		cfg.DatabaseURL = s.DatabaseURL
		j, err := journal.Open(ctx, s.DatabaseURL)
		if err != nil {
			return err
		}
		orders, _, err := j.List(ctx, search.Filter{Limit: 1})
		if err = errors.Join(err, j.Close()); err != nil {
			return err
		}
		if len(orders) > 0 {
			return errors.New("RECARGA_DATABASE_URL holds orders; the benchmark would fill it with its own: give it an empty " +
				"one")
		}
	}
	if s.RedisURL != standard.RedisURL {
		cfg.RedisURL = s.RedisURL
		q, err := queue.Open(ctx, s.RedisURL, cfg.Log)
		if err != nil {
			return err
		}
		keys, err := q.Redis().DBSize(ctx).Result()
		if err = errors.Join(err, q.Close()); err != nil {
			return err
		}
		if keys > 0 {
			return errors.New("RECARGA_REDIS_URL holds keys; the benchmark would work on them: give it an empty one")
		}
	}
	return nil
}
