package producer

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Operator is an operator in the registry: a person, or a program, with a key of its own.
type Operator struct {
	Name      string     `json:"name" doc:"What it does is kept under it."`
	Role      string     `json:"role" enum:"viewer,operator,admin" doc:"What its keys may do."`
	CreatedAt time.Time  `json:"created_at" doc:"When it was added."`
	ExpiresAt *time.Time `json:"expires_at" doc:"When its keys end; null: never."`
	// FormerKeyUntil is until when the key before the last rotation is good as well; nil: it has ended.
	FormerKeyUntil *time.Time `json:"former_key_until"`
	DisabledAt     *time.Time `json:"disabled_at" doc:"Since when its keys are refused; null: they are not."`
	Version        int64      `json:"version" doc:"Counts the changes, from 1."`
}

// CreatedOperator is an operator that has just been added, or given a new key.
type CreatedOperator struct {
	Operator
	Key string `json:"key" doc:"Shown this once."`
}

// Operators lists the operators of the registry, with an admin's key, as all methods below.
func (c *Client) Operators(ctx context.Context) ([]Operator, error) {
	operators, _, err := list[Operator](ctx, c, "list operators", "/v1/operators")
	return operators, err
}

// AddOperator registers an operator, whose keys end at expiresAt; nil: never. Keep its key: it is shown this once.
func (c *Client) AddOperator(
	ctx context.Context, name, role string, expiresAt *time.Time,
) (added CreatedOperator, err error) {
	request := map[string]any{"name": name, "role": role}
	if expiresAt != nil {
		request["expires_at"] = expiresAt
	}
	err = c.call(ctx, "add operator "+name, http.MethodPost, "/v1/operators", request, &added)
	return added, err
}

// ChangeOperator changes an operator, by the fields of PATCH /v1/operators/{name}. With its version among them, a
// *Problem with status 409 says that somebody has changed it since; absent is any.
func (c *Client) ChangeOperator(
	ctx context.Context, name string, change map[string]any,
) (changed Operator, err error) {
	err = c.call(ctx, "change operator "+name, http.MethodPatch, "/v1/operators/"+url.PathEscape(name), change, &changed)
	return changed, err
}

// RotateOperatorKey gives an operator a new key; the former one is good until the overlap has passed.
func (c *Client) RotateOperatorKey(
	ctx context.Context, name string, overlap time.Duration,
) (rotated CreatedOperator, err error) {
	path := "/v1/operators/" + url.PathEscape(name) + "/rotate-key?overlap=" + overlap.String()
	err = c.call(ctx, "rotate the key of operator "+name, http.MethodPost, path, nil, &rotated)
	return rotated, err
}
