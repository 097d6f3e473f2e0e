// Package api is Recarga's HTTP API: it places orders, shows them and cancels them. With it come its
// OpenAPI document (/openapi.json), the page to try it on (/docs) and the queue's own page (/queues).
//
// Every error is an RFC 9457 problem (application/problem+json). An invalid request is answered
// with all of its faults at once.
package api

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"

	"recarga/internal/access"
	"recarga/internal/api/admin"
	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/internal/api/operate"
	"recarga/internal/api/pages"
	"recarga/internal/api/problem"
	"recarga/internal/balance"
	"recarga/internal/bulk"
	"recarga/internal/callers"
	"recarga/internal/journal/search"
	"recarga/internal/longpoll"
	"recarga/internal/params"
	"recarga/internal/queue"
	"recarga/internal/reconcile"
	"recarga/internal/seal"
	"recarga/producer"
	"recarga/topup"
)

// Orders are the operations on orders and events: producer.Producer, which documents their errors.
type Orders interface {
	Place(ctx context.Context, r topup.Request) (o topup.Order, replayed bool, err error)
	Cancel(ctx context.Context, id topup.ID, who producer.Actor) (topup.Order, error)
	Resolve(ctx context.Context, id topup.ID, r topup.Resolution) (topup.Order, error)
	Correct(ctx context.Context, id topup.ID, c topup.Correction) (topup.Order, error)
	Uphold(ctx context.Context, id topup.ID, u topup.Upholding) (topup.Order, error)
	HoldBack(ctx context.Context, id topup.ID, who producer.Actor) (topup.Order, error)
	LetGo(ctx context.Context, id topup.ID, who producer.Actor) (topup.Order, error)
	Redeliver(ctx context.Context, id string, who producer.Actor) (topup.Event, error)
	// RedeliverAll does so to all events of a filter, or with a Limit to a page of them, of which next is the cursor of
	// the rest. A bad cursor is a *topup.FieldError.
	RedeliverAll(ctx context.Context, f topup.EventFilter, who producer.Actor) (count int, next string, err error)
	admin.Switch
}

// Book is what is read of the book of record: journal.Journal, which documents its errors.
type Book interface {
	admin.Health
	admin.Audit
	operate.Acts
	Details(ctx context.Context, id topup.ID) (topup.Details, error)
	List(ctx context.Context, f search.Filter) (orders []topup.Order, next string, err error)
	Find(ctx context.Context, caller, name string) ([]topup.Order, error)
	// Conclude adds to orders that are unknown what the evidence says of them.
	Conclude(ctx context.Context, orders []topup.Order) error
	// Actions are what was done to an order and its events.
	Actions(ctx context.Context, id topup.ID) ([]topup.Action, error)
	Export(ctx context.Context, f search.Filter, parts search.Parts) iter.Seq2[topup.Details, error]
	Events(ctx context.Context, f topup.EventFilter) (events []topup.Event, next string, err error)
	Feed(ctx context.Context, caller string, after search.FeedPlace, limit int) (
		events []topup.Event, next search.FeedPlace, err error)
	// Balance is the latest that the workers recorded; the others are what they recorded since, the oldest first.
	Balance(ctx context.Context) (topup.BalanceStanding, error)
	BalancesSince(ctx context.Context, since time.Time) ([]topup.BalanceReading, error)
	BalanceChangesSince(ctx context.Context, since time.Time) ([]topup.BalanceChange, error)
}

// Console is the operator's web page: console.Console.
type Console interface {
	http.Handler
	// LoggedIn is who logged in to it with the request's browser. Errors: access.ErrNoSession,
	// *access.TooManyError, and any other when that cannot be known now.
	LoggedIn(r *http.Request) (access.Person, error)
}

// Config is what an API is made of.
type Config struct {
	// Orders are the operations on orders and events.
	Orders Orders
	// Bulk does what is done to many orders or events.
	Bulk *bulk.Runner
	// Book is where orders, events and balances are read.
	Book Book
	// Callers knows whom a key belongs to.
	Callers keys.Callers
	// Catalog is what is shown, and what is said of an invalid request; Orders judges the others. The zero one
	// stands for topup.DefaultCatalog.
	Catalog topup.Catalog
	// NoAdminKey: no key is the operator's, so that nobody may view /queues.
	NoAdminKey bool
	// Registry manages callers. Where their keys are to be good, Callers is keys.WithRegistry.
	Registry *callers.Registry
	// Operators manages the operators' keys. Where they are to be good, Callers is keys.WithOperators.
	Operators *access.Operators
	Controls  operate.Controls // what people set at run time
	// Endpoints are the callers' of the registry and of the settings.
	Endpoints admin.Endpoints
	// Pinger tries endpoints out.
	Pinger admin.Pinger
	// Reconciler compares statements with the book; nil: there is none.
	Reconciler *reconcile.Reconciler
	// Waits has the requests wait that ask to; nil: they are answered at once.
	Waits *longpoll.Hub
	// Balances may be nil: then GET /v1/balance answers 503.
	Balances *balance.Cache
	// Cursors seals the cursors of lists. Every process needs the same keys, or a client that is led from one to
	// another starts its list anew. Nil, or without a key: this process makes one.
	Cursors *seal.Box
	// Queues makes the page of the queues, /queues. Nil: there is no such page.
	Queues func(queue.PageOptions) queue.Page
	// Console is served at /console, if there is one.
	Console Console
	// QueuesReadOnly leaves out every button of /queues.
	QueuesReadOnly bool
	// Observe is called for every answer; it must not block. Nil: nothing is.
	Observe func(Served)
	// Limiter slows down those who try keys; the console's is the same. Nil: one is made.
	Limiter *access.Limiter
	// Proxies are those that say for whom they ask.
	Proxies access.Proxies
	// Log defaults to slog.Default().
	Log *slog.Logger
	// Version is shown in the OpenAPI document. Defaults to "dev".
	Version string
}

