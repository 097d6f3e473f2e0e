package producer_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/api"
	"recarga/internal/api/keys"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

const shopKey = "shop-api-key"

// noWaker may be called by many at once; the queue is not what is tested here.
type noWaker struct{}

func (noWaker) EnqueueOrder(context.Context, topup.Request, time.Time) error { return nil }
func (noWaker) EnqueueEvent(context.Context, string, time.Time) error        { return nil }

// serve is Recarga's API over a real journal, behind what a test puts before it.
func serve(t *testing.T, before func(api http.Handler) http.Handler) (url string) {
	t.Helper()
	j, err := journal.Open(t.Context(), journaltest.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	handler := api.New(api.Config{Orders: producer.New(j, noWaker{}, quiet), Book: j,
		Callers: keys.Static(shopKey, "", ""), Log: quiet})
	server := httptest.NewServer(before(handler))
	t.Cleanup(func() {
		server.Close()
		if err := errors.Join(handler.Close(), j.Close()); err != nil {
			t.Error(err)
		}
	})
	return server.URL
}

func asItIs(api http.Handler) http.Handler { return api }

func order(id string) topup.Request {
	return topup.Request{ID: topup.ID(id), Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10)}
}

func newClient(tb testing.TB, url, key string, options ...producer.ClientOption) *producer.Client {
	tb.Helper()
	c, err := producer.NewClient(url, key, options...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func TestClientPlace(t *testing.T) {
	c := newClient(t, serve(t, asItIs)+"/", shopKey)
	for i, wantReplayed := range []bool{false, true, true} {
		o, replayed, err := c.Place(t.Context(), order("P-1"))
		if err != nil || o.ID != "P-1" || o.State != topup.StateQueued || replayed != wantReplayed {
			t.Errorf("time %d: got %+v, %v, %v", i+1, o, replayed, err)
		}
	}
	other := order("P-1")
	other.Amount = topup.Pesos(11)
	_, _, err := c.Place(t.Context(), other)
	if p := problemIn(t, err); p.Status != http.StatusConflict || p.Temporary() {
		t.Errorf("another order of the same id: %+v", p)
	}
	_, _, err = c.Place(t.Context(), topup.Request{ID: "P-2", Phone: "1", Product: "X", Amount: 1})
	p := problemIn(t, err)
	var wrong []string
	for _, f := range p.Errors {
		wrong = append(wrong, f.Location)
	}
	if got := strings.Join(wrong, " "); p.Status != http.StatusUnprocessableEntity ||
		got != "body.phone_number body.product_id" {
		t.Errorf("an invalid order: %d, wrong: %s", p.Status, got)
	}
	if text := err.Error(); !strings.Contains(text, `phone_number "`) || !strings.Contains(text, `; product_id "`) {
		t.Errorf("the error does not name every wrong field: %s", text)
	}
	_, _, err = newClient(t, serve(t, asItIs), "wrong-key").Place(t.Context(), order("P-1"))
	if p := problemIn(t, err); p.Status != http.StatusUnauthorized {
		t.Errorf("a wrong key: %+v", p)
	}
}

func problemIn(t *testing.T, err error) *producer.Problem {
	t.Helper()
	var p *producer.Problem
	if !errors.As(err, &p) {
		t.Fatalf("%v is no Problem", err)
	}
	return p
}

// TestClientPlaceRepeats whatever keeps an order from being placed for a while, and says why it waits.
func TestClientPlaceRepeats(t *testing.T) {
	faults := []http.HandlerFunc{
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"distributor_transaction_id":"P-`) // cut short
		},
	}
	var n atomic.Int64
	url := serve(t, func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if i := int(n.Add(1)) - 1; i < len(faults) {
				faults[i](w, r)
				return
			}
			api.ServeHTTP(w, r)
		})
	})
	var waits []time.Duration
	var reasons []string
	c := newClient(t, url, shopKey, producer.WithRetryNotify(func(err error, wait time.Duration) {
		reasons, waits = append(reasons, err.Error()), append(waits, wait)
	}))
	o, replayed, err := c.Place(t.Context(), order("P-1"))
	if err != nil || replayed || o.ID != "P-1" {
		t.Fatalf("got %+v, %v, %v", o, replayed, err)
	}
	if len(waits) != len(faults) {
		t.Fatalf("repeated %d times, want %d: %q", len(waits), len(faults), reasons)
	}
	for i, wait := range waits {
		asked := i == 2
		if asked != (wait >= time.Second) {
			t.Errorf("after %q it waited %s", reasons[i], wait)
		}
	}
}

