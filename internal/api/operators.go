package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/access"
	"recarga/topup"
)

// Operators keep the operators' keys: access.Operators.
type Operators interface {
	Add(ctx context.Context, name string, role access.Role, expiresAt *time.Time) (access.Account, string, error)
	List(ctx context.Context) ([]access.Account, error)
	Change(ctx context.Context, name string, change access.AccountChange) (access.Account, error)
	RotateKey(ctx context.Context, name string, overlap time.Duration) (access.Account, string, error)
	Authenticate(ctx context.Context, key string) (access.Account, error)
}

// withOperators looks a key up among the operators' first, which their form shows.
type withOperators struct {
	Callers
	operators Operators
}

// WithOperators adds the operators' keys to those of the callers.
func WithOperators(callers Callers, operators Operators) Callers {
	return withOperators{callers, operators}
}

// Authenticate implements Callers.
func (w withOperators) Authenticate(ctx context.Context, key string) (Identity, error) {
	if !access.IsOperatorKey(key) {
		return w.Callers.Authenticate(ctx, key)
	}
	o, err := w.operators.Authenticate(ctx, key)
	switch {
	case errors.Is(err, access.ErrUnknownKey):
		return Identity{}, ErrUnknownKey
	case errors.Is(err, access.ErrKeyEnded):
		return Identity{}, forbidden("this key is refused: " + err.Error())
	}
	return Identity{Caller: topup.DefaultCaller, Role: o.Role, Operator: o.Name}, err
}

// HasAdmin reports whether an admin key is set.
func (w withOperators) HasAdmin() bool {
	static, ok := w.Callers.(adminless)
	return !ok || static.HasAdmin()
}

// OperatorFacts are an operator as it is shown.
type OperatorFacts struct {
	Name        string     `json:"name" doc:"What it does is kept under it."`
	Role        string     `json:"role" enum:"viewer,operator,admin" doc:"What its keys may do."`
	CreatedAt   time.Time  `json:"created_at" doc:"When it was added."`
	ExpiresAt   *time.Time `json:"expires_at" doc:"When its keys end; null: never."`
	FormerUntil *time.Time `json:"former_key_until"` // see registryTexts
	DisabledAt  *time.Time `json:"disabled_at" doc:"Since when its keys are refused; null: they are not."`
	Version     int64      `json:"version" doc:"Counts the changes, from 1."`
}

func operatorFactsOf(o access.Account) OperatorFacts {
	f := OperatorFacts{
		Name: o.Name, Role: o.Role.String(), CreatedAt: o.CreatedAt.UTC().Truncate(time.Microsecond),
		ExpiresAt: o.ExpiresAt, DisabledAt: o.DisabledAt, Version: o.Version,
	}
	if o.FormerUntil != nil && time.Now().Before(*o.FormerUntil) {
		f.FormerUntil = o.FormerUntil
	}
	return f
}

type operatorsOutput struct {
	Body struct {
		Data       []OperatorFacts `json:"data"`
		NextCursor *string         `json:"next_cursor" doc:"Always null: all operators are listed."`
	}
}

func (s *Server) listOperators(ctx context.Context, _ *struct{}) (*operatorsOutput, error) {
	all, err := s.operators().List(ctx)
	if err != nil {
		return nil, s.problem(ctx, "query", err)
	}
	var out operatorsOutput
	out.Body.Data = make([]OperatorFacts, len(all))
	for i, o := range all {
		out.Body.Data[i] = operatorFactsOf(o)
	}
	return &out, nil
}

type addOperatorInput struct {
	Body addOperatorRequest
}

type addOperatorRequest struct {
	Name      string     `json:"name" doc:"1 to 64 characters A-Za-z0-9._-; what it does is kept under it." example:"ana"`
	Role      string     `json:"role" enum:"viewer,operator,admin"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"When its keys end. Absent: never."`
}

type newOperatorOutput struct {
	Body newOperator
}

type newOperator struct {
	OperatorFacts
	Key string `json:"key" doc:"Shown this once."`
}

func (s *Server) addOperator(ctx context.Context, in *addOperatorInput) (*newOperatorOutput, error) {
	role, err := access.ParseRole(in.Body.Role)
	if err != nil {
		return nil, s.problem(ctx, "body", err)
	}
	o, key, err := s.operators().Add(ctx, in.Body.Name, role, in.Body.ExpiresAt)
	if err != nil {
		return nil, s.operatorProblem(ctx, "body", err)
	}
	s.log.WarnContext(ctx, "operator added", "operator", o.Name, "role", o.Role.String())
	return &newOperatorOutput{Body: newOperator{operatorFactsOf(o), key}}, nil
}

type changeOperatorInput struct {
	Name string `path:"name"`
	Body changeOperatorRequest
}

