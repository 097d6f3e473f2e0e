package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/access"
	"recarga/internal/callers"
	"recarga/topup"
)

// Registry keeps the callers: callers.Registry.
type Registry interface {
	Add(ctx context.Context, n callers.NewCaller) (callers.Created, error)
	List(ctx context.Context) ([]topup.Caller, error)
	// What changes a caller takes the version that it was made of; 0 is any. *topup.ChangedError: it has another.
	Update(ctx context.Context, name string, version int64, change callers.Change) (topup.Caller, error)
	RotateSecret(ctx context.Context, name string, how callers.Rotation) (secret string, c topup.Caller, err error)
	RotateKey(ctx context.Context, name string, how callers.Rotation) (key string, c topup.Caller, err error)
	Authenticate(ctx context.Context, key string) (topup.Caller, error)
	SetEndpoint(ctx context.Context, name string, version int64, e topup.CallerEndpoint) (topup.Caller, error)
	RemoveEndpoint(ctx context.Context, name string, version int64, endpoint string) (topup.Caller, error)
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
	case errors.Is(err, callers.ErrExpired):
		return Identity{}, unauthorized("the key of caller " + c.Name + " has expired; ask the operator for a new one")
	}
	who = Identity{Caller: c.Name, CallbackURL: c.CallbackURL}
	for _, e := range c.Endpoints {
		who.Endpoints = append(who.Endpoints, e.URL)
	}
	return who, err
}

// HasAdmin reports whether an admin key is set.
func (r registered) HasAdmin() bool {
	static, ok := r.static.(adminless)
	return !ok || static.HasAdmin()
}

// CallerFacts is a caller as it is shown.
type CallerFacts struct {
	Name        string  `json:"name" doc:"The orders carry it."`
	CallbackURL *string `json:"callback_url" doc:"Where its events go; null: nowhere."`
	// Endpoints and DisabledAt: see registryTexts.
	Endpoints  []endpointFacts `json:"endpoints"`
	CreatedAt  time.Time       `json:"created_at" doc:"When it was added."`
	DisabledAt *time.Time      `json:"disabled_at"` // null: it is enabled
	Version    int64           `json:"version" doc:"Rises with each change; see its changes."`
	Keys       []keyFacts      `json:"keys" doc:"Its API keys, the newest first; two while one follows the other."`
	IDPrefix   *string         `json:"id_prefix" doc:"What its orders' ids begin with, and nobody else's; null: none."`
	MaxOpen    *int            `json:"max_open" doc:"How many of its orders may be open; null: any number."`
	MaxRate    *string         `json:"max_rate" doc:"How many orders it may place, as in 5/s; null: any number."`
}

// keyFacts is an API key as it is shown: never the key.
type keyFacts struct {
	Hint      string     `json:"hint" doc:"The key's last characters; empty for a key of an older release."`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at" doc:"When it ends; null: never."`
}

func keysOf(c topup.Caller) []keyFacts {
	facts := make([]keyFacts, len(c.Keys))
	for i, k := range c.Keys {
		facts[i] = keyFacts{Hint: k.Hint, CreatedAt: k.CreatedAt.UTC().Truncate(time.Microsecond), ExpiresAt: k.ExpiresAt}
	}
	return facts
}

// known is nil for the zero value.
func known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func (s *Server) callerFactsOf(ctx context.Context, c topup.Caller) (CallerFacts, error) {
	f := CallerFacts{
		Name: c.Name, CreatedAt: c.CreatedAt.UTC().Truncate(time.Microsecond), DisabledAt: c.DisabledAt,
		CallbackURL: known(c.CallbackURL), Version: c.Version, Keys: keysOf(c), IDPrefix: known(c.IDPrefix),
		MaxOpen: known(c.Quota.MaxOpen), MaxRate: known(c.Quota.MaxRate.String()),
	}
	if c.Name == topup.DefaultCaller { // whose endpoint is in the settings
		if all, err := s.cfg.Endpoints.Endpoints(ctx, c.Name); err == nil && len(all) > 0 {
			c.CallbackURL = all[0].URL
			f.CallbackURL = known(c.CallbackURL)
		}
	}
	var err error
	f.Endpoints, err = s.endpointsOf(ctx, c)
	return f, err
}

