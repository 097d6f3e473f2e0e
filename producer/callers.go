package producer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Caller is who places orders and is told of them, as the operator sees it.
type Caller struct {
	Name        string     `json:"name"`
	CallbackURL *string    `json:"callback_url"`
	CreatedAt   time.Time  `json:"created_at"`
	DisabledAt  *time.Time `json:"disabled_at"`
	// APIKey and WebhookSecret are there when the caller has just been added, and never again.
	APIKey        string `json:"api_key,omitempty"`
	WebhookSecret string `json:"webhook_secret,omitempty"`
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
