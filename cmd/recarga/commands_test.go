package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/command"
	"recarga/internal/journal/journaltest"
	"recarga/internal/orderfile"
	"recarga/internal/terminal"
	"recarga/internal/testkit"
	"recarga/topup"
)

const waiting = testkit.Patience

// screen is what a program has written so far.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// running is a program under way.
type running struct {
	stdout, stderr screen
	status         chan int
	stop           context.CancelFunc
}

func start(t *testing.T, env map[string]string, stdin string, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{status: make(chan int, 1), stop: cancel}
	p := &command.Program{
		Version: version, Stdin: strings.NewReader(stdin), Stdout: terminal.NewOutput(&r.stdout, true), Stderr: terminal.NewOutput(&r.stderr, true),
	}
	for name, value := range env {
		p.Environ = append(p.Environ, name+"="+value)
	}
	go func() { r.status <- p.Run(ctx, newRoot(p), args) }()
	return r
}

// ends returns the exit status.
func (r *running) ends(t *testing.T) int {
	t.Helper()
	select {
	case status := <-r.status:
		return status
	case <-time.After(waiting):
		t.Fatalf("does not end:\n%s\n%s", &r.stdout, &r.stderr)
		return 0
	}
}

// shows waits for what a pattern finds in what is written.
func shows(t *testing.T, s *screen, pattern string) string {
	t.Helper()
	var found []string
	testkit.Eventually(t, waiting, func() bool {
		found = regexp.MustCompile(pattern).FindStringSubmatch(s.String())
		return found != nil
	}, "%s is shown", pattern)
	return found[len(found)-1]
}

// shop is the environment of client commands beside a sandbox and a server, both this very program. The server's
// settings may be more, and others.
func shop(t *testing.T, settings ...map[string]string) map[string]string {
	t.Helper()
	vendor := start(t, nil, "", "sandbox", "--addr", "127.0.0.1:0", "--log-level", "error")
	env := map[string]string{
		"RECARGA_DISTRIBUTOR_URL":         shows(t, &vendor.stdout, `RECARGA_DISTRIBUTOR_URL=(\S+)`),
		"RECARGA_DISTRIBUTOR_CUSTOMER_ID": "demo", "RECARGA_DISTRIBUTOR_SECRET_KEY": "demo",
		"RECARGA_DATABASE_URL": journaltest.SQLite(t),
		"RECARGA_HTTP_ADDR":    "127.0.0.1:0", "RECARGA_METRICS_ADDR": "127.0.0.1:0", "RECARGA_API_KEY": "shop-api-key",
		"RECARGA_ADMIN_KEY": "shop-admin-key",
	}
	for _, more := range settings {
		maps.Copy(env, more)
	}
	server := start(t, env, "", "serve")
	t.Cleanup(func() {
		for _, r := range []*running{server, vendor} {
			r.stop()
			if status := r.ends(t); status != command.ExitOK {
				t.Errorf("exit status %d:\n%s", status, &r.stderr)
			}
		}
	})
	return map[string]string{
		"RECARGA_DISTRIBUTOR_URL": env["RECARGA_DISTRIBUTOR_URL"], "RECARGA_DISTRIBUTOR_CUSTOMER_ID": "demo",
		"RECARGA_DISTRIBUTOR_SECRET_KEY": "demo",
		"RECARGA_DATABASE_URL":           env["RECARGA_DATABASE_URL"], "RECARGA_API_KEY": "shop-api-key",
		"RECARGA_API_URL":      shows(t, &server.stderr, `RECARGA_HTTP_ADDR","url":"([^"]+)`),
		"RECARGA_METRICS_ADDR": shows(t, &server.stderr, `RECARGA_METRICS_ADDR","url":"http://([^"]+)|metrics not served`),
	}
}

// want runs a command to its end and checks its exit status and what it writes.
func want(t *testing.T, env map[string]string, status int, stdout, stderr string, args ...string) *running {
	t.Helper()
	return wantOf(t, env, "", status, stdout, stderr, args...)
}