type callerPage struct {
	Data       []CallerFacts `json:"data"`
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
	page := callerPage{Data: make([]CallerFacts, len(all))}
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
	CallbackURL *string `json:"callback_url,omitempty" nullable:"true" example:"https://shop.example/recarga"`

	KeyExpiresAt *time.Time `json:"key_expires_at,omitempty" doc:"When its key ends. Absent: never."`
	IDPrefix     string     `json:"id_prefix,omitempty" doc:"What its orders' ids must begin with." example:"S-"`
	MaxOpen      int        `json:"max_open,omitempty" doc:"How many of its orders may be open; absent or 0: any number."`
	MaxRate      string     `json:"max_rate,omitempty" doc:"COUNT/s, COUNT/m or COUNT/h." example:"5/s"`
}

type createdCaller struct {
	CallerFacts
	APIKey        string `json:"api_key" doc:"Shown this once."`
	WebhookSecret string `json:"webhook_secret" doc:"Shown this once."`
}

type createdOutput struct {
	Body createdCaller
}

func (s *Server) addCaller(ctx context.Context, in *addCallerInput) (*createdOutput, error) {
	b := in.Body
	rate, err := topup.ParseRate("max_rate", b.MaxRate)
	if err != nil {
		return nil, s.callerProblem(ctx, err)
	}
	c, err := s.cfg.Registry.Add(ctx, callers.NewCaller{
		Name: b.Name, CallbackURL: string(nullString(b.CallbackURL)), IDPrefix: b.IDPrefix, KeyExpiresAt: b.KeyExpiresAt,
		Quota: topup.Quota{MaxOpen: b.MaxOpen, MaxRate: rate},
	})
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
	CallbackURL *string `json:"callback_url,omitempty" nullable:"true"`
	Disabled    *bool   `json:"disabled,omitempty" doc:"Refuse its key and deliver nothing to it, or do so no more."`
	Version     int64   `json:"version,omitempty" minimum:"1" doc:"What is changed: 409 if it is another. Absent: any."`
	IDPrefix    *string `json:"id_prefix,omitempty" doc:"What its orders' ids must begin with; empty: nothing."`
	MaxOpen     *int    `json:"max_open,omitempty" doc:"How many of its orders may be open; 0: any number."`
	MaxRate     *string `json:"max_rate,omitempty" doc:"COUNT/s, COUNT/m or COUNT/h; empty: any number."`
}

type callerOutput struct {
	Body CallerFacts
}

func (s *Server) changeCaller(ctx context.Context, in *callerInput) (*callerOutput, error) {
	b := in.Body
	change := callers.Change{CallbackURL: b.CallbackURL, Disabled: b.Disabled, IDPrefix: b.IDPrefix, MaxOpen: b.MaxOpen}
	if b.MaxRate != nil {
		rate, err := topup.ParseRate("max_rate", *b.MaxRate)
		if err != nil {
			return nil, s.callerProblem(ctx, err)
		}
		change.MaxRate = &rate
	}
	c, err := s.cfg.Registry.Update(ctx, in.Name, b.Version, change)
	if err != nil {
		return nil, s.callerProblem(ctx, err)
	}
	s.log.InfoContext(ctx, "caller changed", "caller", c.Name, "version", c.Version, "disabled", c.DisabledAt != nil)
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
		Version       int64  `json:"version" doc:"The caller's."`
	}
}

func (s *Server) rotateSecret(ctx context.Context, in *rotateInput) (*secretOutput, error) {
	var out secretOutput
	secret, version, err := s.rotate(ctx, in, "webhook secret", callers.DefaultOverlap, s.cfg.Registry.RotateSecret)
	out.Body.WebhookSecret, out.Body.Version = secret, version
	return &out, err
}

// rotate gives a caller another key or secret; what is its name for the log.
func (s *Server) rotate(
	ctx context.Context, in *rotateInput, what string, overlap time.Duration,
	do func(context.Context, string, callers.Rotation) (string, topup.Caller, error),
) (secret string, version int64, err error) {
	how, err := rotationOf(in.query, overlap)
	if err != nil {
		return "", 0, s.problem(ctx, "query", err)
	}
	secret, c, err := do(ctx, in.Name, how)
	if err != nil {
		return "", 0, s.rotationProblem(ctx, err)
	}
	s.log.InfoContext(ctx, "caller's key or secret rotated", "what", what, "caller", in.Name, "version", c.Version,
		"overlap", how.Overlap)
	return secret, c.Version, nil
}

