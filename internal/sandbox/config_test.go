package sandbox_test

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/sandbox"
	"recarga/internal/testkit"
)

const plain = "5537686660" // a number without magic

func TestConfigIsPartial(t *testing.T) {
	c := overHTTP(t, nil)
	before := c.get("/sandbox/config")
	after := c.configure(`{"rate_91":0.25,"statement_leave_out":["A"],"exchange_rate":17.1234}`)
	want := before.fields
	for field, value := range c.get("/sandbox/config").fields {
		if fmt.Sprint(after.fields[field]) != fmt.Sprint(value) {
			t.Errorf("%s: answered %v, is %v", field, after.fields[field], value)
		}
	}
	changed := map[string]string{"rate_91": "0.25", "statement_leave_out": "[A]", "exchange_rate": "17.1234"}
	for field, value := range want {
		expect, ok := changed[field]
		if !ok {
			expect = fmt.Sprint(value)
		}
		if got := fmt.Sprint(after.fields[field]); got != expect {
			t.Errorf("%s is %s, want %s", field, got, expect)
		}
	}
}

func TestSecretIsNotShown(t *testing.T) {
	c := overHTTP(t, nil)
	c.configure(`{"secret_key":"hunter2"}`)
	if got := c.get("/sandbox/config").body; strings.Contains(got, "hunter2") || strings.Contains(got, "secret_key") {
		t.Errorf("shown: %s", got)
	}
	c.configure(`{"seed":1}`)
	if a := c.post("/api/distributor/login", `{"customer_id":"demo","secret_key":"hunter2"}`); a.status != 200 {
		t.Errorf("login with the new secret, after another change: %d", a.status)
	}
	if a := c.post("/sandbox/config", `{"secret_key":["hunter2"]}`); a.status != 400 ||
		strings.Contains(a.body, "hunter2") {
		t.Errorf("a mistaken secret: %d %s", a.status, a.body)
	}
}

func TestConfigMistakes(t *testing.T) {
	c := overHTTP(t, nil)
	before := c.get("/sandbox/config").body
	for _, tt := range []struct{ body, want string }{ // want: field: value, of each mistake
		{`{"expires_in":0}`, "expires_in: 0"},
		{`{"expires_in":"60"}`, `expires_in: "60"`},
		{`{"expires_in":null}`, "expires_in: null"},
		{`{"expires_in":1.5}`, "expires_in: 1.5"},
		{`{"repeated_id":"twice"}`, `repeated_id: "twice"`},
		{`{"initial_balance":"100"}`, `initial_balance: "100"`},
		{`{"initial_balance":-1}`, "initial_balance: -1.00"},
		{`{"initial_balance":1.001}`, "initial_balance: 1.001"},
		{`{"initial_balance":1e99}`, "initial_balance: 1e99"},
		{`{"exchange_rate":0}`, "exchange_rate: 0.00"},
		{`{"exchange_rate":1,"exchange_step":0.1}`, "exchange_rate: 1.00"},
		{`{"exchange_step":-0.1}`, "exchange_step: -0.10"},
		{`{"rate_91":-0.1}`, "rate_91: -0.1"},
		{`{"rate_91":0.6,"rate_cut":0.6}`, "rate_91: 0.6, rate_cut: 0.6"},
		{`{"latency_min_ms":10}`, "latency_max_ms: 0"},
		{`{"slow_answer_ms":3600001}`, "slow_answer_ms: 3600001"},
		{`{"approve_delay_ms":-1}`, "approve_delay_ms: -1"},
		{`{"balance_max_age_ms":-1}`, "balance_max_age_ms: -1"},
		{`{"limit_requests":-1}`, "limit_requests: -1"},
		{`{"limit_window_ms":0}`, "limit_window_ms: 0"},
		{`{"one_session":"yes"}`, `one_session: "yes"`},
		{`{"seed":-1}`, "seed: -1"},
		{`{"customer_id":""}`, `customer_id: ""`},
		{`{"secret_key":""}`, `secret_key: ***`},
		{`{"odd_answers":{"logout":{}}}`, `odd_answers: {"logout":{}}`},
		{`{"odd_answers":{"login":{"status":100}}}`, `odd_answers: {"login":{"status":100}}`},
		{`{"odd_answers":{"login":{"stat":200}}}`, `odd_answers: {"login":{"stat":200}}`},
		{`{"statement_leave_out":"A"}`, `statement_leave_out: "A"`},
		{`{"statement_add":[{"amuont":"10"}]}`, `statement_add: [{"amuont":"10"}]`},
		{`{"statement_alter":[{"amount":"11.00"}]}`, `statement_alter: [{"amount":"11.00"}]`},
		{`{"Seed":1}`, "Seed: 1"},
		{`{"latency":5,"expires_in":[],"seed":7}`, "expires_in: [], latency: 5"},
	} {
		a := c.post("/sandbox/config", tt.body)
		var got []string
		mistakes, _ := a.fields["mistakes"].([]any)
		for _, one := range mistakes {
			m, _ := one.(map[string]any)
			got = append(got, fmt.Sprintf("%s: %s", m["field"], m["value"]))
			if allowed := fmt.Sprint(m["allowed"]); !strings.Contains(a.body, "(allowed: "+allowed) {
				t.Errorf("%s: the error does not say %q: %s", tt.body, allowed, a.body)
			}
		}
		if s := strings.Join(got, ", "); a.status != 400 || s != tt.want {
			t.Errorf("%s: %d %s, want %s", tt.body, a.status, a.body, tt.want)
		}
	}
	for _, body := range []string{``, `[]`, `null`, `{"seed":1}}`} {
		if a := c.post("/sandbox/config", body); a.status != 400 || a.fields["success"] != false {
			t.Errorf("%q: %d %s", body, a.status, a.body)
		}
	}
	if after := c.get("/sandbox/config").body; after != before {
		t.Errorf("a refused change left its mark:\n%s%s", before, after)
	}
}

