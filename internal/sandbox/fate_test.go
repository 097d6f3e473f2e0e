package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/topup"
)

// TestMagicNumbers sends each magic number until its fate is answered, over real HTTP, and asks the ledger.
func TestMagicNumbers(t *testing.T) {
	const cut, approved = "cut", "200 00"
	for _, tt := range []struct {
		digits  string
		answers []string // "status code", of one request after the other with the same id
		charges int      // after the last of them
	}{
		{"0000", []string{approved}, 1},
		{"0002", []string{approved}, 2},
		{"0005", []string{"400 05", "400 05"}, 0},
		{"0012", []string{"400 12", "400 12"}, 0},
		{"0013", []string{"400 13", "400 13"}, 0},
		{"0014", []string{"400 14", "400 14"}, 0},
		{"0051", []string{"402 51", "402 51"}, 0},
		{"0083", []string{"400 83", "400 83"}, 0},
		{"0091", []string{"500 91", "500 91", "500 91", "500 91"}, 0},
		{"0096", []string{"500 96", "500 96", "500 96", "500 96"}, 0},
		{"0200", []string{"200 "}, 1},
		{"0401", []string{"401 ", approved}, 1},
		{"0429", []string{"429 ", approved}, 1},
		{"0500", []string{"500 ", "500 "}, 0},
		{"0501", []string{"500 "}, 1},
		{"0502", []string{cut}, 1},
		{"0503", []string{cut, cut}, 0},
		{"0504", []string{approved}, 1},
		{"0599", []string{"502 "}, 1},
		{"1091", []string{"500 91", "500 91", approved}, 1},
		{"1096", []string{"500 96", "500 96", approved}, 1},
		{"9999", []string{approved}, 1},
	} {
		t.Run(tt.digits, func(t *testing.T) {
			t.Parallel()
			c := overHTTP(t, func(cfg *sandbox.Config) { cfg.SlowAnswerMS, cfg.ApproveDelayMS = 20, 20 })
			for i, want := range tt.answers {
				got := cut
				a, err := c.try("ORD-1", "550000"+tt.digits)
				if err == nil {
					code, _ := a.fields["response_code"].(string)
					got = fmt.Sprintf("%d %s", a.status, code)
				}
				if got != want {
					t.Fatalf("request %d: %q %v, want %q: %s", i+1, got, err, want, a.body)
				}
				if a.status == 401 {
					c.login()
				}
			}
			c.wantCharges(tt.charges)
			if got := len(c.sandbox.Requests()); got != len(tt.answers) {
				t.Errorf("%d requests on record, want %d", got, len(tt.answers))
			}
		})
	}
}

func TestCutIsAReset(t *testing.T) {
	c := overHTTP(t, nil)
	for _, phone := range []string{"5500000502", "5500000503"} {
		if _, err := c.try("ORD-"+phone, phone); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v, want a reset connection", phone, err)
		}
	}
	for i, one := range c.sandbox.Requests() {
		if one.Answer != sandbox.AnswerCut || one.Status != 0 {
			t.Errorf("request %d on record as %+v, want it cut", i, one)
		}
	}
}

func TestAnswersThatAreNoAnswers(t *testing.T) {
	c := overHTTP(t, nil)
	for _, tt := range []struct{ phone, contentType, body string }{
		{"5500000200", "application/json", "Aprobado\n"},
		{"5500000599", "text/html", "<html>"},
		{"5500000500", "application/json", `{"success":false,"error":"Internal Server Error"}`},
		{"5500000501", "application/json", `{"success":false,"error":"Internal Server Error"}`},
	} {
		a := c.buy("ORD-"+tt.phone, tt.phone)
		if got := a.header.Get("Content-Type"); got != tt.contentType || !strings.HasPrefix(a.body, tt.body) {
			t.Errorf("%s: %s %q", tt.phone, got, a.body)
		}
	}
	if got := c.buy("ORD-429", "5500000429").header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After %q, want 1", got)
	}
}

// TestTokenExpiresMidWay: the token dies with the first request, for every later call.
func TestTokenExpiresMidWay(t *testing.T) {
	c := overHTTP(t, nil)
	if a := c.buy("ORD-1", "5500000401"); a.status != 401 {
		t.Fatalf("first: %d %s", a.status, a.body)
	}
	if a := c.get("/api/distributor/get_balance"); a.status != 401 {
		t.Errorf("balance with the dead token: %d", a.status)
	}
	if a := c.buy("ORD-1", "5500000401"); a.status != 401 {
		t.Errorf("second with the dead token: %d", a.status)
	}
	c.wantCharges(0)
	c.login()
	if a := c.buy("ORD-1", "5500000401"); a.status != 200 {
		t.Errorf("after a login: %d %s", a.status, a.body)
	}
	c.wantCharges(1)
}

