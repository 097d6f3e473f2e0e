package topup_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

// The rules of the contract's "Validation", written once more and in another way than the code's.
var (
	idRule    = regexp.MustCompile(`\A[A-Za-z0-9._:\-]{1,64}\z`)
	phoneRule = regexp.MustCompile(`\A(\+?52|\+?521)?([2-9]\d{9})\z`)
	neverRule = regexp.MustCompile(`\A(?:300|500|800|888|900)`)
	moneyRule = regexp.MustCompile(`\A-?(?:0|[1-9]\d*)(?:\.\d+)?\z`)
	plainRule = regexp.MustCompile(`\A\d+(?:\.\d{1,2})?\z`)
	// writtenRule is a number without spaces and parentheses.
	writtenRule = regexp.MustCompile(`\A\+?\d+(?:[.-]+\d+)*\z`)
	// pointedRule are the groups that dots may make, with a country code in front, or joined to the first.
	pointedRule = regexp.MustCompile(`\A(?:52 ?1? ?)?(?:\d\d \d{4} \d{4}|\d{3} \d{3} \d{4}|\d\d \d\d \d\d \d\d \d\d)\z`)
	notDigits   = regexp.MustCompile(`\D+`)
)

// phoneOf is the number that a text gives, empty where it gives none.
func phoneOf(text string) string {
	if !utf8.ValidString(text) {
		return ""
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cf, r):
			return -1
		case unicode.Is(unicode.Zs, r), r == '\t', r == '(', r == ')':
			return ' '
		case unicode.Is(unicode.Pd, r), r == '\u2212', r == '\u2043':
			return '-'
		}
		return r
	}, strings.TrimSpace(text))
	plain := strings.ReplaceAll(text, " ", "")
	if !writtenRule.MatchString(plain) || strings.Contains(plain, "..") {
		return ""
	}
	groups := strings.TrimSpace(notDigits.ReplaceAllString(text, " "))
	digits := strings.ReplaceAll(groups, " ", "")
	found := phoneRule.FindStringSubmatch(plain[:strings.IndexFunc(plain, unicode.IsDigit)] + digits)
	if found == nil || neverRule.MatchString(found[2]) || strings.Contains(plain, ".") &&
		!pointedRule.MatchString(groups) {
		return ""
	}
	if found[1] != "" && plain[0] != '+' && behindTen(groups) {
		return ""
	}
	return found[2]
}

// behindTen reports whether the first 10 digits are a group, or several of which none is the country code alone.
func behindTen(groups string) bool {
	n, ends := 0, map[int]bool{}
	for _, g := range strings.Fields(groups) {
		n += len(g)
		ends[n] = true
	}
	return ends[10] && !ends[2] && (n != 13 || !ends[3])
}

