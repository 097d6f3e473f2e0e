// Package app starts the parts of a process in the order in which they need each other, and stops them again. It says
// whether the process lives and can work.
package app

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"recarga/distributor"
	"recarga/internal/access"
	"recarga/internal/admission"
	"recarga/internal/api"
	"recarga/internal/api/keys"
	"recarga/internal/balance"
	"recarga/internal/bulk"
	"recarga/internal/callers"
	"recarga/internal/config"
	"recarga/internal/console"
	"recarga/internal/controls"
	"recarga/internal/coordination"
	"recarga/internal/intake"
	"recarga/internal/journal"
	"recarga/internal/listen"
	"recarga/internal/longpoll"
	"recarga/internal/metrics"
	"recarga/internal/queue"
	"recarga/internal/reconcile"
	"recarga/internal/seal"
	"recarga/internal/tracing"
	"recarga/producer"
	"recarga/tasks"
	"recarga/topup"
	"recarga/webhook"
	"recarga/worker"
)

const (
	// purchaseServers is how many asynq servers fetch purchases side by side: each fetches one task a
	// round trip.
	purchaseServers = 4
	// deliveryConcurrency bounds the webhook tries that come from the queue.
	deliveryConcurrency = 64
	// ballast is chosen so that the heap stays below about 100 MiB with little in it.
	ballast = 32 << 20
)

// Node is one running process with its roles.
type Node struct {
	settings config.Settings
	catalog  topup.Catalog
	roles    Roles
	version  string
	log      *slog.Logger
	// ballast is memory that is never touched, so that it takes none. Go collects garbage when the heap has
	// doubled: with a heap as small as ours that would be many times a second.
	ballast []byte

	journal     *journal.Journal
	callers     *callers.Registry
	queue       *queue.Queue
	checked     chan error // receives nil when Redis is there, or why it is not to be used; for a worker only
	distributor *distributor.Client
	deliverer   *webhook.Deliverer
	worker      *worker.Worker
	watch       *balance.Watch // nil without a worker
	producer    *producer.Producer
	watchdog    *watchdog      // nil without a worker
	api         *listen.Server // nil without an API
	// webhookRoots are who may sign the certificates of endpoints; nil: those that the system trusts.
	webhookRoots *x509.CertPool
	// leads reports whether this process does what one does for all, by its lease.
	leads func() bool
	lease *coordination.LeaderLease // nil where there is no other process
	// changes are announced to other processes; nil where there are none.
	changes *coordination.Changes
	// console's pages follow what happens; nil without an API.
	console atomic.Pointer[console.Console]
	// waits has requests wait; nil without an API.
	waits atomic.Pointer[longpoll.Hub]

	// The same book of record, queue and distributor, with what is done counted.
	health  *Health
	metrics *metrics.Metrics
	book    *metrics.Journal
	waker   *metrics.Queue
	// limiter limits the distributor's requests, as the settings or a person say.
	limiter *coordination.RateLimiter
	// controls are what people have set at run time.
	controls *controls.Reader
	// buyers are the servers of the purchases.
	buyers servers
	vendor *metrics.Distributor

	// APIURL and MetricsURL are where it really listens.
	APIURL, MetricsURL string
	// closers end the parts, the last one started first.
	closers []func()
	// failed receives the error of a listener that ended by itself.
	failed chan error
}

// Start starts a process's parts in the order in which they need each other. It waits for a database
// or a Redis that is not there yet, and says so; meanwhile the process lives and is not ready. On an error
// it has stopped what it had started.
func Start(
	ctx context.Context, s config.Settings, c topup.Catalog, r Roles, version string, log *slog.Logger,
) (*Node, error) {
	n := &Node{
		settings: s, catalog: c, roles: r, version: version, log: log, ballast: make([]byte, ballast),
		failed: make(chan error, 2),
		buyers: servers{log: log}, metrics: newMetrics(s, r, version), health: NewHealth(r.names()),
	}
	steps := []func(context.Context) error{n.readRoots, n.startSupervision, n.startOps, n.openStores, n.openDistributor}
	if r.Worker {
		steps = append(steps, n.startWorker, n.startWatchdog, n.startArchiver)
	}
	if r.API {
		steps = append(steps, n.startAPI)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			n.Shutdown()
			return nil, err
		}
	}
	n.health.Enter(PhaseRunning)
	n.log.Info("started", "roles", r.names(), "version", version)
	return n, nil
}

func (n *Node) readRoots(context.Context) (err error) {
	n.webhookRoots, err = n.settings.WebhookRoots()
	return err
}

