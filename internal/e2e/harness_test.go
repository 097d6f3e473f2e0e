// Package e2e runs the recarga program as its users do: real processes, a real distributor (the
// sandbox), real webhooks, real databases and Redis. What really happened is asked of the sandbox's
// own ledger, never of Recarga.
package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"recarga/internal/journal/journaltest"
	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
	"recarga/webhook"
)

const (
	apiKey   = "e2e-api-key"
	adminKey = "e2e-admin-key"
	// patience bounds every wait.
	patience = testkit.Patience
)

var binary string

// raced reports whether the program is built with the race detector: in make prove, where the tests have it. It takes
// most of the time of such a program, and each package's own tests run under it in make test.
var raced = testkit.RaceDetector && testkit.Proving()

// TestMain builds the program once.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "recarga-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(folder) }()
		binary = filepath.Join(folder, "recarga")
		build := exec.Command("go", "build", fmt.Sprint("-race=", raced), "-o", binary, "recarga/cmd/recarga")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build recarga: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// world is everything around Recarga in one test.
type world struct {
	vendor    *sandbox.Server
	vendorURL string
	hooks     *receiver
	receiver  http.Handler // verifies, and says hooks
	env       map[string]string
	// binary is the program; "" is the one of these sources.
	binary string
}

// newWorld has a vendor, a receiver, and settings with short waits. The embedded queue and a SQLite
// file are the defaults; a test changes env as it needs.
func newWorld(t testing.TB, change func(*sandbox.Config)) *world {
	t.Helper()
	cfg := sandbox.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	w := &world{vendor: sandbox.New(cfg, slog.New(slog.DiscardHandler)), hooks: newReceiver()}
	w.vendorURL = serve(t, w.vendor)
	t.Cleanup(w.vendor.Close)
	secret := webhook.NewSecret()
	w.receiver = webhook.Handler(secret, w.hooks.receive)
	w.env = map[string]string{
		"RECARGA_DATABASE_URL": journaltest.SQLite(t), "RECARGA_REDIS_URL": "embedded",
		"RECARGA_DISTRIBUTOR_URL":         w.vendorURL + "/api/distributor",
		"RECARGA_DISTRIBUTOR_CUSTOMER_ID": "demo", "RECARGA_DISTRIBUTOR_SECRET_KEY": "demo",
		"RECARGA_DISTRIBUTOR_TIMEOUT": "5s", "RECARGA_SHUTDOWN_TIMEOUT": "20s",
		"RECARGA_RETRY_INITIAL": "200ms", "RECARGA_RETRY_MAX": "2s", "RECARGA_RETRY_MAX_ATTEMPTS": "4",
		"RECARGA_HTTP_ADDR": "127.0.0.1:0", "RECARGA_METRICS_ADDR": "127.0.0.1:0",
		"RECARGA_API_KEY": apiKey, "RECARGA_ADMIN_KEY": adminKey,
		"RECARGA_CALLBACK_URL": serve(t, w.receiver), "RECARGA_WEBHOOK_SECRET": secret, "RECARGA_WEBHOOK_ALLOW_PRIVATE": "true",
	}
	return w
}

// charges counts what the vendor really charged, by order.
func (w *world) charges() map[topup.ID]int {
	charged := map[topup.ID]int{}
	for _, p := range w.vendor.Purchases() {
		charged[topup.ID(p.DistributorTransactionID)]++
	}
	return charged
}

// receiver is a checkout's side: what it was notified, by event id and by order.
type receiver struct {
	mu     sync.Mutex
	events map[string]webhook.Event
	latest map[topup.ID]webhook.Event
	tries  int
}

func newReceiver() *receiver {
	return &receiver{events: map[string]webhook.Event{}, latest: map[topup.ID]webhook.Event{}}
}

func (r *receiver) receive(_ context.Context, ev webhook.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[ev.ID] = ev
	if ev.Data.Sequence > r.latest[ev.Data.ID].Data.Sequence {
		r.latest[ev.Data.ID] = ev
	}
	r.tries++
	return nil
}

// last is what the checkout believes of an order: the event with the highest sequence.
func (r *receiver) last(id topup.ID) (latest webhook.Event, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	latest, ok = r.latest[id]
	return latest, ok
}

// orders are those of which the checkout was notified.
func (r *receiver) orders() map[topup.ID]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[topup.ID]bool{}
	for id := range r.latest {
		all[id] = true
	}
	return all
}

