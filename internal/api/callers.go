package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"recarga/topup"
)

// Identity is whom a key belongs to.
type Identity struct {
	// Caller is the name under which orders are placed.
	Caller string
	// Admin sees every caller's orders and acts on them.
	Admin bool
	// CallbackURL is the caller's registered webhook endpoint; empty when it has none.
	CallbackURL string
	// Endpoints are the URLs of its endpoints beside it.
	Endpoints []string
}

// ErrUnknownKey is a key that belongs to nobody. It becomes 401; any other error becomes 503.
var ErrUnknownKey = errors.New("the key is not known")

// Callers knows whom a key belongs to.
type Callers interface {
	// Authenticate returns the key's owner, or ErrUnknownKey.
	Authenticate(ctx context.Context, key string) (Identity, error)
}

// adminless is a Callers that can tell that no key is the operator's.
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
	c = c.with(adminKey, Identity{Caller: owner.Caller, CallbackURL: owner.CallbackURL, Admin: true})
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

// HasAdmin tells whether an admin key is set.
func (c staticCallers) HasAdmin() bool {
	return len(c) > 0 && c[0].owner.Admin
}

type identityKey struct{}

func identityOf(ctx context.Context) Identity {
	who, _ := ctx.Value(identityKey{}).(Identity)
	return who
}

// authenticate lets a request through only with a caller's key, and notes whose it is.
func (s *Server) authenticate(ctx huma.Context, next func(huma.Context)) {
	who, err := s.identify(ctx.Context(), bearer(ctx.Header("Authorization")))
	if err != nil {
		refuse(ctx, err)
		return
	}
	next(huma.WithValue(ctx, identityKey{}, who))
}

// operatorOnly marks an operation as one for the admin key.
func operatorOnly(op huma.Operation) huma.Operation {
	op.Metadata = map[string]any{operatorMark: true}
	return op
}

const operatorMark = "operator"

// checkOperator lets a request of such an operation through only with the admin key.
func checkOperator(ctx huma.Context, next func(huma.Context)) {
	if ctx.Operation().Metadata[operatorMark] != nil && !identityOf(ctx.Context()).Admin {
		refuse(ctx, forbidden("this is for the admin key"))
		return
	}
	next(ctx)
}

// identify returns the key's owner or the problem to answer.
func (s *Server) identify(ctx context.Context, key string) (Identity, error) {
	if key == "" {
		return Identity{}, unauthorized("send a key: Authorization: Bearer KEY")
	}
	who, err := s.cfg.Callers.Authenticate(ctx, key)
	switch {
	case errors.Is(err, ErrUnknownKey):
		return Identity{}, unauthorized("the key is not known")
	case err != nil:
		return Identity{}, s.problem(ctx, "", err)
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

// adminOnly guards a page: by the console's login, or with the admin key as a bearer key or as the password of
// HTTP Basic.
func (s *Server) adminOnly(next http.Handler) http.Handler {
	if c, ok := s.cfg.Callers.(adminless); ok && !c.HasAdmin() {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			writeProblem(w, forbidden("this page needs an admin key, and none is set: set RECARGA_ADMIN_KEY and restart"))
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.cfg.Console != nil && s.cfg.Console.LoggedIn(r) {
			next.ServeHTTP(w, r)
			return
		}
		key := bearer(r.Header.Get("Authorization"))
		if _, password, ok := r.BasicAuth(); ok {
			key = password
		}
		who, err := s.identify(r.Context(), key)
		if err == nil && !who.Admin {
			err = unauthorized("the key is not the admin key")
		}
		if err != nil {
			if s.cfg.Console != nil && r.Header.Get("Authorization") == "" && strings.Contains(r.Header.Get("Accept"), "text/html") {
				http.Redirect(w, r, consolePath+"/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
				return
			}
			if modelOf(err).Status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Basic realm="recarga: admin key as password", charset="UTF-8"`)
			}
			writeProblem(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