func (n *Node) openDistributor(context.Context) (err error) {
	s := n.settings
	n.limiter = n.shared().RateLimiter("distributor", s.DistributorRate.Count, s.DistributorRate.Per)
	n.distributor, err = distributor.New(distributor.Config{
		URL: s.DistributorURL, CustomerID: s.DistributorCustomerID, SecretKey: s.DistributorSecretKey,
		Timeout: s.DistributorTimeout, RetryCodes: s.RetryCodes, MaxConns: s.DistributorConcurrency,
		Tokens:  n.shared().TokenStore(s.DistributorCustomerID, s.DistributorSecretKey, s.DistributorURL),
		Observe: n.requested, Log: n.log,
	})
	if err != nil {
		return err
	}
	n.onShutdown(n.distributor.Close)
	n.vendor = n.metrics.Distributor(n.distributor)
	return nil
}

// shared is what all processes on this Redis share.
func (n *Node) shared() coordination.Redis {
	return coordination.Redis{Client: n.queue.Redis(), Embedded: n.queue.IsEmbedded(), Reject: n.queue.Reject}
}

// requested counts a request. Logins and balances are never deferred, but they use up the rate as well.
func (n *Node) requested(r distributor.Request) {
	n.metrics.Requested(r)
	n.health.requested(r)
	if r.Call == distributor.CallPurchase {
		return
	}
	go func() {
		n.controls.Now(context.Background())
		if _, _, err := n.limiter.Take(context.Background(), topup.PriorityHigh, 1); err != nil {
			n.log.Debug("request not counted", "call", r.Call, "error", err)
		}
	}()
}

func (n *Node) startWorker(ctx context.Context) error {
	s := n.settings
	cfg := n.webhookConfig()
	cfg.Schedule, cfg.Rate, cfg.DisableAfter = s.WebhookSchedule, s.WebhookRate.PerSecond(), s.WebhookDisableAfter
	cfg.Health, cfg.Observe = n.book, n.metrics.Tried
	n.deliverer = webhook.NewDeliverer(cfg, n.book, endpoints{s, n.callers})
	n.onShutdown(func() { n.deliverer.Close(context.Background()) })
	n.watch = balance.New(balance.Config{
		Book: n.journal, Asker: n.vendor, Deliverer: controls.Pausable{Deliverer: n.deliverer, Reader: n.controls},
		Interval: s.BalanceInterval, Low: s.BalanceLow,
		Reserve: s.Reserve, Notify: s.OperatorWebhookSecret != "", Log: n.log,
	})
	if err := n.watch.Load(ctx); err != nil {
		if s.Reserve > 0 {
			return err // what was held must stay held
		}
		n.log.Warn("the last balance is not known", "error", err)
	}
	n.leads = func() bool { return true }
	if !n.queue.IsEmbedded() { // whose only process this is
		n.lease = n.shared().LeaderLease(s.DistributorSecretKey)
		n.leads = n.lease.Leads
	}
	n.worker = worker.New(n.workerConfig())
	n.metrics.ShowOutages(n.catalog, n.worker.Outages)
	// Called after the queue's servers have drained: results are written until then.
	n.onShutdown(n.worker.Close)
	if err := n.awaitQueue(ctx); err != nil {
		return err
	}
	n.queue.LedBy(n.leads)
	if err := n.serve(queue.ServeConfig{Queue: tasks.QueueWebhooks, Servers: 1, Concurrency: deliveryConcurrency},
		tasks.TypeDeliver, n.worker.HandleDelivery); err != nil {
		return err
	}
	if err := n.startBuyers(ctx); err != nil {
		return err
	}
	n.health.beat("sweep")
	loops := []func(context.Context){n.worker.Sweep, n.worker.Login, n.watch.Run}
	if n.lease != nil { // with the sweep, because who sweeps no more must not lead
		loops = append(loops, n.lease.Run)
	}
	n.background(loops...)
	return nil
}

// webhookConfig is how requests to endpoints are made, whoever makes them.
func (n *Node) webhookConfig() webhook.Config {
	s := n.settings
	return webhook.Config{Timeout: s.WebhookTimeout, AllowPrivate: s.WebhookAllowPrivate, Proxy: s.WebhookProxy,
		RootCAs: n.webhookRoots, Log: n.log}
}

// The most pings a second to one endpoint, and of those under way to one and to all.
const pingRate, pingsEach, pingsAll = 5, 4, 64

