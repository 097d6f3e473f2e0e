package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recarga/topup"
	"recarga/webhook"
)

// Endpoints knows where callers are notified, also those of the settings.
type Endpoints interface {
	// Endpoints returns topup.ErrNotFound for a caller that is notified nowhere.
	Endpoints(ctx context.Context, caller string) ([]webhook.Endpoint, error)
}

// Health keeps which endpoints fail: the journal.
type Health interface {
	EndpointHealth(ctx context.Context, caller, url string) (topup.EndpointHealth, error)
	EndpointHealthy(ctx context.Context, caller, url string) error
	DisableEndpoint(
		ctx context.Context, d topup.DisabledEndpoint, notify bool, now time.Time,
	) (disabled bool, ev *topup.Event, err error)
}

// endpointFacts is an endpoint as it is shown.
type endpointFacts struct {
	Name         string            `json:"name"`
	URL          string            `json:"url"`
	EventTypes   []topup.EventType `json:"event_types" doc:"The types that it wants; empty: every type."`
	FailingSince *time.Time        `json:"failing_since"`
	DisabledAt   *time.Time        `json:"disabled_at" doc:"Since when nothing is sent to it; null: it is enabled."`
	Reason       *string           `json:"reason" doc:"Why it is disabled."`
}

func (s *Server) endpointsOf(ctx context.Context, c topup.Caller) ([]endpointFacts, error) {
	var all []topup.CallerEndpoint
	if c.CallbackURL != "" {
		all = append(all, topup.CallerEndpoint{Name: topup.DefaultEndpoint, URL: c.CallbackURL})
	}
	facts := []endpointFacts{}
	for _, e := range append(all, c.Endpoints...) {
		h, err := s.cfg.Health.EndpointHealth(ctx, c.Name, e.URL)
		if err != nil {
			return nil, err
		}
		f := endpointFacts{Name: e.Name, URL: e.URL, EventTypes: e.EventTypes, FailingSince: h.FailingSince,
			DisabledAt: h.DisabledAt}
		if f.EventTypes == nil {
			f.EventTypes = []topup.EventType{}
		}
		if h.Reason != "" {
			f.Reason = &h.Reason
		}
		facts = append(facts, f)
	}
	return facts, nil
}

type setEndpointInput struct {
	Name     string `path:"name"`
	Endpoint string `path:"endpoint"`
	listInput
	Body setEndpointRequest
}

type setEndpointRequest struct {
	URL        string            `json:"url" doc:"Where these events go." example:"https://crm.example/recarga"`
	EventTypes []topup.EventType `json:"event_types,omitempty" example:"[\"topup.failed\"]"`
}

func (s *Server) setEndpoint(ctx context.Context, in *setEndpointInput) (*callerOutput, error) {
	version, err := versionOf(in.query)
	if err != nil {
		return nil, s.problem(ctx, "query", err)
	}
	e := topup.CallerEndpoint{Name: in.Endpoint, URL: in.Body.URL, EventTypes: in.Body.EventTypes}
	c, err := s.cfg.Registry.SetEndpoint(ctx, in.Name, version, e)
	if err != nil {
		return nil, s.callerProblem(ctx, err)
	}
	s.log.InfoContext(ctx, "endpoint set", "caller", in.Name, "endpoint", in.Endpoint)
	return s.changed(ctx, c)
}

type endpointInput struct {
	Name     string `path:"name"`
	Endpoint string `path:"endpoint"`
	listInput
}

func (s *Server) removeEndpoint(ctx context.Context, in *endpointInput) (*callerOutput, error) {
	version, err := versionOf(in.query)
	if err != nil {
		return nil, s.problem(ctx, "query", err)
	}
	c, err := s.cfg.Registry.RemoveEndpoint(ctx, in.Name, version, in.Endpoint)
	if err != nil {
		return nil, s.callerProblem(ctx, err)
	}
	s.log.InfoContext(ctx, "endpoint removed", "caller", in.Name, "endpoint", in.Endpoint)
	return s.changed(ctx, c)
}

