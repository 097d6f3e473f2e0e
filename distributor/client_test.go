package distributor_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"recarga/distributor"
	"recarga/internal/testkit"
	"recarga/topup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secretKey = "the-secret-key"
	phone     = topup.Phone("5537686660")
	approved  = `{"success":true,"transaction_id":"TXN-1","distributor_transaction_id":"ORD-1","response_code":"00","response_message":"Aprobado","balance_after":990.00}`
)

var order = topup.Order{ID: "ORD-1", Phone: phone, Product: "MOVISTAR_TAE", Amount: topup.Pesos(10),
	Operator: "MOVISTAR"}

// vendor is a real HTTP server with logins that work and a purchase that each test writes.
type vendor struct {
	*httptest.Server
	purchase  http.HandlerFunc
	expiresIn int
	// answerLogin and answerBalance are nil for good answers.
	answerLogin, answerBalance http.HandlerFunc

	logins, purchases atomic.Int64
	lastBody          atomic.Pointer[[]byte]
}

func newVendor(t *testing.T, purchase http.HandlerFunc) *vendor {
	t.Helper()
	v := &vendor{purchase: purchase, expiresIn: 3600}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/login", v.login)
	mux.HandleFunc("GET /api/get_balance", func(w http.ResponseWriter, r *http.Request) {
		if v.answerBalance != nil {
			v.answerBalance(w, r)
			return
		}
		if r.Header.Get("Authorization") != v.bearer() {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"success":true,"balance":1000.00,"currency":"USD","last_updated":"2024-12-17T00:00:00.000Z"}`)
	})
	mux.HandleFunc("POST /api/product_purchase", func(w http.ResponseWriter, r *http.Request) {
		v.purchases.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		v.lastBody.Store(&body)
		v.purchase(w, r)
	})
	v.Server = httptest.NewServer(mux)
	t.Cleanup(v.Close)
	return v
}

func (v *vendor) bearer() string { return fmt.Sprintf("Bearer token-%d", v.logins.Load()) }

func (v *vendor) login(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Customer string `json:"customer_id"`
		Secret   string `json:"secret_key"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Secret != secretKey || in.Customer != "me" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	n := v.logins.Add(1)
	if v.answerLogin != nil {
		v.answerLogin(w, r)
		return
	}
	_, _ = fmt.Fprintf(w, `{"success":true,"access_token":"token-%d","token_type":"Bearer","expires_in":%d}`, n,
		v.expiresIn)
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func newClient(t *testing.T, url string, change func(*distributor.Config)) *distributor.Client {
	t.Helper()
	cfg := distributor.Config{URL: url + "/api", CustomerID: "me", SecretKey: secretKey, Timeout: 10 * time.Second,
		Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	c, err := distributor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func buy(t *testing.T, c *distributor.Client) topup.Result {
	t.Helper()
	return c.Purchase(t.Context(), order, time.Now().Add(5*time.Second))
}

func TestPurchaseIsTheVendorsRequest(t *testing.T) {
	v := newVendor(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Idempotency-Key") != "" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", r.Header)
		}
		answer(http.StatusOK, approved)(w, r)
	})
	if got := buy(t, newClient(t, v.URL, nil)); got.Outcome != topup.OutcomeApproved || got.TransactionID != "TXN-1" {
		t.Errorf("%+v", got)
	}
	want := `{"distributor_transaction_id":"ORD-1","phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10,"operator":"MOVISTAR"}`
	if got := string(*v.lastBody.Load()); got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

// TestPurchaseOverTheWire: whatever the network does, one request is sent, and the outcome is what is
// known.
func TestPurchaseOverTheWire(t *testing.T) {
	abort := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	zip := func(whole bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = io.WriteString(z, approved)
			_ = z.Close()
			data := b.Bytes()
			if !whole {
				data = data[:len(data)/2]
			}
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(data)
		}
	}
	cases := []struct {
		name     string
		purchase http.HandlerFunc
		want     topup.Outcome
	}{
		{"cut before the answer", abort, topup.OutcomeUnknown},
		{"cut in the answer", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, approved[:40])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, topup.OutcomeUnknown},
		{"shorter than announced", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(approved)+10))
			_, _ = io.WriteString(w, approved)
		}, topup.OutcomeUnknown},
		{"5 MB", answer(http.StatusOK, approved+strings.Repeat(" ", 5<<20)), topup.OutcomeUnknown},
		{"HTML of a proxy", answer(http.StatusBadGateway, "<html>Bad Gateway</html>"), topup.OutcomeUnknown},
		{"gzip", zip(true), topup.OutcomeApproved},
		{"broken gzip", zip(false), topup.OutcomeUnknown},
		{"slow drip", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, approved[:10])
			_ = http.NewResponseController(w).Flush()
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}, topup.OutcomeUnknown},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, topup.OutcomeUnknown},
		{"permanent redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusPermanentRedirect)
		}, topup.OutcomeUnknown},
		{"declined", answer(http.StatusPaymentRequired,
			`{"success":false,"error":"Insufficient balance","response_code":"51","distributor_transaction_id":"ORD-1"}`),
			topup.OutcomeDeclined},
		{"unavailable", answer(http.StatusInternalServerError, `{"success":false,"error":"x","response_code":"91"}`),
			topup.OutcomeUnavailable},
		{"429", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusTooManyRequests)
		}, topup.OutcomeNotSent},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := newVendor(t, c.purchase)
			client := newClient(t, v.URL, func(cfg *distributor.Config) { cfg.Timeout = time.Second })
			got := buy(t, client)
			if got.Outcome != c.want {
				t.Errorf("%+v, want %s", got, c.want)
			}
			if n := v.purchases.Load(); n != 1 {
				t.Errorf("the vendor saw %d requests", n)
			}
			if got.Outcome == topup.OutcomeUnknown &&
				(got.Error == "" || !strings.Contains(got.Evidence, "written") && !strings.Contains(got.Evidence,
					"answer began")) {
				t.Errorf("no evidence of how far it got: %+v", got)
			}
			for _, secret := range []string{phone.Digits(), secretKey, "token-1"} {
				if strings.Contains(got.Evidence+got.Error, secret) {
					t.Errorf("shows %s: %+v", secret, got)
				}
			}
		})
	}
}

