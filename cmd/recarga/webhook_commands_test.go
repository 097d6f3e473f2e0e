package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/command"
	"recarga/internal/webhooktest"
	"recarga/webhook"
)

const aSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

var withSecret = map[string]string{"RECARGA_WEBHOOK_SECRET": aSecret}

// listening runs webhook listen on a free port. At the end of the test it is stopped as by Ctrl-C.
func listening(t *testing.T, env map[string]string, args ...string) (l *running, url string) {
	t.Helper()
	l = start(t, env, "", append([]string{"webhook", "listen", "--addr", "127.0.0.1:0"}, args...)...)
	t.Cleanup(func() {
		l.stop()
		if status := l.ends(t); status != command.ExitOK {
			t.Errorf("exit status %d\n%s", status, &l.stderr)
		}
	})
	banner := &l.stdout
	if strings.Contains(strings.Join(args, " "), "--json") {
		banner = &l.stderr
	}
	return l, shows(t, banner, `RECARGA_CALLBACK_URL=(\S+)\n`)
}

// localServer keeps what it is sent, and answers by answer.
func localServer(t *testing.T, answer http.Handler) (url string, got <-chan webhooktest.Received) {
	t.Helper()
	requests := make(chan webhooktest.Received, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		requests <- webhooktest.Received{Headers: r.Header.Clone(), Body: string(body)}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

// keepsQuiet fails when a secret was written.
func keepsQuiet(t *testing.T, secret string, written ...*screen) {
	t.Helper()
	for _, s := range written {
		if strings.Contains(s.String(), strings.TrimPrefix(secret, "whsec_")) {
			t.Errorf("the secret is shown:\n%s", s)
		}
	}
}

// TestWebhookOnItsWay: what trigger says that it sent, listen shows, and the local server verifies.
func TestWebhookOnItsWay(t *testing.T) {
	local, requests := localServer(t, webhook.Handler(aSecret, func(_ context.Context, ev webhook.Event) error {
		if ev.Data.Metadata["sample"] != "true" || !strings.HasPrefix(string(ev.Data.ID), "SAMPLE-") {
			t.Errorf("%s does not say that it is a sample", ev.Data.ID)
		}
		return nil
	}))
	l, url := listening(t, map[string]string{"RECARGA_WEBHOOK_SECRET_FILE": written(t, aSecret+"\n")}, "--json",
		"--forward-to", local+"/hook?a=b")
	sent := want(t, withSecret, command.ExitOK, `"status":204`, `^$`, "webhook", "trigger", "--all", "--json", "--to", url)
	keepsQuiet(t, aSecret, &l.stdout, &l.stderr, &sent.stdout, &sent.stderr)

	var kinds []string
	shown := json.NewDecoder(strings.NewReader(shows(t, &l.stdout, `(?s)^(.*\n.*\n.*\n.*\n)$`)))
	for line := range strings.Lines(sent.stdout.String()) {
		var out webhooktest.Sent
		var seen webhooktest.Received
		if err := json.Unmarshal([]byte(line), &out); err != nil {
			t.Fatal(err)
		}
		if err := shown.Decode(&seen); err != nil {
			t.Fatal(err)
		}
		got := <-requests
		for _, body := range []string{seen.Body, got.Body} {
			if body != out.Body {
				t.Errorf("%s became %s", out.Body, body)
			}
		}
		for name := range out.Headers {
			for _, arrived := range []http.Header{seen.Headers, got.Headers} {
				if diff := cmp.Diff(out.Headers[name], arrived[name]); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		}
		if !seen.Verified || seen.Status != http.StatusNoContent || seen.Forward == nil ||
			seen.Forward.Status != http.StatusNoContent {
			t.Errorf("verified %v, answered %d, forwarded %+v", seen.Verified, seen.Status, seen.Forward)
		}
		kinds = append(kinds, string(out.Type))
	}
	if diff := cmp.Diff(webhooktest.EventTypes(), kinds); diff != "" {
		t.Error(diff)
	}
}

// TestWebhookListenMakesASecret: it is shown where it was made, and nowhere else.
func TestWebhookListenMakesASecret(t *testing.T) {
	l, url := listening(t, nil)
	secret := shows(t, &l.stdout, `RECARGA_WEBHOOK_SECRET=(whsec_\S+)`)
	sent := want(t, nil, command.ExitOK, `topup\.failed  ORD-7  sequence 3  204 No Content  in \d+ ms\n$`, `^$`,
		"webhook", "trigger", "topup.failed", "--id", "ORD-7", "--sequence", "3", "--to", url, "--secret", secret)
	shows(t, &l.stdout, `topup\.failed  ORD-7  sequence 3  failed/declined  verified\n$`)
	keepsQuiet(t, secret, &sent.stdout, &sent.stderr, &l.stderr)
}

func TestWebhookOfAnotherSecret(t *testing.T) {
	local, requests := localServer(t, http.NotFoundHandler())
	l, url := listening(t, withSecret, "--forward-to", local)
	other := webhook.NewSecret()
	sent := want(t, nil, command.ExitFailed, `401 Unauthorized`, `^recarga: trigger topup\.failed: 401 Unauthorized\n$`,
		"webhook", "trigger", "topup.failed", "--to", url, "--secret", other)
	shows(t, &l.stdout, `  refused with 401: no webhook-signature matches: .*\n$`)
	if len(requests) > 0 {
		t.Error("it was forwarded")
	}
	for _, secret := range []string{aSecret, other} {
		keepsQuiet(t, secret, &sent.stdout, &sent.stderr, &l.stdout, &l.stderr)
	}
}

// TestWebhookForwardedAnswer: the sender is answered what the local server answers, or that it is not there.
func TestWebhookForwardedAnswer(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	busy, _ := localServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		http.Error(w, "come back later", http.StatusServiceUnavailable)
	}))
	moved, _ := localServer(t, http.RedirectHandler(busy, http.StatusTemporaryRedirect))
	broken, _ := localServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100") // and no more of it: the answer breaks off
	}))
	for _, c := range []struct{ name, to, sent, answer, shown string }{
		{"not there", gone.URL, `502 Bad Gateway`, `  the server that this is forwarded to did not answer\n$`,
			`not forwarded, answered 502 after \d+ ms: dial tcp .*refused`},
		{"busy", busy, `503 Service Unavailable`, `  come back later\n$`, `forwarded: 503 in \d+ ms`},
		{"moved", moved, `307 Temporary Redirect: redirects are not followed`, `\n$`, `forwarded: 307 in \d+ ms`},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, url := listening(t, withSecret, "--forward-to", c.to)
			want(t, withSecret, command.ExitFailed, c.sent+`  in \d+ ms`+c.answer, c.sent, "webhook", "trigger", "topup.unknown",
				"--to", url)
			shows(t, &l.stdout, `topup\.unknown  SAMPLE-\S+  sequence 1  unknown  verified  `+c.shown+`\n$`)
		})
	}
	t.Run("header and body", func(t *testing.T) {
		_, url := listening(t, withSecret, "--forward-to", busy)
		res := post(t, url, signed(t, aSecret, time.Now(), aBody), aBody)
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != "come back later\n" ||
			res.Header.Get("Retry-After") != "7" {
			t.Errorf("%s, Retry-After %q, %v", body, res.Header.Get("Retry-After"), err)
		}
	})
	t.Run("breaks off", func(t *testing.T) {
		l, url := listening(t, withSecret, "--forward-to", broken)
		start(t, withSecret, "", "webhook", "trigger", "topup.unknown", "--to", url).ends(t)
		shows(t, &l.stdout, `forwarded: 200 in \d+ ms\n$`)
	})
}

