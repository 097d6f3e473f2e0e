package distributor

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestLoginAnswers: a login is its token, and nothing else decides.
func TestLoginAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   string // the token; empty for none
	}{
		{200, `{"access_token":"abc"}`, "abc"},
		{200, `{"success":1,"access_token":"abc","refresh_token":7,"token_type":[]}`, "abc"},
		{200, `{"success":{},"access_token":"abc","expires_in":{"a":1}}`, "abc"},
		{203, `{"access_token":12345678901234567890}`, "12345678901234567890"},
		{200, `{"ACCESS_TOKEN":"abc"}`, "abc"},
		{200, `{"expires_in":1,"expires_in":2,"access_token":"abc"}`, "abc"},
		{200, `{"success":false,"access_token":"abc"}`, ""},
		{200, `{"success":"false","access_token":"abc"}`, ""},
		{200, `{"access_token":"abc","access_token":"def"}`, ""},
		{200, `{"access_token":"ab c"}`, ""},
		{200, `{"access_token":"abc\r\nX: y"}`, ""},
		{200, `{"access_token":"ábc"}`, ""},
		{200, `{"access_token":""}`, ""},
		{200, `{"access_token":null}`, ""},
		{200, `{"access_token":1.5}`, ""},
		{200, `{"access_token":["abc"]}`, ""},
		{200, `{"access_token":"` + strings.Repeat("x", 9000) + `"}`, ""},
		{200, `[{"access_token":"abc"}]`, ""},
		{200, `{"access_token":"abc"}{}`, ""},
		{200, `<html>`, ""},
		{500, `{"access_token":"abc"}`, ""},
		{302, `{"access_token":"abc"}`, ""},
	} {
		got, ok := tokenOf(answer{status: c.status, body: []byte(c.body)}, time.Now())
		if got.value != c.want || ok != (c.want != "") || ok && !got.good() {
			t.Errorf("HTTP %d %.60s is the token %q, want %q", c.status, c.body, got.value, c.want)
		}
	}
}

// TestTokenLife: what does not say a life plainly leaves the default.
func TestTokenLife(t *testing.T) {
	for expiresIn, want := range map[string]time.Duration{
		`3600`: time.Hour, `"7200"`: 2 * time.Hour, `1`: time.Second, `2592000`: maxLife,
		`2592001`: defaultLife, `7200.0`: defaultLife, `7.2e3`: defaultLife, `"7200s"`: defaultLife, `"+7200"`: defaultLife,
		`" 7200"`: defaultLife,
		`0`:       defaultLife, `-1`: defaultLife, `null`: defaultLife, `true`: defaultLife, `{}`: defaultLife,
		`[7200]`:     defaultLife,
		`""`:         defaultLife,
		`1734393600`: defaultLife, `9999999999`: defaultLife, `99999999999999999999`: defaultLife,
		`7200,"expires_in":7200`: defaultLife,
	} {
		now := time.Now()
		got, ok := tokenOf(answer{status: 200, body: []byte(`{"access_token":"abc","expires_in":` + expiresIn + `}`)}, now)
		if margin := min(want/10, time.Minute); !ok || !got.expires.Equal(now.Add(want-margin)) {
			t.Errorf("expires_in %s: renewed after %s, want %s", expiresIn, got.expires.Sub(now), want-margin)
		}
	}
}

