package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/internal/callers"
	"recarga/producer"
	"recarga/topup"
	"recarga/webhook"
)

func (a Admin) show(ctx context.Context, c topup.Caller) (shown producer.Caller, err error) {
	health, err := a.Health.EndpointsHealth(ctx)
	if err == nil {
		shown = a.describe(ctx, c, health)
	}
	return shown, err
}

func (a Admin) describe(ctx context.Context, c topup.Caller, health endpointsHealth) producer.Caller {
	facts := producer.Caller{
		Name: c.Name, CreatedAt: shown(c.CreatedAt), DisabledAt: c.DisabledAt, Version: c.Version,
		Keys: make([]producer.CallerKey, len(c.Keys)), IDPrefix: known(c.IDPrefix),
		MaxOpen: known(c.Quota.MaxOpen), MaxRate: known(c.Quota.MaxRate.String()),
	}
	for i, k := range c.Keys {
		facts.Keys[i] = producer.CallerKey{Hint: k.Hint, CreatedAt: shown(k.CreatedAt), ExpiresAt: k.ExpiresAt}
	}
	if c.Name == topup.DefaultCaller { // whose endpoint is in the settings
		if all, err := a.Endpoints.Endpoints(ctx, c.Name); err == nil && len(all) > 0 {
			c.CallbackURL = all[0].URL
		}
	}
	facts.CallbackURL = known(c.CallbackURL)
	facts.Endpoints = a.endpointsOf(c, health)
	return facts
}

// CallerPage is the list of the callers.
type CallerPage struct {
	// Data are all callers, by name.
	Data       []producer.Caller `json:"data"`
	NextCursor *string           `json:"next_cursor" doc:"Always null: all callers are listed."`
}

func (a Admin) listCallers(ctx context.Context, _ *struct{}) (page CallerPage, err error) {
	all, err := a.Registry.List(ctx)
	if err != nil {
		return page, err
	}
	health, err := a.Health.EndpointsHealth(ctx)
	page.Data = make([]producer.Caller, len(all))
	for i, c := range all {
		page.Data[i] = a.describe(ctx, c, health)
	}
	return page, err
}

type newCallerRequest struct {
	Name string `json:"name" doc:"1 to 64 characters A-Za-z0-9._-; the orders carry it." example:"shop"`
	// CallbackURL is where its events go; nil: nowhere.
	CallbackURL *string `json:"callback_url,omitempty" nullable:"true" example:"https://shop.example/recarga"`

	KeyExpiresAt *time.Time `json:"key_expires_at,omitempty" doc:"When its key ends. Absent: never."`
	IDPrefix     string     `json:"id_prefix,omitempty" doc:"What its orders' ids must begin with." example:"S-"`
	MaxOpen      int        `json:"max_open,omitempty" doc:"How many of its orders may be open; absent or 0: any number."`
	MaxRate      string     `json:"max_rate,omitempty" doc:"COUNT/s, COUNT/m or COUNT/h." example:"5/s"`
}

func (a Admin) addCaller(
	ctx context.Context, in *struct{ Body newCallerRequest },
) (added producer.CreatedCaller, err error) {
	b := in.Body
	rate, err := topup.ParseRate("max_rate", b.MaxRate)
	if err != nil {
		return added, err
	}
	n := callers.NewCaller{
		Name: b.Name, IDPrefix: b.IDPrefix, KeyExpiresAt: b.KeyExpiresAt,
		Quota: topup.Quota{MaxOpen: b.MaxOpen, MaxRate: rate},
	}
	if b.CallbackURL != nil {
		n.CallbackURL = *b.CallbackURL
	}
	c, err := a.Registry.Add(ctx, n)
	if err != nil {
		return added, err
	}
	a.Log.InfoContext(ctx, "caller added", "caller", c.Name)
	facts, err := a.show(ctx, c.Caller)
	return producer.CreatedCaller{Caller: facts, APIKey: c.APIKey, WebhookSecret: c.WebhookSecret}, err
}

type callerInput struct {
	// Name is the caller's.
	Name string `path:"name"`
	// Body is what changes.
	Body callerChangeRequest
}

type callerChangeRequest struct {
	// CallbackURL is where its events go; empty: nowhere. Absent: as it is.
	CallbackURL *string `json:"callback_url,omitempty" nullable:"true"`
	// CallbackHeaders are the callback URL's own.
	CallbackHeaders map[string]string `json:"callback_headers,omitempty" doc:"Sent to the callback_url with each event."`

	Disabled *bool   `json:"disabled,omitempty" doc:"Refuse its key and deliver nothing to it, or do so no more."`
	Version  int64   `json:"version,omitempty" minimum:"1" doc:"What is changed: 409 if it is another. Absent: any."`
	IDPrefix *string `json:"id_prefix,omitempty" doc:"What its orders' ids must begin with; empty: nothing."`
	MaxOpen  *int    `json:"max_open,omitempty" doc:"How many of its orders may be open; 0: any number."`
	MaxRate  *string `json:"max_rate,omitempty" doc:"COUNT/s, COUNT/m or COUNT/h; empty: any number."`
}