type switchedOutput struct {
	Body struct {
		Caller   string `json:"caller"`
		Endpoint string `json:"endpoint"`
		URL      string `json:"url"`
		Disabled bool   `json:"disabled"`
	}
}

func (s *Server) enableEndpoint(ctx context.Context, in *endpointInput) (*switchedOutput, error) {
	return s.switchEndpoint(ctx, in, false, func(url string) error {
		return s.cfg.Health.EndpointHealthy(ctx, in.Name,
			url)
	})
}

func (s *Server) disableEndpoint(ctx context.Context, in *endpointInput) (*switchedOutput, error) {
	return s.switchEndpoint(ctx, in, true, func(url string) error {
		d := topup.DisabledEndpoint{Caller: in.Name, Endpoint: in.Endpoint, URL: url, Reason: "the operator disabled it"}
		_, _, err := s.cfg.Health.DisableEndpoint(ctx, d, false, time.Now())
		return err
	})
}

func (s *Server) switchEndpoint(ctx context.Context, in *endpointInput, disabled bool,
	do func(url string) error) (*switchedOutput, error) {
	url, err := s.endpointURL(ctx, in.Name, in.Endpoint)
	if err == nil {
		err = do(url)
	}
	if err != nil {
		return nil, s.callerProblem(ctx, err)
	}
	s.log.InfoContext(ctx, "endpoint switched", "caller", in.Name, "endpoint", in.Endpoint, "disabled", disabled)
	var out switchedOutput
	out.Body.Caller, out.Body.Endpoint, out.Body.URL, out.Body.Disabled = in.Name, in.Endpoint, url, disabled
	return &out, nil
}

func (s *Server) endpointURL(ctx context.Context, caller, name string) (string, error) {
	all, err := s.cfg.Endpoints.Endpoints(ctx, caller)
	if err != nil {
		return "", err
	}
	for _, e := range all {
		if (e.Name == name || e.Name == "" && name == topup.DefaultEndpoint) && e.URL != "" {
			return e.URL, nil
		}
	}
	return "", topup.ErrNotFound
}

func opSetEndpoint() huma.Operation {
	op := operation(http.MethodPut, "/v1/callers/{name}/endpoints/{endpoint}", "setCallerEndpoint",
		"Add or change an endpoint of a caller",
		"Its events go to it beside the callback_url, each with a `webhook-id` of its own. A caller may "+
			"have ten.",
		400, 403, 404, 408, 409, 413, 415, 503)
	op.Parameters = []*huma.Param{versionParameter()}
	return bodied(op)
}

func opRemoveEndpoint() huma.Operation {
	op := operation(http.MethodDelete, "/v1/callers/{name}/endpoints/{endpoint}", "removeCallerEndpoint",
		"Remove an endpoint of a caller",
		"Events that were not delivered to it become `exhausted`.", 403, 404, 409, 503)
	op.Parameters = []*huma.Param{versionParameter()}
	return op
}

func opEnableEndpoint() huma.Operation {
	return operation(http.MethodPost, "/v1/callers/{name}/endpoints/{endpoint}/enable", "enableCallerEndpoint",
		"Send to an endpoint again",
		"Clears the record of its failures. What became `exhausted` meanwhile is sent by `POST /v1/events/redeliver`. "+
			"The endpoint `default` is the callback_url; the callers `default` and `operator` are those of the settings.", 403,
		404, 503)
}

func opDisableEndpoint() huma.Operation {
	return operation(http.MethodPost, "/v1/callers/{name}/endpoints/{endpoint}/disable", "disableCallerEndpoint",
		"Send nothing more to an endpoint",
		"Its events become `exhausted`, and are kept. Once it is enabled, redeliver them.", 403, 404, 503)
}
