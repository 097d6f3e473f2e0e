package sandbox

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxBody is the largest request body that is read.
const maxBody = 64 << 10

// Server is the simulated distributor. It is safe for concurrent use, and everything it knows is in memory.
type Server struct {
	log      *slog.Logger
	routes   map[string]map[string]http.HandlerFunc // path, method
	products Products
	magic    map[string]outcome // by phone number

	close  sync.Once
	closed chan struct{}

	mu     sync.Mutex
	cfg    Config // its slices are replaced, never written to
	tokens map[string]time.Time
	window window
	book   book
}

// Option is what [Config] has no room for.
type Option func(*Server)

// Selling makes a distributor of these products instead of the document's.
func Selling(products Products) Option { return func(s *Server) { s.products = products } }

// New makes a distributor whose configuration is cfg. It panics when cfg is not valid: whoever takes cfg from a person
// asks [Config.Validate] first. A nil log discards.
func New(cfg Config, log *slog.Logger, options ...Option) *Server {
	if err := cfg.Validate(); err != nil {
		panic("sandbox: " + err.Error())
	}
	odd := map[string]OddAnswer{}
	maps.Copy(odd, cfg.OddAnswers)
	cfg.OddAnswers = odd
	cfg.StatementLeaveOut = append([]string{}, cfg.StatementLeaveOut...)
	cfg.StatementAdd = append([]StatementRow{}, cfg.StatementAdd...)
	cfg.StatementAlter = append([]StatementRow{}, cfg.StatementAlter...)
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		log:      log,
		products: documented(),
		magic:    map[string]outcome{},
		closed:   make(chan struct{}),
		cfg:      cfg,
		tokens:   map[string]time.Time{},
		book:     newBook(cfg.InitialBalance.Decimal),
	}
	for _, one := range fates() {
		s.magic[magicPrefix+one.digits] = one.run
	}
	s.routes = s.routing()
	for _, option := range options {
		option(s)
	}
	return s
}

func (s *Server) routing() map[string]map[string]http.HandlerFunc {
	return map[string]map[string]http.HandlerFunc{
		"/":                                 {http.MethodGet: help},
		"/healthz":                          {http.MethodGet: health},
		"/api/distributor/login":            {http.MethodPost: s.serveLogin},
		"/api/distributor/get_balance":      {http.MethodGet: s.serveBalance},
		"/api/distributor/product_purchase": {http.MethodPost: s.servePurchase},
		"/sandbox/purchases":                {http.MethodGet: s.servePurchases},
		"/sandbox/requests":                 {http.MethodGet: s.serveRequests},
		"/sandbox/statement.csv":            {http.MethodGet: s.serveStatement},
		"/sandbox/reset":                    {http.MethodPost: s.serveReset},
		"/sandbox/config":                   {http.MethodGet: s.serveConfig, http.MethodPost: s.serveSettings},
	}
}

// ServeHTTP answers every route of the distributor and of the sandbox itself.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	methods, known := s.routes[r.URL.Path]
	if !known {
		failed(http.StatusNotFound, "Not found").write(w)
		return
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	serve, known := methods[method]
	if !known {
		w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
		failed(http.StatusMethodNotAllowed, "Method not allowed").write(w)
		return
	}
	if wrong := unknownParameter(r); wrong != "" {
		failed(http.StatusBadRequest, wrong).write(w)
		return
	}
	serve(w, r)
}

// unknownParameter says which parameter of a request for the sandbox's own pages is not known. The distributor's own
// endpoints read none, and its document does not say that it refuses any.
func unknownParameter(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		return ""
	}
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "query: " + err.Error()
	}
	for name, values := range given {
		switch known := name == "month" && r.URL.Path == "/sandbox/statement.csv"; {
		case !known:
			return name + ": there is no such parameter here (allowed: month, of /sandbox/statement.csv)"
		case len(values) > 1:
			return name + ": must be given once"
		}
	}
	return ""
}

// Close ends every wait, of now and of later, so that a server can shut down: what would have followed the wait (a
// charge, an answer) follows at once. It may be called more than once.
func (s *Server) Close() { s.close.Do(func() { close(s.closed) }) }

// Purchases is what has really been charged, oldest first: the ground truth.
func (s *Server) Purchases() []Purchase {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Purchase{}, s.book.purchases...)
}

