package sandbox_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/sandbox"
)

// TestDocumentedAnswers compares whole bodies with the document's examples.
func TestDocumentedAnswers(t *testing.T) {
	c := overHTTP(t, func(cfg *sandbox.Config) { cfg.InitialBalance = money("1000") })
	for _, tt := range []struct {
		name string
		got  answered
		want string
	}{
		{"login", c.post("/api/distributor/login", `{"customer_id":"demo","secret_key":"demo"}`),
			`{"success":true,"access_token":"[A-Z0-9]+","refresh_token":"[A-Z0-9]+","token_type":"Bearer","expires_in":3600}`},
		{"balance", c.get("/api/distributor/get_balance"),
			`{"success":true,"balance":1000\.00,"currency":"USD","last_updated":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"}`},
		{"approved", c.buy("ORD-1", "5537686660"),
			`{"success":true,"transaction_id":"TXN-\d{13}-[a-z0-9]{9}","distributor_transaction_id":"ORD-1","response_code":"00",` +
				`"response_message":"Aprobado","reference":"RRN-\d{12}","auth_code":"[A-Z0-9]{6}","balance_after":990\.00}`},
		{"declined", c.buy("ORD-2", "5500000051"),
			`{"success":false,"error":"Insufficient balance","response_code":"51","distributor_transaction_id":"ORD-2"}`},
	} {
		if !regexp.MustCompile(`^` + tt.want + `\n$`).MatchString(tt.got.body) {
			t.Errorf("%s: %s\nwant %s", tt.name, tt.got.body, tt.want)
		}
		if got := tt.got.header.Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: Content-Type %q", tt.name, got)
		}
	}
}

func TestLedger(t *testing.T) {
	c := overHTTP(t, nil)
	a := c.post("/api/distributor/product_purchase", `{"distributor_transaction_id":"ORD-1","phone_number":"5537686660",`+
		`"product_id":"MOVISTAR_TAE","amount":10.50,"operator":"MOVISTAR","unknown":[1]}`)
	p := c.sandbox.Purchases()[0]
	got := []any{p.DistributorTransactionID, p.PhoneNumber, p.ProductID, p.Amount.String(), p.Currency, p.Operator,
		p.BalanceAfter.String(),
		p.TransactionID, p.Reference, p.AuthCode}
	want := []any{"ORD-1", "5537686660", "MOVISTAR_TAE", "10.5", "MXN", "MOVISTAR", "99989.5",
		a.fields["transaction_id"], a.fields["reference"], a.fields["auth_code"]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	list := c.get("/sandbox/purchases").body
	for _, want := range []string{`[{"transaction_id":"TXN-`, `"amount":10.50,`, `"balance_after":99989.50,`} {
		if !strings.Contains(list, want) {
			t.Errorf("%s lacks %s", list, want)
		}
	}
	if got, want := c.balance(), "99989.50"; got != want {
		t.Errorf("balance %s, want %s", got, want)
	}
}

func TestRefusals(t *testing.T) {
	c := overHTTP(t, nil)
	order := func(change ...string) string {
		return strings.NewReplacer(change...).Replace(
			`{"distributor_transaction_id":"ORD-1","phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10,"operator":"MOVISTAR"}`)
	}
	amount := func(s string) string { return order(`"amount":10`, `"amount":`+s) }
	product := func(id, amount string) string { return order("MOVISTAR_TAE", id, `"amount":10`, `"amount":`+amount) }
	for _, tt := range []struct{ name, body, want string }{ // want: status, code, error
		{"phone of 9 digits", order("5537686660", "553768666"), "400 83 Invalid phone number"},
		{"phone of 11 digits", order("5537686660", "55376866601"), "400 83 Invalid phone number"},
		{"phone with a letter", order("5537686660", "553768666O"), "400 83 Invalid phone number"},
		{"phone with a digit that is not ASCII", order("5537686660", "553768666٣"), "400 83 Invalid phone number"},
		{"unknown product", order("MOVISTAR_TAE", "MOVISTAR_PAQUETE_15"), "400 14 Invalid package"},
		{"too little", amount("9.99"), "400 13 Invalid amount"},
		{"too much", amount("5000.01"), "400 13 Invalid amount"},
		{"three decimals", amount("10.001"), "400 13 Invalid amount"},
		{"nothing", amount("0"), "400 13 Invalid amount"},
		{"less than nothing", amount("-10"), "400 13 Invalid amount"},
		{"a number to choke on", amount("1e999999999"), "400 13 Invalid amount"},
		{"a number no decimal holds", amount("1e99999999999999"), "400 13 Invalid amount"},
		{"a very small number", amount("1e-999999999"), "400 13 Invalid amount"},
		{"not the price of the package", product("MOVISTAR_PAQUETE_16", "31"), "400 13 Invalid amount"},
		{"amount as a string", amount(`"10"`), "400  Invalid type of fields: amount"},
		{"amount as an object", amount(`{}`), "400  Invalid type of fields: amount"},
		{"phone as a number", order(`"5537686660"`, "5537686660"), "400  Invalid type of fields: phone_number"},
		{"operator as a number", order(`"MOVISTAR"}`, "1}"), "400  Invalid type of fields: operator"},
		{"no amount", order(`"amount":10,`, ""), "400  Missing required fields: amount"},
		{"null amount", amount("null"), "400  Missing required fields: amount"},
		{"empty id", order("ORD-1", ""), "400  Missing required fields: distributor_transaction_id"},
		{"other case", order("phone_number", "Phone_Number"), "400  Missing required fields: phone_number"},
		{"nothing at all", `{}`, "400  Missing required fields: distributor_transaction_id, phone_number, product_id, " +
			"amount"},
		{"null", `null`, "400  Missing required fields: distributor_transaction_id, phone_number, product_id, amount"},
		{"an array", `[]`, "400  Invalid JSON"},
		{"cut short", `{"distributor_transaction_id":"ORD-1"`, "400  Invalid JSON"},
		{"two values", order() + "{}", "400  Invalid JSON"},
		{"empty", ``, "400  Invalid JSON"},
		{"too large", order("ORD-1", strings.Repeat("x", 64<<10)), "400  Request body is cut short or too large"},
		{"magic does not fix it", order("5537686660", "5500000502", "MOVISTAR_TAE", "X"), "400 14 Invalid package"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := c.post("/api/distributor/product_purchase", tt.body)
			code, _ := a.fields["response_code"].(string)
			if got := fmt.Sprintf("%d %s %s", a.status, code, a.fields["error"]); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
			if a.fields["success"] != false {
				t.Errorf("success is %v", a.fields["success"])
			}
			if _, has := a.fields["response_code"]; has != (code != "") {
				t.Errorf("an empty response_code: %s", a.body)
			}
		})
	}
	c.wantCharges(0)
}

