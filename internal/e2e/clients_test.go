package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/webhook"
)

// language is one of the clients in the folder clients, and how its tests are run.
type language struct {
	name, prefix string
	// program and debian are the interpreter and its packages, units the tests of the client's own folder.
	program, debian string
	units           []string
	// driver is a program that does with the client what each line says. It runs in folder.
	driver []string
	folder string
	env    []string
}

func languages(t *testing.T) []language {
	t.Helper()
	clients, drivers := absolute(t, "../../clients"), absolute(t, "testdata/clients")
	python := "PYTHONPATH=" + filepath.Join(clients, "python")
	return []language{
		{name: "node", prefix: "JS-", program: "node", debian: "nodejs", units: []string{"--test"},
			driver: []string{"driver.mjs"}, folder: nodeFolder(t, clients, drivers)},
		{name: "python", prefix: "PY-", program: "python3", debian: "python3",
			units:  []string{"-B", "-W", "error", "-m", "unittest", "discover", "-s", "tests"},
			driver: []string{"-B", "-W", "error", filepath.Join(drivers, "driver.py")}, env: []string{python}},
		{name: "php", prefix: "PHP-", program: "php", debian: "php-cli php-curl", units: []string{"tests/run.php"},
			driver: []string{filepath.Join(drivers, "driver.php"), filepath.Join(clients, "php/src")}},
	}
}

