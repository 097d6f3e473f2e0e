package console

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"recarga/internal/access"
	"recarga/internal/audit"
	"recarga/internal/seal"
	"recarga/topup/desk"
)

const (
	cookieName   = "recarga_console"
	sessionHours = 12
	maxName      = 64
	// maxForm is what is read of a form, in bytes.
	maxForm = 64 << 10
)

// operator is who is logged in.
type operator = access.Person

// Ended remembers the sessions that a logout has ended: the journal.
type Ended interface {
	// EndSession ends a session that would have ended by itself at until.
	EndSession(ctx context.Context, id string, until time.Time) error
	SessionEnded(ctx context.Context, id string) (bool, error)
}

// session is what a cookie says.
type session struct {
	// ID is random, for logging out; Name is kept with what is done.
	ID   string `json:"id"`
	Name string `json:"name"`
	// Key is the id of the named key that began it; empty: the admin key did.
	Key string `json:"key,omitempty"`
	// Until is when it ends by itself, in Unix seconds.
	Until int64 `json:"until"`
}

// sessions are sealed cookies. The key follows from the admin key, so that every process knows them, and a new
// admin key ends them all. A named key that is disabled, changed or expired ends those that it began.
type sessions struct {
	adminKey  [sha256.Size]byte
	box       *seal.Box // every process has the same key; not ready: nobody can log in
	proxies   access.Proxies
	operators *access.Operators // nil: there are no named keys
	ended     Ended
	good      access.Memory[string, struct{}] // sessions that have not ended
}

func newSessions(cfg Config) *sessions {
	return &sessions{
		adminKey: sha256.Sum256([]byte(cfg.AdminKey)), box: seal.New(cfg.AdminKey), proxies: cfg.Proxies,
		operators: cfg.Operators, ended: cfg.Journal,
	}
}

// sessionPurpose is what sessions are sealed for.
const sessionPurpose = "recarga console sessions"

// owner is whose key it is. Whoever has the admin key has yet to say their name. Errors: access.ErrUnknownKey,
// access.ErrKeyEnded, and those of the registry.
func (s *sessions) owner(ctx context.Context, key string) (session, access.Role, error) {
	given := sha256.Sum256([]byte(key))
	switch {
	case !s.box.Ready():
		return session{}, access.Caller, access.ErrUnknownKey
	case subtle.ConstantTimeCompare(given[:], s.adminKey[:]) == 1:
		return session{}, access.Admin, nil
	case s.operators == nil:
		return session{}, access.Caller, access.ErrUnknownKey
	}
	o, err := s.operators.Authenticate(ctx, key)
	return session{Name: o.Name, Key: access.KeyID(key)}, o.Role, err
}

// begin logs somebody in. The cookie goes back to this site only, never from another one's page.
func (s *sessions) begin(w http.ResponseWriter, r *http.Request, who session) error {
	until := time.Now().Add(sessionHours * time.Hour)
	who.ID, who.Until = rand.Text(), until.Unix()
	text, err := json.Marshal(who)
	if err == nil {
		s.set(w, r, s.box.SealText(sessionPurpose, text), until)
	}
	return err
}

// end logs out: in this browser, and wherever else the cookie has got to.
func (s *sessions) end(w http.ResponseWriter, r *http.Request) error {
	s.set(w, r, "", time.Unix(1, 0))
	who, err := s.read(r)
	if err != nil {
		return nil // it is none of ours
	}
	s.good.Forget(who.ID)
	return s.ended.EndSession(r.Context(), who.ID, time.Unix(who.Until, 0))
}

func (s *sessions) set(w http.ResponseWriter, r *http.Request, value string, until time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", Expires: until, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: s.proxies.TLS(r),
	})
}

// errForged is a cookie that we have not sealed, or with another admin key.
var errForged = errors.New("the session is none of ours")

// read is the session that a request comes with. It may have ended. Errors: access.ErrNoSession, errForged.
func (s *sessions) read(r *http.Request) (who session, err error) {
	cookie, err := r.Cookie(cookieName)
	if err != nil || cookie.Value == "" || !s.box.Ready() {
		return who, access.ErrNoSession
	}
	content, err := s.box.OpenText(sessionPurpose, cookie.Value)
	if err == nil {
		err = json.Unmarshal(content, &who)
	}
	if err != nil {
		return who, errForged
	}
	return who, nil
}

// of is who sent the request. Errors: those of read, and of the journal.
func (s *sessions) of(r *http.Request) (operator, error) {
	who, err := s.read(r)
	if err != nil {
		return operator{}, err
	}
	if time.Now().Unix() >= who.Until {
		return operator{}, access.ErrNoSession
	}
	if err := s.checkEnded(r.Context(), who.ID); err != nil {
		return operator{}, err
	}
	switch {
	case who.Key == "":
		return operator{Name: who.Name, Role: access.Admin}, nil
	case s.operators == nil:
		return operator{}, access.ErrNoSession
	}
	return s.operators.Holder(r.Context(), who.Name, who.Key)
}

