package topup_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

// The rules of the contract's "Validation", written once more and in another way than the code's.
var (
	idRule    = regexp.MustCompile(`\A[A-Za-z0-9._:\-]{1,64}\z`)
	phoneRule = regexp.MustCompile(`\A(?:\+?521?)?([2-9]\d{9})\z`)
	neverRule = regexp.MustCompile(`\A(?:300|500|800|888|900)`)
	moneyRule = regexp.MustCompile(`\A-?(?:0|[1-9]\d*)(?:\.\d+)?\z`)
)

// phoneOf is the number that a text gives, empty where it gives none.
func phoneOf(text string) string {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \u00a0-.()", r) {
			return -1
		}
		return r
	}, strings.TrimSpace(text))
	found := phoneRule.FindStringSubmatch(plain)
	if found == nil || neverRule.MatchString(found[1]) {
		return ""
	}
	return found[1]
}

func FuzzParsePhone(f *testing.F) {
	for _, s := range []string{"55 3768 6660", "+52 1 55 3768 6660", "(+52) 55-3768-6660", "5255376866", "5215537686660", "+5537686660", "52+5537686660", "5000000000", "\u00a05537686660\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := topup.ParsePhone(s)
		if want := phoneOf(s); got.Digits() != want || (err == nil) != (want != "") {
			t.Fatalf("ParsePhone(%q) = %q, %v; want %q", s, got.Digits(), err, want)
		}
		if err != nil {
			if fields := topup.FieldErrors(err); len(fields) != 1 || fields[0].Field != topup.FieldPhone {
				t.Errorf("%q: %v does not name the field", s, err)
			}
			return
		}
		for _, form := range []string{"", "+52", "52", "521", "+521"} {
			if again, err := topup.ParsePhone(form + got.Digits()); again != got {
				t.Errorf("%s%s is read as %s, %v", form, got.Digits(), again.Digits(), err)
			}
		}
		if shown := got.String(); strings.Contains(shown, got.Digits()[:6]) || !strings.HasSuffix(shown, got.Digits()[6:]) {
			t.Errorf("%s is shown as %s", got.Digits(), shown)
		}
	})
}

// centavosOf is exact arithmetic on what is written: no number where it is not a whole int64 of centavos.
func centavosOf(text string) (int64, bool) {
	const most = 100 // a larger power cannot fit, and costs memory
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if n, err := strconv.Atoi(text[i+1:]); err != nil || n < -most || n > most {
			return 0, false
		}
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, false
	}
	r.Mul(r, big.NewRat(100, 1))
	return r.Num().Int64(), r.IsInt() && r.Num().IsInt64()
}

// FuzzParseAmount: no amount is anything but exactly what is written, and a plain number of at most
// 2 decimals is always one.
func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"10", "10.5", "0.29", "1e1", "1e-2", "9.999", "1e999999999", "92233720368547758.07", "92233720368547758.08", "-92233720368547758.08", "-12345678901234567.5", "+1", ".5", "0x10", "1_0", "Inf"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := topup.ParseAmount(s)
		const bounded = 20 // longer texts may be refused unread
		if len(s) > bounded && err != nil {
			return
		}
		want, ok := centavosOf(s)
		if err == nil && (!ok || int64(a) != want) {
			t.Fatalf("ParseAmount(%q) = %d centavos; want %d, %v", s, a, want, ok)
		}
		if err != nil {
			if ok && moneyRule.MatchString(s) {
				t.Fatalf("ParseAmount(%q): %v; want %d centavos", s, err, want)
			}
			return
		}
		if back, err := topup.ParseAmount(a.String()); back != a || err != nil || !moneyRule.MatchString(a.String()) {
			t.Errorf("%d centavos are written %s, which is read as %d, %v", a, a, back, err)
		}
		var back topup.Amount
		if data, err := json.Marshal(a); err != nil || json.Unmarshal(data, &back) != nil || back != a {
			t.Errorf("JSON of %s is %s, which is read as %s; %v", a, data, back, err)
		}
	})
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"ORD-1", "a.b_c:d-e", "", "a\n", "a b", "ñ", strings.Repeat("x", 64), strings.Repeat("x", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := topup.ParseID(s)
		if valid := idRule.MatchString(s); (err == nil) != valid || valid && string(id) != s || !valid && id != "" {
			t.Errorf("ParseID(%q) = %q, %v", s, id, err)
		}
	})
}

