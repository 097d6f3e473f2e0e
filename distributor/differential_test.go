package distributor

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"recarga/internal/testkit"
	"recarga/topup"
)

// deciding are the fields of a purchase's answer that decide; all others do not.
func deciding() []string {
	return []string{"success", "response_code", "distributor_transaction_id"}
}

// decides reports whether a field is one that some reader takes for a deciding one.
func decides(name string) bool { return slices.Contains(deciding(), fold(name)) }

type base struct {
	status int
	fields []field
}

// bases are answers of each outcome, and some that leave a doubt.
func bases() (all []base) {
	for _, b := range []struct {
		status              int
		success, code, echo string
	}{
		{200, `true`, `"00"`, `"ORD-1"`}, {200, `"true"`, `"00"`, `"ORD-1"`}, {402, `false`, `"51"`, `"ORD-1"`}, {400,
			`false`, `12`, ``},
		{200, `false`, `"83"`, `"ORD-1"`}, {500, `false`, `"91"`, `"ORD-1"`}, {500, ``, `96`, ``}, {401, `false`, ``,
			``}, {429, `false`, ``, ``},
		{400, `false`, ``, ``}, {402, ``, ``, ``}, {200, `true`, `"51"`, `"ORD-1"`}, {200, ``, `"00"`, `"ORD-1"`}, {200,
			`true`, `"00"`, `"ORD-2"`},
		{500, `false`, ``, ``}, {200, `true`, `"99"`, `"ORD-1"`}, {502, `false`, `"51"`, `"ORD-1"`}, {200, ``, ``, ``},
	} {
		var fields []field
		for i, value := range []string{b.success, b.code, b.echo} {
			if value != "" {
				fields = append(fields, field{name: deciding()[i], value: json.RawMessage(value)})
			}
		}
		for _, name := range []string{"transaction_id", "reference", "auth_code", "response_message", "error"} {
			fields = append(fields, field{name: name, value: json.RawMessage(`"A1"`)})
		}
		fields = append(fields, field{name: "balance_after", value: json.RawMessage(`990.00`)})
		all = append(all, base{b.status, fields})
	}
	return all
}

func jsonOf(fields []field) []byte {
	var all []string
	for _, f := range fields {
		name, _ := json.Marshal(f.name)
		all = append(all, string(name)+":"+string(f.value))
	}
	return []byte("{" + strings.Join(all, ",") + "}")
}

func judge(status int, body []byte) topup.Result {
	return classify(answer{status: status, body: body}, own, topup.DefaultRetryCodes())
}

// chaos makes random JSON.
type chaos struct{ *rand.Rand }

