package controls

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"recarga/topup/desk"
)

const (
	// fresh is how long a process uses what it has read.
	fresh = 250 * time.Millisecond
	// readTimeout bounds one read: a purchase waits for it.
	readTimeout = time.Second
)

// Reader is what one process knows of the controls. It is safe for concurrent use.
type Reader struct {
	read    func(context.Context) (desk.Controls, error)
	changed func(desk.Controls)
	log     *slog.Logger

	mu     sync.Mutex
	readAt time.Time
	known  desk.Controls
	// failing: the last read failed.
	failing bool
}

// NewReader reads with read, and calls changed with what it has read, where that has changed or is the first. changed
// must not block; nil: nothing is called.
func NewReader(
	read func(context.Context) (desk.Controls, error), changed func(desk.Controls), log *slog.Logger,
) *Reader {
	if changed == nil {
		changed = func(desk.Controls) {}
	}
	paused := desk.Controls{{Kind: desk.PausePurchases}, {Kind: desk.PauseWebhooks}} // as long as nothing is known
	return &Reader{read: read, changed: changed, log: log, known: paused}
}

// Now are the controls as they were a moment ago. Where the book does not answer, they are those that were known
// before, and before anything was known all is paused: a pause does not end by a fault.
func (r *Reader) Now(ctx context.Context) desk.Controls {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.readAt.IsZero() && time.Since(r.readAt) < fresh {
		return r.known
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	latest, err := r.read(ctx)
	if err == nil && !latest.Equal(r.known) {
		r.known = latest
		r.changed(latest)
	}
	if err != nil && !r.failing {
		r.log.WarnContext(ctx, "controls not read; those known before hold", "error", err)
	}
	r.failing = err != nil
	r.readAt = time.Now()
	return r.known
}
