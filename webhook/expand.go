package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"recarga/internal/origin"
	"recarga/topup"
)

// expand returns what a new event is delivered to: the names of its caller's endpoints that want it, beside the
// callback URL; and whether there is no callback URL, so that the first of them takes the event itself.
func expand(ev topup.Event, all []Endpoint) (names []string, adopt bool) {
	adopt = ev.CallbackURL == ""
	for _, e := range all {
		switch {
		case e.Name == "":
			adopt = adopt && e.URL == ""
		case len(e.Types) == 0 || slices.Contains(e.Types, ev.Type):
			names = append(names, e.Name)
		}
	}
	return names, adopt && len(names) > 0
}

// deliveries are an event, and the copies of it that a new one has got for its caller's further endpoints. The copies
// are durable when deliveries returns, and nothing has been sent. all are the caller's endpoints.
func (d *Deliverer) deliveries(ctx context.Context, ev topup.Event) (
	own topup.Event, copies []topup.Event, all []Endpoint, err error,
) {
	all, err = d.endpoints.Endpoints(ctx, ev.Caller)
	if err != nil && !errors.Is(err, topup.ErrNotFound) {
		return ev, nil, nil, fmt.Errorf("endpoints of caller %s: %w", ev.Caller, err)
	}
	if ev.TryCount > 0 || ev.Endpoint != "" {
		return ev, nil, all, nil // expanded before
	}
	names, adopt := expand(ev, all)
	if len(names) == 0 {
		return ev, nil, all, nil
	}
	if copies, err = d.store.FanOut(ctx, ev, names, adopt, time.Now()); err != nil {
		return ev, nil, nil, err
	}
	if !adopt {
		return ev, copies, all, nil
	}
	kept, err := d.store.Event(ctx, ev.ID) // whether it was adopted: not if the endpoint has a copy already
	if err != nil {
		return ev, nil, nil, err
	}
	ev.Endpoint = kept.Endpoint
	return ev, copies, all, nil
}

// target is where an event goes.
type target struct {
	caller, name, url string
	secrets           []string
	headers           map[string]string // beside Recarga's own
	// registered is the URL of the caller's endpoint, in whose place one order's own may stand.
	registered string
	// known: the endpoint is one of the caller's.
	known bool
	// origin is what counts as one endpoint.
	origin string
	// health is nil for a URL that is not the caller's, but that of one order; standsFor is then the health of the
	// endpoint whose place that takes.
	health, standsFor *topup.EndpointHealth
}

// endpointOf is the endpoint of an event among the caller's; one without a URL if the event has nowhere to go.
func endpointOf(ev topup.Event, all []Endpoint) (to target) {
	to = target{caller: ev.Caller, name: ev.Endpoint}
	i := slices.IndexFunc(all, func(e Endpoint) bool { return e.Name == ev.Endpoint })
	if i < 0 {
		return to
	}
	to.known, to.url, to.secrets = true, all[i].URL, all[i].Secrets
	to.registered = to.url
	if ev.Endpoint == "" && ev.CallbackURL != "" {
		to.url, to.registered = ev.CallbackURL, replaced(ev.CallbackURL, all[i], all)
	}
	to.origin = origin.Of(to.url)
	to.headers = headersFor(all[i], all, origin.Of, to.url)
	return to
}

// replaced is the URL in whose place one order's own stands: that of its endpoint, or of another of the caller's that
// is of its origin; empty for none.
func replaced(url string, own Endpoint, all []Endpoint) string {
	for _, e := range append([]Endpoint{own}, all...) {
		if e.URL != "" && origin.Of(e.URL) == origin.Of(url) {
			return e.URL
		}
	}
	return ""
}

// target is endpointOf with its health.
func (d *Deliverer) target(ctx context.Context, ev topup.Event, all []Endpoint) (to target, err error) {
	to = endpointOf(ev, all)
	if to.registered == "" {
		return to, nil
	}
	health, err := d.health.of(ctx, ev.Caller, to.registered)
	if err != nil {
		return target{}, fmt.Errorf("health of %s: %w", to.origin, err)
	}
	if to.url == to.registered {
		to.health = health
	} else {
		to.standsFor = health
	}
	return to, nil
}