// Served is a request that was answered.
type Served struct {
	// Route is as in "POST /v1/topups/{id}/cancel"; empty where there is none.
	Route string
	// Status is that of HTTP; 0 when the connection was cut before it.
	Status int
	// Took is from the request's header to the end of its answer, without the time that its client had it wait.
	Took time.Duration
}

// Server is the HTTP API, an http.Handler.
type Server struct {
	cfg     Config
	log     *slog.Logger
	mux     *http.ServeMux
	handler http.Handler
	cursors cursors
	schemas huma.Registry
	spec    func() []byte
	queues  queue.Page // nil: there is no such page
}

// New builds the API. Close it after the last request.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Version == "" {
		cfg.Version = "dev"
	}
	if cfg.Catalog.Equal(topup.Catalog{}) {
		cfg.Catalog = topup.DefaultCatalog()
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Served) {}
	}
	if cfg.Limiter == nil {
		cfg.Limiter = access.NewLimiter(cfg.Log, nil)
	}
	s := &Server{cfg: cfg, log: slog.New(keys.Log{Handler: cfg.Log.Handler()}), mux: http.NewServeMux(),
		cursors: newCursors(cfg.Cursors)}
	api := humago.New(s.mux, openapi.Config(cfg.Version))
	s.schemas = api.OpenAPI().Components.Schemas
	// What is checked before every operation, in this order: who asks, and only then what was sent.
	api.UseMiddleware(s.authenticate, checkPath, checkQuery, checkKey, checkMedia, s.checkBody)
	s.register(openapi.Operations{API: api, Log: s.log})
	s.spec = openapi.Document(api, cfg.Catalog, reflect.TypeFor[batchLine](), reflect.TypeFor[reconcile.Result]())
	s.mountDocs()
	s.mountQueues()
	if cfg.Console != nil {
		s.mux.Handle(consolePath, cfg.Console)
		s.mux.Handle(consolePath+"/", cfg.Console)
	}
	home := pages.Home{Version: cfg.Version, Console: cfg.Console != nil, Queues: s.queues != nil}
	s.handle("GET /{$}", pages.NewHome(home))
	s.handler = s.observed(http.HandlerFunc(s.route))
	return s
}

// ServeHTTP answers any request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// OpenAPI is the API's OpenAPI 3.1 document, in JSON.
func (s *Server) OpenAPI() []byte { return s.spec() }

// Close gives back what New opened.
func (s *Server) Close() error {
	if s.queues == nil {
		return nil
	}
	return s.queues.Close()
}

// register adds the operations. Who may do them is in internal/access.
func (s *Server) register(to openapi.Operations) {
	s.onOrders(to)
	s.onDecisions(to)
	s.onEvents(to)
	s.onWhole(to)
	operate.Desk{Acts: s.cfg.Book, Controls: s.cfg.Controls, Open: s.cursors.open, Seal: s.cursors.seal}.Register(to)
	s.onBulk(to)
	admin.Admin{Registry: s.cfg.Registry, Operators: s.cfg.Operators, Endpoints: s.cfg.Endpoints,
		Pinger: s.cfg.Pinger, Health: s.cfg.Book, Audit: s.cfg.Book, Switch: s.cfg.Orders, Log: s.log}.Register(to)
}

// problem is what an error becomes; in says where its fields are.
func (s *Server) problem(ctx context.Context, in string, err error) error {
	return problem.Of(ctx, s.log, in, err)
}

// mountDocs serves the OpenAPI document and the page to try it on, both without a key.
func (s *Server) mountDocs() {
	document := sync.OnceValue(func() *pages.File {
		return pages.NewFile(http.Header{"Content-Type": {openapi.TypeJSON}}, s.spec())
	})
	s.handle("GET /openapi.json", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		document().ServeHTTP(w, r)
	}))
	page := pages.Local(v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "Recarga", SwaggerJSON: "/openapi.json", BasePath: "/docs",
		SettingsUI: map[string]string{"tryItOutEnabled": "true", "persistAuthorization": "false"},
	}))
	s.handle("GET /docs", page)
	s.handle("GET /docs/", page)
}

// handle serves what is no operation, with the only query parameters that it takes.
func (s *Server) handle(pattern string, h http.Handler, query ...string) {
	s.mux.Handle(pattern, params.Only(h, refuseQuery, query...))
}
