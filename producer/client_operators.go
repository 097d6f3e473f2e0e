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
) (CreatedOperator, error) {
	request := struct {
		Name      string     `json:"name"`
		Role      string     `json:"role"`
		ExpiresAt *time.Time `json:"expires_at,omitempty"`
	}{name, role, expiresAt}
	return ask(ctx, c, "add operator "+name, http.MethodPost, "/v1/operators", request, created(name))
}

// OperatorChange is what changes of an operator: nil fields stay as they are.
type OperatorChange struct {
	// Role is viewer, operator or admin.
	Role *string `json:"role,omitempty"`
	// Disabled: its keys are refused.
	Disabled *bool `json:"disabled,omitempty"`
	// ExpiresAt is when its keys end.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// Version is as in CallerChange.
	Version int64 `json:"version,omitempty"`
}

// ChangeOperator changes an operator.
func (c *Client) ChangeOperator(ctx context.Context, name string, change OperatorChange) (Operator, error) {
	return ask(ctx, c, "change operator "+name, http.MethodPatch, "/v1/operators/"+url.PathEscape(name), change,
		func(o Operator) error { return whole("operator", o.Name, name, o.Role != "") })
}

// RotateOperatorKey gives an operator a new key; the former one is good until the overlap has passed.
func (c *Client) RotateOperatorKey(
	ctx context.Context, name string, overlap time.Duration,
) (CreatedOperator, error) {
	path := "/v1/operators/" + url.PathEscape(name) + "/rotate-key?overlap=" + overlap.String()
	return ask(ctx, c, "rotate the key of operator "+name, http.MethodPost, path, nil, created(name))
}

func created(name string) func(CreatedOperator) error {
	return func(o CreatedOperator) error { return whole("operator", o.Name, name, o.Key != "") }
}