const aBody = `{"type":"topup.succeeded","timestamp":"2026-01-31T18:00:00Z","data":{"sequence":1,"distributor_transaction_id":"ORD-1","state":"succeeded","amount":10}}`

func signed(t *testing.T, secret string, at time.Time, body string) http.Header {
	t.Helper()
	header, err := webhook.SignTest(secret, "evt_1", at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return header
}

func post(t *testing.T, url string, header http.Header, body string) *http.Response {
	t.Helper()
	return ask(t, http.MethodPost, url, header, body)
}

func ask(t *testing.T, method, url string, header http.Header, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// TestWebhookListenAnswersAsHandler: a receiver that works beside listen works by itself.
func TestWebhookListenAnswersAsHandler(t *testing.T) {
	handler := httptest.NewServer(webhook.Handler(aSecret, func(context.Context, webhook.Event) error { return nil }))
	defer handler.Close()
	local, requests := localServer(t, http.NotFoundHandler())
	_, url := listening(t, withSecret, "--forward-to", local)
	_, alone := listening(t, withSecret)
	now := time.Now()
	large := strings.Repeat(" ", 256<<10+1)
	for _, c := range []struct {
		name, method, body string
		header             http.Header
	}{
		{"no signature", http.MethodPost, aBody, nil},
		{"too old", http.MethodPost, aBody, signed(t, aSecret, now.Add(-time.Hour), aBody)},
		{"changed", http.MethodPost, aBody + " ", signed(t, aSecret, now, aBody)},
		{"another secret", http.MethodPost, aBody, signed(t, webhook.NewSecret(), now, aBody)},
		{"no event", http.MethodPost, `{}`, signed(t, aSecret, now, `{}`)},
		{"no JSON", http.MethodPost, `x`, signed(t, aSecret, now, `x`)},
		{"too large", http.MethodPost, large, signed(t, aSecret, now, large)},
		{"no POST", http.MethodPut, aBody, signed(t, aSecret, now, aBody)},
	} {
		t.Run(c.name, func(t *testing.T) {
			wanted := ask(t, c.method, handler.URL, c.header, c.body)
			for _, url := range []string{url, alone} {
				got := ask(t, c.method, url, c.header, c.body)
				if got.StatusCode != wanted.StatusCode || got.Header.Get("Allow") != wanted.Header.Get("Allow") {
					t.Errorf("%s, want %s", got.Status, wanted.Status)
				}
			}
		})
	}
	if len(requests) > 0 {
		t.Error("what does not verify was forwarded")
	}
	as, like := post(t, alone, signed(t, aSecret, now, aBody), aBody),
		post(t, handler.URL, signed(t, aSecret, now, aBody), aBody)
	if as.StatusCode != like.StatusCode {
		t.Errorf("%s, want %s", as.Status, like.Status)
	}
}

// TestWebhookCommandsEnd: Ctrl-C ends both, whatever hangs.
func TestWebhookCommandsEnd(t *testing.T) {
	entered := make(chan struct{}, 2)
	local, _ := localServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-r.Context().Done()
	}))
	t.Run("listen", func(t *testing.T) {
		l, url := listening(t, withSecret, "--forward-to", local)
		sender := start(t, withSecret, "", "webhook", "trigger", "topup.failed", "--to", url)
		<-entered
		l.stop()
		if status := sender.ends(t); status != command.ExitFailed || !strings.Contains(sender.stdout.String(), "502") {
			t.Errorf("exit status %d\n%s", status, &sender.stdout)
		}
	})
	t.Run("trigger", func(t *testing.T) {
		sender := start(t, withSecret, "", "webhook", "trigger", "topup.failed", "--to", local)
		<-entered
		sender.stop()
		if status := sender.ends(t); status != command.ExitFailed || !strings.Contains(sender.stdout.String(), "cut short") {
			t.Errorf("exit status %d\n%s", status, &sender.stdout)
		}
	})
}

