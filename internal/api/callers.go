package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/access"
	"recarga/producer"
	"recarga/topup"
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

// name is who acts, for the log.
func (who Identity) name() string { return cmp.Or(who.Operator, who.Caller) }

// actor is who acts on orders and events.
func (who Identity) actor() producer.Actor {
	if who.SeesAll() {
		return producer.Actor{By: who.name()}
	}
	return producer.Actor{Caller: who.Caller}
}

// defaultOperator is who decided, where a request with the admin key does not say.
const defaultOperator = "operator"

// by is who decides: what the request says, or standard where it says nothing. Behind the admin key there may be
// anybody, who says so; a named key is its owner's, who cannot act under another name.
func (who Identity) by(given, standard string) (string, error) {
	if who.Operator == "" || who.Operator == access.AdminName {
		return cmp.Or(given, standard), nil
	}
	if given != "" && given != who.Operator {
		return "", &topup.FieldError{Field: "by", Value: given, Allowed: "absent: what this key does is kept under " +
			who.Operator}
	}
	return who.Operator, nil
}

// ErrUnknownKey is a key that belongs to nobody. It becomes 401; any other error becomes 503.
var ErrUnknownKey = errors.New("the key is not known")

// Callers knows whom a key belongs to.
type Callers interface {
	// Authenticate returns the key's owner, or ErrUnknownKey.
	Authenticate(ctx context.Context, key string) (Identity, error)
}

// adminless is a Callers that knows whether no key is the operator's.
type adminless interface{ HasAdmin() bool }

type staticCallers []staticCaller

type staticCaller struct {
	key   [sha256.Size]byte
	owner Identity
}

// StaticCallers are the caller named default, with apiKey and callbackURL, and the operator, with
// adminKey. An empty key matches nothing.
func StaticCallers(apiKey, callbackURL, adminKey string) Callers {
	var c staticCallers
	owner := Identity{Caller: topup.DefaultCaller, CallbackURL: callbackURL}
	c = c.with(adminKey, Identity{Caller: owner.Caller, CallbackURL: owner.CallbackURL, Role: access.Admin,
		Operator: access.AdminName})
	return c.with(apiKey, owner)
}

func (c staticCallers) with(key string, owner Identity) staticCallers {
	if key == "" {
		return c
	}
	return append(c, staticCaller{key: sha256.Sum256([]byte(key)), owner: owner})
}

// Authenticate compares digests, in constant time, so that the time it takes says nothing of a key.
func (c staticCallers) Authenticate(_ context.Context, key string) (Identity, error) {
	digest := sha256.Sum256([]byte(key))
	for _, known := range c {
		if subtle.ConstantTimeCompare(known.key[:], digest[:]) == 1 {
			return known.owner, nil
		}
	}
	return Identity{}, ErrUnknownKey
}

// HasAdmin reports whether an admin key is set.
func (c staticCallers) HasAdmin() bool {
	return len(c) > 0 && c[0].owner.Role == access.Admin
}

// actorLog adds to every line of a request who asked for it.
type actorLog struct{ slog.Handler }

func (h actorLog) Handle(ctx context.Context, line slog.Record) error {
	if by := identityOf(ctx).name(); by != "" {
		line.AddAttrs(slog.String("by", by))
	}
	return h.Handler.Handle(ctx, line)
}

func (h actorLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return actorLog{h.Handler.WithAttrs(attrs)}
}
func (h actorLog) WithGroup(name string) slog.Handler { return actorLog{h.Handler.WithGroup(name)} }

type identityKey struct{}

func identityOf(ctx context.Context) Identity {
	who, _ := ctx.Value(identityKey{}).(Identity)
	return who
}

// operations registers operations, each with who may do it.
type operations struct{ huma.API }

// add registers an operation. One that access does not know is nobody's: the program must not start with it.
func add[I, O any](to operations, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	permission, known := access.Of(op.OperationID)
	if !known {
		panic("operation " + op.OperationID + " has no permission in internal/access")
	}
	op.Metadata = map[string]any{permissionMark: permission}
	if !permission.Callers {
		op.Description = "For an operator's key with " + atLeast(permission) + ". " + op.Description
	}
	huma.Register(to.API, op, handler)
}

const permissionMark = "permission"