func TestValidate(t *testing.T) {
	if err := sandbox.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	if err := (sandbox.Config{}).Validate(); err == nil {
		t.Error("the zero value is valid")
	}
	cfg := sandbox.DefaultConfig()
	cfg.Rate91 = math.NaN()
	if err := cfg.Validate(); err == nil {
		t.Error("NaN is valid")
	}
	defer func() {
		if recover() == nil {
			t.Error("New took a configuration that is not valid")
		}
	}()
	sandbox.New(sandbox.Config{}, nil)
}

func TestRepeatedID(t *testing.T) {
	for _, tt := range []struct {
		policy, answer string
		charges        int
		same           bool // the second answer is the first
	}{
		{sandbox.RepeatCharge, "00", 2, false},
		{sandbox.RepeatReplay, "00", 1, true},
		{sandbox.RepeatRefuse, "12", 1, false},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			c := overHTTP(t, func(cfg *sandbox.Config) { cfg.RepeatedID = tt.policy })
			first, second := c.buy("ORD-1", plain), c.buy("ORD-1", plain)
			if second.fields["response_code"] != tt.answer || (first.body == second.body) != tt.same {
				t.Errorf("first %s second %s", first.body, second.body)
			}
			c.wantCharges(tt.charges)
			c.buy("ORD-2", plain)
			c.wantCharges(tt.charges + 1)
		})
	}
}

// TestReplayAfterALostAnswer: this is what a vendor that de-duplicates is good for.
func TestReplayAfterALostAnswer(t *testing.T) {
	c := overHTTP(t, func(cfg *sandbox.Config) { cfg.RepeatedID, cfg.SlowAnswerMS = sandbox.RepeatReplay, 1 })
	for _, digits := range []string{"0002", "0200", "0501", "0502", "0504", "0599"} {
		id := "ORD-" + digits
		_, _ = c.try(id, "550000"+digits) // an error is one of the fates
		charges := len(c.sandbox.Purchases())
		a := c.buy(id, "550000"+digits)
		if a.fields["response_code"] != "00" || a.fields["distributor_transaction_id"] != id {
			t.Errorf("%s: %d %s", digits, a.status, a.body)
		}
		c.wantCharges(charges)
	}
}

// TestDeclinedIDIsFree: only a charge uses an id up.
func TestDeclinedIDIsFree(t *testing.T) {
	c := overHTTP(t, func(cfg *sandbox.Config) { cfg.RepeatedID = sandbox.RepeatRefuse })
	c.buy("ORD-1", "5500000091")
	if a := c.buy("ORD-1", plain); a.fields["response_code"] != "00" {
		t.Errorf("after a 91: %s", a.body)
	}
}

// TestRepeatedAtTheSameTime: whoever comes first, one is charged.
func TestRepeatedAtTheSameTime(t *testing.T) {
	for _, policy := range []string{sandbox.RepeatReplay, sandbox.RepeatRefuse} {
		c := overHTTP(t, func(cfg *sandbox.Config) { cfg.RepeatedID, cfg.ApproveDelayMS = policy, 10 })
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := c.try("ORD-1", "5500000000"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		c.wantCharges(1)
	}
}

// TestBalanceUnderLoad: no debit is lost.
func TestBalanceUnderLoad(t *testing.T) {
	c := overHTTP(t, nil)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() { _, _ = c.try(fmt.Sprint("ORD-", i), plain) })
	}
	wg.Wait()
	c.wantCharges(200)
	if got := c.balance(); got != "98000.00" {
		t.Errorf("balance %s, want 98000.00", got)
	}
}

