package tracing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"

	"recarga/internal/tracing"
)

func config(env map[string]string, out, log *bytes.Buffer) tracing.Config {
	return tracing.Config{
		Getenv: func(name string) string { return env[name] }, Service: "recarga-test", Version: "v1",
		Console: out, Log: slog.New(slog.NewJSONHandler(log, nil)),
	}
}

// TestStart: off, and then on, which lasts for the rest of the process.
func TestStart(t *testing.T) {
	t.Run("off unless asked for", testOff)
	t.Run("mistakes", testMistakes)
	t.Run("on the console", testConsole)
	t.Run("by gRPC", testGRPC)
}

func testOff(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"nothing set":    {},
		"exporter none":  {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
		"disabled":       {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"},
		"only a service": {"OTEL_SERVICE_NAME": "shop"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(env, nil, new(bytes.Buffer))
			log, stop := tracing.Start(t.Context(), cfg)
			stop()
			if log != cfg.Log || len(otel.GetTextMapPropagator().Fields()) != 0 {
				t.Error("tracing is on")
			}
			if next := http.NewServeMux(); tracing.Handler(next, "/") != http.Handler(next) {
				t.Error("requests are traced")
			}
		})
	}
}

// testMistakes: a mistake in the settings of traces is a warning that names it, and stops nothing.
func testMistakes(t *testing.T) {
	tests := []struct{ env, name, value string }{
		{"zipkin", "OTEL_TRACES_EXPORTER", "zipkin"},
		{"otlp", "OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"},
		{"otlp", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "carrier pigeon"},
		{"otlp", "OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"},
	}
	for _, test := range tests {
		env := map[string]string{"OTEL_TRACES_EXPORTER": test.env}
		env[test.name] = test.value
		var lines bytes.Buffer
		cfg := config(env, nil, &lines)
		log, stop := tracing.Start(t.Context(), cfg)
		stop()
		if log != cfg.Log || len(otel.GetTextMapPropagator().Fields()) != 0 {
			t.Errorf("%s=%s: tracing is on", test.name, test.value)
		}
		if said := lines.String(); !strings.Contains(said, `"WARN"`) || !strings.Contains(said, test.value) {
			t.Errorf("%s=%s: logged %s", test.name, test.value, said)
		}
		if _, err := tracing.Collector(cfg.Getenv); err == nil || !strings.Contains(err.Error(), test.value) {
			t.Errorf("%s=%s: %v", test.name, test.value, err)
		}
	}
}

func TestCollector(t *testing.T) {
	for want, env := range map[string]map[string]string{
		"":               {},
		"localhost:4318": {"OTEL_TRACES_EXPORTER": "otlp"},
		"localhost:4317": {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
		"c.example:443":  {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c.example/x"},
		"t.example:4317": {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c.example",
			"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t.example:4317"},
	} {
		got, err := tracing.Collector(func(name string) string { return env[name] })
		if err != nil || got != want {
			t.Errorf("%v: %q, %v; want %q", env, got, err, want)
		}
	}
}

// collector takes spans by OTLP over gRPC.
type collector struct {
	collectortrace.UnimplementedTraceServiceServer
	mu    sync.Mutex
	names []string
}

func (c *collector) Export(_ context.Context,
	r *collectortrace.ExportTraceServiceRequest) (*collectortrace.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range r.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.names = append(c.names, span.GetName())
			}
		}
	}
	return &collectortrace.ExportTraceServiceResponse{}, nil
}

func testGRPC(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, spans := grpc.NewServer(), &collector{}
	collectortrace.RegisterTraceServiceServer(server, spans)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + listener.Addr().String(),
		"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
	for name, value := range env {
		t.Setenv(name, value) // the exporter reads the process's own
	}
	var lines bytes.Buffer
	_, stop := tracing.Start(t.Context(), config(env, nil, &lines))
	_, span := otel.Tracer("test").Start(t.Context(), "by gRPC")
	span.End()
	stop()
	if !slices.Contains(spans.names, "by gRPC") {
		t.Errorf("the collector has %q; log %s", spans.names, &lines)
	}
}

func testConsole(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging")
	var spans, lines bytes.Buffer
	log, stop := tracing.Start(t.Context(), config(map[string]string{"OTEL_TRACES_EXPORTER": "console"}, &spans, &lines))
	handler := tracing.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		log.InfoContext(r.Context(), "served")
	}), "/v1/")
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	for _, path := range []string{"/v1/topups?phone_number=5537686660", "/queues"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	stop()
	first, second, _ := strings.Cut(strings.TrimSpace(lines.String()), "\n")
	var line struct {
		TraceID string `json:"trace_id"`
	}
	if err := json.Unmarshal([]byte(first), &line); err != nil || line.TraceID != trace ||
		strings.Contains(second, "trace_id") {
		t.Errorf("log %s %v", lines.String(), err)
	}
	for text, want := range map[string]int{`"TraceID":"` + trace: 2, `recarga-test`: 1, "staging": 1, "5537686660": 0} {
		if got := strings.Count(strings.ReplaceAll(spans.String(), ": ", ":"), text); got != want {
			t.Errorf("%q is %d times in the spans, want %d: %s", text, got, want, spans.String())
		}
	}
}
