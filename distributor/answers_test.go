package distributor_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"recarga/distributor"
	"recarga/topup"
)

// vendorAnswer is a line of testdata/answers.ndjson: an answer of some vendor, and what must follow.
type vendorAnswer struct {
	Call   string
	Status int
	// Body has %ID% for the order's id.
	Body, Expect, Why string
}

func vendorAnswers(t *testing.T) (all []vendorAnswer) {
	t.Helper()
	data, err := os.ReadFile("testdata/answers.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		var a vendorAnswer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		a.Body = strings.ReplaceAll(a.Body, "%ID%", string(order.ID))
		all = append(all, a)
	}
	return all
}

// as answers a call as the line says. A 101 keeps the connection open, as a vendor that means it does.
func (a vendorAnswer) as(w http.ResponseWriter, r *http.Request) {
	answer(a.Status, a.Body)(w, r)
	if a.Status == http.StatusSwitchingProtocols {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// TestVendorAnswers has each line answered by a real server.
func TestVendorAnswers(t *testing.T) {
	tests := map[string]func(*testing.T, vendorAnswer){"login": testLogin, "purchase": testPurchase,
		"balance": testBalance}
	for i, a := range vendorAnswers(t) {
		t.Run(fmt.Sprintf("%d %s, %s", i+1, a.Call, a.Why), func(t *testing.T) { tests[a.Call](t, a) })
	}
}

func testLogin(t *testing.T, a vendorAnswer) {
	if !strings.HasPrefix(a.Expect, "logged in") {
		t.Fatalf("nothing tests %q", a.Expect)
	}
	v := newVendor(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer tok-abcdefgh" {
			t.Errorf("authorized by %q", got)
		}
		answer(http.StatusOK, approved)(w, r)
	})
	v.answerLogin = a.as
	c := newClient(t, v.URL, nil)
	for range 5 {
		if got := buy(t, c); got.Outcome != topup.OutcomeApproved {
			t.Fatalf("%+v", got)
		}
	}
	if n := v.logins.Load(); n != 1 {
		t.Errorf("%d logins for five purchases, want 1", n)
	}
}

func testPurchase(t *testing.T, a vendorAnswer) {
	v := newVendor(t, a.as)
	got := newClient(t, v.URL, func(cfg *distributor.Config) { cfg.Timeout = time.Hour }).Purchase(t.Context(), order,
		time.Now().Add(time.Minute))
	outcomes := map[string]topup.Outcome{
		"succeeded": topup.OutcomeApproved, "unknown": topup.OutcomeUnknown,
		"failed/declined": topup.OutcomeDeclined, "unavailable": topup.OutcomeUnavailable,
	}
	want, known := outcomes[regexp.MustCompile(`^[a-z/]+`).FindString(a.Expect)]
	if !known || got.Outcome != want {
		t.Errorf("%+v, want %s", got, a.Expect)
	}
	if n := v.purchases.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
	if code := regexp.MustCompile(`code (\d\d)`).FindStringSubmatch(a.Expect); code != nil &&
		string(got.Code) != code[1] {
		t.Errorf("code %q, want %s", got.Code, code[1])
	}
	texts := map[string]string{"transaction_id": got.TransactionID, "reference": got.Reference, "auth_code": got.AuthCode}
	for _, want := range regexp.MustCompile(`(\w+) "(\w+)"`).FindAllStringSubmatch(a.Expect, -1) {
		if texts[want[1]] != want[2] {
			t.Errorf("%s is %q, want %q", want[1], texts[want[1]], want[2])
		}
	}
	if strings.Contains(a.Expect, "digit for digit") &&
		(got.Reference == "" || !strings.Contains(a.Body, `"reference":`+got.Reference)) {
		t.Errorf("reference is %q", got.Reference)
	}
	if strings.Contains(a.Expect, "noted in the evidence") && !strings.Contains(got.Evidence,
		"reference (it is an object)") {
		t.Errorf("evidence %q", got.Evidence)
	}
	if strings.Contains(a.Expect, "balance is not known") {
		checkUncertainBalance(t, a, got)
	}
}

// checkUncertainBalance: known where the text plainly says it, else left out with a note.
func checkUncertainBalance(t *testing.T, a vendorAnswer, got topup.Result) {
	t.Helper()
	known := map[string]string{`balance_after is "1,234.50"`: "1234.50", `balance_after is "$ 990.00"`: "990.00"}
	switch want := known[a.Why]; {
	case want == "" && (got.BalanceAfter != nil || !strings.Contains(got.Evidence, "balance_after")):
		t.Errorf("balance %v, evidence %q", got.BalanceAfter, got.Evidence)
	case want != "" && (got.BalanceAfter == nil || got.BalanceAfter.String() != want):
		t.Errorf("balance %v, want %s", got.BalanceAfter, want)
	}
}