// TestWebhookListenToItself: a webhook that is forwarded to where it came in would go round for ever.
func TestWebhookListenToItself(t *testing.T) {
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(free.Addr().String())
	if err != nil || free.Close() != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ addr, to string }{
		{"127.0.0.1", "127.0.0.1"}, {"127.0.0.1", "localhost"}, {"127.0.0.1", "0.0.0.0"}, {"0.0.0.0", "127.0.0.1"},
		{"", "localhost"}, {"", "127.0.0.2"},
	} {
		t.Run(c.addr+" to "+c.to, func(t *testing.T) {
			want(t, withSecret, command.ExitUsage, `^$`, `^recarga: --forward-to is "http://`+c.to+`:`+port+
				`/hook", which leads back here, to --addr .*:`+port+`; must be another server\n$`,
				"webhook", "listen", "--addr", c.addr+":"+port, "--forward-to", "http://"+c.to+":"+port+"/hook")
		})
	}
	t.Run("a neighbour on the same port", func(t *testing.T) {
		neighbour, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.2:"+port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = neighbour.Close() })
		l := start(t, withSecret, "", "webhook", "listen", "--addr", "127.0.0.1:"+port, "--forward-to",
			"http://127.0.0.2:"+port)
		shows(t, &l.stdout, `forwarding to http://127\.0\.0\.2`)
		l.stop()
		if status := l.ends(t); status != command.ExitOK {
			t.Errorf("exit status %d", status)
		}
	})
}

func TestWebhookCommandsUsage(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"triger", `unknown command "triger"; did you mean trigger\? see recarga webhook --help\n$`},
		{"trigger", `--to is not set; must be an http or https URL`},
		{"trigger --to http://h", `name a type \(topup\.unknown, topup\.succeeded, topup\.failed, topup\.canceled, topup\.corrected\) or give --all`},
		{"trigger topup.done --to http://h",
			`"topup\.done" is no type of event; must be one of topup\.unknown, topup\.succeeded, topup\.failed, topup\.canceled, topup\.corrected\n$`},
		{"trigger topup.failed --all --to http://h", `name a type .* or give --all`},
		{"trigger topup.failed topup.failed --to http://h", `accepts at most 1 arg`},
		{"trigger --all --id A --to http://h", `--all and --id exclude each other`},
		{"trigger topup.failed --id a/b --to http://h", `distributor_transaction_id: .* is not allowed`},
		{"trigger topup.failed --sequence 0 --to http://h", `--sequence is 0; must be 1 or more`},
		{"trigger topup.failed --to http://u:pass@h", `--to \(from flag\) is "http://\(hidden\)@h"; must be`},
		{"trigger topup.failed --to http://h --secret topsecret",
			`--secret: invalid webhook secret: it does not start with whsec_\n$`},
		{"listen --secret whsec_topsecret", `--secret: invalid webhook secret: after whsec_, illegal base64`},
		{"listen --forward-to localhost:3000", `--forward-to \(from flag\) is "localhost:3000"; must be`},
		{"listen --addr x", `--addr: `},
		{"listen now", `unknown command "now"`},
	} {
		t.Run(c.args, func(t *testing.T) {
			r := want(t, withSecret, command.ExitUsage, `^$`, `^recarga: .*`+c.want,
				append([]string{"webhook"}, strings.Fields(c.args)...)...)
			keepsQuiet(t, "topsecret", &r.stderr)
			keepsQuiet(t, aSecret, &r.stderr)
		})
	}
	want(t, nil, command.ExitUsage, `^$`, `neither --secret nor RECARGA_WEBHOOK_SECRET is set`, "webhook", "trigger",
		"topup.failed", "--to", "http://h")
}
