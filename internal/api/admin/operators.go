package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/access"
	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/producer"
	"recarga/topup"
)

func operatorOf(o access.Account) producer.Operator {
	facts := producer.Operator{
		Name: o.Name, Role: o.Role.String(), CreatedAt: shown(o.CreatedAt), ExpiresAt: o.ExpiresAt,
		DisabledAt: o.DisabledAt, Version: o.Version,
	}
	if o.FormerUntil != nil && time.Now().Before(*o.FormerUntil) {
		facts.FormerKeyUntil = o.FormerUntil
	}
	return facts
}

// OperatorPage is the list of the operators.
type OperatorPage struct {
	// Data are all operators, by name.
	Data       []producer.Operator `json:"data"`
	NextCursor *string             `json:"next_cursor" doc:"Always null: all operators are listed."`
}

func (a Admin) listOperators(ctx context.Context, _ *struct{}) (page OperatorPage, err error) {
	all, err := a.Operators.List(ctx)
	page.Data = make([]producer.Operator, len(all))
	for i, o := range all {
		page.Data[i] = operatorOf(o)
	}
	return page, err
}

type newOperatorRequest struct {
	Name string `json:"name" doc:"1 to 64 characters A-Za-z0-9._-; what it does is kept under it." example:"ana"`
	// Role is what its keys may do.
	Role      string     `json:"role" enum:"viewer,operator,admin"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"When its keys end. Absent: never."`
}

func (a Admin) addOperator(
	ctx context.Context, in *struct{ Body newOperatorRequest },
) (added producer.CreatedOperator, err error) {
	role, err := access.ParseRole(in.Body.Role)
	if err != nil {
		return added, err
	}
	o, key, err := a.Operators.Add(ctx, in.Body.Name, role, in.Body.ExpiresAt)
	if err == nil {
		a.Log.WarnContext(ctx, "operator added", "operator", o.Name, "role", o.Role.String())
	}
	return producer.CreatedOperator{Operator: operatorOf(o), Key: key}, err
}

type operatorInput struct {
	// Name is the operator's.
	Name string `path:"name"`
	// Body is what changes.
	Body operatorChangeRequest
}

type operatorChangeRequest struct {
	Role      *string    `json:"role,omitempty" enum:"viewer,operator,admin" doc:"Absent: as it is."`
	Disabled  *bool      `json:"disabled,omitempty" doc:"Refuse its keys, or do so no more."`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"When its keys end. Absent: as it is."`
	// Version is the one that the change is for; 0: any.
	Version int64 `json:"version,omitempty" minimum:"1"`
}

func (a Admin) changeOperator(ctx context.Context, in *operatorInput) (changed producer.Operator, err error) {
	change := access.AccountChange{Disabled: in.Body.Disabled, ExpiresAt: in.Body.ExpiresAt, Version: in.Body.Version}
	if in.Body.Role != nil {
		role, err := access.ParseRole(*in.Body.Role)
		if err != nil {
			return changed, err
		}
		change.Role = &role
	}
	o, err := a.Operators.Change(ctx, in.Name, change)
	if err == nil {
		a.Log.WarnContext(ctx, "operator changed", "operator", o.Name, "role", o.Role.String(), "disabled",
			o.DisabledAt != nil)
	}
	return operatorOf(o), err
}

func (a Admin) rotateOperatorKey(ctx context.Context, in *rotateInput) (rotated producer.CreatedOperator, err error) {
	how, err := in.rotation(0)
	if err != nil {
		return rotated, problem.In("query", err)
	}
	o, key, err := a.Operators.RotateKey(ctx, in.Name, how.Overlap)
	if err == nil {
		a.Log.WarnContext(ctx, "operator's key rotated", "operator", o.Name, "overlap", how.Overlap)
	}
	return producer.CreatedOperator{Operator: operatorOf(o), Key: key}, problem.In("query", err)
}

// operatorRefused has the registry's own words for errors that are orders' elsewhere.
func operatorRefused(err error) error {
	switch {
	case errors.Is(err, topup.ErrConflict):
		return problem.New(problem.NameTaken, "the name is taken")
	case errors.Is(err, topup.ErrLost):
		return problem.New(problem.ChangedMeanwhile, "the operator has changed since; get it again")
	case errors.Is(err, topup.ErrNotFound):
		return problem.New(problem.OperatorNotFound, "there is no such operator")
	}
	return err
}

func (a Admin) onOperators(to openapi.Operations) {
	add(to, operatorRefused, openapi.New(http.MethodGet, "/v1/operators", "listOperators"), a.listOperators)
	op := openapi.NewWithBody(http.MethodPost, "/v1/operators", "addOperator", 409)
	op.DefaultStatus = http.StatusCreated
	add(to, operatorRefused, op, a.addOperator)
	add(to, operatorRefused, openapi.NewWithBody(http.MethodPatch, "/v1/operators/{name}", "changeOperator", 404, 409),
		a.changeOperator)
	op = openapi.New(http.MethodPost, "/v1/operators/{name}/rotate-key", "rotateOperatorKey", 404, 409, 503)
	op.Parameters = []*huma.Param{
		overlapParameter("How long the former key is good as well: 0s if absent, 720h at most."),
	}
	add(to, operatorRefused, op, a.rotateOperatorKey)
}