// Requests is every product_purchase request that has come since the last reset, oldest first, the refused ones and
// those still under way too. A request is complete here before its answer leaves.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := make([]Request, len(s.book.requests))
	for i, one := range s.book.requests {
		requests[i] = *one
	}
	return requests
}

// config is the configuration as it now is.
func (s *Server) config() Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg
}

// wait lasts d, or until ctx or the server ends.
func (s *Server) wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.closed:
	}
}

// gate is what every call of the distributor's API passes before it is served: the rate limit, then the latency; and
// what bends its answer.
func (s *Server) gate(w http.ResponseWriter, call string, serve func() answer) answer {
	if over := s.limit(w.Header(), time.Now()); over {
		return failed(http.StatusTooManyRequests, "Too many requests")
	}
	cfg := s.config()
	latency := cfg.LatencyMinMS + rand.IntN(cfg.LatencyMaxMS-cfg.LatencyMinMS+1)
	s.wait(context.Background(), millisToDuration(latency)) // a vendor does not stop working because its client left
	return serve().bent(s.config().OddAnswers[call])
}

func millisToDuration(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }

func (s *Server) servePurchases(w http.ResponseWriter, _ *http.Request) {
	reply(http.StatusOK, s.Purchases()).write(w)
}

func (s *Server) serveRequests(w http.ResponseWriter, _ *http.Request) {
	reply(http.StatusOK, s.Requests()).write(w)
}

func health(w http.ResponseWriter, _ *http.Request) {
	reply(http.StatusOK, map[string]string{"status": "ok"}).write(w)
}

// serveReset forgets purchases and requests and restores the balance. Settings and tokens stay: a client that is
// logged in would otherwise have to learn of the reset by a 401.
func (s *Server) serveReset(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	s.book = newBook(s.cfg.InitialBalance.Decimal)
	s.window = window{}
	s.mu.Unlock()
	reply(http.StatusOK, map[string]bool{"success": true}).write(w)
}

func (s *Server) serveConfig(w http.ResponseWriter, _ *http.Request) {
	cfg := s.config()
	cfg.SecretKey = "" // may be the real one
	reply(http.StatusOK, cfg).write(w)
}

// serveSettings changes the fields it is given, all of them or none.
func (s *Server) serveSettings(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r)
	var change map[string]json.RawMessage
	if err != nil || json.Unmarshal(body, &change) != nil || change == nil {
		failed(http.StatusBadRequest, "The body is not a JSON object").write(w)
		return
	}
	if err := s.set(change); err != nil {
		reply(http.StatusBadRequest, struct {
			failure
			// Mistakes has each field that cannot be so.
			Mistakes error `json:"mistakes"`
		}{failure{Error: err.Error()}, err}).write(w)
		return
	}
	s.serveConfig(w, r)
}

func (s *Server) set(change map[string]json.RawMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := s.cfg.with(change)
	if err != nil {
		return err
	}
	if _, given := change["initial_balance"]; given {
		s.book.balance = next.InitialBalance.Decimal
		s.book.shownAt = time.Time{}
	}
	if next.LimitRequests != s.cfg.LimitRequests || next.LimitWindowMS != s.cfg.LimitWindowMS {
		s.window = window{}
	}
	s.cfg = next
	return nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
}

// window counts the calls of one window of the rate limit.
type window struct {
	ends  time.Time
	calls int
}

// limit counts one call and reports whether it is one too many, with the headers that say so.
func (s *Server) limit(h http.Header, now time.Time) (over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.LimitRequests == 0 {
		return false
	}
	if !now.Before(s.window.ends) {
		s.window = window{ends: now.Add(millisToDuration(s.cfg.LimitWindowMS))}
	}
	s.window.calls++
	over = s.window.calls > s.cfg.LimitRequests
	reset := strconv.Itoa(int(math.Ceil(s.window.ends.Sub(now).Seconds())))
	h.Set("RateLimit-Limit", strconv.Itoa(s.cfg.LimitRequests))
	h.Set("RateLimit-Remaining", strconv.Itoa(max(0, s.cfg.LimitRequests-s.window.calls)))
	h.Set("RateLimit-Reset", reset)
	if over {
		h.Set("Retry-After", reset)
	}
	return over
}
