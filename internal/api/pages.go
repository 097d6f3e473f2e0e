package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
	"golang.org/x/sync/singleflight"
)

// mountDocs serves the OpenAPI document and the page to try it on, both without a key.
func (s *Server) mountDocs() {
	spec := newFile(http.Header{"Content-Type": {"application/json"}}, s.spec)
	s.handle("GET /openapi.json", http.HandlerFunc(spec.serve))
	page := localPages(v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "Recarga", SwaggerJSON: "/openapi.json", BasePath: "/docs",
		SettingsUI: map[string]string{"tryItOutEnabled": "true", "persistAuthorization": "false"},
	}))
	s.handle("GET /docs", page)
	s.handle("GET /docs/", page)
}

// localPages makes the web pages of a handler ask no other host for anything: what they link to
// elsewhere is taken out, and their Content-Security-Policy allows their own scripts only. The handler must answer
// everybody alike. Its files are made once and kept: however many read them, and however slowly, they are in memory
// once.
func localPages(next http.Handler) http.Handler {
	return &pages{next: next, files: map[fileKey]*file{}}
}

type pages struct {
	next   http.Handler
	making singleflight.Group

	mu    sync.Mutex
	files map[fileKey]*file
}

// fileKey is what a file's answer depends on.
type fileKey struct {
	path string
	gzip bool
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := fileKey{r.URL.Path, acceptsGzip(r.Header.Get("Accept-Encoding"))}
	if f := p.file(key); f != nil {
		f.serve(w, r)
		return
	}
	made, _, _ := p.making.Do(fmt.Sprint(key), func() (any, error) { return p.make(r, key), nil })
	switch made := made.(type) {
	case *file:
		made.serve(w, r)
	case *recorded:
		made.writeTo(w)
	}
}

func (p *pages) file(key fileKey) *file {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.files[key]
}

// make asks the handler. A page is made anew each time, since any path may have one; and so is an error.
func (p *pages) make(r *http.Request, key fileKey) any {
	plain := r.Clone(context.WithoutCancel(r.Context()))
	plain.Method, plain.Header = http.MethodGet, http.Header{}
	if key.gzip {
		plain.Header.Set("Accept-Encoding", "gzip")
	}
	answer := record(p.next, plain)
	page := bytes.TrimSpace(answer.body.Bytes())
	html := bytes.HasPrefix(bytes.ToLower(page[:min(len(page), len(htmlStart))]), []byte(htmlStart))
	answer.header.Set("X-Content-Type-Options", "nosniff")
	answer.header.Set("Referrer-Policy", "no-referrer")
	if html {
		page = foreignLink.ReplaceAll(page, nil)
		answer.replace(page)
		answer.header.Set("Content-Type", "text/html; charset=utf-8")
		answer.header.Set("Content-Security-Policy", contentPolicy(page))
	}
	if html || answer.status != http.StatusOK {
		return answer
	}
	f := newFile(answer.header, bytes.Clone(answer.body.Bytes())) // without the room that the buffer has left
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files[key] = f
	return f
}

const htmlStart = "<!doctype html"

// file is an answer that is the same for all, and in memory once.
type file struct {
	header http.Header
	body   []byte
}

// newFile keeps what it is given. A browser asks each time whether the file is still the same.
func newFile(header http.Header, body []byte) *file {
	digest := sha256.Sum256(body)
	header.Del("Content-Length")
	header.Set("ETag", fmt.Sprintf("%q", hex.EncodeToString(digest[:8])))
	header.Set("Cache-Control", "no-cache")
	return &file{header, body}
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	maps.Copy(w.Header(), f.header.Clone())
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
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
	maps.Copy(w.Header(), a.header.Clone())
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // the client is gone when it fails
}
