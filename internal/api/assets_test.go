package api_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"

	"recarga/internal/api"
	"recarga/internal/api/keys"
)

// sink takes an answer and keeps none of it.
type sink struct {
	header http.Header
	status int
	size   int64
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(code int)        { s.status = code }
func (s *sink) Write(p []byte) (int, error) { s.size += int64(len(p)); return len(p), nil }

func asset(h http.Handler, path, coding string) *sink {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", coding)
	r.Header.Set("Authorization", "Bearer admin-key")
	s := &sink{header: http.Header{}}
	h.ServeHTTP(s, r)
	return s
}

// assetsAPI has the pages of others, whose files are large. Its Redis is never asked.
func assetsAPI(t *testing.T) http.Handler {
	handler := api.New(api.Config{
		Callers: keys.Static("shop-key", "", "admin-key"), Queues: queuesOf(t, "127.0.0.1:1"),
	})
	t.Cleanup(func() { _ = handler.Close() })
	handler.OpenAPI() // to write the document is not what is measured
	return handler
}

var largeAssets = []struct {
	path, coding string
	// least is what it has at least, in bytes.
	least int64
}{
	{"/docs/swagger-ui-bundle.js", "gzip", 300 << 10},
	{"/docs/swagger-ui-bundle.js", "identity", 1 << 20},
	{"/openapi.json", "identity", 100 << 10},
	{"/queues/static/js/2.83624df2.chunk.js", "gzip", 1 << 20},
	{"/queues/static/js/2.83624df2.chunk.js.map", "gzip", 4 << 20},
}

// TestAssetsAreInMemoryOnce: an answer costs no copy of the file, however large it is: neither of those who read
// slowly nor of many who come at the same moment, when nobody has asked before.
func TestAssetsAreInMemoryOnce(t *testing.T) {
	const room = 100 << 10 // of a request: its headers, and a buffer of 32 KiB
	for _, a := range largeAssets {
		t.Run(a.path+" "+a.coding, func(t *testing.T) {
			handler := assetsAPI(t)
			const at1 = 50
			all := make([]*sink, at1)
			allocated := allocation(func() {
				var asking sync.WaitGroup
				for i := range all {
					asking.Go(func() { all[i] = asset(handler, a.path, a.coding) })
				}
				asking.Wait()
			})
			for _, s := range all {
				if s.status != http.StatusOK || s.size < a.least || s.size != all[0].size {
					t.Fatalf("status %d, %d bytes", s.status, s.size)
				}
			}
			if most := uint64(10*all[0].size + at1*room); allocated > most {
				t.Errorf("the first %d requests allocated %d bytes; want %d at most", at1, allocated, most)
			}
			if allocated := allocation(func() { asset(handler, a.path, a.coding) }); allocated > room {
				t.Errorf("a request allocates %d bytes, of a file of %d", allocated, all[0].size)
			}
		})
	}
}

func allocation(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestAssetsAreNotSentAgain: a browser that has a file learns that it is still the same.
func TestAssetsAreNotSentAgain(t *testing.T) {
	handler := assetsAPI(t)
	for _, a := range largeAssets {
		tag := asset(handler, a.path, a.coding).header.Get("ETag")
		r := httptest.NewRequest(http.MethodGet, a.path, nil)
		r.Header.Set("Accept-Encoding", a.coding)
		r.Header.Set("Authorization", "Bearer admin-key")
		r.Header.Set("If-None-Match", tag)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if tag == "" || w.Code != http.StatusNotModified || w.Body.Len() != 0 {
			t.Errorf("%s: ETag %q, then %d with %d bytes", a.path, tag, w.Code, w.Body.Len())
		}
	}
}