// TestFatesArePerID: what one id has used up, another still has before it.
func TestFatesArePerID(t *testing.T) {
	c := overHTTP(t, nil)
	for _, id := range []string{"A", "B"} {
		for i, want := range []int{500, 500, 200} {
			if a := c.buy(id, "5500001091"); a.status != want {
				t.Errorf("%s, request %d: %d, want %d", id, i+1, a.status, want)
			}
		}
	}
}

func TestTimeOfTheCharge(t *testing.T) {
	for _, tt := range []struct {
		phone         string
		before, after time.Duration // still waiting, then answered
		charged       int           // while waiting
	}{
		{"5500000504", 59 * time.Second, 60 * time.Second, 1},
		{"5500000000", 4 * time.Second, 5 * time.Second, 0},
	} {
		t.Run(tt.phone, func(t *testing.T) {
			testkit.Bubble(t, func(t *testing.T) {
				c := inProcess(t, nil)
				start, done := time.Now(), make(chan answered)
				go func() { done <- c.buy("ORD-1", tt.phone) }()
				time.Sleep(tt.before)
				synctest.Wait()
				c.wantCharges(tt.charged)
				if one := c.sandbox.Requests()[0]; one.Answer != sandbox.AnswerPending {
					t.Errorf("on record as %+v, want it pending", one)
				}
				a := <-done
				if took := time.Since(start); a.status != 200 || took != tt.after {
					t.Errorf("%d after %v, want 200 after %v", a.status, took, tt.after)
				}
				c.wantCharges(1)
			})
		})
	}
}

// TestClientThatLeftIsCharged: hanging up does not undo a charge, nor prevent one.
func TestClientThatLeftIsCharged(t *testing.T) {
	const latency, delay = 50 * time.Millisecond, 100 * time.Millisecond
	for _, tt := range []struct {
		phone   string
		charged time.Duration // not before
	}{{"5500000504", latency}, {"5500000000", latency + delay}, {plain, latency}} {
		t.Run(tt.phone, func(t *testing.T) {
			t.Parallel()
			c := overHTTP(t, func(cfg *sandbox.Config) { cfg.ApproveDelayMS = 100 })
			c.configure(`{"latency_min_ms":50,"latency_max_ms":60}`)
			ctx, leave := context.WithCancel(t.Context())
			r, _ := http.NewRequestWithContext(ctx, "POST", c.url+"/api/distributor/product_purchase",
				strings.NewReader(body("ORD-1", tt.phone)))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+c.token)
			go func() {
				eventually(t, func() bool { return len(c.sandbox.Requests()) == 1 })
				leave()
			}()
			if _, err := c.send(r); !errors.Is(err, context.Canceled) {
				t.Fatalf("%v, want it canceled", err)
			}
			eventually(t, func() bool { return c.sandbox.Requests()[0].Answer == sandbox.AnswerSent })
			c.wantCharges(1)
			if took := c.sandbox.Purchases()[0].ChargedAt.Sub(c.sandbox.Requests()[0].Time); took < tt.charged {
				t.Errorf("charged after %v, want %v at least: leaving hurried it", took, tt.charged)
			}
		})
	}
}

// TestCloseReleases: a handler that waits a minute does not hold up the shutdown.
func TestCloseReleases(t *testing.T) {
	for _, phone := range []string{"5500000504", "5500000000"} {
		c := overHTTP(t, func(cfg *sandbox.Config) { cfg.ApproveDelayMS = 60_000 })
		done := make(chan answered)
		go func() { a, _ := c.try("ORD-1", phone); done <- a }()
		eventually(t, func() bool { return len(c.sandbox.Requests()) == 1 })
		c.sandbox.Close()
		c.sandbox.Close()
		if a := <-done; a.status != 200 {
			t.Errorf("%s: %d %s", phone, a.status, a.body)
		}
		c.wantCharges(1)
	}
}

// eventually polls until ok, and fails the test after ten seconds.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Error("it did not happen in ten seconds")
			return
		}
	}
}

// TestEveryCodeHasANumber: a code that the program knows can be tried at the sandbox.
func TestEveryCodeHasANumber(t *testing.T) {
	for _, code := range topup.Codes() {
		if code == topup.CodeApproved {
			continue
		}
		c := overHTTP(t, func(*sandbox.Config) {})
		a, err := c.try("ORD-1", "55000000"+string(code))
		if got := a.fields["response_code"]; err != nil || got != string(code) {
			t.Errorf("number …00%s answers %v, %v", code, got, err)
		}
	}
}
