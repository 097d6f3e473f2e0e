package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"recarga/internal/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client speaks to one sandbox. do is a real HTTP round trip, or ServeHTTP itself where a test plays with time.
type client struct {
	t       testing.TB
	sandbox *sandbox.Server
	do      func(*http.Request) (*http.Response, error)
	url     string
	token   string
}

// answered is a response, read.
type answered struct {
	status int
	header http.Header
	body   string
	fields map[string]any
}

// overHTTP starts a sandbox behind a real server and logs in.
func overHTTP(t testing.TB, change func(*sandbox.Config)) *client {
	t.Helper()
	s := newSandbox(change)
	srv := httptest.NewServer(s)
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(func() {
		s.Close()
		transport.CloseIdleConnections()
		srv.Close()
	})
	c := &client{t: t, sandbox: s, url: srv.URL, do: (&http.Client{Transport: transport}).Do}
	c.login()
	return c
}

// inProcess calls ServeHTTP without a network, which synctest needs, and logs in.
func inProcess(t testing.TB, change func(*sandbox.Config)) *client {
	t.Helper()
	s := newSandbox(change)
	c := &client{t: t, sandbox: s, url: "http://sandbox"}
	c.do = func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Result(), nil
	}
	c.login()
	return c
}

func newSandbox(change func(*sandbox.Config)) *sandbox.Server {
	cfg := sandbox.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	return sandbox.New(cfg, nil)
}

func (c *client) login() {
	c.t.Helper()
	a := c.must(c.call("POST", "/api/distributor/login", `{"customer_id":"demo","secret_key":"demo"}`))
	c.token, _ = a.fields["access_token"].(string)
	if a.status != 200 || c.token == "" {
		c.t.Fatalf("login: %d %s", a.status, a.body)
	}
}

// call makes one request; err is a connection that ended without an answer.
func (c *client) call(method, path, body string) (answered, error) {
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		return answered{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.token)
	return c.send(r)
}

func (c *client) send(r *http.Request) (answered, error) {
	resp, err := c.do(r)
	if err != nil {
		return answered{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	a := answered{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&a.fields) != nil {
		a.fields = nil
	}
	return a, err
}

func (c *client) must(a answered, err error) answered {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func (c *client) get(path string) answered {
	c.t.Helper()
	return c.must(c.call("GET", path, ""))
}

func (c *client) post(path, body string) answered {
	c.t.Helper()
	return c.must(c.call("POST", path, body))
}

func body(id, phone string) string {
	return fmt.Sprintf(`{"distributor_transaction_id":%q,"phone_number":%q,"product_id":"MOVISTAR_TAE","amount":10}`, id,
		phone)
}

// buy is a top-up of 10 pesos.
func (c *client) buy(id, phone string) answered {
	c.t.Helper()
	return c.must(c.try(id, phone))
}

func (c *client) try(id, phone string) (answered, error) {
	return c.call("POST", "/api/distributor/product_purchase", body(id, phone))
}

func (c *client) configure(change string) answered {
	c.t.Helper()
	a := c.post("/sandbox/config", change)
	if a.status != 200 {
		c.t.Fatalf("config %s: %d %s", change, a.status, a.body)
	}
	return a
}

// balance is the literal that get_balance wrote.
func (c *client) balance() string {
	c.t.Helper()
	return fmt.Sprint(c.get("/api/distributor/get_balance").fields["balance"])
}

func (c *client) wantCharges(n int) {
	c.t.Helper()
	if got := len(c.sandbox.Purchases()); got != n {
		c.t.Errorf("charged %d times, want %d", got, n)
	}
}

func money(s string) sandbox.Money { return sandbox.Money{Decimal: decimal.RequireFromString(s)} }
