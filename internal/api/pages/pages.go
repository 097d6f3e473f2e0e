// Package pages serves web pages that others made, the Swagger UI's and asynqmon's, so that a browser asks no other
// host for anything, and no page shows what only its owner may see.
package pages

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
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Local makes the web pages of a handler ask no other host for anything: what they link to
// elsewhere is taken out, and their Content-Security-Policy allows their own scripts only. The handler must answer
// everybody alike. Its files are made once and kept: however many read them, and however slowly, they are in memory
// once.
func Local(next http.Handler) http.Handler {
	return &pages{next: next, files: map[fileKey]*File{}}
}

type pages struct {
	next   http.Handler
	making singleflight.Group

	mu    sync.Mutex
	files map[fileKey]*File
}

// fileKey is what a file's answer depends on.
type fileKey struct {
	path string
	gzip bool
}

// ServeHTTP answers with a file that is kept, or asks the handler.
func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := fileKey{r.URL.Path, AcceptsGzip(r.Header.Get("Accept-Encoding"))}
	if f := p.file(key); f != nil {
		f.ServeHTTP(w, r)
		return
	}
	made, _, _ := p.making.Do(fmt.Sprint(key), func() (any, error) { return p.make(r, key), nil })
	switch made := made.(type) {
	case *File:
		made.ServeHTTP(w, r)
	case *Recorded:
		made.writeTo(w)
	}
}

func (p *pages) file(key fileKey) *File {
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
	answer := Record(p.next, plain)
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
	f := NewFile(answer.header, bytes.Clone(answer.body.Bytes())) // without the room that the buffer has left
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files[key] = f
	return f
}

const htmlStart = "<!doctype html"

// File is an answer that is the same for all, and in memory once.
type File struct {
	header http.Header
	body   []byte
}

// NewFile keeps what it is given. A browser asks each time whether the file is still the same.
func NewFile(header http.Header, body []byte) *File {
	digest := sha256.Sum256(body)
	header.Del("Content-Length")
	header.Set("ETag", fmt.Sprintf("%q", hex.EncodeToString(digest[:8])))
	header.Set("Cache-Control", "no-cache")
	return &File{header, body}
}

// ServeHTTP answers with the file.
func (f *File) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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

// Recorded is an answer that is looked at, and may be changed, before it is sent.
type Recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Record has a handler answer, and keeps that.
func Record(h http.Handler, r *http.Request) *Recorded {
	a := &Recorded{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(a, r)
	return a
}

// Header implements http.ResponseWriter.
func (a *Recorded) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *Recorded) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *Recorded) Write(data []byte) (int, error) { return a.body.Write(data) }

// Status is that of HTTP.
func (a *Recorded) Status() int { return a.status }

func (a *Recorded) replace(body []byte) {
	a.header.Del("Content-Length")
	a.body = *bytes.NewBuffer(body)
}

func (a *Recorded) writeTo(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header.Clone())
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // the client is gone when it fails
}

// AcceptsGzip reports whether a request's Accept-Encoding takes gzip.
func AcceptsGzip(accepted string) bool {
	for one := range strings.SplitSeq(accepted, ",") {
		coding, quality, _ := strings.Cut(strings.ReplaceAll(one, " ", ""), ";q=")
		if coding == "gzip" {
			weight, err := strconv.ParseFloat(quality, 64)
			return quality == "" || err == nil && weight > 0
		}
	}
	return false
}