// FuzzRequest: whatever JSON comes, it is refused by the names of its fields, or read as exactly
// what it says.
func FuzzRequest(f *testing.F) {
	const valid = `{"distributor_transaction_id":"ORD-1","phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10.50`
	f.Add([]byte(valid + `,"operator":"MOVISTAR","metadata":{"cart":"<7>"},"process_at":"2030-01-01T00:00:00.1234567Z","callback_url":"https://shop.example/x"}`))
	f.Add([]byte(valid + `,"expires_at":"9999-12-31T23:59:59-23:59"}`))
	f.Add([]byte(valid + `,"amount":10}`))
	f.Add([]byte(valid + `,"metadata":{"a":null}}`))
	f.Add([]byte(`{"distributor_transaction_id":7,"amount":"10","x":{}}`))
	f.Add([]byte(valid + `}{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := topup.ParseRequest(data)
		var object map[string]json.RawMessage
		isObject := json.Unmarshal(data, &object) == nil && object != nil
		switch {
		case errors.Is(err, topup.ErrNotObject):
			if isObject {
				t.Errorf("%q is an object, and refused as none: %v", data, err)
			}
		case err != nil:
			checkRefusal(t, err)
		case !isObject:
			t.Fatalf("%q is no JSON object, and accepted", data)
		default:
			checkSaid(t, r, object)
			checkRequest(t, r)
		}
	})
}

// checkRefusal: every part of the error names a field and what is allowed there.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(topup.FieldErrors(err)) != len(joined.Unwrap()) {
		t.Fatalf("%v is not made of FieldErrors only", err)
	}
	for _, e := range topup.FieldErrors(err) {
		if e.Allowed == "" || !strings.HasPrefix(e.Error(), e.Field+": ") {
			t.Errorf("%q does not say what is allowed", e)
		}
	}
}

// checkSaid compares a request with the fields it was read from.
func checkSaid(t *testing.T, r topup.Request, said map[string]json.RawMessage) {
	t.Helper()
	var in struct {
		ID       string            `json:"distributor_transaction_id"`
		Phone    string            `json:"phone_number"`
		Product  string            `json:"product_id"`
		Operator string            `json:"operator"`
		Metadata map[string]string `json:"metadata"`
	}
	exact := map[string]json.RawMessage{}
	for name, value := range said {
		if name == strings.ToLower(name) {
			exact[name] = value
		}
	}
	data, err := json.Marshal(exact)
	if err != nil || json.Unmarshal(data, &in) != nil {
		t.Fatalf("accepted of %s: %v", data, err)
	}
	centavos, ok := centavosOf(string(said["amount"]))
	if string(r.ID) != in.ID || r.Phone.Digits() != phoneOf(in.Phone) || r.Product != in.Product || r.Operator != in.Operator || !ok || int64(r.Amount) != centavos {
		t.Errorf("%s is read as %+v of %s", data, r, r.Amount)
	}
	if len(in.Metadata) != len(r.Metadata) || len(r.Metadata) > 0 && !cmp.Equal(in.Metadata, r.Metadata) {
		t.Errorf("metadata %q is read as %q", in.Metadata, r.Metadata)
	}
}

// checkRequest: a valid request keeps the rules, and stays what it is through the queue, the book of
// record and the caller's JSON.
func checkRequest(t *testing.T, r topup.Request) {
	t.Helper()
	p, ok := topup.DefaultCatalog().Product(r.Product)
	if !ok || r.Amount < p.Min || r.Amount > p.Max || !idRule.MatchString(string(r.ID)) || phoneOf(r.Phone.Digits()) != r.Phone.Digits() {
		t.Fatalf("accepted: %+v for %s", r, r.Amount)
	}
	if r.ProcessAt != nil && r.ExpiresAt != nil && !r.ExpiresAt.After(*r.ProcessAt) {
		t.Errorf("expires at %s, before it is due at %s", r.ExpiresAt, r.ProcessAt)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := topup.ParseRequest(data)
	if diff := cmp.Diff(r, again); err != nil || diff != "" || again.Fingerprint() != r.Fingerprint() {
		t.Errorf("%s is read as another request: %v %s", data, err, diff)
	}
	if diff := cmp.Diff(r, r.Order(time.Unix(0, 0)).Request(), emptyMetadata); diff != "" {
		t.Error(diff)
	}
	checkOrderJSON(t, r.Order(time.Unix(1767225600, 123456000).UTC()))
}

var emptyMetadata = cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Metadata" },
	cmp.Comparer(func(a, b map[string]string) bool { return len(a) == len(b) && (len(a) == 0 || cmp.Equal(a, b)) }))

// FuzzFields: the fields of a CSV row or of flags, which need not even be UTF-8.
func FuzzFields(f *testing.F) {
	f.Add("ORD-1", "5537686660", "MOVISTAR_TAE", "10", "MOVISTAR", "https://shop.example/\xff", "2030-01-01T00:00:00Z", "9999-12-31T23:59:59-00:01", "key", "value")
	f.Add("ORD-1", "5537686660", "MOVISTAR_PAQUETE_16", "30.00", "", "", "2030-01-01T00:00:00+01:00", "", "", "")
	f.Add("", "", "", "", "\xff", "//", "now", "never", "\xff", "\x00")
	f.Fuzz(func(t *testing.T, id, phone, product, amount, operator, callback, process, expires, key, value string) {
		r, err := topup.Fields{
			ID: id, Phone: phone, Product: product, Amount: amount, Operator: operator, CallbackURL: callback,
			ProcessAt: process, ExpiresAt: expires, Metadata: map[string]string{key: value},
		}.Request()
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if string(r.ID) != id || r.Product != product || r.Operator != operator || r.CallbackURL != callback || r.Metadata[key] != value {
			t.Errorf("read as %+v", r)
		}
		checkRequest(t, r)
	})
}

// checkOrderJSON: an order is what its JSON says, in an answer and in an event.
func checkOrderJSON(t *testing.T, o topup.Order) {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	o.CallbackURL = "" // nobody's business but ours
	var back topup.Order
	if err := json.Unmarshal(data, &back); err != nil || !cmp.Equal(o, back) {
		t.Errorf("%s is read back otherwise: %v %s", data, err, cmp.Diff(o, back))
	}
	if topup.EventTypeOf(o.State) == "" {
		return
	}
	ev, err := topup.NewEvent("evt_1", topup.EventTypeOf(o.State), o, 7, o.UpdatedAt)
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Type topup.EventType
		Data topup.Order
	}
	if err := json.Unmarshal(ev.Body, &body); err != nil || body.Type != ev.Type || !cmp.Equal(o, body.Data) {
		t.Errorf("event %s: %v %s", ev.Body, err, cmp.Diff(o, body.Data))
	}
}

// FuzzOrderJSON: what the vendor says of an order reaches the caller unchanged.
func FuzzOrderJSON(f *testing.F) {
	f.Add(uint8(4), int64(1050), 2, "00", "Aprobado", "TXN-1", "RRN-1", "A1", "990.00", int64(1767225600_000001))
	f.Add(uint8(5), int64(-1), 0, "", "<html>&\u2028", "", "", "", "-1e-7", int64(0))
	states := topup.StateTable()
	f.Fuzz(func(t *testing.T, state uint8, centavos int64, attempts int, code, message, transaction, reference, auth, balance string, micros int64) {
		at := time.UnixMicro(micros).UTC()
		var number json.Number
		if !utf8.ValidString(strings.Join([]string{code, message, transaction, reference, auth}, " ")) || at.Year() < 0 || at.Year() > 9999 || json.Unmarshal([]byte(balance), &number) != nil || string(number) != balance || balance == "" {
			t.Skip("not what the journal would hold")
		}
		o := topup.Order{
			ID: "ORD-1", Caller: "shop", State: states[int(state)%len(states)].State, Phone: "5537686660", Product: "MOVISTAR_TAE",
			Amount: topup.Amount(centavos), Currency: topup.Currency, Metadata: map[string]string{"m": message}, AttemptCount: attempts,
			ResponseCode: topup.Code(code), ResponseMessage: topup.NullString(message), TransactionID: topup.NullString(transaction),
			Reference: topup.NullString(reference), AuthCode: topup.NullString(auth), BalanceAfter: &number, CreatedAt: at, UpdatedAt: at, FinishedAt: &at,
		}
		checkOrderJSON(t, o)
	})
}
