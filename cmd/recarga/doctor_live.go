package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"recarga/internal/config"
	"recarga/internal/coordination"
	"recarga/internal/doctor"
	"recarga/internal/queue"
	"recarga/producer"
	"recarga/topup"
)

// liveFlags are those of recarga doctor --live.
type liveFlags struct {
	on                     *bool
	phone, product, amount *string
	yes                    *bool
	wait                   *time.Duration
}

// purchaseFlags need --purchase.
var purchaseFlags = []string{"product", "amount", "yes", "wait"}

func (p *program) addLiveFlags(cmd *cobra.Command) liveFlags {
	f := liveFlags{
		on: cmd.Flags().Bool("live", false,
			"walk through the distributor's integration checklist at its real API instead"),
		phone: cmd.Flags().String("purchase", "",
			"with --live: then buy one top-up for this phone number, with real money"),
		product: cmd.Flags().String("product", "", "with --purchase: product_id (default: that of the smallest amount)"),
		amount:  cmd.Flags().String("amount", "", "with --purchase: MXN (default: the least that the product is sold for)"),
		yes:     cmd.Flags().Bool("yes", false, "with --purchase: buy without asking"),
		wait: cmd.Flags().Duration("wait", 5*time.Minute,
			"with --purchase: how long to wait for the result; the order expires with it"),
	}
	p.completesProducts(cmd)
	return f
}

// request is the purchase that the flags ask for; nil where they ask for none.
func (f liveFlags) request(cmd *cobra.Command, catalog topup.Catalog, now time.Time) (*topup.Request, error) {
	if *f.phone == "" {
		if i := slices.IndexFunc(purchaseFlags, cmd.Flags().Changed); i >= 0 {
			return nil, fmt.Errorf("--%s needs --purchase PHONE", purchaseFlags[i])
		}
		return nil, nil
	}
	switch {
	case !*f.on:
		return nil, errors.New("--purchase needs --live")
	case *f.wait < time.Second:
		return nil, fmt.Errorf("--wait is %s; must be at least 1s", *f.wait)
	}
	product, amount := cheapest(catalog, *f.product)
	if *f.amount != "" {
		amount = *f.amount
	}
	r, err := catalog.Request(topup.Fields{
		ID: fmt.Sprintf("doctor-%s-%s", now.UTC().Format("20060102T150405Z"), rand.Text()[:6]), Phone: *f.phone,
		Product: product, Amount: amount,
		ExpiresAt: now.Add(*f.wait).Format(time.RFC3339), Metadata: map[string]string{"placed_by": "recarga doctor"},
	})
	if err != nil {
		return nil, ofFlags(err)
	}
	return &r, nil
}

// cheapest is the product and its least amount, of those there are or of the one that is named.
func cheapest(catalog topup.Catalog, named string) (product, amount string) {
	least := slices.MinFunc(catalog.Products(), func(a, b topup.Product) int { return cmp.Compare(a.Min, b.Min) })
	if named == "" {
		return least.ID, least.Min.String()
	}
	if p, ok := catalog.Product(named); ok {
		least = p
	}
	return named, least.Min.String() // what is no product is refused with the rest
}

// doctorLive walks, and buys when it may.
func (p *program) doctorLive(
	cmd *cobra.Command, s config.Settings, c topup.Catalog, f liveFlags, timeout time.Duration, asJSON, strict bool,
) error {
	request, err := f.request(cmd, c, time.Now())
	if err != nil {
		return usage(err)
	}
	if request != nil && !*f.yes && !p.canAsk() {
		return usage(errors.New("--purchase asks before it spends money, and there is no terminal to ask on; give --yes"))
	}
	cfg := doctor.LiveConfig{
		URL: s.DistributorURL, CustomerID: s.DistributorCustomerID, SecretKey: s.DistributorSecretKey, Timeout: timeout,
	}
	if rdb := sharedRedis(s); rdb != nil {
		defer func() { _ = rdb.Close() }()
		cfg.Tokens = coordination.Redis{Client: rdb}.TokenStore(s.DistributorCustomerID, s.DistributorSecretKey,
			s.DistributorURL)
	}
	if !asJSON {
		cfg.Show = p.showLive
	}
	live := doctor.NewLive(cfg)
	defer live.Close()
	found := live.Examine(cmd.Context())
	if request != nil && diagnosis(found, false) == nil {
		bought, err := p.liveBuy(cmd.Context(), live, s, *request, f, asJSON)
		found = append(found, bought...)
		if err != nil {
			return err
		}
	}
	if asJSON {
		if err := printJSON(p.stdout, found); err != nil {
			return err
		}
	}
	return diagnosis(found, strict)
}

// sharedRedis is where the workers share the token; nil where each keeps its own.
func sharedRedis(s config.Settings) redis.UniversalClient {
	options, err := queue.ParseURL(s.RedisURL)
	if s.RedisURL == queue.Embedded || err != nil {
		return nil
	}
	return redis.NewUniversalClient(options)
}

// showLive prints a finding as soon as it is there.
func (p *program) showLive(f doctor.Finding) {
	widest := 0
	for _, c := range doctor.LiveChecks() {
		widest = max(widest, len(c.Name))
	}
	_ = p.showFinding(p.stdout, f, widest)
}

func (p *program) liveBuy(
	ctx context.Context, live *doctor.Live, s config.Settings, r topup.Request, f liveFlags, asJSON bool,
) ([]doctor.Finding, error) {
	if !*f.yes {
		question := fmt.Sprintf("Buy %s for %s MXN for %s, with real money, at %s? It cannot be undone.", r.Product,
			r.Amount, r.Phone.Digits(), s.DistributorURL)
		if agreed, err := p.ask(ctx, question); err != nil || !agreed {
			_, _ = fmt.Fprintln(p.stderr, "Nothing was bought.")
			return nil, err
		}
	}
	_, _ = fmt.Fprintf(p.stderr, "Placing order %s at %s …\n", r.ID, s.APIURL)
	c := producer.NewClient(s.APIURL, keyOfCaller(s), producer.WithRetryNotify(p.reportRetry))
	found, d := live.Purchase(ctx, c, r, *f.wait)
	if d.ID == "" || asJSON {
		return found, nil
	}
	if _, err := fmt.Fprintln(p.stdout); err != nil {
		return found, err
	}
	return found, p.terminal().details(p.stdout, d)
}

// canAsk reports whether a person can be asked.
func (p *program) canAsk() bool {
	f, ok := p.stdin.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// ask puts a question on the terminal; only yes is yes.
func (p *program) ask(ctx context.Context, question string) (bool, error) {
	_, _ = fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(p.stdin).ReadString('\n') // no answer is no
		answer <- line
	}()
	select {
	case line := <-answer:
		return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(line))), nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
