// Package demo runs the whole system in one process, on embedded parts, and places an order for each fate that the
// sandbox knows.
package demo

import (
	"context"
	_ "embed" // the invitation
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"recarga/internal/app"
	"recarga/internal/config"
	"recarga/internal/listen"
	"recarga/internal/sandbox"
	"recarga/internal/terminal"
	"recarga/internal/view"
	"recarga/producer"
	"recarga/topup"
	"recarga/webhook"
)

// fate is one order of the demonstration and how it must end.
type fate struct {
	phone  topup.Phone
	what   string
	state  topup.State
	reason topup.Reason
}

// fates has one order for each way an order can go; the phone numbers are the sandbox's.
var fates = []fate{
	{"5537686660", "approved at once", topup.StateSucceeded, ""},
	{"5500000000", "approved after 5 s", topup.StateSucceeded, ""},
	{"5500001091", "91 twice, then approved", topup.StateSucceeded, ""},
	{"5500001096", "96 twice, then approved", topup.StateSucceeded, ""},
	{"5500000401", "token expired mid-way", topup.StateSucceeded, ""},
	{"5500000429", "429, try later", topup.StateSucceeded, ""},
	{"5500000091", "91 always: issuer not available", topup.StateFailed, topup.ReasonRetriesExhausted},
	{"5500000096", "96 always: system error", topup.StateFailed, topup.ReasonRetriesExhausted},
	{"5500000051", "51 insufficient funds", topup.StateFailed, topup.ReasonDeclined},
	{"5500000083", "83 invalid phone number", topup.StateFailed, topup.ReasonDeclined},
	{"5500000005", "05 not authorized", topup.StateFailed, topup.ReasonDeclined},
	{"5500000012", "12 invalid transaction", topup.StateFailed, topup.ReasonDeclined},
	{"5500000013", "13 invalid amount", topup.StateFailed, topup.ReasonDeclined},
	{"5500000014", "14 invalid package", topup.StateFailed, topup.ReasonDeclined},
	{"5500000500", "HTTP 500, not charged", topup.StateUnknown, ""},
	{"5500000501", "HTTP 500, but charged", topup.StateUnknown, ""},
	{"5500000502", "charged, then cut off", topup.StateUnknown, ""},
	{"5500000503", "cut off before charging", topup.StateUnknown, ""},
	{"5500000504", "charged, answer too late", topup.StateUnknown, ""},
	{"5500000200", "charged, answer not JSON", topup.StateUnknown, ""},
	{"5500000599", "charged, HTML 502 of a proxy", topup.StateUnknown, ""},
	{"5500000002", "charged twice by the vendor", topup.StateSucceeded, ""},
}

const (
	demoDeadline = 60 * time.Second
	demoAPIKey   = "demo-api-key"
	demoAdminKey = "demo-admin-key"
)

// demo is one run of the demonstration.
type demo struct {
	out     *terminal.Output
	version string
	node    *app.Node
	client  *producer.Client

	mu       sync.Mutex
	received map[string]int // verified webhooks by "order id type"
	closers  []func()
}

// Run writes how the orders go to out. It fails where one does not end as its fate says. Once all have ended it
// returns, or with stay only when ctx ends.
func Run(ctx context.Context, out *terminal.Output, stay bool, version string) error {
	d := &demo{out: out, version: version, received: map[string]int{}}
	defer d.close()
	if err := d.start(ctx); err != nil {
		return err
	}
	d.say("Placing one order for each fate with %s\n\n", d.node.APIURL)
	if err := d.place(ctx); err != nil {
		return err
	}
	missed, err := d.watch(ctx)
	if err != nil {
		return err
	}
	if err := resultOf(missed); !stay || err != nil {
		return err
	}
	d.invite()
	<-ctx.Done()
	return nil
}

func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format, args...) }

func (d *demo) close() {
	for _, f := range slices.Backward(d.closers) {
		f()
	}
}

// start brings up sandbox, receiver and node, each on a free port of loopback.
func (d *demo) start(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "recarga-demo-")
	if err != nil {
		return err
	}
	d.closers = append(d.closers, func() { _ = os.RemoveAll(folder) })
	logFile, err := os.Create(filepath.Join(folder, "recarga.log"))
	if err != nil {
		return err
	}
	d.closers = append(d.closers, func() { _ = logFile.Close() })
	vendor := sandbox.New(sandbox.DefaultConfig(), slog.New(slog.DiscardHandler))
	vendorURL, err := d.listen(ctx, vendor)
	if err != nil {
		return err
	}
	d.closers = append(d.closers, vendor.Close)
	secret := webhook.NewSecret()
	receiverURL, err := d.listen(ctx, webhook.Handler(secret, d.receive))
	if err != nil {
		return err
	}
	settings, err := demoSettings(filepath.Join(folder, "recarga.db"), vendorURL+"/api/distributor", receiverURL, secret)
	if err != nil {
		return err
	}
	d.node, err = app.Start(ctx, settings, topup.DefaultCatalog(), app.Roles{API: true, Worker: true}, d.version,
		slog.New(slog.NewJSONHandler(logFile, nil)))
	if err != nil {
		return err
	}
	d.closers = append(d.closers, d.node.Shutdown)
	if d.client, err = producer.NewClient(d.node.APIURL, demoAPIKey); err != nil {
		return err
	}
	d.say("Everything runs in this process; nothing is kept. Log: %s\n", logFile.Name())
	return nil
}