func (c chaos) value(depth int) string {
	n := c.IntN(14)
	if depth > 3 {
		n = c.IntN(10)
	}
	switch n {
	case 0:
		return "null"
	case 1:
		return []string{"true", "false"}[c.IntN(2)]
	case 2:
		return []string{"0", "00"[:1], "-1", "51", "1e500", "-1E-500", "3.0", strings.Repeat("9", 1+c.IntN(300)),
			"0.1"}[c.IntN(9)]
	case 3:
		return []string{`"00"`, `"51"`, `"91"`, `"true"`, `"false"`, `"ORD-1"`, `"ORD-2"`, `"N/A"`, `""`, `"1,234.50"`,
			`"$ 990.00"`}[c.IntN(11)]
	case 4, 5, 6:
		return c.text()
	case 7, 8, 9:
		return fmt.Sprint(c.Int64N(1 << 40))
	case 10, 11:
		var all []string
		for range c.IntN(4) {
			all = append(all, c.value(depth+1))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	var all []string
	for range c.IntN(4) {
		name := c.text()
		if c.IntN(2) == 0 { // inside, they decide nothing
			name = `"` + deciding()[c.IntN(3)] + `"`
		}
		all = append(all, name+":"+c.value(depth+1))
	}
	return "{" + strings.Join(all, ",") + "}"
}

func (c chaos) text() string {
	var b strings.Builder
	for range c.IntN(12) {
		b.WriteString([]string{"a", "Ñ", `\"`, `\\`, `\n`, `\u0000`, `\u202e`, `\ud800`, "\xff", "😀", " ", "%41", "&amp;",
			"0", "***"}[c.IntN(15)])
	}
	return `"` + b.String() + `"`
}

// name is one that does not decide.
func (c chaos) name() string {
	names := []string{
		"transaction_id", "reference", "auth_code", "response_message", "error", "balance_after", "Reference", "ERROR",
		"data", "code", "status",
		"responseCode", "response-code", "response_code ", " success", "success\x00", "succes", "id", "distributor_id", "ſ",
		"", "expires_in", "access_token",
	}
	return names[c.IntN(len(names))]
}

// disturb changes, adds, repeats, moves and removes fields that do not decide.
func (c chaos) disturb(fields []field) []field {
	fields = slices.Clone(fields)
	for range 1 + c.IntN(6) {
		i := c.IntN(len(fields))
		switch c.IntN(4) {
		case 0:
			fields = slices.Insert(fields, i, field{name: c.name(), value: json.RawMessage(c.value(0))})
		case 1:
			if !decides(fields[i].name) {
				fields[i].value = json.RawMessage(c.value(0))
			}
		case 2:
			if !decides(fields[i].name) && len(fields) > 1 {
				fields = slices.Delete(fields, i, i+1)
			}
		case 3:
			c.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		}
	}
	return fields
}

// TestOnlyWhatDecidesDecides: over random JSON, changing any field that does not decide never changes the
// outcome; and changing one that decides never makes an approval out of what is none.
func TestOnlyWhatDecidesDecides(t *testing.T) {
	seed := rand.Uint64()
	c := chaos{rand.New(rand.NewPCG(seed, 0))}
	for round := range testkit.Times(2_000, 20_000) {
		b := bases()[round%len(bases())]
		want := judge(b.status, jsonOf(b.fields))
		disturbed := jsonOf(c.disturb(b.fields))
		if got := judge(b.status, disturbed); got.Outcome != want.Outcome || got.Code != want.Code ||
			got.LoginAgain != want.LoginAgain {
			t.Fatalf("seed %d: HTTP %d %s is %s (%s), undisturbed %s", seed, b.status, disturbed, got.Outcome, got.Error,
				want.Outcome)
		}
		changed := c.meddle(c.disturb(b.fields))
		status := []int{b.status, 200, 201, 202, 204, 206, 302, 400, 401, 402, 429, 500, 502}[c.IntN(13)]
		if got := judge(status, jsonOf(changed)); got.Outcome == topup.OutcomeApproved && !proven(status, changed) {
			t.Fatalf("seed %d: HTTP %d %s is approved", seed, status, jsonOf(changed))
		}
	}
}

// meddle changes fields that decide.
func (c chaos) meddle(fields []field) []field {
	for range 1 + c.IntN(3) {
		name := deciding()[c.IntN(3)]
		switch c.IntN(6) {
		case 0:
			name = strings.ToUpper(name)
		case 1:
			name = strings.Replace(name, "s", "ſ", 1)
		case 2:
			fields = slices.DeleteFunc(fields, func(f field) bool { return f.name == name })
			continue
		case 3, 4:
			fields = slices.DeleteFunc(fields, func(f field) bool { return f.name == name })
		}
		value := c.value(0)
		if c.IntN(2) == 0 {
			value = []string{`true`, `"00"`, `"ORD-1"`, `"51"`, `false`, `0`, `"true"`}[c.IntN(7)]
		}
		fields = append(fields, field{name: name, value: json.RawMessage(value)})
	}
	return fields
}

// proven reports by its own means whether every proof of an approval is there, and nothing against it.
func proven(status int, fields []field) bool {
	proofs := map[string][]string{"success": {`true`, `"true"`}, "response_code": {`"00"`},
		"distributor_transaction_id": {`"ORD-1"`}}
	found := 0
	for name, good := range proofs {
		has := false
		for _, f := range fields {
			if strings.EqualFold(f.name, name) && !slices.Contains(good, string(f.value)) {
				return false
			}
			has = has || f.name == name
		}
		if has {
			found++
		}
	}
	return status == 200 && found == len(proofs)
}

// FuzzOnlyWhatDecidesDecides: a foreign field, whatever its name and value, changes no outcome, and its texts
// pass the border.
func FuzzOnlyWhatDecidesDecides(f *testing.F) {
	for _, seed := range []struct{ name, value string }{
		{"balance_after", `"N/A"`}, {"reference", `12345678901234567890123`}, {"error", `{"code":"51"}`}, {"error", `["x"]`},
		{"transaction_id", `17028576`}, {"response_message", "\"\\u202e\xff\""}, {"data",
			`{"success":false,"response_code":"51"}`},
		{"x", `1e999999`}, {"responseCode", `"51"`}, {"", `""`}, {"reference", `null`}, {"auth_code", `"\ud800"`},
	} {
		for which := range bases() {
			f.Add(uint8(which), seed.name, seed.value)
		}
	}
	border := newBorder("the-secret-key", "tok-abcdefgh")
	f.Fuzz(func(t *testing.T, which uint8, name, value string) {
		if !json.Valid([]byte(value)) || decides(name) || len(value) > 9000 {
			return
		}
		b := bases()[int(which)%len(bases())]
		want := judge(b.status, jsonOf(b.fields))
		for _, fields := range [][]field{
			append([]field{{name: name, value: json.RawMessage(value)}}, b.fields...), // perhaps given twice
			append(slices.DeleteFunc(slices.Clone(b.fields), func(f field) bool { return fold(f.name) == fold(name) }),
				field{name: name, value: json.RawMessage(value)}),
		} {
			got := border.result(judge(b.status, jsonOf(fields)))
			if got.Outcome != want.Outcome || got.Code != want.Code {
				t.Errorf("HTTP %d with %q: %s is %s (%s), without it %s", b.status, name, value, got.Outcome, got.Error,
					want.Outcome)
			}
			for _, text := range []string{got.Message, got.TransactionID, got.Reference, got.AuthCode, got.Error,
				got.Evidence} {
				if len(text) > 2*maxEvidence || text != clean(text) {
					t.Errorf("%q is seen of %s", text, value)
				}
			}
		}
	})
}
