package callers

import (
	"context"
	"log/slog"
	"time"
)

// ExpiresSoon is how long before a caller's key ends that is warned of.
const ExpiresSoon = 14 * 24 * time.Hour

// warnEvery is how often that is said.
const warnEvery = 24 * time.Hour

// WatchExpiry says in the log, at once and then daily, which callers' newest keys end soon, or have ended. It returns
// when ctx ends.
func (r *Registry) WatchExpiry(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(warnEvery)
	defer tick.Stop()
	for {
		r.warnExpiry(ctx, log, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *Registry) warnExpiry(ctx context.Context, log *slog.Logger, now time.Time) {
	all, err := r.List(ctx)
	if err != nil {
		if ctx.Err() == nil {
			log.WarnContext(ctx, "callers' keys not looked at", "error", err)
		}
		return
	}
	for _, c := range all {
		if c.DisabledAt == nil && len(c.Keys) > 0 && c.Keys[0].Expired(now.Add(ExpiresSoon)) {
			key := c.Keys[0]
			log.WarnContext(ctx, "API key of a caller expires", "caller", c.Name, "expires_at", *key.ExpiresAt, "key", key.Hint)
		}
	}
}
