package api

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"path"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"recarga/internal/access"
	"recarga/internal/api/pages"
	"recarga/internal/api/problem"
	"recarga/internal/params"
	"recarga/topup"
)

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// observed gives every request an id and a log line (at debug only: the path names an order), and
// turns a panic into a problem. What waits does so on this stack, of which there may be many: so it holds little, and
// what needs more runs beside it.
func (s *Server) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		held := &hold{began: time.Now(), aside: strings.Contains(r.URL.RawQuery, waitParameter)}
		defer held.end()
		var answer *answerWriter
		held.run(func() { answer, r = s.begun(w, r, held) })
		defer s.observe(answer, r)
		defer s.recovered(r.Context(), answer)
		serveHeld(held, next, answer, r)
		s.logServed(answer, r)
	})
}

// begun is a request with its id, and its answer.
func (s *Server) begun(w http.ResponseWriter, r *http.Request, held *hold) (*answerWriter, *http.Request) {
	id := r.Header.Get("X-Request-Id")
	if !requestIDPattern.MatchString(id) {
		id = rand.Text()
	}
	w.Header().Set("X-Request-Id", id)
	ctx := access.WithClient(context.WithValue(r.Context(), holdKey{}, held), s.cfg.Proxies.Client(r))
	return &answerWriter{ResponseWriter: w, held: held}, r.WithContext(problem.WithRequestID(ctx, id))
}

// observe reports a request whose pattern the mux has set.
func (s *Server) observe(answer *answerWriter, r *http.Request) {
	took := time.Since(answer.held.began) - answer.held.waited
	s.cfg.Observe(Served{Route: r.Pattern, Status: answer.status, Took: took})
}

func (s *Server) logServed(answer *answerWriter, r *http.Request) {
	s.log.LogAttrs(r.Context(), slog.LevelDebug, "request served", slog.String("request", problem.RequestID(r.Context())),
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", answer.status),
		slog.Duration("took", time.Since(answer.held.began)))
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
	problem.Write(w, problem.Fault())
}

func (s *Server) logPanic(ctx context.Context, p any) {
	s.log.ErrorContext(ctx, "request panicked", "request", problem.RequestID(ctx), "panic", p,
		"stack", string(debug.Stack()))
}

// answerWriter remembers the status; 0 until the answer has begun.
type answerWriter struct {
	http.ResponseWriter
	status int
	held   *hold
}

// Header implements http.ResponseWriter. That of a request which is to wait is thrown away, as is the rest.
func (w *answerWriter) Header() http.Header {
	if w.held.asked() {
		return http.Header{}
	}
	return w.ResponseWriter.Header()
}

// WriteHeader implements http.ResponseWriter.
func (w *answerWriter) WriteHeader(status int) {
	if w.held.asked() {
		return
	}
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter: it begins an answer with 200.
func (w *answerWriter) Write(data []byte) (int, error) {
	if w.held.asked() {
		return len(data), nil
	}
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
	if strings.HasPrefix(r.URL.Path, "/v1/") && path.Clean(r.URL.Path) != r.URL.Path {
		pattern = "" // the mux would lead to another path, where something else may be done
	}
	if pattern != "" {
		nameSpan(r.Context(), pattern)
		s.mux.ServeHTTP(w, r)
		return
	}
	refusal := pages.Record(handler, r)
	if refusal.Status() != http.StatusMethodNotAllowed {
		problem.Write(w, problem.New(problem.PathNotFound, "there is nothing at this path; see /docs"))
		return
	}
	allowed := refusal.Header().Get("Allow")
	refused := problem.New(problem.MethodNotAllowed, "this path allows "+allowed)
	problem.Write(w, problem.WithHeader(refused, "Allow", allowed))
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

// checkMedia refuses a body of another media type than the operation's, and one that is compressed. An absent type is
// refused too: what is in the body would be a guess.
func checkMedia(ctx huma.Context, next func(huma.Context)) {
	body := ctx.Operation().RequestBody
	if body == nil {
		next(ctx)
		return
	}
	given, _, _ := mime.ParseMediaType(ctx.Header("Content-Type"))
	coding := ctx.Header("Content-Encoding")
	switch {
	case body.Content[given] == nil:
		allowed := strings.Join(slices.Sorted(maps.Keys(body.Content)), " or ")
		problem.Refuse(ctx, problem.New(problem.UnsupportedMediaType, "Content-Type must be "+allowed))
	case coding != "" && !strings.EqualFold(coding, "identity"):
		err := problem.New(problem.UnsupportedMediaType, "Content-Encoding must be absent: send the body as it is")
		problem.Refuse(ctx, problem.WithHeader(err, "Accept-Encoding", "identity"))
	default:
		next(ctx)
	}
}

// checkKey refuses an Idempotency-Key where nothing would be kept by it. What it is worth to an order, place says.
func checkKey(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	given := slices.Compact(r.Header.Values(problem.IdempotencyKey))
	op := ctx.Operation()
	allowed := ""
	switch {
	case op.Method == http.MethodGet || len(given) == 0: // a repeat is harmless
	case op.OperationID != operationPlace:
		allowed = "absent: only POST /v1/topups takes it"
	case len(given) > 1:
		allowed = "given once"
	}
	if allowed != "" {
		wrong := &topup.FieldError{Field: problem.IdempotencyKey, Value: strings.Join(given, ", "), Allowed: allowed}
		problem.Refuse(ctx, problem.Invalid("header", []*topup.FieldError{wrong}))
		return
	}
	next(ctx)
}

// checkPath refuses a path that is no text: no database of ours can hold it.
func checkPath(ctx huma.Context, next func(huma.Context)) {
	var wrong []*topup.FieldError
	for _, m := range pathParameter.FindAllStringSubmatch(ctx.Operation().Path, -1) {
		wrong = append(wrong, params.CheckPath(m[1], ctx.Param(m[1]))...)
	}
	if len(wrong) > 0 {
		problem.Refuse(ctx, problem.Invalid("path", wrong))
		return
	}
	next(ctx)
}

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

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
		problem.Refuse(ctx, problem.Invalid("query", wrong))
		return
	}
	next(ctx)
}

// refuseQuery does so for what is no operation.
func refuseQuery(w http.ResponseWriter, _ *http.Request, wrong []*topup.FieldError) {
	problem.Write(w, problem.Invalid("query", wrong))
}
