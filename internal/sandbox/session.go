package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"strings"
	"time"
)

// serveLogin is POST /login.
func (s *Server) serveLogin(w http.ResponseWriter, r *http.Request) {
	s.gate(w, callLogin, func() answer {
		var fields map[string]json.RawMessage
		body, err := readBody(w, r)
		if err != nil || !isJSON(r) || json.Unmarshal(body, &fields) != nil {
			return failed(http.StatusBadRequest, "Invalid JSON")
		}
		customer, ok1 := text(fields["customer_id"])
		secret, ok2 := text(fields["secret_key"])
		if !ok1 || !ok2 || customer == "" || secret == "" {
			return failed(http.StatusBadRequest, "Missing required fields: customer_id, secret_key")
		}
		return s.login(customer, secret)
	}).write(w)
}

func (s *Server) login(customer, secret string) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if customer != s.cfg.CustomerID || secret != s.cfg.SecretKey {
		return failed(http.StatusUnauthorized, "Invalid credentials")
	}
	now := time.Now()
	maps.DeleteFunc(s.tokens, func(_ string, expires time.Time) bool { return s.cfg.OneSession || !now.Before(expires) })
	token := rand.Text()
	s.tokens[token] = now.Add(time.Duration(s.cfg.ExpiresIn) * time.Second)
	return reply(http.StatusOK, struct {
		// The fields of the document. Nothing takes the refresh token; ExpiresIn is in seconds.
		Success      bool   `json:"success"`
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		TokenType    string `json:"token_type"`
		ExpiresIn    int    `json:"expires_in"`
	}{true, token, rand.Text(), "Bearer", s.cfg.ExpiresIn})
}

// unauthorized is the answer to a token that is missing, unknown or expired.
func unauthorized() answer { return failed(http.StatusUnauthorized, "Invalid or missing token") }

// session is the request's token, and whether it is good.
func (s *Server) session(r *http.Request) (token string, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	expires, known := s.tokens[token]
	return token, known && time.Now().Before(expires)
}

// expire ends a token before its time.
func (s *Server) expire(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

func isJSON(r *http.Request) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == "application/json"
}

// text is a JSON string; absent and null are empty. Anything else is not ok.
func text(raw json.RawMessage) (s string, ok bool) {
	return s, raw == nil || json.Unmarshal(raw, &s) == nil
}
