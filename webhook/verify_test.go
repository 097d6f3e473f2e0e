package webhook_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/webhook"
)

// The public libraries' own test vector.
const vectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestSignatureOfThePublicVector(t *testing.T) {
	header, err := webhook.SignTest(vectorSecret, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0),
		[]byte(`{"test": 2432232314}`))
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"Webhook-Id":        {"msg_p5jXN8AQM9LWM0D4loKWxJek"},
		"Webhook-Timestamp": {"1614265330"},
		"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	}
	if diff := cmp.Diff(want, header); diff != "" {
		t.Error(diff)
	}
}

// signed is an event with its headers, signed now.
func signed(t testing.TB, secret string) (body []byte, header http.Header) {
	t.Helper()
	body = news(t, "evt_1").Body
	header, err := webhook.SignTest(secret, "evt_1", time.Now(), body)
	if err != nil {
		t.Fatal(err)
	}
	return body, header
}

func TestVerify(t *testing.T) {
	body, header := signed(t, vectorSecret)
	ev, err := webhook.Verify(body, header, vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	if ev.ID != "evt_1" || ev.Type != "topup.succeeded" || ev.Data.Sequence != 1 || ev.Timestamp.IsZero() {
		t.Errorf("got %+v", ev)
	}
	if o := ev.Data; o.ID != "ORD-1" || o.State != topup.StateSucceeded || o.Amount != topup.Pesos(10) ||
		*o.BalanceAfter != "990.00" || o.Reason != "" {
		t.Errorf("got %+v", o.Order)
	}
}

func TestVerifyRefuses(t *testing.T) {
	other := webhook.NewSecret()
	cases := map[string]struct {
		change func(body *[]byte, header http.Header)
		want   error
	}{
		"another body": {func(b *[]byte, _ http.Header) {
			*b = bytes.Replace(*b, []byte("succeeded"), []byte(
				"failed"), 1)
		}, webhook.ErrSignature},
		"a byte more": {func(b *[]byte, _ http.Header) { *b = append(*b, '\n') }, webhook.ErrSignature},
		"another id":  {func(_ *[]byte, h http.Header) { h.Set("webhook-id", "evt_2") }, webhook.ErrSignature},
		"another time": {func(_ *[]byte, h http.Header) { h.Set("webhook-timestamp", later(h, 1)) },
			webhook.ErrSignature},
		"a spoilt signature": {func(_ *[]byte, h http.Header) { h.Set("webhook-signature", "v1,AAAA") },
			webhook.ErrSignature},
		"an unknown version": {func(_ *[]byte,
			h http.Header) {
			h.Set("webhook-signature", "v2"+h.Get("webhook-signature")[2:])
		}, webhook.ErrSignature},
		"no id":        {func(_ *[]byte, h http.Header) { h.Del("webhook-id") }, webhook.ErrNoSignature},
		"no time":      {func(_ *[]byte, h http.Header) { h.Del("webhook-timestamp") }, webhook.ErrNoSignature},
		"no signature": {func(_ *[]byte, h http.Header) { h.Del("webhook-signature") }, webhook.ErrNoSignature},
		"a time that is no time": {func(_ *[]byte, h http.Header) { h.Set("webhook-timestamp", "now") },
			webhook.ErrTimestamp},
		"an old time": {func(_ *[]byte, h http.Header) { h.Set("webhook-timestamp", later(h, -3600)) },
			webhook.ErrTimestamp},
		"another secret": {resign(other, news(t, "evt_1").Body), webhook.ErrSignature},
		"no JSON":        {resign(vectorSecret, []byte("hello")), webhook.ErrBody},
		"no event":       {resign(vectorSecret, []byte("{}")), webhook.ErrBody},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			body, header := signed(t, vectorSecret)
			c.change(&body, header)
			ev, err := webhook.Verify(body, header, vectorSecret)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if diff := cmp.Diff(webhook.Event{}, ev); diff != "" {
				t.Errorf("something is returned of it: %s", diff)
			}
		})
	}
}

// later is the header's time moved by seconds.
func later(h http.Header, seconds int64) string {
	at, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		panic(err)
	}
	return strconv.FormatInt(at+seconds, 10)
}

func resign(secret string, body []byte) func(*[]byte, http.Header) {
	return func(b *[]byte, h http.Header) {
		again, err := webhook.SignTest(secret, "evt_1", time.Now(), body)
		if err != nil {
			panic(err)
		}
		*b = body
		for name, values := range again {
			h[name] = values
		}
	}
}

func TestVerifyTimeTolerance(t *testing.T) {
	for age, want := range map[time.Duration]error{
		0: nil, 5 * time.Minute: nil, -5 * time.Minute: nil,
		5*time.Minute + time.Second: webhook.ErrTimestamp, -5*time.Minute - time.Second: webhook.ErrTimestamp,
	} {
		t.Run(age.String(), func(t *testing.T) {
			testkit.Bubble(t, func(t *testing.T) {
				body := news(t, "evt_1").Body
				header, err := webhook.SignTest(vectorSecret, "evt_1", time.Now().Add(-age), body)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := webhook.Verify(body, header, vectorSecret); !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			})
		})
	}
}

