package e2e

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/webhook"
)

// example is a program of the folder examples, running.
type example struct {
	*program
	url string
}

// address is how the examples, and PHP's own server, say where.
var address = regexp.MustCompile(`(?:listening on |Development Server \()(http://[^\s,)]+)`)

// runExample starts a program, and returns when it says where it listens.
func runExample(t *testing.T, folder string, env map[string]string, command ...string) *example {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = folder, environ(env)
	e, listening := &example{}, make(chan struct{})
	e.program = begin(t, cmd, func(line []byte) {
		if found := address.FindSubmatch(line); found != nil {
			e.url = string(found[1])
			close(listening)
		}
	})
	e.await(listening)
	return e
}

// TestNodeReceiver: a client that is not ours, of the public Standard Webhooks package, verifies what the
// real program sends.
func TestNodeReceiver(t *testing.T) {
	t.Parallel()
	folder := testkit.Node(t, "../../examples/node")
	w := newWorld(t, nil)
	node := runExample(t, folder, map[string]string{"PORT": "0",
		"RECARGA_WEBHOOK_SECRET": w.env["RECARGA_WEBHOOK_SECRET"]},
		"node", "server.js")
	w.env["RECARGA_CALLBACK_URL"] = node.url + "/recarga"
	c := w.start(t, "serve").client()
	place(t, c, order("NODE-1", "5537686660"))
	place(t, c, order("NODE-2", "5500000051"))
	node.says(t, "topup.succeeded NODE-1 #1: succeeded")
	node.says(t, "topup.failed NODE-2 #1: failed")
	if status, _ := ask(t, http.MethodPost, node.url, `{"type":"topup.succeeded"}`); status != http.StatusBadRequest {
		t.Errorf("an unsigned webhook was answered with %d", status)
	}
}

// TestOtherReceivers: what the receivers in Python and PHP do with a webhook, once their package has
// verified it or not. The package itself is stood in for: see testdata.
func TestOtherReceivers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		folder, standIn, as string
		command             []string
	}{
		{"python", "standardwebhooks.py", "standardwebhooks.py", []string{"python3", "-B", "server.py"}},
		{"php", "autoload.php", "vendor/autoload.php", []string{"php", "-S", "127.0.0.1:0", "index.php"}},
	} {
		t.Run(c.folder, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(c.command[0]); err != nil {
				t.Skip(err) // a receiver's language is nothing that Recarga needs
			}
			folder := t.TempDir()
			standIn, err := os.ReadFile("testdata/" + c.standIn)
			err = errors.Join(err, os.CopyFS(folder, os.DirFS("../../examples/"+c.folder)),
				os.MkdirAll(filepath.Join(folder, "vendor"), 0o755))
			if err = errors.Join(err, os.WriteFile(filepath.Join(folder, c.as), standIn, 0o644)); err != nil {
				t.Fatal(err)
			}
			secret := webhook.NewSecret()
			e := runExample(t, folder, map[string]string{"PORT": "0", "RECARGA_WEBHOOK_SECRET": secret,
				"RECEIVER_DB": filepath.Join(folder, "receiver.db")}, c.command...)
			checkReceiver(t, e, secret)
		})
	}
}

func checkReceiver(t *testing.T, e *example, secret string) {
	t.Helper()
	at, other := time.Now(), webhook.NewSecret()
	event := func(state topup.State, sequence int) []byte {
		ev, err := topup.NewEvent("evt", topup.EventTypeOf(state), topup.Order{ID: "ORD-1", State: state, Caller: "shop"},
			sequence, at)
		if err != nil {
			t.Fatal(err)
		}
		return ev.Body
	}
	changed := func(h http.Header, name, value string) http.Header { h.Set(name, value); return h }
	rotated := changed(sign(t, secret, "evt_3", at, event(topup.StateFailed, 3)), "webhook-signature",
		sign(t, other, "evt_3", at, event(topup.StateFailed, 3)).Get("webhook-signature")+" "+
			sign(t, secret, "evt_3", at, event(topup.StateFailed, 3)).Get("webhook-signature"))
	unknown, large := event(topup.StateUnknown, 1), []byte(strings.Repeat(" ", 256<<10+1))
	for _, c := range []struct {
		name   string
		body   []byte
		header http.Header
		status int
		says   string
	}{
		{"newest first", event(topup.StateSucceeded, 2), sign(t, secret, "evt_2", at, event(topup.StateSucceeded, 2)), 204,
			"evt_2 topup.succeeded ORD-1 #2: succeeded"},
		{"overtaken", unknown, sign(t, secret, "evt_1", at, unknown), 204,
			"evt_1 topup.unknown ORD-1 #1: older news, ignored"},
		{"again", unknown, sign(t, secret, "evt_1", at, unknown), 204, "evt_1 topup.unknown ORD-1 #1: repeat, ignored"},
		{"two secrets", event(topup.StateFailed, 3), rotated, 204, "evt_3 topup.failed ORD-1 #3: failed"},
		{"another secret", unknown, sign(t, other, "evt_4", at, unknown), 400, "refused: No matching signature"},
		{"changed", event(topup.StateFailed, 9), sign(t, secret, "evt_5", at, unknown), 400,
			"refused: No matching signature"},
		{"old", unknown, sign(t, secret, "evt_6", at.Add(-time.Hour), unknown), 400, "refused: Message timestamp"},
		{"no signature", unknown, http.Header{}, 400, "refused: Missing"},
		{"nonsense for a signature", unknown,
			changed(sign(t, secret, "evt_7", at, unknown), "webhook-signature", "nonsense"), 400,
			"refused: "},
		{"too large", large, sign(t, secret, "evt_8", at, large), 413, ""},
	} {
		var header []string
		for name := range c.header {
			header = append(header, name, c.header.Get(name))
		}
		if status, _ := ask(t, http.MethodPost, e.url, string(c.body), header...); status != c.status {
			t.Errorf("%s is answered with %d, want %d\n%s", c.name, status, c.status, e.log())
		}
		e.says(t, c.says)
	}
}

