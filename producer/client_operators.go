package producer

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Operator is an operator in the registry: a person, or a program, with a key of its own.
type Operator struct {
	// Name is under which is kept what it does.
	Name string `json:"name"`
	// Role is viewer, operator or admin.
	Role string `json:"role"`
	// CreatedAt is when it was added.
	CreatedAt time.Time `json:"created_at"`
	// ExpiresAt is when its keys end; nil: never.
	ExpiresAt *time.Time `json:"expires_at"`
	// FormerKeyUntil is until when the key before the last rotation is good as well; nil: it has ended.
	FormerKeyUntil *time.Time `json:"former_key_until"`
	// DisabledAt is since when its keys are refused; nil: they are not.
	DisabledAt *time.Time `json:"disabled_at"`
	// Version rises with each change; see Client.ChangeOperator.
	Version int64 `json:"version"`
	// Key is there when the operator has just been added or given a new key, and never again.
	Key string `json:"key,omitempty"`
}

// Operators lists the operators of the registry, with an admin's key, as all methods below.
func (c *Client) Operators(ctx context.Context) ([]Operator, error) {
	operators, _, err := list[Operator](ctx, c, "list operators", "/v1/operators")
	return operators, err
}

// AddOperator registers an operator, whose keys end at expiresAt; nil: never. Keep its key: it is shown this once.
func (c *Client) AddOperator(ctx context.Context, name, role string, expiresAt *time.Time) (Operator, error) {
	request := map[string]any{"name": name, "role": role}
	if expiresAt != nil {
		request["expires_at"] = expiresAt
	}
	return c.onOperator(ctx, "add", http.MethodPost, "/v1/operators", name, request)
}

// ChangeOperator changes an operator, by the fields of PATCH /v1/operators/{name}. With its version among them, a
// *Problem with status 409 says that somebody has changed it since; absent is any.
func (c *Client) ChangeOperator(ctx context.Context, name string, change map[string]any) (Operator, error) {
	return c.onOperator(ctx, "change", http.MethodPatch, "/v1/operators/"+url.PathEscape(name), name, change)
}

// RotateOperatorKey gives an operator a new key; the former one is good until the overlap has passed.
func (c *Client) RotateOperatorKey(ctx context.Context, name string, overlap time.Duration) (Operator, error) {
	path := "/v1/operators/" + url.PathEscape(name) + "/rotate-key?overlap=" + overlap.String()
	return c.onOperator(ctx, "rotate the key of", http.MethodPost, path, name, nil)
}

func (c *Client) onOperator(
	ctx context.Context, what, method, path, name string, request map[string]any,
) (o Operator, err error) {
	var body any
	if request != nil {
		body = request
	}
	err = c.call(ctx, what+" operator "+name, method, path, body, &o)
	return o, err
}