func wantOf(
	t *testing.T, env map[string]string, stdin string, status int, stdout, stderr string, args ...string,
) *running {
	t.Helper()
	r := start(t, env, stdin, args...)
	if got := r.ends(t); got != status {
		t.Errorf("%v: exit status %d, want %d\n%s\n%s", args, got, status, &r.stdout, &r.stderr)
	}
	for _, c := range []struct {
		what string
		s    *screen
	}{{stdout, &r.stdout}, {stderr, &r.stderr}} {
		if !regexp.MustCompile(c.what).MatchString(c.s.String()) {
			t.Errorf("%v does not say %s:\n%s", args, c.what, c.s)
		}
	}
	return r
}

func TestCommands(t *testing.T) {
	env := shop(t)
	one := []string{"--phone", "55 3768 6660", "--product", "MOVISTAR_TAE", "--amount", "10", "--metadata", "cart=7"}
	place := append([]string{"enqueue", "--id", "CMD-1"}, one...)
	later := append([]string{"enqueue", "--id", "CMD-2", "--process-at", "2090-01-01T00:00:00Z"}, one...)

	want(t, env, command.ExitOK, `(?m)^CMD-1 .*5537686660  MOVISTAR_TAE  10 `, `^$`, place...)
	want(t, env, command.ExitOK, `(?m)^CMD-1 `, `placed before`, place...)
	want(t, env, command.ExitFailed, `^$`, `^recarga: place CMD-1: 409 Conflict: .*id is taken`,
		append(place, "--amount", "11")...)
	want(t, env, command.ExitOK, `CMD-1  succeeded .*00\n$`, `^$`, "watch", "CMD-1")
	want(t, env, command.ExitOK, `(?s)CMD-1  +succeeded .*Attempt 1  +approved, code 00 `, `^$`, "get", "CMD-1")
	want(t, env, command.ExitFailed, `^$`, `^recarga: get NONE: 404 Not Found`, "get", "NONE")

	want(t, env, command.ExitOK, `CMD-2  queued`, `^$`, later...)
	want(t, env, command.ExitOK, `CMD-2  canceled`, `^$`, "cancel", "CMD-2")
	want(t, env, command.ExitFailed, `^$`, `^recarga: cancel CMD-1: 409 `, "cancel", "CMD-1")

	want(t, env, command.ExitOK, `(?s)CMD-2 .*CMD-1 `, `^$`, "list")
	want(t, env, command.ExitOK, `^$`, `^No orders\.\n$`, "list", "--state", "unknown")
	want(t, env, command.ExitOK, `CMD-2 `, `There are more`, "list", "--limit", "1")
	want(t, env, command.ExitOK, `(?s)CMD-2 .*CMD-1 `, `^$`, "list", "--limit", "1", "--all")
	want(t, env, command.ExitOK, `"CMD-1","caller":"default","state":"succeeded"`, `^$`, "list", "--state", "succeeded",
		"--phone", "5537686660", "--product", "MOVISTAR_TAE", "--since", "2020-01-01T00:00:00Z", "--json")
	want(t, env, command.ExitUsage, `^$`, `--caller: "" is not allowed`, "webhook", "redeliver", "--state", "exhausted",
		"--caller", "")
	want(t, env, command.ExitOK, `(?s)^[^\n]*\nCMD-1 [^\n]*\n$`, `^$`, "list", "--code", "00", "--since", "1h")
	want(t, env, command.ExitOK, `^$`, `^No orders\.\n$`, "list", "--reason", "declined", "--since", "yesterday")
	want(t, env, command.ExitUsage, `^$`, `reason: "bad" is not allowed; must be one of declined, .*(?s:.*)since: "soon" is `+
		`not allowed; must be a time of RFC 3339, .* or how long ago`, "list", "--reason", "bad", "--since", "soon")
	want(t, env, command.ExitUsage, `^$`, `state: "done" is not allowed; must be one of`, "list", "--state", "done")

	// A person corrects CMD-1, and CMD-2 is what it was.
	correct := []string{"correct", "CMD-1", "--as", "failed", "--reason", "ticket 4711", "--by", "ana"}
	want(t, env, command.ExitFailed, `^$`, `^recarga: correct CMD-1: 403 `, correct...)
	admin := maps.Clone(env)
	admin["RECARGA_ADMIN_KEY"] = "shop-admin-key"
	delete(admin, "RECARGA_API_KEY")
	want(t, admin, command.ExitUsage, `^$`, `--as: "paid" is not allowed; must be one of succeeded, failed; see`, "correct", "CMD-1", "--as", "paid", "--reason",
		"why")
	want(t, admin, command.ExitUsage, `^$`, `upheld`, "dispute", "end", "CMD-1", "--as", "corrected", "--reason", "why")
	want(t, admin, command.ExitFailed, `^$`, `the order is not disputed`, "dispute", "end", "CMD-1", "--as", "upheld", "--reason",
		"why")
	want(t, admin, command.ExitOK, `CMD-1  failed`, `^$`, correct...)
	want(t, admin, command.ExitOK, `(?s)Corrected to failed  +by ana: ticket 4711\n +was succeeded`, `^$`, "get", "CMD-1")
	want(t, admin, command.ExitOK, `CMD-2  canceled`, `^$`, "get", "CMD-2")
	want(t, admin, command.ExitOK, `^$`, `^No orders\.\n$`, "list", "--disputed")

	want(t, admin, command.ExitOK, `(?s)BY .*ana +admin +correctTopup +failed +CMD-1 +ticket 4711 +cli`, `^$`, "audit")
	want(t, admin, command.ExitOK, `(?m)^at,by,.*\n.*,ana,admin,cli,127.0.0.1,correctTopup,CMD-1,CMD-1,failed,`, `^$`, "audit",
		"--csv", "--on", "CMD-1", "--action", "correctTopup")
	want(t, admin, command.ExitOK, `^$`, `^No actions\.\n$`, "audit", "--by", "nobody", "--since", "1h", "--json=false")
	want(t, admin, command.ExitUsage, `^$`, `since: "soon" is not allowed`, "audit", "--since", "soon")
	want(t, admin, command.ExitOK, `^$`, `^Nothing is paused`, "queue", "list")
	want(t, admin, command.ExitUsage, `^$`, `KIND: "all" is not allowed`, "queue", "pause", "all", "--reason", "why")
	want(t, admin, command.ExitUsage, `^$`, `--name is not given; must be the name of the caller`, "queue", "pause", "caller",
		"--reason", "why")
	want(t, admin, command.ExitUsage, `^$`, `reason`, "queue", "pause", "purchases")
	want(t, admin, command.ExitOK, `operator +MOVISTAR +paused +.* ana +maintenance +0`, `^$`, "queue", "pause", "operator",
		"MOVISTAR", "--reason", "maintenance", "--by", "ana")
	want(t, admin, command.ExitOK, `rate +- +100/m`, `^$`, "queue", "limit", "rate", "100/m", "--reason", "asked")
	want(t, admin, command.ExitOK, `(?s)MOVISTAR .*100/m`, `^$`, "queue", "list")
	want(t, admin, command.ExitOK, `^KIND[^\n]*\nrate [^\n]*\n$`, `^$`, "queue", "resume", "operator", "MOVISTAR", "--reason",
		"over")
	want(t, admin, command.ExitOK, `^KIND[^\n]*\n$`, `^$`, "queue", "limit", "rate", "default", "--reason", "over")

	want(t, env, command.ExitOK, `^\d+\.?\d* USD `, `^$`, "balance")
	want(t, env, command.ExitOK, `(?s)MOVISTAR_TAE .*MOVISTAR_PAQUETE_25 `, `^$`, "products")
	want(t, env, command.ExitOK, `^ready\n$`, `^$`, "healthcheck")
	want(t, env, command.ExitOK, `^ready\n$`, `^$`, "health")
	for _, args := range [][]string{{"get", "CMD-1"}, {"cancel", "CMD-2"}, {"balance"}, {"products"}, {"watch", "CMD-1"},
		place} {
		out := start(t, env, "", append(args, "--json")...)
		if status := out.ends(t); status != command.ExitOK || !json.Valid([]byte(out.stdout.String())) {
			t.Errorf("%v --json: exit status %d\n%s", args, status, &out.stdout)
		}
	}
}

