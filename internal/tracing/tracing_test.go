package tracing_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"

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
	t.Run("on the console", testConsole)
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
			log, stop, err := tracing.Start(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
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

func TestRefusesWhatItCannotDo(t *testing.T) {
	tests := []struct{ env, name, value string }{
		{"zipkin", "OTEL_TRACES_EXPORTER", "zipkin"},
		{"otlp", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
		{"otlp", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"},
		{"otlp", "OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"},
	}
	for _, test := range tests {
		env := map[string]string{"OTEL_TRACES_EXPORTER": test.env}
		env[test.name] = test.value
		_, _, err := tracing.Start(t.Context(), config(env, nil, new(bytes.Buffer)))
		if err == nil || !strings.Contains(err.Error(), test.name) || !strings.Contains(err.Error(), test.value) {
			t.Errorf("%s=%s: %v", test.name, test.value, err)
		}
	}
}

func testConsole(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging")
	var spans, lines bytes.Buffer
	log, stop, err := tracing.Start(t.Context(), config(map[string]string{"OTEL_TRACES_EXPORTER": "console"}, &spans, &lines))
	if err != nil {
		t.Fatal(err)
	}
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
	if err := json.Unmarshal([]byte(first), &line); err != nil || line.TraceID != trace || strings.Contains(second, "trace_id") {
		t.Errorf("log %s %v", lines.String(), err)
	}
	for text, want := range map[string]int{`"TraceID":"` + trace: 2, `recarga-test`: 1, "staging": 1, "5537686660": 0} {
		if got := strings.Count(strings.ReplaceAll(spans.String(), ": ", ":"), text); got != want {
			t.Errorf("%q is %d times in the spans, want %d: %s", text, got, want, spans.String())
		}
	}
}
