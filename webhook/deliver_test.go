package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/webhook"
)

func TestDeliverSendsWhatThePublicLibraryVerifies(t *testing.T) {
	r := newReceiver(t, status(204))
	older, newer := webhook.NewSecret(), webhook.NewSecret()
	ev := news(t, "evt_1")
	b := newBook(ev)
	d := deliverer(t, webhook.Config{}, b, at(r.URL+"/hook?token=hush", newer, older))
	if next := deliver(t, d, ev.ID); !next.IsZero() {
		t.Errorf("next is %s for a delivered event", next)
	}
	kept, try := b.get(t, ev.ID)
	if kept.State != topup.EventDelivered || *try.Status != 204 || try.Error != "" || time.Since(try.At) > patience {
		t.Errorf("recorded %s, %+v", kept.State, try)
	}
	if deliver(t, d, ev.ID); len(r.requests()) != 1 {
		t.Errorf("%d requests, want 1: it was delivered", len(r.requests()))
	}
	got := r.requests()[0]
	if !bytes.Equal(got.body, ev.Body) || got.Method != "POST" || got.RequestURI != "/hook?token=hush" {
		t.Errorf("got %s %s with %s", got.Method, got.RequestURI, got.body)
	}
	want := map[string]string{"Content-Type": "application/json", "User-Agent": "Recarga-Webhooks/1",
		"Webhook-Id": "evt_1", "Accept-Encoding": ""}
	for name, value := range want {
		if got.Header.Get(name) != value {
			t.Errorf("%s is %q, want %q", name, got.Header.Get(name), value)
		}
	}
	for _, secret := range []string{older, newer} {
		public, err := standard.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := public.Verify(got.body, got.Header); err != nil {
			t.Error(err)
		}
	}
}

// TestSwitchingProtocols: an endpoint that answers 101 is a failed try at once, and delays no shutdown.
func TestSwitchingProtocols(t *testing.T) {
	r := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusSwitchingProtocols)
		_ = http.NewResponseController(w).Flush()
		hang(w, r)
	})
	ev := news(t, "evt_1")
	b := newBook(ev)
	d := deliverer(t, webhook.Config{Timeout: time.Hour}, b, at(r.URL, webhook.NewSecret()))
	if next := deliver(t, d, ev.ID); next.IsZero() {
		t.Error("it is not tried again")
	}
	if kept, try := b.get(t, ev.ID); kept.State != topup.EventPending || try.Status != nil ||
		!strings.Contains(string(try.Error), "101") {
		t.Errorf("%s after %+v", kept.State, try)
	}
}

func TestScheduleIsWalkedToItsEnd(t *testing.T) {
	r := newReceiver(t, status(500))
	ev := news(t, "evt_1")
	b := newBook(ev)
	d := deliverer(t, webhook.Config{}, b, at(r.URL, webhook.NewSecret()))
	for _, wait := range webhook.DefaultSchedule() {
		began := time.Now()
		next := deliver(t, d, ev.ID)
		if soonest, latest := began.Add(wait*9/10), time.Now().Add(wait*11/10); next.Before(soonest) || next.After(latest) {
			t.Fatalf("comes back after %s, want %s", next.Sub(began), wait)
		}
		if early := deliver(t, d, ev.ID); !early.Equal(next) {
			t.Fatalf("tried early, it comes back at %s, want %s", early, next)
		}
		b.change(ev.ID, func(ev *topup.Event) { ev.DueAt = time.Now() }) // the wait passes
	}
	if next := deliver(t, d, ev.ID); !next.IsZero() {
		t.Errorf("comes back at %s after the last try", next)
	}
	if kept, try := b.get(t, ev.ID); kept.State != topup.EventExhausted || kept.TryCount != 10 || *try.Status != 500 {
		t.Errorf("recorded %s after %d tries, the last %+v", kept.State, kept.TryCount, try)
	}
	if deliver(t, d, ev.ID); len(r.requests()) != 10 {
		t.Errorf("%d requests, want 10", len(r.requests()))
	}
	// Redelivered: the schedule begins again.
	b.change(ev.ID, func(ev *topup.Event) {
		ev.State, ev.ScheduleStart, ev.DueAt = topup.EventPending, ev.TryCount, time.Now()
	})
	if wait := time.Until(deliver(t, d, ev.ID)); wait > 6*time.Second || wait < 0 {
		t.Errorf("after a redelivery's first try it comes back after %s, want 5s", wait)
	}
}