// checkEnded asks the journal at most every so often: a logout takes effect everywhere within two seconds.
func (s *sessions) checkEnded(ctx context.Context, id string) error {
	_, err := s.good.Recall(id, func() (none struct{}, err error) {
		ended, err := s.ended.SessionEnded(ctx, id)
		if ended {
			err = access.ErrNoSession
		}
		return none, err
	})
	return err
}

type loginView struct {
	// Closed: no admin key is set, so that nobody can log in. Wrong is why a try failed.
	Closed bool
	Wrong  string
	// Next is where a login leads to, and Name what was typed before.
	Next string
	Name string
}

func (c *Console) loginPage(w http.ResponseWriter, r *http.Request, _ operator) error {
	c.askKey(w, r, http.StatusOK, "")
	return nil
}

func (c *Console) askKey(w http.ResponseWriter, r *http.Request, status int, wrong string) {
	v := loginView{
		Closed: !c.sessions.box.Ready(), Wrong: wrong, Next: r.FormValue("next"), Name: r.PostFormValue("name"),
	}
	c.show(w, r, status, "login", view{Title: "Log in", Data: v})
}

func (c *Console) login(w http.ResponseWriter, r *http.Request, _ operator) error {
	ctx := r.Context()
	who, role, err := c.sessions.owner(ctx, r.PostFormValue("key"))
	switch {
	case errors.Is(err, access.ErrUnknownKey):
		c.refuseKey(w, r)
		return nil
	case errors.Is(err, access.ErrKeyEnded):
		c.cfg.Limiter.Refused(ctx, access.AtLogin, access.DisabledKey)
		c.askKey(w, r, http.StatusForbidden, "This key is refused: "+err.Error()+".")
		return nil
	case err != nil:
		return err
	}
	if who.Key == "" { // behind the admin key there may be anybody
		who.Name = strings.TrimSpace(r.PostFormValue("name"))
	}
	if who.Name == "" || utf8.RuneCountInString(who.Name) > maxName {
		c.askKey(w, r, http.StatusUnprocessableEntity,
			"Say who you are, in 1 to 64 characters: what you decide is kept under your name.")
		return nil
	}
	person := access.Person{Name: who.Name, Role: role}
	act := person.Act(ctx, desk.ViaConsole, access.ActOf("POST "+Path+"/login"), "")
	if err := c.cfg.Journal.RecordAct(audit.With(ctx, act)); err != nil {
		return err
	}
	if err := c.sessions.begin(w, r, who); err != nil {
		return err
	}
	c.cfg.Log.InfoContext(ctx, "console login", "by", who.Name, "client", access.ClientOf(ctx).String())
	http.Redirect(w, r, cmp.Or(ownPath(r.PostFormValue("next")), address(nil)), http.StatusSeeOther)
	return nil
}

// refuseKey answers a key that is nobody's.
func (c *Console) refuseKey(w http.ResponseWriter, r *http.Request) {
	var many *access.TooManyError
	if errors.As(c.cfg.Limiter.Failed(r.Context(), access.AtLogin, access.WrongKey), &many) {
		retryAfter(w, many)
		c.askKey(w, r, http.StatusTooManyRequests, "Too many tries from your address; wait a little. The right key is "+
			"accepted.")
		return
	}
	c.askKey(w, r, http.StatusUnauthorized, "This is not the admin key (RECARGA_ADMIN_KEY), nor an operator's.")
}

func retryAfter(w http.ResponseWriter, many *access.TooManyError) {
	w.Header().Set("Retry-After", strconv.Itoa(int(many.Wait/time.Second)+1))
}

// ownPath is where a login leads to: a plain path of the console or of the queue UI, with its query. Whatever else
// somebody put into a link is empty, and also what a browser could take for another site's address.
func ownPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || u.Fragment != "" {
		return ""
	}
	plain := func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }
	if strings.ContainsFunc(next, plain) || u.EscapedPath() != u.Path || strings.Contains(u.Path, "//") {
		return ""
	}
	clean := path.Clean(u.Path)
	if u.Path != clean && u.Path != clean+"/" {
		return ""
	}
	for _, ours := range []string{Path, "/queues"} {
		if clean == ours || strings.HasPrefix(clean, ours+"/") {
			return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
		}
	}
	return ""
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request, _ operator) error {
	if err := c.sessions.end(w, r); err != nil {
		return err
	}
	http.Redirect(w, r, address(nil, "login"), http.StatusSeeOther)
	return nil
}