// TestAnswersWithoutEnd: no answer delays a purchase beyond its timeout, and a 101 not even so long.
func TestAnswersWithoutEnd(t *testing.T) {
	hints := func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for r.Context().Err() == nil {
			<-tick.C
			w.WriteHeader(http.StatusEarlyHints)
		}
	}
	switching := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusSwitchingProtocols)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // the client has closed the connection
	}
	for _, c := range []struct {
		name     string
		purchase http.HandlerFunc
		timeout  time.Duration
		want     string
	}{
		{"101", switching, time.Hour, "101"},
		{"early hints for ever", hints, time.Second, "deadline"},
		{"a header without end", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			w.WriteHeader(http.StatusOK)
		}, time.Hour, "exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVendor(t, c.purchase)
			got := buy(t, newClient(t, v.URL, func(cfg *distributor.Config) { cfg.Timeout = c.timeout }))
			if got.Outcome != topup.OutcomeUnknown || !strings.Contains(got.Error, c.want) || got.Evidence == "" {
				t.Errorf("%+v, want an unknown because of %s", got, c.want)
			}
		})
	}
}

func TestEvidenceIsMasked(t *testing.T) {
	v := newVendor(t, func(w http.ResponseWriter, r *http.Request) {
		answer(http.StatusInternalServerError, "oops\x00 "+r.Header.Get("Authorization")+" "+secretKey+" "+phone.Digits())(w,
			r)
	})
	got := buy(t, newClient(t, v.URL, nil))
	for _, secret := range []string{phone.Digits(), secretKey, "token-1", "\x00"} {
		if strings.Contains(got.Evidence, secret) {
			t.Errorf("shows %q: %s", secret, got.Evidence)
		}
	}
	if !strings.Contains(got.Evidence, "oops") || !strings.Contains(got.Evidence, "500") {
		t.Errorf("evidence %q", got.Evidence)
	}
}

// TestNothingLeft: where no byte of the request can have left, the outcome says so.
func TestNothingLeft(t *testing.T) {
	v := newVendor(t, answer(http.StatusOK, approved))
	t.Run("too late", func(t *testing.T) {
		got := newClient(t, v.URL, nil).Purchase(t.Context(), order, time.Now().Add(-time.Millisecond))
		if got.Outcome != topup.OutcomeNotSent || !got.TooLate || v.purchases.Load() != 0 {
			t.Errorf("%+v after %d requests", got, v.purchases.Load())
		}
	})
	t.Run("wrong credentials", func(t *testing.T) {
		c := newClient(t, v.URL, func(cfg *distributor.Config) { cfg.SecretKey = "wrong" })
		if got := buy(t, c); got.Outcome != topup.OutcomeNotSent {
			t.Errorf("%+v", got)
		}
		logins := v.logins.Load()
		for range 3 { // without another request: some vendors lock an account that is tried too often
			if err := c.Authorize(t.Context()); !errors.Is(err, distributor.ErrCredentials) {
				t.Errorf("%v, want ErrCredentials", err)
			}
		}
		if more := v.logins.Load() - logins; more != 0 {
			t.Errorf("%d more logins", more)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		gone := newVendor(t, answer(http.StatusOK, approved))
		c := newClient(t, gone.URL, func(cfg *distributor.Config) { cfg.Tokens = fixed("token") })
		gone.Close()
		if got := buy(t, c); got.Outcome != topup.OutcomeNotSent {
			t.Errorf("%+v", got)
		}
	})
	t.Run("not the vendor's certificate", func(t *testing.T) {
		strange := httptest.NewUnstartedServer(http.NotFoundHandler())
		strange.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		strange.StartTLS()
		defer strange.Close()
		c := newClient(t, strange.URL, func(cfg *distributor.Config) { cfg.Tokens = fixed("token") })
		if got := buy(t, c); got.Outcome != topup.OutcomeNotSent {
			t.Errorf("%+v", got)
		}
	})
}

// fixed is a store with a token in it.
type fixed string

func (f fixed) Load(context.Context) (string, time.Time, error) {
	return string(f), time.Now().Add(time.Hour), nil
}
func (f fixed) Save(context.Context, string, time.Time) error   { return nil }
func (f fixed) Lock(context.Context) (unlock func(), err error) { return func() {}, nil }

// TestIdleConnectionsAreClosedUnderUs: the vendor closes each connection after its answer without
// saying so. Whatever the next purchase meets, it is sent at most once, and never reported as not sent if
// it arrived.
func TestIdleConnectionsAreClosedUnderUs(t *testing.T) {
	var requests atomic.Int64
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { answerOnce(conn, &requests) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); serving.Wait() })
	c := newClient(t, "http://"+listener.Addr().String(), func(cfg *distributor.Config) { cfg.Tokens = fixed("token") })
	for i := range 200 {
		before := requests.Load()
		got := buy(t, c)
		arrived := requests.Load() - before
		switch {
		case arrived > 1:
			t.Fatalf("purchase %d was sent %d times", i, arrived)
		case got.Outcome == topup.OutcomeNotSent && arrived != 0:
			t.Fatalf("purchase %d is reported as not sent, and arrived", i)
		}
	}
	if requests.Load() == 0 {
		t.Error("nothing was ever sent")
	}
}