func TestEveryTryIsSignedAnew(t *testing.T) {
	r := newReceiver(t, status(500))
	secret := webhook.NewSecret()
	ev := news(t, "evt_1")
	b := newBook(ev)
	d := deliverer(t, webhook.Config{}, b, at(r.URL, secret))
	deliver(t, d, ev.ID)
	first := r.requests()[0].Header.Get("webhook-timestamp")
	testkit.Eventually(t, patience, func() bool { // the header counts whole seconds
		b.change(ev.ID, func(ev *topup.Event) { ev.DueAt, ev.ScheduleStart = time.Now(), ev.TryCount })
		deliver(t, d, ev.ID)
		got := r.requests()
		return got[len(got)-1].Header.Get("webhook-timestamp") != first
	}, "every try has the timestamp of the first")
	for _, got := range r.requests() {
		if event, err := webhook.Verify(got.body, got.Header, secret); err != nil || event.ID != ev.ID ||
			!bytes.Equal(got.body, ev.Body) {
			t.Errorf("got %s, %v", event.ID, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	date := func(in time.Duration) string { return time.Now().Add(in).UTC().Format(http.TimeFormat) }
	const wait, day = time.Minute, 24 * time.Hour
	cases := map[string]struct {
		answer http.HandlerFunc
		state  topup.EventState
		wait   time.Duration // within a tenth, and the second that a date is cut by
		err    string
	}{
		"200": {status(200), topup.EventDelivered, 0, ""},
		"299": {status(299), topup.EventDelivered, 0, ""},
		"redirect": {status(302, "Location", "/elsewhere"), topup.EventPending, wait,
			"redirects are not followed"},
		"redirect that keeps a POST": {status(308, "Location", "/elsewhere"), topup.EventPending, wait,
			"redirects are not followed"},
		"400":              {status(400), topup.EventPending, wait, ""},
		"410":              {status(410), topup.EventExhausted, 0, "410: the endpoint wants no more webhooks"},
		"429":              {status(429), topup.EventPending, wait, ""},
		"429 with seconds": {status(429, "Retry-After", "3600"), topup.EventPending, time.Hour, ""},
		"503 with a date": {status(503, "Retry-After", date(2*time.Hour)), topup.EventPending, 2 * time.Hour,
			""},
		"503 with less than the wait": {status(503, "Retry-After", "1"), topup.EventPending, wait, ""},
		"503 with a past date":        {status(503, "Retry-After", date(-time.Hour)), topup.EventPending, wait, ""},
		"503 with a month":            {status(503, "Retry-After", "2592000"), topup.EventPending, day, ""},
		"503 with ages":               {status(503, "Retry-After", "18446744073709551615"), topup.EventPending, day, ""},
		"503 with a far date":         {status(503, "Retry-After", date(100*day)), topup.EventPending, day, ""},
		"503 with nonsense":           {status(503, "Retry-After", "-5"), topup.EventPending, wait, ""},
		"500 may not ask":             {status(500, "Retry-After", "3600"), topup.EventPending, wait, ""},
		"connection cut": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			topup.EventPending, wait, "EOF"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t, c.answer)
			b := newBook(news(t, "evt_1"))
			d := deliverer(t, webhook.Config{Schedule: []time.Duration{wait}}, b, at(r.URL, webhook.NewSecret()))
			began := time.Now()
			next := deliver(t, d, "evt_1")
			kept, try := b.get(t, "evt_1")
			if kept.State != c.state || string(try.Error) != c.err || kept.TryCount != 1 {
				t.Errorf("recorded %s with %q after %d tries, want %s with %q", kept.State, try.Error, kept.TryCount, c.state,
					c.err)
			}
			if c.state != topup.EventPending {
				if !next.IsZero() {
					t.Errorf("comes back at %s", next)
				}
			} else if got := kept.DueAt.Sub(began); got < c.wait*9/10-time.Second || got > c.wait*11/10+time.Second ||
				!next.Equal(kept.DueAt) {
				t.Errorf("comes back after %s (due %s), want %s", got, kept.DueAt, c.wait)
			}
			for _, got := range r.requests() {
				if got.URL.Path != "/" {
					t.Errorf("followed to %s", got.URL)
				}
			}
		})
	}
}