// nodeFolder has the client where npm would put it, with the files that npm would publish.
func nodeFolder(t *testing.T, clients, drivers string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	from, installed := filepath.Join(clients, "node"), filepath.Join(folder, "node_modules/recarga")
	var packed struct{ Files []string }
	text, err := os.ReadFile(filepath.Join(from, "package.json"))
	if err = errors.Join(err, json.Unmarshal(text, &packed), os.MkdirAll(installed, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(packed.Files, "package.json") {
		copyFile(t, filepath.Join(from, name), filepath.Join(installed, name))
	}
	copyFile(t, filepath.Join(drivers, "driver.mjs"), filepath.Join(folder, "driver.mjs"))
	return folder
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err = errors.Join(err, os.WriteFile(to, text, 0o644)); err != nil {
		t.Fatal(err)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// driver is a running driver of a client.
type driver struct {
	*program
	in      io.Writer
	answers chan answered
}

// answered is what a client returned or raised.
type answered struct {
	ID       topup.ID `json:"distributor_transaction_id"`
	EventID  string   `json:"id"`
	Type     string   `json:"type"`
	State    string   `json:"state"`
	Sequence int      `json:"sequence"`
	Amount   float64  `json:"amount"`
	Error    string   `json:"error"`
	Status   int      `json:"status"`
	Reason   string   `json:"reason"`
	Message  string   `json:"message"`
	Attempts []any    `json:"attempts"`
	elapsed  time.Duration
}

// deed is one thing that a driver is to do.
type deed map[string]any

func (l language) start(t *testing.T) *driver {
	t.Helper()
	cmd := exec.Command(testkit.Program(t, l.program, l.debian), l.driver...)
	cmd.Env, cmd.Dir = append(environ(nil), l.env...), l.folder
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{in: in, answers: make(chan answered, 1)}
	d.program = begin(t, cmd, func(line []byte) {
		var a answered
		if err := json.Unmarshal(line, &a); err != nil {
			return // a warning; what follows is missing then
		}
		d.answers <- a
	})
	return d
}

// does has the client do one thing, and returns what came of it.
func (d *driver) does(t *testing.T, what deed) answered {
	t.Helper()
	line, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	asked := time.Now()
	if _, err := d.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("%v: %s", err, d.log())
	}
	select {
	case a := <-d.answers:
		a.elapsed = time.Since(asked)
		return a
	case <-d.done:
		t.Fatalf("after %s it ended:\n%s", line, d.log())
	case <-testkit.Hung():
		t.Fatalf("after %s it hangs:\n%s", line, d.log())
	}
	return answered{}
}

// connected gives the driver a client for an API.
func (d *driver) connected(t *testing.T, url string) {
	t.Helper()
	if a := d.does(t, deed{"do": "client", "url": url, "key": apiKey}); a.Error != "" {
		t.Fatal(a.Message)
	}
}

// TestClients: each client places orders at the real program through a network that loses a fifth of the answers. None
// is charged twice and none is lost, and each client verifies the webhooks of its orders.
func TestClients(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w := newWorld(t, nil)
	hooks := &recorder{}
	w.env["RECARGA_CALLBACK_URL"] = serve(t, hooks)
	p := w.start(t, "serve")
	const count = 500
	t.Run("languages", func(t *testing.T) {
		for _, l := range languages(t) {
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				d := l.start(t)
				d.connected(t, lossy(t, p.apiURL))
				l.places(t, d, count)
				l.ends(t, d, count)
				l.verifies(t, d, w.env["RECARGA_WEBHOOK_SECRET"], hooks)
			})
		}
	})
	charged := w.charges()
	for _, l := range languages(t) {
		for i := range count {
			if id := l.id(i); charged[id] != 1 {
				t.Errorf("%s was charged %d times", id, charged[id])
			}
			delete(charged, l.id(i))
		}
	}
	if len(charged) > 0 {
		t.Errorf("nobody placed %v", charged)
	}
	testkit.Proven(t, "%d orders of %d clients, of whose answers a fifth was lost", count*len(languages(t)),
		len(languages(t)))
}

func (l language) id(i int) topup.ID { return topup.ID(fmt.Sprintf("%s%04d", l.prefix, i)) }

func orderOf(id topup.ID, phone topup.Phone) deed {
	return deed{"distributor_transaction_id": id, "phone_number": phone.Digits(), "product_id": "MOVISTAR_TAE",
		"amount": 10.5, "metadata": deed{"cart": "ñ"}}
}

// places places the orders, and changes its mind about one more.
func (l language) places(t *testing.T, d *driver, count int) {
	t.Helper()
	for i := range count {
		if a := d.does(t, deed{"do": "place", "order": orderOf(l.id(i), phoneOf(i))}); a.ID != l.id(i) || a.State == "" {
			t.Fatalf("place %s: %+v", l.id(i), a)
		}
	}
	later := orderOf(topup.ID(l.prefix+"LATER"), "5537686660")
	later["process_at"] = time.Now().Add(time.Hour).Format(time.RFC3339)
	a := d.does(t, deed{"do": "place", "order": later})
	if a.State == "queued" {
		a = d.does(t, deed{"do": "cancel", "id": a.ID})
	}
	if a.State != "canceled" || a.ID != topup.ID(l.prefix+"LATER") {
		t.Errorf("canceled: %+v", a)
	}
}

// ends waits for the orders, for one that is declined, and asks for what is refused.
func (l language) ends(t *testing.T, d *driver, count int) {
	t.Helper()
	for i := range count {
		if a := d.does(t, deed{"do": "wait", "id": l.id(i)}); a.State != "succeeded" || a.ID != l.id(i) {
			t.Errorf("wait %s: %+v", l.id(i), a)
		}
	}
	declined := topup.ID(l.prefix + "DECLINED")
	d.does(t, deed{"do": "place", "order": orderOf(declined, "5500000051")})
	if a := d.does(t, deed{"do": "wait", "id": declined}); a.State != "failed" {
		t.Errorf("declined: %+v", a)
	}
	if a := d.does(t, deed{"do": "get", "id": declined}); a.State != "failed" || len(a.Attempts) != 1 || a.Amount != 10.5 {
		t.Errorf("got: %+v", a)
	}
	if a := d.does(t, deed{"do": "cancel", "id": declined}); a.Error != "Problem" || a.Status != http.StatusConflict {
		t.Errorf("canceled what has ended: %+v", a)
	}
	if a := d.does(t, deed{"do": "get", "id": "NONE"}); a.Error != "Problem" || a.Status != http.StatusNotFound {
		t.Errorf("got what is not there: %+v", a)
	}
	wrong := orderOf(topup.ID(l.prefix+"WRONG"), "5537686660")
	wrong["amount"] = 1
	if a := d.does(t, deed{"do": "place", "order": wrong}); a.Error != "Problem" || a.Status != 422 {
		t.Errorf("placed what is wrong: %+v", a)
	}
}

// verifies gives the client webhooks of its orders as they came, and as they did not.
func (l language) verifies(t *testing.T, d *driver, secret string, hooks *recorder) {
	t.Helper()
	const some = 5
	other := webhook.NewSecret()
	for i := range some {
		came := hooks.of(t, l.id(i))
		verify := func(secrets []string, change func(*recorded)) answered {
			r := recorded{body: came.body, header: map[string]string{}}
			for _, name := range []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature", "Content-Type"} {
				r.header[name] = came.header[name]
			}
			change(&r)
			return d.does(t, deed{"do": "verify", "secrets": secrets, "body": r.body, "headers": r.header})
		}
		as := func(*recorded) {}
		for _, secrets := range [][]string{{secret}, {other, secret}, {secret, other}} {
			a := verify(secrets, as)
			if a.ID != l.id(i) || a.State != "succeeded" || a.Type != "topup.succeeded" || a.Sequence < 1 ||
				a.EventID != came.header["Webhook-Id"] {
				t.Errorf("verified: %+v", a)
			}
		}
		for want, a := range map[string]answered{
			"signature": verify([]string{other}, as),
			"headers":   verify([]string{secret}, func(r *recorded) { delete(r.header, "Webhook-Signature") }),
			"timestamp": verify([]string{secret}, func(r *recorded) { r.header["Webhook-Timestamp"] = "1614265330" }),
		} {
			if a.Error != "Webhook" || a.Reason != want {
				t.Errorf("%s: %+v", want, a)
			}
		}
		changed := verify([]string{secret}, func(r *recorded) { r.body = bytes.Replace(r.body, []byte("10.5"), []byte("99.5"), 1) })
		if changed.Reason != "signature" {
			t.Errorf("a changed body: %+v", changed)
		}
	}
}

