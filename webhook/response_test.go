package webhook_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
	"recarga/webhook"
)

// TestResponseIsKept: who refuses an event, and in which words, stands with the try; what is the receiver's secret, or
// acts on a terminal, does not.
func TestResponseIsKept(t *testing.T) {
	r := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "cloudflare")
		w.Header().Set("Cf-Mitigated", "challenge")
		w.Header().Set("Ngrok-Error-Code", "ERR_NGROK_8012")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Retry-After", "120")
		w.Header().Set("Set-Cookie", "session=topsecret")
		w.Header().Set("X-Api-Key", "topsecret")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "Just a moment…\r\n\x1b[2J\x00\xff for "+r.RequestURI+" \u202e\n"+strings.Repeat("ñ", 1<<10))
	})
	b := newBook(news(t, "evt_1"))
	d := deliverer(t, webhook.Config{}, b, at(r.URL+"/hook?token=hush+%2F1", vectorSecret))
	deliver(t, d, "evt_1")
	_, try := b.get(t, "evt_1")
	head := "Just a moment…\n\ufffd[2J\ufffd\ufffd for /hook?token=(hidden) \ufffd\n"
	want := &topup.TryResponse{Headers: map[string]string{
		"server": "cloudflare", "cf-mitigated": "challenge", "ngrok-error-code": "ERR_NGROK_8012",
		"content-type": "text/html; charset=utf-8", "retry-after": "120",
	}, Body: head + strings.Repeat("ñ", (1<<10-len(head))/2)}
	if diff := cmp.Diff(want, try.Response); diff != "" || try.Delivered() {
		t.Errorf("delivered %t: %s", try.Delivered(), diff)
	}
}

// TestResponseThatSaysNothing is kept as none.
func TestResponseThatSaysNothing(t *testing.T) {
	r := newReceiver(t, status(204))
	b := newBook(news(t, "evt_1"))
	deliver(t, deliverer(t, webhook.Config{}, b, at(r.URL, vectorSecret)), "evt_1")
	if _, try := b.get(t, "evt_1"); try.Response != nil || !try.Delivered() {
		t.Errorf("delivered %t, kept %+v", try.Delivered(), try.Response)
	}
}

// FuzzResponse: whatever an endpoint answers, what is kept is short, printable and without the secrets.
func FuzzResponse(f *testing.F) {
	f.Add("ok", "nginx", "hush")
	f.Add("\xff\x1b\r\n\u2028"+strings.Repeat("abcd", 300), "a\x00b", "abcd")
	f.Add(strings.Repeat("x", 1020)+"topsecret", "topsecret", "topsecret")
	f.Fuzz(func(t *testing.T, body, server, token string) {
		to := "https://shop.example/?t=" + url.QueryEscape(token)
		kept := webhook.Response(http.Header{"Server": {server}}, []byte(body), to)
		if kept == nil {
			return
		}
		for _, text := range []string{kept.Body, kept.Headers["server"]} {
			bad := strings.IndexFunc(text, func(r rune) bool {
				return unicode.In(r, unicode.Cc, unicode.Cf) && r != '\n' && r != '\t'
			})
			if len(text) > 1<<10 || !utf8.ValidString(text) || bad >= 0 {
				t.Errorf("kept %q of %q", text, body)
			}
			plain := !strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' })
			apart := !strings.ContainsAny(token, "()") && !strings.Contains("hidden", token)
			if plain && apart && len(token) >= 4 && strings.Contains(text, token) {
				t.Errorf("%q has %q", text, token)
			}
		}
	})
}