func FuzzParsePhone(f *testing.F) {
	for _, s := range []string{
		"55 3768 6660", "+52 1 55 3768 6660", "(+52) 55-3768-6660", "5255376866", "5215537686660", "+5537686660",
		"52+5537686660", "5000000000",
		"\u00a05537686660\t", "55.3768.6660", "553768666.0", "5255376866.60", "5255376866 60", "\u202a55\u2011",
		"-5537686660", "55.(.)3768.6660", "521.55.3768.6660",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := topup.ParsePhone(s)
		if want := phoneOf(s); got.Digits() != want || (err == nil) != (want != "") {
			t.Fatalf("ParsePhone(%q) = %q, %v; want %q", s, got.Digits(), err, want)
		}
		if err != nil {
			if fields := topup.FieldErrors(err); len(fields) != 1 || fields[0].Field != topup.FieldPhone ||
				!utf8.ValidString(err.Error()) {
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

// FuzzPhoneFormatting: whatever is put between the digits of a number, or taken out from between them, it is read as
// the same number, or refused. Its digits are never others, and what cannot be seen changes nothing at all.
func FuzzPhoneFormatting(f *testing.F) {
	for _, s := range []string{"55 3768 6660", "+52 55 3768 6660", "5255376866 60", "55.3768.6660", "521 5537686660",
		"5,537,686,660", "5.53769E+09"} {
		f.Add(s, uint8(3), uint8(0))
		f.Add(s, uint8(10), uint8(7))
	}
	marks := []string{" ", "\u00a0", "-", "\u2011", "(", ")", "\u2013", "\u3000", ".", "\u202a", "\u200b", "\u00ad",
		"\ufeff", "\u2066"}
	const unseen = 9
	f.Fuzz(func(t *testing.T, s string, at, which uint8) {
		got, err := topup.ParsePhone(s)
		i := int(at) % (len(s) + 1)
		if !utf8.ValidString(s) || !utf8.ValidString(s[:i]) {
			t.Skip("between two characters only")
		}
		n := int(which) % len(marks)
		more, moreErr := topup.ParsePhone(s[:i] + marks[n] + s[i:])
		if n >= unseen && (more != got || (moreErr == nil) != (err == nil)) {
			t.Errorf("%q is %q, with %+q in it %q, %v", s, got.Digits(), marks[n], more.Digits(), moreErr)
		}
		if err == nil && moreErr == nil && more != got {
			t.Errorf("%q is %q, with %+q in it %q", s, got.Digits(), marks[n], more.Digits())
		}
		if err != nil {
			return
		}
		all := notDigits.ReplaceAllString(s, "")
		if !slices.Contains([]string{"", "52", "521"}, strings.TrimSuffix(all, got.Digits())) {
			t.Errorf("%q is read as %q", s, got.Digits())
		}
		if bare, err := topup.ParsePhone(all); bare != got {
			t.Errorf("%q is %q, and without what is between its digits %q, %v", s, got.Digits(), bare.Digits(), err)
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

// FuzzParseAmount: of what is read as an amount, only marks and the currency are left out; a plain number of at most 2
// decimals is always one; and each amount reads back from its text and its JSON.
func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{
		"10", "10.5", "0.29", "1e1", "1e-2", "9.999", "1e999999999", "92233720368547758.07", "92233720368547758.08",
		"-12345678901234567.5", "+1", ".5", "0x10",
		"1_0", "Inf", "$1,234.50", "1.234,5", "1 234", "10 MXN", "1'000", "12,34,567.8", "1.000", "10,00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := topup.ParseAmount(s)
		if err != nil {
			if want, ok := centavosOf(s); ok && len(s) <= 20 && plainRule.MatchString(s) {
				t.Fatalf("ParseAmount(%q): %v; want %d centavos", s, err, want)
			}
			return
		}
		if a < 0 || !slices.ContainsFunc(meanings(s),
			func(number string) bool { want, ok := centavosOf(number); return ok && want == int64(a) }) {
			t.Fatalf("ParseAmount(%q) = %d centavos", s, a)
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

// meanings are the numbers that a text with marks can be: with its last mark before the decimals, or with all of them
// between thousands. Where it is read as either, three digits behind the only mark would be the other.
func meanings(s string) []string {
	marks := regexp.MustCompile(`[.,' ]`)
	number := strings.Trim(regexp.MustCompile(`[^0-9., ']`).ReplaceAllString(strings.ReplaceAll(strings.ToUpper(s),
		"M.N.", ""), ""), " '")
	last := strings.LastIndexAny(number, ".,")
	if last < 0 {
		return []string{marks.ReplaceAllString(number, "")}
	}
	point := marks.ReplaceAllString(number[:last], "") + "." + number[last+1:] + "0"
	if strings.Count(number, number[last:last+1]) > 1 {
		return []string{marks.ReplaceAllString(number, "")}
	}
	return []string{point}
}

// FuzzAmountJSON: a JSON number is read as exactly what it says, or refused.
func FuzzAmountJSON(f *testing.F) {
	for _, s := range []string{"10", "10.50", "1e1", "1E400", "-0.01", "10.001", "1e-2", "-92233720368547758.08",
		"92233720368547758.08", `"10"`, "null", "true"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var a topup.Amount
		err := json.Unmarshal([]byte(s), &a)
		want, ok := centavosOf(strings.TrimSpace(s))
		if err == nil && (!ok || int64(a) != want) {
			t.Fatalf("%s is read as %d centavos; want %d, %v", s, a, want, ok)
		}
		if err != nil && ok && len(s) <= 20 && moneyRule.MatchString(s) {
			t.Fatalf("%s: %v; want %d centavos", s, err, want)
		}
	})
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"ORD-1", "a.b_c:d-e", "", ".", "..", "...", ".a", "..a", "a\n", "a b", "ñ",
		strings.Repeat("x", 64), strings.Repeat("x", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := topup.ParseID(s)
		if valid := idRule.MatchString(s) && s != "." && s != ".."; (err == nil) != valid || valid && string(id) != s ||
			!valid && id != "" {
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
		isObject := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &object) == nil && object != nil
		switch {
		case errors.Is(err, topup.ErrNotObject):
			if isObject && utf8.Valid(data) && !bytes.Contains(bytes.ToLower(data), []byte(`\ud`)) {
				t.Errorf("%q is an object, and refused as none: %v", data, err)
			}
		case err != nil:
			checkRefusal(t, err)
		case !isObject || !utf8.Valid(data):
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
	if fields := len(topup.FieldErrors(err)); !ok || fields != min(len(joined.Unwrap()), topup.MaxFaults) {
		t.Fatalf("%v is not made of FieldErrors only, or of too many", err)
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
	if string(r.ID) != in.ID || r.Phone.Digits() != phoneOf(in.Phone) || r.Product != in.Product ||
		r.Operator != in.Operator || !ok || int64(r.Amount) != centavos {
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
	if !ok || r.Amount < p.Min || r.Amount > p.Max || !idRule.MatchString(string(r.ID)) ||
		phoneOf(r.Phone.Digits()) != r.Phone.Digits() {
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
	f.Add("ORD-1", "5537686660", "MOVISTAR_TAE", "10", "MOVISTAR", "https://shop.example/\xff", "2030-01-01T00:00:00Z",
		"9999-12-31T23:59:59-00:01", "key", "value")
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
		if string(r.ID) != id || r.Product != product || r.Operator != operator || r.CallbackURL != callback ||
			r.Metadata[key] != value {
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
	f.Fuzz(func(t *testing.T, state uint8, centavos int64, attempts int, code, message, transaction, reference, auth,
		balance string, micros int64) {
		at := time.UnixMicro(micros).UTC()
		var number json.Number
		if !utf8.ValidString(strings.Join([]string{code, message, transaction, reference, auth}, " ")) || at.Year() < 0 ||
			at.Year() > 9999 || json.Unmarshal([]byte(balance), &number) != nil || string(number) != balance || balance == "" {
			t.Skip("not what the journal would hold")
		}
		o := topup.Order{
			ID: "ORD-1", Caller: "shop", State: states[int(state)%len(
				states)].State, Phone: "5537686660", Product: "MOVISTAR_TAE",
			Amount: topup.Amount(centavos), Currency: topup.Currency, Metadata: map[string]string{"m": message},
			AttemptCount: attempts,
			ResponseCode: topup.Code(code), ResponseMessage: topup.NullString(message), TransactionID: topup.NullString(
				transaction),
			Reference: topup.NullString(reference), AuthCode: topup.NullString(
				auth), BalanceAfter: &number, CreatedAt: at, UpdatedAt: at, FinishedAt: &at,
		}
		checkOrderJSON(t, o)
	})
}