// TestCatalog buys each product of the document at its price and refuses it beside it.
func TestCatalog(t *testing.T) {
	c := overHTTP(t, nil)
	for _, tt := range []struct{ id, price, wrong string }{
		{"MOVISTAR_TAE", "10", "9"}, {"MOVISTAR_TAE", "5000.00", "5001"}, {"MOVISTAR_TAE", "12.340",
			"12.345"}, {"MOVISTAR_TAE", "1e2", "1e4"},
		{"MOVISTAR_PAQUETE_16", "30", "10"}, {"MOVISTAR_PAQUETE_17", "50", "49"}, {"MOVISTAR_PAQUETE_18", "70", "71"},
		{"MOVISTAR_PAQUETE_19", "90", "89.99"}, {"MOVISTAR_PAQUETE_20", "110", "11"}, {"MOVISTAR_PAQUETE_21", "150", "110"},
		{"MOVISTAR_PAQUETE_22", "210", "211"}, {"MOVISTAR_PAQUETE_23", "320", "300"}, {"MOVISTAR_PAQUETE_24", "400.00",
			"400.01"},
		{"MOVISTAR_PAQUETE_25", "420", "400"},
	} {
		for amount, want := range map[string]int{tt.price: 200, tt.wrong: 400} {
			a := c.post("/api/distributor/product_purchase", fmt.Sprintf(
				`{"distributor_transaction_id":"ORD","phone_number":"5537686660","product_id":%q,"amount":%s}`, tt.id, amount))
			if a.status != want {
				t.Errorf("%s for %s: %d, want %d: %s", tt.id, amount, a.status, want, a.body)
			}
		}
	}
	c.wantCharges(14)
}

func TestEmptyWallet(t *testing.T) {
	c := overHTTP(t, func(cfg *sandbox.Config) { cfg.InitialBalance = money("15") })
	for i, want := range []int{200, 402} {
		if a := c.buy(fmt.Sprint("ORD-", i), "5537686660"); a.status != want {
			t.Errorf("purchase %d: %d %s, want %d", i, a.status, a.body, want)
		}
	}
	if a := c.buy("ORD-9", "5500000502"); a.status != 402 || a.fields["response_code"] != "51" {
		t.Errorf("a fate that charges, with an empty wallet: %d %s", a.status, a.body)
	}
	c.wantCharges(1)
	if got := c.balance(); got != "5.00" {
		t.Errorf("balance %s, want 5.00", got)
	}
}

// TestHeaders: what surrounds the body is checked too, and the refused are on record.
func TestHeaders(t *testing.T) {
	c := overHTTP(t, nil)
	for i, tt := range []struct {
		header, value string
		want          int
	}{
		{"Authorization", "", 401},
		{"Authorization", "Bearer wrong", 401},
		{"Authorization", "Basic " + c.token, 401},
		{"Authorization", "bearer " + c.token, 200},
		{"Content-Type", "", 400},
		{"Content-Type", "text/plain", 400},
		{"Content-Type", "application/x-www-form-urlencoded", 400},
		{"Content-Type", "application/json; charset=utf-8", 200},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", c.url+"/api/distributor/product_purchase",
			strings.NewReader(body(fmt.Sprint("ORD-", i), "5537686660")))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+c.token)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(tt.header, tt.value)
		if a := c.must(c.send(r)); a.status != tt.want || strings.Contains(a.body, `"response_code":"",`) {
			t.Errorf("%s %q: %d %s, want %d", tt.header, tt.value, a.status, a.body, tt.want)
		}
		one := c.sandbox.Requests()[i]
		if one.DistributorTransactionID != fmt.Sprint("ORD-", i) || one.Status != tt.want ||
			one.PhoneNumber != "5537686660" {
			t.Errorf("on record as %+v", one)
		}
	}
	c.wantCharges(2)
}

