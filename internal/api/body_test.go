package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/access"
	"recarga/internal/api"
	"recarga/internal/api/keys"
	registrar "recarga/internal/callers"
	"recarga/internal/controls"
	"recarga/internal/journal/journaltest"
	"recarga/internal/reconcile"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
	"recarga/webhook"
)

// whole is the API with everything that it can have, over a database.
func whole(t *testing.T, database string, change ...func(*api.Config)) *server {
	t.Helper()
	s := serveOn(t, database, func(c *api.Config) {
		book := c.Book.(reconcile.Book)
		c.Reconciler = reconcile.New(book, c.Orders.(*producer.Producer), slog.New(slog.DiscardHandler))
		registry := registrar.New(c.Book.(registrar.Store), "an encryption key", false)
		operators := access.NewOperators(c.Book.(access.OperatorStore))
		c.Registry, c.Operators = registry, operators
		c.Controls = controls.Desk{Book: c.Book.(controls.Book), Queue: noQueue{}, Callers: registry,
			Catalog: topup.DefaultCatalog(), Log: slog.New(slog.DiscardHandler)}
		c.Callers = keys.WithOperators(keys.WithRegistry(c.Callers, registry), operators)
		c.Proxies = access.Proxies{netip.MustParsePrefix("127.0.0.0/8")}
		c.Endpoints = registry
		pinger := webhook.NewDeliverer(webhook.Config{}, nil, registry)
		t.Cleanup(func() { pinger.Close(context.Background()) })
		c.Pinger = pinger
		for _, more := range change {
			more(c)
		}
	})
	s.place("ORD-1").want(http.StatusAccepted)
	s.post(adminKey, "/v1/callers",
		`{"name":"shop-1","callback_url":"https://shop.example/hook"}`).want(http.StatusCreated)
	s.post(adminKey, "/v1/operators", bodies()["addOperator"]).want(http.StatusCreated)
	return s
}

func sqliteIn(t *testing.T) string { return journaltest.SQLite(t) }

// call is an operation of the API's own document.
type call struct {
	method, path string
	operation
}

func (c call) String() string { return c.method + " " + c.path }

func calls(t *testing.T) (all []call) {
	t.Helper()
	d, _ := parsed(t)
	for path, operations := range d.Paths {
		for method, op := range operations {
			all = append(all, call{strings.ToUpper(method), path, op})
		}
	}
	slices.SortFunc(all, func(a, b call) int { return strings.Compare(a.String(), b.String()) })
	if len(all) < 20 {
		t.Fatalf("only %d operations", len(all))
	}
	return all
}

// at is the path with every parameter replaced.
func (c call) at(value string) string {
	path := ""
	for i, part := range strings.Split(c.path, "/") {
		if strings.HasPrefix(part, "{") {
			part = value
		}
		if i > 0 {
			path += "/"
		}
		path += part
	}
	return path
}

// bodies are a valid one for each operation that takes JSON.
func bodies() map[string]string {
	return map[string]string{
		"placeTopup":        order("ORD-2"),
		"resolveTopup":      `{"outcome":"failed","reason":"why"}`,
		"correctTopup":      `{"outcome":"failed","reason":"why"}`,
		"holdTopup":         `{"reason":"why"}`,
		"releaseTopup":      `{"reason":"why"}`,
		"startBulk":         `{"action":"cancel","filter":"state=queued&caller=nobody","reason":"why"}`,
		"stopBulk":          `{"by":"ana"}`,
		"endDispute":        `{"outcome":"upheld","reason":"why"}`,
		"redeliverEvents":   `{"state":"exhausted","type":"topup.failed"}`,
		"addOperator":       `{"name":"eva","role":"viewer"}`,
		"changeOperator":    `{"role":"viewer"}`,
		"addCaller":         `{"name":"shop-1","callback_url":"https://shop.example/hook"}`,
		"changeCaller":      `{"callback_url":"https://shop.example/hook","disabled":true}`,
		"pause":             `{"kind":"operator","name":"MOVISTAR","reason":"why"}`,
		"resume":            `{"kind":"operator","name":"MOVISTAR","reason":"why"}`,
		"limit":             `{"kind":"rate","value":"5/s","reason":"why"}`,
		"setCallerEndpoint": `{"url":"https://shop.example/hook","event_types":["topup.failed"]}`,
	}
}

