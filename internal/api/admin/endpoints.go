package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/internal/audit"
	"recarga/producer"
	"recarga/topup"
	"recarga/webhook"
)

type endpointsHealth = map[topup.EndpointAddress]topup.EndpointHealth

// endpointsOf are all that a caller is notified at.
func (a Admin) endpointsOf(c topup.Caller, health endpointsHealth) []producer.Endpoint {
	var all []topup.CallerEndpoint
	if c.CallbackURL != "" {
		all = append(all, topup.CallerEndpoint{Name: topup.DefaultEndpoint, URL: c.CallbackURL})
	}
	facts, headers := []producer.Endpoint{}, a.Registry.HeaderNames(c)
	for _, e := range append(all, c.Endpoints...) {
		h := health[topup.EndpointAddress{Caller: c.Name, URL: e.URL}]
		f := producer.Endpoint{Name: e.Name, URL: e.URL, EventTypes: e.EventTypes, FailingSince: h.FailingSince,
			DisabledAt: h.DisabledAt, Reason: known(h.Reason), HeaderNames: headers[e.Name]}
		if f.HeaderNames == nil {
			f.HeaderNames = []string{}
		}
		if f.EventTypes == nil {
			f.EventTypes = []topup.EventType{}
		}
		facts = append(facts, f)
	}
	return facts
}

// EndpointPath names an endpoint; huma reads it only if its name is exported.
type EndpointPath struct {
	// Name is the caller's.
	Name string `path:"name"`
	// Endpoint is the name of the endpoint, its own among its caller's.
	Endpoint string `path:"endpoint"`
}

type endpointInput struct {
	EndpointPath
	query
}

type setEndpointInput struct {
	EndpointPath
	query
	// Body is the endpoint.
	Body setEndpointRequest
}

type setEndpointRequest struct {
	URL string `json:"url" doc:"Where these events go." example:"https://crm.example/recarga"`
	// EventTypes are the types that it wants; absent or empty: every type.
	EventTypes []topup.EventType `json:"event_types,omitempty" example:"[\"topup.failed\"]"`
	// Headers are its own; see producer.Endpoint.
	Headers map[string]string `json:"headers,omitempty" doc:"Sent with each event. Absent: as they are."`
}

func (a Admin) setEndpoint(ctx context.Context, in *setEndpointInput) (changed producer.Caller, err error) {
	version, err := in.version()
	if err != nil {
		return changed, err
	}
	e := topup.CallerEndpoint{Name: in.Endpoint, URL: in.Body.URL, EventTypes: in.Body.EventTypes}
	c, err := a.Registry.SetEndpoint(ctx, in.Name, version, e, in.Body.Headers)
	if err != nil {
		return changed, err
	}
	a.Log.InfoContext(ctx, "endpoint set", "caller", in.Name, "endpoint", in.Endpoint)
	return a.show(ctx, c)
}

func (a Admin) removeEndpoint(ctx context.Context, in *endpointInput) (changed producer.Caller, err error) {
	version, err := in.version()
	if err != nil {
		return changed, err
	}
	c, err := a.Registry.RemoveEndpoint(ctx, in.Name, version, in.Endpoint)
	if err != nil {
		return changed, err
	}
	a.Log.InfoContext(ctx, "endpoint removed", "caller", in.Name, "endpoint", in.Endpoint)
	return a.show(ctx, c)
}

// SwitchedEndpoint is an endpoint that was enabled or disabled.
type SwitchedEndpoint struct {
	// Caller is the name of its caller.
	Caller string `json:"caller"`
	// Endpoint is its name, and URL where it is.
	Endpoint string `json:"endpoint"`
	URL      string `json:"url"`
	// Disabled: nothing is sent to it any more.
	Disabled bool `json:"disabled"`
}

func (a Admin) enableEndpoint(ctx context.Context, in *endpointInput) (SwitchedEndpoint, error) {
	return a.switchEndpoint(ctx, in, false, a.Switch.EnableEndpoint)
}