// TestClientPlaceTwiceIsOneOrder: the answer is lost after the order was recorded.
func TestClientPlaceTwiceIsOneOrder(t *testing.T) {
	var n atomic.Int64
	url := serve(t, func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 1 {
				api.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
			api.ServeHTTP(w, r)
		})
	})
	c := newClient(t, url, shopKey)
	if _, replayed, err := c.Place(t.Context(), order("P-1")); err != nil || !replayed {
		t.Errorf("replayed is %v, %v", replayed, err)
	}
	if orders, _, err := c.List(t.Context(), producer.OrderFilter{}); err != nil || len(orders) != 1 {
		t.Errorf("%d orders, %v; want 1", len(orders), err)
	}
}

// TestClientSwitchingProtocols: whoever answers 101 holds nobody up, whatever client is given.
func TestClientSwitchingProtocols(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusSwitchingProtocols)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	for _, options := range [][]producer.ClientOption{nil, {producer.WithHTTPClient(&http.Client{})}} {
		_, err := newClient(t, server.URL, shopKey, options...).Get(t.Context(), "ORD-1")
		if err == nil || !strings.Contains(err.Error(), "101") {
			t.Errorf("%v, want that it is about 101", err)
		}
	}
}

// TestClientPlaceGivesUp with its context, and says what it waited for.
func TestClientPlaceGivesUp(t *testing.T) {
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, _, err := newClient(t, down.URL, shopKey).Place(ctx, order("P-1"))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
}

// TestClientNotRecarga: an address that answers, but is not the API, must not look like an order placed.
func TestClientNotRecarga(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"another order": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"distributor_transaction_id":"OTHER","state":"succeeded"}`)
		},
		"no state": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"distributor_transaction_id":"P-1"}`)
		},
		"HTML":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html><title>Log in</title>") },
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"without end": func(w http.ResponseWriter, _ *http.Request) {
			for _, err := io.WriteString(w, `{"distributor_transaction_id":"P-1","note":"`); err == nil; {
				_, err = w.Write(bytes.Repeat([]byte("a"), 1<<20))
			}
		},
		"an empty object": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) },
		"not found":       func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusNotFound) },
		"redirected": func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				_, _ = io.WriteString(w, `{"distributor_transaction_id":"P-1"}`)
				return
			}
			http.Redirect(w, r, "/login", http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			c := newClient(t, server.URL, shopKey)
			ctx := t.Context()
			for what, ask := range map[string]func() (any, error){
				"Place":     func() (any, error) { o, _, err := c.Place(ctx, order("P-1")); return o.ID, err },
				"PlaceMany": func() (any, error) { p, err := c.PlaceMany(ctx, []topup.Request{order("P-1")}); return len(p), err },
				"Get":       func() (any, error) { d, err := c.Get(ctx, "P-1"); return d.ID, err },
				"Cancel":    func() (any, error) { o, err := c.Cancel(ctx, "P-1"); return o.ID, err },
				"Resolve":   func() (any, error) { o, err := c.Resolve(ctx, "P-1", topup.Resolution{}); return o.ID, err },
				"List": func() (any, error) {
					os, _, err := c.List(ctx, producer.OrderFilter{})
					return len(os), err
				},
				"Redeliver":    func() (any, error) { ev, err := c.Redeliver(ctx, "msg_1"); return ev.ID, err },
				"RedeliverAll": func() (any, error) { return c.RedeliverAll(ctx, topup.EventFilter{}, nil) },
				"AddCaller": func() (any, error) {
					added, err := c.AddCaller(ctx, producer.NewCaller{Name: "shop"})
					return added.Name, err
				},
				"ChangeCaller": func() (any, error) {
					changed, err := c.ChangeCaller(ctx, "shop", producer.CallerChange{})
					return changed.Name, err
				},
				"RotateKey": func() (any, error) { return c.RotateKey(ctx, "shop", producer.Rotation{}) },
				"Balance":   func() (any, error) { b, err := c.Balance(ctx); return b.Balance.String(), err },
				"Reconcile": func() (any, error) {
					if name == "nothing" || name == "another order" || name == "an empty object" || name == "no state" {
						return 0, errors.New("is this Recarga's API? A stream may have no line, and whose lines the reader judges")
					}
					return 0, c.Reconcile(ctx, strings.NewReader("a"), producer.ReconcileOptions{}, nil)
				},
			} {
				got, err := ask()
				if err == nil || !strings.Contains(err.Error(), "is this Recarga's API?") || !reflect.ValueOf(got).IsZero() {
					t.Errorf("%s: got %v, %v", what, got, err)
				}
			}
		})
	}
}