type changeOperatorRequest struct {
	Role      *string    `json:"role,omitempty" enum:"viewer,operator,admin" doc:"Absent: as it is."`
	Disabled  *bool      `json:"disabled,omitempty" doc:"Refuse its keys, or do so no more."`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"When its keys end. Absent: as it is."`
	Version   int64      `json:"version,omitempty" minimum:"1"`
}

type operatorOutput struct {
	Body OperatorFacts
}

func (s *Server) changeOperator(ctx context.Context, in *changeOperatorInput) (*operatorOutput, error) {
	change := access.AccountChange{Disabled: in.Body.Disabled, ExpiresAt: in.Body.ExpiresAt, Version: in.Body.Version}
	if in.Body.Role != nil {
		role, err := access.ParseRole(*in.Body.Role)
		if err != nil {
			return nil, s.problem(ctx, "body", err)
		}
		change.Role = &role
	}
	o, err := s.operators().Change(ctx, in.Name, change)
	if err != nil {
		return nil, s.operatorProblem(ctx, "body", err)
	}
	s.log.WarnContext(ctx, "operator changed", "operator", o.Name, "role", o.Role.String(), "disabled",
		o.DisabledAt != nil)
	return &operatorOutput{Body: operatorFactsOf(o)}, nil
}

func (s *Server) rotateOperatorKey(ctx context.Context, in *rotateInput) (*newOperatorOutput, error) {
	overlap, err := parseOverlap(cmp.Or(in.query.Get("overlap"), "0s"))
	if err != nil {
		return nil, s.problem(ctx, "query", err)
	}
	o, key, err := s.operators().RotateKey(ctx, in.Name, overlap)
	if err != nil {
		return nil, s.operatorProblem(ctx, "query", err)
	}
	s.log.WarnContext(ctx, "operator's key rotated", "operator", o.Name, "overlap", overlap)
	return &newOperatorOutput{Body: newOperator{operatorFactsOf(o), key}}, nil
}

// operators are the registry, or one without any where there is none.
func (s *Server) operators() Operators {
	if s.cfg.Operators == nil {
		return noOperators{}
	}
	return s.cfg.Operators
}

// operatorProblem has the registry's own words for errors that are orders' elsewhere.
func (s *Server) operatorProblem(ctx context.Context, in string, err error) error {
	switch {
	case errors.Is(err, topup.ErrConflict):
		return huma.Error409Conflict("the name is taken")
	case errors.Is(err, topup.ErrLost):
		return huma.Error409Conflict("the operator has changed since; get it again")
	case errors.Is(err, topup.ErrNotFound):
		return huma.Error404NotFound("there is no such operator")
	}
	return s.problem(ctx, in, err)
}

// noOperators keeps none.
type noOperators struct{}

var errNoOperators = errors.New("no operators' keys are kept here")

func (noOperators) List(context.Context) ([]access.Account, error) { return nil, errNoOperators }

func (noOperators) Add(context.Context, string, access.Role, *time.Time) (access.Account, string, error) {
	return access.Account{}, "", errNoOperators
}

func (noOperators) Change(context.Context, string, access.AccountChange) (access.Account, error) {
	return access.Account{}, errNoOperators
}

func (noOperators) RotateKey(context.Context, string, time.Duration) (access.Account, string, error) {
	return access.Account{}, "", errNoOperators
}

func (noOperators) Authenticate(context.Context, string) (access.Account, error) {
	return access.Account{}, access.ErrUnknownKey
}

func opListOperators() huma.Operation {
	return operation(http.MethodGet, "/v1/operators", "listOperators", "List the operators",
		"The operator `admin`, of RECARGA_ADMIN_KEY, is not among them.", 403)
}

func opAddOperator() huma.Operation {
	op := operation(http.MethodPost, "/v1/operators", "addOperator", "Add an operator with a key of its own",
		"The answer is the only time that the key is shown. What is done with it is kept under its name.",
		400, 403, 408, 409, 413, 415, 503)
	op.DefaultStatus = http.StatusCreated
	return bodied(op)
}

func opChangeOperator() huma.Operation {
	op := operation(http.MethodPatch, "/v1/operators/{name}", "changeOperator", "Change an operator",
		"A change takes effect in every process, and for the console's sessions, within two seconds.",
		400, 403, 404, 408, 409, 413, 415, 503)
	return bodied(op)
}

func opRotateOperatorKey() huma.Operation {
	op := operation(http.MethodPost, "/v1/operators/{name}/rotate-key", "rotateOperatorKey", "Give an operator a new key",
		"The former key, and the console's sessions that it began, end within two seconds after the overlap.",
		403, 404, 409, 503)
	op.Parameters = []*huma.Param{query("overlap", "How long the former key is good as well: 0s if absent, 720h at most.",
		textSchema())}
	return op
}
