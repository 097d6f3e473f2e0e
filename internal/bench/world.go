package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"recarga/internal/listen"
)

// world is a vendor and a receiver that answer at once, and what they saw.
type world struct {
	vendorURL, hookURL string
	// bought and delivered are called with the id of every order that is bought or delivered.
	bought, delivered atomic.Pointer[func(id string)]
	// slow is how long the vendor takes to answer a purchase.
	slow atomic.Int64

	mu      sync.Mutex
	charges map[string]int
	ends    []func()
}

func newWorld(ctx context.Context) (*world, error) {
	w := &world{charges: map[string]int{}}
	vendor := http.NewServeMux()
	vendor.HandleFunc("POST /login", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `{"success":true,"access_token":"bench","token_type":"Bearer","expires_in":86400}`)
	})
	vendor.HandleFunc("POST /product_purchase", w.purchase)
	hook := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if id, ok := orderOf(r); ok {
			call(&w.delivered, id)
		}
		rw.WriteHeader(http.StatusNoContent)
	})
	var err error
	if w.vendorURL, err = w.serve(ctx, vendor); err == nil {
		w.hookURL, err = w.serve(ctx, hook)
	}
	return w, err
}

func (w *world) serve(ctx context.Context, h http.Handler) (url string, err error) {
	url, end, err := listen.Local(ctx, h)
	if err == nil {
		w.ends = append(w.ends, end)
	}
	return url, err
}

func (w *world) close() {
	for _, end := range w.ends {
		end()
	}
}

// purchase approves everything.
func (w *world) purchase(rw http.ResponseWriter, r *http.Request) {
	id, ok := orderOf(r)
	if !ok {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	if slow := time.Duration(w.slow.Load()); slow > 0 {
		time.Sleep(slow)
	}
	w.mu.Lock()
	w.charges[id]++
	w.mu.Unlock()
	call(&w.bought, id)
	rw.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(rw, `{"success":true,"transaction_id":"TXN-1700000000000-abcdefghi","distributor_transaction_id":"%s",`+
		`"response_code":"00","response_message":"Aprobado","reference":"RRN-123456789012","auth_code":"ABC123","balance_after":99990.00}`, id)
}

// check holds the vendor's book against the promise that no order is bought twice. A rival makes none.
func (w *world) check(rival bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, n := range w.charges {
		if n > 1 && !rival {
			return fmt.Errorf("order %s was bought %d times", id, n)
		}
	}
	if len(w.charges) == 0 {
		return errors.New("nothing was bought")
	}
	return nil
}

func call(listener *atomic.Pointer[func(string)], id string) {
	if f := listener.Load(); f != nil {
		(*f)(id)
	}
}

var orderField = []byte(`"distributor_transaction_id":"`)

// orderOf is the id in a request's body.
func orderOf(r *http.Request) (id string, ok bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", false
	}
	_, rest, found := bytes.Cut(body, orderField)
	value, _, closed := bytes.Cut(rest, []byte{'"'})
	return string(value), found && closed
}