func TestEnqueueFile(t *testing.T) {
	env := shop(t)
	const rows = "distributor_transaction_id,phone_number,product_id,amount,expires_at\n" +
		"F-1,5537686660,MOVISTAR_TAE,10,\nF-2,1,MOVISTAR_TAE,1,\nF-1,5537686660,MOVISTAR_TAE,11,\nF-3,5537686661,MOVISTAR_TAE,10,2020-01-01T00:00:00Z\nF-1,5537686660,MOVISTAR_TAE,10,\n"
	wantOf(t, env, rows, command.ExitFailed, `^$`,
		`(?s)^line 3: F-2: phone_number: .*; amount: .*\nline 4: F-1: 409 .*\nline 5: F-3: 422 .*: expires_at "2020-01-01T00:00:00Z" must be in the future\n1 placed, 1 already there, 3 refused\nrecarga: -: 3 rows were refused\n$`,
		"enqueue", "--file", "-")
	wantOf(t, env, rows, command.ExitFailed, `^$`, `\n0 placed, 2 already there, 3 refused\n`, "enqueue", "--file", "-")

	out := wantOf(t, env, rows, command.ExitFailed, `"result"`, ``, "enqueue", "--file", "-", "--json")
	var said []string
	for line := range strings.Lines(out.stdout.String()) {
		var r orderfile.Result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		said = append(said, fmt.Sprint(r.Line, r.Result))
		if (r.Order == nil) != (r.Result == "refused") || (len(r.Errors) > 0) != (r.Result == "refused") {
			t.Errorf("%s: an order or errors are missing", line)
		}
	}
	if got := strings.Join(said, " "); got != "2already_there 3refused 4refused 5refused 6already_there" {
		t.Errorf("results are %s; want the file's rows in their order", got)
	}
	want(t, env, command.ExitOK, `^$`, `^2 placed, 0 already there, 0 refused\n$`, "enqueue", "--file",
		written(t, `{"distributor_transaction_id":"N-1","phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10}
{"distributor_transaction_id":"N-2","phone_number":"5537686660","product_id":"MOVISTAR_PAQUETE_16","amount":30}`))
}