func TestVerifyWithSeveralSecrets(t *testing.T) {
	body, header := signed(t, vectorSecret)
	other := webhook.NewSecret()
	for name, secrets := range map[string][]string{"old first": {vectorSecret, other},
		"old last": {other, vectorSecret}} {
		if _, err := webhook.Verify(body, header, secrets...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := webhook.Verify(body, header); !errors.Is(err, webhook.ErrSecret) {
		t.Errorf("without a secret: %v", err)
	}
	if _, err := webhook.Verify(body, header, ""); !errors.Is(err, webhook.ErrSecret) {
		t.Errorf("with an empty secret: %v", err)
	}
}

func TestParseSecret(t *testing.T) {
	key := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for secret, want := range map[string]string{
		"": "does not start with whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": "does not start with whsec_",
		"whsec_": "0 bytes", "whsec_hush-hush": "base64", key(23): "23 bytes", key(65): "65 bytes",
		key(24): "", key(64): "", vectorSecret: "",
	} {
		err := webhook.ParseSecret(secret)
		switch {
		case want == "" && err == nil:
		case want == "" || err == nil || !errors.Is(err, webhook.ErrSecret) || !strings.Contains(err.Error(), want):
			t.Errorf("%q: got %v, want %q", secret, err, want)
		case strings.Contains(err.Error(), "hush"):
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	a, b := webhook.NewSecret(), webhook.NewSecret()
	if webhook.ParseSecret(a) != nil || a == b {
		t.Errorf("NewSecret made %s and %s", a, b)
	}
	if _, err := webhook.SignTest("x", "evt_1", time.Now(), nil); !errors.Is(err, webhook.ErrSecret) {
		t.Errorf("signed with a bad secret: %v", err)
	}
}

func TestHandler(t *testing.T) {
	body, header := signed(t, vectorSecret)
	cases := map[string]struct {
		method string
		secret string
		body   []byte
		header http.Header
		fails  error
		want   int
		calls  int
	}{
		"right":          {"POST", vectorSecret, body, header, nil, 204, 1},
		"fails":          {"POST", vectorSecret, body, header, errors.New("out of order"), 500, 1},
		"own bad answer": {"POST", vectorSecret, body, header, webhook.ErrSignature, 500, 1},
		"GET":            {"GET", vectorSecret, nil, header, nil, 405, 0},
		"unsigned":       {"POST", vectorSecret, body, http.Header{}, nil, 401, 0},
		"changed":        {"POST", vectorSecret, append(bytes.Clone(body), ' '), header, nil, 401, 0},
		"other secret":   {"POST", webhook.NewSecret(), body, header, nil, 401, 0},
		"bad secret":     {"POST", "hush", body, header, nil, 500, 0},
		"too large":      {"POST", vectorSecret, make([]byte, 1<<20), header, nil, 413, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			calls := 0
			server := httptest.NewServer(webhook.Handler(c.secret, func(_ context.Context, ev webhook.Event) error {
				if calls++; ev.Data.ID != "ORD-1" {
					t.Errorf("got %+v", ev)
				}
				return c.fails
			}))
			defer server.Close()
			req, err := http.NewRequestWithContext(t.Context(), c.method, server.URL, bytes.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header = c.header.Clone()
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != c.want || calls != c.calls {
				t.Errorf("status %d after %d calls, want %d after %d", resp.StatusCode, calls, c.want, c.calls)
			}
		})
	}
}

// FuzzVerify: nothing that the public library refuses is accepted, and a foreign body that is signed
// rightly is an event or an ErrBody.
func FuzzVerify(f *testing.F) {
	body, header := signed(f, vectorSecret)
	f.Add(body, "evt_1", header.Get("webhook-timestamp"), header.Get("webhook-signature"))
	f.Add([]byte(`{"type":"x","data":{"distributor_transaction_id":"A","amount":1e5}}`), "a.b", "-1", "v1 v1, ,v1,x")
	f.Add([]byte(`[`), "", "99999999999999999999", "v1,")
	public, err := standard.NewWebhook(vectorSecret)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, id, at, signature string) {
		header := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {signature}}
		if _, err := webhook.Verify(body, header, vectorSecret); err == nil && public.Verify(body, header) != nil {
			t.Error("accepted what the public library refuses")
		}
		header, err := webhook.SignTest(vectorSecret, id, time.Now(), body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := webhook.Verify(body, header, vectorSecret); err != nil && !errors.Is(err, webhook.ErrBody) && id != "" {
			t.Error(err)
		}
	})
}

// TestHandlerWithSeveralSecrets: while a secret is being replaced, a receiver takes what either has signed.
func TestHandlerWithSeveralSecrets(t *testing.T) {
	older, newer := webhook.NewSecret(), webhook.NewSecret()
	body := news(t, "evt_1").Body
	handler := webhook.Handler(newer, func(context.Context, webhook.Event) error { return nil }, older)
	for name, c := range map[string]struct {
		secret string
		status int
	}{"newer": {newer, 204}, "older": {older, 204}, "another": {webhook.NewSecret(), 401}} {
		header, err := webhook.SignTest(c.secret, "evt_1", time.Now(), body)
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		req.Header = header
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, req); w.Code != c.status {
			t.Errorf("%s: answered %d, want %d", name, w.Code, c.status)
		}
	}
}
