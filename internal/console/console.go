// Package console is the operator's web page: the state of all orders at a glance, the whole story of each, and the
// few things that a person may do to them. The server makes the pages, and they work without their small script.
package console

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"recarga/internal/access"
	"recarga/internal/bulk"
	"recarga/internal/callers"
	"recarga/internal/journal/search"
	"recarga/internal/queue"
	"recarga/producer"
	"recarga/topup"
	"recarga/topup/desk"
)

// Journal is what is read of the book of record: journal.Journal, which documents its errors.
type Journal interface {
	bulk.Book
	Ended
	// RecordAct writes an action that changes nothing of the book.
	RecordAct(ctx context.Context) error
	// Acts are the actions that the audit has.
	Acts(ctx context.Context, f desk.ActFilter) (acts []desk.Act, next string, err error)
	Controls(ctx context.Context) (desk.Controls, error)
	Details(ctx context.Context, id topup.ID) (topup.Details, error)
	Find(ctx context.Context, caller, name string) ([]topup.Order, error)
	FindPart(ctx context.Context, part string, limit int) ([]topup.Order, error)
	Page(ctx context.Context, f search.Filter) (search.Page, error)
	PageBefore(ctx context.Context, f search.Filter) (search.Page, error)
	// Conclude adds to orders that are unknown what the evidence says of them.
	Conclude(ctx context.Context, orders []topup.Order) error
	// Actions are what was done to an order and its events.
	Actions(ctx context.Context, id topup.ID) ([]topup.Action, error)
	Overview(ctx context.Context, now time.Time, over search.Range) (search.Overview, error)
	// Unbought are the orders that wait to be bought, by caller and product.
	Unbought(ctx context.Context, now time.Time) ([]search.Unbought, error)
	// CountEvents counts the events that are pending, and those that are exhausted.
	CountEvents(ctx context.Context) (map[topup.EventState]int64, error)
	// EndpointsHealth has the endpoints that fail or are disabled.
	EndpointsHealth(ctx context.Context) (map[topup.EndpointAddress]topup.EndpointHealth, error)
	// Balance is the latest that the workers recorded; At is zero before there is one.
	Balance(ctx context.Context) (topup.BalanceStanding, error)
	// BalancesSince are the readings, the oldest first.
	BalancesSince(ctx context.Context, since time.Time) ([]topup.BalanceReading, error)
	// BalanceChangesSince are what no order explains.
	BalanceChangesSince(ctx context.Context, since time.Time) ([]topup.BalanceChange, error)
}

// Orders are the operations on orders and events: producer.Producer, which documents their errors.
type Orders interface {
	Cancel(ctx context.Context, id topup.ID, who producer.Actor) (topup.Order, error)
	Resolve(ctx context.Context, id topup.ID, r topup.Resolution) (topup.Order, error)
	Correct(ctx context.Context, id topup.ID, c topup.Correction) (topup.Order, error)
	Uphold(ctx context.Context, id topup.ID, u topup.Upholding) (topup.Order, error)
	HoldBack(ctx context.Context, id topup.ID, who producer.Actor) (topup.Order, error)
	LetGo(ctx context.Context, id topup.ID, who producer.Actor) (topup.Order, error)
	EnableEndpoint(ctx context.Context, e topup.DisabledEndpoint, who producer.Actor) error
	DisableEndpoint(ctx context.Context, e topup.DisabledEndpoint, who producer.Actor) error
	Redeliver(ctx context.Context, id string, who producer.Actor) (topup.Event, error)
}

// Queue is asynq's, as far as a person sees it.
type Queue interface {
	Glance(ctx context.Context) (map[string]queue.Info, error)
}

// Purchases reports what keeps purchases from being made: coordination.SharedState.
type Purchases interface {
	Restrictions(ctx context.Context) (topup.Restrictions, error)
}

// Config is what a console is made of. Every part is needed but those that say otherwise.
type Config struct {
	// AdminKey is the login. Empty: the console is closed, and says so.
	AdminKey string
	// Operators have keys of their own. Nil: there are none.
	Operators *access.Operators
	// Limiter slows down those who try keys; the API's is the same. Nil: one is made.
	Limiter *access.Limiter
	// Proxies are those that say for whom they ask, and whether with TLS.
	Proxies access.Proxies
	// Journal is where orders and events are read.
	Journal Journal
	// Orders are the operations on both.
	Orders Orders
	// Bulk does them to many.
	Bulk *bulk.Runner
	// Queue is asynq's.
	Queue Queue
	// Controls is what people set at run time.
	Controls Controls
	// Callers are the registry of who places orders.
	Callers *callers.Registry
	// Pinger tries their endpoints out.
	Pinger Pinger
	// Catalog is what the filter offers. The zero one stands for topup.DefaultCatalog.
	Catalog topup.Catalog
	// Purchases are what the workers share about the distributor.
	Purchases Purchases
	// Rate is the limit of requests to the distributor, in words; empty: there is none.
	Rate string
	// Log defaults to slog.Default().
	Log *slog.Logger
	// TraceURL leads to an order's trace, with {id} for the order's id; empty: there is none.
	TraceURL string
	// Version is shown at the foot of each page.
	Version string
}

// Path is where the console is served.
const Path = "/console"

//go:embed assets
var assets embed.FS

//go:embed pages
var pages embed.FS

// Console is an http.Handler for Path and everything below it.
type Console struct {
	cfg      Config
	sessions *sessions
	etag     string
	pages    zonedPages
	now      *snapshot
	// followers are the pages that follow what happens.
	followers *followers
	handler   http.Handler
}