// pinger tries endpoints out, and closes with the process.
func (n *Node) pinger() *webhook.Deliverer {
	cfg := n.webhookConfig()
	cfg.Rate, cfg.PerEndpoint, cfg.FirstTries = pingRate, pingsEach, pingsAll
	pinger := webhook.NewDeliverer(cfg, nil, endpoints{n.settings, n.callers})
	n.onShutdown(func() { pinger.Close(context.Background()) })
	return pinger
}

func (n *Node) workerConfig() worker.Config {
	s := n.settings
	cfg := worker.Config{
		Journal: n.book, Distributor: n.watch.Distributor(n.vendor), Waker: n.waker,
		Deliverer: controls.Pausable{Deliverer: n.deliverer, Reader: n.controls},
		Balances:  n.vendor, Timeout: s.DistributorTimeout, Alone: n.queue.IsEmbedded(), Swept: n.swept, Log: n.log,
		Leads: n.leads,
		Policy: worker.Policy{
			Initial: s.RetryInitial, Max: s.RetryMax, MaxAttempts: s.RetryMaxAttempts,
			ResendUnknown: s.OnUnknown == "resend",
		},
	}
	cfg.Intake, cfg.Refused = n.intake(), n.metrics.Refused
	cfg.Admission.SharedState = n.shared().SharedState(s.DistributorSecretKey)
	cfg.Admission.Breaker = admission.Breaker{Share: s.BreakerShare, Probe: s.BreakerProbe}
	cfg.Admission.RateLimiter, cfg.Admission.Controls = n.limiter, n.controls.Now
	if s.Reserve > 0 {
		cfg.Admission.Reserves = []admission.Reserve{n.watch}
	}
	return cfg
}

// intake has the rules for orders whose producer has only Redis. The caller named default is one where any of its
// settings is there, or the admin key, which places orders in its name.
func (n *Node) intake() intake.Rules {
	s := n.settings
	return intake.Rules{
		TaskKeys: s.TaskKeys, Caller: n.callers.Caller, DefaultURL: s.CallbackURL,
		Default: s.APIKey != "" || s.AdminKey != "" || s.CallbackURL != "" || s.WebhookSecret != "",
	}
}

// recordBalance keeps what the API was answered for all processes.
func (n *Node) recordBalance(ctx context.Context, r topup.BalanceReading) {
	if err := n.journal.RecordBalance(ctx, r); err != nil {
		n.log.WarnContext(ctx, "balance not recorded", "error", err)
	}
}

func (n *Node) swept(at time.Time) {
	n.metrics.Swept(at)
	n.health.beat("sweep")
}

func (n *Node) serve(cfg queue.ServeConfig, kind string, handler queue.Handler) error {
	servers, err := n.serving(cfg, kind, handler)
	if err != nil {
		return err
	}
	n.onShutdown(servers.Shutdown)
	return nil
}

func (n *Node) serving(cfg queue.ServeConfig, kind string, handler queue.Handler) (*queue.Servers, error) {
	cfg.ShutdownTimeout = n.settings.ShutdownTimeout
	return n.queue.Serve(cfg, map[string]queue.Handler{kind: handler})
}

func (n *Node) startAPI(ctx context.Context) error {
	s := n.settings
	if s.APIKey == "" && s.AdminKey == "" {
		n.log.Warn("neither RECARGA_API_KEY nor RECARGA_ADMIN_KEY is set: the HTTP API refuses every order")
	}
	limiter := access.NewLimiter(n.log, n.metrics.AuthFailed)
	operators := access.NewOperators(n.journal)
	known := keys.WithRegistry(keys.Static(s.APIKey, s.CallbackURL, s.AdminKey), n.callers)
	if s.AdminKey != "" { // without it, what is for operators is closed
		known = keys.WithOperators(known, operators)
	}
	many := bulk.NewRunner(n.journal, n.producer, n.log)
	n.background(many.Run)
	pinger := n.pinger()
	pages, err := console.New(console.Config{
		Bulk:      many,
		Operators: operators, Limiter: limiter, Proxies: s.TrustedProxies,
		Catalog: n.catalog, AdminKey: s.AdminKey, Journal: n.journal, Orders: n.producer, Queue: n.queue,
		Callers: n.callers, Pinger: pinger, TraceURL: s.TraceURL, Controls: n.desk(),
		Purchases: n.shared().SharedState(s.DistributorSecretKey),
		Rate:      inWords(s.DistributorRate), Log: n.log, Version: n.version,
	})
	if err != nil {
		return err
	}
	n.console.Store(pages)
	handler := api.New(api.Config{
		Catalog: n.catalog, Orders: n.producer, Bulk: many, Book: n.journal,
		Balances: balance.NewCache(n.vendor, n.recordBalance), Observe: n.metrics.Served, Waits: n.startWaits(),
		Callers: known, NoAdminKey: s.AdminKey == "", Registry: n.callers, Operators: operators,
		Limiter: limiter, Proxies: s.TrustedProxies, Endpoints: endpoints{s, n.callers},
		Pinger: pinger, Controls: n.desk(),
		Reconciler: reconcile.New(n.journal, n.producer, n.log),
		// With the API key alone there is one tenant: nobody from whom its cursors must be kept.
		Cursors: seal.New(append([]string{cmp.Or(s.SealingKey(), s.APIKey)}, s.FormerKeys()...)...),
		Queues:  n.queue.Page, QueuesReadOnly: s.QueuesReadOnly, Console: pages, Log: n.log, Version: n.version,
	})
	n.closeLast("api", handler.Close)
	n.background(func(ctx context.Context) { n.callers.WatchExpiry(ctx, n.log) })
	return n.serveAPI(ctx, tracing.Handler(handler, "/v1/"))
}