// process is one running recarga.
type process struct {
	*program
	// listening closes when metricsURL is known, ready when it says that it has started.
	listening, ready   chan struct{}
	apiURL, metricsURL string
}

// start runs `recarga COMMAND` with the world's settings and waits until it is ready.
func (w *world) start(t testing.TB, command string) *process {
	t.Helper()
	p := w.launch(t, command)
	p.await(p.ready)
	return p
}

// launch is start without the wait.
func (w *world) launch(t testing.TB, command string) *process {
	t.Helper()
	p := &process{listening: make(chan struct{}), ready: make(chan struct{})}
	cmd := exec.Command(cmp.Or(w.binary, binary), command)
	cmd.Env, cmd.Dir = environ(w.env), t.TempDir()
	p.program = begin(t, cmd, p.hear)
	return p
}

func environ(env map[string]string) []string {
	list := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GORACE=" + os.Getenv("GORACE")}
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// hear learns where the process listens, and that it has started.
func (p *process) hear(line []byte) {
	var record struct{ Msg, Setting, URL string }
	if json.Unmarshal(line, &record) != nil {
		return
	}
	switch record.Msg + record.Setting {
	case "listeningRECARGA_HTTP_ADDR":
		p.apiURL = record.URL
	case "listeningRECARGA_METRICS_ADDR":
		p.metricsURL = record.URL
		close(p.listening)
	case "started":
		close(p.ready)
	}
}

// terminate is SIGTERM; it returns the exit status.
func (p *process) terminate() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	p.ended()
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) client() *producer.Client { return clientOf(p.apiURL, apiKey) }

func clientOf(url, key string, options ...producer.ClientOption) *producer.Client {
	c, err := producer.NewClient(url, key, options...)
	if err != nil {
		panic(err)
	}
	return c
}

// output is what a command that ends prints.
type output struct {
	stdout, stderr string
	status         int
}

// run runs a command to its end.
func (w *world) run(t testing.TB, args ...string) output {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = environ(w.env)
	var stdout, stderr writer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return output{stdout: string(stdout), stderr: string(stderr), status: cmd.ProcessState.ExitCode()}
}

type writer []byte

func (w *writer) Write(p []byte) (int, error) { *w = append(*w, p...); return len(p), nil }

// order is a request for an ordinary top-up.
func order(id string, phone topup.Phone) topup.Request {
	return topup.Request{ID: topup.ID(id), Phone: phone, Product: "MOVISTAR_TAE", Amount: topup.Pesos(10)}
}

func place(t testing.TB, c *producer.Client, r topup.Request) topup.Order {
	t.Helper()
	o, _, err := c.Place(t.Context(), r)
	if err != nil {
		t.Fatalf("place %s: %v", r.ID, err)
	}
	return o
}

func get(t testing.TB, c *producer.Client, id topup.ID) topup.Details {
	t.Helper()
	d, err := c.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("get %s: %v", id, err)
	}
	return d
}

// settled waits until an order is final or held.
func settled(t testing.TB, c *producer.Client, id topup.ID) topup.Details {
	t.Helper()
	var d topup.Details
	testkit.Eventually(t, patience, func() bool {
		d = get(t, c, id)
		return d.State.Final() || d.State == topup.StateUnknown
	}, "order %s ends", id)
	return d
}

// notified waits until the checkout believes what the journal says of an order.
func (w *world) notified(t testing.TB, o topup.Details) {
	t.Helper()
	testkit.Eventually(t, patience, func() bool {
		ev, ok := w.hooks.last(o.ID)
		return ok && ev.Data.State == o.State
	}, "the checkout is notified that %s is %s", o.ID, o.State)
}

// judge holds an order's state against the vendor's ledger: never twice, never a guess.
func judge(t testing.TB, o topup.Details, charged int) {
	t.Helper()
	switch {
	case charged > 1:
		t.Errorf("%s was charged %d times", o.ID, charged)
	case o.State == topup.StateSucceeded && charged != 1:
		t.Errorf("%s is called succeeded, and was not charged", o.ID)
	case (o.State == topup.StateFailed || o.State == topup.StateCanceled) && charged != 0:
		t.Errorf("%s is called %s, and was charged", o.ID, o.State)
	case !o.State.Final() && o.State != topup.StateUnknown:
		t.Errorf("%s is left %s", o.ID, o.State)
	}
}
