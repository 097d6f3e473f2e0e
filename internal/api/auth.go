package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/access"
	"recarga/internal/api/keys"
	"recarga/internal/api/pages"
	"recarga/internal/api/problem"
	"recarga/internal/params"
	"recarga/internal/queue"
	"recarga/topup"
)

// authenticate lets a request through only with the key of somebody who may do it, and notes whose it is. It comes
// before everything that judges, or reads, what was sent.
func (s *Server) authenticate(ctx huma.Context, next func(huma.Context)) {
	who, err := s.identify(ctx.Context(), access.AtAPI, bearer(ctx.Header("Authorization")))
	if err == nil {
		permission, _ := access.Of(ctx.Operation().OperationID)
		err = who.Permit(permission)
	}
	if err != nil {
		problem.Refuse(ctx, err)
		return
	}
	next(huma.WithContext(ctx, keys.Acting(ctx, who)))
}

// identify returns the key's owner or the problem to answer.
func (s *Server) identify(ctx context.Context, where, key string) (keys.Identity, error) {
	if key == "" {
		return keys.Identity{}, problem.Unauthorized(problem.KeyMissing, "send a key: Authorization: Bearer KEY")
	}
	who, err := s.cfg.Callers.Authenticate(ctx, key)
	switch {
	case errors.Is(err, keys.ErrUnknown):
		if err := s.cfg.Limiter.Failed(ctx, where, access.WrongKey); err != nil {
			return keys.Identity{}, s.problem(ctx, "", err)
		}
		return keys.Identity{}, problem.Unauthorized(problem.KeyUnknown, "the key is not known")
	case err != nil:
		err = s.problem(ctx, "", err)
		if problem.ModelOf(err).Status == http.StatusForbidden {
			s.cfg.Limiter.Refused(ctx, where, access.DisabledKey)
		}
		return keys.Identity{}, err
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

const (
	consolePath = "/console"
	queuesPath  = "/queues"
)

// asynqmonQuery are the parameters of asynqmon's own pages, and of the API behind them.
var asynqmonQuery = []string{"status", "page", "size", "end", "endtime", "duration", "queues"}

// mountQueues serves asynq's own page to operators. With QueuesReadOnly it has no buttons; without, no other site's
// page can press one.
func (s *Server) mountQueues() {
	if s.cfg.Queues == nil {
		return
	}
	s.queues = s.cfg.Queues(queue.PageOptions{
		Root: queuesPath, ReadOnly: s.cfg.QueuesReadOnly, Payload: pages.MaskPayload,
		Result: func(result []byte) string { return topup.MaskPhones(string(result)) },
	})
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, problem.Forbidden("another site's page may not do this"))
	}))
	known := params.Only(pages.Queues(s.queues, queuesPath), refuseQuery, asynqmonQuery...)
	guarded := s.operatorsOnly(sameOrigin.Handler(known))
	s.mux.Handle(queuesPath, guarded)
	s.mux.Handle(queuesPath+"/", guarded)
}

// operatorsOnly guards /queues: by the console's login, or with an operator's key as a bearer key or as the password
// of HTTP Basic. To change something needs another role than to view it.
func (s *Server) operatorsOnly(next http.Handler) http.Handler {
	if s.cfg.NoAdminKey {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			problem.Write(w,
				problem.Forbidden("this page needs an admin key, and none is set: set RECARGA_ADMIN_KEY and restart"))
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
			err = who.Permit(permission)
		}
		if err == nil && permission == act {
			s.log.WarnContext(keys.With(r.Context(), who), "queue UI used", "method", r.Method, "path", r.URL.Path)
			if err = s.cfg.Book.RecordAct(keys.ActingAt(queuesPath, r, who)); err != nil {
				err = s.problem(r.Context(), "", err)
			}
		}
		if err != nil {
			s.refusePage(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// operatorOf is whose session or key came with a request for a page.
func (s *Server) operatorOf(r *http.Request) (keys.Identity, error) {
	header := r.Header.Get("Authorization")
	if s.cfg.Console != nil && header == "" {
		person, err := s.cfg.Console.LoggedIn(r)
		if !errors.Is(err, access.ErrNoSession) {
			if err != nil {
				err = s.problem(r.Context(), "", err)
			}
			return keys.Identity{Role: person.Role, Operator: person.Name}, err
		}
	}
	key := bearer(header)
	if _, password, ok := r.BasicAuth(); ok {
		key = password
	}
	who, err := s.identify(r.Context(), access.AtQueues, key)
	if err == nil && !who.SeesAll() {
		err = problem.Unauthorized(problem.KeyUnknown, "the key is not an operator's")
	}
	return who, err
}

// refusePage leads a browser to the login, and answers others.
func (s *Server) refusePage(w http.ResponseWriter, r *http.Request, err error) {
	browser := r.Header.Get("Authorization") == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
	status := problem.ModelOf(err).Status
	if s.cfg.Console != nil && browser && status == http.StatusUnauthorized {
		http.Redirect(w, r, consolePath+"/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="recarga: an operator's key as password", charset="UTF-8"`)
	}
	problem.Write(w, err)
}