func TestNowhereToDeliver(t *testing.T) {
	secret := webhook.NewSecret()
	cases := map[string]struct {
		endpoints phoneBook
		state     topup.EventState
		err       string
	}{
		"unknown caller": {phoneBook{}, topup.EventExhausted, "caller shop has no callback URL"},
		"no URL":         {at("", secret), topup.EventKept, "kept for the feed: caller shop has no callback URL"},
		"no secret":      {at("http://127.0.0.1:1/"), topup.EventPending, "caller shop has no webhook secret"},
		"bad secret": {at("http://127.0.0.1:1/", "hush"), topup.EventPending,
			"invalid webhook secret: it does not start with whsec_"},
		"bad URL": {at("http://[::1/?token=hush", secret), topup.EventPending, "missing ']' in host"},
		"ftp": {at("ftp://127.0.0.1/?token=hush", secret), topup.EventPending,
			`unsupported protocol scheme "ftp"`},
		"nobody listens": {at("http://127.0.0.1:1/?token=hush", secret), topup.EventPending,
			"dial tcp 127.0.0.1:1: connect: connection refused"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBook(news(t, "evt_1"))
			d := deliverer(t, webhook.Config{}, b, c.endpoints)
			deliver(t, d, "evt_1")
			kept, try := b.get(t, "evt_1")
			if kept.State != c.state || string(try.Error) != c.err || try.Status != nil {
				t.Errorf("recorded %s with %q, want %s with %q", kept.State, try.Error, c.state, c.err)
			}
		})
	}
}

// TestAdoption: an event of a caller without a callback URL goes to the endpoint that the book says has adopted it. Where
// the endpoint has a copy already, the event goes nowhere: the endpoint would hear of one change under two ids.
func TestAdoption(t *testing.T) {
	for _, c := range []struct {
		adopted string
		state   topup.EventState
		heard   int
	}{{"erp", topup.EventDelivered, 1}, {"", topup.EventKept, 0}} {
		t.Run("adopted by "+c.adopted, func(t *testing.T) {
			r := newReceiver(t, status(200))
			b := newBook(news(t, "evt_1"))
			d := deliverer(t, webhook.Config{}, adopting{b, c.adopted}, several{
				{}, {Name: "erp", URL: r.URL, Secrets: []string{webhook.NewSecret()}},
			})
			deliver(t, d, "evt_1")
			if kept, _ := b.get(t, "evt_1"); kept.State != c.state || len(r.requests()) != c.heard {
				t.Errorf("%s, %d requests; want %s, %d", kept.State, len(r.requests()), c.state, c.heard)
			}
		})
	}
}

// adopting is a book that lets an endpoint adopt every event; none, if it is empty.
type adopting struct {
	*book
	by string
}

func (a adopting) FanOut(
	_ context.Context, ev topup.Event, _ []string, adopt bool, _ time.Time,
) ([]topup.Event, error) {
	if adopt {
		a.change(ev.ID, func(ev *topup.Event) { ev.Endpoint = a.by })
	}
	return nil, nil
}

// several are the endpoints of every caller.
type several []webhook.Endpoint

func (s several) Endpoints(context.Context, string) ([]webhook.Endpoint, error) { return s, nil }

func TestEventsOwnCallbackURL(t *testing.T) {
	r := newReceiver(t, status(200))
	ev := news(t, "evt_1")
	ev.CallbackURL = r.URL + "/own"
	d := deliverer(t, webhook.Config{}, newBook(ev), at(r.URL+"/callers", webhook.NewSecret()))
	deliver(t, d, ev.ID)
	if got := r.requests(); len(got) != 1 || got[0].URL.Path != "/own" {
		t.Errorf("got %v", got)
	}
}

// A tool shows what the endpoint wrote, but not all that it would.
func TestAnswersAreShown(t *testing.T) {
	const most = 4 << 10
	for name, c := range map[string]struct {
		write string
		shown int
	}{"refusal": {"no such order", 13}, "nothing": {"", 0}, "too much": {strings.Repeat("x", 2*most), most}} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusTeapot)
				_, _ = io.WriteString(w, c.write)
			})
			to := webhook.Endpoint{URL: r.URL, Secrets: []string{webhook.NewSecret()}}
			try, got, delivered := webhook.SendTest(t.Context(), news(t, "evt_1"), to, time.Minute)
			if want := c.write[:c.shown]; string(got) != want {
				t.Errorf("%d bytes are shown: %.40q, want %.40q", len(got), got, want)
			}
			if delivered || try.Status == nil || *try.Status != http.StatusTeapot {
				t.Errorf("%+v, delivered %t", try, delivered)
			}
		})
	}
}

