package callers_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"recarga/internal/callers"
	"recarga/internal/journal"
	"recarga/topup"
)

func open(t *testing.T) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "recarga.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func add(t *testing.T, r *callers.Registry, name string) callers.Created {
	t.Helper()
	c, err := r.Add(t.Context(), name, "https://"+name+".example/hook")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKeys(t *testing.T) {
	r := callers.New(open(t), "a key for the tests", false)
	shop, other := add(t, r, "shop"), add(t, r, "other")
	for key, want := range map[string]string{shop.APIKey: "shop", other.APIKey: "other"} {
		if c, err := r.Authenticate(t.Context(), key); err != nil || c.Name != want {
			t.Errorf("%s: %+v, %v", want, c, err)
		}
	}
	for _, key := range []string{"", "rck_", shop.APIKey + "x", strings.TrimPrefix(shop.APIKey, "rck_"), string(shop.KeyHash)} {
		if _, err := r.Authenticate(t.Context(), key); !errors.Is(err, topup.ErrNotFound) {
			t.Errorf("%q: %v", key, err)
		}
	}
	renewed, err := r.RotateKey(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Authenticate(t.Context(), shop.APIKey); !errors.Is(err, topup.ErrNotFound) {
		t.Errorf("the former key: %v", err)
	}
	yes, no := true, false
	if _, err := r.Update(t.Context(), "shop", callers.Change{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Authenticate(t.Context(), renewed); !errors.Is(err, callers.ErrDisabled) {
		t.Errorf("disabled: %v", err)
	}
	if _, err := r.Endpoints(t.Context(), "shop"); !errors.Is(err, topup.ErrNotFound) {
		t.Errorf("the endpoint of a disabled caller: %v", err)
	}
	if _, err := r.Update(t.Context(), "shop", callers.Change{Disabled: &no}); err != nil {
		t.Fatal(err)
	}
	if c, err := r.Authenticate(t.Context(), renewed); err != nil || c.Name != "shop" {
		t.Errorf("enabled again: %+v, %v", c, err)
	}
}

// TestSecretsAreSealed: the database has neither a key nor a secret; another key does not open them, nor
// does the right one for another caller.
func TestSecretsAreSealed(t *testing.T) {
	j := open(t)
	r := callers.New(j, "the right key", false)
	shop := add(t, r, "shop")
	stored, err := j.Caller(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{shop.APIKey, shop.WebhookSecret} {
		if bytes.Contains(stored.Secrets, []byte(secret)) || bytes.Contains(stored.KeyHash, []byte(secret)) {
			t.Error("a secret is kept as it is")
		}
	}
	if e, err := r.Endpoints(t.Context(), "shop"); err != nil || len(e) != 1 || e[0].URL != "https://shop.example/hook" || len(e[0].Secrets) != 1 || e[0].Secrets[0] != shop.WebhookSecret {
		t.Errorf("endpoint %+v, %v", e, err)
	}
	wrong := callers.New(j, "another key", false)
	if _, err := wrong.Endpoints(t.Context(), "shop"); err == nil || errors.Is(err, topup.ErrNotFound) || !strings.Contains(err.Error(), "RECARGA_ENCRYPTION_KEY") {
		t.Errorf("another key: %v", err)
	}
	thief := stored
	thief.Name, thief.KeyHash = "thief", []byte("x")
	if err := j.AddCaller(t.Context(), thief); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Endpoints(t.Context(), "thief"); err == nil {
		t.Error("another caller's secrets were opened")
	}
	none := callers.New(j, "", false)
	if _, err := none.Add(t.Context(), "more", ""); !errors.Is(err, callers.ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
	if secret, err := wrong.RotateSecret(t.Context(), "shop", time.Hour); err != nil {
		t.Errorf("rotated after the key was lost: %v", err)
	} else if e, err := wrong.Endpoints(t.Context(), "shop"); err != nil || len(e[0].Secrets) != 1 || e[0].Secrets[0] != secret {
		t.Errorf("rotated after the key was lost: %+v, %v", e, err)
	}
}

// TestRotation: both secrets sign for the time of the overlap, the newest first; another rotation does not
// lengthen the life of the oldest.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := callers.New(open(t), "key", false)
		first := add(t, r, "shop").WebhookSecret
		second, err := r.RotateSecret(t.Context(), "shop", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		signs(t, r, second, first)
		time.Sleep(30 * time.Minute)
		third, err := r.RotateSecret(t.Context(), "shop", 2*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		signs(t, r, third, second, first)
		time.Sleep(30*time.Minute + time.Second)
		signs(t, r, third, second)
		time.Sleep(2 * time.Hour)
		signs(t, r, third)
		if _, err := r.RotateSecret(t.Context(), "shop", -time.Second); len(topup.FieldErrors(err)) != 1 {
			t.Errorf("an overlap that has passed: %v", err)
		}
	})
}

func signs(t *testing.T, r *callers.Registry, want ...string) {
	t.Helper()
	e, err := r.Endpoints(t.Context(), "shop")
	if err != nil || strings.Join(e[0].Secrets, " ") != strings.Join(want, " ") {
		t.Errorf("secrets %v, %v; want %v", e, err, want)
	}
}

func TestAddRefuses(t *testing.T) {
	r, plain := callers.New(open(t), "key", false), callers.New(open(t), "key", true)
	add(t, r, "shop")
	if _, err := r.Add(t.Context(), "shop", ""); !errors.Is(err, topup.ErrConflict) {
		t.Errorf("a name twice: %v", err)
	}
	for _, c := range []struct {
		name, url string
		wrong     int
	}{
		{"", "", 1},
		{"default", "", 1},
		{"a b", "ftp://x", 2},
		{"b", "http://shop.example/hook", 1},
		{"c", "https://user:pw@shop.example/", 1},
		{"d", "https://", 1},
		{"e", "//shop.example", 1},
	} {
		if _, err := r.Add(t.Context(), c.name, c.url); len(topup.FieldErrors(err)) != c.wrong {
			t.Errorf("%q %q: %v", c.name, c.url, err)
		}
	}
	if _, err := plain.Add(t.Context(), "dev", "http://127.0.0.1:3000/hook"); err != nil {
		t.Errorf("http where it is allowed: %v", err)
	}
	bad := "ftp://x"
	if _, err := r.Update(t.Context(), "shop", callers.Change{CallbackURL: &bad}); len(topup.FieldErrors(err)) != 1 {
		t.Errorf("a bad URL: %v", err)
	}
	if _, err := r.Update(t.Context(), "nobody", callers.Change{}); !errors.Is(err, topup.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}