// New builds a Console.
func New(cfg Config) (*Console, error) {
	if cfg.Catalog.Equal(topup.Catalog{}) {
		cfg.Catalog = topup.DefaultCatalog()
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Limiter == nil {
		cfg.Limiter = access.NewLimiter(cfg.Log, nil)
	}
	if _, err := parsePages(time.Local); err != nil {
		return nil, err
	}
	etag, err := digestOf(assets)
	if err != nil {
		return nil, err
	}
	c := &Console{cfg: cfg, sessions: newSessions(cfg), etag: etag}
	c.now = &snapshot{c: c, last: map[string]glance{}, keep: map[string]time.Time{}}
	c.followers = newFollowers()
	c.handler = c.routes()
	return c, nil
}

// ServeHTTP answers any request below Path.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// LoggedIn is who logged in here with the request's browser. Errors: access.ErrNoSession, *access.TooManyError, and
// those of the journal.
func (c *Console) LoggedIn(r *http.Request) (access.Person, error) {
	who, err := c.sessions.of(r)
	return who, c.slowed(r, err)
}

// slowed turns the error of a session that we have not sealed into what is answered: there is none, or there were too
// many such.
func (c *Console) slowed(r *http.Request, err error) error {
	if !errors.Is(err, errForged) {
		return err
	}
	return cmp.Or(c.cfg.Limiter.Failed(r.Context(), access.AtSession, access.ForgedSession), access.ErrNoSession)
}

// files are the style, the script and the icon. A browser asks each time whether they are still the same.
func (c *Console) files() page {
	files := http.StripPrefix(Path, http.FileServerFS(assets))
	return func(w http.ResponseWriter, r *http.Request, _ operator) error {
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", c.etag)
		files.ServeHTTP(w, r)
		return nil
	}
}

func digestOf(files fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		_, _ = sum.Write(content) // never fails
		return err
	})
	return fmt.Sprintf("%q", hex.EncodeToString(sum.Sum(nil)[:8])), err
}

// contentPolicy allows the console's own files, and no script or style in a page.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// localPath is where to go back to after the login: a GET's own address.
func localPath(r *http.Request) string {
	if r.Method != http.MethodGet {
		return address(nil)
	}
	return r.URL.RequestURI()
}

// problem is an error that a person can do something about.
type problem struct {
	// Status is that of HTTP, and Text what the page says.
	Status int
	Text   string
}

// Error is what the page says.
func (p *problem) Error() string { return p.Text }

func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := &problem{http.StatusInternalServerError, "The journal does not answer, or another fault of ours: the log says " +
		"more."}
	var known *problem
	var transition *topup.TransitionError
	var early *topup.TooEarlyError
	var many *access.TooManyError
	switch {
	case errors.As(err, &known):
		p = known
	case errors.As(err, &many):
		retryAfter(w, many)
		p = &problem{http.StatusTooManyRequests, "Too many sessions that are none of ours came from your address; wait a " +
			"little."}
	case errors.Is(err, topup.ErrNotFound):
		p = &problem{http.StatusNotFound, "There is no such thing, or no more."}
	case errors.As(err, &transition), errors.As(err, &early),
		errors.Is(err, topup.ErrNotDisputed), errors.Is(err, topup.ErrArchived):
		p = &problem{http.StatusConflict, err.Error()}
	case errors.Is(err, topup.ErrLost):
		p = &problem{http.StatusConflict, "The order has changed since it was shown to you. Nothing was done; reload it."}
	case len(topup.FieldErrors(err)) > 0:
		p = &problem{http.StatusUnprocessableEntity, err.Error()}
	default:
		c.cfg.Log.ErrorContext(r.Context(), "console page not shown", "path", r.URL.Path, "error", err)
	}
	c.show(w, r, p.Status, "error", view{Title: http.StatusText(p.Status), Data: p.Text})
}

// view is what every page shows.
type view struct {
	// Title is the browser tab's, and the heading.
	Title string
	// Live pages are loaded again when something changes, and every few seconds; of one order: when that changes.
	Live  bool
	Order topup.ID
	// Version is the program's. Path is the page's own, without its query; Who is logged in (empty: nobody), and Query
	// what the search field holds.
	// Data is the page's own view.
	Version string
	Path    string
	// Zone is the time zone of all times, and Zones those that are offered.
	Zone  *time.Location
	Zones []string
	// Address is the page's own, with its query.
	Address string
	Who     string
	Query   string
	Data    any
	role    access.Role
}

// May reports whether the operator may do something, by its name in access: what they may not is not offered.
func (v view) May(name string) (bool, error) {
	p, known := access.Of(name)
	if !known {
		return false, errors.New(name + " has no permission in internal/access")
	}
	return p.Allows(v.role), nil
}

func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	who, _ := r.Context().Value(operatorKey{}).(operator)
	v.Who, v.role = who.Name, who.Role
	v.Version, v.Path, v.Query = c.cfg.Version, r.URL.Path, r.URL.Query().Get("q")
	var buf bytes.Buffer
	v.Zone, v.Zones, v.Address = zoneOf(r), zones, localPath(r)
	pages, err := c.pages.in(v.Zone)
	if err == nil {
		err = pages[name].ExecuteTemplate(&buf, "layout.html", v)
	}
	if err != nil {
		c.cfg.Log.ErrorContext(r.Context(), "console page not made", "page", name, "error", err)
		http.Error(w, "a fault of ours; the log says more", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes()) // the browser is gone when it fails
}
