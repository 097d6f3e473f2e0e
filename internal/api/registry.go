package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/access"
	"recarga/internal/callers"
	"recarga/topup"
)

// Registry keeps the callers: callers.Registry.
type Registry interface {
	Add(ctx context.Context, name, callbackURL string) (callers.Created, error)
	List(ctx context.Context) ([]topup.Caller, error)
	Update(ctx context.Context, name string, change callers.Change) (topup.Caller, error)
	RotateSecret(ctx context.Context, name string, overlap time.Duration) (secret string, err error)
	RotateKey(ctx context.Context, name string) (key string, err error)
	Authenticate(ctx context.Context, key string) (topup.Caller, error)
	SetEndpoint(ctx context.Context, name string, e topup.CallerEndpoint) (topup.Caller, error)
	RemoveEndpoint(ctx context.Context, name, endpoint string) (topup.Caller, error)
}

// registered looks a key up among the callers of the settings first, and then in the registry.
type registered struct {
	static   Callers
	registry Registry
	lookups  *access.Lookups
}

// WithRegistry adds the callers of the registry to those of the settings.
func WithRegistry(static Callers, registry Registry) Callers {
	return registered{static, registry, access.NewLookups()}
}

// Authenticate implements Callers.
func (r registered) Authenticate(ctx context.Context, key string) (Identity, error) {
	who, err := r.static.Authenticate(ctx, key)
	if !errors.Is(err, ErrUnknownKey) {
		return who, err
	}
	var c topup.Caller
	err = r.lookups.Do(ctx, key, func() (err error) {
		c, err = r.registry.Authenticate(ctx, key)
		return err
	})
	switch {
	case errors.Is(err, topup.ErrNotFound):
		return Identity{}, ErrUnknownKey
	case errors.Is(err, callers.ErrDisabled):
		return Identity{}, forbidden("caller " + c.Name + " is disabled")
	}
	who = Identity{Caller: c.Name, CallbackURL: c.CallbackURL}
	for _, e := range c.Endpoints {
		who.Endpoints = append(who.Endpoints, e.URL)
	}
	return who, err
}

// HasAdmin tells whether an admin key is set.
func (r registered) HasAdmin() bool {
	static, ok := r.static.(adminless)
	return !ok || static.HasAdmin()
}

// callerFacts is a caller as it is shown.
type callerFacts struct {
	Name        string          `json:"name"`
	CallbackURL *string         `json:"callback_url" doc:"Where its events go; null: nowhere."`
	Endpoints   []endpointFacts `json:"endpoints" doc:"All that are told of its events; the one named default is the callback_url."`
	CreatedAt   time.Time       `json:"created_at"`
	DisabledAt  *time.Time      `json:"disabled_at" doc:"Since when its key is refused and it is told nothing; null: it is enabled."`
}

func (s *Server) callerFactsOf(ctx context.Context, c topup.Caller) (callerFacts, error) {
	f := callerFacts{Name: c.Name, CreatedAt: c.CreatedAt.UTC().Truncate(time.Microsecond), DisabledAt: c.DisabledAt}
	if c.CallbackURL != "" {
		f.CallbackURL = &c.CallbackURL
	}
	var err error
	f.Endpoints, err = s.endpointsOf(ctx, c)
	return f, err
}

type callerPage struct {
	Data       []callerFacts `json:"data"`
	NextCursor *string       `json:"next_cursor" doc:"Always null: all callers are listed."`
}

type callersOutput struct {
	Body callerPage
}

func (s *Server) listCallers(ctx context.Context, _ *struct{}) (*callersOutput, error) {
	all, err := s.cfg.Registry.List(ctx)
	if err != nil {
		return nil, s.problem(ctx, "query", err)
	}
	page := callerPage{Data: make([]callerFacts, len(all))}
	for i, c := range all {
		if page.Data[i], err = s.callerFactsOf(ctx, c); err != nil {
			return nil, s.problem(ctx, "query", err)
		}
	}
	return &callersOutput{Body: page}, nil
}

type addCallerInput struct {
	Body addCallerRequest
}

type addCallerRequest struct {
	Name        string  `json:"name" doc:"1 to 64 characters A-Za-z0-9._-; the orders carry it." example:"shop"`
	CallbackURL *string `json:"callback_url,omitempty" nullable:"true" doc:"Where its events go." example:"https://shop.example/recarga"`
}

type createdCaller struct {
	callerFacts
	APIKey        string `json:"api_key" doc:"Shown this once."`
	WebhookSecret string `json:"webhook_secret" doc:"Shown this once."`
}

type createdOutput struct {
	Body createdCaller
}

func (s *Server) addCaller(ctx context.Context, in *addCallerInput) (*createdOutput, error) {
	c, err := s.cfg.Registry.Add(ctx, in.Body.Name, string(nullString(in.Body.CallbackURL)))
	if err != nil {
		return nil, s.callerProblem(ctx, err)
	}
	s.log.InfoContext(ctx, "caller added", "caller", c.Name)
	facts, err := s.callerFactsOf(ctx, c.Caller)
	if err != nil {
		return nil, s.callerProblem(ctx, err)
	}
	return &createdOutput{Body: createdCaller{facts, c.APIKey, c.WebhookSecret}}, nil
}