func TestTimeoutBoundsATry(t *testing.T) {
	const timeout = 200 * time.Millisecond
	trickle := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		hang(w, r)
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		state  topup.EventState
		err    string
	}{
		"no answer": {hang, topup.EventPending, "no answer within 200ms"},
		"no body":   {trickle, topup.EventDelivered, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t, c.answer)
			b := newBook(news(t, "evt_1"))
			d := deliverer(t, webhook.Config{Timeout: timeout}, b, at(r.URL, webhook.NewSecret()))
			began := time.Now()
			deliver(t, d, "evt_1")
			took := time.Since(began)
			kept, try := b.get(t, "evt_1")
			if kept.State != c.state || string(try.Error) != c.err {
				t.Errorf("recorded %s with %q", kept.State, try.Error)
			}
			if took > patience || c.state == topup.EventPending && try.DurationMS < timeout.Milliseconds() {
				t.Errorf("took %s, recorded %d ms", took, try.DurationMS)
			}
		})
	}
}

// A kept connection that the endpoint closes upon the next request is not a failed try.
func TestStaleConnectionIsReplaced(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	if err := listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	defer served.Wait()
	answer := func(conn net.Conn, in *bufio.Reader, reply string) {
		req, err := http.ReadRequest(in)
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		_, _ = io.WriteString(conn, reply)
	}
	const ok = "HTTP/1.1 204 No Content\r\n\r\n"
	served.Go(func() {
		for _, replies := range [][]string{{ok, ""}, {ok}} {
			conn, err := listener.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			in := bufio.NewReader(conn)
			for _, reply := range replies {
				answer(conn, in, reply)
			}
			_ = conn.Close()
		}
	})
	b := newBook(news(t, "evt_1"), news(t, "evt_2"))
	d := deliverer(t, webhook.Config{}, b, at("http://"+listener.Addr().String(), webhook.NewSecret()))
	for _, id := range []string{"evt_1", "evt_2"} {
		deliver(t, d, id)
		if kept, try := b.get(t, id); kept.State != topup.EventDelivered || kept.TryCount != 1 {
			t.Errorf("%s is %s after %d tries: %+v", id, kept.State, kept.TryCount, try)
		}
	}
}

func TestConnectionsAreKept(t *testing.T) {
	connections := make(chan struct{}, 10)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "thank you")
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections <- struct{}{}
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	b := newBook(news(t, "evt_1"), news(t, "evt_2"), news(t, "evt_3"))
	d := deliverer(t, webhook.Config{}, b, at(server.URL, webhook.NewSecret()))
	for _, id := range []string{"evt_1", "evt_2", "evt_3"} {
		deliver(t, d, id)
	}
	if n := len(connections); n != 1 {
		t.Errorf("%d connections for 3 tries in a row, want 1", n)
	}
}

func TestDeliverKnowsNothingOfTheEvent(t *testing.T) {
	d := deliverer(t, webhook.Config{}, newBook(), phoneBook{})
	if next := deliver(t, d, "evt_0"); !next.IsZero() {
		t.Errorf("an event that does not exist comes back at %s", next)
	}
}

func TestTryThatCannotBeRecordedIsMadeAgain(t *testing.T) {
	r := newReceiver(t, status(200))
	b := newBook(news(t, "evt_1"))
	b.down = errors.New("disk full")
	d := deliverer(t, webhook.Config{}, b, at(r.URL, webhook.NewSecret()))
	if _, err := d.Deliver(t.Context(), "evt_1"); !errors.Is(err, b.down) {
		t.Errorf("got %v", err)
	}
	again := make(chan time.Time, 1)
	if !d.DeliverNow(t.Context(), news(t, "evt_1"), func(_ topup.Event, next time.Time) { again <- next }) {
		t.Fatal("no room")
	}
	if next := <-again; !next.After(time.Now()) {
		t.Errorf("comes back at %s", next)
	}
}