func TestRates(t *testing.T) {
	for _, tt := range []struct {
		setting, want string // of one purchase when the rate is 1
		charges       int
	}{
		{"rate_91", "500 91", 0},
		{"rate_96", "500 96", 0},
		{"rate_500", "500 ", 0},
		{"rate_500_charged", "500 ", 1},
		{"rate_cut", "0 ", 0},
		{"rate_cut_charged", "0 ", 1},
	} {
		t.Run(tt.setting, func(t *testing.T) {
			c := overHTTP(t, nil)
			c.configure(fmt.Sprintf(`{%q:1}`, tt.setting))
			_, err := c.try("ORD-1", plain)
			one := c.sandbox.Requests()[0]
			if got := fmt.Sprintf("%d %s", one.Status, one.ResponseCode); got != tt.want || (err != nil) != (one.Status == 0) {
				t.Errorf("%s, %v, want %s", got, err, tt.want)
			}
			c.wantCharges(tt.charges)
			if a := c.buy("ORD-2", "5500000051"); a.status != 402 {
				t.Errorf("a magic number met the rate: %d", a.status)
			}
		})
	}
}

// TestRatesAreShares: the mixture is as set, the same for the same seed, and another for another.
func TestRatesAreShares(t *testing.T) {
	run := func(seed int) (codes []string) {
		c := inProcess(t, func(cfg *sandbox.Config) { cfg.Rate91, cfg.Rate500Charged, cfg.Seed = 0.1, 0.3, uint64(seed) })
		for i := range 2000 {
			c.buy(fmt.Sprint("ORD-", i), plain)
		}
		for _, one := range c.sandbox.Requests() {
			codes = append(codes, fmt.Sprintf("%d %s", one.Status, one.ResponseCode))
		}
		return codes
	}
	first := run(1)
	count := map[string]int{}
	for _, code := range first {
		count[code]++
	}
	for code, want := range map[string]int{"500 91": 200, "500 ": 600, "200 00": 1200} {
		if got := count[code]; got < want-100 || got > want+100 {
			t.Errorf("%q: %d of 2000, want about %d", code, got, want)
		}
	}
	if diff := cmp.Diff(first, run(1)); diff != "" {
		t.Errorf("the same seed: %s", diff)
	}
	if cmp.Equal(first, run(2)) {
		t.Error("another seed changes nothing")
	}
}

func TestTokenLife(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		c := inProcess(t, func(cfg *sandbox.Config) { cfg.ExpiresIn = 60 })
		time.Sleep(59 * time.Second)
		if a := c.buy("ORD-1", plain); a.status != 200 {
			t.Errorf("a second before: %d", a.status)
		}
		time.Sleep(time.Second)
		if a := c.buy("ORD-1", plain); a.status != 401 {
			t.Errorf("at the end: %d", a.status)
		}
	})
}

func TestOneSession(t *testing.T) {
	for one, want := range map[bool]int{false: 200, true: 401} {
		c := overHTTP(t, func(cfg *sandbox.Config) { cfg.OneSession = one })
		old := c.token
		c.login()
		if a := c.get("/api/distributor/get_balance"); a.status != 200 {
			t.Errorf("one_session %v: the new token: %d", one, a.status)
		}
		c.token = old
		if a := c.get("/api/distributor/get_balance"); a.status != want {
			t.Errorf("one_session %v: the old token: %d, want %d", one, a.status, want)
		}
	}
}

func TestRateLimit(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		c := inProcess(t, nil)
		c.configure(`{"limit_requests":2,"limit_window_ms":10000}`)
		for i, tt := range []struct {
			status                  int
			remaining, reset, after string
		}{
			{200, "1", "10", ""}, {200, "0", "10", ""}, {429, "0", "10", "10"}, {429, "0", "10", "10"},
		} {
			a := c.buy("ORD-1", plain)
			got := []string{a.header.Get("RateLimit-Limit"), a.header.Get("RateLimit-Remaining"),
				a.header.Get("RateLimit-Reset"), a.header.Get("Retry-After")}
			if diff := cmp.Diff([]string{"2", tt.remaining, tt.reset, tt.after}, got); diff != "" || a.status != tt.status {
				t.Errorf("call %d: %d, want %d %s", i+1, a.status, tt.status, diff)
			}
		}
		if a := c.get("/api/distributor/get_balance"); a.status != 429 {
			t.Errorf("the balance is not limited: %d", a.status)
		}
		if a := c.get("/sandbox/purchases"); a.status != 200 {
			t.Errorf("the sandbox itself is limited: %d", a.status)
		}
		c.wantCharges(2)
		time.Sleep(10 * time.Second)
		if a := c.buy("ORD-2", plain); a.status != 200 {
			t.Errorf("in the next window: %d", a.status)
		}
		for _, anew := range []func(){
			func() { c.post("/sandbox/reset", "") },
			func() { c.configure(`{"limit_window_ms":20000}`) },
		} {
			c.buy("ORD-3", plain)
			c.buy("ORD-3", plain) // one too many by now
			anew()
			if a := c.buy("ORD-4", plain); a.status != 200 {
				t.Errorf("counting did not start anew: %d", a.status)
			}
		}
	})
}

