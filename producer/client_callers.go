package producer

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"recarga/topup"
)

// Caller is who places orders and is notified of them, as the operator sees it.
type Caller struct {
	Name        string  `json:"name" doc:"The orders carry it."`
	CallbackURL *string `json:"callback_url" doc:"Where its events go; null: nowhere."`
	// Endpoints are all that are notified, the callback URL too.
	Endpoints []Endpoint `json:"endpoints"`
	CreatedAt time.Time  `json:"created_at" doc:"When it was added."`
	// DisabledAt is since when its keys are refused; nil: they are not.
	DisabledAt *time.Time  `json:"disabled_at"`
	Version    int64       `json:"version" doc:"Rises with each change; see its changes."`
	Keys       []CallerKey `json:"keys" doc:"Its API keys, the newest first; two while one follows the other."`
	IDPrefix   *string     `json:"id_prefix" doc:"What its orders' ids begin with, and nobody else's; null: none."`
	MaxOpen    *int        `json:"max_open" doc:"How many of its orders may be open; null: any number."`
	MaxRate    *string     `json:"max_rate" doc:"How many orders it may place, as in 5/s; null: any number."`
}

// CreatedCaller is a caller that has just been added.
type CreatedCaller struct {
	Caller
	APIKey        string `json:"api_key" doc:"Shown this once."`
	WebhookSecret string `json:"webhook_secret" doc:"Shown this once."`
}

// CallerKey is what is shown of an API key.
type CallerKey struct {
	Hint string `json:"hint" doc:"The key's last characters; empty for a key of an older release."`
	// CreatedAt is when it was made.
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at" doc:"When it ends; null: never."`
}

// RotatedKey is a caller's new API key.
type RotatedKey struct {
	APIKey  string `json:"api_key" doc:"Shown this once."`
	Version int64  `json:"version" doc:"The caller's."`
}

// RotatedSecret is a caller's new webhook secret.
type RotatedSecret struct {
	WebhookSecret string `json:"webhook_secret" doc:"Shown this once."`
	Version       int64  `json:"version" doc:"The caller's."`
}

// Endpoint is where a caller is notified; the one named default is its callback URL.
type Endpoint struct {
	// Name is its own among its caller's, and URL where the events go.
	Name       string            `json:"name"`
	URL        string            `json:"url"`
	EventTypes []topup.EventType `json:"event_types" doc:"The types that it wants; empty: every type."`
	// Headers are sent with every event, beside Recarga's own. They are written, and never read: nil leaves those that
	// the endpoint has, if its URL stays at its origin.
	Headers     map[string]string `json:"-"`
	HeaderNames []string          `json:"header_names" doc:"The names of its own headers; their values are not shown."`
	// FailingSince is the first failure after its last success; nil: it answers.
	FailingSince *time.Time `json:"failing_since"`
	DisabledAt   *time.Time `json:"disabled_at" doc:"Since when nothing is sent to it; null: it is enabled."`
	Reason       *string    `json:"reason" doc:"Why it is disabled."`
}

// SetEndpoint adds an endpoint to a caller, or changes the one of that name. version is as in ChangeCaller.
func (c *Client) SetEndpoint(ctx context.Context, caller string, version int64, e Endpoint) (Caller, error) {
	request := map[string]any{"url": e.URL, "event_types": e.EventTypes}
	if len(e.EventTypes) == 0 {
		delete(request, "event_types")
	}
	if e.Headers != nil {
		request["headers"] = e.Headers
	}
	path := endpointPath(caller, e.Name) + versioned(version, nil)
	return onCaller(ctx, c, "set an endpoint of", http.MethodPut, path, caller, request, itsName)
}

// RemoveEndpoint takes an endpoint away from a caller. version is as in ChangeCaller.
func (c *Client) RemoveEndpoint(ctx context.Context, caller string, version int64, name string) (Caller, error) {
	path := endpointPath(caller, name) + versioned(version, nil)
	return onCaller(ctx, c, "remove an endpoint of", http.MethodDelete, path, caller, nil, itsName)
}

// EnableEndpoint has an endpoint tried again, and clears the record of its failures.
func (c *Client) EnableEndpoint(ctx context.Context, caller, name string) error {
	return c.switchEndpoint(ctx, "enable", caller, name)
}

// DisableEndpoint has nothing more sent to an endpoint.
func (c *Client) DisableEndpoint(ctx context.Context, caller, name string) error {
	return c.switchEndpoint(ctx, "disable", caller, name)
}

func (c *Client) switchEndpoint(ctx context.Context, action, caller, name string) error {
	type switched struct {
		Caller   string `json:"caller"`
		Endpoint string `json:"endpoint"`
	}
	_, err := onCaller(ctx, c, action+" an endpoint of", http.MethodPost, endpointPath(caller, name)+"/"+action, caller,
		nil, func(s switched) (string, bool) { return s.Caller, s.Endpoint == name })
	return err
}

// Pinged is a ping that was sent to an endpoint.
type Pinged struct {
	ID        string `json:"id" doc:"Its webhook-id."`
	Caller    string `json:"caller" doc:"Whose endpoint it is."`
	Endpoint  string `json:"endpoint" doc:"The name of the endpoint; default is the callback_url."`
	Delivered bool   `json:"delivered" doc:"It was answered with 2xx."`
	// Try is what came of it.
	Try topup.Try `json:"try"`
}

