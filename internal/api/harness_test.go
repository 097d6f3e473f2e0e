package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"recarga/internal/access"
	"recarga/internal/api"
	"recarga/internal/api/keys"
	codes "recarga/internal/api/problem"
	"recarga/internal/bulk"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/listen"
	"recarga/producer"
	"recarga/topup"
)

const (
	shopKey  = "shop-key"
	otherKey = "other-key"
	adminKey = "admin-key"
	typeJSON = "application/json"
	typeND   = "application/x-ndjson"
)

// callers are two shops and the operator.
type callers map[string]keys.Identity

func (c callers) Authenticate(_ context.Context, key string) (keys.Identity, error) {
	who, ok := c[key]
	if !ok {
		return who, keys.ErrUnknown
	}
	return who, nil
}

func twoShops() callers {
	return callers{
		shopKey:  {Caller: "shop", CallbackURL: "https://shop.example/hooks"},
		otherKey: {Caller: "other"},
		adminKey: {Caller: topup.DefaultCaller, Role: access.Admin, Operator: access.AdminName},
	}
}

// noWaker: the queue is not what is tested here.
type noWaker struct{}

func (noWaker) EnqueueOrder(context.Context, topup.Request, time.Time) error { return nil }
func (noWaker) EnqueueEvent(context.Context, string, time.Time) error        { return nil }

// server is the API over a real journal, on a real port.
type server struct {
	tb      testing.TB
	url     string
	journal *journal.Journal
	bulk    *bulk.Runner
	client  *http.Client
}

func serve(tb testing.TB, change ...func(*api.Config)) *server {
	tb.Helper()
	return serveOn(tb, journaltest.SQLite(tb), change...)
}

// serveOn is serve over a database.
func serveOn(tb testing.TB, database string, change ...func(*api.Config)) *server {
	tb.Helper()
	j, err := journal.Open(tb.Context(), database, journal.WithCatalog(topup.DefaultCatalog()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = j.Close() })
	quiet := slog.New(slog.DiscardHandler)
	orders := producer.New(j, noWaker{}, quiet)
	cfg := api.Config{Orders: orders, Bulk: bulk.NewRunner(j, orders, quiet), Book: j, Callers: twoShops(), Log: quiet}
	for _, c := range change {
		c(&cfg)
	}
	return &server{tb: tb, url: listenOn(tb, cfg), journal: j, bulk: cfg.Bulk, client: client(tb)}
}

func listenOn(tb testing.TB, cfg api.Config, change ...func(*listen.Config)) (url string) {
	tb.Helper()
	handler := api.New(cfg)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	bounds := listen.Config{Handler: handler, Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&bounds)
	}
	httpServer := listen.New(bounds)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = httpServer.Serve(listener) }()
	tb.Cleanup(func() {
		_ = httpServer.Close()
		<-ended
		if err := handler.Close(); err != nil {
			tb.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

func client(tb testing.TB) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is a response that was read.
type answer struct {
	tb     testing.TB
	status int
	header http.Header
	body   []byte
	// trailer came after the body.
	trailer http.Header
}

func (s *server) send(method, path, body string, header ...string) answer {
	s.tb.Helper()
	r := s.make(method, path, body)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return s.request(r)
}

func (s *server) make(method, path, body string) *http.Request {
	s.tb.Helper()
	r, err := http.NewRequestWithContext(s.tb.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.tb.Fatal(err)
	}
	return r
}

func (s *server) request(r *http.Request) answer {
	s.tb.Helper()
	response, err := s.client.Do(r)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		s.tb.Fatal(err)
	}
	if r.Method != http.MethodHead && response.Header.Get("Content-Type") == "application/problem+json" {
		var p struct{ Code codes.Code }
		if err := json.Unmarshal(read, &p); err != nil || !slices.ContainsFunc(codes.Codes, func(e codes.Entry) bool {
			return e.Code == p.Code && e.Status == response.StatusCode
		}) {
			s.tb.Errorf("%s %s is answered %d without a code of it: %v\n%s", r.Method, r.URL.Path, response.StatusCode, err, read)
		}
	}
	return answer{s.tb, response.StatusCode, response.Header, read, response.Trailer}
}

func (s *server) get(key, path string) answer {
	s.tb.Helper()
	return s.send("GET", path, "", "Authorization", "Bearer "+key)
}

func (s *server) post(key, path, body string) answer {
	s.tb.Helper()
	return s.send("POST", path, body, "Authorization", "Bearer "+key, "Content-Type", typeJSON)
}

func (s *server) place(id string, more ...string) answer {
	s.tb.Helper()
	return s.post(shopKey, "/v1/topups", order(id, more...))
}

// order is a valid request; more are fields that come last: `"operator":"MOVISTAR"`.
func order(id string, more ...string) string {
	fields := append([]string{fmt.Sprintf(
		`"distributor_transaction_id":%q,"phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10`, id)}, more...)
	return "{" + strings.Join(fields, ",") + "}"
}

func (a answer) want(status int) answer {
	a.tb.Helper()
	if a.status != status {
		a.tb.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if status >= 400 {
		a.problem()
	}
	return a
}

// problem checks the shape of RFC 9457 and returns it.
func (a answer) problem() problem {
	a.tb.Helper()
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		a.tb.Fatalf("Content-Type %q of a problem: %s", got, a.body)
	}
	var p problem
	decode(a.tb, a.body, &p)
	if p.Status != a.status || p.Title == "" || p.Detail == "" {
		a.tb.Fatalf("incomplete problem for %d: %s", a.status, a.body)
	}
	return p
}

type problem struct {
	Status int
	Title  string
	Detail string
	Errors []struct {
		Location, Message string
		Value             any
	}
}

// named are the locations of the wrong fields.
func (p problem) named() []string {
	var names []string
	for _, e := range p.Errors {
		names = append(names, e.Location)
	}
	return names
}

func (a answer) order() topup.Order {
	a.tb.Helper()
	var o topup.Order
	decode(a.tb, a.body, &o)
	return o
}

func decode(tb testing.TB, data []byte, into any) {
	tb.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		tb.Fatalf("%v in %s", err, data)
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