const (
	header = "distributor_transaction_id,phone_number,product_id,amount"
	good   = ",5537686660,MOVISTAR_TAE,10"
)

// TestEnqueueOverABadLine: the connection breaks in the middle of the answers, again and again, and
// every row is placed, once.
func TestEnqueueOverABadLine(t *testing.T) {
	env := shop(t)
	line := badLine(t, env["RECARGA_API_URL"], 40<<10)
	bad := maps.Clone(env)
	bad["RECARGA_API_URL"] = line.URL
	var file strings.Builder
	file.WriteString(header + ",process_at\n") // in the future: what is bought is not tested here
	const rows = 2500
	for i := range rows {
		fmt.Fprintf(&file, "BAD-LINE-%d%s,2090-01-01T00:00:00Z\n", i, good)
	}
	r := wantOf(t, bad, file.String(), command.ExitOK, `^$`, `trying again in`, "enqueue", "--file", "-")
	var placed, there int
	if _, err := fmt.Sscanf(shows(t, &r.stderr, `(\d+ placed, \d+ already)`), "%d placed, %d already", &placed,
		&there); err != nil || placed+there != rows {
		t.Errorf("%d placed, %d already there, want %d together", placed, there, rows)
	}
	wantOf(t, env, file.String(), command.ExitOK, `^$`, fmt.Sprintf(`^0 placed, %d already there, 0 refused\n$`, rows), "enqueue",
		"--file", "-")
}