func TestLogsHideSecretsPhonesAndQueries(t *testing.T) {
	var log bytes.Buffer
	r := newReceiver(t, status(200))
	b := newBook(news(t, "evt_1"), news(t, "evt_2"), news(t, "evt_3"), news(t, "evt_4"))
	secret := webhook.NewSecret()
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	for id, endpoints := range map[string]phoneBook{
		"evt_1": at(r.URL+"/?token=hush", secret), "evt_2": at("http://127.0.0.1:1/?token=hush", secret), "evt_3": at("",
			secret), "evt_4": {},
	} {
		deliver(t, deliverer(t, webhook.Config{Log: logger}, b, endpoints), id)
	}
	for _, hidden := range []string{"hush", secret, secret[6:], "5537686660"} {
		if strings.Contains(log.String(), hidden) {
			t.Errorf("the log shows %s: %s", hidden, log.String())
		}
	}
	for _, shown := range []string{"webhook delivered", "webhook not delivered", "webhook exhausted",
		`"level":"INFO","msg":"event kept for the feed"`, "evt_1", "ORD-1"} {
		if !strings.Contains(log.String(), shown) {
			t.Errorf("the log does not show %q: %s", shown, log.String())
		}
	}
}

func TestCloseCutsTriesShort(t *testing.T) {
	r := newReceiver(t, hang)
	b := newBook(news(t, "evt_1"))
	d := deliverer(t, webhook.Config{}, b, at(r.URL, webhook.NewSecret()))
	later := make(chan time.Time, 1)
	if !d.DeliverNow(t.Context(), news(t, "evt_1"), func(_ topup.Event, next time.Time) { later <- next }) {
		t.Fatal("no room")
	}
	testkit.Eventually(t, patience, func() bool { return len(r.requests()) == 1 }, "no request")
	ended, end := context.WithCancel(t.Context())
	end()
	d.Close(ended)
	if kept, try := b.get(t, "evt_1"); kept.State != topup.EventPending || try.Error != "cut short by a shutdown" ||
		len(later) != 1 {
		t.Errorf("recorded %s with %q, deferred %d times", kept.State, try.Error, len(later))
	}
	if d.DeliverNow(t.Context(), news(t, "evt_2"), nil) {
		t.Error("a closed Deliverer begins a try")
	}
}

// The seam: the real journal, and two workers that were woken for the same event.
func TestOverTheJournal(t *testing.T) {
	ctx := t.Context()
	j, err := journal.Open(ctx, journaltest.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	order := topup.Request{ID: "ORD-1", Caller: "shop", Phone: "5537686660", Product: "MOVISTAR_TAE",
		Amount: topup.Pesos(10)}
	if _, _, err := j.Accept(ctx, order, time.Now()); err != nil {
		t.Fatal(err)
	}
	_, ev, err := j.Cancel(ctx, order.ID, order.Caller, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan int, 3)
	answers <- 500
	answers <- 200
	answers <- 200
	var both sync.WaitGroup
	both.Add(2)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		code := <-answers
		if code == 200 { // no answer before both workers have asked
			both.Done()
			both.Wait()
		}
		w.WriteHeader(code)
	})
	cfg := webhook.Config{Schedule: []time.Duration{50 * time.Millisecond}}
	one, two := deliverer(t, cfg, j, at(r.URL, vectorSecret)), deliverer(t, cfg, j, at(r.URL, vectorSecret))
	failed := make(chan time.Time, 1)
	if !one.DeliverNow(t.Context(), *ev, func(_ topup.Event, next time.Time) { failed <- next }) {
		t.Fatal("no room")
	}
	next := <-failed
	testkit.Eventually(t, patience, func() bool { return time.Now().After(next) }, "the clock stands still")
	var workers sync.WaitGroup
	for _, d := range []*webhook.Deliverer{one, two} {
		workers.Go(func() {
			if next, err := d.Deliver(ctx, ev.ID); err != nil || !next.IsZero() {
				t.Errorf("comes back at %s, %v", next, err)
			}
		})
	}
	workers.Wait()
	kept, err := j.Event(ctx, ev.ID)
	if err != nil {
		t.Fatal(err)
	}
	var statuses []int
	for _, try := range kept.Tries {
		statuses = append(statuses, *try.Status)
	}
	if diff := cmp.Diff([]int{500, 200}, statuses); diff != "" || kept.State != topup.EventDelivered ||
		kept.DeliveredAt == nil {
		t.Errorf("%s at %v: %s", kept.State, kept.DeliveredAt, diff)
	}
	for _, got := range r.requests() {
		if event, err := webhook.Verify(got.body, got.Header, vectorSecret); err != nil || event.ID != ev.ID ||
			event.Data.State != topup.StateCanceled {
			t.Errorf("received %+v, %v", event, err)
		}
	}
}
