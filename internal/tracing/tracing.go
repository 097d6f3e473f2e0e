// Package tracing switches OpenTelemetry on, by its own settings, for the whole program. It alone knows
// the SDK: all others make spans with the API, which does nothing until then.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// flushTimeout bounds what a stop waits for the last spans to be sent.
const flushTimeout = 5 * time.Second

// Config is what Start works with.
type Config struct {
	// Getenv is the environment. Only what switches tracing on is asked of it: the SDK reads the
	// rest from the process's own.
	Getenv func(string) string
	// Service is the name of the service where OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES give none.
	Service, Version string
	// Console is where OTEL_TRACES_EXPORTER=console writes spans.
	Console io.Writer
	Log     *slog.Logger
}

// Start switches tracing on where the settings ask for it: OTEL_TRACES_EXPORTER is otlp or console, or
// not set while an OTLP endpoint is; and OTEL_SDK_DISABLED is not true. Otherwise it does nothing. It
// returns the logger to use, which says in which trace a line was written, and a function that sends the
// last spans, to call when all else has ended. Its errors name the setting.
func Start(ctx context.Context, cfg Config) (log *slog.Logger, stop func(), err error) {
	names, err := exporters(cfg.Getenv)
	if err != nil || len(names) == 0 {
		return cfg.Log, func() {}, err
	}
	// Before anything of the SDK, which tells of settings that it does not understand in this way only.
	otel.SetLogger(logr.FromSlogHandler(cfg.Log.Handler()))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { cfg.Log.Warn("tracing", "error", err) }))
	options := []sdk.TracerProviderOption{sdk.WithResource(describe(ctx, cfg))}
	for _, name := range names {
		exporter, err := build(ctx, name, cfg.Console)
		if err != nil {
			return cfg.Log, func() {}, fmt.Errorf("OTEL_TRACES_EXPORTER=%s: %w", name, err)
		}
		options = append(options, sdk.WithBatcher(exporter)) // never waits: it drops spans when it is full
	}
	provider := sdk.NewTracerProvider(options...)
	otel.SetTracerProvider(provider)
	// Baggage is not passed on: what others put into it is none of the vendor's business.
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return slog.New(logHandler{cfg.Log.Handler()}), func() { flush(provider, cfg.Log) }, nil
}

func flush(provider *sdk.TracerProvider, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := provider.Shutdown(ctx); err != nil {
		log.Warn("last spans not sent", "error", err)
	}
}

const (
	exporterOTLP    = "otlp"
	exporterConsole = "console"
	exporterNone    = "none"
)

// exporters are those that the settings name; none means that tracing is off.
func exporters(getenv func(string) string) (names []string, err error) {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, nil
	}
	chosen := getenv("OTEL_TRACES_EXPORTER")
	if chosen == "" && (getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "") {
		chosen = exporterOTLP
	}
	for name := range strings.SplitSeq(chosen, ",") {
		switch name = strings.TrimSpace(name); name {
		case "", exporterNone:
		case exporterOTLP, exporterConsole:
			names = append(names, name)
		default:
			return nil, fmt.Errorf("OTEL_TRACES_EXPORTER (from environment) is %q; must be %s, %s or %s", name, exporterOTLP, exporterConsole, exporterNone)
		}
	}
	if slices.Contains(names, exporterOTLP) {
		err = checkOTLP(getenv)
	}
	return names, err
}

// checkOTLP refuses what the exporter would take for something else: spans in another protocol, or sent
// to its default endpoint.
func checkOTLP(getenv func(string) string) error {
	const only = "http/protobuf"
	var errs []error
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if value := getenv(name); value != "" && value != only {
			errs = append(errs, fmt.Errorf("%s (from environment) is %q; must be %s", name, value, only))
		}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		u, err := url.Parse(getenv(name))
		if value := getenv(name); value != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			errs = append(errs, fmt.Errorf("%s (from environment) is %q; must be an http or https URL", name, value))
		}
	}
	return errors.Join(errs...)
}

func build(ctx context.Context, name string, console io.Writer) (sdk.SpanExporter, error) {
	if name == exporterConsole {
		return stdouttrace.New(stdouttrace.WithWriter(console))
	}
	return otlptracehttp.New(ctx)
}

// describe says which program the spans come from. What cannot be found out is left out.
func describe(ctx context.Context, cfg Config) *resource.Resource {
	described, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithProcessPID(),
		resource.WithAttributes(semconv.ServiceName(cfg.Service), semconv.ServiceVersion(cfg.Version)),
		resource.WithFromEnv()) // last, so that it wins
	if err != nil {
		otel.Handle(err)
	}
	return described
}

// Handler gives every request whose path has the prefix a span, in the trace that its traceparent names.
// Without tracing it is next.
func Handler(next http.Handler, prefix string) http.Handler {
	if len(otel.GetTextMapPropagator().Fields()) == 0 {
		return next
	}
	return otelhttp.NewHandler(next, "", otelhttp.WithFilter(func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, prefix) }))
}