// badLine passes requests on to target, and cuts every second answer off after a number of bytes.
func badLine(t *testing.T, target string, after int64) *httptest.Server {
	t.Helper()
	var n atomic.Int64
	line := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), r.Method, target+r.URL.String(), r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		req.Header = r.Header.Clone()
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer func() { _ = res.Body.Close() }()
		cut := n.Add(1)%2 == 1
		most := int64(1 << 30)
		if cut {
			most = after
		}
		w.WriteHeader(res.StatusCode)
		if _, err := io.Copy(w, io.LimitReader(res.Body, most)); err != nil || cut {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(line.Close)
	return line
}

// TestWatchSurvivesTheAPI: the API fails after it has answered once, and comes back.
func TestWatchSurvivesTheAPI(t *testing.T) {
	var asked atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		o := topup.Details{Order: topup.Order{ID: "W-1", State: topup.StateUnknown}}
		switch asked.Add(1) {
		case 1:
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		default:
			o.State = topup.StateSucceeded
		}
		if err := json.NewEncoder(w).Encode(o); err != nil {
			t.Error(err)
		}
	}))
	defer api.Close()
	env := map[string]string{"RECARGA_API_URL": api.URL, "RECARGA_ADMIN_KEY": "operator-key"}
	want(t, env, command.ExitOK, `(?s)W-1  unknown .*W-1  succeeded `, `503 .*trying again in 500ms\n$`, "watch", "W-1")
}

func TestWatchAllEndsWithTheProgram(t *testing.T) {
	env := shop(t)
	w := start(t, env, "", "watch")
	want(t, env, command.ExitOK, `WATCHED`, `^$`, "enqueue", "--id", "WATCHED", "--phone", "5537686660", "--product",
		"MOVISTAR_TAE", "--amount", "10")
	shows(t, &w.stdout, `WATCHED  succeeded`)
	w.stop()
	if status := w.ends(t); status != command.ExitOK {
		t.Errorf("exit status %d\n%s", status, &w.stderr)
	}
}

// TestUsage: what the user got wrong ends with status 2, one line a mistake, and nothing on stdout.
func TestUsage(t *testing.T) {
	env := map[string]string{"RECARGA_API_KEY": "shop-api-key"}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"enque"}, `^recarga: unknown command "enque"; did you mean enqueue\? see recarga --help\n$`},
		{[]string{"xyz"}, `^recarga: unknown command "xyz"; see`},
		{[]string{"help", "lits"}, `^recarga: unknown command "lits"; did you mean list\? see recarga --help\n$`},
		{[]string{"help", "caller", "endpoint", "xyz"},
			`^recarga: unknown command "xyz"; see recarga caller endpoint --help\n$`},
		{[]string{"caller", "endpoint", "xyz"}, `^recarga: unknown command "xyz"; see recarga caller endpoint --help\n$`},
		{[]string{"caller", "endpoint", "remove", "shop"}, `accepts 2 arg.*see recarga caller endpoint remove --help\n$`},
		{[]string{"completion", "nushell"}, `^recarga: unknown command "nushell"; see recarga completion --help\n$`},
		{[]string{"get"}, `accepts 1 arg.*: the form is recarga get ID; see recarga get --help`},
		{[]string{"enqueue"}, `nothing to place: give --id, --phone, --product and --amount, or --file`},
		{[]string{"get", "A", "B"}, `accepts 1 arg`},
		{[]string{"list", "all"}, `unknown command "all" for "recarga list"; see recarga list --help`},
		{[]string{"list", "--nothing"}, `unknown flag: --nothing; see recarga list --help`},
		{[]string{"list", "--limit", "x"}, `--limit: "x" is not allowed; must be a whole number; see recarga list --help\n$`},
		{[]string{"enqueue", "--id", "A"},
			`--phone is not given; .*\nrecarga: --product is not given; .*\nrecarga: --amount is not given; `},
		{[]string{"enqueue", "--file", "x.csv", "--operator", "A"}, `exclude each other`},
		{[]string{"enqueue", "--file", "/nonexistent"}, `no such file`},
		{[]string{"get", "A", "--api-url", "h"}, `RECARGA_API_URL \(from flag\) is "h"; must be`},
		{[]string{"get", "A", "--api-key", ""}, `neither RECARGA_API_KEY nor RECARGA_ADMIN_KEY is set`},
		{[]string{"get", "A", "--config", "/nonexistent"}, `--config: .*no such file`},
		{[]string{"serve"}, `(?s)RECARGA_DISTRIBUTOR_URL is not set.*_CUSTOMER_ID is not set.*_SECRET_KEY is not set`},
		{[]string{"sandbox", "--addr", "x"}, `--addr: `},
		{[]string{"bench", "--only", "sqlite"}, `--only: "sqlite" is no contender; must be one of plain asynq, `},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			r := want(t, env, command.ExitUsage, `^$`, c.want, c.args...)
			for line := range strings.Lines(r.stderr.String()) {
				if !strings.HasPrefix(line, "recarga: ") {
					t.Errorf("a line of its own: %q", line)
				}
			}
		})
	}
}