// TestEveryBodyIsReadStrictly sends to every operation what two readers could read differently. A batch answers by
// line what the call for one order answers.
func TestEveryBodyIsReadStrictly(t *testing.T) {
	s := whole(t, sqliteIn(t))
	first := func(body, then string) string { return strings.Replace(body, "{", "{"+then+",", 1) }
	name := func(body string) string { return strings.SplitN(body, `"`, 3)[1] }
	wrongs := map[string]struct {
		make   func(body string) string
		status int
		says   string
	}{
		"a name twice": {func(b string) string { return first(b, fmt.Sprintf("%q:null", name(b))) }, 422,
			"given once"},
		"in capitals": {func(b string) string { return first(b, fmt.Sprintf("%q:null", strings.ToUpper(name(b)))) },
			422, "did you mean"},
		"by an escape": {func(b string) string {
			return first(b,
				fmt.Sprintf(`"\u%04x%s":null`, name(b)[0], name(b)[1:]))
		}, 422, "given once"},
		"an unknown name": {func(b string) string { return first(b, `"amuont":1`) }, 422, "no such field"},
		"more behind it":  {func(b string) string { return b + "{}" }, 400, "JSON object"},
		"a list":          {func(b string) string { return "[" + b + "]" }, 400, "JSON object"},
		"not UTF-8": {func(b string) string { return strings.Replace(b, name(b), name(b)+"\xf1", 1) }, 400,
			"UTF-8"},
		"half a character": {func(b string) string { return first(b, `"`+name(b)+`":"\ud800"`) }, 400, "surrogate"},
		"UTF-16": {func(b string) string { return "\xff\xfe" + strings.Join(strings.Split(b, ""), "\x00") }, 400,
			"UTF-16"},
		"another type":       {func(b string) string { return fmt.Sprintf(`{%q:[{"a":1}]}`, name(b)) }, 422, ""},
		"NUL":                {func(b string) string { return fmt.Sprintf(`{%q:"a\u0000b"}`, name(b)) }, 422, ""},
		"too much":           {func(b string) string { return b + strings.Repeat(" ", 64<<10) }, 413, ""},
		"a number too large": {func(b string) string { return fmt.Sprintf(`{%q:1e400}`, name(b)) }, 422, ""},
	}
	judged := 0
	for _, c := range calls(t) {
		valid := bodies()[c.OperationID]
		send := func(body string, header ...string) answer {
			return s.send(c.method, c.at("shop-1"), body, append([]string{"Authorization", "Bearer " + adminKey, "Content-Type",
				typeJSON}, header...)...)
		}
		if c.OperationID == "placeTopups" {
			valid = bodies()["placeTopup"]
			send = func(body string, header ...string) answer {
				a := s.send(c.method, c.path, body, append([]string{"Authorization", "Bearer " + adminKey, "Content-Type", typeND},
					header...)...)
				if a.status != http.StatusOK {
					return a
				}
				all := lines(t, a)
				if len(all) != 1 {
					t.Fatalf("%d lines: %s", len(all), a.body)
				}
				return answer{tb: t, status: all[0].Status, body: a.body}
			}
		} else if c.RequestBody == nil || c.RequestBody.Content[typeJSON] == nil {
			continue
		}
		if valid == "" {
			t.Fatalf("%s: what is a valid body of it?", c)
		}
		judged++
		for what, wrong := range wrongs {
			t.Run(c.OperationID+"/"+what, func(t *testing.T) {
				got := send(wrong.make(valid))
				if got.status != wrong.status || !strings.Contains(string(got.body), wrong.says) || len(got.body) > 4000 {
					t.Errorf("%.200q is answered with %d %.2000s; want %d and %q", wrong.make(valid), got.status, got.body,
						wrong.status, wrong.says)
				}
			})
		}
		t.Run(c.OperationID+"/byte order mark", func(t *testing.T) {
			marked, plain := send("\ufeff"+valid), send(valid)
			if marked.status != plain.status && (marked.status != http.StatusAccepted || plain.status != http.StatusOK) {
				t.Errorf("%d %s, and without the mark %d %s", marked.status, marked.body, plain.status, plain.body)
			}
		})
	}
	if want := len(bodies()) + 1; judged != want {
		t.Errorf("%d operations are judged, want %d", judged, want)
	}
}

