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

var (
	errMethod  = errors.New("a webhook is a POST")
	errHandler = errors.New("the event could not be handled")
)

// Handler verifies webhooks and calls fn for each. It answers 204 when fn returns nil. An error of fn
// is logged and answered with 500, upon which the event comes again. What does not verify is logged
// and answered with 4xx, or with 500 when it is the secret that is wrong: see ParseSecret.
//
// fn is called again for an event that has been delivered before, and should return within 15 seconds.
func Handler(secret string, fn func(context.Context, Event) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ev, err := receive(w, r, secret)
		if err == nil {
			if err = fn(r.Context(), ev); err != nil {
				err = fmt.Errorf("%w: %w", errHandler, err)
			}
		}
		if err == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		slog.WarnContext(r.Context(), "webhook not accepted", "event", ev.ID, "error", err)
		status := statusOf(err)
		http.Error(w, http.StatusText(status), status)
	})
}

func receive(w http.ResponseWriter, r *http.Request, secret string) (Event, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return Event{}, errMethod
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return Event{}, fmt.Errorf("read webhook: %w", err)
	}
	return Verify(body, r.Header, secret)
}

func statusOf(err error) int {
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, errHandler), errors.Is(err, ErrSecret):
		return http.StatusInternalServerError
	case errors.Is(err, errMethod):
		return http.StatusMethodNotAllowed
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrNoSignature), errors.Is(err, ErrTimestamp), errors.Is(err, ErrSignature):
		return http.StatusUnauthorized
	default:
		return http.StatusBadRequest
	}
}
