package console

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	cookieName   = "recarga_console"
	sessionHours = 12
	maxName      = 64
	// maxForm is what is read of a form, in bytes.
	maxForm = 64 << 10
)

// operator is who is logged in.
type operator struct {
	// Name is what they call themselves; what they do is kept under it.
	Name  string
	until time.Time
}

// sessions are signed cookies. The key follows from the admin key, so that every process knows them, and a new
// admin key ends them all.
type sessions struct {
	adminKey [sha256.Size]byte
	key      []byte // nil: nobody can log in
}

func newSessions(adminKey string) *sessions {
	if adminKey == "" {
		return &sessions{}
	}
	return &sessions{adminKey: sha256.Sum256([]byte(adminKey)), key: derive(adminKey, "recarga console sessions")}
}

// derive makes the key for one purpose: what is signed for another one is not good for it.
func derive(adminKey, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, []byte(adminKey), nil, purpose, sha256.Size)
	if err != nil {
		panic(err) // only for a length that SHA-256 cannot give
	}
	return key
}

func (s *sessions) right(key string) bool {
	given := sha256.Sum256([]byte(key))
	return s.key != nil && subtle.ConstantTimeCompare(given[:], s.adminKey[:]) == 1
}

// sign appends a signature to a text.
func sign(key []byte, text string) string { return text + "." + signature(key, text) }

func signature(key []byte, text string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// signed is the text of what sign returned with the same key.
func signed(key []byte, value string) (text string, ok bool) {
	i := strings.LastIndexByte(value, '.')
	if i < 0 || !hmac.Equal([]byte(signature(key, value[:i])), []byte(value[i+1:])) {
		return "", false
	}
	return value[:i], true
}

// begin logs somebody in. The cookie goes back to this site only, never from another one's page.
func (s *sessions) begin(w http.ResponseWriter, r *http.Request, name string) {
	until := time.Now().Add(sessionHours * time.Hour)
	text := strconv.FormatInt(until.Unix(), 10) + "." + base64.RawURLEncoding.EncodeToString([]byte(name))
	s.set(w, r, sign(s.key, text), until)
}

func (s *sessions) end(w http.ResponseWriter, r *http.Request) { s.set(w, r, "", time.Unix(1, 0)) }

func (s *sessions) set(w http.ResponseWriter, r *http.Request, value string, until time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", Expires: until, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		// Behind a proxy that speaks TLS the request itself is plain.
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	})
}

// of is who sent the request.
func (s *sessions) of(r *http.Request) (operator, bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil || s.key == nil {
		return operator{}, false
	}
	text, ok := signed(s.key, cookie.Value)
	if !ok {
		return operator{}, false
	}
	seconds, encoded, _ := strings.Cut(text, ".")
	until, err := strconv.ParseInt(seconds, 10, 64)
	name, nameErr := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || nameErr != nil || time.Now().Unix() >= until {
		return operator{}, false
	}
	return operator{Name: string(name), until: time.Unix(until, 0)}, true
}

type loginView struct {
	Closed bool
	Wrong  string
	Next   string
	Name   string
}

func (c *Console) loginPage(w http.ResponseWriter, r *http.Request, _ operator) error {
	c.askKey(w, r, http.StatusOK, "")
	return nil
}

func (c *Console) askKey(w http.ResponseWriter, r *http.Request, status int, wrong string) {
	v := loginView{Closed: c.sessions.key == nil, Wrong: wrong, Next: r.FormValue("next"), Name: r.PostFormValue("name")}
	c.show(w, r, status, "login", view{Title: "Log in", Data: v})
}

func (c *Console) login(w http.ResponseWriter, r *http.Request, _ operator) error {
	wait := c.logins.wait(r.RemoteAddr, time.Now())
	name := strings.TrimSpace(r.PostFormValue("name"))
	switch {
	case wait > 0:
		seconds := strconv.Itoa(int(wait/time.Second) + 1)
		w.Header().Set("Retry-After", seconds)
		c.askKey(w, r, http.StatusTooManyRequests, "Too many tries from your address; wait "+seconds+" s.")
		return nil
	case !c.sessions.right(r.PostFormValue("key")):
		c.cfg.Log.WarnContext(r.Context(), "console login refused", "remote", r.RemoteAddr)
		c.askKey(w, r, http.StatusUnauthorized, "This is not the admin key (RECARGA_ADMIN_KEY).")
		return nil
	case name == "" || utf8.RuneCountInString(name) > maxName:
		c.askKey(w, r, http.StatusUnprocessableEntity, "Say who you are, in 1 to 64 characters: what you decide is kept under your name.")
		return nil
	}
	c.sessions.begin(w, r, name)
	c.cfg.Log.InfoContext(r.Context(), "console login", "by", name, "remote", r.RemoteAddr)
	next := r.PostFormValue("next")
	if !strings.HasPrefix(next, Path+"/") && next != "/queues" && !strings.HasPrefix(next, "/queues/") {
		next = address(nil)
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request, _ operator) error {
	c.sessions.end(w, r)
	http.Redirect(w, r, address(nil, "login"), http.StatusSeeOther)
	return nil
}