func TestHelp(t *testing.T) {
	want(t, nil, command.ExitOK, `(?s)Usage:.*enqueue`, `^$`)
	want(t, nil, command.ExitOK, `(?s)Usage:.*redeliver`, `^$`, "webhook")
	want(t, nil, command.ExitOK, `(?s)Usage:.*recarga caller add NAME`, `^$`, "help", "caller", "add")
	want(t, nil, command.ExitOK, `(?s)Examples:.*--file examples/orders.csv`, `^$`, "enqueue", "--help")
	want(t, nil, command.ExitOK, `^recarga version dev\n$`, `^$`, "--version")
	want(t, nil, command.ExitOK, `^recarga version dev, commit .+, go1\.\S+, \w+/\w+, database version \d+\n$`, `^$`, "version")
	want(t, nil, command.ExitOK, `^\{"arch":"\w+","commit":".+","go":"go1\..+","os":"\w+","schema":"\d+","version":"dev"\}\n$`, `^$`,
		"version", "--json")
	want(t, nil, command.ExitOK, `"go":\s*"go1\.(.|\n)*"version":\s*"dev"`, `^$`, "version", "--json")
	want(t, nil, command.ExitUsage, `^$`, `arg`, "version", "now")
}

// TestNotReady: the health check of a container fails while the process is not ready, or not there.
func TestNotReady(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not ready: journal", http.StatusServiceUnavailable)
	}))
	env := map[string]string{"RECARGA_METRICS_ADDR": server.Listener.Addr().String()}
	want(t, env, command.ExitFailed, `^$`, `^recarga: not ready: journal\n$`, "healthcheck")
	server.Close()
	want(t, env, command.ExitFailed, `^$`, `refused`, "healthcheck")
}

// TestAuxiliariesStopNothing: with everything broken that only watches the program, an order is bought all the same;
// metrics are served as soon as their address is free.
func TestAuxiliariesStopNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	env := shop(t, map[string]string{
		"RECARGA_METRICS_ADDR": taken.Addr().String(), "RECARGA_OPERATOR_CALLBACK_URL": "ops.example",
		"RECARGA_OPERATOR_WEBHOOK_SECRET": "guess",
		"OTEL_TRACES_EXPORTER":            "zipkin,otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
	})
	want(t, env, command.ExitOK, `AUX-1`, ``, "enqueue", "--id", "AUX-1", "--phone", "5537686660", "--product", "MOVISTAR_TAE",
		"--amount", "10")
	want(t, env, command.ExitOK, `succeeded`, ``, "watch", "AUX-1")
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, waiting, func() bool {
		res, err := http.Get("http://" + taken.Addr().String() + "/healthz")
		if err != nil {
			return false
		}
		return res.Body.Close() == nil && res.StatusCode == http.StatusOK
	}, "metrics are served")
}