func (a Admin) disableEndpoint(ctx context.Context, in *endpointInput) (SwitchedEndpoint, error) {
	return a.switchEndpoint(ctx, in, true, a.Switch.DisableEndpoint)
}

func (a Admin) switchEndpoint(
	ctx context.Context, in *endpointInput, disabled bool,
	do func(context.Context, topup.DisabledEndpoint, producer.Actor) error,
) (SwitchedEndpoint, error) {
	url, err := a.urlOf(ctx, in.Name, in.Endpoint)
	if err == nil {
		err = do(ctx, topup.DisabledEndpoint{Caller: in.Name, Endpoint: in.Endpoint, URL: url}, keys.Of(ctx).Actor())
	}
	return SwitchedEndpoint{in.Name, in.Endpoint, url, disabled}, err
}

// urlOf is where an endpoint is. Errors: topup.ErrNotFound, there is no such caller; webhook.ErrNoEndpoint.
func (a Admin) urlOf(ctx context.Context, caller, name string) (string, error) {
	all, err := a.Endpoints.Endpoints(ctx, caller)
	if err != nil {
		return "", err
	}
	for _, e := range all {
		if (e.Name == name || e.Name == "" && name == topup.DefaultEndpoint) && e.URL != "" {
			return e.URL, nil
		}
	}
	return "", webhook.ErrNoEndpoint
}

type pingInput struct {
	// Endpoint is its name.
	Endpoint string `path:"endpoint"`
	query
}

// ping is also for a caller's own key: it tries out its own endpoints.
func (a Admin) ping(ctx context.Context, in *pingInput) (producer.Pinged, error) {
	who, caller := keys.Of(ctx), in.Get("caller")
	switch {
	case !who.SeesAll() && caller != "" && caller != who.Caller:
		return producer.Pinged{}, problem.Forbidden("caller is for operators' keys; a caller's key pings its own endpoints")
	case !who.SeesAll():
		caller = who.Caller
	case caller == "":
		caller = topup.DefaultCaller
	}
	if err := a.Audit.RecordAct(audit.On(ctx, caller+"/"+in.Endpoint)); err != nil {
		return producer.Pinged{}, err
	}
	done, err := a.Pinger.Ping(ctx, caller, in.Endpoint)
	if err != nil {
		return producer.Pinged{}, err
	}
	pinged := producer.Pinged{ID: done.ID, Caller: caller, Endpoint: in.Endpoint, Delivered: done.Try.Delivered(),
		Try: done.Try}
	a.Log.InfoContext(ctx, "endpoint pinged", "caller", caller, "endpoint", in.Endpoint, "delivered", pinged.Delivered)
	if !who.SeesAll() {
		pinged.Try = pinged.Try.ForCaller()
	}
	return pinged, nil
}

func (a Admin) onEndpoints(to openapi.Operations) {
	const path = "/v1/callers/{name}/endpoints/{endpoint}"
	op := openapi.NewWithBody(http.MethodPut, path, "setCallerEndpoint", 404, 409)
	op.Parameters = []*huma.Param{versionParameter()}
	add(to, callerRefused, op, a.setEndpoint)
	op = openapi.New(http.MethodDelete, path, "removeCallerEndpoint", 404, 409, 503)
	op.Parameters = []*huma.Param{versionParameter()}
	add(to, callerRefused, op, a.removeEndpoint)
	op = openapi.New(http.MethodPost, path+"/enable", "enableCallerEndpoint", 404, 503)
	add(to, callerRefused, op, a.enableEndpoint)
	op = openapi.New(http.MethodPost, path+"/disable", "disableCallerEndpoint", 404, 503)
	add(to, callerRefused, op, a.disableEndpoint)
	op = openapi.New(http.MethodPost, "/v1/endpoints/{endpoint}/ping", "pingEndpoint", 404, 503)
	op.Parameters = []*huma.Param{
		openapi.Query("caller", "Of this caller. For operators' keys only; absent: the one named default.", openapi.Text()),
	}
	add(to, callerRefused, op, a.ping)
}