func TestClientPlaceMany(t *testing.T) {
	c := newClient(t, serve(t, everySecondCut(2000)), shopKey)
	var rs []topup.Request
	for i := range 100 {
		rs = append(rs, order(fmt.Sprintf("M-%d", i)))
	}
	rs[7].Phone = "1"
	rs[8].ID = "not valid"
	rs[9] = rs[0]
	placed, err := c.PlaceMany(t.Context(), rs)
	if err != nil || len(placed) != len(rs) {
		t.Fatalf("%d placed, %v", len(placed), err)
	}
	for i, p := range placed {
		switch {
		case i == 7 || i == 8:
			if got := problemIn(t, p.Err); got.Status != http.StatusUnprocessableEntity {
				t.Errorf("order %d: %v", i, p.Err)
			}
		case p.Err != nil || p.Order.ID != rs[i].ID:
			t.Errorf("order %d: %+v", i, p)
		}
	}
	if !placed[9].Replayed {
		t.Error("the same order twice in a batch is placed twice")
	}
	if orders, err := all(t, c); err != nil || len(orders) != 97 {
		t.Errorf("%d orders, %v; want 97", len(orders), err)
	}
	if placed, err := c.PlaceMany(t.Context(), nil); placed != nil || err != nil {
		t.Errorf("no orders: %v, %v", placed, err)
	}
	if _, err := c.PlaceMany(t.Context(), make([]topup.Request, producer.MaxBatch+1)); err == nil {
		t.Error("too many orders are not refused")
	}
}

// everySecondCut ends every second answer to a batch after some bytes.
func everySecondCut(after int) func(http.Handler) http.Handler {
	var n atomic.Int64
	return func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/topups/batch" || n.Add(1)%2 == 0 {
				api.ServeHTTP(w, r)
				return
			}
			whole := &cutter{ResponseWriter: w, left: after}
			api.ServeHTTP(whole, r)
			panic(http.ErrAbortHandler)
		})
	}
}

// cutter passes some bytes on and swallows the others.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *cutter) Write(p []byte) (int, error) {
	n := min(c.left, len(p))
	c.left -= n
	if _, err := c.ResponseWriter.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// all are the orders of all pages.
func all(t *testing.T, c *producer.Client) (orders []topup.Order, err error) {
	t.Helper()
	f := producer.OrderFilter{Limit: 30}
	for {
		page, next, err := c.List(t.Context(), f)
		orders = append(orders, page...)
		if err != nil || next == "" {
			return orders, err
		}
		f.Cursor = next
	}
}