// TestNoBodyIsReadCompressed: every operation with a body says that it does not read a Content-Encoding.
func TestNoBodyIsReadCompressed(t *testing.T) {
	s := whole(t, sqliteIn(t))
	for _, c := range calls(t) {
		if c.RequestBody == nil {
			continue
		}
		for kind := range c.RequestBody.Content {
			var body bytes.Buffer
			w := gzip.NewWriter(&body)
			_, err := io.WriteString(w, bodies()[c.OperationID])
			if err := errors.Join(err, w.Close()); err != nil {
				t.Fatal(err)
			}
			for _, coding := range []string{"gzip", "br", "deflate, gzip"} {
				got := s.send(c.method, c.at("shop-1"), body.String(), "Authorization", "Bearer "+adminKey, "Content-Type", kind,
					"Content-Encoding", coding)
				if got.want(http.StatusUnsupportedMediaType); !strings.Contains(string(got.body), "Content-Encoding") ||
					got.header.Get("Accept-Encoding") != "identity" {
					t.Errorf("%s %s %s: %v %s", c, kind, coding, got.header, got.body)
				}
			}
			if got := s.send(c.method, c.at("shop-1"), "x", "Authorization", "Bearer "+adminKey, "Content-Type", kind,
				"Content-Encoding", "identity"); got.status == 415 {
				t.Errorf("%s %s refuses identity", c, kind)
			}
		}
	}
}

// TestNoBodyIsIgnored: an operation that reads no body says so, where there is one.
func TestNoBodyIsIgnored(t *testing.T) {
	s := whole(t, sqliteIn(t))
	for _, c := range calls(t) {
		if c.RequestBody != nil || c.method == http.MethodGet {
			continue
		}
		if got := s.do(c.method, adminKey, c.at("no-such"),
			`{"overlap":"1h"}`).want(http.StatusUnprocessableEntity); !strings.Contains(string(got.body), "reads none") {
			t.Errorf("%s: %s", c, got.body)
		}
		for _, nothing := range []string{"", " \n", "{}"} {
			if got := s.do(c.method, adminKey, c.at("no-such"), nothing); got.status != http.StatusNotFound {
				t.Errorf("%s with %q: %d %s", c, nothing, got.status, got.body)
			}
		}
	}
}

// TestTextsThatNoDatabaseHolds: NUL and broken UTF-8 in a path, a query or a body are the client's mistake, on both
// engines, and never that the book of record cannot be reached.
func TestTextsThatNoDatabaseHolds(t *testing.T) {
	engines := map[string]func(*testing.T) string{"sqlite": sqliteIn,
		"postgres": func(t *testing.T) string { return journaltest.Postgres(t).URL() }}
	for engine, database := range engines {
		t.Run(engine, func(t *testing.T) {
			s := whole(t, database(t))
			for _, c := range calls(t) {
				for _, text := range []string{"a%00b", "%00", "a%ffb", "%c3%28", "%ed%a0%80"} {
					body, valid := "", bodies()[c.OperationID]
					header := []string{"Authorization", "Bearer " + adminKey}
					if c.RequestBody != nil {
						body = valid
						header = append(header, "Content-Type", slices.Sorted(maps.Keys(c.RequestBody.Content))[0])
					}
					if strings.Contains(c.path, "{") {
						got := s.send(c.method, c.at(text), body, header...).want(http.StatusUnprocessableEntity)
						if p := got.problem(); !strings.HasPrefix(p.Errors[0].Location, "path.") {
							t.Errorf("%s: %s", c.at(text), got.body)
						}
					}
					for _, p := range c.Parameters {
						if p.In == "query" {
							got := s.send(c.method, c.at("ORD-1")+"?"+p.Name+"="+text, body, header...).want(http.StatusUnprocessableEntity)
							if named := got.problem().named(); !cmp.Equal(named, []string{"query." + p.Name}) {
								t.Errorf("%s?%s=%s: %s", c, p.Name, text, got.body)
							}
						}
					}
				}
			}
			for _, path := range []string{"/docs/%ff", "/docs/?a=%00", "/openapi.json?%00"} {
				s.send("GET", path, "").want(http.StatusUnprocessableEntity)
			}
			s.get(adminKey, "/v1/topups/ORD-1").want(http.StatusOK)
		})
	}
}

// TestLargeMistakesAreAnsweredShortly: 60 KB of mistakes cost little, and so does the answer.
func TestLargeMistakesAreAnsweredShortly(t *testing.T) {
	s := whole(t, sqliteIn(t))
	var unknown, repeated strings.Builder
	for i := range 2400 {
		fmt.Fprintf(&unknown, `,"x%d":"5537686660"`, i)
		fmt.Fprintf(&repeated, `,"reason":"a","amount":1`)
	}
	long := strings.Repeat("n", 60_000)
	for _, c := range calls(t) {
		if c.RequestBody == nil || c.RequestBody.Content[typeJSON] == nil {
			continue
		}
		for _, more := range []string{unknown.String(), repeated.String(), `,"` + long + `":1`, `,"reason":"` + long + `"`} {
			start := time.Now()
			got := s.do(c.method, adminKey, c.at("shop-1"), strings.TrimSuffix(bodies()[c.OperationID], "}")+more+"}")
			took := time.Since(start)
			if got.status != http.StatusUnprocessableEntity || len(got.body) > 10_000 || took > testkit.Patience ||
				strings.Contains(string(got.body), "553768") {
				t.Errorf("%s: %d, %d bytes after %s: %.300s", c, got.status, len(got.body), took, got.body)
			}
		}
	}
	p := s.post(adminKey, "/v1/callers",
		`{"name":"a"`+unknown.String()+"}").want(http.StatusUnprocessableEntity).problem()
	if len(p.Errors) != 20 || !strings.Contains(p.Detail, "20 wrong fields at most") {
		t.Errorf("%d are named: %s", len(p.Errors), p.Detail)
	}
}

