package callers_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"recarga/internal/callers"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/testkit"
	"recarga/topup"
)

func open(t *testing.T) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), journaltest.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func add(t *testing.T, r *callers.Registry, name string) callers.Created {
	t.Helper()
	c, err := r.Add(t.Context(), callers.NewCaller{Name: name, CallbackURL: "https://" + name + ".example/hook"})
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
	for _, key := range []string{
		"", "rck_", shop.APIKey + "x", strings.TrimPrefix(shop.APIKey, "rck_"), string(shop.Keys[0].Hash),
	} {
		if _, err := r.Authenticate(t.Context(), key); !errors.Is(err, topup.ErrNotFound) {
			t.Errorf("%q: %v", key, err)
		}
	}
	renewed, _, err := r.RotateKey(t.Context(), "shop", callers.Rotation{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Authenticate(t.Context(), shop.APIKey); !errors.Is(err, topup.ErrNotFound) {
		t.Errorf("the former key: %v", err)
	}
	yes, no := true, false
	if _, err := r.Update(t.Context(), "shop", 2, callers.Change{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Authenticate(t.Context(), renewed); !errors.Is(err, callers.ErrDisabled) {
		t.Errorf("disabled: %v", err)
	}
	if _, err := r.Endpoints(t.Context(), "shop"); !errors.Is(err, topup.ErrNotFound) {
		t.Errorf("the endpoint of a disabled caller: %v", err)
	}
	if _, err := r.Update(t.Context(), "shop", 0, callers.Change{Disabled: &no}); err != nil {
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
		if bytes.Contains(stored.Secrets, []byte(secret)) || bytes.Contains(stored.Keys[0].Hash, []byte(secret)) {
			t.Error("a secret is kept as it is")
		}
	}
	if e, err := r.Endpoints(t.Context(), "shop"); err != nil || len(e) != 1 ||
		e[0].URL != "https://shop.example/hook" || len(e[0].Secrets) != 1 || e[0].Secrets[0] != shop.WebhookSecret {
		t.Errorf("endpoint %+v, %v", e, err)
	}
	wrong := callers.New(j, "another key", false)
	if _, err := wrong.Endpoints(t.Context(), "shop"); err == nil || errors.Is(err, topup.ErrNotFound) ||
		!strings.Contains(err.Error(), "RECARGA_ENCRYPTION_KEY") {
		t.Errorf("another key: %v", err)
	}
	thief := stored
	thief.Name, thief.Keys = "thief", []topup.CallerKey{{Hash: []byte("x"), CreatedAt: time.Now()}}
	if err := j.AddCaller(t.Context(), thief); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Endpoints(t.Context(), "thief"); err == nil {
		t.Error("another caller's secrets were opened")
	}
	none := callers.New(j, "", false)
	if _, err := none.Add(t.Context(), callers.NewCaller{Name: "more"}); !errors.Is(err, callers.ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
	if secret, _, err := wrong.RotateSecret(t.Context(), "shop", callers.Rotation{Overlap: time.Hour}); err != nil {
		t.Errorf("rotated after the key was lost: %v", err)
	} else if e, err := wrong.Endpoints(t.Context(), "shop"); err != nil || len(e[0].Secrets) != 1 ||
		e[0].Secrets[0] != secret {
		t.Errorf("rotated after the key was lost: %+v, %v", e, err)
	}
}

// TestRotation: both secrets sign for the time of the overlap, the newest first; another rotation does not
// lengthen the life of the oldest.
func TestRotation(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		r := callers.New(open(t), "key", false)
		first := add(t, r, "shop").WebhookSecret
		second, _, err := r.RotateSecret(t.Context(), "shop", callers.Rotation{Overlap: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		signs(t, r, second, first)
		time.Sleep(30 * time.Minute)
		third, _, err := r.RotateSecret(t.Context(), "shop", callers.Rotation{Overlap: 2 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		signs(t, r, third, second, first)
		time.Sleep(30*time.Minute + time.Second)
		signs(t, r, third, second)
		time.Sleep(2 * time.Hour)
		signs(t, r, third)
		how := callers.Rotation{Overlap: -time.Second}
		if _, _, err := r.RotateSecret(t.Context(), "shop", how); len(topup.FieldErrors(err)) != 1 {
			t.Errorf("an overlap that has passed: %v", err)
		}
	})
}

// TestKeysFollowEachOther: two keys are good for the time of an overlap, and never three; a key ends when it was to,
// in a process that remembers it as well.
func TestKeysFollowEachOther(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		j := open(t)
		r, other := callers.New(j, "key", false), callers.New(j, "key", false)
		end := time.Now().Add(3 * time.Hour)
		created, err := r.Add(t.Context(), callers.NewCaller{Name: "shop", KeyExpiresAt: &end})
		if err != nil {
			t.Fatal(err)
		}
		first := created.APIKey
		rotated := func(how callers.Rotation) string {
			t.Helper()
			key, c, err := r.RotateKey(t.Context(), "shop", how)
			if err != nil || c.Keys[0].Hint != key[len(key)-4:] {
				t.Fatal(c, err)
			}
			return key
		}
		good := func(key string, want error) {
			t.Helper()
			time.Sleep(2 * time.Second) // so long another process may remember what was before
			for _, r := range []*callers.Registry{r, other} {
				if c, err := r.Authenticate(t.Context(), key); !errors.Is(err, want) || err == nil && c.Name != "shop" {
					t.Errorf("%s: %v, want %v", c.Name, err, want)
				}
			}
		}
		good(first, nil)
		second := rotated(callers.Rotation{Overlap: time.Hour})
		good(first, nil)
		good(second, nil)
		third := rotated(callers.Rotation{Overlap: 2 * time.Hour})
		good(first, topup.ErrNotFound)
		good(second, nil)
		good(third, nil)
		time.Sleep(2*time.Hour - 10*time.Second)
		good(third, nil)
		if _, err := other.Authenticate(t.Context(), second); err != nil {
			t.Errorf("within the overlap: %v", err)
		}
		time.Sleep(3 * time.Second) // less than the memory, from now
		if _, err := other.Authenticate(t.Context(), second); !errors.Is(err, callers.ErrExpired) {
			t.Errorf("after the overlap: %v", err)
		}
		end = time.Now().Add(time.Minute)
		fourth := rotated(callers.Rotation{ExpiresAt: &end})
		good(third, topup.ErrNotFound)
		fifth := rotated(callers.Rotation{Overlap: time.Hour}) // which does not lengthen what ends before
		good(fourth, nil)
		time.Sleep(time.Minute)
		good(fourth, callers.ErrExpired)
		good(fifth, nil)
		past := time.Now()
		for _, how := range []callers.Rotation{{Overlap: -1}, {Overlap: 721 * time.Hour}, {ExpiresAt: &past}} {
			if _, _, err := r.RotateKey(t.Context(), "shop", how); len(topup.FieldErrors(err)) != 1 {
				t.Errorf("%+v: %v", how, err)
			}
		}
	})
}

// TestExpiryIsWarnedOf: once a day, from two weeks before a caller's newest key ends.
func TestExpiryIsWarnedOf(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		r := callers.New(open(t), "key", false)
		end := time.Now().Add(16*24*time.Hour + time.Hour)
		for _, c := range []callers.NewCaller{{Name: "shop", KeyExpiresAt: &end}, {Name: "ever"}} {
			if _, err := r.Add(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		var said bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		watched := make(chan struct{})
		go func() { defer close(watched); r.WatchExpiry(ctx, slog.New(slog.NewTextHandler(&said, nil))) }()
		time.Sleep(5*24*time.Hour + time.Minute) // the days 3, 4 and 5 are within two weeks
		if _, _, err := r.RotateKey(t.Context(), "shop", callers.Rotation{Overlap: time.Hour}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * 24 * time.Hour)
		cancel()
		<-watched
		if n := strings.Count(said.String(), "caller=shop"); n != 3 || strings.Contains(said.String(), "ever") {
			t.Errorf("said %d times: %s", n, &said)
		}
	})
}

// TestDefaultsLimits: of the caller of the settings the registry keeps the prefix and the quotas, and nothing else.
func TestDefaultsLimits(t *testing.T) {
	r := callers.New(open(t), "key", false)
	prefix, most, url, off := "D-", 5, "https://x.example/", true
	c, err := r.Update(t.Context(), "default", 0, callers.Change{IDPrefix: &prefix, MaxOpen: &most})
	if err != nil || c.IDPrefix != "D-" || c.Quota.MaxOpen != 5 || len(c.Keys) != 0 || c.Version != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = r.Update(t.Context(), "default", 0, callers.Change{CallbackURL: &url, Disabled: &off})
	if len(topup.FieldErrors(err)) != 2 {
		t.Errorf("what the settings say: %v", err)
	}
	if _, _, err := r.RotateKey(t.Context(), "default", callers.Rotation{}); !errors.Is(err, topup.ErrNotFound) {
		t.Errorf("a key: %v", err)
	}
	_, err = r.SetEndpoint(t.Context(), "default", 0, topup.CallerEndpoint{Name: "crm", URL: url}, nil)
	if !errors.Is(err, topup.ErrNotFound) {
		t.Errorf("an endpoint: %v", err)
	}
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
	if _, err := r.Add(t.Context(), callers.NewCaller{Name: "shop"}); !errors.Is(err, topup.ErrConflict) {
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
		_, err := r.Add(t.Context(), callers.NewCaller{Name: c.name, CallbackURL: c.url})
		if len(topup.FieldErrors(err)) != c.wrong {
			t.Errorf("%q %q: %v", c.name, c.url, err)
		}
	}
	dev := callers.NewCaller{Name: "dev", CallbackURL: "http://127.0.0.1:3000/hook"}
	if _, err := plain.Add(t.Context(), dev); err != nil {
		t.Errorf("http where it is allowed: %v", err)
	}
	bad := "ftp://x"
	if _, err := r.Update(t.Context(), "shop", 0, callers.Change{CallbackURL: &bad}); len(topup.FieldErrors(err)) != 1 {
		t.Errorf("a bad URL: %v", err)
	}
	if _, err := r.Update(t.Context(), "nobody", 0, callers.Change{}); !errors.Is(err, topup.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}
