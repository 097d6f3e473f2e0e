package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
)

// maxBody is far above any event: an order's largest part is 4 KiB of metadata.
const maxBody = 256 << 10

// ErrMethod: a request that is no POST is no webhook.
var ErrMethod = errors.New("a webhook is a POST")

var errHandler = errors.New("the event could not be handled")

// Handler verifies webhooks and calls fn for each. It answers 204 when fn returns nil. An error of fn
// is logged and answered with 500, upon which the event comes again. What does not verify is logged
// and answered with 4xx, or with 500 when it is a secret that is wrong: see ParseSecret.
//
// A ping, which tries out the endpoint, is answered with 204 when it verifies, and fn is not called for it. While a
// secret is being replaced, give the other one as well, in either order: what any of them has signed is
// handled. fn is called again for an event that has been delivered before, and should return within 15 seconds.
func Handler(secret string, fn func(context.Context, Event) error, others ...string) http.Handler {
	secrets := append([]string{secret}, others...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ev, _, err := Receive(w, r, secrets...)
		if err == nil && ev.Type != EventPing {
			if err = fn(r.Context(), ev); err != nil {
				err = fmt.Errorf("%w: %w", errHandler, err)
			}
		}
		if err == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		slog.WarnContext(r.Context(), "webhook not accepted", "event", ev.ID, "error", err)
		status := StatusOf(err)
		http.Error(w, http.StatusText(status), status)
	})
}

// Receive reads and verifies a webhook, for a handler that does what Handler does not. Any of the secrets may have
// signed it. Where it does not verify, it returns what there is of the body; StatusOf says what to answer.
func Receive(w http.ResponseWriter, r *http.Request, secrets ...string) (ev Event, body []byte, err error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return Event{}, nil, ErrMethod
	}
	if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		return Event{}, body, fmt.Errorf("read webhook: %w", err)
	}
	ev, err = Verify(body, r.Header, secrets...)
	return ev, body, err
}

// StatusOf is the HTTP status that an error of Receive is answered with.
func StatusOf(err error) int {
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, errHandler), errors.Is(err, ErrSecret):
		return http.StatusInternalServerError
	case errors.Is(err, ErrMethod):
		return http.StatusMethodNotAllowed
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrNoSignature), errors.Is(err, ErrTimestamp), errors.Is(err, ErrSignature):
		return http.StatusUnauthorized
	default:
		return http.StatusBadRequest
	}
}
