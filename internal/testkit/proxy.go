package testkit

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy is an HTTP proxy that knows CONNECT alone.
type Proxy struct {
	*httptest.Server
	// Fails is the status that it answers CONNECT with; 0: it connects.
	Fails atomic.Int32
	// To is where it connects, whatever it is asked for; empty: there.
	To string

	mu    sync.Mutex
	asked []*http.Request
	open  sync.WaitGroup
}

// NewProxy starts a proxy; it ends with the test.
func NewProxy(t testing.TB) *Proxy {
	t.Helper()
	p := &Proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(p.connect))
	t.Cleanup(func() {
		p.Close()
		p.open.Wait()
	})
	return p
}

// Asked are the requests that it got.
func (p *Proxy) Asked() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*http.Request{}, p.asked...)
}

func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	p.open.Add(1) // Close does not wait for a handler that has taken its connection over
	defer p.open.Done()
	p.mu.Lock()
	p.asked = append(p.asked, r)
	p.mu.Unlock()
	if status := int(p.Fails.Load()); status != 0 {
		http.Error(w, http.StatusText(status), status)
		return
	}
	if r.Method != http.MethodConnect {
		http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
		return
	}
	to := p.To
	if to == "" {
		to = r.Host
	}
	there, err := net.DialTimeout("tcp", to, 10*time.Second)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = there.Close()
		return
	}
	_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	for _, pair := range [][2]net.Conn{{here, there}, {there, here}} {
		p.open.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
			_ = pair[1].Close()
		})
	}
}