// demoSettings are short waits, so that every fate is decided within seconds.
func demoSettings(database, vendorURL, receiverURL, secret string) (config.Settings, error) {
	env := map[string]string{
		"RECARGA_DATABASE_URL": "sqlite:" + database, "RECARGA_DISTRIBUTOR_URL": vendorURL,
		"RECARGA_DISTRIBUTOR_CUSTOMER_ID": "demo", "RECARGA_DISTRIBUTOR_SECRET_KEY": "demo",
		"RECARGA_DISTRIBUTOR_TIMEOUT": "7s", "RECARGA_SHUTDOWN_TIMEOUT": "30s",
		"RECARGA_RETRY_INITIAL": "300ms", "RECARGA_RETRY_MAX": "2s", "RECARGA_RETRY_MAX_ATTEMPTS": "4",
		"RECARGA_HTTP_ADDR": "127.0.0.1:0", "RECARGA_METRICS_ADDR": "127.0.0.1:0",
		"RECARGA_API_KEY": demoAPIKey, "RECARGA_ADMIN_KEY": demoAdminKey, "RECARGA_CALLBACK_URL": receiverURL,
		"RECARGA_WEBHOOK_SECRET": secret, "RECARGA_WEBHOOK_ALLOW_PRIVATE": "true",
	}
	return config.Load(config.NeedsDistributor, config.Environment(func(name string) string { return env[name] }))
}

func (d *demo) listen(ctx context.Context, handler http.Handler) (url string, err error) {
	url, end, err := listen.Local(ctx, handler)
	if err == nil {
		d.closers = append(d.closers, end)
	}
	return url, err
}

// receive is the checkout's side: it is called for webhooks whose signature is right.
func (d *demo) receive(_ context.Context, ev webhook.Event) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.received[string(ev.Data.ID)+" "+string(ev.Type)]++
	return nil
}

func (f fate) id() topup.ID { return topup.ID("DEMO-" + f.phone.Digits()[6:]) }

func (d *demo) place(ctx context.Context) error {
	for _, f := range fates {
		r := topup.Request{ID: f.id(), Phone: f.phone, Product: "MOVISTAR_TAE", Amount: topup.Pesos(10),
			Operator: "MOVISTAR"}
		if _, _, err := d.client.Place(ctx, r); err != nil {
			return fmt.Errorf("place %s: %w", f.id(), err)
		}
	}
	return nil
}

// watch shows the orders until all have ended and been delivered, and returns what is not as expected.
func (d *demo) watch(ctx context.Context) (missed []string, err error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	start, lines := time.Now(), 0
	for {
		rows := make([]demoRow, len(fates))
		missed = nil
		for i, f := range fates {
			if rows[i], err = d.row(ctx, f); err != nil {
				return nil, err
			}
			if !rows[i].asExpected() {
				missed = append(missed, rows[i].complaint())
			}
		}
		ended := len(missed) == 0 || time.Since(start) > demoDeadline
		if d.out.IsTerminal() || ended {
			if lines, err = d.draw(rows, lines, time.Since(start)); err != nil {
				return nil, err
			}
		}
		if ended {
			return missed, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// demoRow is one line of the table.
type demoRow struct {
	fate     fate
	order    topup.Details
	webhooks int
}

func (d *demo) row(ctx context.Context, f fate) (demoRow, error) {
	details, err := d.client.Get(ctx, f.id())
	if err != nil {
		return demoRow{}, fmt.Errorf("get %s: %w", f.id(), err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return demoRow{fate: f, order: details, webhooks: d.received[string(f.id())+" "+string(topup.EventTypeOf(f.state))]},
		nil
}

func (r demoRow) asExpected() bool {
	return r.order.State == r.fate.state && r.order.Reason == r.fate.reason && r.webhooks > 0
}

func (r demoRow) complaint() string {
	return fmt.Sprintf("%s (%s) is %s with %d webhooks; expected %s", r.fate.id(), r.fate.what,
		view.StateOf(r.order.Order),
		r.webhooks, r.fate.state)
}

// draw writes the table over the one it wrote before.
func (d *demo) draw(rows []demoRow, before int, elapsed time.Duration) (lines int, err error) {
	cells := make([][]string, len(rows))
	for i, r := range rows {
		delivered := ""
		if r.webhooks > 0 {
			delivered = "verified"
		}
		cells[i] = []string{string(r.fate.id()), r.fate.what, view.StateOf(r.order.Order),
			strconv.Itoa(r.order.AttemptCount),
			string(r.order.ResponseCode), delivered}
	}
	var b strings.Builder
	s := d.out.Screen()
	s.Writer = &b
	if err := s.Table([]string{"ORDER", "FATE", "STATE", "ATTEMPTS", "CODE", "WEBHOOK"}, cells, "CODE",
		"ATTEMPTS"); err != nil {
		return 0, err
	}
	fmt.Fprintf(&b, "after %.1f s\n", elapsed.Seconds())
	d.say("%s", s.Over(before)+b.String())
	return strings.Count(b.String(), "\n"), nil
}

func resultOf(missed []string) error {
	if len(missed) == 0 {
		return nil
	}
	errs := []error{errors.New("not as expected")}
	for _, what := range missed {
		errs = append(errs, errors.New("  "+what))
	}
	return errors.Join(errs...)
}

//go:embed invite.txt
var invitation string

// invite says what can be opened and how to place another order.
func (d *demo) invite() {
	d.say(invitation, d.node.APIURL, d.node.MetricsURL, demoAdminKey, demoAPIKey)
}
