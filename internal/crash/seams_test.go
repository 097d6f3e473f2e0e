package crash

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
)

// edge is another server as a process that can die reaches it: before is the moment in which the
// request has arrived whole and is not looked at yet, after is that in which the answer is ready.
func edge(g *gate, name string, inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what, err := g.enter(name + " " + r.Method + " " + path.Base(r.URL.Path))
		body, readErr := io.ReadAll(r.Body)
		if err != nil || readErr != nil || what == failed {
			panic(http.ErrAbortHandler)
		}
		if what == diesBefore {
			g.die()
			panic(http.ErrAbortHandler)
		}
		answer := serve(inner, r, body)
		if what == diesAfter {
			g.die()
		}
		if what == lost || g.isDead() {
			panic(http.ErrAbortHandler)
		}
		copyAnswer(w, answer, what == torn)
	})
}

// serve lets the other server finish, whatever becomes of the process that asked.
func serve(inner http.Handler, r *http.Request, body []byte) *httptest.ResponseRecorder {
	again := r.Clone(context.WithoutCancel(r.Context()))
	again.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	inner.ServeHTTP(answer, again)
	return answer
}

func copyAnswer(w http.ResponseWriter, answer *httptest.ResponseRecorder, half bool) {
	body := answer.Body.Bytes()
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.Code)
	if half {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body)
}