func (a Admin) changeCaller(ctx context.Context, in *callerInput) (changed producer.Caller, err error) {
	b := in.Body
	change := callers.Change{CallbackURL: b.CallbackURL, Disabled: b.Disabled, IDPrefix: b.IDPrefix, MaxOpen: b.MaxOpen,
		Headers: b.CallbackHeaders}
	if b.MaxRate != nil {
		rate, err := topup.ParseRate("max_rate", *b.MaxRate)
		if err != nil {
			return changed, err
		}
		change.MaxRate = &rate
	}
	c, err := a.Registry.Update(ctx, in.Name, b.Version, change)
	if err != nil {
		return changed, err
	}
	a.Log.InfoContext(ctx, "caller changed", "caller", c.Name, "version", c.Version, "disabled", c.DisabledAt != nil)
	return a.show(ctx, c)
}

type rotateInput struct {
	// Name is the caller's, or the operator's.
	Name string `path:"name"`
	query
}

func (a Admin) rotateSecret(ctx context.Context, in *rotateInput) (out producer.RotatedSecret, err error) {
	how, err := in.rotation(callers.DefaultOverlap)
	if err == nil {
		var c topup.Caller
		out.WebhookSecret, c, err = a.Registry.RotateSecret(ctx, in.Name, how)
		out.Version = c.Version
	}
	return out, a.rotated(ctx, "webhook secret", in.Name, out.Version, how, err)
}

func (a Admin) rotateKey(ctx context.Context, in *rotateInput) (out producer.RotatedKey, err error) {
	how, err := in.rotation(0)
	if err == nil {
		var c topup.Caller
		out.APIKey, c, err = a.Registry.RotateKey(ctx, in.Name, how)
		out.Version = c.Version
	}
	return out, a.rotated(ctx, "API key", in.Name, out.Version, how, err)
}

// rotated says of a rotation that it has been, or where its wrong fields are.
func (a Admin) rotated(
	ctx context.Context, what, caller string, version int64, how callers.Rotation, err error,
) error {
	if err == nil {
		a.Log.InfoContext(ctx, "caller's key or secret rotated", "what", what, "caller", caller, "version", version,
			"overlap", how.Overlap)
	}
	return problem.In("query", err)
}

// callerRefused has the registry's own words for errors that are orders' elsewhere.
func callerRefused(err error) error {
	switch {
	case errors.As(err, new(*topup.ChangedError)):
		return problem.New(problem.ChangedMeanwhile, err.Error())
	case errors.Is(err, callers.ErrNoKey):
		return problem.New(problem.WrongState, err.Error())
	case errors.Is(err, topup.ErrConflict):
		return problem.New(problem.NameTaken, "the name is taken")
	case errors.Is(err, webhook.ErrNoEndpoint):
		return problem.New(problem.EndpointNotFound, "the caller has no such endpoint")
	case errors.Is(err, topup.ErrNotFound):
		return problem.New(problem.CallerNotFound, "there is no such caller in the registry, or it is disabled")
	}
	return err
}

func (a Admin) onCallers(to openapi.Operations) {
	add(to, callerRefused, openapi.New(http.MethodGet, "/v1/callers", "listCallers"), a.listCallers)
	op := openapi.NewWithBody(http.MethodPost, "/v1/callers", "addCaller", 409)
	op.DefaultStatus = http.StatusCreated
	add(to, callerRefused, op, a.addCaller)
	add(to, callerRefused, openapi.NewWithBody(http.MethodPatch, "/v1/callers/{name}", "changeCaller", 404, 409),
		a.changeCaller)
	op = openapi.New(http.MethodPost, "/v1/callers/{name}/rotate-secret", "rotateSecret", 404, 409, 503)
	op.Parameters = []*huma.Param{
		overlapParameter("How long the former secret signs as well: 24h if absent, 720h at most."), versionParameter(),
	}
	add(to, callerRefused, op, a.rotateSecret)
	op = openapi.New(http.MethodPost, "/v1/callers/{name}/rotate-key", "rotateKey", 404, 409, 503)
	op.Parameters = []*huma.Param{
		overlapParameter("How long the former key is good as well: 0s if absent, 720h at most."), versionParameter(),
		openapi.Query("expires_at", "When the new key ends.", openapi.Time()),
	}
	add(to, callerRefused, op, a.rotateKey)
}

func overlapParameter(text string) *huma.Param { return openapi.Query("overlap", text, openapi.Text()) }

// versionParameter is of what changes a caller without a body.
func versionParameter() *huma.Param {
	const text = "The caller's version that this is a change of: 409 if it has another. Absent: whichever it has."
	return openapi.Query("version", text,
		&huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: new(1.0)})
}
