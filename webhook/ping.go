package webhook

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"recarga/topup"
)

// Pinged is a ping that was sent.
type Pinged struct {
	// ID is its webhook-id.
	ID string
	// Try is what came of it.
	Try topup.Try
}

// Ping sends an event of the type topup.EventPing to an endpoint of a caller, as any other event is sent to it, and
// returns what came of it. Nothing is recorded, and nothing tried again. A disabled endpoint is pinged as well, and
// stays disabled. Errors: topup.ErrNotFound, there is no such endpoint; a *topup.QuotaError, it is pinged too often.
func (d *Deliverer) Ping(ctx context.Context, caller, endpoint string) (Pinged, error) {
	all, err := d.endpoints.Endpoints(ctx, caller)
	if err != nil {
		return Pinged{}, fmt.Errorf("endpoints of caller %s: %w", caller, err)
	}
	ev, err := topup.NewPing("ping_"+rand.Text(), caller, endpoint, time.Now().UTC())
	if err != nil {
		return Pinged{}, err
	}
	to := endpointOf(ev, all)
	if to.url == "" {
		return Pinged{}, fmt.Errorf("endpoint %s of caller %s: %w", endpoint, caller, topup.ErrNotFound)
	}
	if !d.room(d.first, to) {
		return Pinged{}, &topup.QuotaError{Reason: "the endpoint is being pinged too often", After: time.Second}
	}
	defer d.first.free(to.origin)
	at := time.Now().UTC()
	a := d.send(within(d.working, ctx), ev, to, at)
	return Pinged{ID: ev.ID, Try: a.record(at)}, nil
}
