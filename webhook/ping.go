package webhook

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"recarga/topup"
)

// EventPing is the type of an event that tries out an endpoint. Its data is a PingedEndpoint.
const EventPing topup.EventType = "ping"

// PingedEndpoint is an endpoint that is tried out.
type PingedEndpoint struct {
	// Caller is the name of its caller.
	Caller string `json:"caller"`
	// Endpoint is its name; topup.DefaultEndpoint is the callback URL.
	Endpoint string `json:"endpoint"`
}

// ErrNoEndpoint: the caller has no such endpoint. It is a topup.ErrNotFound.
var ErrNoEndpoint = fmt.Errorf("no such endpoint: %w", topup.ErrNotFound)

// Pinged is a ping that was sent.
type Pinged struct {
	// ID is its webhook-id.
	ID string
	// Try is what came of it.
	Try topup.Try
}

// Ping sends an event of the type EventPing to an endpoint of a caller, as any other event is sent to it, and
// returns what came of it. Nothing is recorded, and nothing tried again. A disabled endpoint is pinged as well, and
// stays disabled. Errors: topup.ErrNotFound, there is no such caller; ErrNoEndpoint; a *topup.QuotaError, it is
// pinged too often.
func (d *Deliverer) Ping(ctx context.Context, caller, endpoint string) (Pinged, error) {
	all, err := d.endpoints.Endpoints(ctx, caller)
	if err != nil {
		return Pinged{}, fmt.Errorf("endpoints of caller %s: %w", caller, err)
	}
	at := time.Now().UTC()
	ev, err := newPing(caller, endpoint, at)
	if err != nil {
		return Pinged{}, err
	}
	to := endpointOf(ev, all)
	if to.url == "" {
		return Pinged{}, fmt.Errorf("endpoint %s of caller %s: %w", endpoint, caller, ErrNoEndpoint)
	}
	if !d.room(d.first, to) {
		return Pinged{}, &topup.QuotaError{Reason: "the endpoint is being pinged too often", After: time.Second}
	}
	defer d.first.free(to.origin)
	a := d.send(within(d.working, ctx), ev, to, at)
	return Pinged{ID: ev.ID, Try: a.record(at)}, nil
}

func newPing(caller, endpoint string, now time.Time) (topup.Event, error) {
	ev := topup.Event{ID: "ping_" + rand.Text(), Type: EventPing, Caller: caller, Endpoint: endpoint}
	if endpoint == topup.DefaultEndpoint {
		ev.Endpoint = ""
	}
	data, err := json.Marshal(PingedEndpoint{caller, endpoint})
	if err == nil {
		ev.Body, err = json.Marshal(struct {
			Type      topup.EventType `json:"type"`
			Timestamp time.Time       `json:"timestamp"`
			Data      json.RawMessage `json:"data"`
		}{EventPing, now, data})
	}
	return ev, err
}
