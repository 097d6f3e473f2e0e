// Package keys says whose key it is that a request came with, and refuses what its owner may not do.
package keys

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"

	"recarga/internal/access"
	"recarga/internal/api/problem"
	"recarga/internal/audit"
	"recarga/internal/callers"
	"recarga/producer"
	"recarga/topup"
	"recarga/topup/desk"
)

// Identity is whom a key belongs to.
type Identity struct {
	// Caller is the name under which orders are placed.
	Caller string
	// Role is what the key may do; the zero value is a caller's.
	Role access.Role
	// Operator is the name of an operator's key; empty of a caller's.
	Operator string
	// CallbackURL is the caller's registered webhook endpoint; empty when it has none.
	CallbackURL string
	// Endpoints are the URLs of its endpoints beside it.
	Endpoints []string
}

// SeesAll reports whether the key sees every caller's orders.
func (who Identity) SeesAll() bool { return who.Role >= access.Viewer }

// Only is the caller whose orders alone the key sees; empty: it sees all.
func (who Identity) Only() string {
	if who.SeesAll() {
		return ""
	}
	return who.Caller
}

// Actor is who acts on orders and events.
func (who Identity) Actor() producer.Actor {
	if who.SeesAll() {
		return producer.Actor{By: cmp.Or(who.Operator, who.Caller)}
	}
	return producer.Actor{Caller: who.Caller}
}

// Act is an action in this name on something, from the address that ctx came from.
func (who Identity) Act(ctx context.Context, via, action, on string) desk.Act {
	return access.Person{Name: cmp.Or(who.Operator, who.Caller), Role: who.Role}.Act(ctx, via, action, on)
}

// By is who decides: what the request says, or standard where it says nothing. Behind the admin key there may be
// anybody, who says so; a named key is its owner's, who cannot act under another name.
func (who Identity) By(given, standard string) (string, error) {
	if who.Operator == "" || who.Operator == access.AdminName {
		return cmp.Or(given, standard), nil
	}
	if given != "" && given != who.Operator {
		return "", &topup.FieldError{Field: "by", Value: given, Allowed: "absent: what this key does is kept under " +
			who.Operator}
	}
	return who.Operator, nil
}

// By is Identity.By of who asks, and has what is done kept under the name that was given.
func By(ctx context.Context, given, standard string) (_ context.Context, by string, err error) {
	by, err = Of(ctx).By(given, standard)
	return audit.By(ctx, given), by, err
}

// Permit refuses what the key may not do, with a problem.
func (who Identity) Permit(p access.Permission) error {
	switch {
	case p.Allows(who.Role):
		return nil
	case who.Role == access.Caller:
		return problem.Forbidden("this is for an operator's key: " + p.Needs())
	}
	return problem.Forbidden("the key of " + who.Operator + " has the role " + who.Role.String() + "; this needs " +
		p.Needs())
}

// ErrUnknown is a key that belongs to nobody. It becomes 401; any other error becomes 503.
var ErrUnknown = errors.New("the key is not known")

// Callers knows whom a key belongs to.
type Callers interface {
	// Authenticate returns the key's owner, or ErrUnknown.
	Authenticate(ctx context.Context, key string) (Identity, error)
}

type static []staticCaller

type staticCaller struct {
	key   [sha256.Size]byte
	owner Identity
}

// Static are the caller named default, with apiKey and callbackURL, and the operator, with adminKey. An empty key
// matches nothing.
func Static(apiKey, callbackURL, adminKey string) Callers {
	var c static
	owner := Identity{Caller: topup.DefaultCaller, CallbackURL: callbackURL}
	c = c.with(adminKey, Identity{Caller: owner.Caller, CallbackURL: owner.CallbackURL, Role: access.Admin,
		Operator: access.AdminName})
	return c.with(apiKey, owner)
}

func (c static) with(key string, owner Identity) static {
	if key == "" {
		return c
	}
	return append(c, staticCaller{key: sha256.Sum256([]byte(key)), owner: owner})
}

// Authenticate compares digests, in constant time, so that the time it takes says nothing of a key.
func (c static) Authenticate(_ context.Context, key string) (Identity, error) {
	digest := sha256.Sum256([]byte(key))
	for _, known := range c {
		if subtle.ConstantTimeCompare(known.key[:], digest[:]) == 1 {
			return known.owner, nil
		}
	}
	return Identity{}, ErrUnknown
}

// registered looks a key up among the callers of the settings first, and then in the registry.
type registered struct {
	static   Callers
	registry *callers.Registry
	lookups  *access.Lookups
}

// WithRegistry adds the callers of the registry to those of the settings.
func WithRegistry(static Callers, registry *callers.Registry) Callers {
	return registered{static, registry, access.NewLookups()}
}

// Authenticate implements Callers.
func (r registered) Authenticate(ctx context.Context, key string) (Identity, error) {
	who, err := r.static.Authenticate(ctx, key)
	if !errors.Is(err, ErrUnknown) {
		return who, err
	}
	var c topup.Caller
	err = r.lookups.Do(ctx, key, func() (err error) {
		c, err = r.registry.Authenticate(ctx, key)
		return err
	})
	switch {
	case errors.Is(err, topup.ErrNotFound):
		return Identity{}, ErrUnknown
	case errors.Is(err, callers.ErrDisabled):
		return Identity{}, problem.New(problem.Disabled, "caller "+c.Name+" is disabled")
	case errors.Is(err, callers.ErrExpired):
		return Identity{}, problem.Unauthorized(problem.KeyExpired, "the key of caller "+c.Name+
			" has expired; ask the operator for a new one")
	}
	who = Identity{Caller: c.Name, CallbackURL: c.CallbackURL}
	for _, e := range c.Endpoints {
		who.Endpoints = append(who.Endpoints, e.URL)
	}
	return who, err
}

// withOperators looks a key up among the operators' first, which their form shows.
type withOperators struct {
	Callers
	operators *access.Operators
}

// WithOperators adds the operators' keys to those of the callers.
func WithOperators(callers Callers, operators *access.Operators) Callers {
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
		return Identity{}, ErrUnknown
	case errors.Is(err, access.ErrKeyEnded):
		return Identity{}, problem.New(problem.Disabled, "this key is refused: "+err.Error())
	}
	return Identity{Caller: topup.DefaultCaller, Role: o.Role, Operator: o.Name}, err
}

type identityKey struct{}

// With notes who asks.
func With(ctx context.Context, who Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// Of is who asks, as With noted it; the zero value where nobody has been found.
func Of(ctx context.Context) Identity {
	who, _ := ctx.Value(identityKey{}).(Identity)
	return who
}

// Log adds to every line of a request who asked for it.
type Log struct{ slog.Handler }

// Handle implements slog.Handler.
func (h Log) Handle(ctx context.Context, line slog.Record) error {
	if who := Of(ctx); who.Operator+who.Caller != "" {
		line.AddAttrs(slog.String("by", cmp.Or(who.Operator, who.Caller)))
	}
	return h.Handler.Handle(ctx, line)
}

// WithAttrs implements slog.Handler.
func (h Log) WithAttrs(attrs []slog.Attr) slog.Handler { return Log{h.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (h Log) WithGroup(name string) slog.Handler { return Log{h.Handler.WithGroup(name)} }