// TestReconcileBrokenOff: an answer that ends without a summary is no reconciliation.
func TestReconcileBrokenOff(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"finding":{"class":"missing_here","distributor_transaction_id":"A","lines":[2]}}`+"\n")
	}))
	t.Cleanup(api.Close)
	env := map[string]string{"RECARGA_API_URL": api.URL, "RECARGA_ADMIN_KEY": "an-admin-key"}
	report := filepath.Join(t.TempDir(), "report.html")
	wantOf(t, env, "order_id\nA\n", command.ExitFailed, `^$`, `ended without a summary; run it again`, "reconcile", "-",
		"--report", report)
	wantOf(t, env, "order_id\nA\n", command.ExitUsage, `^$`, `--absent: "maybe" is not allowed; must be one of hold, failed, resend`, "reconcile", "-", "--absent",
		"maybe")
	wantOf(t, env, "order_id\nA\n", command.ExitUsage, `^$`, `no such file`, "reconcile", "-", "--csv",
		filepath.Join(t.TempDir(), "none", "a.csv"))
}

// TestEnqueueFileToItsEnd: the results say how each row ended, and are there only when they are whole.
func TestEnqueueFileToItsEnd(t *testing.T) {
	env := shop(t)
	rows := written(t, "distributor_transaction_id,phone_number,product_id,amount\n"+
		"W-1,5537686660,MOVISTAR_TAE,10\nW-2,1,MOVISTAR_TAE,10\nW-3,5500000051,MOVISTAR_TAE,10\nW-4,5500000500,MOVISTAR_TAE,10\n")
	folder := t.TempDir()
	wantOf(t, env, "", command.ExitFailed, `^$`,
		`(?s)3 placed, 0 already there, 1 refused\n.*1 unknown, 1 succeeded, 1 failed\nrecarga: .*1 row was refused\n.*2 orders have not succeeded`,
		"enqueue", "--file", rows, "--wait", "--results", folder+"/results.csv")
	file, err := os.Open(folder + "/results.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	table, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, row := range table[1:] {
		got[row[0]+" "+row[1]] = fmt.Sprint(row[2], " ", row[3], " ", row[5], " ", row[10], " ", row[7] != "", " ",
			row[12] != "")
	}
	if diff := cmp.Diff(map[string]string{
		"2 W-1": "placed succeeded 00 1 true false", "3 W-2": "refused    false true",
		"4 W-3": "placed failed 51 1 false false", "5 W-4": "placed unknown  1 false false",
	}, got); diff != "" {
		t.Error(diff)
	}

	want(t, env, command.ExitFailed, `^$`, `0 placed, 3 already there, 1 refused`, "enqueue", "--file", rows, "--results",
		folder+"/results.ndjson.gz")
	if n := strings.Count(unzipped(t, folder+"/results.ndjson.gz"), `"result":"`); n != 4 {
		t.Errorf("%d results, want 4", n)
	}
	want(t, env, command.ExitUsage, `^$`, `is the file of the orders`, "enqueue", "--file", rows, "--results", rows)
	want(t, env, command.ExitUsage, `^$`, `are for the orders of a --file`, "enqueue", "--id", "W-9", "--wait")
}

// TestEnqueueInterrupted: waiting ends with the program, says what is open, and leaves no file that looks whole.
func TestEnqueueInterrupted(t *testing.T) {
	env := shop(t)
	rows := written(t, `{"distributor_transaction_id":"I-1","phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10,"process_at":"2090-01-01T00:00:00Z"}`)
	folder := t.TempDir()
	r := start(t, env, "", "enqueue", "--file", rows, "--wait", "--results", folder+"/results.csv")
	shows(t, &r.stderr, `waiting for (1 order)\n`)
	r.stop()
	if status := r.ends(t); status != command.ExitFailed || !strings.Contains(r.stderr.String(), "1 of 1 order still open") {
		t.Errorf("exit status %d:\n%s", status, &r.stderr)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func unzipped(t *testing.T, name string) string {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	in, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func written(t *testing.T, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