func sign(t *testing.T, secret, id string, at time.Time, body []byte) http.Header {
	t.Helper()
	header, err := webhook.SignTest(secret, id, at, body)
	if err != nil {
		t.Fatal(err)
	}
	return header
}

// store is one event, for a delivery beside the program.
type store struct{ ev topup.Event }

func (s store) Event(context.Context, string) (topup.Event, error) { return s.ev, nil }
func (s store) RecordTry(context.Context, topup.Event, topup.Try, topup.EventState, time.Time) error {
	return nil
}

type endpoint webhook.Endpoint

func (store) FanOut(context.Context, topup.Event, []string, bool, time.Time) ([]topup.Event, error) {
	return nil, nil // there is one endpoint
}

func (e endpoint) Endpoints(context.Context, string) ([]webhook.Endpoint, error) {
	return []webhook.Endpoint{webhook.Endpoint(e)}, nil
}

// TestNodeDuringRotation: while a secret is replaced, the public package verifies with either of the two.
func TestNodeDuringRotation(t *testing.T) {
	t.Parallel()
	folder := testkit.Node(t, "../../examples/node")
	former, current, other := webhook.NewSecret(), webhook.NewSecret(), webhook.NewSecret()
	ev, err := topup.NewEvent("evt_1", topup.EventTypeOf(topup.StateSucceeded),
		topup.Order{ID: "ROTATED", State: topup.StateSucceeded, Caller: "shop"}, 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]string{
		former: "topup.succeeded ROTATED #1: succeeded", current: "topup.succeeded ROTATED #1: succeeded",
		other: "refused: ",
	} {
		node := runExample(t, folder, map[string]string{"PORT": "0", "RECARGA_WEBHOOK_SECRET": secret}, "node", "server.js")
		d := webhook.NewDeliverer(webhook.Config{AllowPrivate: true, Log: slog.New(slog.DiscardHandler)}, store{ev},
			endpoint{URL: node.url, Secrets: []string{current, former}})
		if _, err := d.Deliver(t.Context(), ev.ID); err != nil {
			t.Error(err)
		}
		node.says(t, want)
		d.Close(t.Context())
	}
}

// TestCheckoutExample: the form places an order once, however often it is sent, and its page shows the
// result that came by webhook; what is wrong is said beside its field.
func TestCheckoutExample(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "checkout")
	if out, err := exec.Command("go", "build", "-o", program, "recarga/examples/checkout").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	w := newWorld(t, nil)
	// Each must know where the other listens: the checkout is behind a door that leads there later.
	var shop *example
	w.env["RECARGA_CALLBACK_URL"] = serve(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Host = strings.TrimPrefix(shop.url, "http://")
		r.Out.URL.Scheme = "http"
	}}) + "/recarga"
	p := w.start(t, "serve")
	shop = runExample(t, t.TempDir(), map[string]string{
		"RECARGA_API_URL": p.apiURL, "RECARGA_API_KEY": apiKey, "RECARGA_WEBHOOK_SECRET": w.env["RECARGA_WEBHOOK_SECRET"],
	}, program, "-addr", "127.0.0.1:0", "-poll", "1h")
	form := url.Values{"id": {"WEB-AAAAAAAAAAAAAAAAAAAAAAAAAA"}, "phone_number": {"55 3768 6660"},
		"product_id": {"MOVISTAR_TAE"}, "amount": {"10"}}
	for range 2 {
		res, err := http.PostForm(shop.url+"/orders", form)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || !strings.HasSuffix(res.Request.URL.Path, form.Get("id")) {
			t.Fatalf("%d at %s", res.StatusCode, res.Request.URL)
		}
	}
	res, err := http.Get(shop.url + "/orders/" + form.Get("id") + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	shown := ""
	for lines := bufio.NewScanner(res.Body); lines.Scan() && !strings.Contains(shown, `"state":"succeeded"`); {
		shown = lines.Text()
	}
	if !strings.Contains(shown, `"state":"succeeded"`) || len(w.vendor.Purchases()) != 1 {
		t.Errorf("shown %q, %d purchases", shown, len(w.vendor.Purchases()))
	}
	form.Set("phone_number", "12<b>")
	if _, page := ask(t, http.MethodPost, shop.url+"/orders", form.Encode(), "Content-Type",
		"application/x-www-form-urlencoded"); !strings.Contains(page, `id="phone-wrong"`) || strings.Contains(page, "12<b>") {
		t.Errorf("a wrong number:\n%s", page)
	}
}