// serveAPI serves the API until the shutdown.
func (n *Node) serveAPI(ctx context.Context, handler http.Handler) error {
	const setting = "RECARGA_HTTP_ADDR"
	listener, err := n.bind(ctx, n.settings.HTTPAddr, setting)
	if err != nil {
		return err
	}
	server, end := n.serveHTTP(listener, setting, listen.Config{
		Handler: handler, Health: http.HandlerFunc(n.health.alive), MaxConnections: n.settings.HTTPMaxConnections,
		Trusted: n.settings.TrustedProxies,
	}, func(err error) { n.failed <- err })
	n.onShutdown(end)
	n.onShutdown(n.waits.Load().End) // first: who waits is answered, and not cut off
	n.onShutdown(n.console.Load().End)
	n.api, n.APIURL = server, urlOf(listener)
	return nil
}

func (n *Node) bind(ctx context.Context, addr, setting string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	n.log.Info("listening", "setting", setting, "url", urlOf(listener))
	return listener, nil
}

func urlOf(listener net.Listener) string { return "http://" + listener.Addr().String() }

// serveHTTP serves until end is called, which waits for the requests under way. A listener that ends by itself is
// reported to failed.
func (n *Node) serveHTTP(
	listener net.Listener, setting string, cfg listen.Config, failed func(error),
) (server *listen.Server, end func()) {
	cfg.Log, cfg.Limits = n.log, listen.DefaultLimits()
	cfg.Limits.Idle = n.settings.HTTPIdleTimeout
	server = listen.New(cfg)
	var done sync.WaitGroup
	done.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed(fmt.Errorf("%s: %w", setting, err))
		}
	})
	return server, func() {
		ctx, cancel := context.WithTimeout(context.Background(), RequestsEnd)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			n.log.Warn("requests cut off", "setting", setting, "error", err)
			_ = server.Close()
		}
		done.Wait()
	}
}

// inWords is a rate as the console says it; empty for no limit.
func inWords(r topup.Rate) string {
	units := map[time.Duration]string{time.Second: "second", time.Minute: "minute", time.Hour: "hour"}
	if r.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d a %s, all workers together", r.Count, units[r.Per])
}

// endpoints are where webhooks go: those of the caller named default and of the operator by the settings, all others
// by the registry.
type endpoints struct {
	s        config.Settings
	registry *callers.Registry
}

// Endpoints implements webhook.Endpoints.
func (e endpoints) Endpoints(ctx context.Context, caller string) ([]webhook.Endpoint, error) {
	to := webhook.Endpoint{URL: e.s.CallbackURL, Secrets: e.s.WebhookSecrets(), Headers: e.s.WebhookHeaders}
	switch caller {
	case topup.DefaultCaller:
	case topup.OperatorCaller:
		to = webhook.Endpoint{URL: e.s.OperatorCallbackURL, Secrets: e.s.OperatorWebhookSecrets(),
			Headers: e.s.OperatorWebhookHeaders}
	default:
		return e.registry.Endpoints(ctx, caller)
	}
	switch {
	case to.URL == "" && caller == topup.DefaultCaller: // it reads the feed
		return []webhook.Endpoint{{}}, nil
	case len(to.Secrets) == 0:
		return nil, topup.ErrNotFound
	}
	return []webhook.Endpoint{to}, nil
}