func testBalance(t *testing.T, a vendorAnswer) {
	v := newVendor(t, answer(http.StatusOK, approved))
	v.answerBalance = a.as
	c := newClient(t, v.URL, nil)
	got, err := c.Balance(t.Context())
	if a.Status != http.StatusOK {
		if err == nil {
			t.Errorf("%+v", got)
		}
		if got := buy(t, c); got.Outcome != topup.OutcomeApproved {
			t.Errorf("a purchase while get_balance fails: %+v", got)
		}
		return
	}
	if a.Expect != "1000.00 USD, of unknown time" {
		t.Fatalf("nothing tests %q", a.Expect)
	}
	if err != nil || got.Amount != "1000.00" || got.Currency != "USD" || !got.LastUpdated.IsZero() ||
		got.FetchedAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestSecretsStayInside: whatever a vendor echoes, in whatever form, nobody gets to see a secret, nor a
// character that a terminal obeys.
func TestSecretsStayInside(t *testing.T) {
	const (
		token   = "tok+Qz7/pLm93=="
		refresh = "ref-55aaXYZ88qq"
	)
	for _, status := range []int{200, 402, 500, 401, 429} {
		v := newVendor(t, nil)
		v.answerLogin = answer(200, fmt.Sprintf(`{"access_token":%q,"refresh_token":%q}`, token, refresh))
		for name, echo := range echoes(token, refresh, secretKey) {
			t.Run(fmt.Sprintf("%d %s", status, name), func(t *testing.T) {
				quoted, _ := json.Marshal("a\u202eb " + echo + " \u0085\x1b[31m")
				bodies := []string{
					fmt.Sprintf(`{"success":%v,"response_code":%q,"distributor_transaction_id":"ORD-1","response_message":%[3]s,"error":%[3]s,"transaction_id":%[3]s,"reference":%[3]s,"auth_code":%[3]s}`,
						status == 200, map[int]string{200: "00", 402: "51", 500: "91"}[status], quoted),
					fmt.Sprintf(`{"success":false,"response_code":%s,"error":%[1]s,"balance_after":%[1]s,%[1]s:1}`, quoted),
					"<html>\x1b[2J" + echo, echo, strings.Repeat("x", 1000) + echo,
				}
				for _, body := range bodies {
					v.purchase = answer(status, body)
					got := buy(t, newClient(t, v.URL, nil))
					checkClean(t, body, fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s", got.Message, got.TransactionID, got.Reference,
						got.AuthCode, got.Error, got.Evidence, got.Code),
						token, refresh, secretKey)
				}
			})
		}
	}
}

// echoes are the forms in which a vendor repeats somebody's secrets.
func echoes(secrets ...string) map[string]string {
	all := map[string]string{}
	for i, s := range secrets {
		for name, echo := range forms(s) {
			all[fmt.Sprintf("%d %s", i, name)] = echo
		}
	}
	return all
}

// forms of one secret.
func forms(s string) map[string]string {
	escaped := ""
	for _, b := range []byte(s) {
		escaped += fmt.Sprintf("%%%02x", b)
	}
	return map[string]string{
		"as it is": s, "a bearer": "Authorization: Bearer " + s, "capitals": strings.ToUpper(s), "a part": s[2 : len(s)-2],
		"cut":      s[:10],
		"of a URL": url.QueryEscape(s), "all escaped": escaped, "escaped twice": url.QueryEscape(url.QueryEscape(s)),
		"base64": base64.StdEncoding.EncodeToString([]byte(s)), "base64 of a URL": base64.RawURLEncoding.EncodeToString(
			[]byte(s)),
		"basic": base64.StdEncoding.EncodeToString([]byte("me:" + s)), "hex": hex.EncodeToString([]byte(s)),
		"HTML": html.EscapeString(strings.ReplaceAll(s, "+", "&#43;")), "JSON": strings.NewReplacer("/", `\/`, "+",
			`\u002b`).Replace(s),
		"invisible": s[:5] + "\u200b" + s[5:], "a field": `{"access_token":"` + s + `"}`,
	}
}

func checkClean(t *testing.T, body, seen string, secrets ...string) {
	t.Helper()
	low := strings.ToLower(seen)
	for _, secret := range secrets {
		all := forms(secret)
		delete(all, "a bearer") // these two are the secret with words around it
		delete(all, "a field")
		for name, form := range all {
			form = strings.ToLower(form)
			for i := 0; i+10 <= len(form); i++ {
				if part := form[i : i+10]; strings.Contains(low, part) {
					t.Fatalf("%q (%s) is seen in %q\nof %q", part, name, seen, body)
				}
			}
		}
	}
	if i := strings.IndexFunc(seen, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a &&
			r <= 0x202e
	}); i >= 0 {
		t.Fatalf("%q is seen in %q", seen[i:i+1], seen)
	}
	if slices.ContainsFunc(strings.Split(seen, "|"), func(s string) bool { return len(s) > 1600 }) {
		t.Fatalf("%d bytes are seen", len(seen))
	}
}

// TestErrorsAreMasked: net/http quotes what it cannot read.
func TestErrorsAreMasked(t *testing.T) {
	v := newVendor(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 "+r.Header.Get("Authorization")+" "+secretKey+"\r\n\r\n")
		_ = conn.Close()
	})
	v.answerLogin = answer(200, `{"access_token":"0123456789-abcdefgh"}`)
	var seen distributor.Request
	got := buy(t, newClient(t, v.URL,
		func(cfg *distributor.Config) { cfg.Observe = func(r distributor.Request) { seen = r } }))
	if got.Outcome != topup.OutcomeUnknown || !strings.Contains(got.Error, "malformed") {
		t.Errorf("%+v", got)
	}
	checkClean(t, "", fmt.Sprint(got.Error, got.Evidence, seen.Err), "0123456789-abcdefgh", secretKey)
}
