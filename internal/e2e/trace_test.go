package e2e

import (
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hibiken/asynq"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/tasks"
	"recarga/topup"
)

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

// span is what a collector has of one.
type span struct {
	name, service, trace, id, parent string
	attributes                       map[string]string
}

// spanCollector is an OTLP collector: the traces that were sent to it.
type spanCollector struct {
	url string

	mu    sync.Mutex
	spans []span
	raw   []byte
}

func newSpanCollector(t testing.TB) *spanCollector {
	t.Helper()
	c := &spanCollector{}
	c.url = serve(t, c)
	return c
}

func (c *spanCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var sent collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &sent) != nil {
		http.Error(w, "no OTLP", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw = append(c.raw, body...)
	for _, resource := range sent.GetResourceSpans() {
		service := ""
		for _, a := range resource.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				service = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				found := span{
					name: s.GetName(), service: service, attributes: map[string]string{},
					trace: hex.EncodeToString(s.GetTraceId()), id: hex.EncodeToString(s.GetSpanId()), parent: hex.EncodeToString(
						s.GetParentSpanId()),
				}
				for _, a := range s.GetAttributes() {
					found.attributes[a.GetKey()] = a.GetValue().GetStringValue()
				}
				c.spans = append(c.spans, found)
			}
		}
	}
}

// sent is all that was sent to it, as it was sent.
func (c *spanCollector) sent() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.raw)
}

// trace are the spans of a trace by service and name.
func (c *spanCollector) trace(id string) map[string]span {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := map[string]span{}
	for _, s := range c.spans {
		if s.trace == id {
			found[s.service+": "+s.name] = s
		}
	}
	return found
}

// by is a span by service and name.
func (c *spanCollector) by(name string) (span, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.spans, func(s span) bool { return s.service+": "+s.name == name })
	if i < 0 {
		return span{}, false
	}
	return c.spans[i], true
}

// of is the trace that an order's enqueueing belongs to.
func (c *spanCollector) of(id topup.ID) (trace string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.attributes[topup.TraceOrder] == string(id) {
			return s.trace
		}
	}
	return ""
}

// headers are the trace headers that came to a server, and what each was for.
type headers struct {
	mu   sync.Mutex
	seen []http.Header
	of   []string
}

func (h *headers) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.seen, h.of = append(h.seen, r.Header.Clone()), append(h.of, r.URL.Path)
		h.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// values are those of a header, in requests whose path ends with suffix.
func (h *headers) values(name, suffix string) (values []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, header := range h.seen {
		if strings.HasSuffix(h.of[i], suffix) {
			values = append(values, header.Values(name)...)
		}
	}
	return values
}

// watched is a world in which it is seen what headers the vendor and the receiver get.
func watched(t testing.TB) (w *world, vendor, hooks *headers) {
	t.Helper()
	vendor, hooks = &headers{}, &headers{}
	w = newWorld(t, nil)
	w.env["RECARGA_DISTRIBUTOR_URL"] = serve(t, vendor.watch(w.vendor)) + "/api/distributor"
	w.env["RECARGA_CALLBACK_URL"] = serve(t, hooks.watch(w.receiver))
	return w, vendor, hooks
}

// tracingCaller is an HTTP client of a checkout that traces.
type tracingCaller struct{}

func (tracingCaller) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("traceparent", "00-"+callersTrace+"-"+callersSpan+"-01")
	r.Header.Set("tracestate", "shop=1")
	r.Header.Set("baggage", "customer=5537686660")
	return http.DefaultTransport.RoundTrip(r)
}

func callTraced(p *process) *producer.Client {
	return clientOf(p.apiURL, apiKey, producer.WithHTTPClient(&http.Client{Transport: tracingCaller{}}))
}

// TestOneTrace: from the caller's request over the queue and the vendor to the webhook's receiver, in
// processes of their own.
func TestOneTrace(t *testing.T) {
	t.Parallel()
	w, vendor, hooks := watched(t)
	spans := newSpanCollector(t)
	w.env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL()
	w.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = spans.url
	w.env["OTEL_BSP_SCHEDULE_DELAY"] = "100"
	api, worker := w.start(t, "api"), w.start(t, "worker")
	place(t, callTraced(api), order("TRACED", "5500001091")) // 91 twice, then approved
	w.notified(t, settled(t, api.client(), "TRACED"))

	chain := []string{
		"recarga-api: POST /v1/topups", "recarga-api: enqueue topups", "recarga-worker: process topups",
		"recarga-worker: POST webhook",
	}
	var trace map[string]span
	testkit.Eventually(t, patience, func() bool {
		trace = spans.trace(callersTrace)
		notified, task := trace["recarga-worker: POST webhook"], trace["recarga-worker: process topups"]
		return task.id != "" && notified.parent == task.id && len(trace) == len(chain)+1
	}, "the trace is whole")
	parent := callersSpan
	for _, name := range chain {
		s, ok := trace[name]
		if !ok || s.parent != parent {
			t.Errorf("%q is a child of %q, want %q; there are %q", name, s.parent, parent, slices.Sorted(maps.Keys(trace)))
		}
		if got := s.attributes[topup.TraceOrder]; got != "TRACED" {
			t.Errorf("%q is about order %q", name, got)
		}
		parent = s.id
	}
	purchase := trace["recarga-worker: POST product_purchase"]
	if purchase.parent != trace["recarga-worker: process topups"].id ||
		purchase.attributes[topup.TraceOutcome] != "approved" || purchase.attributes[topup.TraceCode] != "00" {
		t.Errorf("the last purchase: %+v", purchase)
	}

	got := vendor.values("traceparent", "/product_purchase")
	strangers := slices.DeleteFunc(slices.Clone(got),
		func(s string) bool { return strings.HasPrefix(s, "00-"+callersTrace+"-") })
	if len(got) != 3 || len(strangers) > 0 || got[2] != "00-"+callersTrace+"-"+purchase.id+"-01" {
		t.Errorf("the vendor was sent %q, want three attempts of one trace, the last %s", got, purchase.id)
	}
	if got, want := hooks.values("traceparent", ""), []string{"00-" + callersTrace + "-" + parent +
		"-01"}; !slices.Equal(got, want) {
		t.Errorf("the receiver was sent %q, want %q", got, want)
	}
	if more := slices.Concat(vendor.values("tracestate", ""), vendor.values("baggage", ""),
		hooks.values("baggage", "")); len(more) > 0 {
		t.Errorf("others' data went on: %q", more)
	}
	for _, p := range []*process{api, worker} {
		for _, msg := range []string{"order accepted", "order changed", "webhook delivered"} {
			for line := range strings.SplitSeq(p.log(), "\n") {
				if strings.Contains(line, `"`+msg+`"`) && !strings.Contains(line, `"trace_id":"`+callersTrace+`"`) {
					t.Errorf("the line is not tied to the trace: %s", line)
				}
			}
		}
	}
	noSecrets(t, strings.ReplaceAll(spans.sent(), "5500001091", "5500000091"))
}