type callerInput struct {
	Name string `path:"name"`
	Body changeCallerRequest
}

type changeCallerRequest struct {
	CallbackURL *string `json:"callback_url,omitempty" nullable:"true" doc:"Where its events go; empty: nowhere. Absent: as it is."`
	Disabled    *bool   `json:"disabled,omitempty" doc:"Refuse its key and tell it nothing, or do so no more."`
}

type callerOutput struct {
	Body callerFacts
}

func (s *Server) changeCaller(ctx context.Context, in *callerInput) (*callerOutput, error) {
	c, err := s.cfg.Registry.Update(ctx, in.Name, callers.Change{CallbackURL: in.Body.CallbackURL, Disabled: in.Body.Disabled})
	if err != nil {
		return nil, s.callerProblem(ctx, err)
	}
	s.log.InfoContext(ctx, "caller changed", "caller", c.Name, "disabled", c.DisabledAt != nil)
	return s.changed(ctx, c)
}

func (s *Server) changed(ctx context.Context, c topup.Caller) (*callerOutput, error) {
	facts, err := s.callerFactsOf(ctx, c)
	if err != nil {
		return nil, s.callerProblem(ctx, err)
	}
	return &callerOutput{Body: facts}, nil
}

type rotateInput struct {
	Name string `path:"name"`
	listInput
}

type secretOutput struct {
	Body struct {
		WebhookSecret string `json:"webhook_secret" doc:"Shown this once."`
	}
}

func (s *Server) rotateSecret(ctx context.Context, in *rotateInput) (*secretOutput, error) {
	// A query parameter, so that a POST without a body does what most want.
	text := cmp.Or(in.query.Get("overlap"), callers.DefaultOverlap.String())
	overlap, err := time.ParseDuration(text)
	if err != nil {
		return nil, s.problem(ctx, "query", &topup.FieldError{Field: "overlap", Value: text, Allowed: "a duration, as in 24h"})
	}
	var out secretOutput
	if out.Body.WebhookSecret, err = s.cfg.Registry.RotateSecret(ctx, in.Name, overlap); err != nil {
		return nil, s.callerProblem(ctx, err)
	}
	s.log.InfoContext(ctx, "webhook secret rotated", "caller", in.Name, "overlap", overlap)
	return &out, nil
}

type rotateKeyInput struct {
	Name string `path:"name"`
}

type keyOutput struct {
	Body struct {
		APIKey string `json:"api_key" doc:"Shown this once."`
	}
}

func (s *Server) rotateKey(ctx context.Context, in *rotateKeyInput) (*keyOutput, error) {
	var out keyOutput
	var err error
	if out.Body.APIKey, err = s.cfg.Registry.RotateKey(ctx, in.Name); err != nil {
		return nil, s.callerProblem(ctx, err)
	}
	s.log.InfoContext(ctx, "API key rotated", "caller", in.Name)
	return &out, nil
}

// callerProblem has the registry's own words for errors that are orders' elsewhere.
func (s *Server) callerProblem(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, topup.ErrConflict):
		return huma.Error409Conflict("the name is taken")
	case errors.Is(err, topup.ErrNotFound):
		return huma.Error404NotFound("there is no such caller, or it has no such endpoint")
	case errors.Is(err, callers.ErrNoKey):
		return huma.Error409Conflict(err.Error())
	}
	return s.problem(ctx, "body", err)
}

func opListCallers() huma.Operation {
	return operation(http.MethodGet, "/v1/callers", "listCallers", "List the callers",
		"For the admin key. The caller `default`, of the settings, is not among them.", 403)
}

func opAddCaller() huma.Operation {
	op := operation(http.MethodPost, "/v1/callers", "addCaller", "Add a caller",
		"For the admin key. The answer is the only time that its API key and its webhook secret are shown.", 400, 403, 408, 409, 413, 415, 503)
	op.DefaultStatus = http.StatusCreated
	return bodied(op)
}

func opChangeCaller() huma.Operation {
	op := operation(http.MethodPatch, "/v1/callers/{name}", "changeCaller", "Change a caller",
		"For the admin key. A change takes effect in every process within two seconds.", 400, 403, 404, 408, 413, 415, 503)
	return bodied(op)
}

func opRotateSecret() huma.Operation {
	op := operation(http.MethodPost, "/v1/callers/{name}/rotate-secret", "rotateSecret", "Give a caller a new webhook secret",
		"For the admin key. Until the overlap has passed, every webhook is signed with both.", 403, 404, 409, 503)
	op.Parameters = []*huma.Param{query("overlap", "How long the former secret signs as well: 24h if absent, 720h at most.", &huma.Schema{Type: huma.TypeString})}
	return op
}

func opRotateKey() huma.Operation {
	return operation(http.MethodPost, "/v1/callers/{name}/rotate-key", "rotateKey", "Give a caller a new API key",
		"For the admin key. The former key ends within two seconds.", 403, 404, 409, 503)
}

// bodied bounds what is read of a request's body.
func bodied(op huma.Operation) huma.Operation {
	op.MaxBodyBytes = maxBody + 1
	op.BodyReadTimeout = bodyPatience
	return op
}