// TestBalanceAnswers: a balance is its number, known or not known, and never wrong.
func TestBalanceAnswers(t *testing.T) {
	for _, c := range []struct{ balance, want string }{
		{`990.00`, "990.00"}, {`-5`, "-5"}, {`0`, "0"}, {`1234.5678`, "1234.5678"}, {`9.9e2`, "990"}, {`1.234`, "1.234"},
		{`"990.00"`, "990.00"}, {`" 990 "`, "990"}, {`"$990.00"`, "990.00"}, {`"US$ 1,234,567.50"`, "1234567.50"},
		{`"990.00 USD"`, "990.00"}, {`"0.123"`, "0.123"}, {`"1234.567"`, "1234.567"}, {`"1,000.5"`, "1000.5"}, {`"-3.50"`,
			"-3.50"},
		{`"1.234"`, ""}, {`"1,234"`, ""}, {`"1.234,50"`, ""}, {`"12,50"`, ""}, {`"12,34,567.00"`, ""}, {`"1,2345.00"`, ""},
		{`"MXN 990.00"`, ""}, {`"€ 990.00"`, ""}, {`"990.00 - 10"`, ""}, {`"1e3"`, ""}, {`"0990"`, ""}, {`"990."`,
			""}, {`".5"`, ""},
		{`"٩٩٠"`, ""}, {`"N/A"`, ""}, {`""`, ""}, {`null`, ""}, {`true`, ""}, {`{}`, ""}, {`[990]`, ""}, {`1e500`,
			""}, {`1e-500`, ""},
		{`99999999999999999999`, ""}, {`"--5"`, ""}, {`"Infinity"`, ""}, {`1,"balance":2`, ""},
	} {
		for _, odd := range []string{``, `"success":1,"currency":["USD"],"last_updated":5,`,
			`"success":"true","currency":null,"last_updated":"yesterday",`} {
			got, ok := balanceOf(answer{status: 200, body: []byte(`{` + odd + `"balance":` + c.balance + `}`)})
			if ok != (c.want != "") || string(got.Amount) != c.want || got.Currency != "" || !got.LastUpdated.IsZero() {
				t.Errorf("%s%s is %+v, want %q", odd, c.balance, got, c.want)
			}
		}
	}
	for _, text := range []string{`{"success":false,"balance":990.00}`, `{"success":"false","balance":990.00}`, `[990]`,
		`990`, ``} {
		if got, ok := balanceOf(answer{status: 200, body: []byte(text)}); ok {
			t.Errorf("%s is %+v", text, got)
		}
	}
	whole := `{"balance":1,"currency":840,"last_updated":"2024-12-17T00:00:00+01:00"}`
	if got, ok := balanceOf(answer{status: 201, body: []byte(whole)}); !ok || got.Currency != "840" ||
		got.LastUpdated.IsZero() {
		t.Errorf("%s is %+v", whole, got)
	}
}

// TestBorder: what is no secret stays as it is.
func TestBorder(t *testing.T) {
	b := newBorder("demo", "sess-1702857600000-x", "12345678901234567890")
	for _, text := range []string{
		"TXN-1702857600000", "TXN-1702857600999-abc123def", "RRN-123456789012", "123456789012345678", "democracy",
		"TXNdemo1",
		"Basic authentication is required",
		"Invalid or missing token", "token expired: unauthorized", "Número inválido: 5537686660 ✓",
		`C:\users\demoted 100% sure & <b>`, "", "日本語",
		"0123456789abcdef0123456789abcdef", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
	} {
		want := strings.ReplaceAll(strings.ReplaceAll(text, "123456789012345678", masked), "123456789012", masked)
		if strings.HasPrefix(text, "TXN-1702857600000") || strings.HasPrefix(text, "0123") {
			continue // shares twelve digits with a token
		}
		if got := b.text(text, maxText); got != want {
			t.Errorf("%q becomes %q", text, got)
		}
	}
	if got := b.text("a demo, DEMO", maxText); got != "a ***, ***" {
		t.Errorf("%q", got)
	}
	if got := newBorder("", "abc").text("abc", maxText); got != "abc" {
		t.Errorf("%q", got)
	}
	if got := b.text(strings.Repeat("ñ", 150), maxText); len(got) > maxText || got != strings.Repeat("ñ", 100) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func BenchmarkBorder(b *testing.B) {
	border := newBorder("the-secret-key-of-us", strings.Repeat("eyJhbGciOiJIUzI1NiIs.", 15), "refresh-refresh")
	r := classify(answer{status: 200, body: []byte(fmt.Sprintf(
		`{"success":true,"response_code":"00",%s,"response_message":"Aprobado",`+
			`"transaction_id":"TXN-1702857600000-abc123def","reference":"RRN-123456789012","auth_code":"ABC123","balance_after":990.00}`, ownID))}, own, nil)
	for b.Loop() {
		border.result(r)
	}
}
