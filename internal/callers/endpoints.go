package callers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"recarga/internal/audit"
	"recarga/internal/origin"
	"recarga/topup"
	"recarga/webhook"
)

// Endpoints are where a caller is notified, and with which secrets. topup.ErrNotFound: nowhere.
func (r *Registry) Endpoints(ctx context.Context, name string) ([]webhook.Endpoint, error) {
	c, err := r.Caller(ctx, name)
	if err != nil {
		return nil, err
	}
	switch {
	case c.DisabledAt != nil:
		return nil, topup.ErrNotFound
	case c.CallbackURL == "" && len(c.Endpoints) == 0: // it reads the feed
		return []webhook.Endpoint{{}}, nil
	}
	all, err := r.open(c)
	if err != nil {
		return nil, err
	}
	var secrets []string
	for _, s := range all.secrets {
		if s.Until.IsZero() || s.Until.After(time.Now()) {
			secrets = append(secrets, s.Secret)
		}
	}
	own := func(name, url string) map[string]string {
		if h := all.headers[name]; h.Origin == origin.Of(url) {
			return h.Values
		}
		return nil
	}
	endpoints := []webhook.Endpoint{{URL: c.CallbackURL, Secrets: secrets,
		Headers: own(topup.DefaultEndpoint, c.CallbackURL)}}
	for _, e := range c.Endpoints {
		endpoints = append(endpoints, webhook.Endpoint{Name: e.Name, URL: e.URL, Types: e.EventTypes, Secrets: secrets,
			Headers: own(e.Name, e.URL)})
	}
	return endpoints, nil
}

// maxEndpoints of one caller: each costs an event's copy.
const maxEndpoints = 10

// SetEndpoint adds an endpoint to a caller, or changes the one of that name. headers are its own; nil leaves those
// that it has, if it stays at its origin. Errors: those of Update; ErrNoKey, with headers.
func (r *Registry) SetEndpoint(
	ctx context.Context, name string, version int64, e topup.CallerEndpoint, headers map[string]string,
) (topup.Caller, error) {
	err := errors.Join(append(webhook.CheckHeaders("headers", headers), r.checkEndpoint(e))...)
	if err != nil {
		return topup.Caller{}, err
	}
	ctx = audit.To(audit.On(ctx, name+"/"+e.Name), "url="+e.URL)
	return r.change(ctx, name, version, func(c *topup.Caller) error {
		if err := r.withHeaders(c, e.Name, e.URL, headers); err != nil {
			return err
		}
		i := c.EndpointIndex(e.Name)
		switch {
		case i >= 0:
			c.Endpoints[i] = e
		case len(c.Endpoints) >= maxEndpoints:
			return &topup.FieldError{Field: "endpoint", Value: e.Name,
				Allowed: fmt.Sprintf("at most %d endpoints beside the callback URL; remove one first", maxEndpoints)}
		default:
			c.Endpoints = append(c.Endpoints, e)
		}
		return nil
	})
}

func (r *Registry) checkEndpoint(e topup.CallerEndpoint) error {
	_, err := topup.ParseCallerName(e.Name)
	if e.Name == topup.DefaultEndpoint {
		err = &topup.FieldError{Field: "name", Value: e.Name,
			Allowed: "another name: this is the callback_url, which is changed as such"}
	}
	errs := []error{err, r.checkURL("url", e.URL)}
	for _, kind := range e.EventTypes {
		_, err := topup.ParseEventType(string(kind))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// RemoveEndpoint takes an endpoint away from a caller. Its pending events are exhausted.
// Errors: those of Update; webhook.ErrNoEndpoint.
func (r *Registry) RemoveEndpoint(
	ctx context.Context, name string, version int64, endpoint string,
) (topup.Caller, error) {
	ctx = audit.On(ctx, name+"/"+endpoint)
	return r.change(ctx, name, version, func(c *topup.Caller) error {
		i := c.EndpointIndex(endpoint)
		if i < 0 {
			return fmt.Errorf("endpoint %s: %w", endpoint, webhook.ErrNoEndpoint)
		}
		c.Endpoints = slices.Delete(c.Endpoints, i, i+1)
		return r.withHeaders(c, endpoint, "", nil)
	})
}