// recorder keeps webhooks as they came.
type recorder struct {
	mu   sync.Mutex
	came []recorded
}

type recorded struct {
	body   []byte
	header map[string]string
}

func (h *recorder) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it comes again
	}
	header := map[string]string{}
	for name := range r.Header {
		header[name] = r.Header.Get(name)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.came = append(h.came, recorded{body, header})
}

// of waits for the webhook of an order.
func (h *recorder) of(t *testing.T, id topup.ID) (found recorded) {
	t.Helper()
	testkit.Eventually(t, patience, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		i := slices.IndexFunc(h.came, func(r recorded) bool {
			return bytes.Contains(r.body, fmt.Appendf(nil, `"distributor_transaction_id":"%s"`, id))
		})
		if i >= 0 {
			found = h.came[i]
		}
		return i >= 0
	}, "a webhook of %s", id)
	return found
}

// lossy leads to an API, and loses a fifth of its answers: the request is carried out, and the answer is cut, before it
// begins or in the middle.
func lossy(t *testing.T, to string) (at string) {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(1, 2))
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	proxy.ModifyResponse = func(res *http.Response) error {
		mu.Lock()
		lost := r.IntN(10)
		mu.Unlock()
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		switch {
		case err != nil || lost == 0:
			return errLost
		case lost == 1:
			res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), cutOff{}))
		default:
			res.Body = io.NopCloser(bytes.NewReader(body))
		}
		return nil
	}
	return serve(t, proxy)
}

var errLost = errors.New("the answer is lost")

type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, errLost }

// TestUnitsOfClients runs the tests that each client has of its own.
func TestUnitsOfClients(t *testing.T) {
	t.Parallel()
	for _, l := range languages(t) {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, testkit.Program(t, l.program, l.debian), l.units...)
			cmd.Env, cmd.Dir = append(environ(nil), l.env...), "../../clients/"+l.name
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