func TestLogin(t *testing.T) {
	c := overHTTP(t, func(cfg *sandbox.Config) { cfg.CustomerID, cfg.SecretKey = "demo", "demo" })
	for body, want := range map[string]int{
		`{"customer_id":"demo","secret_key":"demo"}`:  200,
		`{"customer_id":"demo","secret_key":"wrong"}`: 401,
		`{"customer_id":"other","secret_key":"demo"}`: 401,
		`{"customer_id":"demo"}`:                      400,
		`{"customer_id":"demo","secret_key":1}`:       400,
		`{}`:                                          400,
		`not json`:                                    400,
	} {
		a := c.post("/api/distributor/login", body)
		if a.status != want || a.fields["success"] != (want == 200) {
			t.Errorf("%s: %d %s, want %d", body, a.status, a.body, want)
		}
	}
}

func TestRoutes(t *testing.T) {
	c := overHTTP(t, nil)
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/api/distributor/login", 405, "POST"},
		{"POST", "/api/distributor/get_balance", 405, "GET"},
		{"GET", "/api/distributor/product_purchase", 405, "POST"},
		{"DELETE", "/sandbox/config", 405, "GET, POST"},
		{"GET", "/sandbox/reset", 405, "POST"},
		{"GET", "/api/distributor/refresh", 404, ""},
		{"GET", "/api/distributor/login/", 404, ""},
		{"GET", "/healthz", 200, ""},
		{"HEAD", "/healthz", 200, ""},
		{"GET", "/sandbox/purchases?order=1", 400, ""},
		{"GET", "/sandbox/requests?limit=1", 400, ""},
		{"POST", "/sandbox/reset?all=1", 400, ""},
		{"GET", "/sandbox/config?month=2026-11", 400, ""},
		{"GET", "/sandbox/statement.csv?month=2026-11&month=2026-12", 400, ""},
		{"GET", "/sandbox/statement.csv?m=2026-11", 400, ""},
		{"GET", "/sandbox/statement.csv?month=2026-11", 200, ""},
	} {
		a := c.must(c.call(tt.method, tt.path, ""))
		if a.status != tt.status || a.header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d, Allow %q", tt.method, tt.path, a.status, a.header.Get("Allow"))
		}
		if a.status > 400 && a.fields["success"] != false {
			t.Errorf("%s %s: %s", tt.method, tt.path, a.body)
		}
	}
	help := c.get("/").body
	for _, want := range []string{"5500000599", "5500001096", "repeated_id", "charge, replay or refuse"} {
		if !strings.Contains(help, want) {
			t.Errorf("the help lacks %q", want)
		}
	}
}

func TestReset(t *testing.T) {
	c := overHTTP(t, nil)
	c.configure(`{"repeated_id":"refuse","initial_balance":500}`)
	c.buy("ORD-1", "5537686660")
	c.buy("ORD-2", "5500000429")
	if a := c.post("/sandbox/reset", ""); a.status != 200 {
		t.Fatalf("reset: %d", a.status)
	}
	if purchases, requests := c.get("/sandbox/purchases").body, c.get("/sandbox/requests").body; purchases+
		requests != "[]\n[]\n" {
		t.Errorf("left over: %s %s", purchases, requests)
	}
	if got := c.balance(); got != "500.00" {
		t.Errorf("balance %s, want 500.00", got)
	}
	if a := c.buy("ORD-1", "5537686660"); a.status != 200 {
		t.Errorf("the id is still known: %s", a.body)
	}
	if a := c.buy("ORD-2", "5500000429"); a.status != 429 {
		t.Errorf("the fate is still used up: %d", a.status)
	}
}

// BenchmarkPurchase is what the sandbox itself costs, and then what it costs over HTTP with the client beside it.
func BenchmarkPurchase(b *testing.B) {
	for name, start := range map[string]func(testing.TB, func(*sandbox.Config)) *client{"handler": inProcess,
		"http": overHTTP} {
		b.Run(name, func(b *testing.B) {
			c := start(b, func(cfg *sandbox.Config) { cfg.InitialBalance = money("1000000000") })
			var n atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if a, err := c.try(strconv.FormatInt(n.Add(1), 10), "5537686660"); err != nil || a.status != 200 {
						b.Errorf("%d %v", a.status, err)
						return
					}
				}
			})
		})
	}
}