func TestLatency(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		c := inProcess(t, nil)
		c.configure(`{"latency_min_ms":200,"latency_max_ms":300}`)
		for i := range 20 {
			for _, call := range []func(){
				c.login,
				func() { c.balance() },
				func() { c.buy(fmt.Sprint("ORD-", i), plain) },
			} {
				start := time.Now()
				call()
				if took := time.Since(start); took < 200*time.Millisecond || took > 300*time.Millisecond {
					t.Errorf("took %v, want 200ms to 300ms", took)
				}
			}
		}
	})
}

func TestStaleBalance(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		c := inProcess(t, func(cfg *sandbox.Config) { cfg.BalanceMaxAgeMS = 30_000 })
		first := c.get("/api/distributor/get_balance").body
		c.buy("ORD-1", plain)
		time.Sleep(29 * time.Second)
		if got := c.get("/api/distributor/get_balance").body; got != first {
			t.Errorf("%s, want it stale: %s", got, first)
		}
		time.Sleep(time.Second)
		if got := c.balance(); got != "99990.00" {
			t.Errorf("balance %s, want 99990.00", got)
		}
		c.configure(`{"initial_balance":7}`)
		if got := c.balance(); got != "7.00" {
			t.Errorf("a balance that was just set: %s, want 7.00", got)
		}
	})
}

// TestExchangeRate: the debit is in units of the balance, to the cent, at a rate that swings ten steps up and ten
// down.
func TestExchangeRate(t *testing.T) {
	c := inProcess(t, func(cfg *sandbox.Config) { cfg.ExchangeRate, cfg.ExchangeStep = money("20"), money("1") })
	for i := range 41 {
		c.buy(fmt.Sprint("ORD-", i), plain)
	}
	purchases := c.sandbox.Purchases()
	left := money("100000").Decimal
	for i, want := range map[int]string{0: "0.5", 1: "0.48", 10: "0.33", 11: "0.34", 20: "0.5", 30: "1", 31: "0.91",
		40: "0.5"} {
		if got := purchases[i].Debit.String(); got != want {
			t.Errorf("debit of charge %d: %s, want %s", i+1, got, want)
		}
	}
	for i, p := range purchases {
		left = left.Sub(p.Debit.Decimal)
		if !p.BalanceAfter.Decimal.Equal(left) {
			t.Errorf("balance after charge %d: %s, want %s", i+1, p.BalanceAfter, left)
		}
	}
}

func TestCredentials(t *testing.T) {
	c := overHTTP(t, nil)
	c.configure(`{"customer_id":"shop","secret_key":"s3cret","expires_in":5}`)
	if a := c.post("/api/distributor/login", `{"customer_id":"demo","secret_key":"demo"}`); a.status != 401 {
		t.Errorf("the old credentials: %d", a.status)
	}
	a := c.post("/api/distributor/login", `{"customer_id":"shop","secret_key":"s3cret"}`)
	if a.status != 200 || fmt.Sprint(a.fields["expires_in"]) != "5" {
		t.Errorf("the new credentials: %d %s", a.status, a.body)
	}
}

func TestOddAnswers(t *testing.T) {
	c := overHTTP(t, nil)
	c.configure(`{"odd_answers":{"product_purchase":{"set":{"balance_after":"N/A","reference":12345678901234567890},"omit":["auth_code"]},
		"get_balance":{"status":500},"login":{"set":{"expires_in":null}}}}`)
	a := c.buy("ODD-1", "5537686660")
	if _, has := a.fields["auth_code"]; has || a.status != 200 || a.fields["balance_after"] != "N/A" ||
		fmt.Sprint(a.fields["reference"]) != "12345678901234567890" || a.fields["response_code"] != "00" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := c.get("/api/distributor/get_balance"); a.status != 500 || a.fields["balance"] == nil {
		t.Errorf("%d %s", a.status, a.body)
	}
	c.login()
	c.configure(`{"odd_answers":{"product_purchase":{"status":101}}}`)
	if a, err := c.try("ODD-2", "5537686660"); err == nil && a.status != 101 {
		t.Errorf("%d %s", a.status, a.body)
	}
	c.wantCharges(2)
	c.configure(`{"odd_answers":{}}`)
	if a := c.buy("ODD-3", "5537686660"); fmt.Sprint(a.fields["auth_code"]) == "" || a.fields["balance_after"] == "N/A" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