// rotationProblem is callerProblem for what came in the query.
func (s *Server) rotationProblem(ctx context.Context, err error) error {
	if len(topup.FieldErrors(err)) > 0 {
		return s.problem(ctx, "query", err)
	}
	return s.callerProblem(ctx, err)
}

// rotationOf reads query parameters, so that a POST without a body does what most want.
func rotationOf(values url.Values, overlap time.Duration) (callers.Rotation, error) {
	q := queryReader{values: values}
	how := callers.Rotation{Version: read(&q, "version", version), Overlap: overlap}
	if given := values.Get("overlap"); given != "" {
		how.Overlap = read(&q, "overlap", parseOverlap)
	}
	how.ExpiresAt = known(read(&q, "expires_at", timeOf("expires_at")))
	return how, errors.Join(q.errs...)
}

func parseOverlap(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		err = &topup.FieldError{Field: "overlap", Value: s, Allowed: "a duration, as in 24h"}
	}
	return d, err
}

func version(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		allowed := "the caller's version that this is a change of, from 1, or absent"
		return 0, &topup.FieldError{Field: "version", Value: s, Allowed: allowed}
	}
	return n, nil
}

// versionOf is the version of a change; 0 where none is given.
func versionOf(values url.Values) (int64, error) {
	q := queryReader{values: values}
	v := read(&q, "version", version)
	return v, errors.Join(q.errs...)
}

type keyOutput struct {
	Body struct {
		APIKey  string `json:"api_key" doc:"Shown this once."`
		Version int64  `json:"version" doc:"The caller's."`
	}
}

func (s *Server) rotateKey(ctx context.Context, in *rotateInput) (*keyOutput, error) {
	var out keyOutput
	key, version, err := s.rotate(ctx, in, "API key", 0, s.cfg.Registry.RotateKey)
	out.Body.APIKey, out.Body.Version = key, version
	return &out, err
}

// callerProblem has the registry's own words for errors that are orders' elsewhere.
func (s *Server) callerProblem(ctx context.Context, err error) error {
	var changed *topup.ChangedError
	switch {
	case errors.As(err, &changed):
		return huma.Error409Conflict(changed.Error())
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
		"The caller `default`, of the settings, is among them once it has a prefix or a quota.", 403)
}

func opAddCaller() huma.Operation {
	op := operation(http.MethodPost, "/v1/callers", "addCaller", "Add a caller",
		"The answer is the only time that its API key and its webhook secret are shown.", 400, 403, 408, 409, 413, 415, 503)
	op.DefaultStatus = http.StatusCreated
	return bodied(op)
}

func opChangeCaller() huma.Operation {
	op := operation(http.MethodPatch, "/v1/callers/{name}", "changeCaller", "Change a caller",
		"A change takes effect in every process within two seconds. With `version` it is refused when "+
			"the caller has changed since. A prefix is refused (422) while orders of others begin with it. Of the caller "+
			"`default`, of the settings, only the prefix and the quotas can be changed.",
		400, 403, 404, 408, 409, 413, 415, 503)
	return bodied(op)
}

func opRotateSecret() huma.Operation {
	op := operation(http.MethodPost, "/v1/callers/{name}/rotate-secret", "rotateSecret",
		"Give a caller a new webhook secret",
		"Until the overlap has passed, every webhook is signed with both.", 403, 404, 409, 503)
	op.Parameters = []*huma.Param{
		overlapParameter("How long the former secret signs as well: 24h if absent, 720h at most."), versionParameter(),
	}
	return op
}

func opRotateKey() huma.Operation {
	op := operation(http.MethodPost, "/v1/callers/{name}/rotate-key", "rotateKey", "Give a caller a new API key",
		"The former key ends within two seconds, or after the overlap; the one before that ends now.",
		403, 404, 409, 503)
	op.Parameters = []*huma.Param{
		overlapParameter("How long the former key is good as well: 0s if absent, 720h at most."), versionParameter(),
		query("expires_at", "When the new key ends.", timeSchema()),
	}
	return op
}

func overlapParameter(text string) *huma.Param {
	return query("overlap", text, textSchema())
}

// versionParameter is of what changes a caller without a body.
func versionParameter() *huma.Param {
	const text = "The caller's version that this is a change of: 409 if it has another. Absent: whichever it has."
	return query("version", text,
		&huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: new(1.0)})
}

// bodied bounds what is read of a request's body.
func bodied(op huma.Operation) huma.Operation {
	op.MaxBodyBytes = maxBody + 1
	op.BodyReadTimeout = bodyPatience
	return op
}
