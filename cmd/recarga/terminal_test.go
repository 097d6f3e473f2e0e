package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"recarga/internal/command"
	"recarga/internal/config"
	"recarga/internal/journal/journaltest"
	"recarga/internal/terminal"
	"recarga/webhook"
)

// hostile has what controls a terminal, or the text around it: C0, DEL, C1, all that turns the direction of writing,
// what breaks lines, what cannot be seen, in the first plane and beyond.
const hostile = "\x1b[31mred\x1b]0;title\x07\x00\b\r\x7f\u009b2J\u0085\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069" +
	"\u200e\u200f\u061c\u200b\u2028\u2029\ufeff\U000e0001"

// forged would be a line of ours.
const forged = "\nFORGED by a stranger"

// harmless fails where an output has what was planted.
func harmless(t *testing.T, what string, s *screen) {
	t.Helper()
	text := s.String()
	if !utf8.ValidString(text) {
		t.Errorf("%s: not UTF-8: %q", what, text)
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "FORGED") || strings.HasPrefix(line, "recarga: FORGED") {
			t.Errorf("%s: a line that a stranger wrote: %q", what, line)
		}
		if at := strings.IndexFunc(strings.TrimSuffix(line, "\n"), terminal.Controls); at >= 0 {
			t.Errorf("%s: %q at %d in %q", what, line[at:min(at+4, len(line))], at, line)
		}
	}
}

// TestExportKeepsItsBytes: a file or a program gets what the API sent.
func TestExportKeepsItsBytes(t *testing.T) {
	const csv = "id,metadata\nA,\"\u202e\t\"\n"
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_,
			_ = io.WriteString(w, csv)
	}))
	defer api.Close()
	got := want(t, map[string]string{"RECARGA_API_URL": api.URL, "RECARGA_ADMIN_KEY": "operator-key"}, command.ExitOK, ``, ``,
		"export")
	if got.stdout.String() != csv {
		t.Errorf("%q became %q", csv, got.stdout.String())
	}
}

// meddled passes requests on to an API, and has every text of its answers hostile but those that are read as something
// else.
func meddled(t *testing.T, target string) string {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := r.Clone(r.Context())
		req.URL.Scheme, req.URL.Host, req.RequestURI = to.Scheme, to.Host, ""
		req.Header.Del("Accept-Encoding")
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = res.Body.Close() }()
		maps.Copy(w.Header(), res.Header)
		w.Header().Del("Content-Length")
		w.WriteHeader(res.StatusCode)
		decoder := json.NewDecoder(res.Body)
		decoder.UseNumber()
		for {
			var v any
			if err := decoder.Decode(&v); err != nil {
				return
			}
			if err := json.NewEncoder(w).Encode(meddle("", v)); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// meddle changes all texts of a value by name, which are numbers, times and choices that end a command.
func meddle(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = meddle(key, value)
		}
		return v
	case []any:
		for i := range v {
			v[i] = meddle(name, v[i])
		}
		return v
	case string:
		_, notTime := time.Parse(time.RFC3339, v)
		if notTime == nil || name == "phone_number" || name == "state" || name == "next_cursor" {
			return v
		}
		return v + hostile + forged
	default:
		return v
	}
}

