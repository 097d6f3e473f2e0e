package producer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"recarga/topup"
)

// Caller is who places orders and is told of them, as the operator sees it.
type Caller struct {
	Name        string     `json:"name"`
	CallbackURL *string    `json:"callback_url"`
	Endpoints   []Endpoint `json:"endpoints"`
	CreatedAt   time.Time  `json:"created_at"`
	DisabledAt  *time.Time `json:"disabled_at"`
	// APIKey and WebhookSecret are there when the caller has just been added, and never again.
	APIKey        string `json:"api_key,omitempty"`
	WebhookSecret string `json:"webhook_secret,omitempty"`
}

// Endpoint is where a caller is told; the one named default is its callback URL.
type Endpoint struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// EventTypes are the types that it wants; empty means every type.
	EventTypes []topup.EventType `json:"event_types"`
	// FailingSince is the first failure after its last success; nil: it answers.
	FailingSince *time.Time `json:"failing_since"`
	// DisabledAt is since when nothing is sent to it, for Reason; nil: it is enabled.
	DisabledAt *time.Time `json:"disabled_at"`
	Reason     *string    `json:"reason"`
}

// SetEndpoint adds an endpoint to a caller, or changes the one of that name.
func (c *Client) SetEndpoint(ctx context.Context, caller string, e Endpoint) (changed Caller, err error) {
	request := map[string]any{"url": e.URL, "event_types": e.EventTypes}
	if len(e.EventTypes) == 0 {
		delete(request, "event_types")
	}
	err = c.onCaller(ctx, "set an endpoint of", http.MethodPut, endpointPath(caller, e.Name), caller, request, &changed)
	return changed, err
}

// RemoveEndpoint takes an endpoint away from a caller.
func (c *Client) RemoveEndpoint(ctx context.Context, caller, name string) (changed Caller, err error) {
	err = c.onCaller(ctx, "remove an endpoint of", http.MethodDelete, endpointPath(caller, name), caller, nil, &changed)
	return changed, err
}

// EnableEndpoint has an endpoint tried again, and clears the record of its failures.
func (c *Client) EnableEndpoint(ctx context.Context, caller, name string) error {
	return c.onCaller(ctx, "enable an endpoint of", http.MethodPost, endpointPath(caller, name)+"/enable", caller, nil, &Caller{})
}

// DisableEndpoint has nothing more sent to an endpoint.
func (c *Client) DisableEndpoint(ctx context.Context, caller, name string) error {
	return c.onCaller(ctx, "disable an endpoint of", http.MethodPost, endpointPath(caller, name)+"/disable", caller, nil, &Caller{})
}

func endpointPath(caller, name string) string {
	return "/v1/callers/" + url.PathEscape(caller) + "/endpoints/" + url.PathEscape(name)
}

// Callers lists the callers of the registry, with the admin key.
func (c *Client) Callers(ctx context.Context) ([]Caller, error) {
	var page struct {
		Data []Caller `json:"data"`
	}
	if _, err := c.once(ctx, http.MethodGet, "/v1/callers", nil, &page); err != nil {
		return nil, fmt.Errorf("list callers: %w", err)
	}
	return page.Data, nil
}

// AddCaller registers a caller, with the admin key. Keep its API key and its webhook secret: they are
// shown this once.
func (c *Client) AddCaller(ctx context.Context, name, callbackURL string) (added Caller, err error) {
	request := map[string]string{"name": name}
	if callbackURL != "" {
		request["callback_url"] = callbackURL
	}
	err = c.onCaller(ctx, "add", http.MethodPost, "/v1/callers", name, request, &added)
	return added, err
}

// ChangeCaller changes a caller: its callback_url, or whether it is disabled.
func (c *Client) ChangeCaller(ctx context.Context, name string, change map[string]any) (changed Caller, err error) {
	err = c.onCaller(ctx, "change", http.MethodPatch, "/v1/callers/"+url.PathEscape(name), name, change, &changed)
	return changed, err
}

// RotateSecret gives a caller a new webhook secret; the former one signs as well until the overlap has
// passed.
func (c *Client) RotateSecret(ctx context.Context, name string, overlap time.Duration) (secret string, err error) {
	var answer Caller
	path := "/v1/callers/" + url.PathEscape(name) + "/rotate-secret?overlap=" + overlap.String()
	err = c.onCaller(ctx, "rotate the secret of", http.MethodPost, path, name, nil, &answer)
	return answer.WebhookSecret, err
}

// RotateKey gives a caller a new API key; the former one ends.
func (c *Client) RotateKey(ctx context.Context, name string) (key string, err error) {
	var answer Caller
	err = c.onCaller(ctx, "rotate the key of", http.MethodPost, "/v1/callers/"+url.PathEscape(name)+"/rotate-key", name, nil, &answer)
	return answer.APIKey, err
}

func (c *Client) onCaller(ctx context.Context, what, method, path, name string, request any, answer *Caller) error {
	var body []byte
	var err error
	if request != nil {
		body, err = json.Marshal(request)
	}
	if err == nil {
		_, err = c.once(ctx, method, path, body, answer)
	}
	if err != nil {
		return fmt.Errorf("%s caller %s: %w", what, name, err)
	}
	return nil
}
