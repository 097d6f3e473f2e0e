package distributor_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"recarga/distributor"
	"recarga/topup"
)

// poisoned is a TokenStore with a token that somebody else has put there.
type poisoned struct {
	token   string
	expires time.Time
}

func (p poisoned) Load(context.Context) (string, time.Time, error) { return p.token, p.expires, nil }
func (poisoned) Save(context.Context, string, time.Time) error     { return nil }
func (poisoned) Lock(context.Context) (func(), error)              { return func() {}, nil }

// TestPoisonedToken: whatever the store says, the purchase after next is made with a token of our own login, and the
// first one at once where the token cannot be sent at all.
func TestPoisonedToken(t *testing.T) {
	soon, never := time.Now().Add(time.Hour), time.Now().AddDate(900, 0, 0)
	for name, c := range map[string]struct {
		store   poisoned
		answer  http.HandlerFunc // to a token that is not ours
		unsent  bool
		outcome topup.Outcome // of the purchase with that token
	}{
		"a line break": {poisoned{"x\r\nX-Evil: 1", soon}, nil, true, ""},
		"not ASCII":    {poisoned{"tök", soon}, nil, true, ""},
		"a blank":      {poisoned{"a b", soon}, nil, true, ""},
		"NUL":          {poisoned{"a\x00", soon}, nil, true, ""},
		"empty":        {poisoned{"", soon}, nil, true, ""},
		"too long":     {poisoned{strings.Repeat("x", 8<<10+1), soon}, nil, true, ""},
		"over":         {poisoned{"theirs", time.Now().Add(-time.Second)}, nil, true, ""},
		"of year 1":    {poisoned{"theirs", time.Time{}}, nil, true, ""},
		"for ever": {poisoned{"theirs", never}, answer(http.StatusUnauthorized, `{"success":false}`), false,
			topup.OutcomeNotSent},
		"431": {poisoned{strings.Repeat("x", 8<<10), never}, answer(431, "Request Header Fields Too Large"),
			false, topup.OutcomeUnknown},
		"400 of a proxy": {poisoned{"theirs", soon}, answer(400, "<html>400 Bad Request</html>"), false,
			topup.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVendor(t, nil)
			v.purchase = func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer token-") && c.answer != nil {
					c.answer(w, r)
					return
				}
				answer(http.StatusOK, approved)(w, r)
			}
			client := newClient(t, v.URL, func(cfg *distributor.Config) { cfg.Tokens = c.store })
			if !c.unsent {
				if got := buy(t, client); got.Outcome != c.outcome {
					t.Fatalf("with their token: %+v", got)
				}
			}
			if got := buy(t, client); got.Outcome != topup.OutcomeApproved {
				t.Errorf("%+v", got)
			}
			if n := v.logins.Load(); n != 1 {
				t.Errorf("%d logins", n)
			}
		})
	}
}

// TestAGoodTokenIsKept: an answer of a gateway to one request says nothing of a token that has been good.
func TestAGoodTokenIsKept(t *testing.T) {
	v := newVendor(t, answer(http.StatusOK, approved))
	client := newClient(t, v.URL, nil)
	buy(t, client)
	v.purchase = answer(http.StatusBadRequest, "<html>400 Bad Request</html>")
	for range 5 {
		if got := buy(t, client); got.Outcome != topup.OutcomeUnknown {
			t.Errorf("%+v", got)
		}
	}
	if n := v.logins.Load(); n != 1 {
		t.Errorf("%d logins", n)
	}
}
