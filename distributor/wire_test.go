package distributor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"testing"
	"time"

	"recarga/internal/httpclient"
	"recarga/topup"
)

// TestWireKeepsItsWord: what was declared not sent is never written afterwards, and a write that is
// still under way counts as sent.
func TestWireKeepsItsWord(t *testing.T) {
	ours, theirs := net.Pipe()
	defer func() { _ = ours.Close(); _ = theirs.Close() }()
	w := &wire{Conn: ours}
	before := w.expect(time.Now().Add(time.Minute))
	wrote := make(chan error, 1)
	go func() {
		_, err := w.Write([]byte("request"))
		wrote <- err
	}()
	one := make([]byte, 1)
	if _, err := theirs.Read(one); err != nil { // the rest of the write is still under way
		t.Fatal(err)
	}
	if !w.left(before) {
		t.Error("a write under way counts as not sent")
	}
	_ = theirs.Close()
	if err := <-wrote; err == nil {
		t.Error("a write that was cut off succeeds")
	}

	late := &wire{Conn: ours}
	before = late.expect(time.Now().Add(-time.Millisecond))
	if _, err := late.Write([]byte("x")); !errors.Is(err, errTooLate) || late.left(before) {
		t.Errorf("too late: %v", err)
	}
	given := &wire{Conn: ours}
	if before = given.expect(time.Now().Add(time.Minute)); given.left(before) {
		t.Error("nothing was written, and counts as sent")
	}
	if _, err := given.Write([]byte("x")); !errors.Is(err, errClosed) {
		t.Errorf("a write after it was declared not sent: %v", err)
	}
}

// TestWireUnderTLS: what leaves is counted below TLS as well. A purchase whose answer was cut off is unknown, and one
// that comes too late is not sent.
func TestWireUnderTLS(t *testing.T) {
	purchases := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path.Base(r.URL.Path) == "product_purchase" {
			purchases++
			panic(http.ErrAbortHandler)
		}
		_, _ = fmt.Fprint(w, `{"success":true,"access_token":"abc"}`)
	}))
	defer server.Close()
	c, err := New(Config{URL: server.URL, SecretKey: "secret", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	c.http.Transport.(httpclient.Guard).Base.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	o := topup.Order{ID: "A", Phone: "5537686660"}
	if r := c.Purchase(t.Context(), o, time.Now()); r.Outcome != topup.OutcomeNotSent || !r.TooLate || purchases != 0 {
		t.Errorf("too late: %d purchases: %+v", purchases, r)
	}
	r := c.Purchase(t.Context(), o, time.Now().Add(time.Minute))
	if r.Outcome != topup.OutcomeUnknown || purchases != 1 {
		t.Errorf("cut off: %d purchases: %+v", purchases, r)
	}
}