// Ping sends an event of the type ping to an endpoint, by its name, and returns what came of it. An empty caller is
// the key's own, or the one named default with an operator's key.
func (c *Client) Ping(ctx context.Context, caller, endpoint string) (Pinged, error) {
	path := "/v1/endpoints/" + url.PathEscape(endpoint) + "/ping"
	if caller != "" {
		path += "?caller=" + url.QueryEscape(caller)
	}
	return ask(ctx, c, "ping endpoint "+endpoint, http.MethodPost, path, nil, func(p Pinged) error {
		return whole("endpoint", p.Endpoint, endpoint, p.ID != "" && (caller == "" || p.Caller == caller))
	})
}

func endpointPath(caller, name string) string {
	return "/v1/callers/" + url.PathEscape(caller) + "/endpoints/" + url.PathEscape(name)
}

// Callers lists the callers of the registry, with the admin key.
func (c *Client) Callers(ctx context.Context) ([]Caller, error) {
	callers, _, err := list[Caller](ctx, c, "list callers", "/v1/callers")
	return callers, err
}

// NewCaller is a caller to add.
type NewCaller struct {
	Name string `json:"name"`
	// CallbackURL is where its events go; empty: nowhere.
	CallbackURL string `json:"callback_url,omitempty"`
	// KeyExpiresAt is when its key ends; zero: never.
	KeyExpiresAt time.Time `json:"key_expires_at,omitzero"`
	// IDPrefix is what its orders' ids begin with, and nobody else's; empty: nothing.
	IDPrefix string `json:"id_prefix,omitempty"`
	// MaxOpen is how many of its orders may be open; 0: any number.
	MaxOpen int `json:"max_open,omitempty"`
	// MaxRate is how many orders it may place, as in 5/s; empty: any number.
	MaxRate string `json:"max_rate,omitempty"`
}

// AddCaller registers a caller, with the admin key. Keep its API key and its webhook secret: they are shown this once.
func (c *Client) AddCaller(ctx context.Context, n NewCaller) (CreatedCaller, error) {
	return onCaller(ctx, c, "add", http.MethodPost, "/v1/callers", n.Name, n,
		func(added CreatedCaller) (string, bool) {
			return added.Name, added.APIKey != "" && added.WebhookSecret != ""
		})
}

// CallerChange is what changes of a caller: nil fields stay as they are. CallbackURL, IDPrefix, MaxOpen and MaxRate
// are as in NewCaller.
type CallerChange struct {
	CallbackURL *string `json:"callback_url,omitempty"`
	// CallbackHeaders are sent to the callback URL with each event; an empty map takes them all away.
	CallbackHeaders map[string]string `json:"callback_headers,omitzero"`
	IDPrefix        *string           `json:"id_prefix,omitempty"`
	MaxOpen         *int              `json:"max_open,omitempty"`
	MaxRate         *string           `json:"max_rate,omitempty"`
	// Disabled: its keys are refused.
	Disabled *bool `json:"disabled,omitempty"`
	// Version is what the caller's must be, or a *Problem with status 409 says that somebody has changed it since; 0 is
	// any.
	Version int64 `json:"version,omitempty"`
}

// ChangeCaller changes a caller.
func (c *Client) ChangeCaller(ctx context.Context, name string, change CallerChange) (Caller, error) {
	return onCaller(ctx, c, "change", http.MethodPatch, "/v1/callers/"+url.PathEscape(name), name, change, itsName)
}

// Rotation is how a key or a secret follows another.
type Rotation struct {
	// Version is as in ChangeCaller.
	Version int64
	// Overlap is how long the former one is good as well.
	Overlap time.Duration
	// ExpiresAt is when a new key ends; nil: never.
	ExpiresAt *time.Time
}

func (r Rotation) query() string {
	q := url.Values{"overlap": {r.Overlap.String()}}
	if r.ExpiresAt != nil {
		q.Set("expires_at", r.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return versioned(r.Version, q)
}

// versioned is a query with a version, or empty.
func versioned(version int64, q url.Values) string {
	if version != 0 {
		if q == nil {
			q = url.Values{}
		}
		q.Set("version", strconv.FormatInt(version, 10))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// RotateSecret gives a caller a new webhook secret; the former one signs as well until the overlap has
// passed.
func (c *Client) RotateSecret(ctx context.Context, name string, how Rotation) (secret string, err error) {
	how.ExpiresAt = nil
	path := "/v1/callers/" + url.PathEscape(name) + "/rotate-secret" + how.query()
	answer, err := onCaller(ctx, c, "rotate the secret of", http.MethodPost, path, name, nil,
		func(r RotatedSecret) (string, bool) { return name, r.WebhookSecret != "" })
	return answer.WebhookSecret, err
}

// RotateKey gives a caller a new API key; the former one is good until the overlap has passed.
func (c *Client) RotateKey(ctx context.Context, name string, how Rotation) (key string, err error) {
	path := "/v1/callers/" + url.PathEscape(name) + "/rotate-key" + how.query()
	answer, err := onCaller(ctx, c, "rotate the key of", http.MethodPost, path, name, nil,
		func(r RotatedKey) (string, bool) { return name, r.APIKey != "" })
	return answer.APIKey, err
}

// onCaller asks something of one caller. of is whom an answer is about, and whether it has all that it should have.
func onCaller[T any](
	ctx context.Context, c *Client, what, method, path, name string, request any, of func(T) (name string, all bool),
) (T, error) {
	return ask(ctx, c, what+" caller "+name, method, path, request, func(answer T) error {
		got, all := of(answer)
		return whole("caller", got, name, all)
	})
}

func itsName(c Caller) (name string, all bool) { return c.Name, c.Version != 0 }