// TestClientPlaceManyWaitsForOneLine: a line that cannot be recorded now is sent again, the ones before it not.
func TestClientPlaceManyWaitsForOneLine(t *testing.T) {
	var sent []int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		lines := strings.Count(string(body), "\n")
		if sent = append(sent, lines); lines == 2 {
			_, _ = io.WriteString(w, `{"line":1,"distributor_transaction_id":"A","status":202,"topup":{"distributor_transaction_id":"A","state":"queued"}}
{"line":2,"distributor_transaction_id":"B","status":503,"error":{"status":503,"title":"Service Unavailable"}}`)
			return
		}
		_,
			_ = io.WriteString(w,
			`{"line":1,"distributor_transaction_id":"B","status":202,"topup":{"distributor_transaction_id":"B","state":"queued"}}`)
	}))
	defer server.Close()
	placed, err := newClient(t, server.URL, shopKey).PlaceMany(t.Context(), []topup.Request{order("A"), order("B")})
	if err != nil || len(placed) != 2 || placed[1].Order.ID != "B" || fmt.Sprint(sent) != "[2 1]" {
		t.Errorf("got %+v, %v after batches of %v", placed, err, sent)
	}
}

func TestClientReads(t *testing.T) {
	c := newClient(t, serve(t, asItIs), shopKey, producer.WithHTTPClient(&http.Client{Timeout: time.Minute}))
	if _, _, err := c.Place(t.Context(), order("L-1")); err != nil {
		t.Fatal(err)
	}
	if o, err := c.Cancel(t.Context(), "L-1"); err != nil || o.State != topup.StateCanceled {
		t.Errorf("Cancel: %+v, %v", o, err)
	}
	if d, err := c.Get(t.Context(), "L-1"); err != nil || d.State != topup.StateCanceled || len(d.Events) != 1 {
		t.Errorf("Get: %+v, %v", d, err)
	}
	_, err := c.Get(t.Context(), "a/b?c")
	if wrong := topup.FieldErrors(err); len(wrong) != 1 || wrong[0].Field != topup.FieldID {
		t.Errorf("Get of what is no id: %v", err)
	}
	if products, err := c.Products(t.Context()); err != nil || len(products) != len(topup.DefaultCatalog().Products()) {
		t.Errorf("Products: %d, %v", len(products), err)
	}
	_, err = c.Balance(t.Context())
	if p := problemIn(t, err); p.Status != http.StatusServiceUnavailable {
		t.Errorf("Balance without a distributor: %v", err)
	}
}

// TestClientNeverWorks: what no repeat can cure is an error at once, though nothing bounds the time.
func TestClientNeverWorks(t *testing.T) {
	for _, c := range []struct{ url, key, want string }{
		{"", shopKey, "URL"},
		{"127.0.0.1:8080", shopKey, "URL"},
		{"shop.example", shopKey, "URL"},
		{"ftp://shop.example", shopKey, "URL"},
		{"http://", shopKey, "URL"},
		{"http://:8080", shopKey, "URL"},
		{"http://shop.example:port", shopKey, "URL"},
		{"http://user:secret@shop.example", shopKey, "URL"},
		{"http://shop.example?x=1", shopKey, "URL"},
		{"http://shop.example", "", "key"},
		{"http://shop.example", "shop-api-key\n", "key"},
		{"http://shop.example", "shop api key", "key"},
		{"http://shop.example", "clave-ñ", "key"},
	} {
		_, err := producer.NewClient(c.url, c.key)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.key != "" && strings.Contains(err.Error(), c.key) {
			t.Errorf("%q with %q: %v", c.url, c.key, err)
		}
	}
	unknownCA := httptest.NewTLSServer(http.NotFoundHandler())
	defer unknownCA.Close()
	unknownCA.Config.ErrorLog = log.New(io.Discard, "", 0)
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for name, c := range map[string]struct{ url, want string }{
		"a certificate that nobody knows": {unknownCA.URL, "certificate"},
		"no TLS":                          {"https://" + plain.Listener.Addr().String(), "HTTP response to HTTPS"},
		"TLS alone":                       {"http://" + unknownCA.Listener.Addr().String(), "400"},
	} {
		if _, _, err := newClient(t, c.url, shopKey).Place(t.Context(), order("P-1")); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, status := range []int{400, 401, 403, 404, 405, 410, 421, 501, 505} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		if _, _, err := newClient(t, server.URL, shopKey).Place(t.Context(), order("P-1")); problemIn(t, err).Status != status {
			t.Errorf("%d: %v", status, err)
		}
		server.Close()
	}
}