// authenticate lets a request through only with the key of somebody who may do it, and notes whose it is. It comes
// before everything that judges, or reads, what was sent.
func (s *Server) authenticate(ctx huma.Context, next func(huma.Context)) {
	who, err := s.identify(ctx.Context(), access.AtAPI, bearer(ctx.Header("Authorization")))
	if err == nil {
		permission, _ := ctx.Operation().Metadata[permissionMark].(access.Permission)
		err = permit(who, permission)
	}
	if err != nil {
		refuse(ctx, err)
		return
	}
	next(huma.WithValue(ctx, identityKey{}, who))
}

// permit refuses what a key may not do.
func permit(who Identity, p access.Permission) error {
	switch {
	case p.Allows(who.Role):
		return nil
	case who.Role == access.Caller:
		return forbidden("this is for an operator's key: " + atLeast(p))
	}
	return forbidden("the key of " + who.Operator + " has the role " + who.Role.String() + "; this needs " + atLeast(p))
}

func atLeast(p access.Permission) string {
	if p.Least == access.Admin {
		return "the role admin"
	}
	return "the role " + p.Least.String() + " or a higher one"
}

// identify returns the key's owner or the problem to answer.
func (s *Server) identify(ctx context.Context, where, key string) (Identity, error) {
	if key == "" {
		return Identity{}, unauthorized("send a key: Authorization: Bearer KEY")
	}
	who, err := s.cfg.Callers.Authenticate(ctx, key)
	switch {
	case errors.Is(err, ErrUnknownKey):
		if err := s.cfg.Limiter.Failed(ctx, where, access.WrongKey); err != nil {
			return Identity{}, s.problem(ctx, "", err)
		}
		return Identity{}, unauthorized("the key is not known")
	case err != nil:
		err = s.problem(ctx, "", err)
		if modelOf(err).Status == http.StatusForbidden {
			s.cfg.Limiter.Refused(ctx, where, access.DisabledKey)
		}
		return Identity{}, err
	}
	return who, nil
}

// bearer is the key in an Authorization header, or empty.
func bearer(header string) string {
	scheme, key, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}

const consolePath = "/console"

// operatorsOnly guards /queues: by the console's login, or with an operator's key as a bearer key or as the password
// of HTTP Basic. To change something needs another role than to view it.
func (s *Server) operatorsOnly(next http.Handler) http.Handler {
	if c, ok := s.cfg.Callers.(adminless); ok && !c.HasAdmin() {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			writeProblem(w, forbidden("this page needs an admin key, and none is set: set RECARGA_ADMIN_KEY and restart"))
		})
	}
	view, _ := access.Of(access.QueuesView)
	act, _ := access.Of(access.QueuesAct)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := s.operatorOf(r)
		permission := view
		if acts := r.Method != http.MethodGet && r.Method != http.MethodHead; acts {
			permission = act
		}
		if err == nil {
			err = permit(who, permission)
		}
		if err != nil {
			s.refusePage(w, r, err)
			return
		}
		if permission == act {
			ctx := context.WithValue(r.Context(), identityKey{}, who)
			s.log.WarnContext(ctx, "queue UI used", "method", r.Method, "path", r.URL.Path)
		}
		next.ServeHTTP(w, r)
	})
}

// operatorOf is whose session or key came with a request for a page.
func (s *Server) operatorOf(r *http.Request) (Identity, error) {
	header := r.Header.Get("Authorization")
	if s.cfg.Console != nil && header == "" {
		person, err := s.cfg.Console.LoggedIn(r)
		if !errors.Is(err, access.ErrNoSession) {
			if err != nil {
				err = s.problem(r.Context(), "", err)
			}
			return Identity{Role: person.Role, Operator: person.Name}, err
		}
	}
	key := bearer(header)
	if _, password, ok := r.BasicAuth(); ok {
		key = password
	}
	who, err := s.identify(r.Context(), access.AtQueues, key)
	if err == nil && !who.SeesAll() {
		err = unauthorized("the key is not an operator's")
	}
	return who, err
}

// refusePage leads a browser to the login, and answers others.
func (s *Server) refusePage(w http.ResponseWriter, r *http.Request, err error) {
	browser := r.Header.Get("Authorization") == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
	status := modelOf(err).Status
	if s.cfg.Console != nil && browser && status == http.StatusUnauthorized {
		http.Redirect(w, r, consolePath+"/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="recarga: an operator's key as password", charset="UTF-8"`)
	}
	writeProblem(w, err)
}