// TestTerminalsAreSafe plants hostile texts in all that the distributor, a caller, an API or a file can write, and
// runs every command that shows something.
func TestTerminalsAreSafe(t *testing.T) {
	env := shop(t, map[string]string{"RECARGA_WEBHOOK_ALLOW_PRIVATE": "true"})
	bad := maps.Clone(env)
	bad["RECARGA_API_URL"] = meddled(t, env["RECARGA_API_URL"])
	operator := maps.Clone(bad)
	operator["RECARGA_ADMIN_KEY"] = "shop-admin-key"
	delete(operator, "RECARGA_API_KEY")
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	want(t, env, command.ExitOK, ``, ``, "enqueue", "--id", "T-1", "--phone", "5537686660", "--product", "MOVISTAR_TAE",
		"--amount", "10", "--metadata", "note="+strings.ReplaceAll(hostile, "\x00", "")+forged)
	want(t, env, command.ExitOK, `succeeded`, ``, "watch", "T-1")
	orders := file("orders"+"\u202e.csv",
		"distributor_transaction_id,phone_number,product_id,amount,metadata.x\nT-2,5537686660,MOVISTAR_TAE,10,\""+hostile+
			forged+
			"\"\nT"+hostile+",5"+hostile+",M"+hostile+",1"+hostile+",\n\""+hostile+forged+"\"\n")
	statement := file("statement.csv",
		"distributor_transaction_id,phone_number,amount,status,transaction_id\nT-1,5537686660,10,"+hostile+",\"X"+hostile+
			forged+
			"\"\n"+hostile+",5537686660,10,aprobada,Y"+hostile+"\n")
	for _, c := range []struct {
		env  map[string]string
		args []string
	}{
		{bad, []string{"get", "T-1"}}, {bad, []string{"get", hostile}}, {operator, []string{"get", "T-1"}},
		{bad, []string{"find", "5537686660"}},
		{bad, []string{"list"}}, {bad, []string{"watch", "T-1"}}, {bad, []string{"cancel", "T-1"}},
		{bad, []string{"cancel", "NONE"}},
		{operator, []string{"resolve", "T-1", "--as", "failed", "--reason", hostile + forged}},
		{operator, []string{"correct", "T-1", "--as", "failed", "--reason", hostile + forged, "--by", hostile + forged}},
		{operator, []string{"dispute", "end", "T-1", "--as", "upheld", "--reason", hostile}},
		{bad, []string{"enqueue", "--id", "T-3", "--phone", "5537686660", "--product", "MOVISTAR_TAE", "--amount", "10"}},
		{bad, []string{"enqueue", "--id", hostile, "--phone", hostile, "--product", hostile, "--amount", hostile,
			"--operator", hostile}},
		{bad, []string{"enqueue", "--file", orders}}, {bad, []string{"enqueue", "--file", orders + "\x1b[2J"}},
		{bad, []string{"balance"}}, {bad, []string{"products"}}, {operator, []string{"reconcile", statement}},
		{operator, []string{"caller", "add", "tienda", "--callback-url", "http://127.0.0.1:1/?" + hostile}},
		{operator, []string{"caller", "add", "shop", "--callback-url", "http://127.0.0.1:1/a"}},
		{operator, []string{"caller", "list"}},
		{operator, []string{"caller", "disable", "shop" + hostile}}, {operator, []string{"caller", "rotate-secret", "shop"}},
		{operator, []string{"webhook", "redeliver", "--state", "exhausted"}},
		{operator, []string{"webhook", "redeliver", "evt_" + hostile}},
		{bad, []string{"webhook", "trigger", "topup.failed", "--id", hostile, "--to", "http://127.0.0.1:1/", "--secret",
			aSecret}},
		{bad, []string{"doctor", "--timeout", "2s"}}, {bad, []string{"healthcheck", "--metrics-addr", hostile}},
		{bad, []string{hostile + forged}}, {bad, []string{"get", "--" + hostile}},
		{bad, []string{"archive", "--before", hostile}},
		{operator, []string{"export", "--state", hostile}}, {bad, []string{"--config", hostile, "doctor"}},
	} {
		for _, args := range [][]string{c.args, append(c.args, "--json")} {
			r := start(t, c.env, "", args...)
			_ = r.ends(t)
			harmless(t, fmt.Sprintf("%q", args), &r.stdout)
			harmless(t, fmt.Sprintf("%q: stderr", args), &r.stderr)
			if strings.Contains(r.stdout.String(), "unknown flag") {
				t.Errorf("%q", args)
			}
		}
	}
}

// TestWebhookListenIsSafe shows requests of whoever has the secret, and of whoever has not.
func TestWebhookListenIsSafe(t *testing.T) {
	for _, form := range [][]string{nil, {"--json"}} {
		l, to := listening(t, withSecret, form...)
		for _, secret := range []string{aSecret, webhook.NewSecret()} {
			body, err := json.Marshal(meddle("", map[string]any{"type": "topup.succeeded",
				"timestamp": time.Now().Format(time.RFC3339),
				"data": map[string]any{"sequence": 1, "distributor_transaction_id": "L-1", "state": "succeeded",
					"reason": "x", "response_message": "y"}}))
			if err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, to, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			headers, err := webhook.SignTest(secret, "evt_1", time.Now(), body)
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(req.Header, headers)
			req.Header.Set("X-Note", "\u202e\u009b2J")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
		}
		shows(t, &l.stdout, `(?s)\n.*401|401.*\n`)
		harmless(t, "webhook listen", &l.stdout)
		harmless(t, "webhook listen: stderr", &l.stderr)
	}
}

// TestDoctorIsSafe: a distributor's headers and texts are shown by what checks it.
func TestDoctorIsSafe(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusTooManyRequests} {
		vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "\u202e\u009b2J soon")
			w.Header().Set("Content-Type", "application/json; \u202e")
			w.WriteHeader(status)
			said, _ := json.Marshal(map[string]any{"success": status == http.StatusOK, "message": hostile + forged,
				"error": hostile, "token": hostile, "balance": hostile})
			_, _ = w.Write(said)
		}))
		env := map[string]string{
			"RECARGA_DISTRIBUTOR_URL": vendor.URL + "/api/distributor", "RECARGA_DISTRIBUTOR_CUSTOMER_ID": "demo",
			"RECARGA_DISTRIBUTOR_SECRET_KEY": "demo",
			"RECARGA_DATABASE_URL":           journaltest.SQLite(t),
		}
		for _, args := range [][]string{{"doctor"}, {"doctor", "--json"}, {"doctor", "--live"},
			{"doctor", "--live", "--json"}} {
			r := start(t, env, "", append(args, "--timeout", "1s")...)
			_ = r.ends(t)
			harmless(t, fmt.Sprintf("%d: %q", status, args), &r.stdout)
			harmless(t, fmt.Sprintf("%d: %q: stderr", status, args), &r.stderr)
		}
		vendor.Close()
	}
}

// TestLogsAreSafe: both forms of the log.
func TestLogsAreSafe(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var s screen
		command.NewLogger(config.Settings{LogFormat: format}, &s).Info("said", "by", hostile+forged, "error",
			fmt.Errorf("%s", hostile))
		harmless(t, format, &s)
	}
}
