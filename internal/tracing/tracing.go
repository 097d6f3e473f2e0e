// Package tracing switches OpenTelemetry on, by its own settings, for the whole program. No other package knows the
// SDK: the others make spans with the API, which does nothing until then.
package tracing

import (
	"cmp"
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
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"recarga/internal/origin"
)

// flushTimeout bounds what a stop waits for the last spans to be sent.
const flushTimeout = 5 * time.Second

// Config is what Start works with.
type Config struct {
	// Getenv is the environment. Only what switches tracing on and chooses the exporter is asked of it: the SDK
	// reads the rest from the process's own.
	Getenv func(string) string
	// Service is the name of the service where OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES give none; Version is
	// its version.
	Service, Version string
	// Console is where OTEL_TRACES_EXPORTER=console writes spans.
	Console io.Writer
	// Log gets the warnings of the SDK, too.
	Log *slog.Logger
}

// Start switches tracing on where the settings ask for it: OTEL_TRACES_EXPORTER is otlp or console, or
// not set while an OTLP endpoint is; and OTEL_SDK_DISABLED is not true. Otherwise it does nothing. It
// returns the logger to use, which says in which trace a line was written, and a function that sends the
// last spans, to call when all else has ended. An exporter that cannot start is a warning that names the setting:
// nothing that only watches the program may stop it.
func Start(ctx context.Context, cfg Config) (log *slog.Logger, stop func()) {
	names, wrong := exporters(cfg.Getenv)
	var options []sdk.TracerProviderOption
	for _, name := range names {
		exporter, err := build(ctx, name, cfg)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("OTEL_TRACES_EXPORTER=%s: %w", name, err))
			continue
		}
		options = append(options, sdk.WithBatcher(exporter)) // never waits: it drops spans when it is full
	}
	for _, err := range wrong {
		cfg.Log.Warn("traces not exported", "error", err)
	}
	if len(options) == 0 {
		return cfg.Log, func() {}
	}
	// Before anything of the SDK, which reports settings that it does not understand in this way only.
	otel.SetLogger(logr.FromSlogHandler(cfg.Log.Handler()))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { cfg.Log.Warn("tracing", "error", err) }))
	provider := sdk.NewTracerProvider(append(options, sdk.WithResource(describe(ctx, cfg)))...)
	otel.SetTracerProvider(provider)
	// Baggage is not passed on: what others put into it is not for the vendor.
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return slog.New(logHandler{cfg.Log.Handler()}), func() { flush(provider, cfg.Log) }
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

// exporters are those that the settings name, and what is wrong with others; no name means that tracing is off.
func exporters(getenv func(string) string) (names []string, wrong []error) {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, nil
	}
	chosen := getenv("OTEL_TRACES_EXPORTER")
	if chosen == "" && endpoint(getenv) != "" {
		chosen = exporterOTLP
	}
	for name := range strings.SplitSeq(chosen, ",") {
		switch name = strings.TrimSpace(name); name {
		case "", exporterNone:
		case exporterConsole:
			names = append(names, name)
		case exporterOTLP:
			if err := checkOTLP(getenv); err != nil {
				wrong = append(wrong, err)
			} else {
				names = append(names, name)
			}
		default:
			const allowed = exporterOTLP + ", " + exporterConsole + " or " + exporterNone
			err := fmt.Errorf("OTEL_TRACES_EXPORTER (from environment) is %q; must be %s", name, allowed)
			wrong = append(wrong, err)
		}
	}
	return names, wrong
}

const (
	protocolHTTP = "http/protobuf"
	protocolGRPC = "grpc"
)

// protocol and endpoint are of the OTLP exporter; what is set for traces alone comes first.
func protocol(getenv func(string) string) string {
	return cmp.Or(getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), protocolHTTP)
}

func endpoint(getenv func(string) string) string {
	return cmp.Or(getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
}

// checkOTLP refuses what the exporter would take for something else: spans in another protocol, or sent
// to its default endpoint.
func checkOTLP(getenv func(string) string) error {
	var errs []error
	if value := protocol(getenv); value != protocolHTTP && value != protocolGRPC {
		errs = append(errs, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL (from environment) is %q; must be %s or %s",
			value, protocolHTTP, protocolGRPC))
	}
	if value := endpoint(getenv); value != "" {
		if u, err := url.Parse(value); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			const wrong = "OTEL_EXPORTER_OTLP_ENDPOINT (from environment) is %q; must be an http or https URL"
			errs = append(errs, fmt.Errorf(wrong, value))
		}
	}
	return errors.Join(errs...)
}

func build(ctx context.Context, name string, cfg Config) (sdk.SpanExporter, error) {
	switch {
	case name == exporterConsole:
		return stdouttrace.New(stdouttrace.WithWriter(cfg.Console))
	case protocol(cfg.Getenv) == protocolGRPC:
		return otlptracegrpc.New(ctx)
	}
	return otlptracehttp.New(ctx)
}

// Collector is the host and port that spans are sent to by OTLP; empty where none are. The error says why some that
// the settings ask for are not sent.
func Collector(getenv func(string) string) (address string, err error) {
	names, wrong := exporters(getenv)
	if !slices.Contains(names, exporterOTLP) {
		return "", errors.Join(wrong...)
	}
	standard := map[string]string{protocolHTTP: "http://localhost:4318", protocolGRPC: "http://localhost:4317"}
	u, err := url.Parse(cmp.Or(endpoint(getenv), standard[protocol(getenv)]))
	if err != nil {
		return "", err
	}
	return origin.HostPort(u), errors.Join(wrong...)
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
	filter := func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, prefix) }
	return otelhttp.NewHandler(next, "", otelhttp.WithFilter(filter))
}
