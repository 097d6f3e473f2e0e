package console_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"recarga/internal/access"
	"recarga/internal/api"
	"recarga/internal/api/keys"
	"recarga/internal/bulk"
	"recarga/internal/callers"
	"recarga/internal/console"
	"recarga/internal/controls"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/journal/search"
	"recarga/internal/listen"
	"recarga/internal/queue"
	"recarga/producer"
	"recarga/topup"
)

const adminKey = "the-admin-key"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is the whole HTTP side of the program, over a real journal and a real (embedded) Redis.
type site struct {
	tb      testing.TB
	url     string
	journal *journal.Journal
	queue   *queue.Queue
	bulk    *bulk.Runner
	log     *screen
	config  console.Config
}

// screen is what was logged.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func open(tb testing.TB, change ...func(*console.Config)) *site {
	tb.Helper()
	s := &site{tb: tb, log: &screen{}}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	var err error
	s.journal, err = journal.Open(tb.Context(), journaltest.SQLite(tb),
		journal.WithCatalog(topup.DefaultCatalog()))
	must(tb, err)
	tb.Cleanup(func() { must(tb, s.journal.Close()) })
	s.queue = s.openQueue(queue.Embedded, log)
	orders := producer.New(s.journal, s.queue, log)
	s.bulk = bulk.NewRunner(s.journal, orders, log)
	s.config = console.Config{
		Bulk:     s.bulk,
		AdminKey: adminKey, Operators: access.NewOperators(s.journal), Journal: s.journal,
		Orders: orders, Queue: s.queue,
		Callers: callers.New(s.journal, adminKey, true), Purchases: restricted{}, Log: log, Version: "v1.0.0",
	}
	s.config.Controls = controls.Desk{Book: s.journal, Queue: s.queue, Callers: callers.New(s.journal, adminKey, true),
		Catalog: topup.DefaultCatalog(), Log: log}
	for _, c := range change {
		c(&s.config)
	}
	s.url = s.listen(s.config)
	return s
}

func (s *site) openQueue(url string, log *slog.Logger) *queue.Queue {
	s.tb.Helper()
	q, err := queue.Open(s.tb.Context(), url, log)
	must(s.tb, err)
	s.tb.Cleanup(func() { must(s.tb, q.Close()) })
	return q
}

// restricted is what keeps purchases from being made.
type restricted struct {
	now topup.Restrictions
	err error
}

func (r restricted) Restrictions(context.Context) (topup.Restrictions, error) { return r.now, r.err }

// listen starts another process's HTTP side over the same journal and Redis.
func (s *site) listen(cfg console.Config) string {
	s.tb.Helper()
	page, err := console.New(cfg)
	must(s.tb, err)
	return s.serve(page)
}