// answerOnce answers one request and closes, although it has promised to keep the connection.
func answerOnce(conn net.Conn, requests *atomic.Int64) {
	defer func() { _ = conn.Close() }()
	buffer := make([]byte, 64<<10)
	n, err := conn.Read(buffer)
	if err != nil || !bytes.Contains(buffer[:n], []byte("ORD-1")) {
		return
	}
	requests.Add(1)
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n%s", len(approved),
		approved)
}

func TestTokenIsRenewedOnceForAll(t *testing.T) {
	v := newVendor(t, nil)
	v.purchase = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != v.bearer() {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer(http.StatusOK, approved)(w, r)
	}
	c := newClient(t, v.URL, nil)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got := buy(t, c); got.Outcome != topup.OutcomeApproved {
				t.Errorf("%+v", got)
			}
		})
	}
	wg.Wait()
	if n := v.logins.Load(); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
	v.logins.Add(1) // another session has ended ours
	if got := buy(t, c); got.Outcome != topup.OutcomeNotSent || !got.LoginAgain {
		t.Errorf("a refused token: %+v", got)
	}
	if got := buy(t, c); got.Outcome != topup.OutcomeApproved {
		t.Errorf("after the renewal: %+v", got)
	}
}

// TestRefusedWhateverTheToken: a vendor that refuses every token, since it does not admit our address, say,
// does not get a login for each purchase; and it is served again as soon as it accepts one.
func TestRefusedWhateverTheToken(t *testing.T) {
	v := newVendor(t, answer(http.StatusUnauthorized, `{"success":false,"error":"address not allowed"}`))
	c := newClient(t, v.URL, nil)
	for range 100 {
		if got := buy(t, c); got.Outcome != topup.OutcomeNotSent || got.Error == "" {
			t.Fatalf("%+v", got)
		}
	}
	if n := v.logins.Load(); n > 10 { // they are 1, 2, 4 … seconds apart
		t.Errorf("%d logins for 100 purchases", n)
	}
	v.purchase = answer(http.StatusOK, approved)
	testkit.Eventually(t, time.Minute, func() bool { return buy(t, c).Outcome == topup.OutcomeApproved },
		"no purchase after the vendor has come round")
}

func TestTokenIsRenewedBeforeItExpires(t *testing.T) {
	v := newVendor(t, answer(http.StatusOK, approved))
	v.expiresIn = 1
	c := newClient(t, v.URL, nil)
	testkit.Eventually(t, time.Minute, func() bool {
		if got := buy(t, c); got.Outcome != topup.OutcomeApproved {
			t.Fatalf("%+v", got)
		}
		return v.logins.Load() > 1
	}, "a token that has expired is not renewed")
}

func TestBalance(t *testing.T) {
	v := newVendor(t, nil)
	c := newClient(t, v.URL, nil)
	if err := c.Authorize(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.logins.Add(1) // the token is refused now, and renewed
	got, err := c.Balance(t.Context())
	if err != nil || got.Amount != "1000.00" || got.Currency != "USD" || got.LastUpdated.Year() != 2024 ||
		got.FetchedAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, url := range []string{"", "ftp://x", "no url", "http://"} {
		if _, err := distributor.New(distributor.Config{URL: url}); err == nil {
			t.Errorf("New accepts the URL %q", url)
		}
	}
}
