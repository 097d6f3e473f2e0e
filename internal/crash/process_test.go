package crash

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"recarga/distributor"
	"recarga/internal/admission"
	"recarga/internal/boundary"
	"recarga/internal/controls"
	"recarga/internal/coordination"
	"recarga/internal/intake"
	"recarga/internal/journal"
	"recarga/internal/queue"
	"recarga/producer"
	"recarga/tasks"
	"recarga/topup"
	"recarga/webhook"
	"recarga/worker"
)

// process is one life of the whole program, put together as `recarga serve` puts it together, with a
// gate in front of everything that is outside of it.
type process struct {
	g        *gate
	journal  *journal.Journal
	queue    *queue.Queue
	waker    boundary.Waker
	producer *producer.Producer
	desk     controls.Desk
	// hookURL is where this process reaches the checkout.
	hookURL string
	// closers end the parts, the last one first.
	closers []func()
}

var quiet = slog.New(slog.DiscardHandler)

func (w *world) startProcess(f fault) (p *process, err error) {
	p = &process{g: newGate(f)}
	defer func() {
		if err != nil {
			p.stop()
		}
	}()
	if p.journal, err = journal.Open(context.Background(), w.database, journal.WithFirstTryGrace(0),
		journal.WithCatalog(topup.DefaultCatalog())); err != nil {
		return p, err
	}
	p.onStop(func() { _ = p.journal.Close() })
	if p.queue, err = queue.Open(context.Background(), w.redis.URL(), quiet); err != nil {
		return p, err
	}
	p.onStop(func() { _ = p.queue.Close() })
	p.waker = boundary.Waker{Gate: p.g, Queue: p.queue}
	records := boundary.Book{Gate: p.g, Journal: p.journal}
	p.producer = producer.New(records, p.waker, quiet)
	vendor, err := distributor.New(distributor.Config{
		URL: p.reach("distributor", w.vendor) + "/api/distributor", CustomerID: "demo", SecretKey: "demo",
		Timeout: purchaseTimeout, Tokens: boundary.Tokens{Gate: p.g,
			Store: coordination.Redis{Client: p.queue.Redis()}.TokenStore("demo", "demo", "url")},
		Log: quiet,
	})
	if err != nil {
		return p, err
	}
	p.onStop(vendor.Close)
	return p, p.startWorker(w, records, vendor)
}

func (p *process) startWorker(w *world, records boundary.Book, vendor *distributor.Client) error {
	deliverer := webhook.NewDeliverer(webhook.Config{
		Schedule: []time.Duration{time.Millisecond, time.Millisecond, time.Second, time.Second, time.Second, time.Second,
			time.Second},
		Timeout: time.Second, AllowPrivate: true, Health: records, Log: quiet,
	}, records, w.endpoints(p))
	p.onStop(func() { deliverer.Close(context.Background()) })
	p.desk = controls.Desk{Book: records, Queue: boundary.Queues{Gate: p.g, Queue: p.queue}, Callers: p.journal,
		Catalog: topup.DefaultCatalog(), Log: quiet}
	reader := controls.NewReader(records.Controls, nil, quiet)
	wk := worker.New(worker.Config{
		Journal: records, Distributor: vendor, Deliverer: controls.Pausable{Deliverer: deliverer, Reader: reader},
		Admission: admission.Config{Controls: reader.Now}, Waker: p.waker, Balances: vendor,
		Timeout: purchaseTimeout, Slack: slack, SweepInterval: 200 * time.Millisecond, Alone: true, Log: quiet,
		Policy: w.policy(), Intake: intake.Rules{Default: true, Caller: p.journal.Caller},
	})
	p.onStop(wk.Close)
	for name, handler := range map[string]queue.Handler{tasks.TypePurchase: wk.HandlePurchase,
		tasks.TypeDeliver: wk.HandleDelivery} {
		in := tasks.QueueTopups
		if name == tasks.TypeDeliver {
			in = tasks.QueueWebhooks
		}
		servers, err := p.queue.Serve(queue.ServeConfig{Queue: in, Servers: 1, Concurrency: 4,
			ShutdownTimeout: 10 * time.Second},
			map[string]queue.Handler{name: p.handled(name, handler)})
		if err != nil {
			return err
		}
		p.onStop(servers.Shutdown)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var sweeping sync.WaitGroup
	sweeping.Go(func() { wk.Sweep(ctx) })
	p.onStop(func() { cancel(); sweeping.Wait() })
	// A dead process waits for nothing.
	context.AfterFunc(p.deadContext(), wk.Close)
	return nil
}

// handled makes boundaries of the moment in which a task is handed over, and of its acknowledgement.
func (p *process) handled(name string, h queue.Handler) queue.Handler {
	return func(ctx context.Context, task tasks.Task) (time.Time, error) {
		var again time.Time
		var own error
		cut := p.g.Pass(ctx, boundary.Call{Name: "queue." + name}, func() (any, error) {
			again, own = h(ctx, task)
			return again, own
		})
		if cut != nil {
			return time.Time{}, cut
		}
		return again, own
	}
}

func (p *process) deadContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	p.onStop(func() { close(stopped) })
	go func() {
		defer cancel()
		select {
		case <-p.g.died:
		case <-stopped:
		}
	}()
	return ctx
}

// reach opens this process's own way to another server.
func (p *process) reach(name string, inner http.Handler) (url string) {
	server := httptest.NewUnstartedServer(edge(p.g, name, inner))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	p.onStop(server.Close)
	return server.URL
}

func (p *process) onStop(f func()) { p.closers = append(p.closers, f) }

func (p *process) stop() {
	for i := len(p.closers) - 1; i >= 0; i-- {
		p.closers[i]()
	}
}

// endpoints are where the process notifies callers.
func (w *world) endpoints(p *process) webhook.Endpoints {
	secret := []string{w.secret}
	p.hookURL = p.reach("webhook", w.hooks)
	all := targets{topup.DefaultCaller: {{URL: p.hookURL, Secrets: secret}}}
	if w.endpointGone {
		all[topup.DefaultCaller] = append(all[topup.DefaultCaller],
			webhook.Endpoint{Name: "crm", URL: p.reach("crm", webhook.Handler(w.secret, w.crm.receive)), Secrets: secret},
			webhook.Endpoint{Name: "old", URL: p.reach("old", http.HandlerFunc(gone)), Secrets: secret})
		all[topup.OperatorCaller] = []webhook.Endpoint{{URL: p.reach("operator",
			webhook.Handler(w.secret, w.operator.receive)), Secrets: secret}}
	}
	return all
}

func gone(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }

type targets map[string][]webhook.Endpoint

func (t targets) Endpoints(_ context.Context, caller string) ([]webhook.Endpoint, error) {
	if len(t[caller]) == 0 {
		return nil, topup.ErrNotFound
	}
	return t[caller], nil
}
