package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
)

// mountDocs serves the OpenAPI document and the page to try it on, both without a key.
func (s *Server) mountDocs() {
	s.handle("GET /openapi.json", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.spec)
	}))
	page := localPages(v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "Recarga", SwaggerJSON: "/openapi.json", BasePath: "/docs",
		SettingsUI: map[string]string{"tryItOutEnabled": "true", "persistAuthorization": "false"},
	}))
	s.handle("GET /docs", page)
	s.handle("GET /docs/", page)
}

// localPages makes the web pages of a handler ask no other host for anything: what they link to
// elsewhere is taken out, and their Content-Security-Policy allows their own scripts only.
func localPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := record(next, r)
		if page := bytes.TrimSpace(answer.body.Bytes()); bytes.HasPrefix(bytes.ToLower(page), []byte("<!doctype html")) {
			page = foreignLink.ReplaceAll(page, nil)
			answer.replace(page)
			answer.header.Set("Content-Type", "text/html; charset=utf-8")
			answer.header.Set("Content-Security-Policy", contentPolicy(page))
		}
		answer.header.Set("X-Content-Type-Options", "nosniff")
		answer.header.Set("Referrer-Policy", "no-referrer")
		answer.writeTo(w)
	})
}

var (
	// foreignLink also finds the manifest: a browser asks for it without the key, and reports the 401.
	foreignLink  = regexp.MustCompile(`<link[^>]+(?:href="(?:https?:)?//|rel="manifest")[^>]*>`)
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// contentPolicy allows a page its own files and the inline scripts that are in it now, by digest.
// Both pages' libraries set styles from their scripts, so inline styles are allowed.
func contentPolicy(page []byte) string {
	scripts := []string{"'self'"}
	for _, m := range inlineScript.FindAllSubmatch(page, -1) {
		digest := sha256.Sum256(m[1])
		scripts = append(scripts, "'sha256-"+base64.StdEncoding.EncodeToString(digest[:])+"'")
	}
	return "default-src 'none'; script-src " + strings.Join(scripts, " ") +
		"; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'" +
		"; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

// recorded is an answer that is changed before it is sent.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func record(h http.Handler, r *http.Request) *recorded {
	a := &recorded{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(a, r)
	return a
}

func (a *recorded) Header() http.Header            { return a.header }
func (a *recorded) WriteHeader(status int)         { a.status = status }
func (a *recorded) Write(data []byte) (int, error) { return a.body.Write(data) }

func (a *recorded) replace(body []byte) {
	a.header.Del("Content-Length")
	a.body = *bytes.NewBuffer(body)
}

func (a *recorded) writeTo(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // the client is gone when it fails
}