// TestTraceOfOtherProducers: a task without headers, and each line of a batch, are traced as well.
func TestTraceOfOtherProducers(t *testing.T) {
	t.Parallel()
	w, _, hooks := watched(t)
	spans := newSpanCollector(t)
	redis := testkit.Redis(t)
	w.env["RECARGA_REDIS_URL"] = redis.URL()
	w.env["OTEL_TRACES_EXPORTER"] = "otlp"
	w.env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = spans.url + "/v1/traces"
	w.env["OTEL_BSP_SCHEDULE_DELAY"] = "100"
	w.env["OTEL_SERVICE_NAME"] = "topups"
	p := w.start(t, "serve")
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: redis.Addr()})
	defer func() { _ = client.Close() }()
	task, err := tasks.NewPurchase(order("OLD", "5537686660"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Enqueue(task); err != nil {
		t.Fatal(err)
	}
	if _, err := callTraced(p).PlaceMany(t.Context(), []topup.Request{order("B-1", "5537686660"), order("B-2",
		"5537686660")}); err != nil {
		t.Fatal(err)
	}
	for id, wantTrace := range map[topup.ID]bool{"OLD": false, "B-1": true, "B-2": true} {
		testkit.Eventually(t, patience, func() bool { return spans.of(id) != "" }, "%s has a trace", id)
		if got := spans.of(id); (got == callersTrace) != wantTrace {
			t.Errorf("%s belongs to trace %s", id, got)
		}
	}
	testkit.Eventually(t, patience, func() bool { return len(hooks.values("traceparent", "")) == 3 }, "all are notified")
}

// TestTraceOfASweep: an order whose task is lost gets a trace of its own, to be found by the order's id.
func TestTraceOfASweep(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w, _, _ := watched(t)
	spans := newSpanCollector(t)
	w.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = spans.url
	w.env["OTEL_BSP_SCHEDULE_DELAY"] = "100"
	api := w.start(t, "api") // its embedded queue is seen by nobody else
	place(t, callTraced(api), order("SWEPT", "5537686660"))
	w.env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL()
	w.start(t, "worker")
	w.notified(t, settled(t, api.client(), "SWEPT"))
	testkit.Eventually(t, patience, func() bool {
		wake, ok := spans.by("recarga-worker: enqueue topups")
		task, _ := spans.by("recarga-worker: process topups")
		return ok && wake.trace != callersTrace && wake.parent == "" && wake.attributes[topup.TraceOrder] == "SWEPT" &&
			task.parent == wake.id
	}, "the sweep's trace is whole")
}

// TestNoTrace: without OTEL_… nothing is sent, whatever the caller sends.
func TestNoTrace(t *testing.T) {
	t.Parallel()
	w, vendor, hooks := watched(t)
	redis := testkit.Redis(t)
	w.env["RECARGA_REDIS_URL"] = redis.URL()
	api := w.start(t, "api")
	place(t, callTraced(api), order("PLAIN", "5537686660"))
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: redis.Addr()})
	defer func() { _ = inspector.Close() }()
	if task, err := inspector.GetTaskInfo(tasks.QueueTopups, "PLAIN"); err != nil || len(task.Headers) > 0 {
		t.Errorf("task %+v, %v; want one without headers", task, err)
	}
	worker := w.start(t, "worker")
	w.notified(t, settled(t, api.client(), "PLAIN"))
	if got := slices.Concat(vendor.values("traceparent", ""), hooks.values("traceparent", "")); len(got) > 0 {
		t.Errorf("sent on: %q", got)
	}
	if len(vendor.values("Authorization", "/product_purchase")) != 1 || len(hooks.values("Webhook-Id", "")) != 1 {
		t.Error("the test did not see the requests")
	}
	if strings.Contains(api.log()+worker.log(), "trace_id") {
		t.Error("the log has traces")
	}
}
