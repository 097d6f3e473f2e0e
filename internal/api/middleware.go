package api

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"recarga/internal/params"
	"recarga/topup"
)

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

type requestIDKey struct{}

// requestID is what ties the log lines of a request together; the client sees it as X-Request-Id.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// observed gives every request an id and a log line (at debug only: the path names an order), and
// turns a panic into a problem.
func (s *Server) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := r.Header.Get("X-Request-Id")
		if !requestIDPattern.MatchString(id) {
			id = rand.Text()
		}
		w.Header().Set("X-Request-Id", id)
		ctx := context.WithValue(r.Context(), requestIDKey{}, id)
		answer := &answerWriter{ResponseWriter: w}
		r = r.WithContext(ctx)
		defer func() { s.cfg.Observe(Served{Route: r.Pattern, Status: answer.status, Took: time.Since(start)}) }() // the mux sets the pattern
		defer s.recovered(ctx, answer)
		next.ServeHTTP(answer, r)
		s.log.LogAttrs(ctx, slog.LevelDebug, "request served", slog.String("request", id), slog.String("method", r.Method),
			slog.String("path", r.URL.Path), slog.Int("status", answer.status), slog.Duration("took", time.Since(start)))
	})
}

// recovered answers a panic with 500, or cuts the connection when the answer has begun, so that half
// an answer is not taken for a whole one.
func (s *Server) recovered(ctx context.Context, w *answerWriter) {
	p := recover()
	if p == nil {
		return
	}
	cause, _ := p.(error)
	aborted := errors.Is(cause, http.ErrAbortHandler)
	if !aborted {
		s.logPanic(ctx, p)
	}
	if aborted || w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	writeProblem(w, fault())
}

func (s *Server) logPanic(ctx context.Context, p any) {
	s.log.ErrorContext(ctx, "request panicked", "request", requestID(ctx), "panic", p, "stack", string(debug.Stack()))
}

func fault() error {
	return huma.Error500InternalServerError("a fault of ours; it is in the log under the X-Request-Id")
}

// answerWriter remembers the status; 0 until the answer has begun.
type answerWriter struct {
	http.ResponseWriter
	status int
}

func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *answerWriter) Write(data []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(data)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// route serves a request, with problems instead of the mux's plain texts.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	handler, pattern := s.mux.Handler(r)
	if pattern != "" {
		nameSpan(r.Context(), pattern)
		s.mux.ServeHTTP(w, r)
		return
	}
	refusal := &discard{header: http.Header{}}
	handler.ServeHTTP(refusal, r)
	if refusal.status != http.StatusMethodNotAllowed {
		writeProblem(w, huma.Error404NotFound("there is nothing at this path; see /docs"))
		return
	}
	allowed := refusal.header.Get("Allow")
	writeProblem(w, withHeader(huma.Error405MethodNotAllowed("this path allows "+allowed), "Allow", allowed))
}

// nameSpan names a request's span, if there is one, by its route.
func nameSpan(ctx context.Context, pattern string) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetName(pattern)
	if _, route, ok := strings.Cut(pattern, " "); ok {
		span.SetAttributes(semconv.HTTPRoute(route))
	}
}

// discard keeps status and headers of an answer, and drops the rest.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header            { return d.header }
func (d *discard) WriteHeader(status int)         { d.status = status }
func (d *discard) Write(data []byte) (int, error) { return len(data), nil }

// checkMedia refuses a body of another media type than the operation's. An absent type is refused
// too: what is in the body would be a guess.
func checkMedia(ctx huma.Context, next func(huma.Context)) {
	if body := ctx.Operation().RequestBody; body != nil {
		given, _, _ := mime.ParseMediaType(ctx.Header("Content-Type"))
		if body.Content[given] == nil {
			refuse(ctx, huma.Error415UnsupportedMediaType("Content-Type must be "+mediaOf(body)))
			return
		}
	}
	next(ctx)
}

func mediaOf(body *huma.RequestBody) string {
	return strings.Join(slices.Sorted(maps.Keys(body.Content)), " or ")
}

// checkQuery refuses query parameters that the operation's description has not got, and one that comes twice: a
// filter that is ignored would answer another question than was asked.
func checkQuery(ctx huma.Context, next func(huma.Context)) {
	var names []string
	for _, p := range ctx.Operation().Parameters {
		if p.In == "query" {
			names = append(names, p.Name)
		}
	}
	u := ctx.URL()
	if wrong := params.CheckQuery(u.RawQuery, names...); len(wrong) > 0 {
		refuse(ctx, invalid("query", wrong))
		return
	}
	next(ctx)
}

// refuseQuery does so for what is no operation.
func refuseQuery(w http.ResponseWriter, _ *http.Request, wrong []*topup.FieldError) {
	writeProblem(w, invalid("query", wrong))
}
