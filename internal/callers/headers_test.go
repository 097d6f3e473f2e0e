package callers_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/callers"
	"recarga/internal/seal"
	"recarga/topup"
)

// TestHeaders: an endpoint's own headers are sealed, stay with it and with its origin, and are never shown.
func TestHeaders(t *testing.T) {
	j := open(t)
	r := callers.New(j, oldKey, false)
	add(t, r, "shop")
	set := func(url string, headers map[string]string) {
		t.Helper()
		e := topup.CallerEndpoint{Name: "crm", URL: url}
		if _, err := r.SetEndpoint(t.Context(), "shop", 0, e, headers); err != nil {
			t.Fatal(err)
		}
	}
	change := func(c callers.Change) {
		t.Helper()
		if _, err := r.Update(t.Context(), "shop", 0, c); err != nil {
			t.Fatal(err)
		}
	}
	has := func(what string, callback, crm map[string]string) {
		t.Helper()
		got, err := r.Endpoints(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		want := []map[string]string{callback, crm}
		if diff := cmp.Diff(want[:len(got)], []map[string]string{got[0].Headers, got[len(got)-1].Headers}[:len(got)]); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
		c, err := j.Caller(t.Context(), "shop")
		if err != nil || bytes.Contains(c.Secrets, []byte("topsecret")) {
			t.Errorf("%s: kept in plain text, or %v", what, err)
		}
		if names := r.HeaderNames(c)["crm"]; !slices.Equal(names, slices.Sorted(maps.Keys(crm))) {
			t.Errorf("%s: named %v", what, names)
		}
	}
	key := map[string]string{"X-Api-Key": "topsecret"}
	gate := map[string]string{"Authorization": "Bearer topsecret"}
	set("https://crm.example/a", key)
	change(callers.Change{Headers: gate})
	has("given", gate, key)
	set("https://crm.example/b", nil)
	has("at another path of its origin", gate, key)
	if _, _, err := r.RotateSecret(t.Context(), "shop", callers.Rotation{Overlap: callers.DefaultOverlap}); err != nil {
		t.Fatal(err)
	}
	has("after a rotation", gate, key)
	rekeyed, err := callers.Rekey(context.Background(), j, seal.New(newKey, oldKey), false)
	if r = callers.New(j, newKey, false); err != nil || rekeyed.Former != 1 {
		t.Errorf("rekeyed %+v, %v", rekeyed, err)
	}
	has("after a rekey", gate, key)
	set("https://elsewhere.example/b", nil)
	has("at another origin", gate, nil)
	set("https://elsewhere.example/b", key)
	set("https://elsewhere.example/b", map[string]string{})
	has("taken away", gate, nil)
	set("https://elsewhere.example/b", key)
	if _, err := r.RemoveEndpoint(t.Context(), "shop", 0, "crm"); err != nil {
		t.Fatal(err)
	}
	set("https://elsewhere.example/b", nil)
	has("of one that was removed, and set again", gate, nil)
	other := "https://other.example/hook"
	change(callers.Change{CallbackURL: &other})
	has("of a callback URL at another origin", nil, nil)

	for _, wrong := range []map[string]string{{"Host": "topsecret"}, {"webhook-id": "topsecret"}, {"X": ""}} {
		e := topup.CallerEndpoint{Name: "crm", URL: other}
		if _, err := r.SetEndpoint(t.Context(), "shop", 0, e, wrong); len(topup.FieldErrors(err)) != 1 {
			t.Errorf("%v: %v", wrong, err)
		}
		if _, err := r.Update(t.Context(), "shop", 0, callers.Change{Headers: wrong}); len(topup.FieldErrors(err)) != 1 {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	if _, err := r.Update(t.Context(), topup.DefaultCaller, 0, callers.Change{Headers: gate}); len(topup.FieldErrors(err)) != 1 {
		t.Errorf("of the settings' caller: %v", err)
	}
}