// TestClientRetryAfter is asked for in seconds, or as a date, by whatever is temporary.
func TestClientRetryAfter(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		var answers []func(http.Header) int
		in := func(status int, wait func() string) {
			answers = append(answers, func(h http.Header) int { h.Set("Retry-After", wait()); return status })
		}
		in(http.StatusServiceUnavailable, func() string { return "90" })
		in(http.StatusTooManyRequests, func() string { return time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat) })
		in(http.StatusRequestTimeout, func() string { return "soon" })
		in(http.StatusTooEarly, func() string { return "-1" })
		var waits []time.Duration
		c := newClient(t, "http://shop.example", shopKey, producer.WithHTTPClient(&http.Client{Transport: transport(
			func(*http.Request) *http.Response {
				w := httptest.NewRecorder()
				if i := len(waits); i < len(answers) {
					w.WriteHeader(answers[i](w.Header()))
				} else {
					_, _ = io.WriteString(w, `{"distributor_transaction_id":"P-1","state":"queued"}`)
				}
				return w.Result()
			})}), producer.WithRetryNotify(func(_ error, wait time.Duration) { waits = append(waits, wait) }))
		if _, _, err := c.Place(t.Context(), order("P-1")); err != nil || len(waits) != len(answers) {
			t.Fatalf("%v after waits of %v", err, waits)
		}
		if waits[0] != 90*time.Second || waits[1] < 119*time.Second || waits[1] > 2*time.Minute || waits[2] > 5*time.Second ||
			waits[3] > 5*time.Second {
			t.Errorf("it waited %v", waits)
		}
	})
}

type transport func(*http.Request) *http.Response

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// TestClientNothingGiven: nothing where something may be does no harm.
func TestClientNothingGiven(t *testing.T) {
	c := newClient(t, serve(t, asItIs), shopKey, nil, producer.WithHTTPClient(nil), producer.WithRetryNotify(nil))
	if _, _, err := c.Place(t.Context(), order("P-1")); err != nil {
		t.Error(err)
	}
	if n, err := c.RedeliverAll(t.Context(), topup.EventFilter{}, nil); n != 0 || err != nil {
		t.Errorf("%d redelivered, %v", n, err)
	}
	var none context.Context
	if _, _, err := c.Place(none, order("P-1")); err == nil {
		t.Error("an order is placed without a context")
	}
	if _, err := c.Get(none, "P-1"); err == nil {
		t.Error("an order is read without a context")
	}
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Error(err)
	}
	if _, err := c.Get(t.Context(), "P-1"); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

// TestClientRedeliversNoMore than its filter's limit, in pages, and nothing that comes after the call.
func TestClientRedeliversNoMore(t *testing.T) {
	const there = 2300
	for limit, want := range map[int]string{0: "[1000 1000 1000]", 2: "[2]", 1000: "[1000]", 1500: "[1000 500]", 2500: "[1000 1000 500]"} {
		var asked []int
		done := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body struct {
				Limit  int
				Until  time.Time
				Cursor string
			}
			err := json.NewDecoder(r.Body).Decode(&body)
			if err != nil || body.Until.IsZero() || (body.Cursor != "") != (done > 0) {
				t.Errorf("%v, %+v after %d", err, body, done)
			}
			asked = append(asked, body.Limit)
			n := min(body.Limit, there-done)
			next := ""
			if done += n; done < there {
				next = fmt.Sprint(done)
			}
			_, _ = fmt.Fprintf(w, `{"count":%d,"next_cursor":%q}`, n, next)
		}))
		count, err := newClient(t, server.URL, shopKey).RedeliverAll(t.Context(), topup.EventFilter{Limit: limit}, nil)
		server.Close()
		if all := min(cmp.Or(limit, there), there); err != nil || count != all || done != all || fmt.Sprint(asked) != want {
			t.Errorf("limit %d: %d redelivered of %d, %v, in pages of %v, want %s", limit, count, done, err, asked, want)
		}
	}
}