// TestIdempotencyKey: one that is the order's id is what the id is; another one would promise what is not kept.
func TestIdempotencyKey(t *testing.T) {
	s := whole(t, sqliteIn(t))
	send := func(path, kind, body string, keys ...string) answer {
		header := []string{"Authorization", "Bearer " + adminKey, "Content-Type", kind}
		for _, key := range keys {
			header = append(header, "Idempotency-Key", key)
		}
		return s.send("POST", path, body, header...)
	}
	for _, key := range []string{"K-1", `"K-1"`} {
		if got := send("/v1/topups", typeJSON, order("K-1"), key); got.status != http.StatusAccepted &&
			got.status != http.StatusOK {
			t.Errorf("%s: %d %s", key, got.status, got.body)
		}
	}
	for _, key := range []string{"K-2", "k-1", `"K-2"`, "4f0c2a5e-98a1-4a5f-9d5e-6d3f3a0a9c11"} {
		got := send("/v1/topups", typeJSON, order("K-1"), key).want(http.StatusUnprocessableEntity).problem()
		if !cmp.Equal(got.named(), []string{"header.Idempotency-Key"}) {
			t.Errorf("%s: %+v", key, got)
		}
	}
	send("/v1/topups", typeJSON, order("K-3"), "other").want(http.StatusUnprocessableEntity)
	s.get(adminKey, "/v1/topups/K-3").want(http.StatusNotFound)
	for _, c := range calls(t) {
		if c.method == http.MethodGet || c.OperationID == "placeTopup" {
			continue
		}
		got := s.send(c.method, c.at("ORD-1"), bodies()[c.OperationID], "Authorization", "Bearer "+adminKey,
			"Idempotency-Key", "ORD-1")
		if p := got.want(http.StatusUnprocessableEntity).problem(); !cmp.Equal(p.named(),
			[]string{"header.Idempotency-Key"}) {
			t.Errorf("%s: %s", c, got.body)
		}
	}
	s.send("GET", "/v1/products", "", "Authorization", "Bearer "+adminKey, "Idempotency-Key", "any").want(http.StatusOK)
}

// TestOtherOriginsAreNotServed: no answer lets a page of another origin read it, and its browser's question is
// refused.
func TestOtherOriginsAreNotServed(t *testing.T) {
	s := whole(t, sqliteIn(t))
	for _, c := range calls(t) {
		asked := s.send("OPTIONS", c.at("ORD-1"), "", "Origin", "https://evil.example", "Access-Control-Request-Method",
			c.method).want(http.StatusMethodNotAllowed)
		got := s.send(c.method, c.at("ORD-1"), "", "Origin", "https://evil.example", "Authorization", "Bearer "+adminKey)
		for _, a := range []answer{asked, got} {
			for name := range a.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s answers with %s", c, name)
				}
			}
		}
	}
}

// TestHead: it is answered as GET is, without the body.
func TestHead(t *testing.T) {
	s := whole(t, sqliteIn(t))
	for _, path := range []string{"/v1/topups/ORD-1", "/v1/topups", "/v1/products", "/v1/export", "/openapi.json",
		"/v1/topups/NONE", "/v1/topups?no_such=1"} {
		head, get := s.send("HEAD", path, "", "Authorization", "Bearer "+adminKey), s.get(adminKey, path)
		if head.status != get.status || head.header.Get("Content-Type") != get.header.Get("Content-Type") ||
			len(head.body) > 0 {
			t.Errorf("HEAD %s: %d %v, GET: %d %v", path, head.status, head.header, get.status, get.header)
		}
	}
	if got := s.send("HEAD", "/v1/topups/ORD-1/cancel", "", "Authorization",
		"Bearer "+adminKey); got.status != http.StatusMethodNotAllowed {
		t.Errorf("HEAD of a POST is answered with %d", got.status)
	}
}