// serve is listen for a console.
func (s *site) serve(page *console.Console) string {
	s.tb.Helper()
	cfg := s.config
	handler := api.New(api.Config{
		Orders: producer.New(s.journal, s.queue, cfg.Log), Book: s.journal, Limiter: cfg.Limiter,
		Proxies: cfg.Proxies,
		Callers: keys.WithOperators(keys.Static("shop-key", "", cfg.AdminKey), cfg.Operators),
		Queues:  s.queue.Page, Console: page, Log: cfg.Log,
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(s.tb, err)
	server := listen.New(listen.Config{Handler: handler, Log: cfg.Log})
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(listener) }()
	s.tb.Cleanup(func() {
		_ = server.Close()
		<-ended
		must(s.tb, handler.Close())
	})
	return "http://" + listener.Addr().String()
}

// browser keeps cookies, and says what a browser says of where its requests come from.
type browser struct {
	tb     testing.TB
	url    string
	client *http.Client
	// site is the Sec-Fetch-Site of its requests.
	site string
}

func newBrowser(tb testing.TB, url string) *browser {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	must(tb, err)
	transport := &http.Transport{}
	tb.Cleanup(transport.CloseIdleConnections)
	return &browser{tb: tb, url: url, site: "same-origin", client: &http.Client{
		Transport: transport, Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// enter is a browser that has logged in as ana.
func (s *site) enter() *browser {
	s.tb.Helper()
	b := newBrowser(s.tb, s.url)
	b.login(adminKey).want(http.StatusSeeOther)
	return b
}

func (b *browser) login(key string) answer {
	b.tb.Helper()
	return b.post("/console/login", "name", "ana", "key", key)
}

// answer is a response that was read.
type answer struct {
	tb     testing.TB
	status int
	header http.Header
	body   string
}

func (b *browser) get(path string) answer {
	b.tb.Helper()
	return b.send(http.MethodGet, path, "")
}

// post sends a form of names and values.
func (b *browser) post(path string, fields ...string) answer {
	b.tb.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.send(http.MethodPost, path, form.Encode())
}

func (b *browser) send(method, path, body string) answer {
	b.tb.Helper()
	r, err := http.NewRequestWithContext(b.tb.Context(), method, b.url+path, strings.NewReader(body))
	must(b.tb, err)
	r.Header.Set("Accept", "text/html")
	if b.site != "" {
		r.Header.Set("Sec-Fetch-Site", b.site)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := b.client.Do(r)
	must(b.tb, err)
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	must(b.tb, err)
	return answer{b.tb, response.StatusCode, response.Header, string(read)}
}

func (a answer) want(status int, texts ...string) answer {
	a.tb.Helper()
	if a.status != status {
		a.tb.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			a.tb.Errorf("does not say %q: %s", text, a.body)
		}
	}
	return a
}

func (a answer) to(location string) {
	a.tb.Helper()
	a.want(http.StatusSeeOther)
	if got := a.header.Get("Location"); got != location {
		a.tb.Errorf("leads to %s, want %s", got, location)
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// placed is an order that was accepted at a time.
func (s *site) placed(id string, phone topup.Phone, at time.Time) topup.Order {
	s.tb.Helper()
	return s.placedBy("shop", id, phone, at)
}

func (s *site) placedBy(caller, id string, phone topup.Phone, at time.Time) topup.Order {
	s.tb.Helper()
	o, _, err := s.journal.Accept(s.tb.Context(), topup.Request{
		ID: topup.ID(id), Caller: caller, Phone: phone, Product: "MOVISTAR_TAE", Amount: topup.Pesos(50),
		Operator: "MOVISTAR",
	}, at)
	must(s.tb, err)
	return o
}

// begun is the order in its next attempt, which may be settled by a person from giveUp on.
func (s *site) begun(o topup.Order, giveUp, at time.Time) topup.Order {
	s.tb.Helper()
	o, err := s.journal.Begin(s.tb.Context(), o.ID, o.AttemptCount, "worker-1", giveUp, at)
	must(s.tb, err)
	return o
}

// held is an order of unknown outcome.
func (s *site) held(id string, phone topup.Phone, at time.Time, lasts time.Duration) topup.Order {
	s.tb.Helper()
	return s.heldFor(s.placed(id, phone, at), at, lasts)
}

func (s *site) heldFor(o topup.Order, at time.Time, lasts time.Duration) topup.Order {
	s.tb.Helper()
	o = s.begun(o, at.Add(lasts), at)
	o, _, err := s.journal.Finish(s.tb.Context(), topup.Settlement{
		ID: o.ID, Number: o.AttemptCount, State: topup.StateUnknown,
		Result: topup.Result{
			Outcome: topup.OutcomeUnknown, HTTPStatus: 502, Error: "the answer is not JSON",
			Evidence: "request written; answer: <html><b>502 Bad Gateway</b></html>",
		},
	}, at.Add(3*time.Second))
	must(s.tb, err)
	return o
}

// bought is an order that succeeded.
func (s *site) bought(id string, phone topup.Phone, at time.Time, took time.Duration) topup.Order {
	s.tb.Helper()
	o := s.begun(s.placed(id, phone, at), at.Add(time.Minute), at)
	o, ev, err := s.journal.Finish(s.tb.Context(), topup.Settlement{
		ID: o.ID, Number: o.AttemptCount, State: topup.StateSucceeded,
		Result: topup.Result{
			Outcome: topup.OutcomeApproved, HTTPStatus: 200, Code: "00", Message: "Aprobado",
			TransactionID: "TXN-" + id, Reference: "RRN-" + id, AuthCode: "A1B2C3",
		},
	}, at.Add(took))
	must(s.tb, err)
	s.delivered(ev, at.Add(took))
	return o
}

func (s *site) disputed(id, evidence string) {
	s.tb.Helper()
	_, err := s.journal.Dispute(s.tb.Context(), topup.ID(id), topup.Dispute{Evidence: evidence, RaisedBy: "reconcile"},
		time.Now())
	must(s.tb, err)
}

// bystanders are all orders but one, as they were.
type bystanders struct {
	*site
	but topup.ID
	was map[topup.ID]topup.Details
}

func (s *site) bystanders(but topup.ID) bystanders {
	s.tb.Helper()
	return bystanders{s, but, s.book()}
}

func (b bystanders) wantUntouched() {
	b.tb.Helper()
	now := b.book()
	now[b.but] = b.was[b.but]
	if diff := cmp.Diff(b.was, now); diff != "" {
		b.tb.Errorf("others have changed: %s", diff)
	}
}

// delivered delivers an event.
func (s *site) delivered(ev *topup.Event, at time.Time) {
	s.tb.Helper()
	status := http.StatusOK
	must(s.tb, s.journal.RecordTry(s.tb.Context(), *ev, topup.Try{At: at, Status: &status, DurationMS: 12},
		topup.EventDelivered, time.Time{}))
}

func (s *site) order(id string) topup.Details {
	s.tb.Helper()
	d, err := s.journal.Details(s.tb.Context(), topup.ID(id))
	must(s.tb, err)
	return d
}

func (s *site) wantState(id string, want topup.State) {
	s.tb.Helper()
	if got := s.order(id).State; got != want {
		s.tb.Errorf("order %s is %s, want %s", id, got, want)
	}
}

// book is every order with all of its story.
func (s *site) book() map[topup.ID]topup.Details {
	s.tb.Helper()
	all := map[topup.ID]topup.Details{}
	for f := (search.Filter{Limit: 1000}); ; {
		orders, next, err := s.journal.List(s.tb.Context(), f)
		must(s.tb, err)
		for _, o := range orders {
			all[o.ID] = s.order(string(o.ID))
		}
		if f.Cursor = next; next == "" {
			return all
		}
	}
}

func name(i int) string { return fmt.Sprintf("ORD-%04d", i) }
