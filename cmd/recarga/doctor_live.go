package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"recarga/internal/command"
	"recarga/internal/config"
	"recarga/internal/doctor"
	"recarga/internal/view"
	"recarga/producer"
	"recarga/topup"
)

// liveRun is a run of recarga doctor --live.
type liveRun struct {
	p *command.Program
	// The flags.
	on, yes                bool
	phone, product, amount string
	wait                   time.Duration
	// What is of the settings, and of other flags.
	settings config.Settings
	asJSON   bool
	timeout  time.Duration
	// request is the purchase that the flags ask for; nil where they ask for none.
	request *topup.Request
}

func newLiveRun(p *command.Program, cmd *cobra.Command) *liveRun {
	l, flags := &liveRun{p: p}, cmd.Flags()
	flags.BoolVar(&l.on, "live", false, "walk through the distributor's integration checklist at its real API instead")
	flags.StringVar(&l.phone, "purchase", "", "with --live: then buy one top-up for this phone number, with real money")
	flags.StringVar(&l.product, "product", "", "with --purchase: product_id (default: that of the smallest amount)")
	flags.StringVar(&l.amount, "amount", "", "with --purchase: MXN (default: the least that the product is sold for)")
	flags.BoolVar(&l.yes, "yes", false, "with --purchase: buy without asking")
	flags.DurationVar(&l.wait, "wait", 5*time.Minute,
		"with --purchase: how long to wait for the result; the order expires with it")
	p.CompletesProducts(cmd)
	return l
}

// prepare makes the order of the purchase that the flags ask for.
func (l *liveRun) prepare(cmd *cobra.Command, catalog topup.Catalog, now time.Time) error {
	if l.phone == "" {
		for _, name := range []string{"product", "amount", "yes", "wait"} {
			if cmd.Flags().Changed(name) {
				return fmt.Errorf("--%s needs --purchase PHONE", name)
			}
		}
		return nil
	}
	switch {
	case !l.on:
		return errors.New("--purchase needs --live")
	case l.wait < time.Second:
		return fmt.Errorf("--wait is %s; must be at least 1s", l.wait)
	}
	r, err := doctor.SmallPurchase(catalog, topup.Fields{
		Phone: l.phone, Product: l.product, Amount: l.amount, ExpiresAt: now.Add(l.wait).Format(time.RFC3339),
	}, now)
	if err != nil {
		return command.OfFlags(err)
	}
	if l.request = &r; !l.yes && !l.canAsk() {
		return errors.New("--purchase asks before it spends money, and there is no terminal to ask on; give --yes")
	}
	return nil
}

// run walks, and buys when it may.
func (l *liveRun) run(ctx context.Context) ([]doctor.Finding, error) {
	var show func(doctor.Finding)
	if !l.asJSON {
		names := doctor.LiveChecks()
		show = func(f doctor.Finding) { _ = view.Finding(l.p.Stdout.Screen(), f, names...) }
	}
	live := doctor.NewLive(doctor.Config{Settings: l.settings, Timeout: l.timeout}, show)
	defer live.Close()
	found := live.Examine(ctx)
	if l.request == nil || doctor.Diagnosis(found, false) != nil {
		return found, nil
	}
	bought, err := l.buy(ctx, live)
	return append(found, bought...), err
}

func (l *liveRun) buy(ctx context.Context, live *doctor.Live) ([]doctor.Finding, error) {
	p, r := l.p, *l.request
	if !l.yes {
		question := fmt.Sprintf("Buy %s for %s MXN for %s, with real money, at %s? It cannot be undone.", r.Product,
			r.Amount, r.Phone.Digits(), l.settings.DistributorURL)
		if agreed, err := l.ask(ctx, question); err != nil || !agreed {
			_, _ = fmt.Fprintln(p.Stderr, "Nothing was bought.")
			return nil, err
		}
	}
	_, _ = fmt.Fprintf(p.Stderr, "Placing order %s at %s …\n", r.ID, l.settings.APIURL)
	c, err := producer.NewClient(l.settings.APIURL, command.CallerKey(l.settings).Value,
		producer.WithRetryNotify(p.ReportRetry))
	if err != nil {
		return nil, command.Usage(err)
	}
	defer func() { _ = c.Close() }()
	found, d := live.Purchase(ctx, c, r, l.wait)
	if d.ID == "" || l.asJSON {
		return found, nil
	}
	_, err = fmt.Fprintln(p.Stdout)
	return found, cmp.Or(err, view.Details(p.Stdout.Screen(), d))
}

// canAsk reports whether a person can be asked.
func (l *liveRun) canAsk() bool {
	f, ok := l.p.Stdin.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// ask puts a question on the terminal; only yes is yes.
func (l *liveRun) ask(ctx context.Context, question string) (bool, error) {
	_, _ = fmt.Fprintf(l.p.Stderr, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(l.p.Stdin).ReadString('\n') // no answer is no
		answer <- line
	}()
	select {
	case line := <-answer:
		return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(line))), nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
